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
from itertools import compress

from tap_instantly.errors import StuckError
from tap_instantly.incremental import MILLISECOND, instant

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from singer_sdk.helpers.types import Record

    from tap_instantly.pages import Page

    Key: t.TypeAlias = tuple[object, ...]

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


class Sheet(t.NamedTuple):
    """Rows of a page, with what a walk goes by.

    Attributes:
        page: The page.
        rows: The rows, as they came.
        keys: Their primary keys.
        moments: Their instants.
    """

    page: Page
    rows: list[Record]
    keys: list[Key]
    moments: list[datetime | None]

    def only(self, chosen: list[bool]) -> Sheet:
        """Return some of the rows.

        Args:
            chosen: Says of each row whether it is one of them.
        """
        if all(chosen):
            return self
        return Sheet(
            self.page,
            [*compress(self.rows, chosen)],
            [*compress(self.keys, chosen)],
            [*compress(self.moments, chosen)],
        )


class Walk:
    """One pass over a list, from its first page to its end.

    Iterating yields, page by page, the rows that no page before has brought.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], Page],
        identify: Callable[[list[Record]], list[Key]],
        date: Callable[[list[Record]], list[datetime | None]],
        on_unreachable: Callable[[datetime], None],
    ) -> None:
        """Prepare to walk.

        Args:
            fetch: Gets the page after a cursor, or the first page for None.
            identify: Gives the primary keys of rows.
            date: Gives the instants of rows, by which the list may be in order.
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
        self._seen: dict[Key, datetime | None] = {}
        self._firsts: set[int] = set()
        self._ends_pages_early = False
        self._warned: datetime | None = None

    def __iter__(self) -> Iterator[Sheet]:
        """Yield the new rows of each page.

        Raises:
            StuckError: If the cursor leads to nothing new.
        """
        sheet: Sheet | None = self._read(None)
        while sheet and sheet.keys:
            is_short = len(sheet.keys) < PAGE_SIZE
            yield self._take(sheet)
            sheet = self._sheet_after(sheet)
            self._ends_pages_early |= is_short and sheet is not None

    @property
    def is_newest_first(self) -> bool:
        """Whether the rows so far prove that all rows to come are older."""
        steps = STEPS_BY_ID if self._edge is None else STEPS_BY_TIME
        return self._falls >= steps and not self._rises

    @property
    def is_oldest_first(self) -> bool:
        """Whether all rows so far speak for it that none to come is older by much."""
        return self._rises > self._falls and self._deepest <= SLACK

    def _read(self, cursor: str | None) -> Sheet:
        page = self.fetch(cursor)
        rows = page.rows
        return Sheet(page, rows, self.identify(rows), self.date(rows))

    def _take(self, sheet: Sheet) -> Sheet:
        """Return the new rows of a page, and remember what the next may repeat."""
        new = self._new(sheet)
        self._watch(filter(None, new.moments))
        first = hash(new.keys[0])
        if first in self._firsts:  # the cursor leads in a circle
            raise StuckError(sheet.page.cursor)
        self._firsts.add(first)
        self._edge = _time(sheet.page.cursor) if self._last else None
        are_edges = self._are_edges(self._seen.values())
        self._seen = dict(compress(self._seen.items(), are_edges))
        self._seen |= dict(zip(sheet.keys, sheet.moments, strict=True))
        return new

    def _new(self, sheet: Sheet) -> Sheet:
        """Return the rows that no page before has brought, each once."""
        known = set(self._seen)
        is_new = []
        for key in sheet.keys:
            is_new.append(key not in known)
            known.add(key)
        return sheet.only(is_new)

    def _watch(self, moments: Iterable[datetime]) -> None:
        """Learn the list's order from its next rows."""
        last, newest = self._last, self._newest
        for moment in moments:
            if last is None or newest is None:
                newest = moment
            elif moment < last:
                self._falls += 1
                self._deepest = max(self._deepest, newest - moment)
            elif moment > last:
                self._rises += 1
                newest = max(newest, moment)
            last = moment
        self._last, self._newest = last, newest

    @property
    def _follows_time(self) -> bool:
        """Whether the cursor is an instant and the rows, but for a few, agree to it."""
        few, many = sorted((self._rises, self._falls))
        return self._edge is not None and few * 4 <= many

    def _are_edges(self, moments: Iterable[datetime | None]) -> list[bool]:
        """Tell which instants the overlapping request may bring rows of."""
        if self._edge is None or not self._follows_time:
            return [False for _ in moments]
        low, high = self._edge - MILLISECOND, self._edge + MILLISECOND
        return [at is not None and low <= at <= high for at in moments]

    def _is_new(self, sheet: Sheet) -> bool:
        """Tell whether a page brings anything that no page before has brought."""
        return any(key not in self._seen for key in sheet.keys)

    def _sheet_after(self, sheet: Sheet) -> Sheet | None:
        """Return the next page that brings new rows, or None at the end."""
        cursor = sheet.page.cursor
        if cursor is None:
            return None
        if self._edge is not None and self._follows_time:
            return self._sheet_after_edge(cursor, self._edge)
        following = self._read(cursor)
        if self._is_new(following):
            return following
        # A server that compares inclusively ends with the row that the cursor names.
        if any(key != sheet.keys[-1] for key in following.keys):
            raise StuckError(cursor)
        return None

    def _sheet_after_edge(self, cursor: str, edge: datetime) -> Sheet | None:
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
            sheet = self._read(_shift(cursor, edge, step))
            if not tied and self._turns_out_oldest_first(sheet, edge):
                self._rises += 1
                return self._sheet_after_edge(cursor, edge)
            is_new = self._is_new(sheet)
            if is_new or not sheet.keys or sheet.page.cursor is None:
                is_cut = (
                    tied > 1 and step != back and (is_new or self._ends_pages_early)
                )
                if (is_cut or tied >= PAGE_SIZE) and edge != self._warned:
                    self._warned = edge
                    self.on_unreachable(edge)
                return sheet if is_new else None
            moments = sheet.moments
            if not all(self._are_edges(moments)):
                break
            if set(moments) == {edge}:
                if not tied and 1 < len(moments) < PAGE_SIZE:
                    steps.appendleft(back)  # the page may have ended early: once more
                tied = max(tied, len(moments))
        raise StuckError(cursor)

    def _turns_out_oldest_first(self, sheet: Sheet, edge: datetime) -> bool:
        """Tell whether a request above the edge, made unknowing, has missed it."""
        if self._rises or self._falls:
            return False
        return not any(moment and moment <= edge for moment in sheet.moments)


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
