"""Windows that Instantly refuses, or that lie before what they are about."""

from __future__ import annotations

import math
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from tap_instantly.incremental import TimeWindow
from tap_instantly.sandbox import Sandbox
from tests.conftest import Json, parse_timestamp, read, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.http.requests import Request

pytestmark = pytest.mark.usefixtures("no_waits")

DAY = timedelta(days=1)
CAP = 31
WINDOWED = {
    "account_analytics_daily": ("/accounts/analytics/daily", "start_date", "end_date"),
    "ai_inbox_manager_daily": ("/summary-by-date", "from", "to"),
    "campaign_analytics_daily": (
        "/campaigns/analytics/daily",
        "start_date",
        "end_date",
    ),
    "webhook_events_daily_summary": ("/summary-by-date", "from", "to"),
}
LOGS = {
    "audit_logs": ("/audit-logs", "start_date", "end_date"),
    "webhook_events": ("/webhook-events", "from", "to"),
}
EVERY_WINDOWED = pytest.mark.parametrize("stream", WINDOWED)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with a few campaigns and mailboxes."""
    with Sandbox(
        labels=0, lists=1, campaigns=5, accounts=4, emails=200, strict=True
    ) as sandbox:
        yield sandbox


def days_of(request: Request, stream: str) -> int:
    """Return how many days a request asks for, the last one included."""
    _, start, end = (WINDOWED | LOGS)[stream]
    first = parse_timestamp(request.query[start])
    last = parse_timestamp(request.query[end])
    return (last - first) // DAY + 1


def refuse_windows(
    sandbox: Sandbox, stream: str, most: int, status: int = 400
) -> list[int]:
    """Let an endpoint refuse windows of more than so many days; note what it grants."""
    path, start, end = (WINDOWED | LOGS)[stream]
    granted = []

    def refuse(request: Request) -> None:
        sandbox.heal()
        if not request.path.endswith(path):
            return
        if start not in request.query or end not in request.query:
            days: float = math.inf
        else:
            days = days_of(request, stream)
        if days > most:
            sandbox.fail(request.path, status)
        elif days < math.inf:
            granted.append(int(days))

    sandbox.on_request = refuse
    return granted


def rows_of(sandbox: Sandbox, stream: str, **settings: t.Any) -> list[Json]:
    """Return what a run brings, in an order of its own."""
    rows = read(sandbox, stream, **settings).records(stream)
    return sorted(rows, key=lambda row: sorted(map(str, row.items())))


@EVERY_WINDOWED
def test_no_window_is_longer_than_a_month(sandbox: Sandbox, stream: str) -> None:
    """Neither on a first load nor after a pause, and no request goes without."""
    first = read(sandbox, stream)
    path, start, end = WINDOWED[stream]
    requests = requests_to(sandbox, path)
    assert requests
    assert first.records(stream)
    assert {request.status for request in sandbox.requests} == {200}
    for request in requests:
        assert {start, end} <= request.query.keys()
        assert days_of(request, stream) <= CAP
    sandbox.requests.clear()
    read(sandbox, stream, first.state, lookback_days=90)
    assert len(requests_to(sandbox, path)) > 1
    for request in requests_to(sandbox, path):
        assert days_of(request, stream) <= CAP


def test_the_sandbox_refuses_long_windows_of_campaigns(sandbox: Sandbox) -> None:
    """As Instantly has since August 2026; a smaller cap loses no row either."""
    stream = "campaign_analytics_daily"
    usual = rows_of(sandbox, stream)
    for most in (14, 2):
        sandbox.most_days = most
        assert rows_of(sandbox, stream, start_date="2026-08-01") == [
            row for row in usual if row["date"] >= "2026-08-01"
        ]


@EVERY_WINDOWED
@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("most", [7, 2])
def test_refused_windows_are_halved(
    sandbox: Sandbox, stream: str, status: int, most: int
) -> None:
    """Whatever the cap, nothing is lost and nothing comes twice."""
    usual = rows_of(sandbox, stream, start_date="2026-09-20")
    granted = refuse_windows(sandbox, stream, most, status)
    assert rows_of(sandbox, stream, start_date="2026-09-20") == usual
    assert usual
    assert max(granted) <= most


@pytest.mark.parametrize("stream", LOGS)
@pytest.mark.parametrize("status", [400, 413])
def test_refused_windows_of_logs_are_halved(
    sandbox: Sandbox, stream: str, status: int
) -> None:
    """They are asked for as a whole, and in parts only if that is refused."""
    start = "2026-10-10T12:34:56Z"
    usual = rows_of(sandbox, stream, start_date=start, end_date="2026-10-29")
    path, *_ = LOGS[stream]
    granted = refuse_windows(sandbox, stream, 9, status)
    halved = rows_of(sandbox, stream, start_date=start, end_date="2026-10-29")
    assert halved == usual
    assert usual
    assert granted
    assert {request.status for request in requests_to(sandbox, path)} == {200, status}


@pytest.mark.parametrize("status", [400, 413])
@EVERY_WINDOWED
def test_a_day_that_is_refused(
    sandbox: Sandbox, stream: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Is a failure, after no more than the few requests that lead to it."""
    refuse_windows(sandbox, stream, 0, status)
    path, *_ = WINDOWED[stream]
    output = read(sandbox, stream, start_date="2026-09-20", max_concurrency=1)
    assert f"{stream}: HTTP {status}" in caplog.text
    assert not output.records(stream)
    assert "bookmarks" not in output.state or not output.bookmark(stream)
    smallest = min(days_of(request, stream) for request in requests_to(sandbox, path))
    assert smallest == 2  # the day itself, and the next, which may not count


def test_a_bad_request_without_a_window(sandbox: Sandbox) -> None:
    """It is about something else, and a failure at once."""
    for stream, path in (("lead_lists", "/lead-lists"), ("audit_logs", "/audit-logs")):
        sandbox.fail(path, 400)
        output = read(sandbox, stream)
        assert len(requests_to(sandbox, path)) == 1
        assert not output.records(stream)


@pytest.mark.parametrize(
    ("stream", "parent", "key", "parameter"),
    [
        ("campaign_analytics_daily", "campaigns", "id", "campaign_id"),
        ("account_analytics_daily", "accounts", "email", "emails"),
    ],
)
def test_windows_before_a_parent(
    sandbox: Sandbox, stream: str, parent: str, key: str, parameter: str
) -> None:
    """They are not asked for, however early `start_date` is."""
    path, start, end = WINDOWED[stream]
    for start_date in (None, "2023-01-01"):
        sandbox.requests.clear()
        read(sandbox, stream, start_date=start_date or "2021-01-01")
        for row in sandbox.tables[parent].rows:
            created = row["timestamp_created"][:10]
            windows = [
                (request.query[start], request.query[end])
                for request in requests_to(sandbox, path)
                if row[key] in request.queries[parameter]
            ]
            assert min(windows)[1] > created
            if parent == "campaigns":
                assert min(windows)[0] == created
                age = datetime.now(timezone.utc) - parse_timestamp(created)
                assert len(windows) <= (age // DAY + 1) // (CAP - 1) + 2


def test_windows_before_an_agent(sandbox: Sandbox) -> None:
    """An agent is a parent like any other."""
    stream = "ai_inbox_manager_daily"
    read(sandbox, stream)
    for row in sandbox.tables["ai_agents"].rows:
        if row["type"] == 1:
            windows = [
                request.query["from"]
                for request in sandbox.requests
                if request.path.endswith(f"{row['id']}/analytics/summary-by-date")
            ]
            assert min(windows) == row["timestamp_created"][:10]


def test_a_window_that_ends_before_its_parents(sandbox: Sandbox) -> None:
    """Nothing but the parents is asked for."""
    for stream in (
        "campaign_analytics_daily",
        "account_analytics_daily",
        "inbox_placement_analytics",
    ):
        sandbox.requests.clear()
        read(sandbox, stream, end_date="2021-06-01")
        assert not [
            request for request in sandbox.requests if "analytics" in request.path
        ]


def test_windows_of_a_workspace(sandbox: Sandbox) -> None:
    """Those from before Instantly began are not asked for."""
    stream = "webhook_events_daily_summary"
    read(sandbox, stream, start_date="1999-01-01")
    assert min(r.query["from"] for r in sandbox.requests) == "2021-01-01"


def test_a_parent_of_unknown_age(sandbox: Sandbox) -> None:
    """Its figures are asked for from the first year on."""
    stream = "campaign_analytics_daily"
    usual = rows_of(sandbox, stream)
    for row in sandbox.tables["campaigns"].rows:
        sandbox.tables["campaigns"].edit(
            row["id"], timestamp_created=None, timestamp_updated=None
        )
    assert rows_of(sandbox, stream) == usual


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-01-01T00:00:00", "2026-01-31T00:00:00"),
        ("2026-01-01T23:00:00", "2026-01-03T00:00:00"),
        ("2026-01-01T00:30:00", "2026-01-02T01:00:00"),
        ("2026-01-01T00:30:00", None),
        (None, "2021-01-09T00:00:00"),
    ],
)
def test_halves(since: str | None, until: str | None) -> None:
    """They meet at a midnight inside the window."""
    window = TimeWindow(
        parse_timestamp(since) if since else None,
        parse_timestamp(until) if until else None,
    )
    now = parse_timestamp("2026-01-05T12:00:00")
    first, second = window.halves(now)
    assert (first.since, second.until) == (window.since, window.until)
    assert first.until == second.since
    assert first.until
    assert first.until.hour == 0
    assert first.since is None or first.since < first.until
    assert second.until is None or first.until < second.until
    pending, days = [window], 0
    while pending:
        one = pending.pop()
        halves = one.halves(now)
        pending += halves
        days += not halves
    assert 2 <= days <= 31
