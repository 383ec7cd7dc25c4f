"""The switches act on every list that is paged with a cursor, not on some alone."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, get_args

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store.switches import Cursor, End, Order
from tests.sandbox.requesting import read_timestamp
from tests.sandbox.served import request_for, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.requesting import Row

DATED_BY = {
    "account_campaign_mappings": "timestamp_created",
    "accounts": "timestamp_created",
    "ai_agents": "timestamp_created",
    "ai_deliverability_feed_items": "timestamp_created",
    "ai_inbox_manager_activity": "timestamp_created",
    "ai_inbox_manager_guidances": "timestamp_created",
    "ai_inbox_manager_replies": "timestamp_created",
    "ai_lead_finder_activities": "timestamp_created",
    "ai_lead_finder_agents": "timestamp_created",
    "ai_sales_agent_activities": "timestamp_created",
    "ai_sales_agent_lead_activity": None,
    "api_keys": "timestamp_created",
    "audit_logs": "timestamp",
    "background_jobs": "created_at",
    "block_list_entries": "timestamp_created",
    "campaigns": "timestamp_created",
    "custom_tag_mappings": "timestamp_created",
    "custom_tags": "timestamp_created",
    "dfy_email_account_order_accounts": "timestamp_created",
    "dfy_email_account_orders": "timestamp_created",
    "emails": "timestamp_created",
    "inbox_placement_analytics": "timestamp_created",
    "inbox_placement_reports": "timestamp_created",
    "inbox_placement_tests": "timestamp_created",
    "lead_labels": "timestamp_created",
    "lead_lists": "timestamp_created",
    "leads": "timestamp_created",
    "subsequences": "timestamp_created",
    "webhook_events": "timestamp_created",
    "webhooks": "timestamp_created",
    "workspace_group_members": "timestamp_created",
    "workspace_members": "timestamp_created",
}
"""The streams that are paged with a cursor, and the field with the time of creation."""
DATED = [stream for stream, dated_by in DATED_BY.items() if dated_by]
ENDS: dict[End, object] = {"null": None, "empty": ""}


@contextmanager
def switched(sandbox: Sandbox, **switches: Any) -> Iterator[None]:
    """Switch something on for a while."""
    for name, value in switches.items():
        setattr(sandbox, name, value)
    try:
        yield
    finally:
        for name in switches:
            setattr(sandbox, name, None)


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """A sandbox whose switches the tests put back."""
    with Sandbox(labels=20, lists=20, accounts=14, leads=60, emails=90) as running:
        yield running


@cache
def known_request_for(sandbox: Sandbox, stream: str) -> tuple[str, str, Row]:
    """Return what `request_for` returns, and remember it."""
    return request_for(sandbox, stream)


def paged(sandbox: Sandbox, stream: str, limit: int) -> list[Row]:
    """Return the bodies of all pages of a stream until no cursor leads on."""
    method, path, fields = known_request_for(sandbox, stream)
    bodies: list[Row] = []
    while len(bodies) < 500:
        answer = send(sandbox, method, path, limit=limit, **fields)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        bodies.append(body)
        if not body["items"] or not body.get("next_starting_after"):
            return bodies
        fields = {**fields, "starting_after": body["next_starting_after"]}
    pytest.fail("The list does not end.")


def items(bodies: list[Row]) -> list[Row]:
    """Return the rows of pages."""
    return [row for body in bodies for row in body["items"]]


def identity(row: Row) -> str:
    """Return what tells a row apart from the others of its list."""
    return str(
        row.get("id")
        or row.get("email")
        or (row.get("campaign_id"), row.get("domain"), row.get("timestamp_created"))
    )


def identities(rows: list[Row]) -> list[str]:
    """Return what tells rows apart."""
    return [identity(row) for row in rows]


def times(stream: str, rows: list[Row]) -> list[Any]:
    """Return the times of creation of rows."""
    return [read_timestamp(row[DATED_BY[stream] or ""]) for row in rows]


class TestEveryList:
    @pytest.mark.parametrize("stream", DATED)
    def test_order(self, world: Sandbox, stream: str) -> None:
        usual = items(paged(world, stream, 100))
        found = {}
        for order in get_args(Order):
            with switched(world, order=order):
                found[order] = items(paged(world, stream, 7))
            assert sorted(identities(found[order])) == sorted(identities(usual))
        assert times(stream, found["oldest"]) == sorted(times(stream, usual))
        assert found["newest"] == found["oldest"][::-1]
        if len({*times(stream, usual)}) > 3:
            assert found["mixed"] not in (found["newest"], found["oldest"])

    @pytest.mark.parametrize("stream", DATED)
    def test_cursor_by_time(self, world: Sandbox, stream: str) -> None:
        with switched(world, cursor="timestamp"):
            first = paged(world, stream, 1)[0]
        last = times(stream, first["items"])[-1]
        assert read_timestamp(first["next_starting_after"]) == last

    @pytest.mark.parametrize("order", get_args(Order))
    @pytest.mark.parametrize("stream", DATED_BY)
    def test_cursor_by_id(self, world: Sandbox, stream: str, order: Order) -> None:
        usual = items(paged(world, stream, 100))
        with switched(world, cursor="id", order=order, end="present"):
            bodies = paged(world, stream, 4)
        assert sorted(identities(items(bodies))) == sorted(identities(usual))
        key = next(
            (name for name in ("id", "email", "campaign_id") if name in usual[0]),
            "timestamp_created",
        )
        assert bodies[0]["next_starting_after"] == bodies[0]["items"][-1][key]

    @pytest.mark.parametrize("cursor", [None, *get_args(Cursor)])
    @pytest.mark.parametrize("stream", DATED_BY)
    def test_inclusive(
        self, world: Sandbox, stream: str, cursor: Cursor | None
    ) -> None:
        method, path, fields = known_request_for(world, stream)
        with switched(world, comparison="inclusive", cursor=cursor):
            first = send(world, method, path, limit=1, **fields).json()
            after = {**fields, "starting_after": first["next_starting_after"]}
            second = send(world, method, path, limit=100, **after).json()
        assert identity(first["items"][0]) in identities(second["items"])

    @pytest.mark.parametrize("end", get_args(End))
    @pytest.mark.parametrize("stream", DATED_BY)
    def test_end(self, world: Sandbox, stream: str, end: End) -> None:
        method, path, fields = known_request_for(world, stream)
        with switched(world, end=end):
            body = send(world, method, path, limit=100, **fields).json()
            while end != "present" and body.get("next_starting_after"):
                fields = {**fields, "starting_after": body["next_starting_after"]}
                body = send(world, method, path, limit=100, **fields).json()
        assert body["items"]
        if end in ENDS:
            assert body["next_starting_after"] == ENDS[end]
        else:
            assert bool(body.get("next_starting_after")) == (end == "present")

    @pytest.mark.parametrize("stream", DATED_BY)
    def test_short_pages(self, world: Sandbox, stream: str) -> None:
        usual = items(paged(world, stream, 20))
        with switched(world, short_pages=5):
            bodies = paged(world, stream, 20)
        assert items(bodies) == usual
        sizes = [len(body["items"]) for body in bodies if body["items"]]
        assert len(usual) < 4 or len(sizes) > len(usual) / 20
        assert len(usual) < 40 or len({*sizes}) > 2

    @pytest.mark.parametrize("stream", DATED_BY)
    def test_symbols(self, world: Sandbox, stream: str) -> None:
        usual = items(paged(world, stream, 20))
        with switched(world, encoding="symbols", end="present"):
            bodies = paged(world, stream, 3)
        assert items(bodies) == usual
        assert bodies[0]["next_starting_after"].endswith("&a+b=c/d e")

    @pytest.mark.parametrize("stream", DATED)
    def test_offset(self, world: Sandbox, stream: str) -> None:
        with switched(world, encoding="offset", cursor="timestamp"):
            first = paged(world, stream, 1)[0]
        assert first["next_starting_after"].endswith("+00:00")

    @pytest.mark.parametrize("stream", DATED)
    def test_timestamps(self, world: Sandbox, stream: str) -> None:
        usual = items(paged(world, stream, 100))
        with switched(world, timestamps="mixed"):
            rows = items(paged(world, stream, 100))
        assert times(stream, rows) == times(stream, usual)
        field = DATED_BY[stream] or ""
        written = {re.sub(r"\d", "0", row[field]) for row in rows}
        assert len(written) >= min(2, len(rows))
        for row in (*rows, *usual):
            del row[field]
        assert rows == usual

    @pytest.mark.parametrize("stream", DATED)
    def test_ties(self, tied: Sandbox, stream: str) -> None:
        with switched(tied, order="newest"):
            rows = items(paged(tied, stream, 100))
        table = tied.tables.get(stream)
        crowds = [len([*crowd]) for _, crowd in groupby(times(stream, rows))]
        if table and len(table) == len(rows):
            assert all(size % 3 == 0 for size in crowds[:-1])
        assert max(crowds) >= min(2, len(rows))

    def test_ties_are_lost_where_a_strict_cursor_names_a_time(
        self, tied: Sandbox
    ) -> None:
        for stream in ("campaigns", "leads", "webhook_events"):
            whole = items(paged(tied, stream, 100))
            with switched(tied, cursor="timestamp"):
                assert len(items(paged(tied, stream, 4))) < len(whole)
            with switched(tied, cursor="timestamp", comparison="inclusive", end="null"):
                rows = items(paged(tied, stream, 4))
            assert {*identities(rows)} == {*identities(whole)}

    def test_one_list_alone(self, own: Sandbox) -> None:
        own.tables["leads"].behaviour.end = "absent"
        own.tables["leads"].behaviour.order = "mixed"
        for stream, last in (("leads", None), ("emails", "present")):
            method, path, _ = known_request_for(own, stream)
            body = send(own, method, path, limit=100).json()
            assert bool(body.get("next_starting_after")) == bool(last)
        leads = items(paged(own, "leads", 7))
        assert identities(leads) != sorted(identities(leads))

    @pytest.mark.parametrize("order", get_args(Order))
    def test_rows_change_in_every_order(self, own: Sandbox, order: Order) -> None:
        for stream in ("campaigns", "leads", "accounts", "webhook_events"):
            table = own.tables[stream]
            with switched(own, order=order):
                before = items(paged(own, stream, 20))
                added = table.add_many(3, created="2026-10-01T00:00:00Z")
                for row in added:
                    assert row in items(paged(own, stream, 20))
                for row in added:
                    table.delete(identity(row))
                assert items(paged(own, stream, 20)) == before

    def test_reset(self, own: Sandbox) -> None:
        for name in ("lead_labels", "campaigns", "leads"):
            table = own.tables[name]
            before = table.rows
            table.add()
            table.edit(before[0]["id"], extra=1)
            table.delete(before[1]["id"])
            table.reset()
            assert table.rows == before


@pytest.fixture(scope="module")
def tied() -> Iterator[Sandbox]:
    """A sandbox whose rows share their times by threes."""
    with Sandbox(
        ties=3, labels=20, lists=20, accounts=14, leads=60, emails=90
    ) as running:
        yield running


@pytest.fixture
def own() -> Iterator[Sandbox]:
    """A sandbox of a test's own, to change."""
    with Sandbox(labels=5, lists=5, leads=30, emails=30) as running:
        yield running
