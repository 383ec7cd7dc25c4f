"""Streams whose response is a single row, or none."""

from __future__ import annotations

import typing as t

import pytest

from tests.conftest import catalog_of, read, requests_to, sync

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("no_waits")


def test_a_workspace_without_a_domain_of_its_own(
    workspace: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no row, and the stream does not fail."""
    stream = "workspace_whitelabel_domain"
    for record in read(workspace, stream).records(stream):
        workspace.tables[stream].delete(record["name"])
    output = read(workspace, stream)
    assert requests_to(workspace, "/whitelabel-domain")[-1].status == 404
    assert not output.records(stream)
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_a_workspace_without_a_deliverability_agent(
    workspace: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The response holds null, and no request for its feed follows."""
    streams = ("ai_deliverability_agent", "ai_deliverability_feed_items")
    for record in read(workspace, streams[0]).records(streams[0]):
        workspace.tables["ai_agents"].delete(record["id"])
    workspace.requests.clear()
    output = sync(workspace, catalog=catalog_of(*streams))
    assert not output.of("RECORD")
    assert [r.path for r in workspace.requests] == ["/api/v2/ai-agents/deliverability"]
    assert "ERROR" not in {record.levelname for record in caplog.records}


@pytest.mark.parametrize("stream", ["workspace", "workspace_billing_plan_details"])
def test_a_single_object(workspace: Sandbox, stream: str) -> None:
    """It takes one request, and every run writes it."""
    first = read(workspace, stream)
    second = read(workspace, stream, first.state)
    assert len(first.records(stream)) == 1
    assert first.records(stream) == second.records(stream)
    assert len(workspace.requests) == 2


@pytest.mark.parametrize(
    ("stream", "of"),
    [
        ("campaign_analytics_steps", "campaign_id"),
        ("subsequence_analytics_steps", "subsequence_id"),
    ],
)
def test_a_step_that_is_unknown(workspace: Sandbox, stream: str, of: str) -> None:
    """Null is written as `unknown`, because it is part of the key."""
    emails = workspace.tables["emails"]
    mail = next(row for row in emails.rows if row.get(of) and row.get("step"))
    emails.edit(mail["id"], step=None)
    records = read(workspace, stream).records(stream)
    steps = {(record[of], record["step"], record["variant"]) for record in records}
    assert (mail[of], "unknown", "unknown") in steps
    assert len(steps) == len(records)
    assert all(isinstance(value, str) for step in steps for value in step)
