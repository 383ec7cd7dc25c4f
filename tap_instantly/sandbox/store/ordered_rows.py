"""Rows in every order that a list may have, and the changes to them."""

from __future__ import annotations

import copy
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from tap_instantly.sandbox.store import timestamps
from tap_instantly.sandbox.store.api import NotFoundError, Row
from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tap_instantly.sandbox.store.rows import Index, KeptRows, LazyRows
from tap_instantly.sandbox.store.switches import Behaviour, Switches

if TYPE_CHECKING:
    from datetime import datetime

    from tap_instantly.sandbox.store.rows import Place
    from tap_instantly.sandbox.store.switches import End, TableCursor, TableOrder

Rows = Iterable[Row] | Mapping[str, Row]
T = TypeVar("T")

_MINUTE = 60 * timestamps.SECOND
_BY_ID = ("id-desc", "id-asc")
_BY_TIME: dict[str, TableOrder] = {"id-desc": "newest", "id-asc": "oldest"}
"""The order of a list by id, once its cursor names a time."""


class OrderedRows:
    """What a list consists of, in its usual order and in any that is switched on.

    Attributes:
        behaviour: How the list is read, unless the workspace's switches differ.
        filters: What each of the API's filters lets through, given a value.
        by: What each of the API's filters for equality compares, as text.
        version: Another number after every change.
        name: The name of the stream that reads the list.
        nullable: The fields that answers have as null where a row lacks them, unless
            the workspace omits nulls.
    """

    def __init__(  # noqa: PLR0913 - each is one property of the list
        self,
        rows: Rows | Callable[[], Rows],
        *,
        key: str = "id",
        cursor: TableCursor = "id",
        order: TableOrder = "newest",
        end: End = "present",
        dated_by: str = "timestamp_created",
        ties: int = 1,
        ties_by_age: bool = False,
        maximum: int = 100,
        default_limit: int = 10,
        filters: Mapping[str, Callable[[Row, str], bool]] | None = None,
        by: Mapping[str, Callable[[Row], str]] | None = None,
        make: Callable[[int, int], Row] | None = None,
        switches: Switches | None = None,
    ) -> None:
        """Hold rows, whatever order they are given in.

        Args:
            rows: The rows, or a mapping from key to row that makes each row when
                it is looked up; or a function that returns either, called when
                the rows are first used.
            key: The field that identifies a row.
            cursor: See `Behaviour`, as for `order` and `end`.
            order: The usual order, in which `rows` returns them.
            end: What the last page with rows carries for a cursor.
            dated_by: The field with the time of creation; "" if rows have none.
            ties: How many consecutive rows share one millisecond.
            ties_by_age: Whether rows of one millisecond stand as they were given,
                oldest first, rather than by key.
            maximum: The largest page; a request for more gets no rows.
            default_limit: The rows of a page for which no limit is given.
            filters: Tells for each filter whether a row passes, given its value.
            by: Returns for each filter the value with which a row passes, which
                must follow from the row alone: rows are found through an index.
            make: Makes a row for `add`, given a number that no other row has and
                the time of creation.
            switches: What holds for all lists of a workspace.

        Raises:
            ValueError: If `cursor`, `order` or `end` does not exist.
        """
        self.behaviour = Behaviour(order=order, cursor=cursor, end=end)
        self.filters = dict(filters or {})
        self.by = dict(by or {})
        self.version = 0
        self.name = ""
        self.nullable: tuple[str, ...] = ()
        self._given = rows
        self._key = key
        self._order = order
        self._dated_by = dated_by
        self._ties = ties
        self._ties_by_age = ties_by_age
        self._maximum = maximum
        self._default_limit = default_limit
        self._make = make
        self._switches = switches or Switches()
        self._lock = threading.RLock()
        self._aggregates: dict[object, tuple[int, object]] = {}
        self._begin()

    def _begin(self) -> None:
        self._kept: KeptRows | None = None
        self._numbers: dict[str, int] = {}
        self._places: dict[str, list[Place]] = {}
        self._indexes: dict[str, tuple[int, Index]] = {}
        self._added: dict[str, int] = {}
        self._gone: set[str] = set()
        self._additions = 0
        self._now = NEWEST

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._usual_places)

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a row with this key."""
        return key in self._rows

    @property
    def is_made(self) -> bool:
        """Whether the rows that there are to begin with have been asked for."""
        return self._kept is not None

    @property
    def keys(self) -> list[str]:
        """The keys of all rows, ascending by time or by themselves."""
        return [key for *_, key in [*self._usual_places]]

    @property
    def rows(self) -> list[Row]:
        """Copies of all rows in the usual order of the list."""
        with self._lock:
            keys = self.keys[::-1] if is_descending(self._order) else self.keys
            return [self._copy(key) for key in keys]

    def each(self) -> Iterator[Row]:
        """Yield all rows in the order of `keys`, only to be read."""
        for key in self.keys:
            if key in self._rows:
                yield self._rows[key]

    def some(self, keys: Iterable[str]) -> list[Row]:
        """Return the rows with one of some keys in the order of `keys`."""
        arrangement = arrangement_of(self._order)
        known = [key for key in {*keys} if key in self._rows]
        known.sort(key=lambda key: self._place(arrangement, key))
        return [self._rows[key] for key in known]

    def having(self, value_of: Callable[[Row], str], value: str) -> list[Row]:
        """Return copies of the rows of which a function returns a value.

        What it returns is kept row by row, so it must follow from the row alone.
        """
        with self._lock:
            return [*map(self._copy, self._rows.keys_with(value_of, value))]

    def get(self, key: str) -> Row | None:
        """Return a copy of one row, or None where no row has this key."""
        with self._lock:
            return self._copy(key) if key in self._rows else None

    def found(self, key: str) -> Row:
        """Return a copy of one row.

        Raises:
            NotFoundError: If no row has this key.
        """
        row = self.get(key)
        if row is None:
            raise NotFoundError
        return row

    def aggregate(self, compute: Callable[[Iterable[Row]], T]) -> T:
        """Return what a function makes of all rows, kept until a row changes."""
        version, value = self._aggregates.get(compute, (None, None))
        if version != self.version:
            version, value = self.version, compute(self.each())
            self._aggregates[compute] = version, value
        return cast("T", value)

    def render(self) -> None:
        """Render all rows now, so that no answer has to wait for it."""
        for key in self._rows:
            self._rows.body(key)

    def add(self, *, created: str | datetime | None = None, **fields: object) -> Row:
        """Add a row and return a copy of it.

        Args:
            created: When it is created; by default later than all others.
            fields: What the row says in place of the usual values, whatever its
                type; `...` leaves the key out.

        Raises:
            ValueError: If there is a row with this key already.
        """
        with self._lock:
            later = self._now + _MINUTE
            timestamp = timestamps.read(created) if created else later
            number = len(self._rows.given) + self._additions
            usual = (self._make or self._another)(number, timestamp)
            row = _without_gaps({**usual, **fields})
            key = str(row.get(self._key) or usual[self._key])
            if key in self._rows:
                message = f"There is a row with the key {key!r} already."
                raise ValueError(message)
            if not created:
                timestamp = self._read_timestamp(row, timestamp)
            self._now = max(later, timestamp)
            self.version += 1
            self._additions += 1
            self._rows[key] = row
            self._numbers[key] = number
            self._added[key] = timestamp
            for arrangement, places in self._places.items():
                insort(places, self._place(arrangement, key))
            return self._copy(key)

    def add_many(
        self, count: int, *, created: str | datetime | None = None, **fields: object
    ) -> list[Row]:
        """Add as many rows, one after the other; see `add`."""
        with self._lock:
            return [self.add(created=created, **fields) for _ in range(count)]

    def edit(self, key: str, **fields: object) -> Row:
        """Change what a row says and return a copy of it; it keeps its place.

        Its `timestamp_updated`, where it has one, becomes later than all others
        unless it is given.

        Raises:
            KeyError: If no row has this key.
        """
        with self._lock:
            before = self._rows[key]
            self._now += _MINUTE
            self.version += 1
            updated = {"timestamp_updated": timestamps.write(self._now)}
            touched = updated if "timestamp_updated" in before else {}
            self._rows[key] = _without_gaps({**before, **touched, **fields})
            return self._copy(key)

    def delete(self, key: str) -> None:
        """Take a row away. A cursor that names it still knows where it was.

        Raises:
            KeyError: If no row has this key.
        """
        with self._lock:
            if key not in self._rows:
                raise KeyError(key)
            for arrangement, places in self._places.items():
                del places[bisect_left(places, self._place(arrangement, key))]
            self.version += 1
            del self._rows[key]
            self._gone.add(key)

    def reset(self) -> None:
        """Undo all changes."""
        with self._lock:
            self.version += 1
            self._begin()

    def _behaviour(self) -> Behaviour:
        """Return how the list is read now."""
        behaviour = self._switches.applied_to(self.behaviour)
        if not self._dated_by and behaviour.cursor == "timestamp":
            behaviour.cursor = "id"
        if behaviour.cursor != "id":
            behaviour.order = _BY_TIME.get(behaviour.order, behaviour.order)
        return behaviour

    @property
    def _rows(self) -> KeptRows:
        if self._kept is None:
            with self._lock:
                given = self._given() if callable(self._given) else self._given
                if not isinstance(given, Mapping):
                    given = {str(row[self._key]): row for row in given}
                if self._ties > 1 and self._dated_by:
                    given = self._tied(given)
                self._numbers = {key: number for number, key in enumerate(given)}
                self._kept = KeptRows(given)
        return self._kept

    def _tied(self, given: Mapping[str, Row]) -> dict[str, Row]:
        """Let rows that follow each other share the time of the oldest of them."""
        rows = dict(given)
        newest = sorted(
            ((timestamps.read(row[self._dated_by]), key) for key, row in rows.items()),
            reverse=True,
        )
        for number, (_, key) in enumerate(newest):
            last = min(number // self._ties * self._ties + self._ties, len(newest)) - 1
            text = timestamps.write(newest[last][0])
            day = f"{self._dated_by}_date"
            dated = {self._dated_by: text, day: text[:10]}
            rows[key] = {
                name: dated.get(name, value) for name, value in rows[key].items()
            }
        return rows

    def _copy(self, key: str) -> Row:
        return copy.deepcopy(self._written(key))

    @property
    def _writes_nulls(self) -> bool:
        return bool(self.nullable) and not self._switches.omits_nulls

    @property
    def _writes_variously(self) -> bool:
        style = self._switches.timestamps or self.behaviour.timestamps
        return style == "mixed"

    def _written(self, key: str) -> Row:
        """Return a row as the list writes timestamps and nulls now, only to be read."""
        row = self._rows[key]
        if self._writes_nulls:
            row = {**dict.fromkeys(self.nullable), **row}
        if not self._writes_variously:
            return row
        timestamp = self._read_timestamp(row, None)
        text = row.get(self._dated_by)
        if timestamp is None or text != timestamps.write(timestamp):
            return row
        various = timestamps.write_variously(timestamp, self._numbers[key])
        return {**row, self._dated_by: various}

    def _read_timestamp(self, row: Row, default: T) -> int | T:
        """Return when a row was created by its own account."""
        try:
            return timestamps.read(row.get(self._dated_by, ""))
        except (TypeError, ValueError):
            return default

    def _timestamp(self, key: str) -> int:
        """Return when a row, present or deleted, was created."""
        if key in self._added:
            return self._added[key]
        given = self._rows.given
        if isinstance(given, LazyRows):
            return given.timestamp(key)
        return timestamps.read(given[key][self._dated_by]) if self._dated_by else 0

    def _place(self, arrangement: str, key: str, timestamp: int | None = None) -> Place:
        """Return where a row stands: present, deleted, or one that never was."""
        if arrangement == "id":
            return 0, 0, key
        if timestamp is None:
            timestamp = self._timestamp(key)
        if arrangement == "mixed":
            return hashed(timestamp), hashed(key), key
        return timestamp, self._numbers.get(key, 0) if self._ties_by_age else 0, key

    def _arranged(self, arrangement: str) -> list[Place]:
        """Return the places of all rows, ascending."""
        places = self._places.get(arrangement)
        if places is None:
            with self._lock:
                places = sorted(self._place(arrangement, key) for key in self._rows)
                self._places[arrangement] = places
        return places

    @property
    def _usual_places(self) -> list[Place]:
        return self._arranged(arrangement_of(self._order))

    def _another(self, _: int, timestamp: int) -> Row:
        """Return a copy of a row that differs in its key and its timestamps."""
        places = self._usual_places
        row = copy.deepcopy(self._rows[places[-1][2]]) if places else {}
        key = str(row.get(self._key, ""))
        if "@" in key:
            row[self._key] = f"added{self.version}.{key}"
        else:
            row[self._key] = Draw(key, self.version).uuid7(timestamp)
        written = timestamps.write(timestamp)
        row |= dict.fromkeys({self._dated_by, "timestamp_updated"} & {*row}, written)
        return row


def arrangement_of(order: str) -> str:
    """Return by what rows are arranged, in whichever direction they are read."""
    if order == "mixed":
        return "mixed"
    return "id" if order in _BY_ID else "time"


def is_descending(order: str) -> bool:
    """Tell whether an arrangement is read from its end."""
    return order in ("newest", "id-desc")


def hashed(value: object) -> int:
    """Return where a value stands in a mixed order."""
    return Draw(value).below(1 << 64)


def _without_gaps(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not ...}
