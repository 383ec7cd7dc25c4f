"""How each kind of stream is read: whole, from an instant on, by windows, at once."""

from __future__ import annotations

import itertools
import json
import threading
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from tap_instantly.api import rate_limit, retry
from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store import timestamps
from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tests.conftest import UNHURRIED, Json, Output, answer_with, catalog_of, sync

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_instantly.api.pages import Page
    from tap_instantly.api.pages import Request as Asked
    from tap_instantly.sandbox.http.server import Request

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DAILY = {
    "account_analytics_daily": ("email_account", "date"),
    "ai_inbox_manager_daily": ("agent_id", "date"),
    "campaign_analytics_daily": ("campaign_id", "date"),
    "warmup_analytics": ("email", "date"),
    "webhook_events_daily_summary": ("date",),
}
UNSETTLED = 28 * DAY
EVERY_DAILY = pytest.mark.parametrize("stream", DAILY)
FIGURES = pytest.mark.parametrize(
    ("stream", "path", "of"),
    [
        ("account_analytics_daily", "/accounts/analytics/daily", "eaccount"),
        ("campaign_analytics_daily", "/campaigns/analytics/daily", "campaign_id"),
    ],
)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let e-mails come as fast as all else, and let no fault be passed over."""
    monkeypatch.setitem(rate_limit.ENDPOINT_LIMITS, "/emails", UNHURRIED)
    monkeypatch.setattr(retry, "MAX_TOTAL_WAIT", 0.0)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with a few pages of leads and e-mails."""
    with Sandbox(labels=3, lists=3, leads=250, emails=350, strict=True) as sandbox:
        yield sandbox


def read(
    sandbox: Sandbox,
    stream: str,
    state: Json | None = None,
    method: str | None = None,
    **settings: t.Any,
) -> Output:
    """Read one stream."""
    state = json.loads(json.dumps(state))
    return sync(sandbox, state, catalog_of(stream, method=method), **settings)


def instant(text: str) -> datetime:
    """Read a timestamp, or a day, which is its midnight."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def requests_to(sandbox: Sandbox, path: str) -> list[Request]:
    """Return the requests to an endpoint."""
    return [request for request in sandbox.requests if request.path.endswith(path)]


def ids(rows: Iterable[Json], key: str = "id") -> set[str]:
    """Return the ids of some rows."""
    return {row[key] for row in rows}


# Leads


def test_leads_are_asked_for_by_campaign_and_list(sandbox: Sandbox) -> None:
    """Each lead comes once, and nothing is in the URL."""
    output = read(sandbox, "leads")
    rows = {row["id"]: row for row in sandbox.tables["leads"].rows}
    assert sorted(output.ids("leads")) == sorted(rows)
    assert {record["id"]: record for record in output.records("leads")} == rows
    asked = requests_to(sandbox, "/leads/list")
    assert {(request.method, *request.query) for request in asked} == {("POST",)}
    assert {request.body["limit"] for request in asked} == {100}
    firsts = [request.body for request in asked if "starting_after" not in request.body]
    homes = [{"campaign": row["id"]} for row in sandbox.tables["campaigns"].rows]
    homes += [{"list_id": row["id"]} for row in sandbox.lists.rows]
    homes += [{"in_campaign": False, "in_list": False}]
    expected = [home | {"limit": 100} for home in homes]
    assert sorted(map(str, map(sorted, map(dict.items, firsts)))) == sorted(
        map(str, map(sorted, map(dict.items, expected)))
    )


def test_a_lead_in_two_places_comes_once(sandbox: Sandbox) -> None:
    """A list goes before a campaign, and both before neither."""
    campaign = sandbox.tables["campaigns"].rows[0]["id"]
    (some_list, *_) = sandbox.lists.rows
    leads = sandbox.tables["leads"]
    both = leads.add(campaign=campaign, list_id=some_list["id"])
    neither = leads.add(campaign=..., list_id=...)
    elsewhere = leads.add(
        campaign="of a campaign that is gone", list_id=some_list["id"]
    )
    found = read(sandbox, "leads").ids("leads")
    assert sorted(found) == sorted(row["id"] for row in leads.rows)
    for row in both, neither, elsewhere:
        assert found.count(row["id"]) == 1


def test_a_lead_that_comes_into_a_campaign_meanwhile(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes with its list, whatever has been read of the campaign by then."""
    leads = sandbox.tables["leads"]
    (some_list, *_) = sandbox.lists.rows
    campaign = sandbox.tables["campaigns"].rows[0]["id"]
    lead = leads.add(campaign=..., list_id=some_list["id"])
    is_read = threading.Event()

    def answer(request: Asked, usual: Callable[[], Page]) -> Page:
        if request.params.get("list_id"):
            assert is_read.wait(60)
        page = usual()
        if request.params.get("campaign") == campaign:
            assert len(page.rows) < 100  # all that it has
            leads.edit(lead["id"], campaign=campaign)
            is_read.set()
        return page

    answer_with(monkeypatch, answer)
    found = read(sandbox, "leads", max_concurrency=64).ids("leads")
    assert sorted(found) == sorted(row["id"] for row in leads.rows)


def test_a_lead_that_comes_into_a_list_meanwhile(sandbox: Sandbox) -> None:
    """It says itself that it has changed just now, so it comes with its campaign."""
    leads = sandbox.tables["leads"]
    (some_list, *_) = sandbox.lists.rows
    campaign = sandbox.tables["campaigns"].rows[0]["id"]
    now = datetime.now(timezone.utc).isoformat()
    both = {"campaign": campaign, "list_id": some_list["id"]}
    lead = leads.add(**both, timestamp_updated=now)
    assert read(sandbox, "leads").ids("leads").count(lead["id"]) == 2


def test_leads_that_cannot_be_found(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """That of each campaign and list there is nothing does not mean no leads."""
    sandbox.fail("/leads/list", 404, body=b'{"message":"Not Found"}')
    read(sandbox, "leads", emit_activate_version_messages=True)
    assert "leads: HTTP 404 from /leads/list" in caplog.text


def test_leads_of_a_campaign_that_is_deleted_meanwhile(sandbox: Sandbox) -> None:
    """What is gone since it was listed has no leads, and stops nothing."""
    sandbox.fail("/leads/list", 404, body=b'{"message":"not found"}', times=1)
    output = read(sandbox, "leads")
    assert output.exit_code == 0
    assert len(output.ids("leads")) < len(sandbox.tables["leads"])


def test_a_lead_whose_campaign_is_no_text(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream stops as at any other misfit, and says which lead it is."""
    rows = sandbox.tables["leads"].rows
    odd = next(row["id"] for row in rows if row.get("list_id"))
    sandbox.tables["leads"].edit(odd, campaign=[{"id": 1}])
    read(sandbox, "leads")
    assert f"leads: record {odd}, field `campaign`: expected string" in caplog.text
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize("path", ["/campaigns", "/lead-lists"])
def test_leads_for_a_key_with_few_scopes(
    sandbox: Sandbox, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where campaigns or lists cannot be listed, leads come as one list."""
    sandbox.fail(path, 403, body=b'{"message":"Forbidden"}')
    output = read(sandbox, "leads")
    ids = [row["id"] for row in sandbox.tables["leads"].rows]
    assert output.ids("leads") == ids
    asked = requests_to(sandbox, "/leads/list")
    assert not {"campaign", "list_id", "in_campaign"} & asked[0].body.keys()
    assert "leads: read as one long list" in caplog.text


# What is updated, and cannot be asked for by that


UPDATED = pytest.mark.parametrize(
    ("stream", "key", "changed"),
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
def test_what_has_changed(
    sandbox: Sandbox, stream: str, key: str, changed: str
) -> None:
    """The list is read whole; what has changed arrives, and the ties at the bookmark.

    The order of the list has nothing to do with the bookmark.
    """
    table = sandbox.tables[stream]
    tied = [row[key] for row in table.rows[1::4]]
    newest = "2026-10-29T18:00:00.000Z"
    for one in tied:
        table.edit(one, **{changed: newest})
    first = read(sandbox, stream)
    assert first.bookmark(stream) == newest
    later = [f"2026-10-29T2{hour}:00:00.000Z" for hour in range(3)]
    edited = [row[key] for row in table.rows[2:] if row[key] not in tied][:3]
    for one, at in zip(edited, (later[1], later[2], later[0]), strict=True):
        table.edit(one, **{changed: at})
    before = len(sandbox.requests)
    second = read(sandbox, stream, first.state)
    found = [record[key] for record in second.records(stream)]
    assert sorted(found) == sorted({*tied, *edited})
    assert second.bookmark(stream) == later[2]
    assert len(sandbox.requests) == 2 * before
    third = read(sandbox, stream, second.state)
    assert [record[key] for record in third.records(stream)] == [edited[1]]


@UPDATED
def test_nothing_is_missed_after_an_end_date(
    sandbox: Sandbox, stream: str, key: str, changed: str
) -> None:
    """What was made after it has not been read, whatever it was changed by then."""
    rows = sandbox.tables[stream].rows
    made = "created_at" if stream == "background_jobs" else "timestamp_created"
    end = sorted(row[made] for row in rows)[len(rows) // 2]
    first = read(sandbox, stream, end_date=end)
    expected = [row for row in rows if row[made] < end]
    assert ids(first.records(stream), key) == ids(expected, key)
    assert expected
    bookmark = first.bookmark(stream)
    assert bookmark is not None
    assert instant(bookmark) <= instant(end)
    second = read(sandbox, stream, first.state)
    missing = [row for row in rows if row[made] >= end or row[changed] >= end]
    assert ids(second.records(stream), key) >= ids(missing, key)


@UPDATED
def test_a_bookmark_past_an_end_date_stays(
    sandbox: Sandbox,
    stream: str,
    key: str,
    changed: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A backfill that comes too late does not turn the bookmark back."""
    del key, changed
    first = read(sandbox, stream)
    caplog.clear()
    second = read(sandbox, stream, first.state, end_date="2026-09-01")
    assert second.bookmark(stream) == first.bookmark(stream)
    assert "lies ahead" not in caplog.text


@pytest.mark.parametrize(
    ("stream", "dated_by"),
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
def test_dates_cut_exactly(sandbox: Sandbox, stream: str, dated_by: str) -> None:
    """`start_date` is the first instant read, and `end_date` the first not read."""
    everything = read(sandbox, stream).records(stream)
    moments = sorted({row[dated_by] for row in everything})
    start, end = moments[len(moments) // 3], moments[-len(moments) // 4]
    key = "email" if stream == "accounts" else "id"
    expected = [row for row in everything if start <= row[dated_by] < end]
    assert expected
    for method in (None, "FULL_TABLE"):
        output = read(sandbox, stream, method=method, start_date=start, end_date=end)
        assert ids(output.records(stream), key) == ids(expected, key)


# E-mails


def test_emails_are_asked_for_oldest_first(sandbox: Sandbox) -> None:
    """From a minute before the bookmark on, and up to the end of the window."""
    first = read(sandbox, "emails")
    assert first.ids("emails") == sorted(ids(sandbox.tables["emails"].rows))
    asked = requests_to(sandbox, "/emails")
    assert {request.query["sort_order"] for request in asked} == {"asc"}
    assert {request.query["limit"] for request in asked} == {"100"}
    assert not any("timestamp" in name for r in asked for name in r.query)
    sandbox.requests.clear()
    end = "2026-10-30T00:00:00.000Z"
    read(sandbox, "emails", first.state, end_date=end)
    bookmark = first.bookmark("emails")
    assert bookmark is not None
    for request in requests_to(sandbox, "/emails"):
        since = instant(request.query["min_timestamp_created"])
        assert MINUTE <= instant(bookmark) - since <= 5 * MINUTE
        assert instant(request.query["max_timestamp_created"]) >= instant(end)


@pytest.mark.parametrize("is_inclusive", [True, False])
def test_bounds_of_emails(sandbox: Sandbox, *, is_inclusive: bool) -> None:
    """Whether the server counts its bounds in makes no difference, nor do ties."""
    sandbox.bounds_inclusive = is_inclusive
    emails = sandbox.tables["emails"]
    rows = sorted(emails.rows, key=lambda row: str(row["timestamp_created"]))
    at = rows[200]["timestamp_created"]
    for row in rows[197:204]:
        emails.edit(row["id"], timestamp_created=at)
    early = read(sandbox, "emails", end_date=at)
    late = read(sandbox, "emails", start_date=at)
    assert ids(early.records("emails")) == ids(rows[:197])
    assert ids(late.records("emails")) == ids(rows[197:])
    again = read(sandbox, "emails", early.state)
    assert ids(again.records("emails")) >= ids(rows[196:])
    idle = read(sandbox, "emails", again.state)
    assert 0 < len(idle.records("emails")) <= 9
    assert idle.state == again.state


def resumed(sandbox: Sandbox, arrived: list[Json]) -> tuple[set[str], Output]:
    """Return the e-mails that have arrived after a death and in the run after it.

    Args:
        sandbox: Where they are.
        arrived: The messages that the target was given before.
    """
    states = [m["value"] for m in arrived if m["type"] == "STATE"]
    seen = {m["record"]["id"] for m in arrived if m["type"] == "RECORD"}
    rest = read(sandbox, "emails", states[-1] if states else None)
    return seen | ids(rest.records("emails")), rest


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_first_load_of_emails_that_dies(sandbox: Sandbox, after: int) -> None:
    """The next run goes on where it has ended, but for some minutes."""
    sandbox.fail("/emails", 401, after=after)
    failed = read(sandbox, "emails")
    assert len(failed.ids("emails")) == 100 * after
    sandbox.heal()
    sandbox.requests.clear()
    found, rest = resumed(sandbox, failed.messages)
    rows = sandbox.tables["emails"].rows
    assert found == ids(rows)
    bookmark = instant(failed.bookmark("emails") or "")
    near = [r for r in rows if abs(instant(r["timestamp_created"]) - bookmark) < DAY]
    assert 0 < len(near) < 50
    again = {*failed.ids("emails")} & {*rest.ids("emails")}
    assert again <= ids(near)
    assert len(requests_to(sandbox, "/emails")) == 5 - after


def test_a_later_load_of_emails_that_dies(sandbox: Sandbox) -> None:
    """Nor does a run that begins at a bookmark lose anything, or its bookmark."""
    rows = sandbox.tables["emails"].rows[::-1]
    first = read(sandbox, "emails", end_date=rows[50]["timestamp_created"])
    for after in (0, 1):
        sandbox.fail("/emails", 401, after=after)
        failed = read(sandbox, "emails", first.state)
        sandbox.heal()
        assert failed.bookmark("emails")
        found, _ = resumed(sandbox, failed.messages)
        assert found >= ids(rows[50:])


def test_any_death_among_emails(sandbox: Sandbox) -> None:
    """Whatever part of the output arrives, the next run brings the rest."""
    whole = read(sandbox, "emails").messages
    everything = ids(sandbox.tables["emails"].rows)
    for end in range(0, len(whole), 47):
        assert resumed(sandbox, whole[:end])[0] == everything


@pytest.mark.parametrize("order", ["newest", "by hash"])
def test_emails_in_another_order(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """A server that does not heed `sort_order` makes a death late, but not a loss."""
    emails = sandbox.tables["emails"]
    if order == "newest":
        usual = emails.page
        monkeypatch.setattr(
            emails,
            "page",
            lambda call, *, only=None, descending=None: usual(
                call, only=only, descending=descending is None or True
            ),
        )
    else:
        for number, row in enumerate(emails.rows):
            emails.delete(row["id"])
            emails.add(**row | {"id": Draw("hash", number).uuid4()})
    rows = emails.rows
    for after in (1, 2, 3):
        sandbox.fail("/emails", 401, after=after)
        failed = read(sandbox, "emails")
        sandbox.heal()
        assert len(failed.ids("emails")) == 100 * after
        found, rest = resumed(sandbox, failed.messages)
        assert found == ids(rows)
        assert rest.bookmark("emails") == max(row["timestamp_created"] for row in rows)
    new = emails.add()
    last = read(sandbox, "emails", rest.state)
    assert new["id"] in last.ids("emails")


def add_emails(sandbox: Sandbox, count: int, *, late: int) -> list[Json]:
    """Add e-mails, one a second; every seventh is stored late by some seconds."""
    rows = []
    for number in range(count):
        at = NEWEST + number * timestamps.SECOND
        made = at - late * timestamps.SECOND * (number % 7 == 0)
        row = sandbox.tables["emails"].add(
            id=Draw("late", number).uuid7(at), timestamp_created=timestamps.write(made)
        )
        rows.append(row)
    return rows


@pytest.mark.parametrize("after", [1, 2])
def test_emails_that_are_stored_late(after: int) -> None:
    """Received ones trail the order by up to 31 seconds; none falls through a gap."""
    with Sandbox(labels=0, lists=0, emails=20, strict=True) as sandbox:
        for row in sandbox.tables["emails"].rows:
            sandbox.tables["emails"].delete(row["id"])
        rows = add_emails(sandbox, 260, late=31)
        sandbox.fail("/emails", 401, after=after)
        failed = read(sandbox, "emails")
        sandbox.heal()
        bookmark = failed.bookmark("emails")
        assert bookmark == max(row["timestamp_created"] for row in rows[: 100 * after])
        found, rest = resumed(sandbox, failed.messages)
        assert found == ids(rows)
        trailing = NEWEST + (260 - 32) * timestamps.SECOND
        late = sandbox.tables["emails"].add(
            id=Draw("late").uuid7(NEWEST + 300 * timestamps.SECOND),
            timestamp_created=timestamps.write(trailing),
        )
        last = read(sandbox, "emails", rest.state)
        assert late["timestamp_created"] < (rest.bookmark("emails") or "")
        assert late["id"] in last.ids("emails")


# Windows


def keys(stream: str, rows: Iterable[Json]) -> set[tuple[str, ...]]:
    """Return what and which day each row is about."""
    return {tuple(row[field] for field in DAILY[stream]) for row in rows}


def spans(requests: list[Request]) -> list[tuple[datetime, datetime]]:
    """Return the first and the last day that each request names."""
    return [
        (instant(r.query["start_date"]), instant(r.query["end_date"])) for r in requests
    ]


def sent_on(sandbox: Sandbox, field: str) -> set[tuple[str, str]]:
    """Return whose e-mails were sent or received on which days."""
    return {
        (row[field], row["timestamp_email"][:10])
        for row in sandbox.tables["emails"].rows
        if row["ue_type"] in (1, 2)
    }


def test_daily_figures_of_many_mailboxes() -> None:
    """At most 200 mailboxes and 31 days are asked for at once, and no day is left."""
    with Sandbox(labels=0, lists=0, accounts=450, emails=200, strict=True) as sandbox:
        output = read(sandbox, "account_analytics_daily")
        stream = "account_analytics_daily"
        assert keys(stream, output.records(stream)) == sent_on(sandbox, "eaccount")
        asked = requests_to(sandbox, "/analytics/daily")
        mailboxes = sandbox.tables["accounts"].rows
    asked_of: dict[tuple[datetime, datetime], list[list[str]]] = {}
    for request, span in zip(asked, spans(asked), strict=True):
        asked_of.setdefault(span, []).append(request.queries["emails"])
    names = sorted(row["email"] for row in mailboxes)
    for batches in asked_of.values():
        assert sorted(map(len, batches)) == [50, 200, 200]
        assert sorted(itertools.chain(*batches)) == names
    days = sorted(asked_of)
    assert all(last - first < 31 * DAY for first, last in days)
    for (_, last), (first, _) in itertools.pairwise(days):
        assert first <= last
    oldest = min(row["timestamp_created"] for row in mailboxes)
    assert days[0][0] <= instant(oldest)
    assert days[-1][1] >= instant(timestamps.write(NEWEST))


@pytest.mark.parametrize("largest", [60, 12, 2])
def test_daily_figures_that_are_too_many(largest: int) -> None:
    """A refused request is halved by mailboxes, and by days if there is one only."""
    stream = "account_analytics_daily"
    with Sandbox(labels=0, lists=0, accounts=6, emails=200, strict=True) as sandbox:
        usual = read(sandbox, stream, start_date="2026-10-01")
        sandbox.largest_answer = largest
        sandbox.requests.clear()
        output = read(sandbox, stream, start_date="2026-10-01")
    assert output.records(stream)
    found = [json.dumps(row) for row in output.records(stream)]
    assert sorted(found) == sorted(map(json.dumps, usual.records(stream)))
    asked = requests_to(sandbox, "/analytics/daily")
    assert {request.status for request in asked} == {200, 413}
    answered = [request for request in asked if request.status == 200]
    for request, (first, last) in zip(answered, spans(answered), strict=True):
        days = (last - first) // DAY + 1
        assert days * len(request.queries["emails"]) <= largest


@pytest.mark.parametrize("status", [413, 414, 431])
def test_mailboxes_that_are_too_many(sandbox: Sandbox, status: int) -> None:
    """Whichever way a server says so, and wherever on the way it stands."""
    stream = "account_analytics_daily"
    usual = read(sandbox, stream, start_date="2026-10-01")

    def refuse(request: Request) -> None:
        sandbox.heal()
        if len(request.queries.get("emails", [])) > 4:
            sandbox.fail(request.path, status)

    sandbox.on_request = refuse
    output = read(sandbox, stream, start_date="2026-10-01")
    assert output.records(stream) == usual.records(stream)
    assert output.records(stream)


def test_daily_figures_that_cannot_be_had(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that refuses even one mailbox and day makes the stream fail."""
    sandbox.largest_answer = 0
    output = read(sandbox, "account_analytics_daily", start_date="2026-10-01")
    assert not output.records("account_analytics_daily")
    assert not output.bookmark("account_analytics_daily")
    assert "account_analytics_daily: HTTP 413 from /accounts" in caplog.text


@FIGURES
def test_whether_the_last_day_counts(
    sandbox: Sandbox, stream: str, path: str, of: str
) -> None:
    """No day is lost or written twice, whichever way the server counts."""
    del path
    everything = sent_on(sandbox, of)
    for is_inclusive in (True, False):
        sandbox.ends_inclusive = is_inclusive
        records = read(sandbox, stream).records(stream)
        assert keys(stream, records) == everything
        assert len(records) == len(everything)
        output = read(
            sandbox, stream, start_date="2026-09-01", end_date="2026-10-02T12:00:00Z"
        )
        assert keys(stream, output.records(stream)) == {
            key for key in everything if "2026-09-01" <= key[1] <= "2026-10-02"
        }


@FIGURES
def test_days_before_the_oldest(
    sandbox: Sandbox, stream: str, path: str, of: str
) -> None:
    """A `start_date` that is too early makes no difference."""
    del path
    output = read(sandbox, stream, start_date="2024-01-01")
    assert keys(stream, output.records(stream)) == sent_on(sandbox, of)


@EVERY_DAILY
def test_dates_cut_days(sandbox: Sandbox, stream: str) -> None:
    """A day is read if any of it is wanted."""
    everything = read(sandbox, stream).records(stream)
    days = sorted({row["date"] for row in everything})
    start, end = days[len(days) // 3], days[-2]
    expected = [row for row in everything if start <= row["date"] < end]
    assert expected
    for method, first, after in (
        (None, start, end),
        ("FULL_TABLE", f"{start}T13:00:00Z", f"{end}T00:00:00Z"),
    ):
        output = read(sandbox, stream, method=method, start_date=first, end_date=after)
        assert keys(stream, output.records(stream)) == keys(stream, expected)


@EVERY_DAILY
def test_the_last_days_are_read_again(sandbox: Sandbox, stream: str) -> None:
    """The figures of four weeks may still change; what is older is not written."""
    first = read(sandbox, stream)
    everything = first.records(stream)
    bookmark = max(row["date"] for row in everything)
    assert first.bookmark(stream) == bookmark
    since = (instant(bookmark) - UNSETTLED).date().isoformat()
    second = read(sandbox, stream, first.state)
    expected = [row for row in everything if row["date"] >= since]
    assert sorted(map(json.dumps, second.records(stream))) == sorted(
        map(json.dumps, expected)
    )
    assert second.state == first.state


@FIGURES
def test_a_figure_that_changes_late(
    sandbox: Sandbox, stream: str, path: str, of: str
) -> None:
    """A reply counts for a day that has been read before."""
    del path
    emails = sandbox.tables["emails"]
    first = read(sandbox, stream)
    sent = next(
        row
        for row in emails.rows
        if row["ue_type"] == 1 and row["timestamp_email"][:10] == "2026-10-10"
    )
    late = emails.add(**sent | {"id": Draw("late").uuid7(NEWEST)})
    day = (late[of], "2026-10-10")
    second = read(sandbox, stream, first.state)
    figure = {
        tuple(row[field] for field in DAILY[stream]): row["sent"]
        for output in (first, second)
        for row in output.records(stream)
    }
    before = {
        tuple(row[field] for field in DAILY[stream]): row["sent"]
        for row in first.records(stream)
    }
    assert figure[day] == before[day] + 1
    assert [key for key in before if before[key] != figure[key]] == [day]


@pytest.mark.parametrize(
    ("stream", "dated_by", "parameter", "days"),
    [
        ("audit_logs", "timestamp", "start_date", 1),
        ("webhook_events", "timestamp_created", "from", 3),
    ],
)
def test_logs_are_read_on(
    sandbox: Sandbox, stream: str, dated_by: str, parameter: str, days: int
) -> None:
    """Some days come again, in case that something was written down late."""
    first = read(sandbox, stream)
    assert not any(parameter in request.query for request in sandbox.requests)
    sandbox.requests.clear()
    table = sandbox.tables[stream]
    bookmark = instant(table.rows[0][dated_by])
    at = (bookmark - days * DAY + MINUTE).isoformat(timespec="milliseconds")
    late = table.add(**{dated_by: at.replace("+00:00", "Z")})
    new = table.add()
    second = read(sandbox, stream, first.state)
    since = bookmark - days * DAY
    expected = [row for row in table.rows if instant(row[dated_by]) >= since]
    assert ids(second.records(stream)) == ids(expected)
    assert ids([late, new]) <= ids(second.records(stream))
    assert second.bookmark(stream) == new[dated_by]
    for request in sandbox.requests:
        assert instant(request.query[parameter]) <= since


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
def test_what_instantly_forgets_is_kept(
    sandbox: Sandbox, stream: str, *, is_activated: bool
) -> None:
    """No version is activated that would make a target drop older rows."""
    output = read(
        sandbox, stream, method="FULL_TABLE", emit_activate_version_messages=True
    )
    assert output.records(stream)
    assert bool(output.of("ACTIVATE_VERSION")) == is_activated


# One at a time


def test_a_workspace_without_a_domain_of_its_own(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no row then, and that is no failure."""
    stream = "workspace_whitelabel_domain"
    for record in read(sandbox, stream).records(stream):
        sandbox.tables[stream].delete(record["name"])
    output = read(sandbox, stream)
    assert requests_to(sandbox, "/whitelabel-domain")[-1].status == 404
    assert not output.records(stream)
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_a_workspace_without_a_deliverability_agent(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Its place is null, and nothing is asked about it."""
    streams = ("ai_deliverability_agent", "ai_deliverability_feed_items")
    for record in read(sandbox, streams[0]).records(streams[0]):
        sandbox.tables["ai_agents"].delete(record["id"])
    sandbox.requests.clear()
    output = sync(sandbox, catalog=catalog_of(*streams))
    assert not output.of("RECORD")
    assert [r.path for r in sandbox.requests] == ["/api/v2/ai-agents/deliverability"]
    assert "ERROR" not in {record.levelname for record in caplog.records}


@pytest.mark.parametrize("stream", ["workspace", "workspace_billing_plan_details"])
def test_a_single_object(sandbox: Sandbox, stream: str) -> None:
    """It takes one request, and comes with every run."""
    first = read(sandbox, stream)
    second = read(sandbox, stream, first.state)
    assert len(first.records(stream)) == 1
    assert first.records(stream) == second.records(stream)
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize(
    ("stream", "of"),
    [
        ("campaign_analytics_steps", "campaign_id"),
        ("subsequence_analytics_steps", "subsequence_id"),
    ],
)
def test_a_step_that_is_unknown(sandbox: Sandbox, stream: str, of: str) -> None:
    """Null is written as a word, since it is part of the key."""
    emails = sandbox.tables["emails"]
    mail = next(row for row in emails.rows if row.get(of) and row.get("step"))
    emails.edit(mail["id"], step=None)
    records = read(sandbox, stream).records(stream)
    steps = {(record[of], record["step"], record["variant"]) for record in records}
    assert (mail[of], "unknown", "unknown") in steps
    assert len(steps) == len(records)
    assert all(isinstance(value, str) for step in steps for value in step)
