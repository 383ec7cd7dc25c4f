"""What a stream has done so far, for the log."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class SyncStats:
    """What a stream has done so far.

    Attributes:
        rows: Records written.
        requests: Requests sent, the repeated ones included.
        retries: Requests repeated after an error.
        waited: Seconds waited before the retries.
        start_value: The bookmark at the beginning.
        end_value: The bookmark at the end.
        skipped: What was left out, in words, and how often. The stream is then not
            known as a whole.
        failure: Why the stream stopped early, in words; None while all is well.
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    start_value: str | None = None
    end_value: str | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    failure: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count_request(self) -> None:
        """Count a request; any thread may."""
        with self._lock:
            self.requests += 1

    def count_retry(self, wait: float) -> None:
        """Count a retry, and the seconds waited before it."""
        with self._lock:
            self.requests += 1
            self.retries += 1
            self.waited += wait

    def skip(self, what: str) -> bool:
        """Note in words that a part of the stream is left out; any thread may.

        Returns:
            Whether it is the first of its kind.
        """
        with self._lock:
            self.skipped[what] += 1
            return self.skipped[what] == 1

    def describe_skipped(self) -> str:
        """Return in words what was left out; empty if nothing was."""
        with self._lock:
            skipped = sorted(self.skipped.items())
        return "; ".join(
            f"{what}, {count} times" if count > 1 else what for what, count in skipped
        )

    def __str__(self) -> str:
        """Return the figures as one line."""
        work = (
            f"{self.rows} rows, {self.requests} requests, {self.retries} retries, "
            f"{self.waited:.1f} s waited, "
            f"bookmark from {self.start_value} to {self.end_value}"
        )
        if skipped := self.describe_skipped():
            work = f"{work}; left out: {skipped}"
        return f"{work}; failed: {self.failure}" if self.failure else work
