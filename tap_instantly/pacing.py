"""The workspace's request budget, shared by every stream and thread of a run."""

from __future__ import annotations

import threading
import time

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

    def wait(self, path: str) -> None:
        """Wait until a request to this endpoint may go."""
        for lane in ("", path):
            if lane in self._distance:
                with self._lock:
                    now = time.monotonic()
                    turn = max(now, self._next[lane])
                    self._next[lane] = turn + self._distance[lane]
                time.sleep(turn - now)
