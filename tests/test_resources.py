"""What a run may take of its machine: memory, files and threads."""

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

import psutil
import pytest

from tests.conftest import CATALOG_FILE, COMMAND, UNLIMITED, sync, wait_for_threads

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
"""Runs a command in a small process: a child begins with the size of its parent."""


def peak_memory(labels: int) -> float:
    """Return the peak memory, in MiB, of a run that reads so many labels."""
    command: list[str | Path] = [
        *(Path(sys.executable).with_name("instantly-sandbox"), "run"),
        *(f"--labels={labels}", "--lists=0", "--"),
        *(sys.executable, "-c", MEASURE, COMMAND, "--catalog", CATALOG_FILE),
    ]
    env = os.environ | {"TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE": str(UNLIMITED)}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=True, timeout=600
    )
    assert re.search(rf"lead_labels: {labels} rows", done.stderr)
    code, size = map(int, done.stdout.split())
    assert code == 0
    return size / MEBIBYTE


def test_memory() -> None:
    """Any number of rows takes at most ten MiB more than a thousand rows."""
    few, many = peak_memory(1_000), peak_memory(MANY)
    assert many - few <= 10, f"{few:.1f} MiB for 1,000 rows, {many:.1f} for {MANY:,}"


def open_files(port: int) -> list[object]:
    """Return the files, and the connections to a port, that this process has open."""
    process = psutil.Process()
    ends = process.net_connections("tcp")
    to_port = [end for end in ends if end.raddr and end.raddr.port == port]
    return [*process.open_files(), *to_port]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Keep the garbage collector from closing what a run leaves open."""
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
