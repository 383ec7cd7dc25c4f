"""What the tests share: a sandbox, and two ways to run the tap against it."""

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
from pathlib import Path

import pytest

from tap_instantly.api.client import Client
from tap_instantly.sandbox import Sandbox
from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.api.pages import Page, Request

Json = dict[str, t.Any]

HEART = ("lead_labels", "lead_lists")
"""The streams that a test reads if it does not say otherwise."""

UNHURRIED = 1_000_000
"""Requests a minute, where the pace is not what a test is about."""


@dataclass
class Output:
    """What a run of the tap has left behind.

    Attributes:
        tap: The tap, if it ran in this process.
    """

    stdout: str
    stderr: str = ""
    exit_code: int = 0
    tap: TapInstantly | None = None
    messages: list[Json] = field(init=False)

    def __post_init__(self) -> None:
        """Parse the messages; a line that is no JSON fails the test."""
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


def catalog_of(*streams: str, method: str | None = None) -> Json:
    """Return a catalog that selects these streams, or all if there are none.

    Args:
        streams: Their names.
        method: How they are replicated, if not as they are by default.
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
HEART_FILE = Path(DIRECTORY.name) / "catalog.json"
HEART_FILE.write_text(json.dumps(catalog_of(*HEART)), encoding="utf-8")

NO_RUN = {"--about", "--catalog", "--discover", "--test"}


def sync(
    sandbox: Sandbox,
    state: Json | None = None,
    catalog: Json | None = None,
    **settings: t.Any,
) -> Output:
    """Run the tap in this process: the quick way, for what stdout holds."""
    tap = tap_of(sandbox, state, catalog, **settings)
    with captured() as stdout:
        tap.sync_all()
    return Output(stdout.getvalue().decode(), tap=tap)


def tap_of(
    sandbox: Sandbox,
    state: Json | None = None,
    catalog: Json | None = None,
    **settings: t.Any,
) -> TapInstantly:
    """Return a tap that has yet to read."""
    catalog = catalog_of(*HEART) if catalog is None else catalog
    config = {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "max_requests_per_minute": UNHURRIED,
        **settings,
    }
    return TapInstantly(config=config, state=state, catalog=catalog)


def answer_with(
    monkeypatch: pytest.MonkeyPatch,
    answer: t.Callable[[Request, t.Callable[[], Page]], Page],
) -> None:
    """Let a function answer what a client asks, given what does so usually."""
    usual = Client.fetch

    def fetch(self: Client, request: Request, **options: t.Any) -> Page:
        return answer(request, lambda: usual(self, request, **options))

    monkeypatch.setattr(Client, "fetch", fetch)


@contextlib.contextmanager
def captured(pipe: io.BytesIO | None = None) -> t.Iterator[io.BytesIO]:
    """Take what is written to stdout."""
    pipe = io.BytesIO() if pipe is None else pipe
    stdout = io.TextIOWrapper(pipe, encoding="utf-8", write_through=True)
    try:
        with contextlib.redirect_stdout(stdout):
            yield pipe
    finally:
        stdout.detach()


def wait_for_threads(tap: TapInstantly | None, before: set[threading.Thread]) -> None:
    """Wait until no threads are left but those that there were before a tap read."""
    assert tap is not None
    tap.scheduler.join(60)
    assert set(threading.enumerate()) <= before


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
        if catalog is None and not NO_RUN & {*arguments}:
            catalog = catalog_of(*HEART)
        inputs = {"state": state, "catalog": catalog, "config": config}
        for name, content in inputs.items():
            if content is not None:
                file = tmp_path / f"{name}.json"
                text = content if isinstance(content, str) else json.dumps(content)
                file.write_text(text, encoding="utf-8")
                options += [f"--{name}", str(file)]
        env = {k: v for k, v in os.environ.items() if not k.startswith("TAP_")}
        if sandbox is not None:
            env["TAP_INSTANTLY_API_KEY"] = sandbox.key
            env["TAP_INSTANTLY_API_URL"] = sandbox.url
            env["TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE"] = str(UNHURRIED)
        done = subprocess.run(
            [Path(sys.executable).with_name("tap-instantly"), *options],
            env=env | environment,
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
    """Return a function that makes a catalog that reads the streams whole."""
    return lambda: catalog_of(*HEART, method="FULL_TABLE")
