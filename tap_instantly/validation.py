"""What can be wrong with settings, in sentences."""

from __future__ import annotations

import json
import math
import os
import re
import typing as t
from importlib.util import find_spec

from jsonschema import Draft7Validator, FormatChecker

from tap_instantly.api.client import is_loopback, is_plain_address, keeps_secrets
from tap_instantly.api.vendor import INSTANTLY
from tap_instantly.incremental import parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema import ValidationError

    from tap_instantly.api.vendor import Vendor

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)")

MAP_CONFIG = re.compile(r"""\bconfig\[\\?['"](\w+)""")
"""How a stream map refers to a value in `stream_map_config`."""

FORMATS = FormatChecker(())


@FORMATS.checks("date-time", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(
        DATE.match(value) and parse_timestamp(value)
    )


@FORMATS.checks("uri")
def _is_address(value: object) -> bool:
    return not isinstance(value, str) or is_plain_address(value)


def validation_errors(
    config: Mapping[str, t.Any],
    schema: dict[str, t.Any],
    prefix: str,
    vendor: Vendor = INSTANTLY,
) -> Iterator[str]:
    """Say what is wrong with a configuration.

    Args:
        config: The settings by name.
        schema: The JSON Schema of the settings, the SDK's own included.
        prefix: What the environment variables of the settings begin with.
        vendor: The API.

    Yields:
        A sentence for each error, which names the setting and says what to do. Values
        are not repeated, since one of them is the key.
    """
    known = schema["properties"]
    for name in sorted(config.keys() - known):
        yield f"Setting `{name}` is unknown; known are {', '.join(sorted(known))}."
    given = {name: value for name, value in config.items() if name in known}
    errors = list(Draft7Validator(schema, format_checker=FORMATS).iter_errors(given))
    yield from (_describe_error(error, prefix, vendor) for error in errors)
    for error in errors:
        given.pop(next(iter(error.path), ""), None)
    url, start, end = map(given.get, ("api_url", "start_date", "end_date"))
    if url and not keeps_secrets(url):
        yield (
            "Setting `api_url` must begin with https, "
            "so that nobody on the way can read the key."
        )
    if start and end and parse_timestamp(end) <= parse_timestamp(start):
        yield "Setting `end_date` must be later than `start_date`."
    if given.get("workspace_id") and given.get("emit_activate_version_messages"):
        yield (
            "Setting `emit_activate_version_messages` does not go with `workspace_id`: "
            "targets would drop the rows of all other workspaces; leave it out."
        )
    yield from _sdk_errors(given)
    per_minute = given.get("max_requests_per_minute") or 0
    most = vendor.max_per_minute or math.inf
    if per_minute > most and not is_loopback(url or ""):
        yield (
            f"Setting `max_requests_per_minute` must be at most {most}, "
            f"which is what {vendor.name} allows a {vendor.account}."
        )


def _sdk_errors(given: dict[str, t.Any]) -> Iterator[str]:
    """Say what is wrong with settings of the SDK, which finds it out too late."""
    values = given.get("stream_map_config") or {}
    for name in sorted({*MAP_CONFIG.findall(json.dumps(given.get("stream_maps")))}):
        if values.get(name) in (None, ""):
            yield f"Setting `stream_map_config.{name}` is missing, but a map uses it."
    encoding = (given.get("batch_config") or {}).get("encoding") or {}
    if encoding.get("format") == "jsonl" and encoding.get("compression") != "gzip":
        yield (
            "Setting `batch_config.encoding.compression` must be gzip with jsonl, "
            "because the SDK compresses these files whatever it says."
        )
    if given.get("batch_config") and given.get("emit_activate_version_messages"):
        yield (
            "Setting `emit_activate_version_messages` does not go with `batch_config`: "
            "rows in files carry no version, so targets would drop all of them."
        )
    if encoding.get("format") == "parquet" and find_spec("pyarrow") is None:
        yield (
            "Setting `batch_config.encoding.format` is parquet, which takes a package: "
            "install pyarrow beside the tap."
        )


def environment_errors(schema: dict[str, t.Any], prefix: str) -> dict[str, str]:
    """Say which environment variables hold text that their setting cannot take.

    The SDK would stop with a traceback, or take any other word for `false`.

    Returns:
        A sentence for each error, by the variable.
    """
    found = {}
    for name, setting in schema["properties"].items():
        variable = prefix + name.upper()
        text = os.environ.get(variable)
        for kind, (is_spelled_so, wanted) in SPELLINGS.items():
            if text is not None and kind in setting.get("type", ()):
                if not is_spelled_so(text):
                    found[variable] = f"Setting `{name}` must be {wanted}."
                break
    return found


def unknown_variables(schema: dict[str, t.Any], prefix: str) -> list[str]:
    """Return the environment variables that look like settings, but are none."""
    known = {prefix + name.upper() for name in [*schema["properties"], "loglevel"]}
    return sorted(
        name
        for name in os.environ
        if name.startswith(prefix)
        and name not in known
        # Meltano's own: https://docs.meltano.com/concepts/plugins#plugin-extras
        and not name.startswith(prefix + "_")
    )


def _describe_error(error: ValidationError, prefix: str, vendor: Vendor) -> str:
    path, keyword = [*map(str, error.path)], str(error.validator)
    instance: t.Any = error.instance
    wanted: t.Any = error.validator_value
    if keyword == "required":
        path.append(next(name for name in wanted if name not in instance))
    if keyword == "enum":
        wanted = ", ".join(wanted[:-1]) + f" or {wanted[-1]}"
    if keyword == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        wanted = " or ".join(kind for kind in kinds if kind != "null")
    name = ".".join(path)
    generic = SENTENCES.get(keyword, f"breaks the rule `{keyword}` of its schema")
    what = SENTENCES.get(f"{name}.{keyword}", generic)
    return f"Setting `{name}` {what.format(wanted, prefix=prefix, vendor=vendor)}."


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


SENTENCES = {
    "type": "must be of type {}",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "required": "is missing",
    "enum": "must be {}",
    "api_key.required": (
        "is missing; set it in the configuration or as {prefix}API_KEY"
    ),
    "api_key.pattern": (
        "is empty or has characters that an HTTP header cannot carry, "
        "perhaps a line break"
    ),
    "workspace_id.pattern": "is no id, such as `workspace_group_members` has them",
    "user_agent.pattern": (
        "is empty, begins or ends with a blank, "
        "or has characters that an HTTP header cannot carry"
    ),
    "format": "is not a date; write it like 2026-01-31 or 2026-01-31T08:00:00Z",
    "api_url.format": (
        "is not a plain address; write it like {vendor.url}, "
        "without a user name, a query or a fragment"
    ),
}
"""What is wrong, by the keyword of JSON Schema, for one setting or for any other."""

SPELLINGS: dict[str, tuple[Callable[[str], object], str]] = {
    "integer": (re.compile(r"[+-]?[0-9]{1,9}").fullmatch, "a whole number"),
    "boolean": (
        re.compile("(?i)true|false|[01]|yes|no|on|off").fullmatch,
        "true or false",
    ),
    "object": (_is_json, "JSON"),
    "array": (_is_json, "JSON"),
}
"""How an environment variable spells a value of each type."""
