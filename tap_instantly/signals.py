"""Ending on a signal: in time, and with whole lines on stdout."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time

from typing_extensions import override

from tap_instantly.messages import LineWriter

LAST_SECONDS = 4.0
"""How long a run that is told to end may take to hand over its state."""


class UninterruptedWriter(LineWriter):
    """Writes messages whole: a signal takes effect between two of them."""

    def __init__(self) -> None:
        """Write to stdout."""
        super().__init__()
        self._is_writing = False
        self._exit_code: int | None = None

    @override
    def write(self, lines: bytes) -> None:
        self._is_writing = True
        try:
            super().write(lines)
        finally:
            self._is_writing = False
        if self._exit_code is not None:
            self.end(self._exit_code)

    def end(self, exit_code: int) -> None:
        """End the run, after the message that is being written.

        Raises:
            SystemExit: At once if none is.
        """
        self._exit_code = exit_code
        if not self._is_writing:
            self._exit_code = None
            raise SystemExit(exit_code)


@functools.cache  # one watch a process
def end_in_time() -> None:
    """Make sure that a signal ends the process even if Python never calls its handler.

    Python does not call it while the name of a server is looked up, or while nobody
    reads stdout; nor while it waits, if the signal came just before.
    """
    if os.name != "posix" or threading.current_thread() != threading.main_thread():
        return
    main = threading.get_ident()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def watch() -> None:
        number = os.read(reader, 1)[0]
        time.sleep(LAST_SECONDS / 4)
        signal.pthread_kill(main, number)  # which wakes it
        time.sleep(LAST_SECONDS * 3 / 4)
        os._exit(128 + number)

    threading.Thread(target=watch, daemon=True).start()
