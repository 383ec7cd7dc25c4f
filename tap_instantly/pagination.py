"""Walking a list to its true end.

With each page a list hands out a cursor, which asks for the rows after that page. It
is either opaque (mostly an id) or the `timestamp_created` of the page's last row. Rows
that share a millisecond at a page's edge would be lost after a timestamp if the server
compares strictly, so the next request overlaps the edge by one millisecond, and the
rows that come again are dropped.
"""

from __future__ import annotations

import typing as t
from collections import deque
from datetime import MAXYEAR, MINYEAR, datetime, timedelta

from tap_instantly.errors import StuckError
from tap_instantly.incremental import MILLISECOND, instant

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.helpers.types import Record

    from tap_instantly.pages import Page

PAGE_SIZE = 100
"""Rows a request asks for: the most that the API gives; for more it gives none."""

SLACK = timedelta(minutes=1)
"""How far a row of an oldest-first list may lie before one that has come already.

Received e-mails trail the order of their ids by up to half a minute.
"""

STEPS_BY_TIME = 1
"""Steps down in time that prove a list newest first if its cursor is a timestamp.

The server itself then goes by time, and the step tells which way.
"""

STEPS_BY_ID = 4
"""Steps down in time that prove a list newest first if its cursor is opaque.

Few, so that a short list takes one request; rows in an order of another kind begin with
so many once in 120 lists, and if the first page then ends early, new rows are missed.
"""


class Walk:
    """One pass over a list, from its first page to its end.

    Iterating yields, page by page, the rows that no page before has brought.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], Page],
        identify: Callable[[Record], tuple[object, ...]],
        date: Callable[[Record], datetime | None],
        on_unreachable: Callable[[datetime], None],
    ) -> None:
        """Prepare to walk.

        Args:
            fetch: Gets the page after a cursor, or the first page for None.
            identify: Gives a row's primary key.
            date: Gives a row's instant, by which the list may be in order.
            on_unreachable: Called with an instant that more rows share than the
                cursor can reach.
        """
        self.fetch = fetch
        self.identify = identify
        self.date = date
        self.on_unreachable = on_unreachable
        self._rises = self._falls = 0
        self._last: datetime | None = None
        self._newest: datetime | None = None
        self._deepest = timedelta()
        self._edge: datetime | None = None
        self._seen: dict[tuple[object, ...], datetime | None] = {}
        self._firsts: set[int] = set()
        self._ends_pages_early = False
        self._warned: datetime | None = None

    def __iter__(self) -> Iterator[list[Record]]:
        """Yield the new rows of each page.

        Raises:
            StuckError: If the cursor leads to nothing new.
        """
        page: Page | None = self.fetch(None)
        while page and page.rows:
            yield self._take(page)
            is_short = len(page.rows) < PAGE_SIZE
            page = self._page_after(page)
            self._ends_pages_early |= is_short and page is not None

    @property
    def is_newest_first(self) -> bool:
        """Whether the rows so far prove that all rows to come are older."""
        steps = STEPS_BY_ID if self._edge is None else STEPS_BY_TIME
        return self._falls >= steps and not self._rises

    @property
    def is_oldest_first(self) -> bool:
        """Whether all rows so far speak for it that none to come is older by much."""
        return self._rises > self._falls and self._deepest <= SLACK

    def _take(self, page: Page) -> list[Record]:
        """Return the new rows of a page, and remember what the next may repeat."""
        rows = self._new(page)
        for row in rows:
            self._watch(self.date(row))
        first = hash(self.identify(rows[0]))
        if first in self._firsts:  # the cursor leads in a circle
            raise StuckError(page.cursor)
        self._firsts.add(first)
        self._edge = _time(page.cursor) if self._last else None
        self._seen = {key: at for key, at in self._seen.items() if self._is_edge(at)}
        self._seen |= {self.identify(row): self.date(row) for row in page.rows}
        return rows

    def _new(self, page: Page) -> list[Record]:
        """Return the rows that no page before has brought, each once."""
        rows: dict[tuple[object, ...], Record] = {}
        for row in page.rows:
            key = self.identify(row)
            if key not in self._seen:
                rows.setdefault(key, row)
        return list(rows.values())

    def _watch(self, moment: datetime | None) -> None:
        """Learn the list's order from its next row."""
        if moment and self._last:
            self._rises += moment > self._last
            self._falls += moment < self._last
            if moment < self._last and self._newest:
                self._deepest = max(self._deepest, self._newest - moment)
        if moment and (self._newest is None or moment > self._newest):
            self._newest = moment
        self._last = moment or self._last

    @property
    def _follows_time(self) -> bool:
        """Whether the cursor is an instant and the rows, but for a few, agree to it."""
        few, many = sorted((self._rises, self._falls))
        return self._edge is not None and few * 4 <= many

    def _is_edge(self, moment: datetime | None) -> bool:
        """Tell whether the overlapping request may bring rows of this instant."""
        return (
            self._follows_time
            and moment is not None
            and self._edge is not None
            and abs(moment - self._edge) <= MILLISECOND
        )

    def _page_after(self, page: Page) -> Page | None:
        """Return the next page that brings new rows, or None at the end."""
        if page.cursor is None:
            return None
        if self._edge is not None and self._follows_time:
            return self._page_after_edge(page.cursor, self._edge)
        following = self.fetch(page.cursor)
        if self._new(following):
            return following
        # A server that compares inclusively ends with the row that the cursor names.
        last = self.identify(page.rows[-1])
        if any(self.identify(row) != last for row in following.rows):
            raise StuckError(page.cursor)
        return None

    def _page_after_edge(self, cursor: str, edge: datetime) -> Page | None:
        """Return the next page with new rows of a list that is read along its time.

        The overlap is asked for first. If it brings nothing new, the cursor as it is
        tells the end of the list from a page that one millisecond fills; and if the
        server compares inclusively, so that only the edge comes again, a millisecond
        past the edge tells.
        """
        back = -1 if self._rises > self._falls else 1
        steps = deque([back, 0, -back])
        tied = 0
        while steps:
            step = steps.popleft()
            page = self.fetch(_shift(cursor, edge, step))
            if not tied and self._turns_out_oldest_first(page, edge):
                self._rises += 1
                return self._page_after_edge(cursor, edge)
            is_new = bool(self._new(page))
            if is_new or not page.rows or page.cursor is None:
                is_cut = (
                    tied > 1 and step != back and (is_new or self._ends_pages_early)
                )
                if (is_cut or tied >= PAGE_SIZE) and edge != self._warned:
                    self._warned = edge
                    self.on_unreachable(edge)
                return page if is_new else None
            moments = [self.date(row) for row in page.rows]
            if not all(map(self._is_edge, moments)):
                break
            if set(moments) == {edge}:
                if not tied and 1 < len(moments) < PAGE_SIZE:
                    steps.appendleft(back)  # the page may have ended early: once more
                tied = max(tied, len(moments))
        raise StuckError(cursor)

    def _turns_out_oldest_first(self, page: Page, edge: datetime) -> bool:
        """Tell whether a request above the edge, made unknowing, has missed it."""
        if self._rises or self._falls:
            return False
        moments = map(self.date, page.rows)
        return not any(moment and moment <= edge for moment in moments)


def _time(cursor: str | None) -> datetime | None:
    """Return the instant that a cursor names, or None if it is opaque."""
    if cursor is None or cursor[10:11] not in {"T", " "}:
        return None
    try:
        moment = instant(cursor)
    except ValueError:
        return None
    return moment if MINYEAR < moment.year < MAXYEAR else None


def _shift(cursor: str, moment: datetime, milliseconds: int) -> str:
    """Return a timestamp cursor, moved, in the spelling of the API."""
    if not milliseconds:
        return cursor
    moved = moment + milliseconds * MILLISECOND
    precision = "microseconds" if moved.microsecond % 1000 else "milliseconds"
    text = moved.isoformat(sep=cursor[10], timespec=precision)
    return text.replace("+00:00", "Z") if cursor.endswith("Z") else text
