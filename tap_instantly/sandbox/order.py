"""Rows at rest and the orders they stand in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_instantly.sandbox.data import Draw

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True, eq=False)
class Entry:
    """A row at rest: rendered when it is first asked for."""

    number: int
    instant: int
    changes: dict[str, Any] = field(default_factory=dict)
    identity: str = ""
    style: str = ""
    body: bytes = b""


class View:
    """Entries in one order, each at a place: its instant first, then its own.

    A place is one integer, the instant's share of it in front of 64 bits that
    tell rows of one instant apart.
    """

    def __init__(
        self, order: str, entries: list[Entry], identify: Callable[[Entry], str]
    ) -> None:
        """Put `entries` in order; `identify` returns the id of an entry."""
        self._order = order
        self._identify = identify
        self.entries = entries
        if order != "newest":
            self.entries = sorted(entries, key=self._place)
        self._places = [self._place(entry) for entry in self.entries]

    def insert(self, entry: Entry) -> None:
        """Put an entry where it belongs."""
        place = self._place(entry)
        position = bisect_left(self._places, place)
        self._places.insert(position, place)
        self.entries.insert(position, entry)

    def remove(self, entry: Entry) -> None:
        """Take an entry out."""
        position, _ = self.around(entry)
        del self._places[position], self.entries[position]

    def around(self, entry: Entry) -> tuple[int, int]:
        """Return the positions before and after an entry, present or deleted."""
        place = self._place(entry)
        return bisect_left(self._places, place), bisect_right(self._places, place)

    def at(self, instant: int) -> tuple[int, int]:
        """Return the positions before and after the rows of an instant."""
        lead = self._lead(instant)
        return (
            bisect_left(self._places, lead << 64),
            bisect_left(self._places, (lead + 1) << 64),
        )

    def _lead(self, instant: int) -> int:
        if self._order == "newest":
            return -instant
        return instant if self._order == "oldest" else Draw(instant).below(1 << 64)

    def _place(self, entry: Entry) -> int:
        lead = self._lead(entry.instant) << 64
        if self._order == "newest":
            return lead + (1 << 63) - entry.number
        if self._order == "oldest":
            return lead + entry.number
        return lead + Draw(self._identify(entry)).below(1 << 64)
