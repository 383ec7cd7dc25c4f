"""The sandbox itself: an HTTP server on loopback in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

from aiohttp import web

from tap_instantly.sandbox.families.registry import endpoints_of
from tap_instantly.sandbox.families.workspace import Sizes, Workspace
from tap_instantly.sandbox.http.endpoints import check
from tap_instantly.sandbox.http.faults import Fault, Kind, break_off
from tap_instantly.sandbox.http.limits import RateLimit
from tap_instantly.sandbox.http.responses import blocked, json_answer, refusal
from tap_instantly.sandbox.http.routes import Routes
from tap_instantly.sandbox.store.api import BadRequestError, Call, RefusedError
from tap_instantly.sandbox.store.rows import render
from tap_instantly.sandbox.store.switches import Behaviour, Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self, Unpack

    from tap_instantly.sandbox.store.api import Endpoint
    from tap_instantly.sandbox.store.switches import (
        Comparison,
        Cursor,
        Encoding,
        End,
        Order,
        Timestamps,
        UnknownId,
    )

PREFIX = "/api/v2"

_EMAILS = f"{PREFIX}/emails"
_SIZES = {each.name for each in fields(Sizes)}
_KEPT_REQUESTS = 20_000
_LONGEST_LINE = 2**15
"""Bytes of a request line: two hundred addresses take more than aiohttp allows."""


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


class Options(TypedDict, total=False):
    """The sizes of a sandbox, and its attributes that the constructor takes as well."""

    labels: int
    lists: int
    campaigns: int
    accounts: int
    leads: int
    emails: int
    tags: int
    subsequences: int
    order: Order | None
    cursor: Cursor | None
    comparison: Comparison | None
    end: End | None
    encoding: Encoding | None
    timestamps: Timestamps | None
    unknown_id: UnknownId | None
    short_pages: int | None
    ends_inclusive: bool
    bounds_inclusive: bool
    lists_agents_campaigns: bool
    most_days: int
    largest_answer: int
    strict: bool
    latency: float
    requests_per_second: int | None
    requests_per_minute: int | None
    emails_per_minute: int | None
    retry_after: str | None
    on_request: Callable[[Request], object] | None
    clock: Callable[[], float]


class Sandbox(Switches):
    """An Instantly API v2 on loopback, to be used in a `with` statement.

    All attributes may change between two requests; whatever answers the next request
    reads them. Those of `Switches` hold for all lists at once, those of a table's
    `behaviour` for one.

    Attributes:
        strict: Refuse query parameters that are unknown or out of range.
        latency: Seconds that every answer takes longer.
        requests_per_second: More within a second are answered with 429.
        requests_per_minute: More within a minute are answered with 429.
        emails_per_minute: More for the list of e-mails are answered with 429.
        retry_after: The `Retry-After` header of those answers.
        on_request: Called in the server's thread with every request before it is
            answered.
        clock: Seconds, by which the rate limits are counted.
        key: The API key that opens the sandbox.
        tables: All lists by the name of their stream.
        labels: The lead labels.
        lists: The lead lists.
        requests: What was asked.
        writes: Those of the requests that would have changed something.
        faults: What goes wrong on purpose.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        ties: int = 1,
        port: int = 0,
        **options: Unpack[Options],
    ) -> None:
        """Invent the rows; the server starts with the `with` statement.

        Args:
            seed: What all rows and the key follow from.
            ties: How many consecutive rows of a list share one millisecond.
            port: The port to listen on; 0 takes a free one.
            options: The number of `labels`, `lists`, `campaigns`, `accounts`, `leads`,
                `emails`, `tags` and `subsequences`, and any attribute of this class
                from `Switches` to `clock`.

        Raises:
            TypeError: If there is no such option.
            ValueError: If a switch has a value that no list knows.
        """
        super().__init__()
        self.strict = False
        self.latency = 0.0
        self.requests_per_second: int | None = None
        self.requests_per_minute: int | None = None
        self.emails_per_minute: int | None = None
        self.retry_after: str | None = None
        self.on_request: Callable[[Request], object] | None = None
        self.clock = time.monotonic
        sizes: dict[str, int] = {}
        for name, value in options.items():
            if name not in Options.__optional_keys__:
                message = f"Sandbox has no switch {name!r}."
                raise TypeError(message)
            if name in _SIZES:
                sizes[name] = value  # type: ignore[assignment] # as Options says
            else:
                setattr(self, name, value)
        self.applied_to(Behaviour())
        workspace = Workspace(seed, Sizes(**sizes), ties, self)
        self._endpoints = endpoints_of(workspace)
        self.key = workspace.key
        self.tables = workspace.tables
        self.labels = self.tables["lead_labels"]
        self.lists = self.tables["lead_lists"]
        self.port = port
        self.requests: list[Request] = []
        self.writes: list[Request] = []
        self.faults: list[Fault] = []
        self._rate_limit = RateLimit()
        self._email_rate_limit = RateLimit()

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
        """Render labels and lists, start the server and wait until it listens."""
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

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    @cached_property
    def _routes(self) -> Routes:
        return Routes(self._endpoints)

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
        found = self._find(seen.method, request.rel_url.raw_path)
        if found is None and seen.method not in ("GET", "HEAD", "OPTIONS"):
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
            response = self._respond(seen, found)
        else:
            answer = fault.answer()
            if answer is None:
                usual = self._respond(seen, found)
                seen.status = usual.status if fault.kind == "truncate" else 0
                return await break_off(str(fault.kind), request, usual, self._stopping)
            response = answer
        seen.status = response.status
        return response

    def _find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return what answers a path, percent-encoded as it came."""
        if not path.startswith(f"{PREFIX}/"):
            return None
        return self._routes.find(method, path.removeprefix(PREFIX))

    def _respond(
        self, request: Request, found: tuple[Endpoint, dict[str, str]] | None
    ) -> web.Response:
        """Answer the way the API does when nothing goes wrong on purpose."""
        if found is None:
            return refusal(404, f"Route {request.method}:{request.path} not found")
        headers = {name.lower(): text for name, text in request.headers.items()}
        authorization = headers.get("authorization")
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
            return json_answer(self._call(*found, request))
        except RefusedError as error:
            return refusal(error.status, error.message)

    def _allows(self, request: Request) -> bool:
        """Tell whether the rate limits allow a request."""
        now = self.clock()
        limits = self.requests_per_second, self.requests_per_minute
        return self._rate_limit.allows(now, *limits) and (
            request.path != _EMAILS
            or self._email_rate_limit.allows(now, None, self.emails_per_minute)
        )

    def _call(
        self, endpoint: Endpoint, placeholders: Mapping[str, str], request: Request
    ) -> bytes:
        """Return what an endpoint answers."""
        body = {} if request.body is None else request.body
        if not isinstance(body, dict):
            message = "body must be object"
            raise BadRequestError(message)
        call = Call(placeholders, request.queries, body)
        check(endpoint, call, strict=self.strict)
        answer = endpoint.answer(call)
        return answer if isinstance(answer, bytes) else render(answer)


def _json(body: bytes) -> Any:  # noqa: ANN401 - JSON may say anything
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
