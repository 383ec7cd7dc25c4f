"""KeyedPage: a page of rows, with what a paginator goes by."""

from __future__ import annotations

import typing as t
from itertools import compress

from singer_sdk.exceptions import FatalAPIError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    Key: t.TypeAlias = tuple[object, ...]
    FetchPage: t.TypeAlias = Callable[[str | None], "KeyedPage"]
    """Fetches the page after a cursor, or the first page for None."""

PAGE_SIZE = 100
"""Rows a request asks for: the most that the API gives; more it refuses."""


MAX_KNOWN_PAGES = 100
"""Pages in a row without anything new, after which a list is taken for endless.

Fewer may be right: two hundred entries of one kind are two pages that look the same.
"""


class CursorLoopError(FatalAPIError):
    """A list that goes on, but whose cursor leads to nothing new."""

    def __init__(self, cursor: str | None) -> None:
        """Name the cursor."""
        super().__init__(
            f"the list does not end, but nothing new comes after its "
            f"cursor {cursor!a:.60}; run again, and report it if that does not help"
        )


class KeyedPage(t.NamedTuple):
    """A page of rows, with what a paginator goes by.

    Attributes:
        rows: The rows, as they came.
        keys: Their primary keys.
        timestamps: The dates by which the list may be sorted: mostly when the rows were
            created.
        cursor: What asks for the page after this one, or None if there is none.
        size: The bytes of the response.
        content_hash: A hash of the response, by which a page is known that comes again.
        meta: What the response says about the list.
    """

    rows: list[Record]
    keys: list[Key]
    timestamps: list[datetime | None]
    cursor: str | None
    size: int
    content_hash: int
    meta: Mapping[str, t.Any] = {}

    def select(self, is_selected: list[bool]) -> KeyedPage:
        """Return the page with some of its rows.

        Args:
            is_selected: Says of each row whether it is one of them.
        """
        if all(is_selected):
            return self
        return self._replace(
            rows=[*compress(self.rows, is_selected)],
            keys=[*compress(self.keys, is_selected)],
            timestamps=[*compress(self.timestamps, is_selected)],
        )
