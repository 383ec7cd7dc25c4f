"""The command `attention-sandbox`: an Attention API of labels on one's own machine.

Like the sandbox of Instantly it shares no code with the tap. What is not documented is
a switch: how the list is laid out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

try:
    from aiohttp import web
except ModuleNotFoundError:
    sys.exit("attention-sandbox needs: pip install 'tap-instantly[sandbox]'")

if TYPE_CHECKING:
    from typing_extensions import Self

Json = dict[str, Any]
Shape = Literal["page-count", "total-records", "no-meta", "same-page"]

ORGANIZATION = "6f6b6b1e-0000-4000-8000-000000000001"
MAX_NAME = 128
MAX_DESCRIPTION = 2000
MAX_SIZE = 50
KINDS: dict[str, type] = {
    "name": str,
    "description": str,
    "aiFlow": bool,
    "allTeams": bool,
    "options": list,
}
"""What can be written."""


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        """Take the answer."""
        super().__init__(message)
        self.status = status


@dataclass
class Fault:
    """What goes wrong on purpose.

    Attributes:
        method: Whose requests it strikes.
        status: The answer; 0 closes the connection without one.
        times: How many requests it strikes; None for all.
        commits: Whether a write is carried out all the same.
        body: The body of the answer.
        headers: Its headers.
    """

    method: str
    status: int
    times: int | None = None
    commits: bool = False
    body: str = '{"error": "made up"}'
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Sandbox:
    """An Attention API on loopback, to be used in a `with` statement.

    Attributes:
        labels: How many labels it begins with.
        shape: How the list is laid out: `page-count` and `total-records` say so in
            `meta`, `no-meta` has everything on page 1, and `same-page` on every page.
        size: Rows that a page has at most, whatever is asked for.
        promised: The `totalRecords`, if it is not to be true.
        port: The port; 0 takes a free one.
        key: The API key.
        rows: The labels.
        requests: What was requested: method, path with query, headers.
        writes: The bodies of what was to be written: method, path, body.
        faults: What goes wrong on purpose.
    """

    labels: int = 12
    shape: Shape = "page-count"
    size: int = MAX_SIZE
    promised: int | None = None
    port: int = 0
    key: str = "5b0c9e4df1a27386c4d9"
    rows: list[Json] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    writes: list[tuple[str, str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Invent the labels."""
        for number in range(self.labels):
            options = [{"value": f"v{i}", "description": ""} for i in range(number % 3)]
            self.add(name=f"Label {number}", aiFlow=number % 2 > 0, options=options)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v2"

    def add(self, **values: Any) -> Json:
        """Add a label, and return it."""
        row = {
            "uuid": str(uuid.UUID(int=len(self.rows) + 1, version=4)),
            "name": "",
            "description": None,
            "aiFlow": False,
            "allTeams": False,
            "isDefaultTemplate": False,
            "options": [],
            "organizationUUID": ORGANIZATION,
            "createdAt": "2026-04-16T18:00:00Z",
            **values,
        }
        self.rows.append(row)
        return row

    def __enter__(self) -> Self:
        """Start the server, and wait until it listens."""
        started: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)), daemon=True
        )
        self._thread.start()
        self.port = started.result()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _serve(self, started: Future[int]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.05)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            started.set_result(runner.addresses[0][1])
            await self._stopping.wait()
        except OSError as error:
            started.set_exception(error)
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs, {**request.headers}))
        text = await request.text()
        fault = next((f for f in self.faults if f.method == request.method), None)
        if fault is None:
            return self._respond(request, text)
        if fault.commits:
            self._respond(request, text)
        if fault.times is not None:
            fault.times -= 1
            if not fault.times:
                self.faults.remove(fault)
        if not fault.status and request.transport:
            request.transport.close()
        return web.Response(
            status=fault.status or 500, text=fault.body, headers=fault.headers
        )

    def _respond(self, request: web.BaseRequest, text: str) -> web.Response:
        """Answer as the API does when nothing goes wrong on purpose."""
        try:
            return self._call(request, text)
        except RefusedError as error:
            return web.json_response({"error": str(error)}, status=error.status)

    def _call(self, request: web.BaseRequest, text: str) -> web.Response:
        if request.headers.get("Authorization") not in (self.key, f"Bearer {self.key}"):
            raise RefusedError(401, "invalid or missing API key")
        head, _, identity = request.path.removeprefix("/v2/").partition("/")
        method = request.method if head == "labels" else ""
        if method == "GET" and not identity:
            return web.json_response(self._list(request))
        if method == "POST" and not identity:
            values = self._read_body(request, text)
            self._check_name(values.get("name"), None)
            return web.json_response({"data": self.add(**values)}, status=201)
        row = next((row for row in self.rows if row["uuid"] == identity), None)
        if method not in ("GET", "PATCH") or row is None:
            raise RefusedError(404, "not found")
        if method == "PATCH":
            values = self._read_body(request, text)
            if "name" in values:
                self._check_name(values["name"], row)
            row |= values
        return web.json_response({"data": row})

    def _list(self, request: web.BaseRequest) -> Json:
        page = int(request.query.get("page", 1))
        size = min(int(request.query.get("size", MAX_SIZE)), self.size)
        if self.shape == "same-page":
            return {"data": self.rows}
        if self.shape == "no-meta":
            return {"data": self.rows if page == 1 else []}
        total = len(self.rows) if self.promised is None else self.promised
        meta = {"totalRecords": total}
        if self.shape == "page-count":
            pages = ceil(len(self.rows) / size)
            meta |= {"pageNumber": page, "pageSize": size, "pageCount": pages}
        return {"data": self.rows[(page - 1) * size : page * size], "meta": meta}

    def _read_body(self, request: web.BaseRequest, text: str) -> Json:
        """Return the fields to be written, as they are stored."""
        try:
            body = json.loads(text)
        except ValueError:
            raise RefusedError(400, "the body is not JSON") from None
        self.writes.append((request.method, request.path, body))
        if not isinstance(body, dict) or body.keys() - KINDS:
            raise RefusedError(400, "the body has unknown fields")
        values = {name: value for name, value in body.items() if value is not None}
        if not values:
            raise RefusedError(400, "at least one field is needed")
        _check(values)
        if "name" in values:
            values["name"] = values["name"].strip()
        if values.get("description") == "":
            values["description"] = None
        return values

    def _check_name(self, name: str | None, row: Json | None) -> None:
        if not name or len(name) > MAX_NAME:
            raise RefusedError(400, f"name must have 1 to {MAX_NAME} characters")
        if any(other["name"] == name for other in self.rows if other is not row):
            raise RefusedError(409, "a label with this name exists already")


def _check(values: Json) -> None:
    for name, value in values.items():
        if not isinstance(value, KINDS[name]):
            raise RefusedError(400, f"{name} has the wrong type")
    if len(values.get("description", "")) > MAX_DESCRIPTION:
        raise RefusedError(400, "description is too long")
    for option in values.get("options", ()):
        if not isinstance(option, dict) or "value" not in option:
            raise RefusedError(400, "options need a value")


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--labels", type=click.IntRange(min=0), default=12, help="How many.")
@click.option(
    "--shape",
    type=click.Choice(get_args(Shape)),
    default="page-count",
    help="How the list of labels is laid out.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: a free one.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def main(labels: int, shape: Shape, port: int, command: tuple[str, ...]) -> None:
    """Serve until Ctrl-C; or run COMMAND against it, and end as it does.

    COMMAND finds the URL and the key in the environment, as settings of tap-attention
    and of target-attention.
    """
    with Sandbox(labels, shape, port=port) as sandbox:
        values = {"API_URL": sandbox.url, "API_KEY": sandbox.key}
        environment = {
            f"{plugin}_ATTENTION_{name}": value
            for plugin in ("TAP", "TARGET")
            for name, value in values.items()
        }
        if command:
            done = subprocess.run(command, env=os.environ | environment, check=False)  # noqa: S603 (the user's own)
            sys.exit(done.returncode)
        for name, value in environment.items():
            click.echo(f"{name}={value}")
        threading.Event().wait()
