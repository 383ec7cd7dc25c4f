"""What the log says of a run's progress, and of the time that the limits cost."""

from __future__ import annotations

import logging
import queue
import threading
import time
import typing as t

import pytest

from tap_instantly import stats as stats_module
from tap_instantly.api.rate_limit import RateLimiter
from tap_instantly.stats import ProgressLog, SyncStats
from tests.conftest import catalog_of, intercept, read, sync

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_instantly.api.pages import Page, Request
    from tap_instantly.sandbox import Sandbox

LIMIT = "the limit of 20 a minute"


def active(rows: int, requests: int) -> SyncStats:
    """Return the figures of a stream that is being read."""
    return SyncStats(rows_read=rows, requests=requests, _in_flight=1)


def test_line_of_a_stream_that_waits() -> None:
    """A person can read how far a stream is, and what it waits for."""
    emails, labels, done = active(12_300, 130), active(2_000, 21), SyncStats(rows=5)
    log = ProgressLog(
        {"emails": emails, "lead_labels": labels, "lead_lists": done},
        logging.getLogger(),
    )
    assert log.describe() == (
        "emails: 12,300 rows, 130 requests | lead_labels: 2,000 rows, 21 requests"
    )

    def wait() -> float:
        assert log.describe().startswith(
            f"emails: 12,300 rows, 130 requests; waiting for {LIMIT} | "
        )
        return 2.5

    emails.wait_for(LIMIT, wait)
    assert "waiting" not in log.describe()
    assert emails.waited == 2.5


def test_line_of_many_streams() -> None:
    """It stays readable where much is read at a time."""
    log = ProgressLog({f"s{n}": active(0, 1) for n in range(9)}, logging.getLogger())
    assert log.describe().count(" | ") == 5
    assert log.describe().endswith(" | 4 more streams")


def test_lines_come_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A line is logged after each interval with something to say, until the end."""
    caplog.set_level("INFO")
    stats = active(0, 0)
    timeouts: list[float] = []

    class Queue:
        def get(self, timeout: float) -> None:
            timeouts.append(timeout)
            stats.count_rows(100)
            if len(timeouts) < 4:
                raise queue.Empty

    log = ProgressLog({"lead_labels": stats}, logging.getLogger())
    monkeypatch.setattr(log, "_end", Queue())
    log.run()
    assert timeouts == [30.0] * 4
    assert caplog.messages == [
        f"lead_labels: {rows} rows, 0 requests" for rows in (100, 200, 300)
    ]


def test_progress_while_a_run_waits(
    workspace: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line comes while all that the run does is wait, and ends with the run."""
    caplog.set_level("INFO")
    monkeypatch.setattr(stats_module, "PROGRESS_INTERVAL", 0.001)
    logged = threading.Event()
    words = f"emails: 100 rows, 2 requests; waiting for {LIMIT}"

    def look(record: logging.LogRecord) -> bool:
        if words in record.getMessage():
            logged.set()
        return True

    def wait(_: RateLimiter, path: str = "") -> float:
        waits.append(path)
        if waits.count("/emails") == 2:
            assert logged.wait(60)
        return 1.5 if path else 0.0

    waits: list[str] = []
    monkeypatch.setattr(RateLimiter, "wait", wait)
    caplog.handler.addFilter(look)
    before = threading.active_count()
    try:
        output = read(workspace, "emails")
    finally:
        caplog.handler.removeFilter(look)
    assert logged.is_set()
    assert output.tap is not None
    output.tap.scheduler.join(60)
    assert threading.active_count() <= before
    stats = output.tap.stats["emails"]
    assert stats.waited == 1.5 * stats.requests
    assert f"{1.5 * stats.requests:.1f} s waited" in str(stats)


def test_limits_count_as_waits(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary says what the workspace's limit has cost."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    output = sync(
        sandbox, catalog=catalog_of("lead_labels"), max_requests_per_minute=60
    )
    assert output.tap is not None
    assert output.tap.stats["lead_labels"].waited == pytest.approx(sum(slept))
    assert sum(slept) > 1


def test_progress_while_a_retry_waits(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose request is to be repeated says so."""
    lines: list[str] = []
    monkeypatch.setattr(time, "sleep", lambda _: lines.append(line()))
    sandbox.fail("/lead-labels", 429, times=1, headers={"Retry-After": "600"})
    stats: list[SyncStats] = []

    def line() -> str:
        return stats[0].describe_progress() if stats else ""

    make = SyncStats.reading

    def reading(self: SyncStats) -> t.Any:
        stats.append(self)
        return make(self)

    monkeypatch.setattr(SyncStats, "reading", reading)
    read(sandbox, "lead_labels")
    assert any("waiting for another try after HTTP 429" in line for line in lines)
    assert "waiting" not in line()


def test_no_bookmark(sandbox: Sandbox) -> None:
    """A stream without a bookmark has none in its line."""
    output = sync(sandbox, catalog=catalog_of("workspace_members", "lead_labels"))
    assert output.tap is not None
    assert "bookmark" not in str(output.tap.stats["workspace_members"])
    assert "bookmark from None to 2026" in str(output.tap.stats["lead_labels"])


def test_rows_are_counted_as_they_arrive(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows count for the progress before they are written."""

    def handle(_: Request, send: Callable[[], Page]) -> Page:
        return send()

    intercept(monkeypatch, handle)
    output = read(sandbox, "lead_labels")
    assert output.tap is not None
    assert output.tap.stats["lead_labels"].rows_read >= 12
