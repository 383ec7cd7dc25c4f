"""What the tests share: a sandbox, and three ways to run the tap against it."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tap_instantly.api import rate_limit, retry
from tap_instantly.api.client import Client
from tap_instantly.sandbox import Sandbox
from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tap_instantly.api.pages import Page, Request
    from tap_instantly.sandbox.http.requests import Request as ReceivedRequest

Json = dict[str, t.Any]

DEFAULT_STREAMS = ("lead_labels", "lead_lists")
"""The streams that a test reads unless it says otherwise."""

UNLIMITED = 1_000_000
"""A rate limit, in requests a minute, that keeps no test waiting."""

COMMAND = str(Path(sys.executable).with_name("tap-instantly"))


@dataclass
class Output:
    """What a run of the tap has written.

    Attributes:
        tap: The tap, if it ran in this process.
    """

    stdout: str
    stderr: str = ""
    exit_code: int = 0
    tap: TapInstantly | None = None
    messages: list[Json] = field(init=False)

    def __post_init__(self) -> None:
        """Parse the messages; a line that is not JSON fails the test."""
        self.messages = [json.loads(line) for line in self.stdout.splitlines()]

    def records(self, stream: str) -> list[Json]:
        """Return the records of a stream, in the order they were written."""
        return [m["record"] for m in self.of("RECORD") if m["stream"] == stream]

    def ids(self, stream: str) -> list[str]:
        """Return the ids of a stream's records."""
        return [record["id"] for record in self.records(stream)]

    def of(self, kind: str) -> list[Json]:
        """Return the messages of one type."""
        return [m for m in self.messages if m["type"] == kind]

    @property
    def state(self) -> Json:
        """The last STATE written."""
        value: Json = self.of("STATE")[-1]["value"]
        return value

    def bookmark(self, stream: str) -> str | None:
        """Return a stream's bookmark in the last STATE."""
        value: str | None = self.state["bookmarks"][stream].get("replication_key_value")
        return value


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return an Instantly API with a few rows, strict about parameters."""
    with Sandbox(seed=1, labels=12, lists=5, strict=True) as sandbox:
        yield sandbox


@pytest.fixture
def workspace() -> Iterator[Sandbox]:
    """Return an Instantly API with a few pages of leads and e-mails."""
    with Sandbox(labels=3, lists=3, leads=250, emails=350, strict=True) as sandbox:
        yield sandbox


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lift the rate limit of e-mails, and let no request be tried again."""
    remove_waits(monkeypatch)


def remove_waits(patch: pytest.MonkeyPatch) -> None:
    """Do what `no_waits` does, for fixtures of a wider scope."""
    patch.setitem(rate_limit.ENDPOINT_LIMITS, "/emails", UNLIMITED)
    patch.setattr(retry, "MAX_TOTAL_WAIT", 0.0)


def catalog_of(*streams: str, method: str | None = None) -> Json:
    """Return a catalog that selects some streams.

    Args:
        streams: Their names; none for all streams.
        method: Their replication method, if it is not to be the default.
    """
    entries: Json = json.loads(_catalog_of(streams, method))
    return entries


@functools.cache
def _catalog_of(streams: tuple[str, ...], method: str | None) -> str:
    entries = TapInstantly(config={}, validate_config=False).catalog_dict["streams"]
    chosen = [e for e in entries if not streams or e["tap_stream_id"] in streams]
    for stream in chosen:
        if method is not None:
            stream["replication_method"] = method
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = True
    return json.dumps({"streams": chosen})


DIRECTORY = tempfile.TemporaryDirectory()
CATALOG_FILE = Path(DIRECTORY.name) / "catalog.json"
CATALOG_FILE.write_text(json.dumps(catalog_of(*DEFAULT_STREAMS)), encoding="utf-8")

NO_SYNC = {"--about", "--catalog", "--discover", "--test"}


def sync(
    sandbox: Sandbox,
    state: Json | None = None,
    catalog: Json | None = None,
    **settings: t.Any,
) -> Output:
    """Run the tap in this process, which is quick but tells only what stdout holds."""
    tap = tap_of(sandbox, state, catalog, **settings)
    with captured() as stdout:
        tap.sync_all()
    return Output(stdout.getvalue().decode(), tap=tap)


def read(
    sandbox: Sandbox,
    stream: str,
    state: Json | None = None,
    method: str | None = None,
    **settings: t.Any,
) -> Output:
    """Read one stream, in this process."""
    state = json.loads(json.dumps(state))  # the tap changes the one that it is given
    return sync(sandbox, state, catalog_of(stream, method=method), **settings)


def tap_of(
    sandbox: Sandbox,
    state: Json | None = None,
    catalog: Json | None = None,
    **settings: t.Any,
) -> TapInstantly:
    """Return a tap that has not read anything yet."""
    catalog = catalog_of(*DEFAULT_STREAMS) if catalog is None else catalog
    config = {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "max_requests_per_minute": UNLIMITED,
        **settings,
    }
    return TapInstantly(config=config, state=state, catalog=catalog)


def intercept(
    monkeypatch: pytest.MonkeyPatch,
    handle: Callable[[Request, Callable[[], Page]], Page],
) -> None:
    """Let a function handle each request of the tap.

    Args:
        monkeypatch: Ends it with the test.
        handle: Returns the page; called with the request and what sends it.
    """
    fetch = Client.fetch

    def intercepted(self: Client, request: Request, **options: t.Any) -> Page:
        return handle(request, lambda: fetch(self, request, **options))

    monkeypatch.setattr(Client, "fetch", intercepted)


@contextlib.contextmanager
def captured(pipe: io.BytesIO | None = None) -> t.Iterator[io.BytesIO]:
    """Collect what is written to stdout."""
    pipe = io.BytesIO() if pipe is None else pipe
    stdout = io.TextIOWrapper(pipe, encoding="utf-8", write_through=True)
    try:
        with contextlib.redirect_stdout(stdout):
            yield pipe
    finally:
        stdout.detach()


def wait_for_threads(tap: TapInstantly | None, before: set[threading.Thread]) -> None:
    """Wait until only those threads are left that were there before the tap ran."""
    assert tap is not None
    tap.scheduler.join(60)
    assert set(threading.enumerate()) <= before


def ids(rows: Iterable[Json], key: str = "id") -> set[str]:
    """Return the ids of some rows."""
    return {row[key] for row in rows}


def requests_to(sandbox: Sandbox, path: str) -> list[ReceivedRequest]:
    """Return the requests to an endpoint."""
    return [request for request in sandbox.requests if request.path.endswith(path)]


def parse_timestamp(text: str) -> datetime:
    """Parse a timestamp of the sandbox; of a day, return its midnight."""
    timestamp = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=timezone.utc)


def environment_for(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of a command that reads from a sandbox."""
    return clean_environment() | {
        "TAP_INSTANTLY_API_KEY": sandbox.key,
        "TAP_INSTANTLY_API_URL": sandbox.url,
        "TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE": str(UNLIMITED),
    }


def clean_environment() -> dict[str, str]:
    """Return the environment of the tests without settings of the tap."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TAP_")}


Process = subprocess.Popen[bytes]


@contextlib.contextmanager
def started(
    sandbox: Sandbox,
    command: Sequence[str] = (COMMAND, "--catalog", str(CATALOG_FILE)),
    stdout: int | t.BinaryIO = subprocess.PIPE,
    stderr: int | t.BinaryIO = subprocess.PIPE,
    **environment: str,
) -> Iterator[Process]:
    """Start the tap, by default with the default streams, and kill it at the end."""
    with subprocess.Popen(
        command,
        bufsize=0,
        env=environment_for(sandbox) | environment,
        stdout=stdout,
        stderr=stderr,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


Command = t.Callable[..., Output]


@pytest.fixture
def tap(tmp_path: Path) -> Command:
    """Return a function that runs the installed command, as a user does."""

    def run(
        *arguments: str,
        sandbox: Sandbox | None = None,
        state: Json | str | None = None,
        catalog: Json | str | None = None,
        config: Json | str | None = None,
        **environment: str,
    ) -> Output:
        """Run `tap-instantly`; keywords in capitals are environment variables."""
        options = list(arguments)
        if catalog is None and not NO_SYNC & {*arguments}:
            catalog = catalog_of(*DEFAULT_STREAMS)
        inputs = {"state": state, "catalog": catalog, "config": config}
        for name, content in inputs.items():
            if content is not None:
                file = tmp_path / f"{name}.json"
                text = content if isinstance(content, str) else json.dumps(content)
                file.write_text(text, encoding="utf-8")
                options += [f"--{name}", str(file)]
        done = subprocess.run(
            [COMMAND, *options],
            env=(
                environment_for(sandbox) if sandbox is not None else clean_environment()
            )
            | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Output(done.stdout, done.stderr, done.returncode)

    return run


@pytest.fixture
def full_table() -> Callable[[], Json]:
    """Return a function that returns a catalog for full-table replication."""
    return lambda: catalog_of(*DEFAULT_STREAMS, method="FULL_TABLE")
