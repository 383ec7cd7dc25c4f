"""Faults of writes: never a duplicate, never a third attempt, and the truth told."""

from __future__ import annotations

import itertools
import typing as t
from types import SimpleNamespace

import pytest

from tap_instantly.api import client
from tap_instantly.sandbox.http.faults import Fault
from tests.writing.runs import (
    BLOCKED,
    DELETED,
    KEYS,
    LABELS,
    LISTS,
    STATE,
    STREAMS,
    TAGS,
    label,
    part,
)

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Json
    from tests.writing.conftest import Clock, Write
    from tests.writing.runs import Result

KINDS = (
    *("408", "500", "501", "502", "503", "302", "not-json", "no-items", "items-null"),
    *("not-object", "reset", "truncate", "hang"),
)
"""What leaves it open whether a write was carried out."""

PATHS = {
    LABELS: "/lead-labels",
    LISTS: "/lead-lists",
    TAGS: "/custom-tags",
    BLOCKED: "/block-lists-entries",
}
METHODS = {"create": "POST", "update": "PATCH", "delete": "DELETE"}
DONE = {"create": "created", "update": "updated", "delete": "deleted"}
NAMES = ("a.example.com", "b.example.com")


@pytest.fixture(autouse=True)
def _short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_TIMEOUT", 0.4)


def prepare(sandbox: Sandbox, stream: str, action: str) -> list[Json]:
    """Return messages that lead to two writes, or one of a batch."""
    key = KEYS[stream]
    fields = label("") if stream == LABELS else {}
    if action != "create":
        for name in NAMES:
            sandbox.tables[stream].add(**fields | {key: name})
    if action == "delete":
        return part(stream, *({key: n, "_sdc_deleted_at": DELETED} for n in NAMES))
    if action == "update":
        change = {
            LABELS: {"interest_status_label": "negative"},
            LISTS: {"owned_by": "00000000-0000-4000-8000-000000000001"},
            TAGS: {"description": "x"},
        }[stream]
        return part(stream, *(fields | {key: n} | change for n in NAMES))
    return part(stream, *(fields | {key: name} for name in NAMES))


def run(write: Write, messages: list[Json]) -> Result:
    """Run with all that the writes need."""
    return write(messages, delete="marked", reassigned_status=7)


def fault_of(stream: str, action: str, kind: str, *, commits: bool) -> Fault:
    """Return a fault of the first write of an action."""
    method = METHODS[action]
    path = ""
    if stream == BLOCKED:
        method, path = "POST", f"bulk-{action}"
    return Fault.parse(f"{method}:{path or '/'}:{kind}{'+' * commits}x1")


CASES = [
    (stream, action)
    for stream in STREAMS
    for action in DONE
    if (stream, action) != (BLOCKED, "update")
]


@pytest.mark.parametrize("commits", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("stream", "action"), CASES)
def test_uncertain_write_is_found_out(
    write: Write, empty: Sandbox, stream: str, action: str, kind: str, *, commits: bool
) -> None:
    """A write that was carried out is not sent again, any other is sent once more."""
    messages = prepare(empty, stream, action)
    empty.faults.append(_striking(fault_of(stream, action, kind, commits=commits)))
    result = run(write, messages)
    assert result.outcomes == [DONE[action]] * 2
    assert (result.exit_code, result.states) == (0, [STATE])
    writes = 1 if stream == BLOCKED else 2
    assert len(empty.writes) == writes + (not commits)
    assert len(empty.ledger) == writes
    expected = {"create": 2, "update": 2, "delete": 0}[action]
    assert len(empty.tables[stream]) == expected
    assert all(line["requests"] >= 1 for line in result.report)
    assert all(line["id"] for line in result.report)


def _striking(fault: Fault) -> Fault:
    """Return a fault that strikes any path of its method if it has none of its own."""
    if fault.path == "/":
        fault.path = ""
    return fault


@pytest.mark.parametrize("commits", [False, True])
@pytest.mark.parametrize(("stream", "action"), CASES)
def test_fails_again(
    write: Write, empty: Sandbox, stream: str, action: str, *, commits: bool
) -> None:
    """What is not there after the second attempt is uncertain; there is no third."""
    messages = prepare(empty, stream, action)
    first = _striking(fault_of(stream, action, "500", commits=False))
    second = _striking(fault_of(stream, action, "502", commits=commits))
    empty.faults += [first, second]
    result = run(write, messages)
    writes = 1 if stream == BLOCKED else 2
    assert len(empty.writes) == writes + 1
    if commits:
        assert result.outcomes == [DONE[action]] * 2
        assert (result.exit_code, result.states) == (0, [STATE])
        return
    left = [] if stream == BLOCKED else [DONE[action]]
    assert result.outcomes == ["uncertain"] * (2 - len(left)) + left
    assert (result.exit_code, result.states) == (1, [])
    # The run after it sets it right.
    assert run(write, messages).exit_code == 0


@pytest.mark.parametrize("second", [400, 404, 409])
@pytest.mark.parametrize("commits", [False, True])
def test_refused_the_second_time(
    write: Write, empty: Sandbox, second: int, *, commits: bool
) -> None:
    """The first attempt may be the reason, and may be invisible still."""
    empty.hidden_seconds = 1_000.0
    empty.fail("/custom-tags", 500, commits=commits, times=1, method="POST")
    empty.fail("/custom-tags", second, times=1, method="POST")
    result = run(write, part(TAGS, {"label": "A"}))
    assert (result.outcomes, result.exit_code) == (["uncertain"], 1)
    assert len(empty.writes) == 2
    assert len(empty.ledger) == commits


def test_not_divided_the_second_time(write: Write, empty: Sandbox) -> None:
    """Nothing of a batch is sent a third time."""
    empty.fail("bulk-create", 500, times=1)
    empty.fail("bulk-create", 400)
    result = run(write, part(BLOCKED, *({"bl_value": name} for name in NAMES)))
    assert result.outcomes == ["uncertain"] * 2
    assert len(empty.writes) == 2


@pytest.mark.parametrize("status", [401, 402, 403])
def test_stops_at_the_second_time(write: Write, empty: Sandbox, status: int) -> None:
    """A refusal that holds for all that follows ends the stream here, too."""
    empty.fail("/custom-tags", 500, times=1, method="POST")
    empty.fail("/custom-tags", status, method="POST")
    result = run(write, part(TAGS, {"label": "A"}, {"label": "B"}))
    assert result.outcomes == ["uncertain", "not attempted"]
    assert (result.exit_code, len(empty.writes)) == (1, 2)


class TestHiddenRows:
    """Rows that a list does not show at once."""

    @pytest.mark.parametrize("seconds", [0.5, 3.0, 9.5])
    @pytest.mark.parametrize("stream", STREAMS)
    def test_within_the_time_to_settle(
        self, write: Write, empty: Sandbox, stream: str, seconds: float
    ) -> None:
        """They are waited for, and not created again."""
        messages = prepare(empty, stream, "create")
        empty.hidden_seconds = seconds
        fault = _striking(fault_of(stream, "create", "500", commits=True))
        empty.faults.append(fault)
        result = run(write, messages)
        assert result.outcomes == ["created"] * 2
        assert len(empty.tables[stream]) == 2
        assert len(empty.ledger) == len(empty.writes)

    @pytest.mark.parametrize("reads", [1, 2, 3])
    def test_for_some_reads(self, write: Write, empty: Sandbox, reads: int) -> None:
        """It is looked for more than once."""
        messages = prepare(empty, LABELS, "create")
        empty.hidden_reads = reads
        empty.fail("/lead-labels", "reset", commits=True, times=1, method="POST")
        result = run(write, messages)
        assert result.outcomes == ["created"] * 2
        assert len(empty.labels) == 2

    @pytest.mark.parametrize(("settle", "most"), [(0, 0), (4, 4), (10, 10), (60, 60)])
    def test_for_as_long_as_is_set(
        self, write: Write, empty: Sandbox, clock: Clock, settle: int, most: int
    ) -> None:
        """It is looked for over `settle_seconds`, then sent once more."""
        times = []
        empty.fail("/custom-tags", 500, times=1, method="POST")
        empty.on_request = lambda request: (
            times.append(clock.now) if request.method == "POST" else None
        )
        result = write(part(TAGS, {"label": "A"}), settle_seconds=settle)
        assert result.outcomes == ["created"]
        assert times[1] - times[0] == most

    def test_beyond_the_time_to_settle(self, write: Write, empty: Sandbox) -> None:
        """The promise ends there: this is what the documentation warns of."""
        empty.hidden_seconds = 11.0
        empty.fail("/lead-labels", 500, commits=True, times=1, method="POST")
        assert run(write, part(LABELS, label("A"))).outcomes == ["created"]
        assert len(empty.labels) == 2


class TestUnsent:
    """What has certainly not arrived is tried again."""

    def test_too_many_requests(
        self, write: Write, empty: Sandbox, clock: Clock
    ) -> None:
        """After a 429 as often as it takes."""
        empty.fail("/custom-tags", 429, times=4, method="POST")
        result = run(write, part(TAGS, {"label": "A"}))
        assert (result.outcomes, result.exit_code) == (["created"], 0)
        assert (len(empty.writes), len(empty.ledger)) == (5, 1)
        assert result.report[0]["requests"] == 5
        assert len(clock.waits) == 4

    def test_retry_after(self, write: Write, empty: Sandbox, clock: Clock) -> None:
        """The server says how long."""
        empty.fail(
            "/custom-tags", 429, times=1, method="POST", headers={"Retry-After": "7"}
        )
        run(write, part(TAGS, {"label": "A"}))
        assert clock.waits == [7.0]

    def test_too_many_requests_for_ever(self, write: Write, empty: Sandbox) -> None:
        """Then the stream stops, and nothing of it was attempted."""
        empty.fail("/custom-tags", 429, method="POST")
        result = run(write, part(TAGS, {"label": "A"}, {"label": "B"}))
        assert result.outcomes == ["not attempted"] * 2
        assert (result.exit_code, result.states, empty.ledger) == (1, [], [])

    def test_no_connection(
        self, write: Write, empty: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The server is away when the write is due, and comes back."""
        sleep = itertools.count()

        def wait(_: float) -> None:
            if next(sleep) == 2:
                empty.start()

        monkeypatch.setattr("backoff._sync.time", SimpleNamespace(sleep=wait))
        requests = client.Client.write

        def stop_first(self: client.Client, *args: t.Any, **options: t.Any) -> t.Any:
            empty.stop()
            self.close()
            monkeypatch.setattr(client.Client, "write", requests)
            return requests(self, *args, **options)

        monkeypatch.setattr(client.Client, "write", stop_first)
        result = run(write, part(TAGS, {"label": "A"}))
        assert (result.outcomes, result.exit_code) == (["created"], 0)
        assert len(empty.writes) == 1


class TestFindingOut:
    """What else may go wrong while an uncertain write is looked for."""

    def test_cannot_be_read(self, write: Write, empty: Sandbox) -> None:
        """What cannot be found out is uncertain, and the stream stops."""
        empty.fail("/custom-tags", 500, commits=True, times=1, method="POST")
        empty.on_request = lambda request: (
            empty.fail("/custom-tags", 403) if request.method == "POST" else None
        )
        result = run(
            write,
            part(TAGS, {"label": "A"}, {"label": "B"}) + part(LISTS, {"name": "x"}),
        )
        assert [r["outcome"] for r in result.report if r["stream"] == TAGS] == [
            "uncertain",
            "not attempted",
        ]
        assert (result.exit_code, result.states) == (1, [])

    def test_somebody_else_has_made_it(self, write: Write, empty: Sandbox) -> None:
        """A row of this name that says something else is not what was sent."""
        empty.fail("/lead-labels", 500, times=1, method="POST")
        empty.on_request = lambda request: (
            empty.labels.add(**label("A", "negative"))
            if request.method == "POST" and not len(empty.labels)
            else None
        )
        result = run(write, part(LABELS, label("A", "positive")))
        assert (result.outcomes, result.exit_code) == (["uncertain"], 1)
        assert len(empty.labels) == 1
        assert empty.labels.rows[0]["id"] in result.report[0]["reason"]

    def test_row_is_gone_meanwhile(self, write: Write, empty: Sandbox) -> None:
        """A row that others delete can be updated by nobody."""
        messages = prepare(empty, TAGS, "update")
        gone = empty.tables[TAGS].rows[0]["id"]
        empty.fail(gone, 500, times=1, method="PATCH")

        def delete(request: t.Any) -> None:
            if request.method == "PATCH" and gone in request.path:
                empty.tables[TAGS].delete(gone)

        empty.on_request = delete
        result = run(write, messages)
        assert result.counts == {"refused": 1, "updated": 1}
        assert result.exit_code == 1


def test_no_value_in_the_log(write: Write, empty: Sandbox) -> None:
    """A fault is logged by its stream and kind."""
    empty.fail("", 500, method="POST", times=1)
    result = run(write, part(LABELS, label("Confidential", description="Sensitive")))
    assert "HTTP 500" in result.log
    assert "Confidential" not in result.log
    assert "Sensitive" not in result.log
