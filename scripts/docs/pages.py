"""What README and docs say of streams and settings."""

from __future__ import annotations

import json
import textwrap
import typing as t
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from scripts.docs.markdown import table
from scripts.docs.measured import requests_of
from scripts.docs.tables import (
    REFERENCE,
    Family,
    columns,
    cost,
    families,
    incremental_on,
    joins,
    name_of,
    noun,
    parents_of,
    tables,
)
from tap_instantly.api.rate_limit import ENDPOINT_LIMITS
from tap_instantly.incremental import DAY
from tap_instantly.reading.id_ordered_stream import IdOrderedStream
from tap_instantly.reading.paginators import CursorPaginator
from tap_instantly.reading.scoped_stream import DAILY_LOOKBACK
from tap_instantly.settings import SETTINGS

if t.TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from tap_instantly.reading.stream import EndpointStream

NONE = "\u2013"
WIDTH = 130
MANY = 10**6
SEARCHED_THROUGH = {"workspace": "id", "workspace_members": "user_id"}
"""Tables to which most others join, so that a list of the columns says little."""


def quick_start() -> Iterator[str]:
    """Yield the main command, of which the README is the source."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    yield from ("```sh", readme.partition("\n```sh\n")[2].partition("\n")[0], "```")


def settings(length: str = "whole") -> Iterator[str]:
    """Yield the table of settings.

    Args:
        length: `short` for no more than the first sentence about each.
    """
    declared: dict[str, t.Any] = SETTINGS.to_dict()
    rows = []
    for name, schema in declared["properties"].items():
        text = schema["description"]
        if length == "short":
            text = text.partition(". ")[0].rstrip(".") + "."
        rows.append((f"`{name}`", _kind(schema), _default(name, schema), text))
    return table(("setting", "kind", "default", "meaning"), rows)


def _kind(schema: dict[str, t.Any]) -> str:
    kind = schema.get("format") or next(k for k in schema["type"] if k != "null")
    if schema.get("maximum", MANY) < MANY:
        return f"{kind}, {schema['minimum']} to {schema['maximum']}"
    return str(kind)


def _default(name: str, schema: dict[str, t.Any]) -> str:
    default = schema.get("default")
    if name == "user_agent":  # which has the version
        return "name and version"
    if default is None:
        return "required" if name == "api_key" else ""
    return f"`{json.dumps(default)}`".replace('"', "")


def stream_families(directory: str) -> Iterator[str]:
    """Yield the table of families, and which streams are read by default.

    Args:
        directory: Where the families' pages are, as seen from the page.
    """
    rows = []
    for family in families():
        costs = [cost(each).removeprefix("100 rows of ") for each in family.streams]
        default = sum(stream.selected_by_default for stream in family.streams)
        rows.append(
            (
                f"[{family.short_title}]({directory.rstrip('.')}{family.page})",
                str(len(family.streams)),
                str(default or NONE),
                "; ".join(dict.fromkeys(costs)),
            )
        )
    yield from table(("family", "streams", "by default", "a request brings"), rows)
    yield ""
    names = [f"`{s.name}`" for s in tables().values() if s.selected_by_default]
    text = f"Read by default, {len(names)} of {len(tables())}: {', '.join(names)}."
    yield from textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def family(name: str) -> Iterator[str]:
    """Yield what the page of a family says of its streams."""
    (found,) = (each for each in families() if each.name == name)
    rows = [
        (
            f"[`{stream.name}`](#{stream.name})",
            f"`{stream.http_method} {stream.path}`",
            ", ".join(f"`{key}`" for key in stream.key_fields),
            f"`{on}`" if (on := incremental_on(stream)) else NONE,
            "yes" if stream.selected_by_default else "no",
        )
        for stream in found.streams
    ]
    header = ("stream", "endpoint", "key", "incremental on", "by default")
    yield from table(header, rows)
    for stream in found.streams:
        yield from ("", f"## {stream.name}", "")
        text = _linked(stream.schema["description"], found, stream.name)
        yield from (text, "")
        yield from (f"- **{label}:** {text}" for label, text in _facts(stream, found))
        yield ""
        described = [
            (f"`{path}`", kind, _linked(text, found, stream.name))
            for path, kind, text in columns(stream.schema["properties"])
            if path != "additional_fields"
        ]
        yield from table(("column", "type", "meaning"), described)


def _facts(stream: EndpointStream, found: Family) -> Iterator[tuple[str, str]]:
    endpoint = f"`{stream.http_method} {stream.path}`"
    yield "Read", f"{endpoint}, {_how_it_is_read(stream, found)}"
    yield "Key", ", ".join(f"`{key}`" for key in stream.key_fields)
    yield "Each run", _what_a_run_brings(stream)
    yield "Scope", f"`{stream.required_scope}`, or `all:read`"
    first, again = requests_of(stream.name)
    counted = f"{first} for a first run, {again} for the next"
    link = "[measured](../cost.md#requests-measured)"
    limit = ENDPOINT_LIMITS.get(stream.path)
    pace = f", and Instantly answers {limit} a minute" if limit else ""
    yield "Requests", f"one brings {cost(stream)}{pace}; {link}: {counted}"
    if stream.secret_fields:
        names = ", ".join(f"`{name}`" for name in stream.secret_fields)
        yield "Never emitted", f"{names} ([why](../not-read.md#what-is-never-emitted))"
    if stream.name in SEARCHED_THROUGH:
        column = SEARCHED_THROUGH[stream.name]
        count = len({each.table for each in joins() if each.to_table == stream.name})
        yield "Joined by", f"{count} tables, to `{column}`"
    elif sources := _sources(stream, found):
        yield "Joined by", sources


def _sources(stream: EndpointStream, found: Family) -> str:
    by_column = defaultdict(list)
    for join in joins():
        if join.to_table == stream.name:
            name = f"`{join.table}.{join.column}`"
            by_column[join.to_column].append(f"[{name}]({_address(join.table, found)})")
    return "; ".join(
        f"to `{column}`: {', '.join(sources)}" for column, sources in by_column.items()
    )


def _how_it_is_read(stream: EndpointStream, found: Family) -> str:
    parts = []
    if isinstance(stream, IdOrderedStream):
        parts.append("in pages of 100, along the ids, at several places at once")
    elif stream.data_selector.is_paged and stream.paginator_class is CursorPaginator:
        parts.append("in pages of 100, by cursor")
    elif stream.data_selector.is_paged:
        parts.append("in pages of 100, by offset")
    else:
        parts.append("whole, in one answer")
    for parent in parents_of(stream):
        name = name_of(parent)
        link = f"[`{name}`]({_address(name, found)})"
        if stream.has_overlaps:
            parts.append(f"and once more for {noun(parent, 'each')} of {link}")
        elif parent.group_size > 1:
            many = f"{parent.group_size} {noun(parent)}"
            parts.append(f"for up to {many} of {link} at a time")
        else:
            parts.append(f"once for {noun(parent, 'each')} of {link}")
    if stream.checkpoints_in_order:
        parts.append("oldest first")
    if stream.newest_update_first:
        parts.append("the latest change first if there is a bookmark")
    if dates := stream.datetime_filter:
        days = f", at most {dates.step} days at a time" if dates.step else ""
        names = f"`{dates.start_param}`, `{dates.end_param}`"
        parts.append(f"with dates that Instantly itself selects by ({names}){days}")
    return ", ".join(parts)


def _names(found: Family) -> set[str]:
    return {stream.name for stream in found.streams}


def _what_a_run_brings(stream: EndpointStream) -> str:
    key = incremental_on(stream)
    if key is None:
        text = "all rows, as they stand then"
        if stream.full_table_by_default:
            text += f"; a catalog may make it incremental on `{stream.bookmark_key}`"
        return text
    if stream.is_daily:
        text = f"the days from the bookmark on (`{key}`)"
    elif key == stream.created_field:
        text = (
            f"the rows whose `{key}` is at the bookmark or after it: **new rows only**"
        )
    else:
        text = f"the rows that are new or have changed since the bookmark (`{key}`)"
    back = DAILY_LOOKBACK if stream.is_daily else stream.lookback_window
    if back:
        text += f", and those of the {_duration(back)} before it again"
    is_requested = stream.datetime_filter or stream.newest_update_first
    if not is_requested and stream.data_selector.is_paged:
        is_made = key == stream.created_field
        text += (
            "; the list is left at the bookmark where it proves to be newest first"
            if is_made and not parents_of(stream)
            else "; the list is read to its end for that"
        )
    if stream.checkpoints_in_order:
        text += "; the bookmark moves page by page"
    if stream.limited_retention:
        text += "; Instantly keeps only recent rows"
    return text


def _duration(length: timedelta) -> str:
    days, minutes = length // DAY, length // timedelta(minutes=1)
    count, unit = (days, "day") if days else (minutes, "minute")
    return unit if count == 1 else f"{count} {unit}s"


def _address(name: str, found: Family) -> str:
    family = next(each for each in families() if name in _names(each))
    return ("" if family is found else family.page) + f"#{name}"


def _linked(text: str, found: Family, own: str) -> str:
    """Make links of the columns that a description names."""

    def link(match: re.Match[str]) -> str:
        name = match[1]
        if name not in tables() or name == own:
            return f"`{match[0]}`" if name == own else match[0]
        return f"[`{match[0]}`]({_address(name, found)})"

    return REFERENCE.sub(link, text)
