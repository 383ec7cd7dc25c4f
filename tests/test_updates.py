"""Lists that cannot be filtered by the time of the last update."""

from __future__ import annotations

import typing as t

import pytest

from tests.conftest import ids, parse_timestamp, read

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("no_waits")

UPDATED = pytest.mark.parametrize(
    ("stream", "key", "updated"),
    [
        ("accounts", "email", "timestamp_updated"),
        ("ai_sales_agent_activities", "id", "timestamp_updated"),
        ("background_jobs", "id", "updated_at"),
        ("campaigns", "id", "timestamp_updated"),
        ("custom_tags", "id", "timestamp_updated"),
        ("leads", "id", "timestamp_updated"),
    ],
)


@UPDATED
def test_updated_rows_arrive(
    workspace: Sandbox, stream: str, key: str, updated: str
) -> None:
    """The rows updated at the bookmark or later arrive, wherever they are in the list.

    Few lists are sorted by the time of the update; the others are read whole.
    """
    table = workspace.tables[stream]
    tied = [row[key] for row in table.rows[1::4]]
    newest = "2026-10-29T18:00:00.000Z"
    for one in tied:
        table.edit(one, **{updated: newest})
    first = read(workspace, stream)
    assert first.bookmark(stream) == newest
    later = [f"2026-10-29T2{hour}:00:00.000Z" for hour in range(3)]
    edited = [row[key] for row in table.rows[2:] if row[key] not in tied][:3]
    timestamps = (later[1], later[2], later[0])
    for one, timestamp in zip(edited, timestamps, strict=True):
        table.edit(one, **{updated: timestamp})
    before = len(workspace.requests)
    second = read(workspace, stream, first.state)
    found = [record[key] for record in second.records(stream)]
    assert sorted(found) == sorted({*tied, *edited})
    assert second.bookmark(stream) == later[2]
    if stream == "background_jobs":  # it can be sorted by the time of the update
        assert len(workspace.requests) == before + 1
    else:
        assert len(workspace.requests) == 2 * before
    third = read(workspace, stream, second.state)
    assert [record[key] for record in third.records(stream)] == [edited[1]]


@UPDATED
def test_nothing_is_missed_after_an_end_date(
    workspace: Sandbox, stream: str, key: str, updated: str
) -> None:
    """Rows created after the end date were not read, so a later run reads them."""
    rows = workspace.tables[stream].rows
    created = "created_at" if stream == "background_jobs" else "timestamp_created"
    end = sorted(row[created] for row in rows)[len(rows) // 2]
    first = read(workspace, stream, end_date=end)
    expected = [row for row in rows if row[created] < end]
    assert ids(first.records(stream), key) == ids(expected, key)
    assert expected
    bookmark = first.bookmark(stream)
    assert bookmark is not None
    assert parse_timestamp(bookmark) <= parse_timestamp(end)
    second = read(workspace, stream, first.state)
    missing = [row for row in rows if row[created] >= end or row[updated] >= end]
    assert ids(second.records(stream), key) >= ids(missing, key)


@UPDATED
def test_a_bookmark_past_an_end_date_stays(
    workspace: Sandbox,
    stream: str,
    key: str,
    updated: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A backfill of older rows does not move the bookmark back."""
    del key, updated
    first = read(workspace, stream)
    caplog.clear()
    second = read(workspace, stream, first.state, end_date="2026-09-01")
    assert second.bookmark(stream) == first.bookmark(stream)
    assert "lies ahead" not in caplog.text


@pytest.mark.parametrize(
    ("stream", "created_key"),
    [
        ("accounts", "timestamp_created"),
        ("ai_inbox_manager_activity", "timestamp_created"),
        ("ai_lead_finder_activities", "timestamp_created"),
        ("ai_sales_agent_activities", "timestamp_created"),
        ("audit_logs", "timestamp"),
        ("background_jobs", "created_at"),
        ("block_list_entries", "timestamp_created"),
        ("campaigns", "timestamp_created"),
        ("emails", "timestamp_created"),
        ("inbox_placement_analytics", "timestamp_created"),
        ("inbox_placement_reports", "timestamp_created"),
        ("leads", "timestamp_created"),
        ("webhook_events", "timestamp_created"),
    ],
)
def test_dates_cut_exactly(workspace: Sandbox, stream: str, created_key: str) -> None:
    """`start_date` is the first timestamp read, and `end_date` the first not read."""
    everything = read(workspace, stream).records(stream)
    timestamps = sorted({row[created_key] for row in everything})
    start, end = timestamps[len(timestamps) // 3], timestamps[-len(timestamps) // 4]
    key = "email" if stream == "accounts" else "id"
    expected = [row for row in everything if start <= row[created_key] < end]
    assert expected
    for method in (None, "FULL_TABLE"):
        output = read(workspace, stream, method=method, start_date=start, end_date=end)
        assert ids(output.records(stream), key) == ids(expected, key)
