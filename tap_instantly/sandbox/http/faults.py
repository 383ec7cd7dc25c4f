"""What goes wrong on purpose."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from aiohttp import web

from tap_instantly.sandbox.http.responses import blocked, json_answer, refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

Kind = Literal[
    "html403",
    "not-json",
    "no-items",
    "items-null",
    "not-object",
    "reset",
    "truncate",
    "hang",
]

_BODIES: dict[str, tuple[bytes, str]] = {
    "not-json": (b"<!DOCTYPE html><title>Instantly</title><p>Maintenance", "text/html"),
    "no-items": (b'{"status":"ok"}', "application/json"),
    "items-null": (b'{"items":null}', "application/json"),
    "not-object": (b"[]", "application/json"),
}
FORM = "[METHOD:]PATH:KIND[+][@AFTER][xTIMES]"
"""How a fault is written in a line."""

_FAULT = re.compile(
    r"(?:(?P<method>[A-Z]+):)?(?P<path>[^:\s]+):(?P<kind>\d{3}|[a-z-]+?\d*?)(?P<commits>\+)?"
    r"(?:@(?P<after>\d+))?(?:x(?P<times>\d+))?"
)


@dataclass(eq=False)
class Fault:
    """One thing that goes wrong on a path.

    Args:
        path: The end of the paths concerned, such as `/lead-labels`.
        kind: An HTTP status, or one of the names of `Kind`.
        after: How many requests go well first.
        times: How many requests go wrong then; None means all of them.
        headers: Headers of the answer.
        body: The answer's body in place of the usual one.
        method: The HTTP method of the requests concerned; "" means any.
        commits: Whether a write is carried out all the same, without the client
            learning so; otherwise it changes nothing.
    """

    path: str
    kind: int | Kind
    after: int = 0
    times: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    method: str = ""
    commits: bool = False
    _seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist."""
        known = get_args(Kind)
        if not isinstance(self.kind, int) and self.kind not in known:
            message = f"A fault is an HTTP status or one of {', '.join(known)}."
            raise ValueError(message)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `PATH:KIND`, optionally after `METHOD:` and before `+@AFTERxTIMES`.

        `+` means that a write is carried out all the same.
        """
        match = _FAULT.fullmatch(text)
        if not match:
            message = f"{text!r} is not of the form {FORM}."
            raise ValueError(message)
        kind, times = match["kind"], match["times"]
        return cls(
            match["path"],
            int(kind) if kind.isdecimal() else kind,  # type: ignore[arg-type] # Fault refuses others
            after=int(match["after"] or 0),
            times=int(times) if times else None,
            method=match["method"] or "",
            commits=bool(match["commits"]),
        )

    def strikes(self, method: str, path: str) -> bool:
        """Count a request and tell whether it goes wrong."""
        if not path.endswith(self.path) or self.method not in ("", method):
            return False
        self._seen += 1
        if self._seen <= self.after:
            return False
        return self.times is None or self._seen <= self.after + self.times

    def answer(self) -> web.Response | None:
        """Return the answer, or None for a fault of the connection itself."""
        if self.kind in ("reset", "truncate", "hang"):
            return None
        if self.kind == "html403":
            response = blocked()
        elif isinstance(self.kind, str):
            body, content_type = _BODIES[self.kind]
            response = web.Response(body=body, content_type=content_type)
        elif self.body is not None:
            response = json_answer(self.body)
            response.set_status(self.kind)
        else:
            response = refusal(self.kind)
            if 300 <= self.kind < 400:  # noqa: PLR2004 - the redirects
                response.headers["Location"] = "/login"
        response.headers.update(self.headers)
        return response


async def break_off(
    kind: str, request: web.BaseRequest, usual: web.Response, stopping: asyncio.Event
) -> web.StreamResponse:
    """Let the connection fail: `reset`, `truncate` (half of `usual`) or `hang`."""
    transport = request.transport
    if transport is None:
        return usual
    if kind == "truncate":
        body = usual.body if isinstance(usual.body, bytes) else b""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        transport.close()
        return response
    if kind == "hang":
        await stopping.wait()
        if transport.is_closing():  # the client has gone first
            return usual
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, linger
    )
    transport.abort()
    return usual
