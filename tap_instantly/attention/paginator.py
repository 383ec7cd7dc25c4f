"""PageNumberPaginator: a list by the numbers of its pages, whatever it says of them."""

from __future__ import annotations

import typing as t

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_instantly.reading.paginators import Paginator

if t.TYPE_CHECKING:
    from tap_instantly.reading.keyed_page import FetchPage, Key, KeyedPage

PAGE_SIZE = 50
"""Rows a request asks for: the least of the maxima that Attention documents."""


class PageNumberPaginator(Paginator):
    """Reads a list page by page until a page brings nothing new.

    A short page is no end, because the server may give less than it is asked for. Only
    `pageCount` ends a list sooner, unless rows are missing. A server that ignores the
    number brings the same page again, which has nothing new.
    """

    @override
    def __init__(self, fetch_page: FetchPage) -> None:
        super().__init__(fetch_page)
        self._number = 0
        self._seen: set[Key] = set()
        self._total: int | None = None
        self._is_over = False

    @staticmethod
    @override
    def page_params(cursor: str | None) -> dict[str, t.Any]:
        return {"page": int(cursor or 1), "size": PAGE_SIZE}

    @property
    @override
    def has_begun(self) -> bool:
        return self._number > 0

    @override
    def read_page(self) -> KeyedPage | None:
        """Return the rows of the next page that no page before has brought.

        Returns:
            The page, or None at the end of the list.

        Raises:
            FatalAPIError: If the list has promised more rows than it has brought.
        """
        if self._is_over:
            return None
        page = self._fetch_page(str(self._number + 1))
        self._number += 1
        is_new = []
        for key in page.keys:
            is_new.append(key not in self._seen)
            self._seen.add(key)
        total, pages = map(page.meta.get, ("totalRecords", "pageCount"))
        self._total = total if _is_count(total) else self._total
        is_short = self._total is not None and len(self._seen) < self._total
        is_last = _is_count(pages) and self._number >= pages and not is_short
        self._is_over = is_last or not any(is_new)
        if any(is_new):
            next_number = None if self._is_over else str(self._number + 1)
            return page.select(is_new)._replace(cursor=next_number)
        if is_short:
            msg = (
                f"the list promises {self._total} rows, but brings {len(self._seen)}; "
                "run again, and report it if that does not help"
            )
            raise FatalAPIError(msg)
        return None


def _is_count(value: object) -> t.TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
