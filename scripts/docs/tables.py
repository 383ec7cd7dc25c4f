"""The tables that the tap makes: their families, columns, joins and costs."""

from __future__ import annotations

import re
import sys
import typing as t
from collections import defaultdict
from dataclasses import dataclass
from functools import cache

from tap_instantly.reading.substream import SubstreamStream
from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.reading.stream import EndpointStream
    from tap_instantly.reading.substream import ParentStreamConfig

Json = dict[str, t.Any]

REFERENCE = re.compile(r"\b([a-z_]+)\.([a-z_]+)\b")

NOUNS = {
    "accounts": "mailbox",
    "ai_agents": "agent",
    "ai_deliverability_agent": "agent",
    "ai_lead_finder_agents": "lead finder",
    "campaigns": "campaign",
    "dfy_email_account_orders": "domain",
    "inbox_placement_tests": "test",
    "lead_lists": "list",
    "subsequences": "subsequence",
}
"""What a row is of a table for whose rows there are requests."""

AGENTS = {"1": "inbox manager", "2": "sales agent"}
"""What an agent of a type is."""


@dataclass(frozen=True)
class Join:
    """A column that says which row of another table a row belongs to."""

    table: str
    column: str
    to_table: str
    to_column: str


@dataclass(frozen=True)
class Family:
    """The streams of a module.

    Attributes:
        name: The module.
        title: What the module says that they are.
        streams: The streams.
    """

    name: str
    title: str
    streams: list[EndpointStream]

    @property
    def page(self) -> str:
        """The page about it, in docs/tables."""
        return f"{self.name.replace('_', '-')}.md"

    @property
    def short_title(self) -> str:
        """Its name for people."""
        title = self.name.replace("_", " ").capitalize()
        return title.replace("Ai ", "AI ").replace("Supers", "SuperS")


@cache
def tables() -> dict[str, EndpointStream]:
    """Return all streams by name, in the order of their classes."""
    tap = TapInstantly(config={}, validate_config=False)
    streams = t.cast("dict[str, EndpointStream]", tap.streams).values()
    by_class = {type(stream): stream for stream in streams}
    in_order = [by_class[each] for each in tap.stream_classes]
    return {stream.name: stream for stream in in_order}


@cache
def families() -> list[Family]:
    """Return the families, in the order of the modules."""
    members = defaultdict(list)
    for stream in tables().values():
        members[type(stream).__module__].append(stream)
    return [
        Family(
            module.rpartition(".")[2],
            str(sys.modules[module].__doc__).partition("\n")[0].rstrip("."),
            streams,
        )
        for module, streams in members.items()
    ]


@cache
def joins() -> list[Join]:
    """Return what the descriptions of columns say that they join to."""
    return [
        Join(stream.name, column, table, key)
        for stream in tables().values()
        for column, schema in stream.schema["properties"].items()
        for table, key in REFERENCE.findall(
            schema.get("description", "").partition("joins to ")[2]
        )
        if table in tables()
    ]


def columns(properties: Json, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the path, type and description of each column and nested field."""
    for name, schema in properties.items():
        items = schema.get("items", {})
        kind = schema.get("format") or _kind(schema)
        text = schema.get("description", "")
        if personal := schema.get("x-personal-data"):
            text += f" [Personal data](../personal-data.md): {personal}."
        yield prefix + name, f"{kind} of {_kind(items)}s" if items else kind, text
        yield from columns(schema.get("properties", {}), f"{prefix}{name}.")
        yield from columns(items.get("properties", {}), f"{prefix}{name}[].")


def _kind(schema: Json) -> str:
    kinds = schema.get("type", "any value")
    several = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(kind for kind in several if kind != "null")


def incremental_on(stream: EndpointStream) -> str | None:
    """Return the column that a stream is incremental on by default, if any."""
    is_full = stream.full_table_by_default
    return None if is_full else stream.bookmark_key


def parents_of(stream: EndpointStream) -> tuple[ParentStreamConfig, ...]:
    """Return the streams for whose rows there are requests."""
    return stream.parents if isinstance(stream, SubstreamStream) else ()


def name_of(parent: ParentStreamConfig) -> str:
    """Return the name of a parent stream."""
    return next(s.name for s in tables().values() if type(s) is parent.stream)


def noun(parent: ParentStreamConfig, article: str = "") -> str:
    """Return what a row of a parent stream is.

    Args:
        parent: The stream.
        article: `a` or `each`; without it, the word is a plural.
    """
    kind = next((AGENTS[key] for key in sorted(parent.types) if key in AGENTS), None)
    word = kind or NOUNS.get(name_of(parent), f"row of `{name_of(parent)}`")
    if not article:
        return word + ("es" if word.endswith("x") else "s")
    return f"{'an' if article == 'a' and word[0] in 'aio' else article} {word}"


def cost(stream: EndpointStream) -> str:
    """Return in words what a request brings."""
    parents = () if stream.has_overlaps else parents_of(stream)
    step = stream.datetime_filter.step if stream.datetime_filter else None
    what = ["100 rows"] if stream.data_selector.is_paged else []
    what += [f"{step - 1} days"] if step else []  # the last day may be counted in
    if parents:
        what.append(
            " or ".join(
                f"{parent.group_size} {noun(parent)}"
                if parent.group_size > 1
                else noun(parent, "a")
                for parent in parents
            )
        )
    return " of ".join(what) or "all rows"
