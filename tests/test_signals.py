"""Signals: a run that is ended or killed writes its state, and loses no row."""

from __future__ import annotations

import fcntl
import itertools
import select
import signal
import sys
import termios
import threading
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib import StateMessage

from tap_instantly.sandbox import Sandbox
from tap_instantly.signals import UninterruptedWriter
from tests.conftest import Output, started, sync

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.sandbox.http.requests import Request
    from tests.conftest import Json, Process

STREAMS = ["lead_labels", "lead_lists"]
IN_TIME = 7.0  # a run may take five seconds to end, and the machine some more
EACH_SIGNAL = pytest.mark.parametrize(
    ("signum", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
SLOW_NAMES = """
import hashlib, os, socket, threading
def look_up(*_, **__):
    threading.Thread(target=os.write, args=(2, b"looking up\\n")).start()
    hashlib.pbkdf2_hmac("sha1", b"", b"", 10**9)  # uninterruptible, like slow DNS
socket.getaddrinfo = look_up
from tap_instantly.tap import TapInstantly
TapInstantly.cli()
"""
TAKEN_ELSEWHERE = """
import os, pathlib, signal, socket, threading
main = pathlib.Path(f"/proc/self/task/{os.getpid()}/status")
def look_up(*_, **__):
    text, looks = "", 0
    while looks < 2_000:  # until it does nothing but wait
        before, text = text, main.read_text()
        looks = looks + 1 if text == before else 0
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    threading.Event().wait()
socket.getaddrinfo = look_up
from tap_instantly.tap import TapInstantly
TapInstantly.cli()
"""


def at_request(
    sandbox: Sandbox, number: int, act: Callable[[], object], path: str = ""
) -> None:
    """Call a function, in the server's thread, at a request of this number."""
    numbers = itertools.count(1)

    def on_request(request: Request) -> None:
        if request.path.endswith(path) and next(numbers) == number:
            act()

    sandbox.on_request = on_request


def wait_for(process: Process, *texts: str) -> None:
    """Read the log until each of these texts has been in a line."""
    assert process.stderr is not None
    left = {each.encode() for each in texts}
    while left:
        line = process.stderr.readline()
        assert line, left
        left -= {each for each in left if each in line}


LABELS_ARE_COMPLETE = "Beginning sync of 'lead_lists'"


def ended(process: Process, exit_code: int) -> Output:
    """Expect an end in time, no traceback, and whole lines; return the output."""
    stdout, stderr = process.communicate(timeout=IN_TIME)
    assert process.returncode == exit_code
    assert b"Traceback" not in stderr
    assert not stdout or stdout.endswith(b"\n")
    return Output(stdout.decode(), stderr.decode())


def check_labels_are_complete(sandbox: Sandbox, output: Output) -> None:
    """Expect a bookmark for the stream that was complete, and for no other."""
    newest = sandbox.labels.rows[0]["timestamp_created"]
    assert output.bookmark("lead_labels") == newest
    lists = output.state["bookmarks"].get("lead_lists", {})
    assert "replication_key_value" not in lists
    # A state that has been written already is not written again.
    assert output.messages[-1]["type"] in {"SCHEMA", "STATE"}


@pytest.mark.parametrize("retry_after", [None, "600"])
@EACH_SIGNAL
def test_during_the_wait_for_a_retry(
    sandbox: Sandbox, signum: int, exit_code: int, retry_after: str | None
) -> None:
    """The wait ends at once."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    sandbox.fail("/lead-lists", 503, headers=headers)
    with started(sandbox) as process:
        wait_for(process, "follows in", LABELS_ARE_COMPLETE)
        process.send_signal(signum)
        check_labels_are_complete(sandbox, ended(process, exit_code))


@EACH_SIGNAL
def test_during_the_wait_for_the_rate_limit(
    sandbox: Sandbox, signum: int, exit_code: int
) -> None:
    """The rate limiter's wait ends at once."""
    is_requested = threading.Event()
    at_request(sandbox, 1, is_requested.set)
    with started(sandbox, TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE="1") as process:
        assert is_requested.wait(60)
        process.send_signal(signum)
        ended(process, exit_code)


@EACH_SIGNAL
def test_during_the_wait_for_a_response(
    sandbox: Sandbox, signum: int, exit_code: int
) -> None:
    """A server that hangs does not delay the end."""
    is_requested = threading.Event()
    at_request(sandbox, 1, is_requested.set, "/lead-lists")
    sandbox.fail("/lead-lists", "hang")
    with started(sandbox) as process:
        assert is_requested.wait(60)
        wait_for(process, LABELS_ARE_COMPLETE)
        process.send_signal(signum)
        check_labels_are_complete(sandbox, ended(process, exit_code))


@pytest.mark.parametrize("number", [1, 2, 5, 20])
@EACH_SIGNAL
def test_at_a_request(signum: int, exit_code: int, number: int) -> None:
    """The run may be anywhere between this request and the next."""
    with Sandbox(labels=5_000, strict=True) as sandbox, started(sandbox) as process:
        at_request(sandbox, number, lambda: process.send_signal(signum))
        output = ended(process, exit_code)
        assert output.messages[-1]["type"] == "STATE"
        assert set(output.ids("lead_labels")) < {r["id"] for r in sandbox.labels.rows}


@pytest.mark.parametrize(
    ("signum", "exit_code", "description"),
    [(signal.SIGTERM, 143, "short"), (signal.SIGINT, 130, "long " * 10_000)],
    ids=["SIGTERM", "SIGINT"],
)
def test_while_nobody_reads(signum: int, exit_code: int, description: str) -> None:
    """A full pipe does not delay the end, and holds whole lines.

    The last may be cut if it is longer than what is written to a pipe at once.
    """
    with Sandbox(labels=0, lists=0, strict=True) as sandbox:
        sandbox.labels.add_many(2_000, description=description)
        with started(sandbox) as process:
            wait_until_full(process)
            process.send_signal(signum)
            assert process.wait(IN_TIME) == exit_code
            stdout, stderr = process.communicate()
    assert b"Traceback" not in stderr
    whole, _, rest = stdout.rpartition(b"\n")
    assert len(Output(whole.decode()).messages) > 1
    assert rest == b"" or len(description) > select.PIPE_BUF


def wait_until_full(process: Process) -> None:
    """Wait until the pipe holds at least half of what it can, and no longer fills."""
    assert process.stdout is not None
    unread, looks = 0, 0
    while unread < 2**15 or looks < 20_000:
        count = fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4))
        before, unread = unread, int.from_bytes(count, sys.byteorder)
        looks = looks + 1 if unread == before else 0


@EACH_SIGNAL
def test_while_a_slow_target_reads(signum: int, exit_code: int) -> None:
    """A target that reads late gets whole lines, and the state last."""
    with (
        Sandbox(labels=2_000, lists=5, strict=True) as sandbox,
        started(sandbox) as process,
    ):
        assert process.stdout is not None
        begin = process.stdout.read(10_000)
        process.send_signal(signum)
        rest, _ = process.communicate(timeout=IN_TIME)
    assert process.returncode == exit_code
    assert Output((begin + rest).decode()).messages[-1]["type"] == "STATE"


@EACH_SIGNAL
def test_more_than_once(sandbox: Sandbox, signum: int, exit_code: int) -> None:
    """A terminal and a parent process may both send the signal."""
    sandbox.fail("/lead-lists", 503)
    with started(sandbox) as process:
        wait_for(process, "follows in", LABELS_ARE_COMPLETE)
        for _ in range(20):
            process.send_signal(signum)
        process.wait(IN_TIME)
        # The last may arrive after Python has reset its handlers; for a shell it is
        # the same exit code.
        assert process.returncode in {exit_code, -signum}
        check_labels_are_complete(sandbox, ended(process, process.returncode))


@pytest.mark.parametrize("_round", range(5))
def test_two_kinds_at_once(sandbox: Sandbox, _round: int) -> None:
    """Whichever signal comes first, the other does no harm."""
    sandbox.fail("/lead-lists", 503)
    with started(sandbox) as process:
        wait_for(process, "follows in", LABELS_ARE_COMPLETE)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.wait(IN_TIME)
        # As above, the second may arrive after Python has reset its handlers.
        assert process.returncode in {130, 143, -signal.SIGINT, -signal.SIGTERM}
        check_labels_are_complete(sandbox, ended(process, process.returncode))


def test_after_a_message_that_cannot_be_written() -> None:
    """A message that is nested too deeply does not block later signals."""
    value: Json = {}
    for _ in range(100_000):
        value = {"": value}
    writer = UninterruptedWriter()
    with pytest.raises(RecursionError):
        writer.write_message(StateMessage(value=value))
    with pytest.raises(SystemExit):
        writer.end(143)


@EACH_SIGNAL
def test_while_a_name_is_looked_up(
    sandbox: Sandbox, signum: int, exit_code: int
) -> None:
    """A call that no signal interrupts does not delay the end past five seconds."""
    with started(sandbox, [sys.executable, "-c", SLOW_NAMES]) as process:
        wait_for(process, "looking up")
        process.send_signal(signum)
        ended(process, exit_code)


def test_that_does_not_interrupt_the_wait(sandbox: Sandbox) -> None:
    """It may come just before Python waits; the end is orderly all the same."""
    with started(sandbox, [sys.executable, "-c", TAKEN_ELSEWHERE]) as process:
        output = ended(process, 128 + signal.SIGTERM)
    assert "lead_labels: 0 rows" in output.stderr


@pytest.mark.parametrize("line", ["| requests\n", "singer_sdk.tap_base\n", "SDK v"])
@EACH_SIGNAL
def test_while_it_starts(
    sandbox: Sandbox, signum: int, exit_code: int, line: str
) -> None:
    """Before the run begins, there is already an exit code and no traceback."""
    command = [sys.executable, "-X", "importtime", "-m", "tap_instantly"]
    with started(sandbox, command) as process:
        wait_for(process, line.replace("| ", " "))
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=IN_TIME)
    assert process.returncode in {exit_code, -signum}
    assert b"Traceback" not in stderr


@pytest.fixture(scope="module")
def changed() -> Iterator[tuple[Sandbox, str]]:
    """Return a sandbox with rows added after a first run, and that run's output."""
    with Sandbox(labels=350, lists=250, strict=True) as sandbox:
        first = sync(sandbox)
        sandbox.lists.add_many(120)
        yield sandbox, first.stdout


def check_nothing_is_lost(
    sandbox: Sandbox, arrived: dict[str, set[str]], last: Output
) -> None:
    """Expect each row to have arrived before the last run or with it."""
    for name, listing in zip(STREAMS, (sandbox.labels, sandbox.lists), strict=True):
        expected = {row["id"] for row in listing.rows}
        assert arrived[name] | set(last.ids(name)) == expected


@settings(deadline=None, max_examples=25, derandomize=True)
@given(data=st.data())
def test_any_prefix_of_the_output(
    changed: tuple[Sandbox, str], data: st.DataObject
) -> None:
    """Whatever part of it reaches the target, the next runs lose nothing."""
    sandbox, output = changed
    arrived: dict[str, set[str]] = {stream: set() for stream in STREAMS}
    state: Json | None = None
    for _ in range(3):
        cut = data.draw(st.integers(0, len(output)))
        prefix = Output(output[: output.rfind("\n", 0, cut) + 1])
        for stream, ids in arrived.items():
            ids |= set(prefix.ids(stream))
        state = prefix.state if prefix.of("STATE") else state
        output = sync(sandbox, state).stdout
    check_nothing_is_lost(sandbox, arrived, Output(output))


@pytest.mark.parametrize("number", [1, 3, 12])
def test_killed(number: int) -> None:
    """The same holds for a real kill -9, in the first or the second stream."""
    with Sandbox(labels=700, lists=700, strict=True) as sandbox:
        with started(sandbox) as process:
            at_request(sandbox, number, process.kill)
            stdout, _ = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        first = Output(stdout[: stdout.rfind(b"\n") + 1].decode())
        second = sync(sandbox, first.state if first.of("STATE") else None)
        arrived = {stream: set(first.ids(stream)) for stream in STREAMS}
        check_nothing_is_lost(sandbox, arrived, second)
