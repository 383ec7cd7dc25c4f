"""E-mails, which are read oldest first and bookmarked page by page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store import timestamps
from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tests.conftest import Json, Output, ids, parse_timestamp, read, requests_to

pytestmark = pytest.mark.usefixtures("no_waits")

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def test_emails_are_requested_oldest_first(workspace: Sandbox) -> None:
    """They begin a minute before the bookmark, and go to the end of the window."""
    first = read(workspace, "emails")
    assert first.ids("emails") == sorted(ids(workspace.tables["emails"].rows))
    requests = requests_to(workspace, "/emails")
    assert {request.query["sort_order"] for request in requests} == {"asc"}
    assert {request.query["limit"] for request in requests} == {"100"}
    assert not any("timestamp" in name for r in requests for name in r.query)
    workspace.requests.clear()
    end = "2026-10-30T00:00:00.000Z"
    read(workspace, "emails", first.state, end_date=end)
    bookmark = first.bookmark("emails")
    assert bookmark is not None
    requests = requests_to(workspace, "/emails")
    assert requests
    for request in requests:
        since = parse_timestamp(request.query["min_timestamp_created"])
        assert MINUTE <= parse_timestamp(bookmark) - since <= 5 * MINUTE
        assert parse_timestamp(
            request.query["max_timestamp_created"]
        ) >= parse_timestamp(end)


@pytest.mark.parametrize("is_inclusive", [True, False])
def test_bounds_of_emails(workspace: Sandbox, *, is_inclusive: bool) -> None:
    """Neither ties nor whether the server includes its bounds make a difference."""
    workspace.bounds_inclusive = is_inclusive
    emails = workspace.tables["emails"]
    rows = sorted(emails.rows, key=lambda row: str(row["timestamp_created"]))
    tied = rows[200]["timestamp_created"]
    for row in rows[197:204]:
        emails.edit(row["id"], timestamp_created=tied)
    early = read(workspace, "emails", end_date=tied)
    late = read(workspace, "emails", start_date=tied)
    assert ids(early.records("emails")) == ids(rows[:197])
    assert ids(late.records("emails")) == ids(rows[197:])
    again = read(workspace, "emails", early.state)
    assert ids(again.records("emails")) >= ids(rows[196:])
    idle = read(workspace, "emails", again.state)
    assert 0 < len(idle.records("emails")) <= 9
    assert idle.state == again.state


def resumed(workspace: Sandbox, arrived: list[Json]) -> tuple[set[str], Output]:
    """Run again after an interrupted run.

    Args:
        workspace: What is read.
        arrived: The messages of the interrupted run that have reached the target.

    Returns:
        The ids of all e-mails that the two runs brought, and the second run's output.
    """
    states = [m["value"] for m in arrived if m["type"] == "STATE"]
    seen = {m["record"]["id"] for m in arrived if m["type"] == "RECORD"}
    rest = read(workspace, "emails", states[-1] if states else None)
    return seen | ids(rest.records("emails")), rest


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_first_load_that_is_interrupted(workspace: Sandbox, after: int) -> None:
    """The next run goes on where it ended, and repeats a few minutes."""
    workspace.fail("/emails", 401, after=after)
    failed = read(workspace, "emails")
    assert len(failed.ids("emails")) == 100 * after
    workspace.heal()
    workspace.requests.clear()
    found, rest = resumed(workspace, failed.messages)
    rows = workspace.tables["emails"].rows
    assert found == ids(rows)
    bookmark = parse_timestamp(failed.bookmark("emails") or "")
    near = [
        r for r in rows if abs(parse_timestamp(r["timestamp_created"]) - bookmark) < DAY
    ]
    assert 0 < len(near) < 50
    again = {*failed.ids("emails")} & {*rest.ids("emails")}
    assert again <= ids(near)
    assert len(requests_to(workspace, "/emails")) == 5 - after


def test_a_later_load_that_is_interrupted(workspace: Sandbox) -> None:
    """A run that begins at a bookmark loses neither e-mails nor the bookmark."""
    rows = workspace.tables["emails"].rows[::-1]
    first = read(workspace, "emails", end_date=rows[50]["timestamp_created"])
    for after in (0, 1):
        workspace.fail("/emails", 401, after=after)
        failed = read(workspace, "emails", first.state)
        workspace.heal()
        assert failed.bookmark("emails")
        found, _ = resumed(workspace, failed.messages)
        assert found >= ids(rows[50:])


def test_any_interruption(workspace: Sandbox) -> None:
    """Whatever part of the output arrives, the next run brings the rest."""
    whole = read(workspace, "emails").messages
    everything = ids(workspace.tables["emails"].rows)
    for end in range(0, len(whole), 47):
        assert resumed(workspace, whole[:end])[0] == everything


@pytest.mark.parametrize("order", ["newest", "by hash"])
def test_emails_in_another_order(
    workspace: Sandbox, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """If the server ignores `sort_order`, an interruption costs time, but no row."""
    emails = workspace.tables["emails"]
    if order == "newest":
        page = emails.page
        monkeypatch.setattr(
            emails,
            "page",
            lambda call, *, only=None, descending=None: page(
                call, only=only, descending=descending is None or True
            ),
        )
    else:
        for number, row in enumerate(emails.rows):
            emails.delete(row["id"])
            emails.add(**row | {"id": Draw("hash", number).uuid4()})
    rows = emails.rows
    for after in (1, 2, 3):
        workspace.fail("/emails", 401, after=after)
        failed = read(workspace, "emails")
        workspace.heal()
        assert len(failed.ids("emails")) == 100 * after
        found, rest = resumed(workspace, failed.messages)
        assert found == ids(rows)
        assert rest.bookmark("emails") == max(row["timestamp_created"] for row in rows)
    new = emails.add()
    last = read(workspace, "emails", rest.state)
    assert new["id"] in last.ids("emails")


def add_emails(workspace: Sandbox, count: int, *, late: int) -> list[Json]:
    """Add an e-mail for each second; every seventh was received earlier than that.

    Args:
        workspace: Where they are added.
        count: How many there are.
        late: How many seconds lie between receiving and storing every seventh.
    """
    rows = []
    for number in range(count):
        stored = NEWEST + number * timestamps.SECOND
        created = stored - late * timestamps.SECOND * (number % 7 == 0)
        row = workspace.tables["emails"].add(
            id=Draw("late", number).uuid7(stored),
            timestamp_created=timestamps.write(created),
        )
        rows.append(row)
    return rows


@pytest.mark.parametrize("after", [1, 2])
def test_emails_that_are_stored_late(after: int) -> None:
    """None is missed if some are stored up to 31 seconds out of order."""
    with Sandbox(labels=0, lists=0, emails=20, strict=True) as workspace:
        for row in workspace.tables["emails"].rows:
            workspace.tables["emails"].delete(row["id"])
        rows = add_emails(workspace, 260, late=31)
        workspace.fail("/emails", 401, after=after)
        failed = read(workspace, "emails")
        workspace.heal()
        bookmark = failed.bookmark("emails")
        assert bookmark == max(row["timestamp_created"] for row in rows[: 100 * after])
        found, rest = resumed(workspace, failed.messages)
        assert found == ids(rows)
        trailing = NEWEST + (260 - 32) * timestamps.SECOND
        late = workspace.tables["emails"].add(
            id=Draw("late").uuid7(NEWEST + 300 * timestamps.SECOND),
            timestamp_created=timestamps.write(trailing),
        )
        last = read(workspace, "emails", rest.state)
        assert late["timestamp_created"] < (rest.bookmark("emails") or "")
        assert late["id"] in last.ids("emails")
