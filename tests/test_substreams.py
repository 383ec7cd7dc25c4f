"""Streams that take a request for each campaign, mailbox and so on."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from tap_instantly.api import retry
from tap_instantly.reading.conversions import convert
from tap_instantly.reading.substream import SubstreamStream
from tap_instantly.sandbox import Sandbox
from tap_instantly.tap import TapInstantly
from tests.conftest import (
    catalog_of,
    sync,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.http.requests import Request as ReceivedRequest

pytestmark = pytest.mark.usefixtures("no_waits")

PREFIX = "/api/v2"
CAMPAIGN_SUBSTREAMS = (
    "campaign_analytics_daily",
    "campaign_analytics_overview",
    "campaign_analytics_steps",
    "campaign_sending_status",
    "subsequence_analytics",
)
PARENTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "accounts": (
        ("account_campaign_mappings", "account_details", "warmup_analytics"),
        "/accounts",
        "email",
    ),
    "campaigns": (CAMPAIGN_SUBSTREAMS, "/campaigns", "id"),
    "dfy_email_account_orders": (
        ("domain_forwarding",),
        "/dfy-email-account-orders",
        "domain",
    ),
    "inbox_placement_tests": (
        (
            "inbox_placement_analytics",
            "inbox_placement_deliverability_insights",
            "inbox_placement_reports",
            "inbox_placement_stats_by_date",
            "inbox_placement_stats_by_test",
        ),
        "/inbox-placement-tests",
        "id",
    ),
    "subsequences": (
        ("subsequence_analytics_steps", "subsequence_sending_status"),
        "/subsequences",
        "id",
    ),
}
EVERY_PARENT = pytest.mark.parametrize("parent", PARENTS)
PARENT_FIELDS = {
    "account_campaign_mappings": ("accounts", "email"),
    "account_details": ("accounts", "email"),
    "ai_agent_analytics": ("ai_agents", "agent_id"),
    "ai_deliverability_feed_items": ("ai_agents", "agent_id"),
    "ai_inbox_manager_activity": ("ai_agents", "agent_id"),
    "ai_inbox_manager_replies": ("ai_agents", "agent_id"),
    "ai_lead_finder_stats": ("ai_agents", "agent_id"),
    "ai_sales_agent_lead_activity": ("ai_agents", "agent_id"),
    "campaign_analytics_daily": ("campaigns", "campaign_id"),
    "campaign_analytics_overview": ("campaigns", "campaign_id"),
    "campaign_analytics_steps": ("campaigns", "campaign_id"),
    "campaign_sending_status": ("campaigns", "campaign_id"),
    "inbox_placement_analytics": ("inbox_placement_tests", "test_id"),
    "inbox_placement_stats_by_date": ("inbox_placement_tests", "test_id"),
    "subsequence_analytics": ("campaigns", "campaign_id"),
    "subsequence_sending_status": ("subsequences", "subsequence_id"),
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with more campaigns than are read at a time."""
    with Sandbox(
        labels=0, lists=4, campaigns=30, leads=60, emails=120, strict=True
    ) as sandbox:
        yield sandbox


def paths(sandbox: Sandbox) -> list[str]:
    """Return the paths of all requests, in the order in which they came."""
    return [request.path.removeprefix(PREFIX) for request in sandbox.requests]


def listings(sandbox: Sandbox, path: str) -> int:
    """Return how often a list has been read from its beginning.

    The lists of the campaigns of each sales agent are others.
    """
    return sum(
        request.path == PREFIX + path
        and not {"starting_after", "ai_sales_agent_id"} & request.query.keys()
        for request in sandbox.requests
    )


# Parents


@EVERY_PARENT
@pytest.mark.parametrize("is_selected", [True, False])
def test_parents_are_listed_once(
    sandbox: Sandbox, parent: str, *, is_selected: bool
) -> None:
    """Once a run, for any number of substreams, even if they are not selected."""
    children, path, key = PARENTS[parent]
    chosen = (*children, parent) if is_selected else children
    output = sync(sandbox, catalog=catalog_of(*chosen))
    assert listings(sandbox, path) == 1
    assert bool(output.records(parent)) == is_selected
    for child in children:
        assert output.records(child)
    if is_selected:
        rows = sandbox.tables[parent].rows
        assert {r[key] for r in output.records(parent)} == {r[key] for r in rows}


def test_parents_are_listed_once_for_the_next_run(sandbox: Sandbox) -> None:
    """Parents from before their own bookmark still have their substreams read."""
    catalog = catalog_of("campaigns", "campaign_sending_status")
    first = sync(sandbox, catalog=catalog)
    sandbox.requests.clear()
    second = sync(sandbox, first.state, catalog)
    assert listings(sandbox, "/campaigns") == 1
    assert len(second.records("campaigns")) == 1
    expected = first.records("campaign_sending_status")
    assert second.records("campaign_sending_status") == expected


def test_parents_are_listed_once_with_a_start_date(sandbox: Sandbox) -> None:
    """Parents from before the start date still have their substreams read."""
    rows = sandbox.tables["campaigns"].rows
    start = sorted(row["timestamp_created"] for row in rows)[15]
    catalog = catalog_of("campaigns", "campaign_sending_status")
    output = sync(sandbox, catalog=catalog, start_date=start)
    assert len(output.records("campaigns")) == 15
    assert len(output.records("campaign_sending_status")) == 30
    assert listings(sandbox, "/campaigns") == 1


def test_parents_whose_own_stream_stops_early_are_all_listed() -> None:
    """The parent stream stops at its bookmark, but its substreams need every key."""
    with Sandbox(labels=0, lists=130, leads=20, emails=20, strict=True) as sandbox:
        catalog = catalog_of("lead_lists", "lead_list_verification_stats")
        first = sync(sandbox, catalog=catalog)
        assert listings(sandbox, "/lead-lists") == 1
        second = sync(sandbox, first.state, catalog)
    assert len(second.records("lead_lists")) == 1
    assert len(second.records("lead_list_verification_stats")) == 130


def test_no_parents(sandbox: Sandbox) -> None:
    """No request is sent, and no stream fails."""
    for row in sandbox.tables["campaigns"].rows:
        sandbox.tables["campaigns"].delete(row["id"])
    output = sync(sandbox, catalog=catalog_of(*CAMPAIGN_SUBSTREAMS))
    assert not output.of("RECORD")
    assert {*paths(sandbox)} == {"/ai-agents", "/campaigns"}


@pytest.mark.parametrize("stream", PARENT_FIELDS)
def test_each_record_names_its_parent(sandbox: Sandbox, stream: str) -> None:
    """It has the parent's key, so that it can be joined."""
    parent, field = PARENT_FIELDS[stream]
    records = sync(sandbox, catalog=catalog_of(stream)).records(stream)
    key = "email" if parent == "accounts" else "id"
    known = [row[key] for row in sandbox.tables[parent].rows]
    assert records
    assert {record[field] for record in records} <= {*known}


def test_parent_fields_conform() -> None:
    """They need no conversion, so that whole pages can be found to fit."""
    checked = set()
    tap = TapInstantly(config={}, validate_config=False)
    for stream in tap.streams.values():
        if isinstance(stream, SubstreamStream):
            properties = stream.schema["properties"]
            for parent in stream.parents:
                fields = {parent.partition_field: "x", **parent.extra_fields}
                for field, value in fields.items():
                    assert convert(value, properties[field]) is value, stream.name
                    checked.add((stream.name, field))
    assert checked >= {(name, field) for name, (_, field) in PARENT_FIELDS.items()}


def test_parents_of_two_kinds(sandbox: Sandbox) -> None:
    """Enrichments are of lists and of campaigns."""
    stream = "supersearch_enrichments"
    records = sync(sandbox, catalog=catalog_of(stream)).records(stream)
    kinds: dict[int, t.Any] = {1: sandbox.tables["campaigns"], 2: sandbox.lists}
    assert {record["resource_type"] for record in records} == {1, 2}
    for record in records:
        rows = kinds[record["resource_type"]].rows
        assert record["resource_id"] in {row["id"] for row in rows}


def test_only_agents_of_the_right_type_are_requested(sandbox: Sandbox) -> None:
    """Instantly answers requests about other agents with 404."""
    streams = ("ai_inbox_managers", "ai_sales_agents")
    output = sync(sandbox, catalog=catalog_of(*streams))
    assert {request.status for request in sandbox.requests} == {200}
    for stream in streams:
        rows = sandbox.tables[stream].rows
        assert sorted(output.ids(stream)) == sorted(row["id"] for row in rows)
    assert listings(sandbox, "/ai-agents") == 1


# Failures


def test_a_deleted_parent(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """It is skipped with a line in the log, and all others are read."""
    caplog.set_level("INFO")
    deleted = [row["id"] for row in sandbox.tables["campaigns"].rows[3:20:8]]
    for campaign in deleted:
        sandbox.fail(f"/{campaign}/sending-status", 404)
    stream = "campaign_sending_status"
    output = sync(sandbox, catalog=catalog_of(stream))
    found = [record["campaign_id"] for record in output.records(stream)]
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    assert found == [campaign for campaign in rows if campaign not in deleted]
    lines = re.findall(r"skipped campaign_id (\S+),", caplog.text)
    assert sorted(lines) == sorted(deleted)
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_an_endpoint_that_does_not_exist(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A 404 that is about the endpoint, not about the parent, fails the stream."""
    caplog.set_level("INFO")
    body = {
        "statusCode": 404,
        "error": "Not Found",
        "message": "Route GET:/x not found",
    }
    content = json.dumps(body).encode()
    sandbox.fail("/sending-status", 404, body=content)
    sandbox.fail("/campaigns/analytics/overview", 404, body=b"<html>Not Found</html>")
    streams = ("campaign_sending_status", "campaign_analytics_overview")
    output = sync(sandbox, catalog=catalog_of(*streams))
    assert not output.of("RECORD")
    for stream in streams:
        assert re.search(rf"{stream}: HTTP 404 from .*no such endpoint", caplog.text)
    assert "skipped" not in caplog.text


def test_parents_that_may_not_be_listed(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Each substream fails with that reason, and they are requested only once."""
    sandbox.fail(f"{PREFIX}/campaigns", 403)
    chosen = ("campaigns", "campaign_sending_status", "campaign_analytics_overview")
    output = sync(sandbox, catalog=catalog_of(*chosen, "workspace"))
    for stream in chosen:
        pattern = rf"{stream}: HTTP 403 from /campaigns: .*`campaigns:read`"
        assert re.search(pattern, caplog.text)
    assert listings(sandbox, "/campaigns") == 1
    assert {m["stream"] for m in output.of("RECORD")} == {"workspace"}


@pytest.mark.parametrize("status", [500, 503])
def test_a_fault_that_passes(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The request is tried again, and its record keeps its place in the order."""
    monkeypatch.setattr(retry, "MAX_TOTAL_WAIT", 300.0)
    monkeypatch.setattr(retry, "delay", lambda _: 0.0)
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    sandbox.fail(f"/{rows[4]}/sending-status", status, times=3)
    stream = "campaign_sending_status"
    output = sync(sandbox, catalog=catalog_of(stream))
    assert [record["campaign_id"] for record in output.records(stream)] == rows
    attempts = [path for path in paths(sandbox) if rows[4] in path]
    assert len(attempts) == 4


def test_a_fault_that_stays(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The stream fails, and the next stream is read all the same."""
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    sandbox.fail(f"/{rows[4]}/sending-status", 500)
    chosen = ("campaign_sending_status", "workspace")
    output = sync(sandbox, catalog=catalog_of(*chosen))
    found = [record["campaign_id"] for record in output.records(chosen[0])]
    assert found == rows[:4]
    assert f"{chosen[0]}: HTTP 500 from /campaigns/" in caplog.text
    assert output.records("workspace")


def test_a_group_with_a_deleted_mailbox(sandbox: Sandbox) -> None:
    """The others of its group are read."""
    stream = "warmup_analytics"
    usual = sync(sandbox, catalog=catalog_of(stream))
    deleted = sandbox.tables["accounts"].rows[7]["email"]
    sandbox.requests.clear()

    def refuse(request: ReceivedRequest) -> None:
        sandbox.heal()
        if request.body and deleted in request.body["emails"]:
            sandbox.fail(request.path, 404)

    sandbox.on_request = refuse
    output = sync(sandbox, catalog=catalog_of(stream))
    expected = [r for r in usual.records(stream) if r["email"] != deleted]
    assert output.records(stream) == expected
    requests = [request for request in sandbox.requests if request.body]
    assert len(requests) < 2 * 6


# Addresses


@pytest.mark.parametrize(
    "email",
    [
        "mara+eu@example.com",
        "o'neill@example.com",
        "100%.sure&more=1@example.com",
        "what?#here@example.com",
        "in/out@example.com",
        "{email}@example.com",
        "björn@bücher.example.com",
        "a b;c,d@example.com",
        "..@example.com",
    ],
)
def test_addresses_in_paths(sandbox: Sandbox, email: str) -> None:
    """They reach the server unchanged, whatever characters they hold."""
    accounts = sandbox.tables["accounts"]
    added = accounts.add(email=email)
    campaigns = sandbox.tables["campaigns"]
    campaigns.edit(campaigns.rows[0]["id"], email_list=[email])
    streams = ("account_campaign_mappings", "account_details")
    output = sync(sandbox, catalog=catalog_of(*streams))
    details = {record["email"]: record for record in output.records(streams[1])}
    assert details.keys() == {row["email"] for row in accounts.rows}
    assert details[email]["timestamp_created"] == added["timestamp_created"]
    assert email in {record["email"] for record in output.records(streams[0])}
    assert {request.status for request in sandbox.requests} == {200}


@pytest.mark.parametrize("stream", ["warmup_analytics", "account_analytics_daily"])
def test_addresses_in_groups(sandbox: Sandbox, stream: str) -> None:
    """The same holds for addresses in a body or a query."""
    email = "mara+eu&x=1@example.com"
    sandbox.tables["accounts"].add(email=email)
    sync(sandbox, catalog=catalog_of(stream))
    requested = [
        r.body["emails"] if r.body else r.queries.get("emails", [])
        for r in sandbox.requests
    ]
    assert any(email in emails for emails in requested)
