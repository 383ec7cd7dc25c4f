"""TargetInstantly: settings and entities."""

from __future__ import annotations

import typing as t

from tap_instantly.target.base import PlanningTarget
from tap_instantly.target.entities import ENTITIES
from tap_instantly.target.settings import SETTINGS

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_instantly.target.entities import Entity


class TargetInstantly(PlanningTarget):
    """Singer target for Instantly.ai: labels, lists, tags and the block list."""

    name = "target-instantly"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = SETTINGS.to_dict()
    entities: t.ClassVar[Sequence[Entity]] = ENTITIES


def main() -> None:
    """Run the target."""
    TargetInstantly.cli()
