"""A run that is told to end, or killed: its state arrives, and no row is lost."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib import StateMessage

from tap_instantly.sandbox import Sandbox
from tap_instantly.signals import UninterruptedWriter
from tests.conftest import CATALOG_FILE, UNLIMITED, Output, sync

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.sandbox.http.server import Request
    from tests.conftest import Json

TAP = str(Path(sys.executable).with_name("tap-instantly"))
COMMAND = [TAP, "--catalog", str(CATALOG_FILE)]
STREAMS = ["lead_labels", "lead_lists"]
IN_TIME = 7.0  # the five seconds that a run may take to end, and some for the machine
EACH_SIGNAL = pytest.mark.parametrize(
    ("signum", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
SLOW_NAMES = """
import hashlib, os, socket, threading
def look_up(*_, **__):
    threading.Thread(target=os.write, args=(2, b"looking up\\n")).start()
    hashlib.pbkdf2_hmac("sha1", b"", b"", 10**9)  # as a slow DNS, nothing interrupts it
socket.getaddrinfo = look_up
from tap_instantly.tap import TapInstantly
TapInstantly.cli()
"""

Process = subprocess.Popen[bytes]


@contextlib.contextmanager
def started(
    sandbox: Sandbox, command: list[str] = COMMAND, **environment: str
) -> Iterator[Process]:
    """Run the tap; what is left of it at the end is killed."""
    env = os.environ | {
        "TAP_INSTANTLY_API_KEY": sandbox.key,
        "TAP_INSTANTLY_API_URL": sandbox.url,
        "TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE": str(UNLIMITED),
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, bufsize=0, env=env | environment, stdout=pipe, stderr=pipe
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def at_request(
    sandbox: Sandbox, number: int, act: Callable[[], object], path: str = ""
) -> None:
    """Do something in the server's thread when a request of this number comes."""
    numbers = itertools.count(1)

    def on_request(request: Request) -> None:
        if request.path.endswith(path) and next(numbers) == number:
            act()

    sandbox.on_request = on_request


def wait_for(process: Process, *words: str) -> None:
    """Read the log until each of these words has been in a line."""
    assert process.stderr is not None
    left = {each.encode() for each in words}
    while left:
        line = process.stderr.readline()
        assert line, left
        left -= {each for each in left if each in line}


LABELS_ARE_DONE = "Beginning sync of 'lead_lists'"


def ended(process: Process, exit_code: int) -> Output:
    """Expect the end in time, no traceback, and whole lines."""
    stdout, stderr = process.communicate(timeout=IN_TIME)
    assert process.returncode == exit_code
    assert b"Traceback" not in stderr
    assert not stdout or stdout.endswith(b"\n")
    return Output(stdout.decode(), stderr.decode())


def check_labels_are_done(sandbox: Sandbox, output: Output) -> None:
    """Expect the state of the stream that was complete, and of no other."""
    newest = sandbox.labels.rows[0]["timestamp_created"]
    assert output.bookmark("lead_labels") == newest
    lists = output.state["bookmarks"].get("lead_lists", {})
    assert "replication_key_value" not in lists
    # A state that has been written already is not written again.
    assert output.messages[-1]["type"] in {"SCHEMA", "STATE"}


@pytest.mark.parametrize("retry_after", [None, "600"])
@EACH_SIGNAL
def test_while_it_waits_to_try_again(
    sandbox: Sandbox, signum: int, exit_code: int, retry_after: str | None
) -> None:
    """The wait ends there and then."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    sandbox.fail("/lead-lists", 503, headers=headers)
    with started(sandbox) as process:
        wait_for(process, "follows in", LABELS_ARE_DONE)
        process.send_signal(signum)
        check_labels_are_done(sandbox, ended(process, exit_code))


@EACH_SIGNAL
def test_while_it_keeps_the_pace(sandbox: Sandbox, signum: int, exit_code: int) -> None:
    """So does the pacer's."""
    asked = threading.Event()
    at_request(sandbox, 1, asked.set)
    with started(sandbox, TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE="1") as process:
        assert asked.wait(60)
        process.send_signal(signum)
        ended(process, exit_code)


@EACH_SIGNAL
def test_while_it_waits_for_an_answer(
    sandbox: Sandbox, signum: int, exit_code: int
) -> None:
    """A server that hangs holds nobody back."""
    asked = threading.Event()
    at_request(sandbox, 1, asked.set, "/lead-lists")
    sandbox.fail("/lead-lists", "hang")
    with started(sandbox) as process:
        assert asked.wait(60)
        wait_for(process, LABELS_ARE_DONE)
        process.send_signal(signum)
        check_labels_are_done(sandbox, ended(process, exit_code))


@pytest.mark.parametrize("number", [1, 2, 5, 20])
@EACH_SIGNAL
def test_while_it_works(signum: int, exit_code: int, number: int) -> None:
    """Whatever it does at the moment of a request, or after."""
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
    """A full pipe cannot keep it, and what is in the pipe are whole lines.

    The last may be cut off if it is longer than what a pipe takes at once.
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
    """Wait until the pipe holds half of what it can at least, and no more comes."""
    assert process.stdout is not None
    unread, looks = 0, 0
    while unread < 2**15 or looks < 20_000:
        answer = fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4))
        before, unread = unread, int.from_bytes(answer, sys.byteorder)
        looks = looks + 1 if unread == before else 0


@EACH_SIGNAL
def test_while_a_slow_target_reads(signum: int, exit_code: int) -> None:
    """What a target reads late is whole as well, and ends with the state."""
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
    """A terminal and a parent may both send it; the state is written all the same."""
    sandbox.fail("/lead-lists", 503)
    with started(sandbox) as process:
        wait_for(process, "follows in", LABELS_ARE_DONE)
        for _ in range(20):
            process.send_signal(signum)
        process.wait(IN_TIME)
        # The last may come when Python has put its handlers away; a shell sees no odds.
        assert process.returncode in {exit_code, -signum}
        check_labels_are_done(sandbox, ended(process, process.returncode))


@pytest.mark.parametrize("_round", range(5))
def test_two_kinds_at_once(sandbox: Sandbox, _round: int) -> None:
    """Whichever comes first, the other does no harm."""
    sandbox.fail("/lead-lists", 503)
    with started(sandbox) as process:
        wait_for(process, "follows in", LABELS_ARE_DONE)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.wait(IN_TIME)
        assert process.returncode in {130, 143}
        check_labels_are_done(sandbox, ended(process, process.returncode))


def test_after_a_message_that_cannot_be_written() -> None:
    """One that is nested too deeply leaves nothing behind that keeps signals off."""
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
    """A call that no signal interrupts does not keep it beyond the five seconds."""
    with started(sandbox, [sys.executable, "-c", SLOW_NAMES]) as process:
        wait_for(process, "looking up")
        process.send_signal(signum)
        ended(process, exit_code)


@pytest.mark.parametrize("at", ["| requests\n", "singer_sdk.tap_base\n", "SDK v"])
@EACH_SIGNAL
def test_while_it_starts(
    sandbox: Sandbox, signum: int, exit_code: int, at: str
) -> None:
    """Even before it has begun there is an exit code and no traceback."""
    command = [sys.executable, "-X", "importtime", "-m", "tap_instantly"]
    with started(sandbox, command) as process:
        wait_for(process, at.replace("| ", " "))
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=IN_TIME)
    assert process.returncode in {exit_code, -signum}
    assert b"Traceback" not in stderr


@pytest.fixture(scope="module")
def busy() -> Iterator[tuple[Sandbox, str]]:
    """Return a sandbox that has gained rows since a first run, and what that wrote."""
    with Sandbox(labels=350, lists=250, strict=True) as sandbox:
        first = sync(sandbox)
        sandbox.lists.add_many(120)
        yield sandbox, first.stdout


def check_nothing_is_lost(
    sandbox: Sandbox, arrived: dict[str, set[str]], last: Output
) -> None:
    """Compare what has arrived, with the last run, to what there is."""
    for name, listing in zip(STREAMS, (sandbox.labels, sandbox.lists), strict=True):
        expected = {row["id"] for row in listing.rows}
        assert arrived[name] | set(last.ids(name)) == expected


@settings(deadline=None, max_examples=25, derandomize=True)
@given(data=st.data())
def test_sudden_death(busy: tuple[Sandbox, str], data: st.DataObject) -> None:
    """Any prefix of the output reaches the target; the next runs lose nothing."""
    sandbox, output = busy
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
    """The same with a real kill -9, in the middle of the first or the second stream."""
    with Sandbox(labels=700, lists=700, strict=True) as sandbox:
        with started(sandbox) as process:
            at_request(sandbox, number, process.kill)
            stdout, _ = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        first = Output(stdout[: stdout.rfind(b"\n") + 1].decode())
        second = sync(sandbox, first.state if first.of("STATE") else None)
        arrived = {stream: set(first.ids(stream)) for stream in STREAMS}
        check_nothing_is_lost(sandbox, arrived, second)
