"""Concurrent reading: in a stable order, within limits, and to an orderly end."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import threading
import typing as t

import pytest

from tap_instantly.api.client import Client
from tap_instantly.reading.concurrency import PartitionScheduler
from tap_instantly.sandbox import Sandbox
from tests.conftest import (
    COMMAND,
    Output,
    captured,
    catalog_of,
    intercept,
    requests_to,
    started,
    sync,
    tap_of,
    wait_for_threads,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_instantly.api.pages import Page, Request
    from tap_instantly.reading.partition import RecordBatch, Source
    from tap_instantly.sandbox.http.requests import Request as ReceivedRequest
    from tests.conftest import Process

pytestmark = pytest.mark.usefixtures("no_waits")

IN_TIME = 30.0  # half of the shortest wait that the tests interrupt


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with more campaigns than are read at a time."""
    with Sandbox(
        labels=0, lists=4, campaigns=30, leads=60, emails=120, strict=True
    ) as sandbox:
        yield sandbox


# Order


@pytest.fixture
def shuffled(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Let responses arrive in another order than that of the requests.

    Of every two requests in flight, the second is answered first. Returns how often
    that happened.
    """
    lock = threading.Lock()
    waiting: list[threading.Event] = []
    count = {"overtaken": 0}

    def handle(request: Request, fetch: Callable[[], Page]) -> Page:
        if not request.path_params:
            return fetch()
        with lock:
            partner = waiting.pop() if waiting else None
            own = threading.Event()
            if partner is None:
                waiting.append(own)
        page = fetch()
        if partner is not None:
            count["overtaken"] += 1
            partner.set()
        else:
            assert own.wait(60)
        return page

    intercept(monkeypatch, handle)
    return count


def test_order_is_that_of_the_parents(
    sandbox: Sandbox, shuffled: dict[str, int]
) -> None:
    """Responses that arrive early wait for their turn: two runs write the same."""
    stream = "campaign_sending_status"
    runs = [sync(sandbox, catalog=catalog_of(stream)) for _ in range(2)]
    records = [
        [line for line in run.stdout.splitlines() if '"RECORD"' in line] for run in runs
    ]
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    assert runs[0].records(stream) == runs[1].records(stream)
    assert [record["campaign_id"] for record in runs[0].records(stream)] == rows
    without_times = [
        re.sub(r'"time_extracted":"[^"]*"', "", "".join(r)) for r in records
    ]
    assert without_times[0] == without_times[1]
    assert shuffled["overtaken"] == 30


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_max_concurrency(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """As many requests are in flight as the setting allows, and no thread remains."""
    before = set(threading.enumerate())
    lock, is_full = threading.Lock(), threading.Event()
    in_flight, largest = 0, 0
    usual = Client._send  # noqa: SLF001 (what is in flight, without the waits)

    def send(self: Client, request: Request) -> bytes:
        nonlocal in_flight, largest
        with lock:
            in_flight += 1
            largest = max(largest, in_flight)
            if in_flight == limit:
                is_full.set()
        try:
            if request.path_params:  # all other requests have ended before
                assert is_full.wait(60)
            return usual(self, request)
        finally:
            with lock:
                in_flight -= 1

    monkeypatch.setattr(Client, "_send", send)
    stream = "campaign_sending_status"
    output = sync(sandbox, catalog=catalog_of(stream), max_concurrency=limit)
    assert len(output.records(stream)) == 30
    assert largest == limit
    wait_for_threads(output.tap, before)


def test_emails_are_read_while_other_streams_are(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not wait for the streams that come before them in the output."""
    has_second_page = threading.Event()

    def handle(request: Request, fetch: Callable[[], Page]) -> Page:
        if request.path == "/emails" and "starting_after" in request.params:
            has_second_page.set()
        elif request.path != "/emails":
            assert has_second_page.wait(60)
        return fetch()

    intercept(monkeypatch, handle)
    output = sync(sandbox, catalog=catalog_of("workspace", "emails"))
    streams = [message["stream"] for message in output.of("RECORD")]
    assert streams == ["workspace", *["emails"] * 120]


def test_a_tap_that_reads_again(sandbox: Sandbox) -> None:
    """A stream that failed, and was cancelled, is read in the next run."""
    stream = "campaign_sending_status"
    tap = tap_of(sandbox, catalog=catalog_of("campaigns", stream))
    sandbox.fail("/sending-status", 401)

    def read() -> None:
        for _ in range(2):
            tap.sync_all()
            sandbox.heal()

    with captured() as stdout:
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        thread.join(60)
    assert not thread.is_alive()
    output = Output(stdout.getvalue().decode())
    assert len(output.records(stream)) == 30


def test_cancelled_pages_are_not_buffered(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that arrives after its stream was cancelled leaves room for others."""
    before = set(threading.enumerate())
    is_cancelled = threading.Event()
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    sandbox.fail(f"/{rows[0]}/sending-status", 401)

    def handle(request: Request, fetch: Callable[[], Page]) -> Page:
        page = fetch()
        assert not request.path_params or is_cancelled.wait(60)
        return page

    def batches(self: PartitionScheduler, source: Source) -> Iterator[RecordBatch]:
        try:
            yield from usual_batches(self, source)
        finally:
            is_cancelled.set()

    intercept(monkeypatch, handle)
    usual_batches = PartitionScheduler.batches
    monkeypatch.setattr(PartitionScheduler, "batches", batches)
    stream = "campaign_sending_status"
    tap = tap_of(sandbox, catalog=catalog_of(stream))
    with captured():
        tap.sync_all()
    wait_for_threads(tap, before)
    assert tap.scheduler.buffered_bytes == 0


def test_threads_of_a_stream_that_fails(sandbox: Sandbox) -> None:
    """They end, and no further request is sent."""
    before = set(threading.enumerate())
    sandbox.fail("/sending-status", 401, after=3)
    output = sync(sandbox, catalog=catalog_of("campaign_sending_status"))
    wait_for_threads(output.tap, before)
    assert len(requests_to(sandbox, "/sending-status")) < 30


def test_a_stream_that_fails_makes_room(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests that are still in flight do not keep other streams from theirs."""
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    are_released, is_requested = threading.Event(), threading.Event()
    waiting = threading.Semaphore(0)

    def handle(request: Request, fetch: Callable[[], Page]) -> Page:
        if rows[0] in request.path_params.values():
            for _ in range(16):  # until no further partition is begun
                assert waiting.acquire(timeout=60)
        elif request.path_params:
            waiting.release()
            are_released.wait(60)
        elif request.path == "/workspaces/current":
            is_requested.set()
        return fetch()

    sandbox.fail(f"/{rows[0]}/sending-status", 401)
    intercept(monkeypatch, handle)
    catalog = catalog_of("campaign_sending_status", "workspace")
    before = set(threading.enumerate())

    was_requested: list[bool] = []

    def release() -> None:
        was_requested.append(is_requested.wait(60))
        are_released.set()

    releasing = threading.Thread(target=release)
    releasing.start()
    output = sync(sandbox, catalog=catalog, max_concurrency=1)
    releasing.join()
    assert was_requested == [True]
    wait_for_threads(output.tap, before)


# Ending


@contextlib.contextmanager
def started_for_campaigns(sandbox: Sandbox, directory: Path) -> Iterator[Process]:
    """Start to read campaigns and a substream of theirs; the output goes to files."""
    catalog = directory / "catalog.json"
    chosen = catalog_of("campaigns", "campaign_sending_status")
    catalog.write_text(json.dumps(chosen), encoding="utf-8")
    with (
        (directory / "stdout").open("wb") as stdout,
        (directory / "stderr").open("wb") as stderr,
        started(
            sandbox, [COMMAND, "--catalog", str(catalog)], stdout, stderr
        ) as process,
    ):
        yield process


def test_a_failure_ends_the_waits(sandbox: Sandbox, tmp_path: Path) -> None:
    """A run that has failed does not wait for the retries of other threads."""
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    is_requested = threading.Event()
    sandbox.fail(f"/{rows[0]}/sending-status", 401)
    sandbox.fail(f"/{rows[1]}/sending-status", 503, headers={"Retry-After": "600"})

    def on_request(request: ReceivedRequest) -> None:
        if rows[1] in request.path:
            is_requested.set()

    sandbox.on_request = on_request
    with started_for_campaigns(sandbox, tmp_path) as process:
        assert is_requested.wait(60)
        assert process.wait(IN_TIME) == 1


@pytest.mark.parametrize(
    ("signum", "exit_code", "kind"),
    [
        (signal.SIGTERM, 143, "hang"),
        (signal.SIGINT, 130, 503),
        (signal.SIGTERM, 143, "none"),
    ],
)
def test_a_signal_among_threads(
    sandbox: Sandbox,
    tmp_path: Path,
    signum: int,
    exit_code: int,
    kind: t.Literal["hang", 503, "none"],
) -> None:
    """The run ends in time and writes its state, whatever the threads are doing."""
    is_requested = threading.Event()

    def on_request(_: ReceivedRequest) -> None:
        if len(requests_to(sandbox, "/sending-status")) > 5:
            is_requested.set()

    if kind != "none":
        sandbox.fail("/sending-status", kind, after=5)
    sandbox.on_request = on_request
    with started_for_campaigns(sandbox, tmp_path) as process:
        assert is_requested.wait(60)
        process.send_signal(signum)
        assert process.wait(IN_TIME) == exit_code
    output = Output((tmp_path / "stdout").read_text(encoding="utf-8"))
    assert "Traceback" not in (tmp_path / "stderr").read_text(encoding="utf-8")
    newest = max(row["timestamp_updated"] for row in sandbox.tables["campaigns"].rows)
    assert output.bookmark("campaigns") == newest
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    found = [r["campaign_id"] for r in output.records("campaign_sending_status")]
    assert found == rows[: len(found)]
