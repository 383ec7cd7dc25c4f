"""The settings of the tap, and what can be wrong with them."""

from __future__ import annotations

import json
import os
import re
import typing as t
from importlib import metadata

from jsonschema import Draft7Validator
from singer_sdk import typing as th

from tap_instantly.api.addresses import URL, is_loopback
from tap_instantly.api.rate_limit import MAX_PER_MINUTE
from tap_instantly.incremental import parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema import ValidationError

SETTINGS = th.PropertiesList(
    th.Property(
        "api_key",
        th.StringType,
        required=True,
        secret=True,
        title="API key",
        description=(
            "Key of the Instantly API v2, used exactly as Instantly shows it. "
            "The scope `all:read` is enough for every stream."
        ),
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description=(
            "Nothing that was created before this date or instant is read. "
            "Without a zone it is UTC."
        ),
    ),
    th.Property(
        "end_date",
        th.DateTimeType,
        title="End date",
        description=(
            "Nothing that was created at or after this date or instant is read: "
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
    th.Property(
        "api_url",
        th.StringType,
        default="https://api.instantly.ai/api/v2",
        title="API URL",
        description=(
            "Address of the API. It must be https, except on this machine itself."
        ),
    ),
    th.Property(
        "user_agent",
        th.StringType,
        default=f"tap-instantly/{metadata.version('tap-instantly')}",
        title="User agent",
        description=(
            "How the tap names itself on every request. "
            "Instantly refuses the names of some HTTP libraries."
        ),
    ),
    th.Property(
        "max_requests_per_minute",
        th.IntegerType(minimum=1, maximum=1_000_000_000),
        default=3000,
        title="Requests a minute",
        description=(
            "How many of the 6000 requests a minute that Instantly allows a workspace, "
            "with all its other tools, a run may make."
        ),
    ),
    th.Property(
        "max_concurrency",
        th.IntegerType(minimum=1, maximum=64),
        default=8,
        title="Requests at a time",
        description=(
            "How many requests a run may have under way at a time. "
            "Neither the records nor their order depend on it."
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
    additional_properties=False,
)


def validation_errors(
    config: Mapping[str, t.Any], schema: dict[str, t.Any]
) -> Iterator[str]:
    """Say what is wrong with a configuration.

    Args:
        config: The settings by name.
        schema: The JSON Schema of the settings, the SDK's own included.

    Yields:
        A sentence a fault, which names the setting and what to do. Values are not
        repeated, since one of them is the key.
    """
    known = schema["properties"]
    for name in config.keys() - known:
        yield f"Setting `{name}` is unknown; known are {', '.join(sorted(known))}."
    chosen = {name: value for name, value in config.items() if name in known}
    by_schema = list(Draft7Validator(schema).iter_errors(chosen))
    for error in by_schema:
        yield _explain(error, config, schema)
    misshapen = {error.path[0] for error in by_schema if error.path}
    for name, check in CHECKS.items():
        if name not in misshapen and config.get(name) is not None:
            fault = check(config[name])
            if fault:
                yield f"Setting `{name}` {fault}."
    if _asks_too_much(config.get("max_requests_per_minute"), config.get("api_url")):
        yield (
            f"Setting `max_requests_per_minute` must be at most {MAX_PER_MINUTE}, "
            "which is what Instantly allows a workspace."
        )
    if _ends_before_start(config.get("start_date"), config.get("end_date")):
        yield "Setting `end_date` must be later than `start_date`."


def environment_faults(schema: dict[str, t.Any], prefix: str) -> dict[str, str]:
    """Say which environment variables hold text that their setting cannot take.

    The SDK would stop with a traceback, or take any other word for `false`.

    Args:
        schema: The JSON Schema of the settings.
        prefix: What the names of the variables begin with.

    Returns:
        A sentence a fault, by the variable.
    """
    found = {}
    for name, setting in schema["properties"].items():
        variable = prefix + name.upper()
        text = os.environ.get(variable)
        for kind, (pattern, wanted) in SPELLINGS.items():
            if text is not None and kind in setting.get("type", ()):
                if not (pattern.fullmatch(text) if pattern else _is_json(text)):
                    found[variable] = f"Setting `{name}` must be {wanted}."
                break
    return found


def unknown_variables(schema: dict[str, t.Any], prefix: str) -> list[str]:
    """Return the environment variables that look like settings, but are none.

    Args:
        schema: The JSON Schema of the settings.
        prefix: What the names of the variables begin with.
    """
    known = {prefix + name.upper() for name in [*schema["properties"], "loglevel"]}
    return sorted(
        name
        for name in os.environ
        if name.startswith(prefix)
        and name not in known
        # Meltano's own: https://docs.meltano.com/concepts/plugins#plugin-extras
        and not name.startswith(prefix + "_")
    )


def _explain(
    error: ValidationError, config: Mapping[str, t.Any], schema: dict[str, t.Any]
) -> str:
    if error.validator == "required" and not error.path:
        missing = next(name for name in schema["required"] if name not in config)
        return (
            f"Setting `{missing}` is missing; "
            f"set it in the configuration or as TAP_INSTANTLY_{missing.upper()}."
        )
    name = ".".join(map(str, error.path))
    wanted: t.Any = error.validator_value
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        what = "of type " + " or ".join(kind for kind in kinds if kind != "null")
    elif error.validator in BOUNDS:
        what = f"{BOUNDS[error.validator]} {wanted}"
    else:
        what = f"other: its {error.validator} is wrong"
    return f"Setting `{name}` must be {what}."


def _check_header(text: str) -> str | None:
    if not text.strip():
        return "is empty"
    if re.search(r"[^\x20-\x7e]", text):
        return "has characters that an HTTP header cannot carry, perhaps a line break"
    return None


def _check_name(text: str) -> str | None:
    if text != text.strip():
        return "begins or ends with a blank, which an HTTP header cannot carry"
    return _check_header(text)


def _check_date(text: str) -> str | None:
    try:
        parse_timestamp(text)
    except ValueError:
        text = ""
    if re.match(r"\d{4}-\d\d-\d\d([T ]|$)", text, re.ASCII):
        return None
    return "is no date; write it like 2026-01-31 or 2026-01-31T08:00:00Z"


def _check_url(text: str) -> str | None:
    url = URL.fullmatch(text)
    if url is None or int(url["port"] or 0) > HIGHEST_PORT:
        return (
            "is no plain address; write it like https://api.instantly.ai/api/v2, "
            "without a user name, a query or a fragment"
        )
    if url["scheme"].lower() == "http" and not is_loopback(text):
        return "must begin with https, so that nobody on the way can read the key"
    return None


def _asks_too_much(per_minute: object, url: object) -> bool:
    """Tell whether more is asked than Instantly allows; on loopback anything goes."""
    return (
        isinstance(per_minute, int)
        and per_minute > MAX_PER_MINUTE
        and not is_loopback(str(url))
    )


def _ends_before_start(start: object, end: object) -> bool:
    try:
        return parse_timestamp(t.cast("str", end)) <= parse_timestamp(
            t.cast("str", start)
        )
    except (TypeError, ValueError):
        return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


CHECKS: dict[str, Callable[[str], str | None]] = {
    "api_key": _check_header,
    "start_date": _check_date,
    "end_date": _check_date,
    "api_url": _check_url,
    "user_agent": _check_name,
}

HIGHEST_PORT = 65535

BOUNDS = {"minimum": "at least", "maximum": "at most"}

SPELLINGS: dict[str, tuple[re.Pattern[str] | None, str]] = {
    "integer": (re.compile(r"[+-]?\d{1,9}", re.ASCII), "a whole number"),
    "boolean": (
        re.compile(r"true|false|1|0|yes|no|on|off", re.IGNORECASE),
        "true or false",
    ),
    "object": (None, "JSON"),
    "array": (None, "JSON"),
}
