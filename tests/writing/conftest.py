"""What the tests of the target share: sandboxes, a clock and runs."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.target.termination import Termination
from tests.writing.runs import Result, run

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.conftest import Json

    class Write(t.Protocol):
        """Runs the target."""

        def __call__(
            self,
            messages: Iterable[Json],
            *,
            to: Sandbox | None = None,
            **settings: t.Any,
        ) -> Result:
            """Run it with settings, by default against the empty sandbox."""


class Clock:
    """A clock that goes on while somebody waits, which takes no time.

    Attributes:
        now: Its seconds.
        waits: The seconds of each wait.
    """

    def __init__(self) -> None:
        """Begin at no time in particular."""
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Go on."""
        self.now += seconds
        self.waits.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock by which the target waits, and lists hide new rows."""
    clock = Clock()
    monkeypatch.setattr("backoff._sync.time", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr(Termination, "sleep", lambda _, seconds: clock.sleep(seconds))
    return clock


@pytest.fixture
def empty(clock: Clock) -> Iterator[Sandbox]:
    """Return an Instantly API that holds nothing that can be written."""
    sizes: t.Any = dict.fromkeys(
        ("labels", "lists", "tags", "blocked", "emails", "leads"), 0
    )
    with Sandbox(strict=True, clock=clock, **sizes) as sandbox:
        yield sandbox
        check_writes(sandbox)


@pytest.fixture
def write(empty: Sandbox, tmp_path: Path) -> Write:
    """Return a function that runs the target."""

    def written(
        messages: Iterable[Json], *, to: Sandbox | None = None, **settings: t.Any
    ) -> Result:
        return run(to or empty, messages, tmp_path / "report.jsonl", **settings)

    return written


def check_writes(sandbox: Sandbox) -> None:
    """Check that no write is one that the target never sends."""
    for sent in sandbox.writes:
        headers = {name.lower(): text for name, text in sent.headers.items()}
        assert "selected_all" not in (sent.body or {})
        assert sent.query == {}
        assert ("application/json" in headers.get("content-type", "")) == bool(
            sent.content
        )
        if sent.method in ("DELETE", "PATCH"):
            collection = sent.path.rsplit("/", 1)[-1]
            assert collection not in ("lead-labels", "lead-lists", "custom-tags")
            assert collection != "block-lists-entries"
        if sent.method == "PATCH":
            assert sent.body
