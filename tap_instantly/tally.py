"""What a stream has done so far, for the log."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What a stream has done so far.

    Attributes:
        rows: Records written.
        requests: Requests sent, the repeated ones included.
        retries: Requests repeated.
        waited: Seconds waited before repeating them.
        since: The bookmark at the beginning.
        until: The bookmark at the end.
        failure: Why the stream stopped early, in words; None while all is well.
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    since: str | None = None
    until: str | None = None
    failure: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count_request(self) -> None:
        """Count a request, from whatever thread."""
        with self._lock:
            self.requests += 1

    def count_retry(self, wait: float) -> None:
        """Count a repeated request, and the seconds before it."""
        with self._lock:
            self.requests += 1
            self.retries += 1
            self.waited += wait

    def __str__(self) -> str:
        """Say it in a line."""
        work = (
            f"{self.rows} rows, {self.requests} requests, {self.retries} retries, "
            f"{self.waited:.1f} s waited, bookmark from {self.since} to {self.until}"
        )
        return f"{work}; failed: {self.failure}" if self.failure else work
