"""TargetAttention: Attention's labels, written."""

from __future__ import annotations

import typing as t

from tap_instantly.attention.paginator import PageNumberPaginator
from tap_instantly.attention.settings import TARGET_SETTINGS
from tap_instantly.attention.vendor import ATTENTION, LIST, ROW
from tap_instantly.target.base import PlanningTarget
from tap_instantly.target.entities import Entity, Field, trim

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_instantly.api.vendor import Vendor


def null_as_blank(value: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    """Return a text, null as the "" that clears it."""
    return value or ""


def fold_options(value: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    """Return the values and descriptions of options; Attention may add fields."""
    if not isinstance(value, list):
        return value or []
    return [
        (item.get("value"), item.get("description") or "")
        if isinstance(item, dict)
        else item
        for item in value
    ]


LABELS = Entity(
    stream="labels",
    path="/labels",
    scope="",
    noun="label",
    fields=(
        Field("name", is_required=True, normalize=trim, max_length=128),
        Field(
            "description",
            is_nullable=True,
            cleared_by="",
            normalize=null_as_blank,
            max_length=2000,
        ),
        Field("aiFlow", bool),
        Field("allTeams", bool),
        Field(
            "options",
            list,
            is_nullable=True,
            cleared_by=[],
            normalize=fold_options,
            members=("value", "description"),
        ),
    ),
    read_only=frozenset(
        {"isDefaultTemplate", "organizationUUID", "createdAt", "additional_fields"}
    ),
    list_selector=LIST,
    answer_selector=ROW,
    vendor=ATTENTION,
    id_field="uuid",
    paginator_class=PageNumberPaginator,
    is_deletable=False,
    rename_effect="the scorecards and collections that refer to its name",
)
"""https://docs.attention.com/api-reference/label/update-label"""


class TargetAttention(PlanningTarget):
    """Singer target for Attention: labels."""

    name = "target-attention"
    vendor: t.ClassVar[Vendor] = ATTENTION
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = TARGET_SETTINGS.to_dict()
    entities: t.ClassVar[Sequence[Entity]] = (LABELS,)


def main() -> None:
    """Run the target."""
    TargetAttention.cli()
