"""Answers that are odd, but no reason to lose a row or to show a secret."""

from __future__ import annotations

import json
import typing as t

import pytest

from tap_instantly.api import rate_limit, retry
from tap_instantly.sandbox import Sandbox
from tests.conftest import Json, Output, catalog_of, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "made-up-canary"


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keep e-mails at their distance nor try anything again."""
    monkeypatch.setattr(rate_limit, "ENDPOINT_LIMITS", {})
    monkeypatch.setattr(retry, "MAX_TOTAL_WAIT", 0.0)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a small workspace with its own campaigns and mailboxes."""
    with Sandbox(
        labels=0, lists=1, campaigns=3, accounts=3, emails=250, strict=True
    ) as sandbox:
        yield sandbox


def read(sandbox: Sandbox, *streams: str, **settings: t.Any) -> Output:
    """Read some streams."""
    return sync(sandbox, catalog=catalog_of(*streams), **settings)


def answer(
    sandbox: Sandbox, path: str, content: object, *, times: int | None = None
) -> None:
    """Let an endpoint answer something else."""
    sandbox.fail(path, 200, times=times, body=json.dumps(content).encode())


def test_no_bookmark_comes_before_its_batch(sandbox: Sandbox, tmp_path: Path) -> None:
    """E-mails are bookmarked page by page, but a batch is written at the end."""
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


@pytest.mark.parametrize(
    ("stream", "parents", "key"),
    [
        ("campaign_analytics_daily", "campaigns", "id"),
        ("account_analytics_daily", "accounts", "email"),
        ("warmup_analytics", "accounts", "email"),
    ],
)
def test_figures_from_before_a_parent(
    sandbox: Sandbox, stream: str, parents: str, key: str
) -> None:
    """A mailbox that was connected anew has figures of its former life."""
    usual = read(sandbox, stream).records(stream)
    for row in sandbox.tables[parents].rows:
        late = "2026-10-29T16:00:00.000Z"
        sandbox.tables[parents].edit(row[key], timestamp_created=late)
    assert read(sandbox, stream).records(stream) == usual
    assert len(usual) > 3


def test_entries_that_read_alike(sandbox: Sandbox) -> None:
    """Each entry of a history is one, whatever it says; the order is kept."""
    entries = [{"s": "x"}] * 150 + [{"s": "y"}, {"s": "x"}]
    [resource] = sandbox.lists.rows
    path = f"/history/{resource['id']}"
    answer(sandbox, path, entries[:100], times=1)
    answer(sandbox, path, entries[100:], times=1)
    answer(sandbox, path, [])
    rows = [
        row
        for row in read(sandbox, "supersearch_enrichment_history").records(
            "supersearch_enrichment_history"
        )
        if row["resource_id"] == resource["id"]
    ]
    assert [row["entry"] for row in rows] == entries
    assert [row["position"] for row in rows] == list(range(152))


def test_a_history_that_does_not_end(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that takes no notice of the offset is no endless list."""
    [resource] = sandbox.lists.rows
    answer(sandbox, f"/history/{resource['id']}", [{"s": "x"}] * 100)
    read(sandbox, "supersearch_enrichment_history")
    assert "the list does not end" in caplog.text


@pytest.mark.parametrize("stream", ["accounts", "account_details"])
def test_passwords_of_mailboxes(
    sandbox: Sandbox, stream: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even a catalog that asks for them is given any."""
    names = ("imap_password", "smtp_password")
    row = sandbox.tables["accounts"].rows[0]
    answer(sandbox, f"/accounts/{row['email']}", row | dict.fromkeys(names, CANARY))
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
    """A 404 in the middle is no thing that is gone: what follows must not be lost."""
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
    """A mailbox without figures keeps no other from its own."""
    answer(sandbox, "/warmup-analytics", content)
    output = read(sandbox, "warmup_analytics")
    assert len(output.records("warmup_analytics")) == rows


@pytest.mark.parametrize("content", [{}, {"email_date_data": [], "aggregate_data": {}}])
def test_no_warm_up(
    sandbox: Sandbox, content: Json, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that is none is not taken for one without figures."""
    answer(sandbox, "/warmup-analytics", content)
    read(sandbox, "warmup_analytics")
    assert "has no map `email_date_data`" in caplog.text


def test_a_type_that_is_text(sandbox: Sandbox) -> None:
    """An agent is asked about all the same."""
    usual = read(sandbox, "ai_sales_agents").ids("ai_sales_agents")
    rows = sandbox.tables["ai_agents"].rows
    answer(
        sandbox, "/ai-agents", {"items": [r | {"type": str(r["type"])} for r in rows]}
    )
    again = read(sandbox, "ai_sales_agents").ids("ai_sales_agents")
    assert sorted(again) == sorted(usual)
    assert usual


def test_a_parent_that_the_catalog_cuts_short(sandbox: Sandbox) -> None:
    """It is only listed, for which no more is needed than the tap itself knows."""
    catalog = catalog_of("campaigns", "campaign_sending_status")
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "campaigns":
            entry["schema"]["properties"] = {"name": {"type": ["string", "null"]}}
            entry["metadata"] = [{"breadcrumb": [], "metadata": {"selected": False}}]
    output = sync(sandbox, catalog=catalog)
    assert len(output.records("campaign_sending_status")) == 3


@pytest.mark.parametrize("identity", [".", "..", "..."])
def test_ids_that_would_lead_elsewhere(sandbox: Sandbox, identity: str) -> None:
    """A path of dots is another path."""
    sandbox.tables["campaigns"].add(id=identity)
    output = read(sandbox, "campaign_sending_status")
    assert len(output.records("campaign_sending_status")) == 3
    assert sum("sending-status" in request.path for request in sandbox.requests) == 3
