"""What is asked for, and the page of rows that answers it."""

from __future__ import annotations

import json
import math
import re
import typing as t
from dataclasses import dataclass, field, replace

import msgspec

from tap_instantly.errors import MalformedPageError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk.helpers.types import Record


@dataclass(frozen=True)
class Answer:
    """Where an endpoint's answer holds its rows.

    Attributes:
        at: The field they are under; None if the answer itself is what holds them.
        many: Whether that is a list, rather than one row or null.
        paged: Whether it comes in pages, each with the cursor of the next.
    """

    at: str | None = None
    many: bool = True
    paged: bool = False

    def find(self, content: object) -> list[t.Any]:
        """Return the rows, whatever they are.

        Raises:
            MalformedPageError: If the answer has another shape.
        """
        holder = {None: content} if self.at is None else content
        if isinstance(holder, dict) and self.at in holder:
            rows = holder[self.at]
            if not self.many:
                return [] if rows is None and self.at else [rows]
            if isinstance(rows, list):
                return rows
        what = f"list of `{self.at}`" if self.many and self.at else self.at or "list"
        msg = f"has no {what}"
        raise MalformedPageError(msg)


PAGED = Answer("items", paged=True)
ITEMS = Answer("items")
ARRAY = Answer()
OBJECT = Answer(many=False)


@dataclass(frozen=True)
class Request:
    """What one request asks for.

    Attributes:
        path: The endpoint, from `api_url` on; `{name}` stands for one of the places.
        scope: What the key must be allowed for it.
        method: GET, or POST where Instantly wants what is asked for in a body.
        places: What is put into the path, ready for a URL.
        parameters: The query of a GET, the JSON body of a POST.
        answer: Where the rows are in what comes back.
        never_emitted: Fields that are forgotten at once, because they hold secrets.
        place: Where it stands among all requests that wait: the least goes first.
    """

    path: str
    scope: str
    method: str = "GET"
    places: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, t.Any] = field(default_factory=dict)
    answer: Answer = PAGED
    never_emitted: tuple[str, ...] = ()
    place: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Page:
    """One answer of an endpoint.

    Attributes:
        rows: The records, as they came.
        cursor: What asks for the page after this one, or None if there is none.
        body: The answer itself, until it is known whether the rows fit.
        size: The bytes of the answer.
        fits: Whether all rows are known to fit their schema as they are.
    """

    rows: list[Record]
    cursor: str | None = None
    body: bytes = field(default=b"", repr=False)
    size: int = 0
    fits: bool = False

    @classmethod
    def read(cls, body: bytes, answer: Answer = PAGED) -> Page:
        """Read the body of an answer.

        Raises:
            MalformedPageError: If it is anything else; the text says what.
        """
        try:
            content = _read(body)
        except (ValueError, RecursionError) as error:
            msg = "is not JSON"
            raise MalformedPageError(msg) from error
        rows = answer.find(content)
        if not all(isinstance(row, dict) for row in rows):
            msg = (
                f"has `{answer.at or 'rows'}` that are no objects"
                if answer.many
                else "is no object"
            )
            raise MalformedPageError(msg)
        cursor = content.get("next_starting_after") if answer.paged else None
        if not isinstance(cursor, str | None):
            msg = "has a `next_starting_after` that is no text"
            raise MalformedPageError(msg)
        if cursor and re.search("[\ud800-\udfff]", cursor):
            msg = "has a `next_starting_after` that no URL can carry"
            raise MalformedPageError(msg)
        return cls(rows, cursor or None, body, len(body))

    def without(self, fields: Iterable[str]) -> Page:
        """Return the page without some fields of its rows."""
        names = set(fields)
        rows = [{k: v for k, v in row.items() if k not in names} for row in self.rows]
        return replace(self, rows=rows)

    def holds(self, text: str) -> bool:
        """Tell whether a text occurs anywhere in it."""
        content = json.dumps([self.rows, self.cursor], ensure_ascii=False)
        return json.dumps(text, ensure_ascii=False)[1:-1] in content


def _read(body: bytes) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return load(body)  # which reads more: byte order marks, lone surrogates


def load(text: str | bytes) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    """Read JSON.

    Raises:
        ValueError: If it is none, or holds a number that JSON cannot write again.
    """
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    """Read a number; refuse NaN and the infinities, which JSON cannot write again."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def read_map(row: Record, field: str, *, is_required: bool = False) -> dict[str, t.Any]:
    """Return a field that maps names of any kind to things; empty if it is null.

    Raises:
        MalformedPageError: If it is something else, or required and not there.
    """
    content = row.get(field)
    if content is None and (field in row or not is_required):
        return {}
    if not isinstance(content, dict):
        msg = f"has no map `{field}`"
        raise MalformedPageError(msg)
    return content
