"""Long lists: few requests, within the limits, and memory for what changes alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import UNLIMITED, clean_environment
from tests.writing.runs import BLOCKED, part, record, run, schema, state

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Json
    from tests.writing.conftest import Write

IS_NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

MEASURED = """
import sys
import psutil
from tap_instantly.target.target import TargetInstantly

try:
    TargetInstantly.cli(sys.argv[1:])
finally:
    print(psutil.Process().memory_info().rss, file=sys.stderr)
"""


@pytest.fixture
def long_list() -> Iterator[t.Callable[[int], Sandbox]]:
    """Return a function that returns an API with a long block list, and its limits."""
    running: list[Sandbox] = []

    def start(count: int) -> Sandbox:
        sizes: t.Any = dict.fromkeys(("labels", "lists", "emails", "leads"), 0)
        sandbox = Sandbox(
            blocked=count, requests_per_second=100, requests_per_minute=6000, **sizes
        )
        sandbox.start()
        running.append(sandbox)
        return sandbox

    yield start
    for sandbox in running:
        sandbox.stop()


def wanted(sandbox: Sandbox, new: int) -> Iterator[Json]:
    """Generate the records of all entries, and of some new ones."""
    yield schema(BLOCKED)
    for row in sandbox.tables[BLOCKED].rows:
        yield record(BLOCKED, bl_value=row["bl_value"])
    for number in range(new):
        yield record(BLOCKED, bl_value=f"new{number}.example.net")


def run_measured(
    sandbox: Sandbox, path: Path, new: int, **settings: t.Any
) -> tuple[int, int]:
    """Run in a process of its own; return the exit code and its bytes of memory."""
    config, file = path / "config.json", path / "input.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for message in [*wanted(sandbox, new), state()]:
            lines.write(json.dumps(message) + "\n")
    given = {"api_key": sandbox.key, "api_url": sandbox.url, **settings}
    config.write_text(json.dumps(given), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "--config", str(config), "--input", str(file)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, int(done.stderr.splitlines()[-1])


def test_memory_is_flat_in_what_is_unchanged(
    long_list: t.Callable[[int], Sandbox], tmp_path: Path
) -> None:
    """Ten times as many unchanged entries take hardly more memory."""
    sizes = (10_000, 50_000) if IS_NIGHTLY else (2_000, 20_000)
    used = []
    for size in sizes:
        sandbox = long_list(size)
        sandbox.requests_per_second = sandbox.requests_per_minute = None
        code, memory = run_measured(
            sandbox, tmp_path, 20, max_requests_per_minute=UNLIMITED
        )
        assert code == 0
        assert len(sandbox.ledger) == 1
        used.append(memory)
    print([f"{memory / 2**20:.1f} MiB" for memory in used])  # noqa: T201 (the figures)
    # A row that is remembered takes some hundred bytes; SQLite keeps 2 MiB of pages.
    assert used[1] - used[0] < (sizes[1] - sizes[0]) * 100 + 4 * 2**20


@pytest.mark.parametrize("entries", [100_000 if IS_NIGHTLY else 10_000])
def test_many_entries(
    long_list: t.Callable[[int], Sandbox], tmp_path: Path, entries: int
) -> None:
    """Two percent of them new: the requests that reading takes, and twenty more."""
    new = entries // 50
    sandbox = long_list(entries - new)
    report = tmp_path / "report.jsonl"
    code, memory = run_measured(
        sandbox,
        tmp_path,
        new,
        max_requests_per_minute=6000,
        report_path=str(report),
    )
    statuses = {request.status for request in sandbox.requests}
    print(f"{len(sandbox.requests)} requests, {memory / 2**20:.1f} MiB")  # noqa: T201 (the figures)
    assert (code, statuses) == (0, {200})
    assert len(sandbox.requests) <= entries / 100 + 20
    assert len(sandbox.writes) == len(sandbox.ledger) == -(-new // 1000)
    assert len(report.read_text("utf-8").splitlines()) == entries
    assert len(sandbox.tables[BLOCKED]) == entries


def test_requests_of_two_thousand_entries(
    long_list: t.Callable[[int], Sandbox], tmp_path: Path
) -> None:
    """The same in small: a hundred rows a page, a thousand new ones a write."""
    sandbox = long_list(2_000)
    result = run(
        sandbox,
        wanted(sandbox, 1_500),
        tmp_path / "report.jsonl",
        max_requests_per_minute=6000,
    )
    assert result.counts == {"unchanged": 2_000, "created": 1_500}
    assert len(sandbox.requests) <= 2_000 / 100 + 2 + 2
    assert {request.status for request in sandbox.requests} == {200}


def test_requests_of_a_thousand_labels(write: Write, empty: Sandbox) -> None:
    """Ten that changed cost ten writes."""
    names = [f"L{number}" for number in range(1000)]
    for name in names:
        empty.labels.add(
            label=name,
            interest_status_label="neutral",
            description=...,
            use_with_ai=...,
        )
    records: list[Json] = [{"label": name} for name in names]
    for values in records[::100]:
        values["description"] = "x"
    result = write(part("lead_labels", *records))
    assert result.counts == {"unchanged": 990, "updated": 10}
    reads = len(empty.requests) - len(empty.writes)
    assert len(empty.writes) == 10
    assert reads <= 1000 / 100 + 5
