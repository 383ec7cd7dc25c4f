"""Ending on a signal: at once, but never in the middle of a write."""

from __future__ import annotations

import contextlib
import queue
import signal
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

GRACE = 2.5
"""Seconds that a write under way may take to finish."""


class Termination:
    """The signal that tells a run to end, if there was one."""

    def __init__(self) -> None:
        """Begin without."""
        self._exit_code = 0
        self._is_held = False
        # No signal leaves this queue half-used, as it may a condition or an event.
        self._signals = queue.SimpleQueue[int]()

    @property
    def is_requested(self) -> bool:
        """Whether a signal has come."""
        return bool(self._exit_code)

    def handle(self, signum: int, _frame: FrameType | None) -> None:
        """End the run, or let the write under way finish first.

        Raises:
            SystemExit: At once if no write is under way.
        """
        if self._exit_code:
            return
        self._exit_code = 128 + signum
        if not self._is_held:
            raise SystemExit(self._exit_code)
        self._signals.put(signum)
        if hasattr(signal, "setitimer"):  # not on Windows
            signal.signal(signal.SIGALRM, self._interrupt)
            signal.setitimer(signal.ITIMER_REAL, GRACE)

    def hold(self) -> None:
        """Let what follows finish, within some seconds, before a signal ends it.

        Raises:
            SystemExit: If one has come already.
        """
        self._is_held = True
        if self._exit_code:
            raise SystemExit(self._exit_code)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """End what `hold` begins within.

        Raises:
            SystemExit: At the end if a signal has come, or in the midst if it takes
                too long.
        """
        try:
            yield
        finally:
            self._is_held = False
            if self._exit_code:
                if hasattr(signal, "setitimer"):
                    signal.setitimer(signal.ITIMER_REAL, 0)
                raise SystemExit(self._exit_code)

    def sleep(self, seconds: float) -> None:
        """Wait some seconds, or until a signal comes."""
        with contextlib.suppress(queue.Empty):
            self._signals.get(timeout=seconds)

    def _interrupt(self, _signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(self._exit_code)
