"""Signals: no write begins after one, and the one under way is accounted for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest

from tap_instantly.api import client, rate_limit
from tap_instantly.target import termination
from tests.conftest import UNLIMITED, clean_environment
from tests.writing.runs import BLOCKED, LABELS, STATE, TAGS, part, state, text_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Json
    from tests.writing.conftest import Write

COMMAND = str(Path(sys.executable).with_name("target-instantly"))

TWO = part(TAGS, {"label": "A"}, {"label": "B"})


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Restore what handled the signals before."""
    numbers = signal.SIGTERM, signal.SIGINT, signal.SIGALRM
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def send(*_: object) -> None:
    """Send SIGTERM to the main thread of this process."""
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGTERM)


def on(sandbox: Sandbox, method: str) -> None:
    """Send a signal with the first request of a method."""
    given = []

    def handle(request: t.Any) -> None:
        if request.method == method and not given:
            given.append(request)
            send()

    sandbox.on_request = handle


def test_write_under_way_is_finished(write: Write, empty: Sandbox) -> None:
    """It is reported as what it is; the next one does not begin."""
    on(empty, "POST")
    result = write(TWO)
    assert result.outcomes == ["created", "not attempted"]
    assert (result.exit_code, result.states) == (143, [])
    assert len(empty.writes) == 1
    again = write(TWO)
    assert again.outcomes == ["unchanged", "created"]
    assert (again.exit_code, again.states) == (0, [STATE])


@pytest.mark.parametrize("commits", [False, True])
def test_write_under_way_that_does_not_answer(
    write: Write, empty: Sandbox, monkeypatch: pytest.MonkeyPatch, *, commits: bool
) -> None:
    """It is given up soon, and recorded as uncertain."""
    monkeypatch.setattr(termination, "GRACE", 0.2)
    on(empty, "POST")
    empty.fail("/custom-tags", "hang", commits=commits, method="POST", times=1)
    result = write(TWO)
    assert result.outcomes == ["uncertain", "not attempted"]
    assert (result.exit_code, result.states) == (143, [])
    assert len(empty.writes) == 1


def test_write_under_way_that_is_uncertain(write: Write, empty: Sandbox) -> None:
    """It is looked for once, and not sent again."""
    on(empty, "POST")
    empty.fail("/custom-tags", 500, method="POST", times=1)
    result = write(TWO)
    assert result.outcomes == ["uncertain", "not attempted"]
    assert (result.exit_code, len(empty.writes)) == (143, 1)


def test_uncertain_write_that_is_there(write: Write, empty: Sandbox) -> None:
    """Looking for it shows that it is done."""
    on(empty, "POST")
    empty.fail("/custom-tags", 500, method="POST", times=1, commits=True)
    result = write(TWO)
    assert result.outcomes == ["created", "not attempted"]
    assert (result.exit_code, len(empty.writes)) == (143, 1)


def test_while_the_list_is_read(write: Write, empty: Sandbox) -> None:
    """Nothing is written at all."""
    on(empty, "GET")
    result = write(TWO)
    assert (result.exit_code, result.states, empty.writes) == (143, [], [])


def test_while_the_rate_limit_is_waited_for(
    write: Write, empty: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that waits for its turn does not begin, nor is it uncertain."""
    real = rate_limit.RateLimiter.wait
    turns = iter([True])

    def wait(self: rate_limit.RateLimiter, path: str = "") -> float:
        if len(empty.writes) == 1 and next(turns, False):
            send()
        return real(self, path)

    monkeypatch.setattr(rate_limit.RateLimiter, "wait", wait)
    result = write(TWO)
    assert result.outcomes == ["created", "not attempted"]
    assert (result.exit_code, len(empty.writes)) == (143, 1)


def test_while_halves_of_a_batch_are_sent(write: Write, empty: Sandbox) -> None:
    """The half that was not sent is not attempted."""
    empty.fail("bulk-create", 400, times=1)
    given = []

    def handle(request: t.Any) -> None:
        if request.path.endswith("bulk-create"):
            given.append(request)
            if len(given) == 2:
                send()

    empty.on_request = handle
    values = [{"bl_value": f"{number}.example.com"} for number in range(4)]
    result = write(part(BLOCKED, *values))
    assert result.outcomes == ["created"] * 2 + ["not attempted"] * 2
    assert (result.exit_code, len(empty.writes)) == (143, 2)


def test_between_two_tries(
    write: Write, empty: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that waits after a 429 is not tried again."""
    monkeypatch.setattr("backoff._sync.time.sleep", send)
    empty.fail("/custom-tags", 429, method="POST")
    result = write(TWO)
    assert result.exit_code == 143
    assert (len(empty.writes), empty.ledger) == (1, [])
    assert result.outcomes[1] == "not attempted"


class TestProcess:
    """The installed command, and real signals."""

    def start(
        self, sandbox: Sandbox, path: Path, messages: list[Json], **settings: t.Any
    ) -> subprocess.Popen[bytes]:
        """Start the command with some input."""
        config = path / "config.json"
        settings |= {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "max_requests_per_minute": UNLIMITED,
            "report_path": str(path / "report.jsonl"),
        }
        config.write_text(json.dumps(settings), encoding="utf-8")
        file = path / "input.jsonl"
        file.write_text(text_of([*messages, state()]).read(), encoding="utf-8")
        return subprocess.Popen(
            [COMMAND, "--config", str(config), "--input", str(file)],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    @pytest.mark.parametrize("last", [1, 4])
    def test_ends_and_begins_again(
        self, empty: Sandbox, tmp_path: Path, number: signal.Signals, last: int
    ) -> None:
        """Whatever the signal, the report is true and nothing is done twice."""
        messages = part(TAGS, *({"label": f"T{number}"} for number in range(6)))
        pids: list[int] = []
        writes = 0

        def kill(request: t.Any) -> None:
            nonlocal writes
            writes += request.method == "POST"
            if writes == last and pids:
                os.kill(pids.pop(), number)

        empty.on_request = kill
        with self.start(empty, tmp_path, messages) as process:
            pids.append(process.pid)
            output, log = process.communicate(timeout=60)
        codes = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}
        assert process.returncode == codes[number], log
        assert output == b""
        lines = self.report(tmp_path)
        done = [line["key"] for line in lines if line["outcome"] == "created"]
        there = {row["label"] for row in empty.tables[TAGS].rows}
        if number == signal.SIGKILL:
            assert len(lines) == last - 1
            assert {*done} <= there
        else:
            assert len(lines) == 6
            assert {*done} == there
            assert len(there) == last
        empty.on_request = None
        with self.start(empty, tmp_path, messages) as process:
            output, log = process.communicate(timeout=60)
        assert (process.returncode, json.loads(output)) == (0, STATE), log
        rows = [row["label"] for row in empty.tables[TAGS].rows]
        assert sorted(rows) == [f"T{number}" for number in range(6)]
        assert [line["outcome"] for line in self.report(tmp_path)] == [
            "unchanged" if f"T{number}" in there else "created" for number in range(6)
        ]

    def test_while_the_input_is_read(self, empty: Sandbox, tmp_path: Path) -> None:
        """A signal between two records is no end of the input."""
        config = {
            "api_key": empty.key,
            "api_url": empty.url,
            "report_path": str(tmp_path / "report.jsonl"),
            "delete": "mirror",
            "reassigned_status": 1,
        }
        empty.labels.add(label="Kept")
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        with subprocess.Popen(
            [COMMAND, "--config", str(file)],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdin
            assert process.stderr
            bad = {"label": "A", "interest_status_label": "positive", "odd": 1}
            process.stdin.write(text_of(part(LABELS, bad)).read().encode())
            process.stdin.flush()
            for line in process.stderr:  # until the record is there
                if b"odd" in line:
                    break
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
        assert (process.returncode, output) == (143, b"")
        assert empty.requests == []
        assert len(empty.labels) == 1

    @staticmethod
    def report(path: Path) -> list[Json]:
        """Return the whole lines of the report."""
        text = (path / "report.jsonl").read_text("utf-8")
        assert text.endswith("\n") or not text
        return [json.loads(line) for line in text.splitlines()]


def test_report_is_flushed_line_by_line(
    write: Write, empty: Sandbox, tmp_path: Path
) -> None:
    """Before a write begins, the report has what was written before it."""
    seen: list[int] = []

    def look(request: t.Any) -> None:
        if request.method == "POST":
            path = tmp_path / "report.jsonl"
            seen.append(len(path.read_text("utf-8").splitlines()))

    empty.on_request = look
    write(part(TAGS, *({"label": name} for name in "ABC")))
    assert seen == [0, 1, 2]


def test_hanging_write_takes_no_longer_than_allowed(
    write: Write, empty: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that times out is looked for, like any other that is uncertain."""
    monkeypatch.setattr(client, "READ_TIMEOUT", 0.3)
    empty.fail("/custom-tags", "hang", method="POST", times=1, commits=True)
    assert write(TWO).outcomes == ["created"] * 2
