"""Unusual responses, for which no row may be lost and no secret shown."""

from __future__ import annotations

import json
import typing as t

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import catalog_of, read, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Json

pytestmark = pytest.mark.usefixtures("no_waits")

CANARY = "made-up-canary"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a small workspace with campaigns and mailboxes."""
    with Sandbox(
        labels=0, lists=1, campaigns=3, accounts=3, emails=250, strict=True
    ) as sandbox:
        yield sandbox


def respond(
    sandbox: Sandbox, path: str, content: object, *, times: int | None = None
) -> None:
    """Let an endpoint respond with this content."""
    sandbox.fail(path, 200, times=times, body=json.dumps(content).encode())


def test_no_bookmark_precedes_its_batch(sandbox: Sandbox, tmp_path: Path) -> None:
    """E-mails are bookmarked page by page, except with BATCH files."""
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
    }
    output = read(sandbox, "emails", batch_config=batch)
    kinds = [message["type"] for message in output.messages]
    bookmarks = [
        message["value"].get("bookmarks", {}).get("emails", {})
        for message in output.messages[: kinds.index("BATCH")]
        if message["type"] == "STATE"
    ]
    assert not any("replication_key_value" in bookmark for bookmark in bookmarks)
    assert output.bookmark("emails")


@pytest.mark.parametrize("stream", ["account_analytics_daily", "warmup_analytics"])
def test_figures_from_before_a_mailbox(sandbox: Sandbox, stream: str) -> None:
    """A mailbox that is connected again has figures from before its creation.

    Its warm-up, which began before, tells.
    """
    usual = read(sandbox, stream).records(stream)
    for row in sandbox.tables["accounts"].rows:
        late = "2026-10-29T16:00:00.000Z"
        sandbox.tables["accounts"].edit(row["email"], timestamp_created=late)
    assert read(sandbox, stream).records(stream) == usual
    assert len(usual) > 3


def test_equal_entries(sandbox: Sandbox) -> None:
    """Entries of a history may be equal; each is written, in order."""
    entries = [{"s": "x"}] * 150 + [{"s": "y"}, {"s": "x"}]
    [resource] = sandbox.lists.rows
    path = f"/history/{resource['id']}"
    respond(sandbox, path, entries[:100], times=1)
    respond(sandbox, path, entries[100:], times=1)
    respond(sandbox, path, [])
    stream = "supersearch_enrichment_history"
    records = read(sandbox, stream).records(stream)
    rows = [row for row in records if row["resource_id"] == resource["id"]]
    assert [row["entry"] for row in rows] == entries
    assert [row["position"] for row in rows] == list(range(152))


def test_a_history_that_does_not_end(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """If the server ignores the offset, the stream fails instead of looping."""
    [resource] = sandbox.lists.rows
    respond(sandbox, f"/history/{resource['id']}", [{"s": "x"}] * 100)
    read(sandbox, "supersearch_enrichment_history")
    assert "the list does not end" in caplog.text


@pytest.mark.parametrize("stream", ["accounts", "account_details"])
def test_passwords_of_mailboxes(
    sandbox: Sandbox, stream: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They are not written even if a catalog selects them."""
    names = ("imap_password", "smtp_password")
    row = sandbox.tables["accounts"].rows[0]
    respond(sandbox, f"/accounts/{row['email']}", row | dict.fromkeys(names, CANARY))
    sandbox.tables["accounts"].edit(row["email"], **dict.fromkeys(names, CANARY))
    catalog = catalog_of(stream)
    [entry] = catalog["streams"]
    for name in names:
        entry["schema"]["properties"][name] = {"type": ["string", "null"]}
        chosen = {"breadcrumb": ["properties", name], "metadata": {"selected": True}}
        entry["metadata"].append(chosen)
    output = sync(sandbox, catalog=catalog)
    assert len(output.records(stream)) == 3
    assert CANARY not in output.stdout + caplog.text


def test_a_list_that_breaks_off(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A 404 after the first page is an error, not a deleted parent."""
    stream = "ai_deliverability_feed_items"
    sandbox.fail("/feed-items", 404, after=1)
    output = read(sandbox, stream)
    assert output.bookmark(stream) is None
    assert "HTTP 404 from /ai-agents/deliverability/{agent_id}/feed-items" in (
        caplog.text
    )


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ({"email_date_data": {"a@example.com": None}, "aggregate_data": None}, 0),
        (
            {
                "email_date_data": {
                    "a@example.com": {"2026-10-01": {"sent": 4}, "2026-10-02": None},
                    "b@example.com": None,
                },
                "aggregate_data": {"a@example.com": None},
            },
            2,
        ),
        ({"email_date_data": {"a@example.com": {"2026-10-01": {"sent": 4}}}}, 1),
    ],
)
def test_gaps_in_the_warm_up(sandbox: Sandbox, content: Json, rows: int) -> None:
    """A mailbox without figures does not affect the others."""
    respond(sandbox, "/warmup-analytics", content)
    output = read(sandbox, "warmup_analytics")
    assert len(output.records("warmup_analytics")) == rows


@pytest.mark.parametrize("content", [{}, {"email_date_data": [], "aggregate_data": {}}])
def test_no_warm_up(
    sandbox: Sandbox, content: Json, caplog: pytest.LogCaptureFixture
) -> None:
    """A malformed response is not taken for one without figures."""
    respond(sandbox, "/warmup-analytics", content)
    read(sandbox, "warmup_analytics")
    assert "has no map `email_date_data`" in caplog.text


def test_a_type_as_text(sandbox: Sandbox) -> None:
    """The agent's substreams are read all the same."""
    usual = read(sandbox, "ai_sales_agents").ids("ai_sales_agents")
    rows = sandbox.tables["ai_agents"].rows
    respond(
        sandbox, "/ai-agents", {"items": [r | {"type": str(r["type"])} for r in rows]}
    )
    again = read(sandbox, "ai_sales_agents").ids("ai_sales_agents")
    assert sorted(again) == sorted(usual)
    assert usual


def test_a_parent_whose_schema_the_catalog_cuts(sandbox: Sandbox) -> None:
    """A parent that is not selected is listed by the tap's own schema."""
    catalog = catalog_of("campaigns", "campaign_sending_status")
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "campaigns":
            entry["schema"]["properties"] = {"name": {"type": ["string", "null"]}}
            entry["metadata"] = [{"breadcrumb": [], "metadata": {"selected": False}}]
    output = sync(sandbox, catalog=catalog)
    assert len(output.records("campaign_sending_status")) == 3


@pytest.mark.parametrize("identity", [".", "..", "..."])
def test_ids_that_would_change_the_path(sandbox: Sandbox, identity: str) -> None:
    """An id of dots would lead to another endpoint, so it is skipped."""
    sandbox.tables["campaigns"].add(id=identity)
    output = read(sandbox, "campaign_sending_status")
    assert len(output.records("campaign_sending_status")) == 3
    assert sum("sending-status" in request.path for request in sandbox.requests) == 3
