"""A list endpoint whose rows are held, or made, one by one."""

from __future__ import annotations

import base64
import binascii
import copy
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import NEWEST, Draw, Row
from tap_instantly.sandbox.endpoints import (
    BadRequestError,
    Call,
    Endpoint,
    Parameter,
    RefusedError,
)
from tap_instantly.sandbox.held import Held, Index, Place
from tap_instantly.sandbox.listing import render

if TYPE_CHECKING:
    from tap_instantly.sandbox.behaviour import Comparison, End

Cursor = Literal["id", "timestamp", "composite", "opaque"]
Order = Literal["newest", "oldest", "id-desc", "id-asc"]
Rows = Iterable[Row] | Mapping[str, Row]
Passes = Callable[[Row], bool]

_MINUTE = 60 * instants.SECOND
_AFTER_ALL_KEYS = "\U0010ffff"


class Table:
    """The rows of one list, which tests may add to, edit and delete.

    Attributes:
        end: What the last page with rows carries for a cursor.
        comparison: Whether the rows at the cursor come again (`inclusive`).
        filters: What each of the API's filters lets through, given a value.
        by: What each of the API's filters for equality compares, as text.
        version: Another number after every change.
    """

    def __init__(  # noqa: PLR0913 - each is one property of the list
        self,
        rows: Rows | Callable[[], Rows],
        *,
        key: str = "id",
        cursor: Cursor = "id",
        order: Order = "newest",
        dated_by: str = "timestamp_created",
        maximum: int = 100,
        filters: Mapping[str, Callable[[Row, str], bool]] | None = None,
        by: Mapping[str, Callable[[Row], str]] | None = None,
        default_limit: int = 10,
        make: Callable[[int, int], Row] | None = None,
    ) -> None:
        """Hold rows, whatever order they are given in.

        Args:
            rows: The rows, or a mapping from key to row that makes each row when
                it is looked up; or a function that returns either, called when
                the table is first used.
            key: The field that identifies a row.
            cursor: What the cursor names of a page's last row: its key, its
                instant, `instant&key`, or both in base64.
            order: By instant and then key, or by key alone.
            dated_by: The field with the instant.
            maximum: The largest page; a request for more gets no rows.
            filters: Tells for each filter whether a row passes, given its value.
            by: Returns for each filter the value with which a row passes, which
                must follow from the row alone: rows are found through an index.
            default_limit: The rows of a page for which no limit is given.
            make: Makes a row for `add`, given a number that no other row has and
                the instant of creation.

        Raises:
            ValueError: If `cursor` or `order` does not exist.
        """
        for value, allowed in ((cursor, get_args(Cursor)), (order, get_args(Order))):
            if value not in allowed:
                message = f"{value!r} is not one of {', '.join(allowed)}."
                raise ValueError(message)
        self.end: End = "present"
        self.comparison: Comparison = "strict"
        self.filters = dict(filters or {})
        self.by = dict(by or {})
        self._given = rows
        self._key = key
        self._cursor = cursor
        self._by_key = order in ("id-desc", "id-asc")
        self._descending = order in ("newest", "id-desc")
        self._dated_by = dated_by
        self._maximum = maximum
        self._default_limit = default_limit
        self._make = make
        self.version = 0
        self._now = NEWEST
        self._added: dict[str, int] = {}
        self._gone: dict[str, Place] = {}
        self._indexed: tuple[int, Index] | None = None
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._places)

    @property
    def keys(self) -> list[str]:
        """The keys of all rows, by ascending place."""
        with self._lock:
            return [key for _, key in self._places]

    @property
    def rows(self) -> list[Row]:
        """Copies of all rows in the order of the list."""
        with self._lock:
            places = self._places[::-1] if self._descending else self._places
            return [copy.deepcopy(self._rows[key]) for _, key in places]

    @property
    def held(self) -> list[Row]:
        """All rows, by ascending place, as they are held: only to be read."""
        return list(self.each())

    def each(self) -> Iterator[Row]:
        """Yield what `held` is, one row after the other."""
        for key in self.keys:
            if key in self._rows:
                yield self._rows[key]

    def some(self, keys: Iterable[str]) -> list[Row]:
        """Return the rows with one of some keys as `held` does."""
        with self._lock:
            known = [key for key in {*keys} if key in self._rows]
            return [self._rows[key] for key in sorted(known, key=self._place)]

    def get(self, key: str) -> Row | None:
        """Return a copy of one row, or None where no row has this key."""
        with self._lock:
            return copy.deepcopy(self._rows[key]) if key in self._rows else None

    def add(self, **fields: object) -> Row:
        """Add a row, created later than all others, and return a copy of it.

        Args:
            fields: What the row shows in place of the usual values, whatever its
                type; `...` leaves the key out.

        Raises:
            ValueError: If there is a row with this key already.
        """
        with self._lock:
            self._now += _MINUTE
            self.version += 1
            number = len(self._places) + len(self._gone)
            usual = self._make(number, self._now) if self._make else self._another()
            row = {**usual, **fields}
            row = {name: value for name, value in row.items() if value is not ...}
            key = str(row.get(self._key) or usual[self._key])
            if key in self._rows:
                message = f"There is a row with the key {key!r} already."
                raise ValueError(message)
            self._rows[key] = row
            self._added[key] = self._instant(row)
            insort(self._places, self._place(key))
            return copy.deepcopy(row)

    def edit(self, key: str, **fields: object) -> Row:
        """Change what a row shows and return a copy of it; it keeps its place.

        Its `timestamp_updated`, where it has one, becomes later than all others
        unless it is given.

        Raises:
            KeyError: If no row has this key.
        """
        with self._lock:
            before = self._rows[key]
            self._now += _MINUTE
            self.version += 1
            updated = {"timestamp_updated": instants.write(self._now)}
            touched = updated if "timestamp_updated" in before else {}
            row = {**before, **touched, **fields}
            self._rows[key] = {
                name: value for name, value in row.items() if value is not ...
            }
            return copy.deepcopy(self._rows[key])

    def delete(self, key: str) -> None:
        """Take a row away. A cursor that names it still knows where it was.

        Raises:
            KeyError: If no row has this key.
        """
        with self._lock:
            if key not in self._rows:
                raise KeyError(key)
            self.version += 1
            del self._rows[key]
            self._gone[key] = self._place(key)
            self._places.remove(self._gone[key])

    def page(
        self,
        call: Call,
        *,
        only: Passes | None = None,
        descending: bool | None = None,
    ) -> Row:
        """Return the body that answers a list request.

        Args:
            call: Says `limit`, `starting_after` and the filters, in its query or
                its body.
            only: Tells which rows belong to the list asked for; all by default.
            descending: The direction, if another than usual.

        Raises:
            BadRequestError: If the cursor is none of this list.
        """
        with self._lock:
            keys, rest = self._select(call, only=only, descending=descending)
            return {"items": [self._rows[key] for key in keys], **rest}

    def answer(
        self,
        call: Call,
        *,
        only: Passes | None = None,
        descending: bool | None = None,
    ) -> bytes:
        """Return what `page` does in JSON, made of rows that are rendered once."""
        with self._lock:
            keys, rest = self._select(call, only=only, descending=descending)
            items = b",".join(map(self._rows.body, keys))
            named = [b',"%s":%s' % (n.encode(), render(rest[n])) for n in rest]
            return b"".join((b'{"items":[', items, b"]", *named, b"}"))

    def _select(
        self, call: Call, *, only: Passes | None, descending: bool | None
    ) -> tuple[list[str], Row]:
        """Return the keys of a page's rows, and what the page says beside them."""
        limit = self.limit(call)
        if not limit:
            return [], {}
        if descending is None:
            descending = self._descending
        passes = self._passing(call)
        text = next(iter(call.all("starting_after")), "")
        keys: list[str] = []
        more = False
        for key in self._following(self._among(call), text, descending=descending):
            if (only or passes) and not self._is_let_through(key, only, passes):
                continue
            if len(keys) == limit:
                more = True
                break
            keys.append(key)
        if not keys or not (more or self.end != "absent"):
            return keys, {}
        cursor = self._written(self._place(keys[-1]))
        ends: dict[str, str | None] = {"null": None, "empty": ""}
        return keys, {
            "next_starting_after": cursor if more else ends.get(self.end, cursor)
        }

    def _is_let_through(self, key: str, *filters: Passes | None) -> bool:
        row = self._rows[key]
        return all(passes is None or passes(row) for passes in filters)

    def limit(self, call: Call) -> int:
        """Return how many rows a page has: none, if more are asked for than allowed."""
        text = next(iter(call.all("limit")), "")
        limit = (int(text) if text.isdecimal() else 0) or self._default_limit
        return limit if limit <= self._maximum else 0

    def matching(self, call: Call) -> list[Row]:
        """Return all rows that the filters let through, only to be read."""
        with self._lock:
            rows = [self._rows[key] for _, key in self._among(call)]
            return list(filter(self._passing(call), rows))

    def endpoint(
        self, path: str, method: str = "GET", **parameters: Parameter
    ) -> Endpoint:
        """Return the endpoint that answers with pages of this table.

        Args:
            path: Its path. Placeholders that are filters filter.
            method: With `POST` the parameters are fields of the JSON body.
            parameters: What is documented beside `limit` and `starting_after`.
        """
        known = {**self.paging, **parameters}
        if method == "GET":
            return Endpoint(method, path, self.answer, known)
        return Endpoint(method, path, self.answer, {}, known)

    @property
    def paging(self) -> dict[str, Parameter]:
        """The parameters `limit` and `starting_after`."""
        return {
            "limit": Parameter("integer", between=(1, self._maximum)),
            "starting_after": Parameter(),
        }

    def detail(self, path: str) -> Endpoint:
        """Return the endpoint that answers with one row, by the path's placeholder."""
        return Endpoint("GET", path, lambda call: self.found(*call.path.values()))

    def found(self, key: str) -> Row:
        """Return a copy of one row.

        Raises:
            RefusedError: With status 404, if no row has this key.
        """
        row = self.get(key)
        if row is None:
            raise RefusedError(404, "Resource not found")
        return row

    @cached_property
    def _rows(self) -> Held:
        given = self._given() if callable(self._given) else self._given
        if not isinstance(given, Mapping):
            given = {str(row[self._key]): row for row in given}
        return Held(given)

    @cached_property
    def _places(self) -> list[Place]:
        """Where each row stands, ascending."""
        with self._lock:
            return sorted(map(self._place, self._rows.given))

    def _place(self, key: str) -> Place:
        if self._by_key:
            return 0, key
        instant = self._added.get(key)
        if instant is None:
            instant = instants.read(self._rows.given[key][self._dated_by])
        return instant, key

    def _instant(self, row: Row) -> int:
        """Return the instant of an added row; a row without one counts as new."""
        try:
            return instants.read(row.get(self._dated_by, ""))
        except (TypeError, ValueError):
            return self._now

    def _passing(self, call: Call) -> Passes | None:
        """Tell of a row whether the filters given that are not indexed let it through.

        None if no such filter is given.
        """
        wanted = [
            (passes, values)
            for name, passes in self.filters.items()
            if (values := [value for value in call.all(name) if value])
        ]
        if not wanted:
            return None
        return lambda row: all(
            any(passes(row, value) for value in values) for passes, values in wanted
        )

    def _among(self, call: Call) -> Sequence[Place]:
        """Return the places of the rows that the indexed filters let through."""
        wanted = tuple(
            (name, values)
            for name in self.by
            if (values := tuple(value for value in call.all(name) if value))
        )
        return self._index.places(wanted) if wanted else self._places

    @property
    def _index(self) -> Index:
        """The index of the rows that there are now."""
        if self._indexed is None or self._indexed[0] != self.version:
            rows = ((place, self._rows[place[1]]) for place in self._places)
            self._indexed = self.version, Index(rows, self.by)
        return self._indexed[1]

    def _following(
        self, places: Sequence[Place], text: str, *, descending: bool
    ) -> Iterable[str]:
        """Yield the keys of the rows that follow a cursor."""
        first, last = 0, len(places)
        if text:
            low, high = self._span(text)
            again = self.comparison == "inclusive"
            if descending:
                last = bisect_right(places, high) if again else bisect_left(places, low)
            else:
                first = (
                    bisect_left(places, low) if again else bisect_right(places, high)
                )
        positions = range(first, last)
        for position in reversed(positions) if descending else positions:
            yield places[position][1]

    def _span(self, text: str) -> tuple[Place, Place]:
        """Return the first and the last place that a cursor names."""
        if self._cursor == "opaque":
            try:
                text = base64.b64decode(text, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise _unknown_cursor() from None
        if self._cursor == "id":
            if text in self._rows or self._by_key:
                place = self._place(text)
            elif text in self._gone:
                place = self._gone[text]
            else:
                raise _unknown_cursor()
            return place, place
        written, found, key = text.partition("&")
        try:
            instant = instants.read(written)
        except ValueError:
            raise _unknown_cursor() from None
        if found:
            return (instant, key), (instant, key)
        return (instant, ""), (instant, _AFTER_ALL_KEYS)

    def _written(self, place: Place) -> str:
        """Write the cursor that names a place."""
        instant, key = place
        if self._cursor == "id":
            return key
        if self._cursor == "timestamp":
            return instants.write(instant)
        both = f"{instants.write(instant)}&{key}"
        if self._cursor == "composite":
            return both
        return base64.b64encode(both.encode()).decode()

    def _another(self) -> Row:
        """Return a copy of a row that differs in its key and its instants."""
        row = copy.deepcopy(self._rows[self._places[-1][1]]) if self._places else {}
        key = str(row.get(self._key, ""))
        if "@" in key:
            row[self._key] = f"added{self.version}.{key}"
        else:
            row[self._key] = Draw(key, self.version).uuid7(self._now)
        written = instants.write(self._now)
        row |= dict.fromkeys({self._dated_by, "timestamp_updated"} & {*row}, written)
        return row


def _unknown_cursor() -> BadRequestError:
    return BadRequestError("querystring/starting_after is not a cursor of this list")
