"""The settings of target-instantly."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_instantly.api.vendor import INSTANTLY
from tap_instantly.settings import (
    AGENT_REMARK,
    INSTANTLY_KEY,
    MAX_REQUESTS_PER_MINUTE,
    WORKSPACE_ID,
    api_key,
    api_url,
    user_agent,
)
from tap_instantly.target.plan import Policy

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_instantly.target.entities import Entity


def match_by(noun: str, id_field: str) -> th.Property[str]:
    """Return the setting `match_by`.

    Args:
        noun: What a record finds.
        id_field: The field with its id.
    """
    return th.Property(
        "match_by",
        th.StringType(allowed_values=["name", id_field]),
        default="name",
        title="Match by",
        description=(
            f"How a record finds its {noun}: by its name, or by its `{id_field}`. By "
            f"`{id_field}` nothing is created: a record whose {noun} is not there is "
            "rejected."
        ),
    )


def renames(effect: str) -> th.Property[dict[str, t.Any]]:
    """Return the setting `renames`, described with what it brings about."""
    return th.Property(
        "renames",
        th.ObjectType(
            additional_properties=th.ObjectType(additional_properties=th.StringType)
        ),
        default={},
        title="Renames",
        description=(
            f"For each stream the old names and the new ones that they become{effect}"
        ),
    )


POLICY = (
    th.Property(
        "mode",
        th.StringType(allowed_values=["upsert", "update", "create"]),
        default="upsert",
        title="Mode",
        description=(
            "What may be written: new rows and changes (`upsert`), changes alone "
            "(`update`) or new rows alone (`create`). What is left out is reported as "
            "skipped."
        ),
    ),
    match_by("row", "id"),
    renames(
        ". The row with the old name is changed, so that leads keep their label. A "
        "rename without a record of the new name does nothing."
    ),
    th.Property(
        "nulls",
        th.StringType(allowed_values=["keep", "clear"]),
        default="keep",
        title="Nulls",
        description=(
            "Whether a null in a record leaves the field as it is (`keep`) or clears "
            "it (`clear`). A field that a record lacks is never touched."
        ),
    ),
    th.Property(
        "delete",
        th.StringType(allowed_values=["never", "marked", "mirror"]),
        default="never",
        title="Delete",
        description=(
            "What is deleted: nothing (`never`), rows whose record is marked by "
            "`_sdc_deleted_at` (`marked`), or also all rows that a complete table does "
            "not have (`mirror`): one that ends with ACTIVATE_VERSION."
        ),
    ),
    th.Property(
        "reassigned_status",
        th.IntegerType,
        title="Reassigned status",
        description=(
            "The interest status that leads and e-mails of deleted labels get. It is "
            "needed as soon as labels may be deleted."
        ),
    ),
    th.Property(
        "max_change_percent",
        th.IntegerType(minimum=0, maximum=100),
        default=30,
        title="Most changes, in percent",
        description=(
            "How many percent of the rows of a stream may be changed or deleted, if "
            "there are 10 or more. If there is more to do, nothing is written."
        ),
    ),
    th.Property(
        "allow_enrichment",
        th.BooleanType,
        default=False,
        title="Allow enrichment",
        description=(
            "Whether `has_enrichment_task` of a list may become true, which costs "
            "credits for each lead that is added to it."
        ),
    ),
)

RUN = (
    th.Property(
        "on_reject",
        th.StringType(allowed_values=["fail", "fail_fast", "skip"]),
        default="fail",
        title="On reject",
        description=(
            "What happens if a record is rejected or refused: the others are written "
            "and the run fails (`fail`), nothing more is written and the run fails "
            "(`fail_fast`), or the others are written and the run succeeds (`skip`)."
        ),
    ),
    th.Property(
        "settle_seconds",
        th.IntegerType(minimum=0, maximum=3600),
        default=10,
        title="Seconds to settle",
        description=(
            "How long a write of which nobody knows whether it arrived is looked for "
            "before it is sent once more."
        ),
    ),
    th.Property(
        "dry_run",
        th.BooleanType,
        default=False,
        title="Dry run",
        description="Whether the plan is printed and nothing is written.",
    ),
    th.Property(
        "report_path",
        th.StringType,
        title="Report path",
        description="A file that gets a line of JSON for every record.",
    ),
    th.Property(
        "report_values",
        th.BooleanType,
        default=False,
        title="Report values",
        description="Whether the report has the values of fields, and not only names.",
    ),
)

SETTINGS = th.PropertiesList(
    api_key(
        INSTANTLY_KEY
        + "It needs the scopes to read, create, update and delete what is written."
    ),
    *POLICY,
    *RUN,
    WORKSPACE_ID,
    api_url(INSTANTLY),
    user_agent("target-instantly", AGENT_REMARK),
    MAX_REQUESTS_PER_MINUTE,
    additional_properties=False,
)


def make_policy(config: Mapping[str, t.Any]) -> Policy:
    """Return what the settings allow."""
    names = {each.name for each in POLICY}
    return Policy(**{name: config[name] for name in names & config.keys()})


def policy_errors(
    config: Mapping[str, t.Any], entities: Mapping[str, Entity]
) -> Iterator[str]:
    """Say what in the settings does not go together.

    Args:
        config: The settings by name, each valid for itself.
        entities: What can be written, by stream.
    """
    renamed, found_by = config.get("renames") or {}, config.get("match_by", "name")
    asked_for = {stream for stream, entity in entities.items() if entity.rename_effect}
    if found_by != "name" and renamed.keys() - asked_for:
        yield (
            f"Setting `renames` is of no use with `match_by: {found_by}`, which "
            "renames a row whose record has another name; leave one of them out."
        )
    kept = [entity for entity in entities.values() if not entity.is_deletable]
    if kept and config.get("delete", "never") != "never":
        yield (
            f"Setting `delete` must be `never`: {kept[0].vendor.name} does not say how "
            f"to delete {', '.join(entity.stream for entity in kept)}."
        )
    known = [name for name, entity in entities.items() if entity.is_renamable]
    for stream in renamed:
        if stream not in known:
            yield (
                f"Setting `renames` has the stream {stream}; "
                f"rows can be renamed of {', '.join(known)}."
            )
