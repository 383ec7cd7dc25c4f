"""IdRangePlanner: what to ask next of a list that comes by id ascending.

Page after page, such a list takes long, because each page brings the cursor of the
next. Where the server takes any id as a cursor, made-up ids let reading begin at many
places.

Take the ids 10 to 90. The planner reads 10 to 40, finds by a trial that the server
takes made-up cursors, goes on with 50 and sends a probe: what comes after 70? It is
answered with 72 to 78, which become a range of their own. The range before it goes on
until it sees 72, whatever lies between. So a probe that misses rows costs time, but no
row.

No row comes twice, and none is lost: a range hands on only ids between the last that
it has handed on and the first of the next range. It is finished when it has seen that
one. If it does not see it, because the row was deleted or because the server
contradicts itself, a check must show a row on which both ranges agree. If none does,
the ranges after it are given up, and the list is read on page by page.
"""

from __future__ import annotations

import typing as t
from collections import deque
from itertools import compress

from singer_sdk.exceptions import RetriableAPIError

from tap_instantly.reading.id_range import WIDTH, IdRange, PageRequest, RangeDivider
from tap_instantly.reading.ids import id_before, place_of
from tap_instantly.reading.keyed_page import CursorLoopError, KeyedPage
from tap_instantly.reading.paginators import LoopDetector

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_instantly.reading.id_range import Kind

SEQUENTIAL_ROWS = 500
"""Rows up to which a list is read page by page, without any extra request."""

MAX_WASTE = 37
"""Requests that may bring nothing new; half a page of new rows is half of one."""

MAX_TRIALS = 2
"""How often a made-up cursor is tried before the list is read page by page."""

MAX_STALE_PAGES = 10
"""Pages in a row that may bring nothing new before they are called a loop."""

MAX_RETRIES = 3
"""How often in a row a page or a boundary is asked for in another way."""

IN_FLIGHT, MIN_IN_FLIGHT = 13, 10
"""Requests in flight below which ranges are divided again: 100 a second at 0.1 s.

It begins with the first number, and becomes the second as requests are wasted.
"""

THRIFT = 6
"""Requests that must be wasted before one fewer is wanted in flight."""


class IdRangePlanner:
    """Decides what to ask next, from the answers in the order of the requests.

    So neither the requests nor the order of the rows depend on when an answer comes.

    Attributes:
        requests: The requests under way; `take` expects the answer to the first.
    """

    def __init__(self, id_field: str, now_ms: int, warn: Callable[[str], None]) -> None:
        """Begin with the first page.

        Args:
            id_field: The field by which the list comes.
            now_ms: Milliseconds since 1970.
            warn: Called with a sentence if the list cannot be read in ranges.
        """
        first = IdRange()
        self.requests = deque([PageRequest("page", None, first)])
        self._id_field = id_field
        self._warn = warn
        self._ranges = [first]
        self._divider = RangeDivider(now_ms)
        self._waste = 0.0
        self._trials_left = MAX_TRIALS
        self._takes_made_up = False
        self._hides_unknown = False
        self._loop_detector: LoopDetector | None = None  # set if not in order of ids

    def take(self, answer: KeyedPage | Exception) -> KeyedPage:
        """Return what the answer to the first request newly brings.

        Args:
            answer: A page, or the exception by which the server refused the cursor.

        Raises:
            CursorLoopError: If the server's cursors lead to nothing new.
            Exception: The refusal of the server's own cursor.
        """
        request = self.requests.popleft()
        own = request.range
        page = NO_PAGE if isinstance(answer, Exception) else answer
        ids = [str(row.get(self._id_field)).lower() for row in page.rows]
        is_new = [False] * len(ids)
        if own not in self._ranges:  # it has been given up
            pass
        elif request.kind == "trial":
            is_new = self._take_trial(own, page, ids, answer)
        elif request.kind == "probe":
            is_new = self._take_probe(request, page, ids)
        elif request.kind == "check":
            self._take_check(own, ids, is_refused=page is NO_PAGE)
        elif isinstance(answer, Exception):
            self._retry(own, answer)
        else:
            is_new = self._take_page(own, page, ids)
        if self._takes_made_up:
            self._divide()
        return page.select(is_new or [False] * len(ids))

    def _take_page(self, own: IdRange, page: KeyedPage, ids: list[str]) -> list[bool]:
        """Tell which rows of a range's next page are new."""
        if not ids and self._hides_unknown and own.retries < MAX_RETRIES:
            return self._retry(own)  # the row that the cursor names may be deleted
        if self._loop_detector is None and not self._is_in_order(own, ids):
            begins_again = _is_rising(ids) and ids[-1] <= own.last
            if begins_again and own.retries < MAX_RETRIES:
                return self._retry(own)  # for the same reason
            self._warn("the list is not in the order of its ids: read page by page")
            self._loop_detector = LoopDetector()
            if self._distrust() is not own:
                return []
        return self._advance(own, page, ids)

    @staticmethod
    def _is_in_order(own: IdRange, ids: list[str]) -> bool:
        """Tell whether a page can be the next one of a list in the order of its ids.

        A page that was asked for in another way may begin before the last row.
        """
        if all(i >= own.last or i in own.tail for i in ids):
            return _is_rising(ids)
        return _is_rising(ids) and own.retries > 0 and ids[-1] > own.last

    def _advance(self, own: IdRange, page: KeyedPage, ids: list[str]) -> list[bool]:
        """Tell which rows of a page no other range brings, and go on after it."""
        following = self._after(own)
        is_new = self._tell_new(own, ids)
        is_end = (
            not ids
            or not page.cursor
            or ids == own.tail[-1:]  # the server compares inclusively
            or (following is not None and ids == [own.last])
            or (own.retries > 0 and not any(is_new) and following is None)
        )
        own.stale_pages = 0 if any(is_new) or not ids else own.stale_pages + 1
        if following is not None:
            is_new = [
                new and i < following.first for i, new in zip(ids, is_new, strict=True)
            ]
        within = sum(is_new)
        self._waste += 1 - within / len(ids) if ids else 1
        own.tail = ids if ids or following else own.tail
        own.last = max(
            [own.last, *(i for i, new in zip(ids, is_new, strict=True) if new)]
        )
        own.rows_read += within
        if ids and self._takes_made_up:
            own.note_density(place_of(ids[0]))
        if is_end if following is None else following.first in ids:
            own.is_finished = True
        elif following is not None and (is_end or ids[-1] > following.first):
            own.cursor = own.last
            self._ask("check", id_before(following.first), own)
        else:
            own.cursor, own.retries = page.cursor, 0
            self._raise_if_loop(own, compress(ids, is_new))
            self._go_on(own)
        return is_new

    def _tell_new(self, own: IdRange, ids: list[str]) -> list[bool]:
        """Tell which ids have not come before."""
        is_in_order = self._loop_detector is None
        known = set() if is_in_order else set(own.tail)
        is_new = []
        for i in ids:
            is_new.append(i not in known and (i > own.last or not is_in_order))
            known.add(i)
        return is_new

    def _raise_if_loop(self, own: IdRange, new_ids: Iterable[str]) -> None:
        if self._loop_detector is not None:
            self._loop_detector.observe(own.cursor, new_ids)
        if own.stale_pages > MAX_STALE_PAGES:
            raise CursorLoopError(own.cursor)

    def _go_on(self, own: IdRange) -> None:
        """Ask for the next page, and find out whether a made-up cursor brings it."""
        is_wanted = self._trials_left and not self._takes_made_up
        is_ripe = self._loop_detector is None and own.rows_read > SEQUENTIAL_ROWS
        made_up = id_before(own.last) if is_wanted and is_ripe else None
        if made_up is not None:
            self._ask("trial", made_up, own)
        else:
            self._ask("page", own.cursor, own)

    def _take_trial(
        self,
        own: IdRange,
        page: KeyedPage,
        ids: list[str],
        answer: KeyedPage | Exception,
    ) -> list[bool]:
        """Tell which rows of a trial are new.

        A server that compares answers with the last row again, and what follows it. If
        it does not, that row may just have been deleted.
        """
        self._takes_made_up = ids[:1] == [own.last] and _is_rising(ids)
        if self._takes_made_up and len(ids) > 1:
            return self._advance(own, page, ids)
        self._trials_left -= 1
        if isinstance(answer, RetriableAPIError):  # which takes minutes
            self._trials_left = 0
        self._hides_unknown |= answer is page and not ids
        self._ask("page", own.cursor, own)
        return []

    def _take_probe(
        self, request: PageRequest, page: KeyedPage, ids: list[str]
    ) -> list[bool]:
        """Begin a range, unless its rows come with others."""
        request.range.pending_probes -= 1
        is_after = _is_rising(ids) and ids[:1] > [request.cursor or ""]
        if page is NO_PAGE or (ids and not is_after):
            self._takes_made_up, self._trials_left = False, 0  # no more of these
        if ids and self._takes_made_up:
            previous = [own for own in self._ranges if own.first <= ids[0]][-1]
            following = self._after(previous)
            is_before = following is None or ids[0] < following.first
            if not previous.is_finished and ids[0] > previous.last and is_before:
                begun = IdRange(ids[0], limit=request.limit)
                self._ranges.insert(self._ranges.index(previous) + 1, begun)
                return self._advance(begun, page, ids)
            previous.limit = max(previous.limit, request.limit)
        self._waste += 1
        return []

    def _take_check(self, own: IdRange, ids: list[str], *, is_refused: bool) -> None:
        """Compare how the next range begins by now with what this range has seen."""
        following = self._after(own)
        self._waste += 1
        if following is not None and not is_refused:
            seen = {i for i in own.tail if i > following.first}
            found = {i for i in ids if i >= following.first}
            if seen & found or not seen | found:
                own.is_finished = True
                return
        own.retries += 1
        if own.retries <= MAX_RETRIES or following is None or self._distrust() is own:
            self._ask("page", own.cursor, own)

    def _distrust(self) -> IdRange:
        """Give up all ranges after the first unfinished one, whose rows are proven."""
        self._takes_made_up, self._trials_left = False, 0
        proven = next(own for own in self._ranges if not own.is_finished)
        proven.retries = 0
        place = self._ranges.index(proven) + 1
        if self._ranges[place:]:
            self._warn(
                "made-up cursors contradict the server's own, so the list is read on "
                "page by page; rows may come twice"
            )
            del self._ranges[place:]
            proven.tail = [proven.last]
        return proven

    def _retry(self, own: IdRange, error: Exception | None = None) -> list[bool]:
        """Ask with the id of a row further up, since the last one may be deleted."""
        own.retries += 1
        if own.retries <= MAX_RETRIES and own.retries < len(own.tail):
            self._ask("page", own.tail[-1 - own.retries], own)
        elif error is not None:
            raise error
        else:
            own.retries = MAX_RETRIES
            self._ask("page", own.cursor, own)
        return []

    def _ask(self, kind: Kind, cursor: str | None, own: IdRange) -> None:
        self.requests.append(PageRequest(kind, cursor, own))

    def _after(self, own: IdRange) -> IdRange | None:
        place = self._ranges.index(own) + 1
        return self._ranges[place] if place < len(self._ranges) else None

    def _divide(self) -> None:
        """Begin ranges within those that seem longest, as far as requests are left.

        Each unfinished range and each probe may yet bring nothing once.
        """
        unread = [own for own in self._ranges if not own.is_finished]
        probes = sum(request.kind == "probe" for request in self.requests)
        wanted = max(MIN_IN_FLIGHT, IN_FLIGHT - int(self._waste / THRIFT))
        if not self._divider.has_divided:
            wanted = WIDTH
        left = int(MAX_WASTE - self._waste - probes - len(unread))
        number = min(wanted - len(self.requests), left)
        if number > 0 and unread:
            self.requests.extend(self._divider.divide(unread, number))


NO_PAGE = KeyedPage([], [], [], None, 0, 0)
"""What stands in place of a page that was refused."""


def _is_rising(ids: list[str]) -> bool:
    """Tell whether ids are ascending and none is blank."""
    return all(ids) and ids == sorted(ids)
