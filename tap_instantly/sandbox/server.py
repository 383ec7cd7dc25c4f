"""The sandbox itself: an HTTP server on loopback in a thread of its own."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypedDict

from aiohttp import web

from tap_instantly.sandbox.behaviour import Behaviour
from tap_instantly.sandbox.data import LabelMaker, ListMaker, api_key, instants
from tap_instantly.sandbox.faults import (
    Budget,
    Fault,
    Kind,
    blocked,
    break_off,
    json_answer,
    refusal,
)
from tap_instantly.sandbox.listing import BadRequestError, Listing, is_uuid, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from tap_instantly.sandbox.behaviour import (
        Comparison,
        Cursor,
        Encoding,
        End,
        Order,
        Timestamps,
    )

PREFIX = "/api/v2"
_ROUTE = re.compile(rf"{PREFIX}/(lead-labels|lead-lists)(?:/([^/]+))?")
_BEHAVIOUR = {each.name for each in fields(Behaviour)}
_KEPT_REQUESTS = 20_000


@dataclass(eq=False)
class Request:
    """One request that the sandbox received."""

    method: str
    path: str
    """Decoded, with the prefix: `/api/v2/lead-labels`."""
    query: dict[str, str]
    headers: dict[str, str]
    """As the client spelled them."""
    status: int = 0
    """What was answered; 0 until then, and where the connection was broken off."""


class Switches(TypedDict, total=False):
    """The attributes of a sandbox that its constructor takes as well."""

    order: Order
    cursor: Cursor
    comparison: Comparison
    end: End
    encoding: Encoding
    timestamps: Timestamps
    short_pages: int | None
    strict: bool
    latency: float
    requests_per_second: int | None
    requests_per_minute: int | None
    retry_after: str | None
    on_request: Callable[[Request], object] | None
    clock: Callable[[], float]


class Sandbox(Behaviour):
    """An Instantly API v2 on loopback, to be used in a `with` statement.

    The attributes of `Behaviour` set both listings at once; those of `labels`
    and `lists` set one.
    """

    strict: bool
    """Refuse query parameters that are unknown or out of range."""
    latency: float
    """Seconds that every answer takes longer."""
    requests_per_second: int | None
    requests_per_minute: int | None
    """More than so many within a second or a minute are answered with 429."""
    retry_after: str | None
    """The `Retry-After` header of those answers."""
    on_request: Callable[[Request], object] | None
    """Called in the server's thread with every request before it is answered."""
    clock: Callable[[], float]
    """Seconds, by which the rate limits are counted."""

    def __init__(
        self,
        *,
        seed: int = 1,
        labels: int = 40,
        lists: int = 260,
        ties: int = 1,
        port: int = 0,
        **switches: Unpack[Switches],
    ) -> None:
        """Invent the data; the server starts with the `with` statement.

        Args:
            seed: What all data and the key follow from.
            labels: The number of lead labels.
            lists: The number of lead lists.
            ties: How many consecutive rows share one millisecond.
            port: The port to listen on; 0 takes a free one.
            switches: Any attribute of this class that is not read-only.
        """
        self.labels = Listing(
            LabelMaker(seed),
            {"search": (), "interest_status": ("positive", "neutral", "negative")},
            instants(seed, "labels", labels, ties),
        )
        self.lists = Listing(
            ListMaker(seed),
            {"search": (), "has_enrichment_task": ("true", "false")},
            instants(seed, "lists", lists, ties),
        )
        super().__init__()
        self.key = api_key(seed)
        self.port = port
        self.strict = False
        self.latency = 0.0
        self.requests_per_second = self.requests_per_minute = None
        self.retry_after = None
        self.on_request = None
        self.clock = time.monotonic
        for name, value in switches.items():
            if name not in Switches.__optional_keys__:
                message = f"Sandbox has no switch {name!r}."
                raise TypeError(message)
            setattr(self, name, value)
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._budget = Budget()

    def __setattr__(self, name: str, value: object) -> None:
        """Pass what concerns the listings on to both."""
        if name in _BEHAVIOUR:
            setattr(self.labels, name, value)
            setattr(self.lists, name, value)
        super().__setattr__(name, value)

    @property
    def url(self) -> str:
        """The base URL: `http://127.0.0.1:<port>/api/v2`."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    def fail(  # noqa: PLR0913 - each is one property of the fault
        self,
        path: str,
        kind: int | Kind = 200,
        *,
        after: int = 0,
        times: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Let requests whose path ends with `path` go wrong; see `Fault`.

        Of several faults on a path, the first that strikes answers, and the
        others do not count that request.
        """
        self.faults.append(Fault(path, kind, after, times, headers or {}, body))

    def heal(self) -> None:
        """Remove all faults."""
        self.faults.clear()

    def start(self) -> None:
        """Render all rows, start the server and wait until it listens."""
        self.labels.render()
        self.lists.render()
        started: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)),
            name="instantly-sandbox",
            daemon=True,
        )
        self._thread.start()
        self.port = started.result()

    def wait(self) -> None:
        """Wait until the server stops."""
        self._thread.join()

    def stop(self) -> None:
        """Stop the server, whatever it is doing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    async def _serve(self, started: Future[int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = web.Server(self._answer, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.05)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
        except (OSError, OverflowError) as error:
            started.set_exception(error)
        else:
            started.set_result(runner.addresses[0][1])
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Request(
            request.method, request.path, dict(request.query), dict(request.headers)
        )
        if len(self.requests) >= _KEPT_REQUESTS:
            del self.requests[: _KEPT_REQUESTS // 2]
        self.requests.append(seen)
        if self.on_request:
            self.on_request(seen)
        if self.latency:
            await asyncio.sleep(self.latency)
        agent = request.headers.get("User-Agent", "")
        fault = next((one for one in self.faults if one.strikes(seen.path)), None)
        if not agent or agent.startswith("Python-urllib"):
            response = blocked()
        elif fault is None:
            response = self._respond(seen, request.headers.get("Authorization"))
        else:
            answer = fault.answer()
            if answer is None:
                usual = self._respond(seen, request.headers.get("Authorization"))
                seen.status = usual.status if fault.kind == "truncate" else 0
                return await break_off(str(fault.kind), request, usual, self._stopping)
            response = answer
        seen.status = response.status
        return response

    def _respond(self, request: Request, authorization: str | None) -> web.Response:
        """Answer the way the API does when nothing goes wrong on purpose."""
        route = _ROUTE.fullmatch(request.path)
        if route is None or request.method != "GET":
            return refusal(404, f"Route {request.method}:{request.path} not found")
        if authorization is None:
            return refusal(401, "Missing authorization header")
        if authorization != f"Bearer {self.key}":
            return refusal(401, "Invalid API key")
        limits = self.requests_per_second, self.requests_per_minute
        if not self._budget.allows(self.clock(), *limits):
            response = refusal(429)
            if self.retry_after is not None:
                response.headers["Retry-After"] = self.retry_after
            return response
        try:
            return self._read(route[1], route[2], request.query)
        except BadRequestError as error:
            return refusal(400, str(error))

    def _read(
        self, name: str, identity: str | None, query: Mapping[str, str]
    ) -> web.Response:
        """Answer a permitted request for one row, or for a page of them."""
        listing = self.labels if name == "lead-labels" else self.lists
        if identity is None:
            return json_answer(listing.page(query, strict=self.strict))
        if not is_uuid(identity):
            return refusal(400)
        row = listing.get(identity)
        return refusal(404) if row is None else json_answer(render(row))
