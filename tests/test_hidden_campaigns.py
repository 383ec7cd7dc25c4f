"""Campaigns of AI sales agents, which the list of campaigns may hide."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import catalog_of, ids, read, requests_to, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.http.requests import Request

pytestmark = pytest.mark.usefixtures("no_waits")

SALES = {2, 4, 7, 8, 9, 10}
CHILDREN = ("campaign_sending_status", "campaign_analytics_daily")
BODY = json.dumps(
    {"statusCode": 403, "error": "Forbidden", "message": "Not on this plan"}
).encode()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with 12 campaigns, of which agents have made 6."""
    with Sandbox(
        labels=0, lists=1, campaigns=12, leads=20, emails=200, strict=True
    ) as sandbox:
        owners = agents_of(sandbox)
        for number, row in enumerate(sandbox.tables["campaigns"].rows[::2]):
            sandbox.tables["campaigns"].edit(row["id"], ai_sdr_id=owners[number % 2])
        yield sandbox


def agents_of(sandbox: Sandbox) -> list[str]:
    """Return the ids of the sales agents."""
    return [r["id"] for r in sandbox.tables["ai_agents"].rows if r["type"] in SALES]


def hidden(sandbox: Sandbox) -> set[str]:
    """Return the ids of the campaigns that agents have made."""
    rows = sandbox.tables["campaigns"].rows
    return {row["id"] for row in rows if row.get("ai_sdr_id")}


def lists_of_campaigns(sandbox: Sandbox) -> list[Request]:
    """Return the first requests for the lists of campaigns."""
    requests = requests_to(sandbox, "/campaigns")
    return [request for request in requests if "starting_after" not in request.query]


@pytest.mark.parametrize("is_listed", [False, True])
@pytest.mark.parametrize("size", [None, 1])
def test_each_campaign_comes_once(
    sandbox: Sandbox, size: int | None, *, is_listed: bool
) -> None:
    """Whether or not the plain list has it, and however long the pages are."""
    sandbox.lists_agents_campaigns = is_listed
    sandbox.short_pages = size
    for settings in ({}, {"stream_maps": {"campaigns": {"name": "name"}}}):
        sandbox.requests.clear()
        output = read(sandbox, "campaigns", None, None, **settings)
        found = output.ids("campaigns")
        assert len(found) == len(set(found)) == 12
        assert set(found) == ids(sandbox.tables["campaigns"].rows)
        assert output.ids("campaigns") == read(sandbox, "campaigns").ids("campaigns")


@pytest.mark.parametrize("is_listed", [False, True])
def test_substreams_of_hidden_campaigns(sandbox: Sandbox, *, is_listed: bool) -> None:
    """All that goes campaign by campaign reads them, each once and in one order."""
    sandbox.lists_agents_campaigns = is_listed
    first = sync(sandbox, catalog=catalog_of(*CHILDREN))
    assert len(lists_of_campaigns(sandbox)) == 1 + len(agents_of(sandbox))
    assert not first.records("campaigns")
    found = [row["campaign_id"] for row in first.records(CHILDREN[0])]
    assert len(found) == len(set(found)) == 12
    assert hidden(sandbox) & {row["campaign_id"] for row in first.records(CHILDREN[1])}
    again = sync(sandbox, catalog=catalog_of("campaigns", *CHILDREN))
    for stream in CHILDREN:
        assert again.records(stream) == first.records(stream)


def test_leads_of_hidden_campaigns(sandbox: Sandbox) -> None:
    """They are read, too."""
    records = read(sandbox, "leads").records("leads")
    assert ids(records) == ids(sandbox.tables["leads"].rows)
    assert hidden(sandbox) & {record.get("campaign") for record in records}


def test_requests_of_an_idle_run(sandbox: Sandbox) -> None:
    """A list of agents and a list for each of them are requested beside the others."""
    first = read(sandbox, "campaigns")
    sandbox.requests.clear()
    second = read(sandbox, "campaigns", first.state)
    assert len(second.records("campaigns")) == 1
    assert second.state == first.state
    paths = [request.path.removeprefix("/api/v2") for request in sandbox.requests]
    assert set(paths) == {"/campaigns", "/ai-agents"}
    assert len(lists_of_campaigns(sandbox)) == 1 + len(agents_of(sandbox))
    # A page that has rows is followed by an empty one: of two agents, and both lists.
    assert len(paths) == len(agents_of(sandbox)) + 2 + 4


@pytest.mark.parametrize("status", [402, 403])
def test_agents_that_may_not_be_listed(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """One line says so, and all other campaigns and their substreams are read."""
    caplog.set_level("INFO")
    sandbox.fail("/ai-agents", status, body=BODY)
    chosen = ("campaigns", *CHILDREN)
    output = sync(
        sandbox,
        catalog=catalog_of(*chosen, method="FULL_TABLE"),
        emit_activate_version_messages=True,
    )
    expected = ids(sandbox.tables["campaigns"].rows) - hidden(sandbox)
    assert set(output.ids("campaigns")) == expected
    assert len(output.records(CHILDREN[0])) == len(expected)
    lines = [r for r in caplog.records if "without those of" in r.getMessage()]
    assert [line.levelname for line in lines] == ["INFO"]
    assert "ERROR" not in {record.levelname for record in caplog.records}
    assert not output.of("ACTIVATE_VERSION")
    assert len(requests_to(sandbox, "/ai-agents")) == 1
    assert output.tap is not None
    for stream in chosen:
        assert "left out" in str(output.tap.stats[stream])
        assert not output.tap.stats[stream].failure


def test_an_agent_whose_campaigns_may_not_be_listed(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The others' are."""
    caplog.set_level("INFO")
    refused = agents_of(sandbox)[0]

    def refuse(request: Request) -> None:
        sandbox.heal()
        if request.query.get("ai_sales_agent_id") == refused:
            sandbox.fail("/campaigns", 403, body=BODY)

    sandbox.on_request = refuse
    output = read(
        sandbox, "campaigns", None, "FULL_TABLE", emit_activate_version_messages=True
    )
    assert len(output.ids("campaigns")) == 9
    assert not output.of("ACTIVATE_VERSION")


def test_agents_that_cannot_be_listed_for_a_fault(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """That is a failure, because nobody knows what is missing."""
    sandbox.fail("/ai-agents", 500)
    output = sync(sandbox, catalog=catalog_of("campaigns", CHILDREN[0]))
    assert re.search(r"campaigns: HTTP 500 from /ai-agents", caplog.text)
    assert re.search(rf"{CHILDREN[0]}: HTTP 500 from /ai-agents", caplog.text)
    assert not output.records(CHILDREN[0])


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_full_refresh_after_a_skipped_parent(
    sandbox: Sandbox, *, is_deleted: bool
) -> None:
    """Deletes nothing if a parent was skipped, and says why at the end."""
    campaign = sandbox.tables["campaigns"].rows[3]["id"]
    if is_deleted:
        sandbox.fail(f"/{campaign}/sending-status", 404)
    stream = CHILDREN[0]
    output = read(
        sandbox, stream, None, "FULL_TABLE", emit_activate_version_messages=True
    )
    assert bool(output.of("ACTIVATE_VERSION")) is not is_deleted
    assert output.tap is not None
    summary = str(output.tap.stats[stream])
    assert ("left out: campaign_id not found (HTTP 404)" in summary) is is_deleted


def test_a_refresh_of_many_pages(sandbox: Sandbox) -> None:
    """The plain list and those of the agents are read side by side."""
    table = sandbox.tables["campaigns"]
    owners = agents_of(sandbox)
    for number in range(500):
        added = table.add()
        if number % 3:
            table.edit(added["id"], ai_sdr_id=owners[number % len(owners)])
    for is_listed in (False, True):
        sandbox.lists_agents_campaigns = is_listed
        first = sync(sandbox, catalog=catalog_of("campaigns", "leads"))
        assert sorted(first.ids("campaigns")) == sorted(ids(table.rows))
        assert read(sandbox, "campaigns").ids("campaigns") == first.ids("campaigns")
