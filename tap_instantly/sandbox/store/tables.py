"""A list of the API, and how a client reads it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tap_instantly.sandbox.store.api import (
    BadRequestError,
    Call,
    Endpoint,
    NotFoundError,
    Parameter,
    Row,
)
from tap_instantly.sandbox.store.cursors import read_cursor, write_cursor
from tap_instantly.sandbox.store.draws import Draw
from tap_instantly.sandbox.store.ordered_rows import (
    OrderedRows,
    arrangement_of,
    hashed,
    is_descending,
)
from tap_instantly.sandbox.store.rows import Index, render

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.rows import Place
    from tap_instantly.sandbox.store.switches import Behaviour

Passes = Callable[[Row], bool]


class Table(OrderedRows):
    """A list, which clients page through, and which they and tests may change."""

    def _begin(self) -> None:
        super()._begin()
        self._reads = 0
        self._created: dict[str, tuple[int, float]] = {}

    def create(self, **fields: object) -> Row:
        """Add a row as a client does: lists may hide it for a while.

        See `Switches.hidden_reads` and `Switches.hidden_seconds`.
        """
        with self._lock:
            row = self.add(created=None, **fields)
            self._created[str(row[self._key])] = self._reads, self._switches.clock()
            return row

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
            descending: The direction that is asked for, if another than usual; an
                order that is switched on does not heed it.

        Raises:
            BadRequestError: If the cursor is none of this list, or the limit too large.
        """
        with self._lock:
            keys, rest = self._select(call, only=only, descending=descending)
            return {"items": [self._written(key) for key in keys], **rest}

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
            if self._writes_variously or self._writes_nulls:
                bodies = [render(self._written(key)) for key in keys]
            else:
                bodies = [self._rows.body(key) for key in keys]
            named = [b',"%s":%s' % (n.encode(), render(rest[n])) for n in rest]
            return b"".join((b'{"items":[', b",".join(bodies), b"]", *named, b"}"))

    def matching(self, call: Call) -> list[Row]:
        """Return all rows that the filters let through, only to be read."""
        with self._lock:
            places = self._among(call, arrangement_of(self._order))
            rows = [self._rows[key] for *_, key in places]
            return list(filter(self._passing(call), rows))

    def limit(self, call: Call) -> int:
        """Return how many rows a page has.

        Raises:
            BadRequestError: If more are asked for than allowed.
        """
        text = next(iter(call.all("limit")), "")
        limit = (int(text) if text.isdecimal() else 0) or self._default_limit
        if limit > self._maximum:
            where = "body" if "limit" in call.body else "querystring"
            message = f"{where}/limit must be <= {self._maximum}"
            raise BadRequestError(message)
        return limit

    @property
    def paging(self) -> dict[str, Parameter]:
        """The parameters `limit` and `starting_after`."""
        return {
            "limit": Parameter("integer", between=(1, self._maximum)),
            "starting_after": Parameter(),
        }

    def endpoint(self, path: str, **parameters: Parameter) -> Endpoint:
        """Return the endpoint that answers with pages of this table.

        Args:
            path: Its path. Placeholders that are filters filter.
            parameters: What is documented beside `limit` and `starting_after`.
        """
        return Endpoint("GET", path, self.answer, {**self.paging, **parameters})

    def detail(
        self, path: str, *, key: Parameter | None = None, **parameters: Parameter
    ) -> Endpoint:
        """Return the endpoint that answers with one row, by the path's placeholder."""
        name = path.rpartition("{")[2].rstrip("}")
        placeholders = {name: key} if key else {}

        def answer(call: Call) -> Row:
            return self.found(call.path[name])

        return Endpoint("GET", path, answer, parameters, placeholders=placeholders)

    def _select(
        self, call: Call, *, only: Passes | None, descending: bool | None
    ) -> tuple[list[str], Row]:
        """Return the keys of a page's rows, and what the page says beside them."""
        limit = self.limit(call)
        behaviour = self._behaviour()
        if descending is None or self._switches.order:
            descending = is_descending(behaviour.order)
        text = next(iter(call.all("starting_after")), "")
        self._reads += not text
        hidden = self._hidden
        if self._is_unknown(text, behaviour):
            if behaviour.unknown_id == "empty":
                return [], {}
            if behaviour.unknown_id == "not-found":
                raise NotFoundError
            if behaviour.unknown_id == "bad-request":
                raise _unknown_cursor()
            text = ""
        places = self._among(call, arrangement_of(behaviour.order))
        before, after = self._around(text, behaviour, places)
        if behaviour.short_pages is not None:
            size = 1 + Draw(behaviour.short_pages, text).below(limit)
            limit = min(limit, size + max(0, before - after))
        if descending:
            positions = range((before if text else len(places)) - 1, -1, -1)
        else:
            positions = range(after, len(places))
        keys_there = (places[position][2] for position in positions)
        following = (key for key in keys_there if key not in hidden)
        passing = filter(self._letting_through(only, self._passing(call)), following)
        keys = [*islice(passing, limit)]
        more = next(passing, None) is not None
        if not keys or not (more or behaviour.end != "absent"):
            return keys, {}
        ends: dict[str, str | None] = {"null": None, "empty": ""}
        if not more and behaviour.end in ends:
            return keys, {"next_starting_after": ends[behaviour.end]}
        timestamp = 0 if behaviour.cursor == "id" else self._timestamp(keys[-1])
        cursor = write_cursor(behaviour, timestamp, keys[-1])
        return keys, {"next_starting_after": cursor}

    @property
    def _hidden(self) -> set[str]:
        """The keys of the rows that clients have created too short a while ago."""
        reads, seconds = self._switches.hidden_reads, self._switches.hidden_seconds
        if not (reads or seconds):
            return set()
        now = self._switches.clock()
        return {
            key
            for key, (read, created) in self._created.items()
            if (reads and self._reads <= read + reads) or now < created + seconds
        }

    def _is_unknown(self, text: str, behaviour: Behaviour) -> bool:
        """Tell whether a cursor is looked up, and names no row."""
        is_compared = behaviour.unknown_id == "compare"
        if not text or is_compared or arrangement_of(behaviour.order) != "id":
            return False
        _, key = _read(text, behaviour)
        return key not in self._rows

    def _around(
        self, text: str, behaviour: Behaviour, places: Sequence[Place]
    ) -> tuple[int, int]:
        """Return how many places are before a cursor, and before what follows it.

        Where the rows at the cursor come again, they count as both, so that the first
        number is the larger one.
        """
        if not text:
            return 0, 0
        low, high = self._span(text, behaviour)
        before, after = bisect_left(places, low), bisect_right(places, high)
        return (
            (after, before) if behaviour.comparison == "inclusive" else (before, after)
        )

    def _span(self, text: str, behaviour: Behaviour) -> tuple[Place, Place]:
        """Return the first and the last place that a cursor names."""
        arrangement = arrangement_of(behaviour.order)
        timestamp, key = _read(text, behaviour)
        if timestamp is None:
            known = key in self._rows or key in self._gone
            if not known and arrangement != "id":
                raise _unknown_cursor()
            place = self._place(arrangement, key)
            return place, place
        if key:
            place = self._place(arrangement, key, timestamp)
            return place, place
        if arrangement == "mixed":
            timestamp = hashed(self._nearest(timestamp))
        return (timestamp, -1, ""), (timestamp + 1, -1, "")

    def _nearest(self, timestamp: int) -> int:
        """Return the time of the row, present or deleted, nearest to this one.

        In a mixed order only the times of rows have a place.
        """
        places = self._arranged("time")
        later = bisect_left(places, (timestamp + 1, -1, ""))
        known = [time for time, *_ in places[max(0, later - 1) : later + 1][::-1]]
        known += map(self._timestamp, self._gone)
        return min(known, key=lambda time: abs(time - timestamp), default=timestamp)

    def _letting_through(self, *filters: Passes | None) -> Callable[[str], bool] | None:
        """Tell of a key whether all filters let its row through, if there are any."""
        given = [passes for passes in filters if passes]
        if not given:
            return None
        return lambda key: all(passes(self._rows[key]) for passes in given)

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

    def _among(self, call: Call, arrangement: str) -> Sequence[Place]:
        """Return the places of the rows that the indexed filters let through."""
        places = self._arranged(arrangement)
        wanted = tuple(
            (name, values)
            for name in self.by
            if (values := tuple(value for value in call.all(name) if value))
        )
        if not wanted:
            return places
        version, index = self._indexes.get(arrangement, (None, None))
        if index is None or version != self.version:
            index = Index(((place, self._rows[place[2]]) for place in places), self.by)
            self._indexes[arrangement] = self.version, index
        return index.places(wanted)


def _read(text: str, behaviour: Behaviour) -> tuple[int | None, str]:
    """Return what a cursor names.

    Raises:
        BadRequestError: If it is none of this list.
    """
    try:
        return read_cursor(behaviour, text)
    except ValueError:
        raise _unknown_cursor() from None


def _unknown_cursor() -> BadRequestError:
    return BadRequestError("querystring/starting_after is not a cursor of this list")
