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

ENDPOINT_LIMITS = {"/emails": 20}
"""Requests a minute to an endpoint that has a limit of its own, by its path."""

MARGIN = 0.98
"""The part of the budget that is used: requests do not arrive quite as they leave."""


class RateLimiter:
    """Sends requests at even intervals, so that no second has more than its share.

    Ready-made limiters let a burst go first and count afterwards. Behind a limit a
    second and a limit a minute at once, Instantly would refuse part of the burst.
    """

    def __init__(self, per_minute: int) -> None:
        """Begin a run.

        Args:
            per_minute: Requests that may be sent in any minute.
        """
        self._lock = threading.Lock()
        self._limits = {"": per_minute, **ENDPOINT_LIMITS}
        self._interval = {"": 60 / (per_minute * MARGIN)}
        self._interval |= {
            path: 60 / (limit * MARGIN) for path, limit in ENDPOINT_LIMITS.items()
        }
        self._next = dict.fromkeys(self._interval, 0.0)

    def limits_of(self, path: str) -> dict[str, str]:
        """Return the limits that a request waits for, each in words.

        Args:
            path: The endpoint that is requested.

        Returns:
            What `wait` takes for each, and the words.
        """
        return {
            name: f"the limit of {self._limits[name]:,} a minute"
            for name in (path, "")
            if name in self._limits
        }

    def wait(self, path: str = "") -> float:
        """Wait until the budget allows a request, and return the seconds.

        Args:
            path: The endpoint whose own limit is waited for; the workspace's budget
                if it is empty.
        """
        if path not in self._interval:
            return 0.0
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next[path])
            self._next[path] = turn + self._interval[path]
        seconds = turn - now
        if seconds > 0:
            time.sleep(seconds)
        return seconds


class PrioritySemaphore:
    """Lets a number of requests be in flight at a time, the most urgent first."""

    def __init__(self, size: int) -> None:
        """Allow so many requests in flight."""
        self._free = size
        self._lock = threading.Lock()
        self._waiting: list[tuple[tuple[int, int], int, threading.Lock]] = []
        self._arrivals = itertools.count()

    @contextlib.contextmanager
    def acquire(self, priority: tuple[int, int]) -> Iterator[None]:
        """Wait for a slot; of all that wait, the least priority gets the next one."""
        slot = threading.Lock()
        with self._lock:
            is_full = not self._free
            if is_full:
                slot.acquire()
                heapq.heappush(self._waiting, (priority, next(self._arrivals), slot))
            else:
                self._free -= 1
        if is_full:
            slot.acquire()  # released by a request that is over
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    heapq.heappop(self._waiting)[-1].release()
                else:
                    self._free += 1
