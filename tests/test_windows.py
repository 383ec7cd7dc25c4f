"""Daily figures and logs, which are requested by windows of time."""

from __future__ import annotations

import itertools
import json
import typing as t
from datetime import datetime, timedelta

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store import timestamps
from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tests.conftest import Json, ids, parse_timestamp, read, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_instantly.sandbox.http.requests import Request

pytestmark = pytest.mark.usefixtures("no_waits")

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DAILY = {
    "account_analytics_daily": ("email_account", "date"),
    "ai_inbox_manager_daily": ("agent_id", "date"),
    "campaign_analytics_daily": ("campaign_id", "date"),
    "warmup_analytics": ("email", "date"),
    "webhook_events_daily_summary": ("date",),
}
DAILY_LOOKBACK = 28 * DAY
EVERY_DAILY = pytest.mark.parametrize("stream", DAILY)
FIGURES = pytest.mark.parametrize(
    ("stream", "field"),
    [
        ("account_analytics_daily", "eaccount"),
        ("campaign_analytics_daily", "campaign_id"),
    ],
)


def keys(stream: str, rows: Iterable[Json]) -> set[tuple[str, ...]]:
    """Return the primary keys of some rows."""
    return {tuple(row[field] for field in DAILY[stream]) for row in rows}


def requested_windows(requests: list[Request]) -> list[tuple[datetime, datetime]]:
    """Return the first and the last day that each request asks for."""
    return [
        (parse_timestamp(r.query["start_date"]), parse_timestamp(r.query["end_date"]))
        for r in requests
    ]


def sent_on(workspace: Sandbox, field: str) -> set[tuple[str, str]]:
    """Return the days with e-mails, each after its value of a field of the e-mail."""
    return {
        (row[field], row["timestamp_email"][:10])
        for row in workspace.tables["emails"].rows
        if row["ue_type"] in (1, 2)
    }


def test_daily_figures_of_many_mailboxes() -> None:
    """A request asks for at most 200 mailboxes and 31 days, and no day is left out.

    Windows and mailboxes from before a mailbox's creation are.
    """
    with Sandbox(labels=0, lists=0, accounts=450, emails=200, strict=True) as workspace:
        output = read(workspace, "account_analytics_daily")
        stream = "account_analytics_daily"
        assert keys(stream, output.records(stream)) == sent_on(workspace, "eaccount")
        requests = requests_to(workspace, "/analytics/daily")
        mailboxes = workspace.tables["accounts"].rows
    windows_of: dict[str, list[tuple[datetime, datetime]]] = {}
    for request, window in zip(requests, requested_windows(requests), strict=True):
        assert len(request.queries["emails"]) <= 200
        for email in request.queries["emails"]:
            windows_of.setdefault(email, []).append(window)
    for row in mailboxes:
        days = sorted(windows_of[row["email"]])
        assert all(last - first < 31 * DAY for first, last in days)
        for (_, last), (first, _) in itertools.pairwise(days):
            assert first <= last
        created = parse_timestamp(row["timestamp_created"])
        assert created - 31 * DAY < days[0][0] <= created < days[0][1]
        assert days[-1][1] >= parse_timestamp(timestamps.write(NEWEST))


@pytest.mark.parametrize("largest", [60, 12, 2])
def test_daily_figures_that_are_too_many(largest: int) -> None:
    """A refused request is split by mailboxes, and that of one mailbox by days."""
    stream = "account_analytics_daily"
    with Sandbox(labels=0, lists=0, accounts=6, emails=200, strict=True) as workspace:
        usual = read(workspace, stream, start_date="2026-10-01")
        workspace.largest_answer = largest
        workspace.requests.clear()
        output = read(workspace, stream, start_date="2026-10-01")
    assert output.records(stream)
    found = [json.dumps(row) for row in output.records(stream)]
    assert sorted(found) == sorted(map(json.dumps, usual.records(stream)))
    requests = requests_to(workspace, "/analytics/daily")
    assert {request.status for request in requests} == {200, 413}
    granted = [request for request in requests if request.status == 200]
    for request, (first, last) in zip(granted, requested_windows(granted), strict=True):
        days = (last - first) // DAY + 1
        assert days * len(request.queries["emails"]) <= largest


@pytest.mark.parametrize("status", [413, 414, 431])
def test_mailboxes_that_are_too_many(workspace: Sandbox, status: int) -> None:
    """Whatever server on the way refuses a long request, and by which status."""
    stream = "account_analytics_daily"
    usual = read(workspace, stream, start_date="2026-10-01")

    def refuse(request: Request) -> None:
        workspace.heal()
        if len(request.queries.get("emails", [])) > 4:
            workspace.fail(request.path, status)

    workspace.on_request = refuse
    output = read(workspace, stream, start_date="2026-10-01")
    assert output.records(stream) == usual.records(stream)
    assert output.records(stream)


def test_daily_figures_that_are_always_refused(
    workspace: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """If the server refuses even one mailbox and one day, the stream fails."""
    workspace.largest_answer = 0
    output = read(workspace, "account_analytics_daily", start_date="2026-10-01")
    assert not output.records("account_analytics_daily")
    assert not output.bookmark("account_analytics_daily")
    assert "account_analytics_daily: HTTP 413 from /accounts" in caplog.text


@FIGURES
def test_whether_the_last_day_counts(
    workspace: Sandbox, stream: str, field: str
) -> None:
    """No day is lost or written twice, whether the server includes it or not."""
    everything = sent_on(workspace, field)
    for is_inclusive in (True, False):
        workspace.ends_inclusive = is_inclusive
        records = read(workspace, stream).records(stream)
        assert keys(stream, records) == everything
        assert len(records) == len(everything)
        output = read(
            workspace, stream, start_date="2026-09-01", end_date="2026-10-02T12:00:00Z"
        )
        assert keys(stream, output.records(stream)) == {
            key for key in everything if "2026-09-01" <= key[1] <= "2026-10-02"
        }


@FIGURES
def test_days_before_the_oldest(workspace: Sandbox, stream: str, field: str) -> None:
    """A `start_date` that is too early makes no difference."""
    output = read(workspace, stream, start_date="2024-01-01")
    assert keys(stream, output.records(stream)) == sent_on(workspace, field)


@EVERY_DAILY
def test_dates_cut_days(workspace: Sandbox, stream: str) -> None:
    """A day is read if any part of it lies in the window."""
    everything = read(workspace, stream).records(stream)
    days = sorted({row["date"] for row in everything})
    start, end = days[len(days) // 3], days[-2]
    expected = [row for row in everything if start <= row["date"] < end]
    assert expected
    for method, first, after in (
        (None, start, end),
        ("FULL_TABLE", f"{start}T13:00:00Z", f"{end}T00:00:00Z"),
    ):
        output = read(
            workspace, stream, method=method, start_date=first, end_date=after
        )
        assert keys(stream, output.records(stream)) == keys(stream, expected)


@EVERY_DAILY
def test_the_last_days_are_read_again(workspace: Sandbox, stream: str) -> None:
    """The figures of the last four weeks may still change; older ones do not."""
    first = read(workspace, stream)
    everything = first.records(stream)
    bookmark = max(row["date"] for row in everything)
    assert first.bookmark(stream) == bookmark
    since = (parse_timestamp(bookmark) - DAILY_LOOKBACK).date().isoformat()
    second = read(workspace, stream, first.state)
    expected = [row for row in everything if row["date"] >= since]
    assert sorted(map(json.dumps, second.records(stream))) == sorted(
        map(json.dumps, expected)
    )
    assert second.state == first.state


@FIGURES
def test_a_figure_that_changes_late(
    workspace: Sandbox, stream: str, field: str
) -> None:
    """A reply changes the figures of a day that has been read before."""
    emails = workspace.tables["emails"]
    first = read(workspace, stream)
    sent = next(
        row
        for row in emails.rows
        if row["ue_type"] == 1 and row["timestamp_email"][:10] == "2026-10-10"
    )
    late = emails.add(**sent | {"id": Draw("late").uuid7(NEWEST)})
    day = (late[field], "2026-10-10")
    second = read(workspace, stream, first.state)
    figure = {
        tuple(row[name] for name in DAILY[stream]): row["sent"]
        for output in (first, second)
        for row in output.records(stream)
    }
    before = {
        tuple(row[name] for name in DAILY[stream]): row["sent"]
        for row in first.records(stream)
    }
    assert figure[day] == before[day] + 1
    assert [key for key in before if before[key] != figure[key]] == [day]


@pytest.mark.parametrize(
    ("stream", "created_key", "parameter", "days"),
    [
        ("audit_logs", "timestamp", "start_date", 1),
        ("webhook_events", "timestamp_created", "from", 3),
    ],
)
def test_logs_are_read_from_the_bookmark_on(
    workspace: Sandbox, stream: str, created_key: str, parameter: str, days: int
) -> None:
    """The days before the bookmark are read again, since entries may appear late."""
    first = read(workspace, stream)
    assert not any(parameter in request.query for request in workspace.requests)
    workspace.requests.clear()
    table = workspace.tables[stream]
    bookmark = parse_timestamp(table.rows[0][created_key])
    timestamp = (bookmark - days * DAY + MINUTE).isoformat(timespec="milliseconds")
    late = table.add(**{created_key: timestamp.replace("+00:00", "Z")})
    new = table.add()
    second = read(workspace, stream, first.state)
    since = bookmark - days * DAY
    expected = [row for row in table.rows if parse_timestamp(row[created_key]) >= since]
    assert ids(second.records(stream)) == ids(expected)
    assert ids([late, new]) <= ids(second.records(stream))
    assert second.bookmark(stream) == new[created_key]
    for request in workspace.requests:
        assert parse_timestamp(request.query[parameter]) <= since


@pytest.mark.parametrize(
    ("stream", "is_activated"),
    [
        ("audit_logs", False),
        ("warmup_analytics", False),
        ("webhook_events", False),
        ("webhook_events_daily_summary", False),
        ("account_analytics_daily", True),
        ("campaign_sending_status", True),
        ("subsequences", True),
    ],
)
def test_rows_that_instantly_no_longer_keeps_stay(
    workspace: Sandbox, stream: str, *, is_activated: bool
) -> None:
    """No version is activated, because the target would drop them."""
    output = read(
        workspace, stream, method="FULL_TABLE", emit_activate_version_messages=True
    )
    assert output.records(stream)
    assert bool(output.of("ACTIVATE_VERSION")) == is_activated
