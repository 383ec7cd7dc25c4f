"""EdgeProbe: past a page's last millisecond, on lists whose cursor is a timestamp."""

from __future__ import annotations

import typing as t
from collections import deque
from datetime import MAXYEAR, MINYEAR, datetime

from tap_instantly.incremental import MILLISECOND, parse_timestamp
from tap_instantly.reading.keyed_page import PAGE_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_instantly.reading.keyed_page import FetchPage, KeyedPage
    from tap_instantly.reading.sort_order import SortOrderObserver


class EdgeProbe:
    """Finds the page after one that ends at a timestamp, the edge.

    Three requests may be needed. The first overlaps the edge by a millisecond. If it
    brings nothing new, the second uses the cursor as it is: it tells the end of the
    list from a page that one millisecond fills. If the server compares inclusively, so
    that only the rows at the edge come again, the third goes a millisecond past it.

    For the edge 12:00:00.000 of a list that is newest first, that is
    `starting_after=12:00:00.001`, then `12:00:00.000`, then `11:59:59.999`.

    Attributes:
        is_cut: Whether more rows share the edge than the cursor can reach.
    """

    def __init__(
        self,
        fetch_page: FetchPage,
        has_new: Callable[[KeyedPage], bool],
        order: SortOrderObserver,
        *,
        has_short_pages: bool,
    ) -> None:
        """Take what is known of the list so far."""
        self._fetch_page = fetch_page
        self._has_new = has_new
        self._order = order
        self._has_short_pages = has_short_pages
        self.is_cut = False

    def find_page(self, cursor: str, edge: datetime) -> KeyedPage | None:
        """Return the next page, or None at the end of the list.

        Returns:
            The page with new rows; if there is none although the list goes on, the
            last one that came.
        """
        back = -1 if self._order.is_mostly_ascending else 1
        steps = deque([back, 0, -back])
        tied = 0  # rows of one page that all lie at the edge
        while steps:
            step = steps.popleft()
            page = self._fetch_page(_shift(cursor, edge, step))
            if not tied and self._turns_out_oldest_first(page, edge):
                self._order.ascents += 1
                return self.find_page(cursor, edge)
            has_new = self._has_new(page)
            if has_new or not page.keys or page.cursor is None:
                may_skip = tied > 1 and step != back
                may_skip = may_skip and (has_new or self._has_short_pages)
                self.is_cut = may_skip or tied >= PAGE_SIZE
                return page if has_new else None
            timestamps = page.timestamps
            if not all(are_near(edge, timestamps)):
                return page
            if set(timestamps) == {edge}:
                if not tied and 1 < len(timestamps) < PAGE_SIZE:
                    steps.appendleft(back)  # the page may have ended early: once more
                tied = max(tied, len(timestamps))
        return page

    def _turns_out_oldest_first(self, page: KeyedPage, edge: datetime) -> bool:
        """Tell whether a request above the edge, in unknown order, has missed it."""
        if not self._order.is_unknown:
            return False
        return not any(stamp and stamp <= edge for stamp in page.timestamps)


def parse_cursor(cursor: str | None) -> datetime | None:
    """Return the timestamp that a cursor is, or None if it is opaque."""
    if cursor is None or cursor[10:11] not in {"T", " "}:
        return None
    try:
        timestamp = parse_timestamp(cursor)
    except ValueError:
        return None
    return timestamp if MINYEAR < timestamp.year < MAXYEAR else None


def are_near(edge: datetime, timestamps: Iterable[datetime | None]) -> list[bool]:
    """Tell which timestamps lie within a millisecond of the edge."""
    low, high = edge - MILLISECOND, edge + MILLISECOND
    return [stamp is not None and low <= stamp <= high for stamp in timestamps]


def _shift(cursor: str, timestamp: datetime, milliseconds: int) -> str:
    """Return a timestamp cursor, moved, in the spelling of the API."""
    if not milliseconds:
        return cursor
    moved = timestamp + milliseconds * MILLISECOND
    precision = "microseconds" if moved.microsecond % 1000 else "milliseconds"
    text = moved.isoformat(sep=cursor[10], timespec=precision)
    return text.replace("+00:00", "Z") if cursor.endswith("Z") else text
