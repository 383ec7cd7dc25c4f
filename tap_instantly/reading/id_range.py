"""IdRange: a part of a list that comes by id; and where to divide it."""

from __future__ import annotations

import typing as t
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from tap_instantly.reading.concurrency import MERGE_WIDTH
from tap_instantly.reading.ids import END, TIME_SHIFT, id_at, place_of
from tap_instantly.reading.keyed_page import PAGE_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Kind: t.TypeAlias = t.Literal["page", "trial", "probe", "check"]

WIDTH = MERGE_WIDTH
"""Requests in flight at most, whose answers are all merged into one order."""

MIN_PAGES = 3
"""Pages that are not worth dividing."""

MAX_PAGES, ASSUMED_PAGES = 20_000, 100
"""Pages beyond which an estimate is not believed, and what is put in its place."""

FIRST_CUTS = 11
"""Cuts, even in time, that are to find the imports of which a list consists."""

STEP_PAGES, MAX_STEPS = 64, 3
"""Pages after which an import of unknown size is cut; each further step is doubled."""

DENSITY_PAGES = 16
"""Pages that an estimate goes by."""

TIMED_SINCE = 0x199E52AA000 << TIME_SHIFT
"""The place of 2025-10-15, since when ids are of version 7."""

GAP = 3_600_000 << TIME_SHIFT
"""One hour: further apart no two pages of one import begin."""

NOW_BITS = 30
"""The present is rounded up to 2 ** 30 milliseconds, so that runs are alike."""


@dataclass(eq=False)
class IdRange:
    """A part of the list, up to the beginning of the next part.

    Attributes:
        first: The id that it begins with, but "" for the first range.
        tail: The ids on its latest page.
        last: The id up to which its rows have been handed on.
        cursor: What its next page is asked for with.
        rows_read: How many rows it has handed on.
        starts: The places of its latest pages, which tell how dense it is.
        limit: The place beyond which no further row is expected.
        pending_probes: Requests under way that may divide it.
        stale_pages: Pages in a row that brought nothing new.
        retries: Requests in a row that asked for the same page in another way.
        is_finished: Whether it has reached the next range or the end of the list.
    """

    first: str = ""
    tail: list[str] = field(default_factory=list)
    last: str = ""
    cursor: str | None = None
    rows_read: int = 0
    starts: deque[int] = field(default_factory=lambda: deque(maxlen=DENSITY_PAGES))
    limit: int = END
    pending_probes: int = 0
    stale_pages: int = 0
    retries: int = 0
    is_finished: bool = False

    @property
    def pages_left(self) -> float:
        """How many pages are to come if they are as dense as the latest ones."""
        if not self.starts:
            return 0.0
        here = place_of(self.last)
        span = max(here - self.starts[0], 1)
        return max(self.limit - here, 0) * len(self.starts) / span

    @property
    def is_import(self) -> bool:
        """Whether it is too dense to go on like that to its limit."""
        return self.pages_left > MAX_PAGES

    @property
    def size(self) -> float:
        """How many pages are taken to be left of it."""
        return ASSUMED_PAGES if self.is_import else self.pages_left

    def note_density(self, start: int) -> None:
        """Remember where a page begins; what was before a gap tells nothing."""
        if self.starts and start - self.starts[-1] > GAP:
            self.starts.clear()
        self.starts.append(start)

    def even_cuts(self, parts: int) -> list[int]:
        """Return the places that divide what is left of it evenly."""
        here = place_of(self.last)
        return [here + (self.limit - here) * n // parts for n in range(1, parts)]

    def cuts(self, parts: int) -> list[int]:
        """Return the places that divide what is left of it, as far as it is known.

        Nobody knows where an import ends, so it is cut some pages ahead. Any other
        range is cut evenly; in two, no further ahead than it has read.
        """
        if parts != 2 and not self.is_import:  # noqa: PLR2004 (in two)
            return self.even_cuts(parts)
        pages_read = 0 if self.is_import else self.rows_read // PAGE_SIZE
        step = max(STEP_PAGES, pages_read) / self.pages_left
        here = place_of(self.last)
        return [
            here + int((self.limit - here) * min(step * (2**n - 1), 0.5))
            for n in range(1, parts)
        ]


class PageRequest(t.NamedTuple):
    """A page to ask for.

    Attributes:
        kind: "page" goes on; "trial" finds out whether the server takes an id that no
            row has, "probe" begins a range at one, and "check" asks for the beginning
            of the next range again.
        cursor: What to ask with.
        range: What it goes on with, or is to divide.
        limit: The place up to which a probe divides it.
    """

    kind: Kind
    cursor: str | None
    range: IdRange
    limit: int = END


class RangeDivider:
    """Decides where to divide ranges."""

    def __init__(self, now_ms: int) -> None:
        """Divide nothing yet.

        Args:
            now_ms: Milliseconds since 1970.
        """
        now = ((now_ms >> NOW_BITS) + 1) << NOW_BITS + TIME_SHIFT
        self._timed = TIMED_SINCE, now
        self.has_divided = False

    def divide(self, unread: list[IdRange], number: int) -> Iterator[PageRequest]:
        """Yield probes for the ranges that seem longest.

        Args:
            unread: The ranges that are not finished, one if none has been divided.
            number: About how many probes are wanted.
        """
        if self.has_divided:
            for own, parts in self._count_parts(unread, number).items():
                yield from self._probe(own, own.cuts(parts), own.limit)
            return
        self.has_divided = True
        (own,) = unread
        marks = [mark for mark in self._timed if mark > place_of(own.last)]
        own.limit = min([END, *marks])
        cuts = own.cuts(self._count_parts(unread, number - len(marks))[own])
        if marks and own.is_import:  # of others nobody knows where they lie
            cuts = sorted(cuts + own.even_cuts(FIRST_CUTS + 1))
        yield from self._probe(own, cuts + marks, END)

    @staticmethod
    def _count_parts(ranges: list[IdRange], number: int) -> dict[IdRange, int]:
        """Return into how many parts to divide ranges, so that none is very long."""
        enough = max(sum(own.size for own in ranges) / WIDTH, MIN_PAGES)
        parts = {own: 1 for own in ranges if not own.pending_probes}
        for _ in range(number):
            longest = max(
                (
                    own
                    for own, count in parts.items()
                    if own.size / count > enough
                    and not (own.is_import and count > MAX_STEPS)
                ),
                key=lambda own: own.size / parts[own],
                default=None,
            )
            if longest is not None:
                parts[longest] += 1
        return parts

    def _probe(
        self, own: IdRange, cuts: list[int], limit: int
    ) -> Iterator[PageRequest]:
        if not cuts:
            return
        own.pending_probes, own.limit = len(cuts), cuts[0]
        begin, end = self._timed
        for cut, following in pairwise([*cuts, limit]):
            version = "7" if begin <= cut < end else "4"
            yield PageRequest("probe", id_at(cut, version), own, following)
