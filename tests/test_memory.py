"""What a run may take: memory, files, threads, and requests in a second."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tap_instantly.api import rate_limit
from tap_instantly.api.rate_limit import RateLimiter
from tests.conftest import HEART_FILE, sync, wait_for_threads

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox import Sandbox
    from tap_instantly.sandbox.http.faults import Kind

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
MANY = 1_000_000 if NIGHTLY else 100_000
MEBIBYTE = 1_024 if sys.platform == "linux" else 2**20
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs a command in a process that is itself small: its size is inherited at first."""


def peak(labels: int) -> float:
    """Return the most memory, in MiB, that a run of so many labels takes."""
    command: list[str | Path] = [
        *(Path(sys.executable).with_name("instantly-sandbox"), "run"),
        *(f"--labels={labels}", "--lists=0", "--"),
        *(sys.executable, "-c", MEASURE),
        *(Path(sys.executable).with_name("tap-instantly"), "--catalog", HEART_FILE),
    ]
    env = os.environ | {"TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE": "1000000"}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=True, timeout=600
    )
    assert re.search(rf"lead_labels: {labels} rows", done.stderr)
    code, size = map(int, done.stdout.split())
    assert code == 0
    return size / MEBIBYTE


def test_memory() -> None:
    """However many rows, no more than ten megabytes above a thousand."""
    few, many = peak(1_000), peak(MANY)
    assert many - few <= 10, f"{few:.1f} MiB for 1,000 rows, {many:.1f} for {MANY:,}"


def open_files(port: int) -> list[object]:
    """Return the files, and the connections to a port, that this process has open."""
    process = psutil.Process()
    ends = process.net_connections("tcp")
    to_port = [end for end in ends if end.raddr and end.raddr.port == port]
    return [*process.open_files(), *to_port]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Leave nothing to the garbage collector, which comes when it likes."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", [None, 401, 503, "reset", "truncate", "not-json"])
def test_nothing_is_left_open(
    sandbox: Sandbox, kind: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred runs in one process leave no file and no thread behind."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    if kind is not None:
        sandbox.fail("/lead-lists", t.cast("Kind", kind))
    threads = set(threading.enumerate())
    wait_for_threads(sync(sandbox).tap, threads)
    files = open_files(sandbox.port)
    for _ in range(100 if kind is None else 20):
        output = sync(sandbox)
    wait_for_threads(output.tap, threads)
    assert len(open_files(sandbox.port)) <= len(files)


@pytest.mark.parametrize("path", ["/lead-labels", "/emails"])
@pytest.mark.parametrize(("per_minute", "threads"), [(6000, 1), (6000, 8), (50, 3)])
def test_pace(
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    per_minute: int,
    threads: int,
) -> None:
    """No second and no minute has more requests than it may, from whatever thread."""
    sent: list[float] = []
    here = threading.local()

    def sleep(seconds: float) -> None:
        here.now = getattr(here, "now", 0.0) + seconds

    fake = SimpleNamespace(monotonic=lambda: getattr(here, "now", 0.0), sleep=sleep)
    monkeypatch.setattr(rate_limit, "time", fake)
    pacer = RateLimiter(per_minute)

    def send(times: int) -> None:
        for _ in range(times):
            pacer.wait(path)
            pacer.wait()
            sent.append(fake.monotonic())

    workers = [
        threading.Thread(target=send, args=(7_000 // threads,)) for _ in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(sent) == 7_000 // threads * threads
    sent.sort()
    most = 20 if path == "/emails" else per_minute
    check_window(sent, 60, most)
    check_window(sent, 1, 100)


def check_window(sent: list[float], seconds: float, most: int) -> None:
    """Expect at most so many in any stretch of time."""
    pairs = zip(sent, sent[most:], strict=False)
    assert all(later - sooner >= seconds for sooner, later in pairs)


def test_every_request_is_paced(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both streams and all retries pass through one pacer."""
    passed: list[RateLimiter] = []

    def spy(self: RateLimiter, lane: str = "") -> None:
        if not lane:
            passed.append(self)

    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(RateLimiter, "wait", spy)
    for kind in (503, "reset", "not-json"):
        sandbox.fail("/lead-labels", t.cast("Kind", kind), times=2)
    sync(sandbox)
    assert len(passed) == len(sandbox.requests) > 6
    assert len(set(map(id, passed))) == 1
