"""What the streams have done so far, for the log."""

from __future__ import annotations

import contextlib
import queue
import threading
import typing as t
from collections import Counter
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping

    from tap_instantly.counting import LoadCount

PROGRESS_INTERVAL = 30.0
"""Seconds between two lines about the progress of a run."""

MAX_STREAMS_SHOWN = 5
"""Streams that a line about the progress describes; it counts the others."""

READABLE = "readable"


@dataclass
class SyncStats:
    """What a stream has done so far.

    Attributes:
        rows: Records written.
        rows_read: Rows that have arrived, those included that are not written.
        requests: Requests sent, the repeated ones included.
        retries: Requests repeated after an error.
        waited: Seconds waited for the limits and before the retries.
        start_value: The bookmark at the beginning.
        end_value: The bookmark at the end.
        skipped: What was left out, in words, and how often. The stream is then not
            known as a whole.
        failure: Why the stream stopped early, in words; None while all is well.
        outcome: The same in a word or two.
        is_complete: Whether the stream was read to its end.
        is_activated: Whether the target was told to drop what is no longer there.
        load: What the report counts; None without one.
    """

    rows: int = 0
    rows_read: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    start_value: str | None = None
    end_value: str | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    failure: str | None = None
    outcome: str = READABLE
    is_complete: bool = False
    is_activated: bool = False
    load: LoadCount | None = None
    _in_flight: int = field(default=0, repr=False)
    _waiting: Counter[str] = field(default_factory=Counter, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Count as being read; any thread may, and several at a time."""
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

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

    def count_rows(self, rows: int) -> None:
        """Count the rows of a page that has arrived."""
        with self._lock:
            self.rows_read += rows

    def wait_for(self, what: str, wait: Callable[[], float]) -> None:
        """Wait for something, and count the seconds.

        Args:
            what: What is waited for, in words.
            wait: Waits, and returns the seconds.
        """
        self.begin_wait(what)
        try:
            seconds = wait()
        finally:
            self.end_wait(what)
        with self._lock:
            self.waited += seconds or 0.0

    def begin_wait(self, what: str) -> None:
        """Say in the progress what is waited for, until `end_wait`."""
        with self._lock:
            self._waiting[what] += 1

    def end_wait(self, what: str) -> None:
        """Wait for it no longer."""
        with self._lock:
            self._waiting[what] -= 1

    @property
    def is_active(self) -> bool:
        """Whether a request of the stream is sent, or waits to be."""
        return self._in_flight > 0

    def describe_progress(self) -> str:
        """Return how far the stream has been read, and what it waits for."""
        with self._lock:
            waiting = [what for what, count in self._waiting.items() if count > 0]
            work = f"{self.rows_read:,} rows, {self.requests:,} requests"
        return f"{work}; waiting for {' and '.join(waiting)}" if waiting else work

    def __str__(self) -> str:
        """Return the figures as one line."""
        work = (
            f"{self.rows} rows, {self.requests} requests, {self.retries} retries, "
            f"{self.waited:.1f} s waited"
        )
        if self.start_value is not None or self.end_value is not None:
            work += f", bookmark from {self.start_value} to {self.end_value}"
        if skipped := self.describe_skipped():
            work = f"{work}; left out: {skipped}"
        return f"{work}; failed: {self.failure}" if self.failure else work


class ProgressLog(threading.Thread):
    """Logs a line about the streams that are being read, every half minute.

    It is a thread of its own, because the others may all be waiting.
    """

    def __init__(self, stats: Mapping[str, SyncStats], logger: logging.Logger) -> None:
        """Prepare to log.

        Args:
            stats: What each stream does.
            logger: Where the lines go.
        """
        super().__init__(name="progress", daemon=True)
        self._stats, self._logger = stats, logger
        # No signal leaves this queue half-used, as it may a condition or an event.
        self._end = queue.SimpleQueue[None]()

    def run(self) -> None:
        """Log a line from time to time, until it is over."""
        while not self._is_over():
            if line := self.describe():
                self._logger.info(line)

    def _is_over(self) -> bool:
        try:
            self._end.get(timeout=PROGRESS_INTERVAL)
        except queue.Empty:
            return False
        return True

    def describe(self) -> str:
        """Return the line; empty if nothing is being read."""
        active = [
            f"{name}: {stats.describe_progress()}"
            for name, stats in self._stats.items()
            if stats.is_active
        ]
        shown, others = active[:MAX_STREAMS_SHOWN], len(active) - MAX_STREAMS_SHOWN
        return " | ".join(shown + ([f"{others} more streams"] if others > 0 else []))

    def finish(self) -> None:
        """Log no further line."""
        self._end.put(None)
        self.join(1)
