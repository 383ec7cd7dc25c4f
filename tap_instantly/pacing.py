"""The workspace's request budget, shared by every stream and thread of a run."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PER_MINUTE = 6000
"""https://developer.instantly.ai/getting-started/rate-limit: 100 a second as well."""

LANES = {"/emails": 20}
"""Requests a minute that an endpoint takes besides, by its path."""

MARGIN = 0.98
"""The part of the budget that is used: requests do not arrive quite as they leave."""


class Pacer:
    """Lets requests go at even distances, so that no second has more than its share.

    The limiters that are ready to be had let a burst go first and count afterwards;
    behind a limit a second and a limit a minute at once, that is a refusal.
    """

    def __init__(self, per_minute: int) -> None:
        """Begin a run.

        Args:
            per_minute: Requests that may go in any minute.
        """
        self._lock = threading.Lock()
        self._distance = {"": 60 / (per_minute * MARGIN)}
        self._distance |= {path: 60 / (n * MARGIN) for path, n in LANES.items()}
        self._next = dict.fromkeys(self._distance, 0.0)

    def wait(self, lane: str = "") -> None:
        """Wait until a request may go; before that, in the endpoint's own lane."""
        if lane in self._distance:
            with self._lock:
                now = time.monotonic()
                turn = max(now, self._next[lane])
                self._next[lane] = turn + self._distance[lane]
            if turn > now:
                time.sleep(turn - now)


class Gate:
    """Lets a number of requests be under way at a time."""

    def __init__(self, size: int) -> None:
        """Let so many through."""
        self._free = size
        self._lock = threading.Lock()
        self._waiting: list[tuple[tuple[int, int], int, threading.Lock]] = []
        self._arrivals = itertools.count()

    @contextlib.contextmanager
    def passed(self, place: tuple[int, int]) -> Iterator[None]:
        """Wait to be let through; of all that wait, the first in place is."""
        bell = threading.Lock()
        with self._lock:
            is_full = not self._free
            if is_full:
                bell.acquire()
                heapq.heappush(self._waiting, (place, next(self._arrivals), bell))
            else:
                self._free -= 1
        if is_full:
            bell.acquire()  # rung by a request that is over
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    heapq.heappop(self._waiting)[-1].release()
                else:
                    self._free += 1
