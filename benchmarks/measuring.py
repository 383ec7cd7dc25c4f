"""What a command takes, alone and beside others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from typing_extensions import Self

    Command = Sequence[str | Path]
    Feed = Callable[[bytes], object]

LAUNCH = Path(__file__).with_name("launch.py")
LONGEST = 3600.0
"""Seconds after which a command is ended."""
UNIT = 1024 if sys.platform == "linux" else 2**20
"""How much of what the system counts memory in is a mebibyte."""
_CHUNK = 1 << 20


class FailedError(Exception):
    """A command that did not do what it was to do."""


@dataclass(frozen=True)
class Run:
    """What one run of a command took."""

    wall: float
    """Seconds from the start of the process to its end."""
    cpu: float
    """Seconds of CPU, the user's and the system's."""
    memory: float
    """Peak resident memory, in mebibytes."""
    records: int
    """RECORD messages written to stdout."""
    stderr: str = ""


@dataclass(frozen=True)
class Spread:
    """The median of some values, the smallest and the largest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up `values`."""
        return cls(statistics.median(values), min(values), max(values))

    def written(self, form: str = ".2f") -> str:
        """Write the three numbers, or the one that there is."""
        if self.least == self.most:
            return f"{self.median:{form}}"
        return f"{self.median:{form}} ({self.least:{form}} to {self.most:{form}})"


class Counter:
    """Counts RECORD messages in output that comes in pieces."""

    _MARK = b'"RECORD"'

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self._rest = b""

    def __call__(self, chunk: bytes) -> None:
        """Count those that end in this piece."""
        text = self._rest + chunk
        self.count += text.count(self._MARK)
        self._rest = text[1 - len(self._MARK) :]


class Messages:
    """Looks through output that comes in pieces for messages of one type."""

    def __init__(self, kind: str, stream: str = "") -> None:
        """Look for messages of this type, and of this stream if one is named."""
        self._wanted = {"type": kind} | ({"stream": stream} if stream else {})
        self._marks = [f'"{value}"'.encode() for value in self._wanted.values()]
        self._rest = b""

    def __call__(self, chunk: bytes) -> None:
        """Look at the lines that end in this piece."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if all(mark in line for mark in self._marks):
                message = json.loads(line)
                if self._wanted.items() <= message.items():
                    self.note(message)

    def note(self, message: dict[str, Any]) -> None:
        """Take a message that was looked for."""
        raise NotImplementedError


def measure(
    command: Command, *, feed: Feed | None = None, longest: float = LONGEST
) -> Run:
    """Run a command whose output is read and thrown away.

    Args:
        command: What to run.
        feed: Is given each piece of the output.
        longest: Seconds after which it is ended.

    Raises:
        FailedError: If it does not exit with 0.
    """
    counter = Counter()
    with tempfile.TemporaryFile() as errors, _launched(command, errors) as started:
        process, report = started
        timer = threading.Timer(longest, _end, [process])
        timer.start()
        try:
            output = process.stdout
            while output and (chunk := os.read(output.fileno(), _CHUNK)):
                counter(chunk)
                if feed:
                    feed(chunk)
            process.wait()
        finally:
            timer.cancel()
        figures = os.read(report, _CHUNK).split()
        errors.seek(0)
        stderr = errors.read().decode(errors="replace")
    if not figures:
        message = f"ended by a signal from outside, or after {longest:g} s"
        raise FailedError(message)
    code, wall, cpu, memory = map(float, figures)
    if code:
        message = f"exit code {code:.0f}: {stderr.strip().rpartition(chr(10))[2]}"
        raise FailedError(message)
    return Run(wall, cpu, memory / UNIT, counter.count, stderr)


@contextlib.contextmanager
def _launched(
    command: Command, errors: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a command, and end it and what it started, whatever happens."""
    report, written = os.pipe()
    launch: list[str | Path]
    launch = [sys.executable, "-I", "-S", LAUNCH, str(written), *map(str, command)]
    process = subprocess.Popen(  # noqa: S603 - the benchmark's own commands
        launch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        pass_fds=[written],
        start_new_session=True,
    )
    os.close(written)
    try:
        yield process, report
    finally:
        if process.poll() is None:
            _end(process)
            process.wait()
        if process.stdout:
            process.stdout.close()
        os.close(report)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def alternate(
    contenders: Mapping[str, Callable[[], Run]],
    rounds: int,
    say: Callable[[str], object],
) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Run each contender once to warm up, and then once a round.

    Returns:
        The runs of each contender, and what was wrong with each that failed.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    failures: dict[str, str] = {}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            if name in failures:
                continue
            try:
                run = contender()
            except FailedError as error:
                failures[name] = str(error)
                del runs[name]
                say(f"{name}: {error}")
                continue
            label = f"round {number}" if number else "to warm up"
            say(f"{name}, {label}: {run.wall:.2f} s, {run.memory:.0f} MiB")
            if number:
                runs[name].append(run)
    return runs, failures


def spread(runs: Sequence[Run], of: Callable[[Run], float]) -> Spread:
    """Sum up one figure of some runs."""
    return Spread.of([of(run) for run in runs])


def ratio(
    runs: Sequence[Run], others: Sequence[Run], of: Callable[[Run], float]
) -> Spread:
    """Sum up how often one figure of others goes into that of `runs`, by round."""
    pairs = zip(runs, others, strict=True)
    return Spread.of([of(run) / of(other) for run, other in pairs])
