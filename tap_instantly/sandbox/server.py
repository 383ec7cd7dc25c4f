"""The sandbox itself: an HTTP server on loopback in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import unquote

from aiohttp import web

from tap_instantly.sandbox.behaviour import Behaviour
from tap_instantly.sandbox.data import LabelMaker, ListMaker, api_key, instants
from tap_instantly.sandbox.endpoints import BadRequestError, Call, RefusedError
from tap_instantly.sandbox.faults import (
    Budget,
    Fault,
    Kind,
    blocked,
    break_off,
    json_answer,
    refusal,
)
from tap_instantly.sandbox.listing import Listing, is_uuid, render
from tap_instantly.sandbox.routes import Routes
from tap_instantly.sandbox.sizes import Sizes
from tap_instantly.sandbox.world import Quirks, World

if TYPE_CHECKING:
    from collections.abc import Mapping
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
    from tap_instantly.sandbox.endpoints import Endpoint
    from tap_instantly.sandbox.table import Table

PREFIX = "/api/v2"
_EMAILS = f"{PREFIX}/emails"
_LISTING = re.compile(rf"{PREFIX}/(lead-labels|lead-lists)(?:/([^/]+))?")
_BEHAVIOUR = {each.name for each in fields(Behaviour)}
_QUIRKS = {each.name for each in fields(Quirks)}
_SIZES = {each.name for each in fields(Sizes)}
_KEPT_REQUESTS = 20_000
_LONGEST_LINE = 2**15
"""Bytes of a request line: two hundred addresses take more than aiohttp allows."""

Route = Callable[["Request"], bytes]


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
    body: Any = None
    """What the body says in JSON; None without one, and where it is no JSON."""
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
    emails_per_minute: int | None
    ends_inclusive: bool
    bounds_inclusive: bool
    largest_answer: int


class Options(Switches, total=False):
    """What the constructor of a sandbox takes beside the sizes of both listings."""

    campaigns: int
    accounts: int
    leads: int
    emails: int
    tags: int
    subsequences: int


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
    emails_per_minute: int | None
    """More requests for the list of e-mails within a minute are answered with 429."""
    ends_inclusive: bool
    bounds_inclusive: bool
    largest_answer: int
    """See `Quirks`."""

    def __init__(
        self,
        *,
        seed: int = 1,
        labels: int = 40,
        lists: int = 260,
        ties: int = 1,
        port: int = 0,
        **options: Unpack[Options],
    ) -> None:
        """Invent the data; the server starts with the `with` statement.

        Args:
            seed: What all data and the key follow from.
            labels: The number of lead labels.
            lists: The number of lead lists.
            ties: How many consecutive rows share one millisecond.
            port: The port to listen on; 0 takes a free one.
            options: The number of `campaigns`, `accounts`, `leads`, `emails`, `tags`
                and `subsequences`, and any attribute of this class that is not
                read-only.
        """
        given: dict[str, Any] = dict(options)
        sizes = {name: given.pop(name) for name in _SIZES & given.keys()}
        self._sizes = Sizes(**sizes)
        self._seed = seed
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
        self._quirks = Quirks()
        super().__init__()
        for name, value in vars(Quirks()).items():
            setattr(self, name, value)
        self.key = api_key(seed)
        self.port = port
        self.strict = False
        self.latency = 0.0
        self.requests_per_second = self.requests_per_minute = None
        self.emails_per_minute = None
        self.retry_after = None
        self.on_request = None
        self.clock = time.monotonic
        for name, value in given.items():
            if name not in Switches.__optional_keys__:
                message = f"Sandbox has no switch {name!r}."
                raise TypeError(message)
            setattr(self, name, value)
        self.requests: list[Request] = []
        self.writes: list[Request] = []
        self.faults: list[Fault] = []
        self._budget = Budget()
        self._email_budget = Budget()

    def __setattr__(self, name: str, value: object) -> None:
        """Pass what concerns the listings, or the rest of the world, on to them."""
        if name in _BEHAVIOUR:
            setattr(self.labels, name, value)
            setattr(self.lists, name, value)
        elif name in _QUIRKS:
            setattr(self._quirks, name, value)
        super().__setattr__(name, value)

    @property
    def tables(self) -> Mapping[str, Table]:
        """All lists but the labels and the lead lists, by the name of their stream."""
        return self._world.tables

    @cached_property
    def _world(self) -> World:
        """What is served beside labels and lists, made when it is first asked for."""
        return World(self._seed, self._sizes, self.labels, self.lists, self._quirks)

    @cached_property
    def _routes(self) -> Routes:
        return Routes(self._world.endpoints())

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
        # A signal that comes just before this waits, or to another thread, does not
        # end the wait: its handler is called when this thread next wakes.
        while self._thread.is_alive():
            self._thread.join(1.0)

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
        server = web.Server(self._answer, access_log=None, max_line_size=_LONGEST_LINE)
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
            request.method,
            request.path,
            dict(request.query),
            dict(request.headers),
            {name: request.query.getall(name) for name in request.query},
            _json(await request.read()),
        )
        if len(self.requests) >= _KEPT_REQUESTS:
            del self.requests[: _KEPT_REQUESTS // 2]
        self.requests.append(seen)
        route = self._route(seen.method, request.rel_url.raw_path)
        if route is None and seen.method not in ("GET", "HEAD", "OPTIONS"):
            self.writes.append(seen)
        if self.on_request:
            self.on_request(seen)
        if self.latency:
            await asyncio.sleep(self.latency)
        agent = request.headers.get("User-Agent", "")
        fault = next((one for one in self.faults if one.strikes(seen.path)), None)
        if not agent or agent.startswith("Python-urllib"):
            response = blocked()
        elif fault is None:
            response = self._respond(seen, route)
        else:
            answer = fault.answer()
            if answer is None:
                usual = self._respond(seen, route)
                seen.status = usual.status if fault.kind == "truncate" else 0
                return await break_off(str(fault.kind), request, usual, self._stopping)
            response = answer
        seen.status = response.status
        return response

    def _route(self, method: str, path: str) -> Route | None:
        """Return what answers a path, percent-encoded as it came."""
        listed = _LISTING.fullmatch(path)
        if listed:
            name, identity = listed.groups()
            return partial(self._read, name, identity) if method == "GET" else None
        if not path.startswith(f"{PREFIX}/"):
            return None
        found = self._routes.find(method, path.removeprefix(PREFIX))
        return found and partial(self._ask, *found)

    def _respond(self, request: Request, route: Route | None) -> web.Response:
        """Answer the way the API does when nothing goes wrong on purpose."""
        if route is None:
            return refusal(404, f"Route {request.method}:{request.path} not found")
        authorization = _header(request.headers, "Authorization")
        if authorization is None:
            return refusal(401, "Missing authorization header")
        if authorization != f"Bearer {self.key}":
            return refusal(401, "Invalid API key")
        if not self._allows(request):
            response = refusal(429)
            if self.retry_after is not None:
                response.headers["Retry-After"] = self.retry_after
            return response
        try:
            return json_answer(route(request))
        except RefusedError as error:
            return refusal(error.status, error.message)

    def _allows(self, request: Request) -> bool:
        """Tell whether the rate limits allow a request."""
        now = self.clock()
        limits = self.requests_per_second, self.requests_per_minute
        return self._budget.allows(now, *limits) and (
            request.path != _EMAILS
            or self._email_budget.allows(now, None, self.emails_per_minute)
        )

    def _read(self, name: str, identity: str | None, request: Request) -> bytes:
        """Return one label or list, or a page of them."""
        listing = self.labels if name == "lead-labels" else self.lists
        if identity is None:
            return listing.page(request.query, strict=self.strict)
        identity = unquote(identity)
        if not is_uuid(identity):
            message = 'params/id must match format "uuid"'
            raise BadRequestError(message)
        row = listing.get(identity)
        if row is None:
            raise RefusedError(404, "Resource not found")
        return render(row)

    def _ask(
        self, endpoint: Endpoint, places: Mapping[str, str], request: Request
    ) -> bytes:
        """Return what an endpoint answers."""
        body = {} if request.body is None else request.body
        if not isinstance(body, dict):
            message = "body must be object"
            raise BadRequestError(message)
        call = Call(places, request.queries, body)
        endpoint.check(call, strict=self.strict)
        answer = endpoint.answer(call)
        return answer if isinstance(answer, bytes) else render(answer)


def _json(body: bytes) -> Any:  # noqa: ANN401 - JSON may say anything
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _header(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header, however the client spelled its name."""
    wanted = name.lower()
    return next((headers[own] for own in headers if own.lower() == wanted), None)
