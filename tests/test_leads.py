"""Leads, which are read by the campaign and the list that they are in."""

from __future__ import annotations

import threading
import typing as t
from datetime import datetime, timezone

import pytest

from tests.conftest import intercept, read, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_instantly.api.pages import Page, Request
    from tap_instantly.sandbox import Sandbox


pytestmark = pytest.mark.usefixtures("no_waits")


def test_leads_are_read_by_campaign_and_list(workspace: Sandbox) -> None:
    """Each lead arrives once, and all parameters are in the body."""
    output = read(workspace, "leads")
    rows = {row["id"]: row for row in workspace.tables["leads"].rows}
    assert sorted(output.ids("leads")) == sorted(rows)
    assert {record["id"]: record for record in output.records("leads")} == rows
    requests = requests_to(workspace, "/leads/list")
    assert {(request.method, *request.query) for request in requests} == {("POST",)}
    assert {request.body["limit"] for request in requests} == {100}
    firsts = [r.body for r in requests if "starting_after" not in r.body]
    containers = [{"campaign": row["id"]} for row in workspace.tables["campaigns"].rows]
    containers += [{"list_id": row["id"]} for row in workspace.lists.rows]
    containers += [{"in_campaign": False, "in_list": False}]
    expected = [container | {"limit": 100} for container in containers]
    assert sorted(map(str, map(sorted, map(dict.items, firsts)))) == sorted(
        map(str, map(sorted, map(dict.items, expected)))
    )


def test_a_lead_in_two_containers_arrives_once(workspace: Sandbox) -> None:
    """It arrives with its list if it has one, else with its campaign."""
    campaign = workspace.tables["campaigns"].rows[0]["id"]
    (some_list, *_) = workspace.lists.rows
    leads = workspace.tables["leads"]
    both = leads.add(campaign=campaign, list_id=some_list["id"])
    neither = leads.add(campaign=..., list_id=...)
    orphan = leads.add(campaign="of a deleted campaign", list_id=some_list["id"])
    found = read(workspace, "leads").ids("leads")
    assert sorted(found) == sorted(row["id"] for row in leads.rows)
    for row in both, neither, orphan:
        assert found.count(row["id"]) == 1


def test_a_lead_that_joins_a_campaign_during_the_run(
    workspace: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrives with its list, even if the campaign has been read before."""
    leads = workspace.tables["leads"]
    (some_list, *_) = workspace.lists.rows
    campaign = workspace.tables["campaigns"].rows[0]["id"]
    lead = leads.add(campaign=..., list_id=some_list["id"])
    is_read = threading.Event()

    def handle(request: Request, fetch: Callable[[], Page]) -> Page:
        if request.params.get("list_id"):
            assert is_read.wait(60)
        page = fetch()
        if request.params.get("campaign") == campaign:
            assert len(page.rows) < 100  # the campaign has no second page
            leads.edit(lead["id"], campaign=campaign)
            is_read.set()
        return page

    intercept(monkeypatch, handle)
    found = read(workspace, "leads", max_concurrency=64).ids("leads")
    assert sorted(found) == sorted(row["id"] for row in leads.rows)


def test_a_lead_that_joins_a_list_during_the_run(workspace: Sandbox) -> None:
    """Its update is so recent that it arrives with its campaign as well."""
    leads = workspace.tables["leads"]
    (some_list, *_) = workspace.lists.rows
    campaign = workspace.tables["campaigns"].rows[0]["id"]
    now = datetime.now(timezone.utc).isoformat()
    both = {"campaign": campaign, "list_id": some_list["id"]}
    lead = leads.add(**both, timestamp_updated=now)
    assert read(workspace, "leads").ids("leads").count(lead["id"]) == 2


def test_no_leads_can_be_found(
    workspace: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """If every request is answered 404, the stream fails: there may be leads."""
    workspace.fail("/leads/list", 404, body=b'{"message":"Not Found"}')
    read(workspace, "leads", emit_activate_version_messages=True)
    assert "leads: HTTP 404 from /leads/list" in caplog.text


def test_leads_of_a_campaign_that_is_deleted_during_the_run(workspace: Sandbox) -> None:
    """A campaign that was deleted after it was listed has no leads."""
    workspace.fail("/leads/list", 404, body=b'{"message":"not found"}', times=1)
    output = read(workspace, "leads")
    assert output.exit_code == 0
    assert len(output.ids("leads")) < len(workspace.tables["leads"])


def test_a_lead_whose_campaign_is_not_a_string(
    workspace: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream stops, as at any schema mismatch, and names the lead."""
    rows = workspace.tables["leads"].rows
    odd = next(row["id"] for row in rows if row.get("list_id"))
    workspace.tables["leads"].edit(odd, campaign=[{"id": 1}])
    read(workspace, "leads")
    assert f"leads: record {odd}, field `campaign`: expected string" in caplog.text
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize("path", ["/campaigns", "/lead-lists"])
def test_leads_for_a_key_with_few_scopes(
    workspace: Sandbox, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """If it may not list campaigns or lists, leads are read as one list."""
    workspace.fail(path, 403, body=b'{"message":"Forbidden"}')
    output = read(workspace, "leads")
    ids = [row["id"] for row in workspace.tables["leads"].rows]
    assert output.ids("leads") == ids
    request = requests_to(workspace, "/leads/list")[0]
    assert not {"campaign", "list_id", "in_campaign"} & request.body.keys()
    assert "leads: read as one long list" in caplog.text
