"""The sandbox in a process of its own."""

from __future__ import annotations

import gc
import http.client
import multiprocessing
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType

    from typing_extensions import Self

_CONTEXT = multiprocessing.get_context("spawn")


class Served:
    """An Instantly API in a process of its own, to be used in a `with` statement."""

    def __init__(self, **options: Any) -> None:
        """Begin to serve; the options are those of `Sandbox`."""
        self._options = options

    def __enter__(self) -> Self:
        """Start the process."""
        self._end, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_serve, args=(theirs, self._options), daemon=True
        )
        self._process.start()
        theirs.close()
        self.url, self.key = self._end.recv()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        self._end.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def switch(self, **attributes: Any) -> None:
        """Set attributes of the sandbox."""
        self._call("switch", attributes)

    def let_a_minute_pass(self) -> None:
        """Let the limits forget the requests until now."""
        self._call("minute")

    def statuses(self) -> Counter[int]:
        """Return how often each status has been answered, and forget it."""
        found: Counter[int] = self._call("statuses")
        return found

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a list: `labels`, `lists` or one of the tables."""
        found: list[dict[str, Any]] = self._call("rows", name)
        return found

    def _call(self, *message: object) -> Any:  # noqa: ANN401 - as the message has it
        self._end.send(message)
        return self._end.recv()

    def seconds_a_request(self, times: int = 20) -> float:
        """Return what a small request takes, one after the other."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}", "User-Agent": "benchmark"}
        began = time.perf_counter()
        for _ in range(times):
            connection.request(
                "GET", f"{address.path}/lead-labels?limit=1", None, headers
            )
            connection.getresponse().read()
        connection.close()
        return (time.perf_counter() - began) / times

    def config(self, **settings: object) -> dict[str, object]:
        """Return the tap's config for this sandbox, which sets no pace."""
        return {
            "api_url": self.url,
            "api_key": self.key,
            "max_requests_per_minute": 1_000_000_000,
            **settings,
        }


def _serve(end: Connection, options: dict[str, Any]) -> None:
    """Serve until the other end of the connection is closed."""
    from tap_instantly.sandbox import Sandbox  # noqa: PLC0415 - in this process alone

    minutes = 0
    gc.disable()  # its pauses would be the contenders'
    with Sandbox(**options) as sandbox:
        end.send((sandbox.url, sandbox.key))
        while True:
            try:
                kind, *rest = end.recv()
            except (EOFError, OSError):
                return
            if kind == "switch":
                for name, value in rest[0].items():
                    setattr(sandbox, name, value)
                end.send(None)
            elif kind == "minute":
                minutes += 1
                sandbox.clock = partial(_later, 61.0 * minutes)
                end.send(None)
            elif kind == "rows":
                named = {"labels": sandbox.labels, "lists": sandbox.lists}
                end.send((named.get(rest[0]) or sandbox.tables[rest[0]]).rows)
            else:
                end.send(Counter(request.status for request in sandbox.requests))
                sandbox.requests.clear()


def _later(seconds: float) -> float:
    return time.monotonic() + seconds
