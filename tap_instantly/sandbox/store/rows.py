"""Rows by key: made when they are looked up, kept once they are, found by value."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from tap_instantly.sandbox.store.api import Row
from tap_instantly.sandbox.store.timestamps import MILLISECOND

Place = tuple[int, int, str]
"""Where a row stands in a list; the last part is its key."""
Wanted = tuple[tuple[str, tuple[str, ...]], ...]
"""Names of indexed filters, each with the values that it lets through."""

T = TypeVar("T")

_KEPT_ROWS = 20_000
_KEPT_BODIES = 250_000
_KEPT_CHOICES = 1_000
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def render(value: object) -> bytes:
    """Write a value as JSON in UTF-8."""
    return _JSON.encode(value).encode()


class LazyRows(Mapping[str, Row], Generic[T]):
    """Rows by key, each made when it is looked up."""

    def __init__(
        self,
        plan: Callable[[], dict[str, T]],
        make: Callable[[T], Row],
        timestamp: Callable[[T], int],
    ) -> None:
        """Make nothing yet.

        Args:
            plan: Returns by key what each row is made of.
            make: Makes a row.
            timestamp: Returns when a row was created, without making it.
        """
        self._make_plan = plan
        self._make = make
        self._timestamp = timestamp

    @cached_property
    def _plan(self) -> dict[str, T]:
        return self._make_plan()

    def __getitem__(self, key: str) -> Row:
        """Make a row."""
        return self._make(self._plan[key])

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a row with this key, without making it."""
        return key in self._plan

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._plan)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._plan)

    def timestamp(self, key: str) -> int:
        """Return when a row was created, without making it, to the millisecond."""
        return self._timestamp(self._plan[key]) // MILLISECOND * MILLISECOND


class KeptRows:
    """Rows by key: as given, until they are replaced or deleted.

    What is made when it is looked up is kept, and so is what is rendered, as far
    as memory allows.
    """

    def __init__(self, given: Mapping[str, Row]) -> None:
        """Hold the rows `given`."""
        self.given = given
        self._made: dict[str, Row] = {}
        self._replaced: dict[str, Row | None] = {}
        self._bodies: dict[str, bytes] = {}
        self._by_value: dict[Callable[[Row], str], dict[str, set[str]]] = {}

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a row with this key, without making it."""
        if key in self._replaced:
            return self._replaced[key] is not None
        return key in self.given

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys of all rows."""
        added = (key for key in self._replaced if key not in self.given)
        return (key for keys in (self.given, added) for key in keys if key in self)

    def __getitem__(self, key: str) -> Row:
        """Return a row, only to be read."""
        row = self._replaced[key] if key in self._replaced else self._made.get(key)
        if row is not None:
            return row
        if key in self._replaced:
            raise KeyError(key)
        row = self.given[key]
        if len(self._made) < _KEPT_ROWS:
            self._made[key] = row
        return row

    def __setitem__(self, key: str, row: Row) -> None:
        """Add or replace a row."""
        self._forget_values(key)
        self._replaced[key] = row
        for value_of, keys in self._by_value.items():
            keys[value_of(row)].add(key)
        self._bodies.pop(key, None)

    def __delitem__(self, key: str) -> None:
        """Take a row away."""
        self._forget_values(key)
        self._replaced[key] = None
        self._made.pop(key, None)
        self._bodies.pop(key, None)

    def keys_with(self, value_of: Callable[[Row], str], value: str) -> set[str]:
        """Return the keys of the rows of which a function returns a value."""
        keys = self._by_value.get(value_of)
        if keys is None:
            keys = defaultdict(set)
            for key in self:
                keys[value_of(self[key])].add(key)
            self._by_value[value_of] = keys
        return {*keys.get(value, ())}

    def _forget_values(self, key: str) -> None:
        if self._by_value and key in self:
            row = self[key]
            for value_of, keys in self._by_value.items():
                keys[value_of(row)].discard(key)

    def body(self, key: str) -> bytes:
        """Return a row in JSON."""
        body = self._bodies.get(key)
        if body is None:
            body = render(self[key])
            if len(self._bodies) < _KEPT_BODIES:
                self._bodies[key] = body
        return body


class Index:
    """The places of rows by the values that filters for equality compare."""

    def __init__(
        self,
        rows: Iterable[tuple[Place, Row]],
        by: Mapping[str, Callable[[Row], str]],
    ) -> None:
        """Find rows, given by ascending place, by what `by` returns for each filter."""
        self._places: dict[str, dict[str, list[Place]]] = {
            name: defaultdict(list) for name in by
        }
        values = [(self._places[name], value) for name, value in by.items()]
        for place, row in rows:
            for places, value in values:
                places[value(row)].append(place)
        self._chosen: dict[Wanted, list[Place]] = {}

    def places(self, wanted: Wanted) -> Sequence[Place]:
        """Return the places, ascending, of the rows that all filters let through."""
        if wanted in self._chosen:
            return self._chosen[wanted]
        each = [
            [
                place
                for value in {*values}
                for place in self._places[name].get(value, ())
            ]
            for name, values in wanted
        ]
        if len(self._chosen) == _KEPT_CHOICES:
            self._chosen.clear()
        self._chosen[wanted] = sorted(set.intersection(*map(set, each)))
        return self._chosen[wanted]
