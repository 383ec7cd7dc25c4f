"""A list endpoint whose rows are held, or made, one by one."""

from __future__ import annotations

import base64
import binascii
import copy
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
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

if TYPE_CHECKING:
    from tap_instantly.sandbox.behaviour import Comparison, End

Cursor = Literal["id", "timestamp", "composite", "opaque"]
Order = Literal["newest", "oldest", "id-desc", "id-asc"]
Rows = Iterable[Row] | Mapping[str, Row]
Place = tuple[int, str]

_MINUTE = 60 * instants.SECOND
_AFTER_ALL_KEYS = "\U0010ffff"


class Table:
    """The rows of one list, which tests may add to, edit and delete.

    Attributes:
        end: What the last page with rows carries for a cursor.
        comparison: Whether the rows at the cursor come again (`inclusive`).
        filters: What each of the API's filters lets through, given a value.
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
        only: Callable[[Row], bool] | None = None,
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
        limit = self.limit(call)
        if not limit:
            return {"items": []}
        if descending is None:
            descending = self._descending
        passes = self._passing(call)
        with self._lock:
            text = next(iter(call.all("starting_after")), "")
            items: list[Row] = []
            last, more = "", False
            for key in self._following(text, descending=descending):
                row = self._rows[key]
                if (only is None or only(row)) and passes(row):
                    if len(items) == limit:
                        more = True
                        break
                    items.append(row)
                    last = key
            body: Row = {"items": items}
            if items and (more or self.end != "absent"):
                cursor = self._written(self._place(last))
                ends: dict[str, str | None] = {"null": None, "empty": ""}
                body["next_starting_after"] = (
                    cursor if more else ends.get(self.end, cursor)
                )
            return body

    def limit(self, call: Call) -> int:
        """Return how many rows a page has: none, if more are asked for than allowed."""
        text = next(iter(call.all("limit")), "")
        limit = (int(text) if text.isdecimal() else 0) or self._default_limit
        return limit if limit <= self._maximum else 0

    def matching(self, call: Call) -> list[Row]:
        """Return all rows that the filters let through, only to be read."""
        return list(filter(self._passing(call), self.each()))

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
            return Endpoint(method, path, self.page, known)
        return Endpoint(method, path, self.page, {}, known)

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
    def _rows(self) -> _Made:
        given = self._given() if callable(self._given) else self._given
        if not isinstance(given, Mapping):
            given = {str(row[self._key]): row for row in given}
        return _Made(given)

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

    def _passing(self, call: Call) -> Callable[[Row], bool]:
        """Tell of a row whether all filters given let it through."""
        wanted = [
            (passes, values)
            for name, passes in self.filters.items()
            if (values := [value for value in call.all(name) if value])
        ]
        return lambda row: all(
            any(passes(row, value) for value in values) for passes, values in wanted
        )

    def _following(self, text: str, *, descending: bool) -> Iterable[str]:
        """Yield the keys of the rows that follow a cursor."""
        places = self._places
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


class _Made:
    """Rows by key: as given, until they are replaced or deleted."""

    def __init__(self, given: Mapping[str, Row]) -> None:
        self.given = given
        self._replaced: dict[str, Row | None] = {}

    def __contains__(self, key: str) -> bool:
        if key in self._replaced:
            return self._replaced[key] is not None
        return key in self.given

    def __getitem__(self, key: str) -> Row:
        if key not in self._replaced:
            return self.given[key]
        row = self._replaced[key]
        if row is None:
            raise KeyError(key)
        return row

    def __setitem__(self, key: str, row: Row) -> None:
        self._replaced[key] = row

    def __delitem__(self, key: str) -> None:
        self._replaced[key] = None


def _unknown_cursor() -> BadRequestError:
    return BadRequestError("querystring/starting_after is not a cursor of this list")
