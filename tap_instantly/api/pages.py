"""What is requested, and the page of rows that answers it."""

from __future__ import annotations

import json
import math
import re
import typing as t
from dataclasses import dataclass, field, replace

import msgspec

from tap_instantly.api.errors import MalformedPageError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk.helpers.types import Record


SURROGATE = re.compile("[\ud800-\udfff]")

REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class RecordSelector:
    """Where an endpoint's response holds its records.

    Attributes:
        field: The field they are under; None if they are the response itself.
        many: Whether the field holds a list, rather than one record or null.
        is_paged: Whether the endpoint is read page by page.
        meta_field: The field that says more about the list, if one does.
    """

    field: str | None = None
    many: bool = True
    is_paged: bool = False
    meta_field: str | None = None

    @property
    def has_cursor(self) -> bool:
        """Whether a response names the cursor of the next page."""
        return self.is_paged and self.field is not None and self.meta_field is None

    def select(self, content: object) -> list[t.Any]:
        """Return the records, whatever they are.

        Raises:
            MalformedPageError: If the response has another shape.
        """
        holder = {None: content} if self.field is None else content
        if isinstance(holder, dict) and self.field in holder:
            rows = holder[self.field]
            if not self.many:
                return [] if rows is None and self.field else [rows]
            if isinstance(rows, list):
                return rows
        what = (
            f"list of `{self.field}`"
            if self.many and self.field
            else self.field or "list"
        )
        msg = f"has no {what}"
        raise MalformedPageError(msg)


PAGED = RecordSelector("items", is_paged=True)
PAGED_ARRAY = RecordSelector(is_paged=True)
ITEMS = RecordSelector("items")
ARRAY = RecordSelector()
OBJECT = RecordSelector(many=False)


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        path: The endpoint, from `api_url` on; `{name}` stands for a path parameter.
        required_scope: What the key must be allowed for it.
        http_method: GET, or POST where Instantly takes the parameters in a body; to
            write, POST, PATCH or DELETE.
        path_params: The path parameters, ready for a URL.
        params: The query of a GET, the JSON body of any other.
        data_selector: Where the records are in the response.
        secret_fields: Fields that are dropped at once, because they hold secrets.
    """

    path: str
    required_scope: str
    http_method: str = "GET"
    path_params: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, t.Any] = field(default_factory=dict)
    data_selector: RecordSelector = PAGED
    secret_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """One response of an endpoint.

    Attributes:
        rows: The records, as they came.
        cursor: What asks for the page after this one, or None if there is none.
        size: The bytes of the response.
        content_hash: A hash of the response, by which a page is known that comes again.
        repaired: The fields of rows that held half a character, which is U+FFFD now.
        meta: What the response says about the list.
    """

    rows: list[Record]
    cursor: str | None = None
    size: int = 0
    content_hash: int = 0
    repaired: frozenset[str] = frozenset()
    meta: Mapping[str, t.Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: bytes, selector: RecordSelector = PAGED) -> Page:
        """Parse the body of a response.

        Raises:
            MalformedPageError: If it is anything but a page; the text says what.
        """
        try:
            content, is_strict = _decode(body)
        except (ValueError, RecursionError) as error:
            msg = "is not JSON"
            raise MalformedPageError(msg) from error
        rows = selector.select(content)
        if not all(isinstance(row, dict) for row in rows):
            msg = (
                f"has `{selector.field or 'rows'}` that are no objects"
                if selector.many
                else "is no object"
            )
            raise MalformedPageError(msg)
        cursor = content.get("next_starting_after") if selector.has_cursor else None
        if not isinstance(cursor, str | None):
            msg = "has a `next_starting_after` that is no text"
            raise MalformedPageError(msg)
        if cursor and SURROGATE.search(cursor):
            msg = "has a `next_starting_after` that no URL can carry"
            raise MalformedPageError(msg)
        repaired = set[str]()
        if not is_strict:
            rows = [_repair_row(row, repaired) for row in rows]
        meta = content.get(selector.meta_field) if selector.meta_field else None
        return cls(
            rows,
            cursor or None,
            len(body),
            hash(body),
            frozenset(repaired),
            meta if isinstance(meta, dict) else {},
        )

    def without(self, fields: Iterable[str]) -> Page:
        """Return the page without some fields of its rows."""
        names = set(fields)
        rows = [{k: v for k, v in row.items() if k not in names} for row in self.rows]
        return replace(self, rows=rows)

    def contains(self, text: str) -> bool:
        """Tell whether a text occurs anywhere in it."""
        content = json.dumps([self.rows, self.cursor], ensure_ascii=False)
        return json.dumps(text, ensure_ascii=False)[1:-1] in content


def _decode(body: bytes) -> tuple[t.Any, bool]:
    """Return the content, and whether it can have no half of a character in it."""
    try:
        return msgspec.json.decode(body), True
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # This takes more: byte order marks, lone surrogates.
        return load_json(body), False


def _repair_row(row: Record, repaired: set[str]) -> Record:
    """Return a row without halves of characters, and add the fields with such."""
    result: Record = {}
    for given, value in row.items():
        name, whole = _repair(given), _repair(value)
        while name in result:  # two names that differ in such a half only
            name += REPLACEMENT
        if name != given or whole != value:
            repaired.add(name)
        result[name] = whole
    return result


def _repair(value: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    """Return a value with U+FFFD in place of each half of a surrogate pair.

    Instantly cuts texts within a pair; loaders and databases refuse what is left.
    """
    if isinstance(value, str):
        if not SURROGATE.search(value):
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_repair(item) for item in value]
    if isinstance(value, dict):
        return _repair_row(value, set())
    return value


def load_json(text: str | bytes) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    """Parse JSON.

    Raises:
        ValueError: If it is none, or holds a number that JSON cannot write again.
    """
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    """Parse a number; refuse NaN and the infinities, which JSON cannot write again."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def get_map(row: Record, field: str, *, is_required: bool = False) -> dict[str, t.Any]:
    """Return a field that maps names of any kind to values; empty if it is null.

    Raises:
        MalformedPageError: If it is something else, or required and absent.
    """
    content = row.get(field)
    if content is None and (field in row or not is_required):
        return {}
    if not isinstance(content, dict):
        msg = f"has no map `{field}`"
        raise MalformedPageError(msg)
    return content
