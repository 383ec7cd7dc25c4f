"""Leads, which are read along their ids, whatever campaign or list they are in."""

from __future__ import annotations

import math
import re
import threading
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store.switches import UnknownId
from tests.conftest import (
    captured,
    catalog_of,
    ids,
    intercept,
    parse_timestamp,
    read,
    requests_to,
    sync,
    tap_of,
    wait_for_threads,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.api.pages import Page, Request
    from tap_instantly.sandbox.http.requests import Request as ReceivedRequest

pytestmark = pytest.mark.usefixtures("no_waits")

PATH = "/leads/list"
NOWHERE = "00000000-0000-4000-8000-00000000dead"
LOOKUPS = [kind for kind in t.get_args(UnknownId) if kind != "compare"]


def leads(number: int) -> Sandbox:
    """Return a workspace with so many leads, in campaigns and in 260 lists."""
    return Sandbox(labels=1, leads=number, emails=0, strict=True)


@pytest.fixture(scope="module")
def many() -> Iterator[Sandbox]:
    """Return a workspace with 2,000 leads, which tests only read."""
    with leads(2_000) as sandbox:
        yield sandbox


@pytest.fixture
def some() -> Iterator[Sandbox]:
    """Return a workspace with 1,200 leads."""
    with leads(1_200) as sandbox:
        yield sandbox


def cursor_of(request: ReceivedRequest) -> str | None:
    """Return the cursor of a request."""
    cursor: str | None = request.body.get("starting_after")
    return cursor


def is_made_up(sandbox: Sandbox, request: ReceivedRequest) -> bool:
    """Tell whether a request has a cursor that is the id of no lead."""
    cursor = cursor_of(request)
    return cursor is not None and cursor not in sandbox.tables["leads"]


def other_than(lead: str) -> str:
    """Return an id beside that of a lead."""
    return lead[:-1] + ("8" if lead[-1] == "0" else "0")


@pytest.mark.parametrize(
    "number", [0, 1, 99, 100, 101, 400, 500, 501, 1_000, 3_000, 10_000]
)
def test_requests(number: int) -> None:
    """A request for a hundred leads, and one more; some more beyond 500 leads."""
    with leads(number) as sandbox:
        output = read(sandbox, "leads")
        rows = sandbox.tables["leads"].rows
        assert sorted(output.ids("leads")) == [row["id"] for row in rows]
        sent = len(sandbox.requests)
        if number <= 500:
            assert sent == math.ceil(number / 100) + 1
        else:
            assert sent <= number / 100 + 40


def test_each_lead_arrives_once_and_as_it_is(many: Sandbox) -> None:
    """It does, and nothing is sent but the cursor and the limit."""
    many.requests.clear()
    output = read(many, "leads")
    rows = ids(many.tables["leads"].rows)
    assert len(output.ids("leads")) == len(rows)
    assert {r["id"]: r for r in output.records("leads")} == {
        row["id"]: row for row in many.tables["leads"].rows
    }
    requests = requests_to(many, PATH)
    assert len(requests) == len(many.requests)
    assert {(request.method, *request.query) for request in requests} == {("POST",)}
    bodies = [request.body for request in requests]
    assert {body.pop("limit") for body in bodies} == {100}
    assert {name for body in bodies for name in body} == {"starting_after"}


@pytest.mark.parametrize("path", ["/campaigns", "/lead-lists"])
def test_leads_that_a_listing_hides(some: Sandbox, path: str) -> None:
    """They arrive, whatever is known of their campaign or list."""
    table = some.tables["leads"]
    table.edit(table.keys[0], campaign=NOWHERE, list_id=...)
    table.edit(table.keys[700], campaign=..., list_id=NOWHERE)
    table.edit(table.keys[-1], campaign=..., list_id=...)
    some.fail(path, 403, body=b'{"message":"Forbidden"}')
    output = read(
        some, "leads", method="FULL_TABLE", emit_activate_version_messages=True
    )
    assert sorted(output.ids("leads")) == table.keys
    assert len(output.of("ACTIVATE_VERSION")) == 1


@pytest.mark.parametrize("unknown_id", LOOKUPS)
@pytest.mark.parametrize("comparison", ["strict", "inclusive"])
def test_servers_that_look_the_cursor_up(
    many: Sandbox, unknown_id: t.Any, comparison: t.Any
) -> None:
    """They are read page by page, at the cost of a few requests."""
    many.requests.clear()
    many.unknown_id, many.comparison = unknown_id, comparison
    try:
        output = read(many, "leads")
    finally:
        many.unknown_id = many.comparison = None
    assert output.ids("leads") == many.tables["leads"].keys
    assert len(many.requests) <= 2_000 / 99 + 4


@pytest.mark.parametrize("answered", [0, 1, 4])
def test_a_fault_instead_of_an_unknown_cursor(
    some: Sandbox, caplog: pytest.LogCaptureFixture, answered: int
) -> None:
    """A server that fails there, be it after some answers, is given no further one."""
    made_up: list[str | None] = []

    def fail(request: ReceivedRequest) -> None:
        some.heal()
        if is_made_up(some, request):
            made_up.append(cursor_of(request))
            if len(made_up) > answered:
                some.fail(PATH, 500)

    some.on_request = fail
    output = read(some, "leads", max_concurrency=1)
    assert sorted(output.ids("leads")) == some.tables["leads"].keys
    assert len(some.requests) <= (14 if not answered else 12 + 40)
    assert len(made_up) > answered
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_a_list_in_no_order(many: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """It is read page by page, with a line in the log."""
    many.requests.clear()
    many.order = "mixed"
    try:
        output = read(many, "leads")
    finally:
        many.order = None
    assert sorted(output.ids("leads")) == many.tables["leads"].keys
    assert len(many.requests) == 21
    assert "leads: the list is not in the order of its ids" in caplog.text


@pytest.mark.parametrize("unknown_id", ["compare", *LOOKUPS])
@pytest.mark.parametrize("short_pages", [None, 7])
def test_leads_that_come_change_and_go(
    some: Sandbox, unknown_id: t.Any, short_pages: int | None
) -> None:
    """Those that stay arrive once, and the next run brings what this one misses."""
    table = some.tables["leads"]
    some.unknown_id, some.short_pages = unknown_id, short_pages
    kept = {*table.keys}
    now = datetime.now(timezone.utc)

    def change(request: ReceivedRequest) -> None:
        number = len(some.requests)
        if number % 3 == 0:
            table.add(timestamp_updated=now.isoformat())
        elif number % 3 == 1:
            table.edit(
                table.keys[number * 53 % len(table)], timestamp_updated=now.isoformat()
            )
        elif cursor_of(request) is not None:
            gone = table.keys[number * 31 % len(table)]
            kept.discard(gone)
            table.delete(gone)

    some.on_request = change
    first = read(some, "leads")
    some.on_request = None
    found = first.ids("leads")
    assert len(found) == len({*found})
    assert kept <= {*found}
    second = read(some, "leads", first.state)
    current = {record["id"]: record for record in first.records("leads")}
    current |= {record["id"]: record for record in second.records("leads")}
    for row in table.rows:
        assert current[row["id"]] == row


def test_incremental_runs(some: Sandbox) -> None:
    """They write what has changed since the bookmark, which never passes the run."""
    table = some.tables["leads"]
    first = read(some, "leads")
    updated = [row["timestamp_updated"] for row in table.rows]
    assert first.bookmark("leads") == max(updated)
    changed = table.edit(table.keys[600])
    second = read(some, "leads", first.state)
    expected = {
        changed["id"],
        *(r["id"] for r in table.rows if r["timestamp_updated"] == max(updated)),
    }
    assert {*second.ids("leads")} == expected
    future = datetime.now(timezone.utc) + timedelta(days=2)
    table.edit(table.keys[3], timestamp_updated=future.isoformat())
    third = read(some, "leads", second.state)
    bookmark = third.bookmark("leads")
    assert bookmark is not None
    latest = datetime.now(timezone.utc) - timedelta(minutes=1)
    assert parse_timestamp(bookmark) <= latest


def test_no_lead_is_deleted_that_was_not_looked_for(some: Sandbox) -> None:
    """If any page cannot be had, the target is told to delete nothing."""

    def fail(_: ReceivedRequest) -> None:
        if len(requests_to(some, PATH)) == 11:
            some.fail(PATH, 403, body=b'{"message":"Forbidden"}')

    some.on_request = fail
    output = read(
        some, "leads", method="FULL_TABLE", emit_activate_version_messages=True
    )
    assert not output.of("ACTIVATE_VERSION")
    assert output.tap is not None
    assert output.tap.stats["leads"].failure


def test_a_server_that_contradicts_itself(
    many: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No lead is lost, and each was looked for, so a target may delete others."""
    table = many.tables["leads"]
    known, made_up = {None, *table.keys}, list[str]()

    def answer(request: Request, fetch: Callable[[], Page]) -> Page:
        page = fetch()
        cursor = request.params.get("starting_after")
        if cursor in known:
            return page
        made_up.append(str(cursor))
        if len(made_up) == 1:  # the trial is answered as it should be
            return page
        rows = [{**row, "id": other_than(row["id"])} for row in page.rows]
        return replace(page, rows=rows)

    intercept(monkeypatch, answer)
    output = read(
        many, "leads", method="FULL_TABLE", emit_activate_version_messages=True
    )
    assert {*output.ids("leads")} >= {*table.keys}
    assert "contradict" in caplog.text
    assert len(output.of("ACTIVATE_VERSION")) == 1


@pytest.mark.parametrize("unknown_id", ["compare", "not-found"])
def test_lines_do_not_depend_on_the_concurrency(
    many: Sandbox, unknown_id: t.Any
) -> None:
    """Nor does anything depend on which answer comes first."""
    many.unknown_id = unknown_id
    try:
        lines = {
            re.sub(
                r'"time_extracted":"[^"]*"',
                "",
                read(many, "leads", max_concurrency=concurrency).stdout,
            )
            for concurrency in (1, 3, 16)
        }
    finally:
        many.unknown_id = None
    assert len(lines) == 1


def test_a_tap_that_reads_twice(many: Sandbox) -> None:
    """What is remembered of the ids is of one run."""
    tap = tap_of(many, catalog=catalog_of("leads", method="FULL_TABLE"))
    rows = []
    for _ in range(2):
        with captured():
            tap.sync_all()
        rows.append(tap.stats["leads"].rows)
    assert rows == [2_000, 2_000]


def test_a_catalog_that_adds_to_the_key(some: Sandbox) -> None:
    """It is obeyed, and the list is read along its ids all the same."""
    catalog = catalog_of("leads")
    catalog["streams"][0]["key_properties"] = ["id", "timestamp_created"]
    output = sync(some, None, catalog)
    assert output.tap is not None
    assert output.tap.stats["leads"].failure is None
    assert len(output.records("leads")) == len(some.tables["leads"])


def test_no_leads_can_be_found(some: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """If every request is answered 404, the stream fails: there may be leads."""
    some.fail(PATH, 404, body=b'{"message":"Not Found"}')
    output = read(
        some, "leads", method="FULL_TABLE", emit_activate_version_messages=True
    )
    assert "leads: HTTP 404 from /leads/list" in caplog.text
    assert not output.of("ACTIVATE_VERSION")


@pytest.mark.parametrize("place", [0, 150, 1_100])
def test_a_lead_whose_key_cannot_be_read(
    some: Sandbox, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream stops there, names the lead, and every thread ends."""
    table = some.tables["leads"]
    odd = table.keys[place]
    table.edit(odd, timestamp_updated="yesterday")
    before = set(threading.enumerate())
    output = read(some, "leads", max_concurrency=16)
    assert f"leads: record {odd}, field `timestamp_updated`" in caplog.text
    wait_for_threads(output.tap, before)


def test_a_lead_in_two_containers_arrives_once(workspace: Sandbox) -> None:
    """So does one in neither."""
    table = workspace.tables["leads"]
    (some_list, *_) = workspace.lists.rows
    campaign = workspace.tables["campaigns"].rows[0]["id"]
    table.add(campaign=campaign, list_id=some_list["id"])
    table.add(campaign=..., list_id=...)
    assert read(workspace, "leads").ids("leads") == table.keys
