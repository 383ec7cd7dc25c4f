"""The rows of a table at rest, and the index by which filters find them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tap_instantly.sandbox.listing import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_instantly.sandbox.data import Row

Place = tuple[int, str]
Wanted = tuple[tuple[str, tuple[str, ...]], ...]
"""Names of indexed filters, each with the values that it lets through."""

_KEPT_ROWS = 20_000
_KEPT_BODIES = 250_000
_KEPT_CHOICES = 1_000


class Held:
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

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a row with this key, without making it."""
        if key in self._replaced:
            return self._replaced[key] is not None
        return key in self.given

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
        self._replaced[key] = row
        self._bodies.pop(key, None)

    def __delitem__(self, key: str) -> None:
        """Take a row away."""
        self._replaced[key] = None
        self._made.pop(key, None)
        self._bodies.pop(key, None)

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
