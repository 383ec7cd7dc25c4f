"""Paginators: from one page of a list to the next, to its true end."""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod
from itertools import compress

from typing_extensions import override

from tap_instantly.reading.edge_probe import EdgeProbe, are_near, parse_cursor
from tap_instantly.reading.keyed_page import (
    MAX_KNOWN_PAGES,
    PAGE_SIZE,
    CursorLoopError,
)
from tap_instantly.reading.sort_order import SortOrderObserver

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tap_instantly.incremental import TimeWindow
    from tap_instantly.reading.keyed_page import FetchPage, Key, KeyedPage


class LoopDetector:
    """Tells a list that goes round in a circle from one that goes on.

    A list that is right brings a row once, but for the edges of its pages. It would
    take too much memory to remember every row, so of each page one is remembered: in a
    circle it comes again, on whatever page.
    """

    def __init__(self) -> None:
        """Begin before the first page."""
        self._samples: set[int] = set()
        self._cursors: set[int] = set()
        self._known_pages = 1  # in a row, with the page that they repeat

    def observe(self, cursor: str | None, new_keys: Iterable[object]) -> None:
        """Take in the next page.

        Args:
            cursor: What asks for the page after it.
            new_keys: The keys of its rows, but for those that the last pages had.

        Raises:
            CursorLoopError: If the list goes round in a circle.
        """
        hashes = [hash(key) for key in new_keys]
        is_known = not hashes or not self._samples.isdisjoint(hashes)
        self._samples.update(hashes[:1])
        self._known_pages = self._known_pages + 1 if is_known else 1
        is_used = hash(cursor) in self._cursors
        self._cursors.add(hash(cursor))
        is_loop = self._known_pages >= MAX_KNOWN_PAGES or (is_known and is_used)
        if is_loop and cursor is not None:
            raise CursorLoopError(cursor)


class Paginator(ABC):
    """Reads a list to its end.

    Attributes:
        unreachable: A timestamp that more rows share than the cursor can reach.
    """

    unreachable: datetime | None = None

    def __init__(self, fetch_page: FetchPage) -> None:
        """Begin before the first page."""
        self._fetch_page = fetch_page

    @staticmethod
    def page_params(cursor: str | None) -> dict[str, t.Any]:
        """Return the parameters that ask for the page after a cursor."""
        return {"limit": PAGE_SIZE} | ({"starting_after": cursor} if cursor else {})

    @property
    @abstractmethod
    def has_begun(self) -> bool:
        """Whether a page has been read."""

    @property
    def is_oldest_first(self) -> bool:
        """Whether no much older row is to be expected."""
        return False

    def is_past(self, window: TimeWindow) -> bool:  # noqa: ARG002 (not known here)
        """Tell whether it is proven that all rows to come are older than a window."""
        return False

    @abstractmethod
    def read_page(self) -> KeyedPage | None:
        """Return the rows of the next page that no page before has brought.

        Returns:
            The page, or None at the end of the list.

        Raises:
            CursorLoopError: If nothing but known pages come.
        """

    def close(self) -> None:  # noqa: B027 (most have nothing to do then)
        """Read no further."""


class CursorPaginator(Paginator):
    """Reads a list whose pages each name the cursor of the next.

    The cursor is either opaque (mostly an id) or the `timestamp_created` of the page's
    last row. A server that compares such a timestamp strictly would skip the other rows
    of that millisecond. So the next request overlaps the edge of the page by one
    millisecond, and rows that come again are dropped.

    Take pages of two rows, newest first, and the rows a (12:02), b and c (12:01) and d
    (12:00). The first page has a and b, and the cursor 12:01. The paginator asks for
    what comes after 12:01 and a millisecond, gets b and c, and hands on c alone. A
    strict server that is asked for what comes after 12:01 would begin with d.
    """

    def __init__(self, fetch_page: FetchPage) -> None:
        """Begin before the first page."""
        super().__init__(fetch_page)
        self._order = SortOrderObserver()
        self._previous: KeyedPage | None = None  # without its rows
        self._last_created: datetime | None = None
        self._edge: datetime | None = None
        self._seen: dict[Key, datetime | None] = {}
        self._loop_detector = LoopDetector()
        self._has_short_pages = False
        self._begins_full = False

    @property
    @override
    def has_begun(self) -> bool:
        return self._previous is not None

    @override
    def is_past(self, window: TimeWindow) -> bool:
        # A list whose first page is not full may be in any order.
        is_newest_first = self._begins_full and self._order.is_newest_first
        return is_newest_first and window.begins_after(self._last_created)

    @property
    @override
    def is_oldest_first(self) -> bool:
        return self._order.is_oldest_first

    @override
    def read_page(self) -> KeyedPage | None:
        previous = self._previous
        if previous is None:
            page: KeyedPage | None = self._fetch_page(None)
            self._begins_full = page is not None and len(page.keys) >= PAGE_SIZE
        else:
            page = self._find_next(previous)
        if page is None or not page.keys:
            return None
        if previous is not None and len(previous.keys) < PAGE_SIZE:
            self._has_short_pages = True
        self._previous = page._replace(rows=[])
        return self._take(page)

    def _take(self, page: KeyedPage) -> KeyedPage:
        """Return the new rows of a page, and remember what the next may repeat."""
        new = self._select_new(page)
        self._order.observe(filter(None, new.timestamps))
        self._last_created = new.timestamps[-1]
        self._loop_detector.observe(page.cursor, new.keys)
        self._edge = parse_cursor(page.cursor) if self._order.has_observed else None
        near_edge = self._are_near_edge(self._seen.values())
        self._seen = dict(compress(self._seen.items(), near_edge))
        self._seen |= dict(zip(page.keys, page.timestamps, strict=True))
        return new

    def _select_new(self, page: KeyedPage) -> KeyedPage:
        """Return the rows that no page before has brought, each once."""
        known = set(self._seen)
        is_new = []
        for key in page.keys:
            is_new.append(key not in known)
            known.add(key)
        return page.select(is_new)

    @property
    def _is_read_along_time(self) -> bool:
        """Whether the cursor is a timestamp and the order of the rows agrees."""
        return self._edge is not None and self._order.is_mostly_sorted

    def _are_near_edge(self, timestamps: Iterable[datetime | None]) -> list[bool]:
        """Tell of which timestamps the overlapping request may bring rows again."""
        if self._edge is None or not self._is_read_along_time:
            return [False for _ in timestamps]
        return are_near(self._edge, timestamps)

    def _has_new(self, page: KeyedPage) -> bool:
        """Tell whether a page brings anything that no page before has brought."""
        return any(key not in self._seen for key in page.keys)

    def _find_next(self, previous: KeyedPage) -> KeyedPage | None:
        """Return the next page that brings new rows, or None at the end."""
        cursor = previous.cursor
        while cursor is not None:
            page = self._follow(cursor, previous.keys[-1])
            if page is None or self._has_new(page):
                return page
            self._loop_detector.observe(page.cursor, ())
            cursor = page.cursor
        return None

    def _follow(self, cursor: str, last_key: Key) -> KeyedPage | None:
        """Return the page after a cursor, or None at the end of the list."""
        edge = parse_cursor(cursor) if self._edge is not None else None
        if edge is None or not self._is_read_along_time:
            page = self._fetch_page(cursor)
            # A server that compares inclusively ends with the row of the cursor.
            is_end = page.cursor in {None, cursor} and {*page.keys} <= {last_key}
            return None if is_end else page
        probe = EdgeProbe(
            self._fetch_page,
            self._has_new,
            self._order,
            has_short_pages=self._has_short_pages,
        )
        found = probe.find_page(cursor, edge)
        if probe.is_cut:
            self.unreachable = edge
        return found


class OffsetPaginator(Paginator):
    """Reads a list by the number of rows to skip; their positions are their keys.

    After a first page of 100 rows and a second of 30 it asks with `offset=0`, `100` and
    `130`, and the empty page ends the list.
    """

    def __init__(self, fetch_page: FetchPage) -> None:
        """Begin before the first page."""
        super().__init__(fetch_page)
        self._offset = 0
        self._loop_detector = LoopDetector()

    @staticmethod
    @override
    def page_params(cursor: str | None) -> dict[str, t.Any]:
        return {"offset": int(cursor or 0), "limit": PAGE_SIZE}

    @property
    @override
    def has_begun(self) -> bool:
        return bool(self._offset)

    @override
    def read_page(self) -> KeyedPage | None:
        page = self._fetch_page(str(self._offset))
        if not page.rows:
            return None
        self._offset += len(page.rows)
        self._loop_detector.observe(str(self._offset), [page.content_hash])
        return page._replace(cursor=str(self._offset))
