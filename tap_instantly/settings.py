"""The settings of the tap."""

from __future__ import annotations

import typing as t
from importlib import metadata

from singer_sdk import typing as th

from tap_instantly.api.vendor import INSTANTLY

if t.TYPE_CHECKING:
    from tap_instantly.api.vendor import Vendor

MAX_COLUMN_NAME = 63
"""How long a column's name may be in PostgreSQL, the least of the common databases."""


def api_key(description: str) -> th.Property[str]:
    """Return the setting `api_key`."""
    return th.Property(
        "api_key",
        th.StringType(pattern=r"^[ -~]*[!-~][ -~]*$(?!\n)"),
        required=True,
        secret=True,
        title="API key",
        description=description,
    )


INSTANTLY_KEY = "Key of the Instantly API v2, used exactly as Instantly shows it. "


def api_url(vendor: Vendor) -> th.Property[str]:
    """Return the setting `api_url`."""
    return th.Property(
        "api_url",
        th.URIType,
        default=vendor.url,
        title="API URL",
        description=(
            "Address of the API. It must be https, except on this machine itself."
        ),
    )


def user_agent(plugin: str, remark: str = "") -> th.Property[str]:
    """Return the setting `user_agent` of a plugin."""
    return th.Property(
        "user_agent",
        th.StringType(pattern=r"^[!-~]([ -~]*[!-~])?$(?!\n)"),
        default=f"{plugin}/{metadata.version('tap-instantly')}",
        title="User agent",
        description=(
            f"How the {plugin.partition('-')[0]} names itself on every request.{remark}"
        ),
    )


AGENT_REMARK = " Instantly refuses the names of some HTTP libraries."


def max_requests_per_minute(default: int, description: str) -> th.Property[int]:
    """Return the setting `max_requests_per_minute`."""
    return th.Property(
        "max_requests_per_minute",
        th.IntegerType(minimum=1, maximum=1_000_000_000),
        default=default,
        title="Requests a minute",
        description=description,
    )


MAX_REQUESTS_PER_MINUTE = max_requests_per_minute(
    3000,
    "How many of the 6000 requests a minute that Instantly allows a workspace, "
    "with all its other tools, a run may make.",
)

WORKSPACE_ID = th.Property(
    "workspace_id",
    th.StringType(pattern=r"^[A-Za-z0-9_-]+$(?!\n)"),
    title="Workspace",
    description=(
        "Id of the member workspace that a run with the key of its group's admin "
        "workspace is about: `sub_workspace_id` of `workspace_group_members`."
    ),
)

READING = (
    th.Property(
        "max_concurrency",
        th.IntegerType(minimum=1, maximum=64),
        default=8,
        title="Requests at a time",
        description=(
            "How many requests a run may have in flight at a time. "
            "Neither the records nor their order depend on it."
        ),
    ),
    th.Property(
        "additional_fields",
        th.BooleanType,
        default=True,
        title="Additional fields",
        description=(
            "Whether every stream has a column `additional_fields`, which keeps what "
            "has no column of its own and values that do not fit theirs."
        ),
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Emit ACTIVATE_VERSION messages",
        description=(
            "Whether a complete full-table run ends by telling the target to drop the "
            "rows that are no longer there."
        ),
    ),
    th.Property(
        "report_path",
        th.StringType,
        title="Report path",
        description=(
            "A file that gets a line of JSON for each stream at the end of the run: "
            "what the list had, what was written, and whether that is complete."
        ),
    ),
    th.Property(
        "flattening_max_key_length",
        th.IntegerType(minimum=1),
        default=MAX_COLUMN_NAME,
        title="Max Key Length",
        description=(
            "The maximum length of a flattened key. PostgreSQL cuts longer names, "
            "some of them to the same name."
        ),
    ),
)
"""The settings of every tap."""

SETTINGS = th.PropertiesList(
    api_key(INSTANTLY_KEY + "The scope `all:read` is enough for every stream."),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description=(
            "Nothing that was created before this date or time is read. "
            "Without a zone it is UTC."
        ),
    ),
    th.Property(
        "end_date",
        th.DateTimeType,
        title="End date",
        description=(
            "Nothing that was created at or after this date or time is read: "
            "the other edge of a backfill. Without a zone it is UTC."
        ),
    ),
    th.Property(
        "lookback_days",
        th.IntegerType(minimum=0, maximum=36500),
        default=0,
        title="Lookback in days",
        description=(
            "How many days before its bookmark an incremental run reads again, "
            "to catch edits of recent rows. Daily figures, which change for weeks, "
            "are read again for 28 days at least."
        ),
    ),
    WORKSPACE_ID,
    api_url(INSTANTLY),
    user_agent("tap-instantly", AGENT_REMARK),
    MAX_REQUESTS_PER_MINUTE,
    *READING,
    additional_properties=False,
)
