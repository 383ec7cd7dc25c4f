"""What the sandbox keeps of requests, and of the writes that have changed a row."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import web

    from tap_instantly.sandbox.store.api import Change, Row


@dataclass(eq=False)
class Request:
    """One request that the sandbox received."""

    method: str
    path: str
    """Decoded, with the prefix: `/api/v2/lead-labels`."""
    query: dict[str, str]
    """The first value of each query parameter."""
    headers: dict[str, str]
    """As the client spelled them."""
    queries: dict[str, list[str]] = field(default_factory=dict)
    """All values of each query parameter."""
    content: bytes = b""
    """The body as it came."""
    body: Any = None
    """What the body says in JSON; None without one, and where it is no JSON."""
    status: int = 0
    """What was answered; 0 until then, and where the connection was broken off."""

    @property
    def workspace(self) -> str:
        """The workspace that the key's own acts for; "" for itself."""
        headers = {name.lower(): text for name, text in self.headers.items()}
        return headers.get("x-as-workspace", "")


@dataclass(frozen=True)
class CommittedWrite:
    """A write that has changed rows, whatever the client has learnt of it."""

    method: str
    path: str
    """Decoded, with the prefix: `/api/v2/lead-labels`."""
    body: Any
    """What the body said in JSON; None without one."""
    table: str
    """The name of the stream that reads the rows."""
    keys: tuple[str, ...]
    """The keys of the rows, in the order in which they were changed."""
    before: tuple[Row | None, ...]
    """The row of each key before; None if it was created."""
    after: tuple[Row | None, ...]
    """The row of each key afterwards; None if it was deleted."""


async def read_request(request: web.BaseRequest) -> Request:
    """Return what is kept of a request."""
    content = await request.read()
    return Request(
        request.method,
        request.path,
        dict(request.query),
        dict(request.headers),
        {name: request.query.getall(name) for name in request.query},
        content,
        _json(content),
    )


def committed_write(request: Request, changes: list[Change]) -> CommittedWrite:
    """Return what is kept of a write that has changed some rows of a table."""
    return CommittedWrite(
        request.method,
        request.path,
        request.body,
        changes[0].table,
        tuple(change.key for change in changes),
        tuple(change.before for change in changes),
        tuple(change.after for change in changes),
    )


def _json(body: bytes) -> Any:  # noqa: ANN401 - JSON may say anything
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
