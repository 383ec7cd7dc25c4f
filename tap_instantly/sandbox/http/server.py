"""The sandbox itself: an HTTP server on loopback in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import fields
from typing import TYPE_CHECKING

from aiohttp import web

from tap_instantly.sandbox.families.workspace import Sizes, Workspace
from tap_instantly.sandbox.http.bodies import read_body
from tap_instantly.sandbox.http.endpoints import check
from tap_instantly.sandbox.http.faults import Fault, Kind, break_off
from tap_instantly.sandbox.http.group import Group
from tap_instantly.sandbox.http.limits import RateLimit
from tap_instantly.sandbox.http.options import Options
from tap_instantly.sandbox.http.requests import (
    CommittedWrite,
    Request,
    committed_write,
    read_request,
)
from tap_instantly.sandbox.http.responses import blocked, json_answer, refusal
from tap_instantly.sandbox.store.api import BadRequestError, Call, RefusedError
from tap_instantly.sandbox.store.rows import render
from tap_instantly.sandbox.store.switches import Behaviour, Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self, Unpack

    from tap_instantly.sandbox.store.api import Endpoint


PREFIX = "/api/v2"

_EMAILS = f"{PREFIX}/emails"
_SIZES = {each.name for each in fields(Sizes)}
_KEPT_REQUESTS = 20_000
_LONGEST_LINE = 2**15
"""Bytes of a request line: two hundred addresses take more than aiohttp allows."""


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
        key: The API key that opens the sandbox.
        tables: All lists by the name of their stream.
        labels: The lead labels.
        lists: The lead lists.
        requests: What was asked.
        writes: Those of the requests that change something, or would do so if the
            sandbox had the path, whether or not they succeeded.
        ledger: The writes that have changed a row, whatever was answered.
        faults: What goes wrong on purpose.
        group: The workspaces that the key opens: its own and its members.
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
                `emails`, `tags`, `subsequences` and `blocked` entries, and any
                attribute of this class from `Switches` to `on_request`.

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
        self.group = Group(workspace)
        self.key = workspace.key
        self.tables = workspace.tables
        self.labels = self.tables["lead_labels"]
        self.lists = self.tables["lead_lists"]
        self.port = port
        self.requests: list[Request] = []
        self.writes: list[Request] = []
        self.ledger: list[CommittedWrite] = []
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
        method: str = "",
        commits: bool = False,
    ) -> None:
        """Let requests whose path ends with `path` go wrong; see `Fault`.

        Of several faults on a path, the first that strikes answers, and the
        others do not count that request.
        """
        self.faults.append(
            Fault(path, kind, after, times, headers or {}, body, method, commits)
        )

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
        seen = await read_request(request)
        if len(self.requests) >= _KEPT_REQUESTS:
            del self.requests[: _KEPT_REQUESTS // 2]
        self.requests.append(seen)
        found = self._find(seen, request.rel_url.raw_path)
        reads = seen.method in ("GET", "HEAD", "OPTIONS")
        if found[0].writes if found else not reads:
            self.writes.append(seen)
        if self.on_request:
            self.on_request(seen)
        if self.latency:
            await asyncio.sleep(self.latency)
        agent = request.headers.get("User-Agent", "")
        strikes = (one for one in self.faults if one.strikes(seen.method, seen.path))
        fault = next(strikes, None)
        if not agent or agent.startswith("Python-urllib"):
            response = blocked()
        elif fault is None:
            response = self._respond(seen, found)
        else:
            answer = fault.answer()
            usual = json_answer(seen.content or b"{}")
            if fault.commits if found and found[0].writes else answer is None:
                usual = self._respond(seen, found)
            if answer is None:
                seen.status = usual.status if fault.kind == "truncate" else 0
                return await break_off(str(fault.kind), request, usual, self._stopping)
            response = answer
        seen.status = response.status
        return response

    def _find(
        self, request: Request, path: str
    ) -> tuple[Endpoint, dict[str, str]] | None:
        """Return what answers a path, percent-encoded as it came."""
        if not path.startswith(f"{PREFIX}/"):
            return None
        routes = self.group.routes(request.workspace)
        return routes.find(request.method, path.removeprefix(PREFIX))

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
            return refusal(error.status, error.message, error.code)

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
        self.group.check(request.workspace)
        if endpoint.writes:
            body = read_body(endpoint, request)
        else:
            body = {} if request.body is None else request.body
        if not isinstance(body, dict):
            message = "body must be object"
            raise BadRequestError(message)
        call = Call(placeholders, request.queries, body)
        check(endpoint, call, strict=self.strict)
        answer = endpoint.answer(call)
        if call.changes:
            self.ledger.append(committed_write(request, call.changes))
        return answer if isinstance(answer, bytes) else render(answer)
