"""Lanes: the requests of a planner, sent by several threads and answered in order."""

from __future__ import annotations

import math
import threading
import typing as t
from concurrent.futures import CancelledError
from http import HTTPStatus

from singer_sdk.exceptions import RetriableAPIError

from tap_instantly.api.errors import RefusedError
from tap_instantly.reading.id_range import WIDTH

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tap_instantly.reading.id_range import PageRequest
    from tap_instantly.reading.id_range_planner import IdRangePlanner
    from tap_instantly.reading.keyed_page import FetchPage, KeyedPage

UNKNOWN_CURSOR = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""How a server may refuse a cursor that it does not know."""


class Lanes:
    """Reads a list in as many lanes as the scheduler merges, each on its own thread.

    Lane 3 of 16 sends the requests 3, 19, 35 and so on, and has a page for each of
    them, if only one without rows. So whoever takes one page of each lane in turn has
    them in the order of the requests. A lane that is not read to its end holds up those
    that wait for its answers, so these are cancelled.
    """

    def __init__(self, planner: IdRangePlanner) -> None:
        """Send nothing yet."""
        self._planner = planner
        self._changed = threading.Condition()
        self._taken = 0
        self._cancelled_from = math.inf

    def read(
        self, lane: int, fetch_page: FetchPage
    ) -> Generator[KeyedPage, None, None]:
        """Yield what each answer to a request of a lane newly brings.

        Raises:
            CancelledError: If the answer to an earlier request does not come.
            CursorLoopError: If the server's cursors lead to nothing new.
            SyncError: If there is no page to be had; the text says why.
        """
        number = lane
        try:
            while request := self._wait_for_request(number):
                answer = _answer(request, fetch_page)
                yield self._take(number, answer)
                number += WIDTH
        except BaseException:
            self.cancel(number)
            raise

    def cancel(self, number: float) -> None:
        """Let no request be answered whose number is larger."""
        with self._changed:
            self._cancelled_from = min(self._cancelled_from, number)
            self._changed.notify_all()

    def _wait_for_request(self, number: int) -> PageRequest | None:
        """Wait until it is decided what to ask; return None if the list is read."""
        requests = self._planner.requests
        with self._changed:
            self._wait(
                number, lambda: not requests or number - self._taken < len(requests)
            )
            return requests[number - self._taken] if requests else None

    def _take(self, number: int, answer: KeyedPage | Exception) -> KeyedPage:
        """Hand an answer to the planner at its turn."""
        with self._changed:
            self._wait(number, lambda: self._taken == number)
            page = self._planner.take(answer)
            self._taken += 1
            self._changed.notify_all()
        return page

    def _wait(self, number: int, is_due: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: is_due() or number > self._cancelled_from)
        if not is_due():
            raise CancelledError


def _answer(request: PageRequest, fetch_page: FetchPage) -> KeyedPage | Exception:
    """Return the answer to a request: a page, or the refusal of the cursor.

    A server may even answer a cursor that it does not know with a fault of its own.

    Raises:
        SyncError: If there is no page for another reason; the text says why.
    """
    try:
        return fetch_page(request.cursor)
    except RefusedError as error:
        if error.status not in UNKNOWN_CURSOR:
            raise
        return error
    except RetriableAPIError as error:
        if request.kind not in {"trial", "probe"}:
            raise
        return error
