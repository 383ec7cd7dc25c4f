"""Rows that a test adds, edits and deletes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, get_args

import pytest

from tap_instantly.sandbox.store.switches import Order

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
from tests.sandbox.requesting import ids, page, walk


class TestRows:
    def test_added_rows_are_the_newest(self, sandbox: Sandbox) -> None:
        before = sandbox.labels.rows
        added = sandbox.labels.add_many(5)
        assert walk(sandbox) == [*added[::-1], *before]
        assert len({row["timestamp_created"] for row in added}) == 5
        numbers = {row["interest_status"] for row in sandbox.labels.rows}
        assert len(numbers) == 255

    @pytest.mark.parametrize("order", get_args(Order))
    def test_rows_change_in_every_order(self, sandbox: Sandbox, order: Order) -> None:
        sandbox.order = order
        before = walk(sandbox)
        added = sandbox.labels.add_many(3, created="2026-10-01T00:00:00Z")
        assert sorted(ids(walk(sandbox))) == sorted(ids(before + added))
        for row in added:
            sandbox.labels.delete(row["id"])
        assert walk(sandbox) == before

    def test_added_at_one_instant(self, sandbox: Sandbox) -> None:
        added = sandbox.labels.add_many(99, created="2026-03-01T00:00:00.000Z")
        sandbox.lists.add(created=datetime(2026, 3, 1, tzinfo=timezone.utc))
        same = "2026-03-01T00:00:00.000Z"
        for listing in (sandbox.labels, sandbox.lists):
            times = [row["timestamp_created"] for row in listing.rows]
            assert same in times
            assert times == sorted(times, reverse=True)
        assert {row["timestamp_created"] for row in added} == {same}
        assert len(set(ids(added))) == 99

    def test_added_with_other_values(self, sandbox: Sandbox) -> None:
        row = sandbox.labels.add(use_with_ai="yes", label=..., extra=None)
        assert row["use_with_ai"] == "yes"
        assert "label" not in row
        assert page(sandbox, limit=1)["items"] == [row]
        assert row["extra"] is None

    def test_added_with_an_id(self, sandbox: Sandbox) -> None:
        chosen = "0190c3f4-1a2b-7c3d-8e4f-5a6b7c8d9e0f"
        sandbox.labels.add(id=chosen)
        sandbox.cursor = "id"
        assert page(sandbox, f"/lead-labels/{chosen}")["id"] == chosen
        assert page(sandbox, limit=1)["next_starting_after"] == chosen

    def test_edited(self, sandbox: Sandbox) -> None:
        before = page(sandbox)["items"]
        edited = sandbox.labels.edit(before[3]["id"], label="New name", use_with_ai=...)
        assert edited["label"] == "New name"
        assert "use_with_ai" not in edited
        assert page(sandbox)["items"] == [*before[:3], edited, *before[4:]]

    def test_no_such_row(self, sandbox: Sandbox) -> None:
        with pytest.raises(KeyError):
            sandbox.labels.edit("x", label="y")
        with pytest.raises(KeyError):
            sandbox.labels.delete("x")

    def test_rows_are_copies(self, sandbox: Sandbox) -> None:
        sandbox.labels.rows[0]["label"] = "spoiled"
        sandbox.labels.rows.clear()
        assert len(walk(sandbox)) == 250
        assert sandbox.labels.rows[0]["label"] != "spoiled"
