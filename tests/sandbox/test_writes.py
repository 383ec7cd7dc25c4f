"""Rows that clients create, edit and delete, and the switches for what is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_instantly.sandbox import Sandbox
from tests.sandbox.requesting import (
    LABEL_KEYS,
    LIST_KEYS,
    Row,
    get,
    ids,
    page,
    walk,
    write,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

HOT: Row = {"label": "Hot", "interest_status_label": "positive"}
NEW: dict[str, Row] = {
    "/lead-labels": HOT,
    "/lead-lists": {"name": "Autumn"},
    "/custom-tags": {"label": "Autumn"},
    "/block-lists-entries": {"bl_value": "autumn.example.com"},
}
TAG_KEYS = {
    "id",
    "timestamp_created",
    "timestamp_updated",
    "organization_id",
    "label",
}
ENTRY_KEYS = {"id", "timestamp_created", "organization_id", "bl_value", "is_domain"}
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def empty() -> Iterator[Sandbox]:
    """A sandbox that holds nothing that can be written."""
    with Sandbox(labels=0, lists=0, tags=0, blocked=0, emails=0, leads=0) as running:
        yield running


class TestCreate:
    @pytest.mark.parametrize(
        ("path", "keys"),
        [
            ("/lead-labels", LABEL_KEYS),
            ("/lead-lists", LIST_KEYS | {"owned_by"}),
            ("/custom-tags", TAG_KEYS),
            ("/block-lists-entries", ENTRY_KEYS),
        ],
    )
    def test_is_listed(self, empty: Sandbox, path: str, keys: set[str]) -> None:
        assert page(empty, path) == {"items": []}
        row = written(empty, "POST", path, NEW[path])
        assert row.keys() == keys
        assert row.items() >= NEW[path].items()
        assert page(empty, path)["items"] == [row]
        assert get(empty, f"{path}/{row['id']}").json() == row

    @pytest.mark.parametrize("path", NEW)
    def test_belongs_to_the_workspace(self, sandbox: Sandbox, path: str) -> None:
        before = walk(sandbox, path)
        row = written(sandbox, "POST", path, NEW[path])
        assert row["organization_id"] == before[0]["organization_id"]
        assert row["timestamp_created"] > max(r["timestamp_created"] for r in before)
        assert row["id"][14] == before[0]["id"][14]
        after = walk(sandbox, path)
        assert len(after) == len(before) + 1
        assert [other for other in after if other != row] == before

    def test_optional_fields(self, empty: Sandbox) -> None:
        fields = {**HOT, "description": None, "use_with_ai": False}
        row = written(empty, "POST", "/lead-labels", fields)
        assert row.keys() == LABEL_KEYS | {"use_with_ai"}
        owned = {"name": "x", "owned_by": NOBODY, "has_enrichment_task": True}
        assert written(empty, "POST", "/lead-lists", owned).items() >= owned.items()

    def test_numbers_of_labels_differ(self, sandbox: Sandbox) -> None:
        for _ in range(20):
            written(sandbox, "POST", "/lead-labels", HOT)
            written(sandbox, "DELETE", f"/lead-labels/{sandbox.labels.keys[-2]}")
        numbers = [row["interest_status"] for row in walk(sandbox, limit=100)]
        assert len({*numbers}) == len(numbers) == 250

    def test_two_workspaces(self, empty: Sandbox) -> None:
        with Sandbox(seed=2, labels=0) as other:
            ours = written(empty, "POST", "/lead-labels", HOT)
            assert page(other)["items"] == []
            theirs = written(other, "POST", "/lead-labels", HOT)
            for field in ("id", "organization_id", "created_by"):
                assert ours[field] != theirs[field]
            assert len(empty.ledger) == len(other.ledger) == 1


class TestPatch:
    @pytest.mark.parametrize(
        ("path", "fields"),
        [
            ("/lead-labels", {"description": "Warm", "use_with_ai": True}),
            ("/lead-labels", {"interest_status_label": "negative"}),
            ("/lead-lists", {"name": "Winter", "has_enrichment_task": False}),
            ("/custom-tags", {"description": "By hand"}),
            ("/block-lists-entries", {"bl_value": "a@winter.example.com"}),
        ],
    )
    def test_changes_what_is_sent(self, empty: Sandbox, path: str, fields: Row) -> None:
        row = written(empty, "POST", path, NEW[path])
        after = written(empty, "PATCH", f"{path}/{row['id']}", fields)
        touched = {name: after[name] for name in after.keys() & {"timestamp_updated"}}
        if "bl_value" in fields:
            touched["is_domain"] = False
        assert after == row | fields | touched
        assert after.get("timestamp_updated", "z") > row["timestamp_created"]
        assert page(empty, path)["items"] == [after]

    def test_null_takes_a_field_away(self, empty: Sandbox) -> None:
        row = written(empty, "POST", "/lead-labels", HOT | {"description": "Warm"})
        path = f"/lead-labels/{row.pop('id')}"
        del row["description"]
        after = written(empty, "PATCH", path, {"description": None})
        assert after.items() >= row.items()
        assert "description" not in after

    def test_nulls_in_answers(self, empty: Sandbox) -> None:
        empty.omits_nulls = False
        row = written(empty, "POST", "/lead-labels", HOT | {"description": None})
        assert (row["description"], row["use_with_ai"]) == (None, None)
        assert page(empty)["items"] == [row]
        empty.omits_nulls = True
        assert page(empty)["items"][0].keys() == LABEL_KEYS

    def test_of_nothing(self, empty: Sandbox) -> None:
        row = written(empty, "POST", "/lead-labels", HOT)
        path = f"/lead-labels/{row['id']}"
        refused = write(empty, "PATCH", path, {})
        assert refused.status_code == 400
        message = "body must NOT have fewer than 1 properties"
        assert refused.json()["message"] == message
        empty.empty_patches = True
        assert written(empty, "PATCH", path, {}) == row
        assert len(empty.ledger) == 1

    def test_the_number_of_a_label(self, sandbox: Sandbox) -> None:
        row = written(sandbox, "POST", "/lead-labels", HOT)
        path = f"/lead-labels/{row['id']}"
        negative = {"interest_status_label": "negative"}
        kept = written(sandbox, "PATCH", path, negative)
        assert kept["interest_status"] == row["interest_status"]
        sandbox.renumber_labels = True
        same = written(sandbox, "PATCH", path, negative | {"label": "Cold"})
        assert same["interest_status"] == row["interest_status"]
        moved = written(sandbox, "PATCH", path, {"interest_status_label": "neutral"})
        numbers = [other["interest_status"] for other in walk(sandbox, limit=100)]
        assert moved["interest_status"] != row["interest_status"]
        assert len({*numbers}) == len(numbers)


class TestDelete:
    @pytest.mark.parametrize("path", NEW)
    def test_takes_a_row_away(self, sandbox: Sandbox, path: str) -> None:
        first, *others = walk(sandbox, path)
        assert written(sandbox, "DELETE", f"{path}/{first['id']}") == first
        assert walk(sandbox, path) == others
        assert get(sandbox, f"{path}/{first['id']}").status_code == 404

    @pytest.mark.parametrize("path", NEW)
    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_a_row_that_is_not_there(
        self, sandbox: Sandbox, method: str, path: str
    ) -> None:
        body = NEW[path] if method == "PATCH" else ...
        response = write(sandbox, method, f"{path}/{NOBODY}", body)
        assert response.status_code == 404
        assert sandbox.ledger == []

    def test_reassigns_leads_and_emails(self) -> None:
        with Sandbox(labels=3) as sandbox:
            leads, emails = sandbox.tables["leads"], sandbox.tables["emails"]
            label = sandbox.labels.rows[0]
            leads.edit(leads.keys[0], lt_interest_status=label["interest_status"])
            emails.edit(emails.keys[0], i_status=label["interest_status"])
            path = f"/lead-labels/{label['id']}"
            written(sandbox, "DELETE", path, {"reassigned_status": -3})
            for table, field in ((leads, "lt_interest_status"), (emails, "i_status")):
                assert table.found(table.keys[0])[field] == -3
                states = {row.get(field) for row in table.rows}
                assert label["interest_status"] not in states

    def test_without_a_status(self, sandbox: Sandbox) -> None:
        one, other, *_ = ids(sandbox.labels.rows)
        written(sandbox, "DELETE", f"/lead-labels/{one}")
        sandbox.reassignment_required = True
        path = f"/lead-labels/{other}"
        assert write(sandbox, "DELETE", path).status_code == 500
        assert other in sandbox.labels
        written(sandbox, "DELETE", path, {"reassigned_status": 1})
        assert other not in sandbox.labels


class TestNames:
    @pytest.mark.parametrize("path", ["/lead-labels", "/lead-lists"])
    def test_of_labels_and_lists(self, sandbox: Sandbox, path: str) -> None:
        first = written(sandbox, "POST", path, NEW[path])
        other = written(sandbox, "POST", path, NEW[path])
        sandbox.duplicate_names = False
        assert write(sandbox, "POST", path, NEW[path]).status_code == 400
        written(sandbox, "DELETE", f"{path}/{other['id']}")
        name = next(iter(NEW[path]))
        same = {name: first[name]}
        written(sandbox, "PATCH", f"{path}/{first['id']}", same)
        key = walk(sandbox, path)[-1]["id"]
        assert write(sandbox, "PATCH", f"{path}/{key}", same).status_code == 400
        written(sandbox, "PATCH", f"{path}/{first['id']}", {name: "Other"})
        written(sandbox, "PATCH", f"{path}/{key}", same)

    def test_follow_what_others_change(self, sandbox: Sandbox) -> None:
        sandbox.duplicate_names = False
        one, other, *_ = ids(sandbox.labels.rows)

        def status() -> int:
            return write(sandbox, "PATCH", f"/lead-labels/{one}", HOT).status_code

        sandbox.labels.edit(other, label="Hot")
        assert status() == 400
        sandbox.labels.edit(other, label="Cold")
        assert status() == 200
        sandbox.labels.edit(one, label="Cool")
        row = sandbox.labels.add(**HOT)
        assert status() == 400
        sandbox.labels.delete(row["id"])
        assert status() == 200
        sandbox.labels.add(label="Cool")
        sandbox.labels.reset()
        assert write(sandbox, "POST", "/lead-labels", HOT).status_code == 200

    def test_of_tags(self, empty: Sandbox) -> None:
        row = written(empty, "POST", "/custom-tags", {"label": " Köln "})
        assert row["label"] == "Köln"
        for label in ("Köln", "  Köln\t"):
            response = write(empty, "POST", "/custom-tags", {"label": label})
            assert response.status_code == 409
            assert response.json()["error"] == "Conflict"
        other = written(empty, "POST", "/custom-tags", {"label": "köln"})
        path = f"/custom-tags/{other['id']}"
        assert write(empty, "PATCH", path, {"label": "Köln "}).status_code == 409
        assert written(empty, "PATCH", path, {"label": "köln"})["label"] == "köln"
        empty.trimmed_tags = False
        assert written(empty, "PATCH", path, {"label": " x "})["label"] == " x "
        assert write(empty, "POST", "/custom-tags", {"label": "x"}).status_code == 409


class TestHidden:
    @pytest.mark.parametrize("path", NEW)
    def test_for_some_reads(self, sandbox: Sandbox, path: str) -> None:
        before = walk(sandbox, path)
        sandbox.hidden_reads = 2
        row = written(sandbox, "POST", path, NEW[path])
        assert get(sandbox, f"{path}/{row['id']}").json() == row
        for _ in range(2):
            assert walk(sandbox, path, limit=50) == before
        assert row in walk(sandbox, path, limit=50)
        later = written(sandbox, "PATCH", f"{path}/{row['id']}", NEW[path])
        assert later in walk(sandbox, path)

    def test_for_some_seconds(self) -> None:
        now = [0.0]
        with Sandbox(labels=3, hidden_seconds=10, clock=lambda: now[0]) as sandbox:
            row = written(sandbox, "POST", "/lead-labels", HOT)
            now[0] = 9.9
            assert len(page(sandbox)["items"]) == 3
            now[0] = 10.0
            assert page(sandbox)["items"][0] == row

    def test_rows_of_tests_are_listed_at_once(self, sandbox: Sandbox) -> None:
        sandbox.hidden_reads = 2
        row = sandbox.labels.add(**HOT)
        assert page(sandbox)["items"][0] == row


class TestTags:
    def test_toggled(self, empty: Sandbox) -> None:
        tag = written(empty, "POST", "/custom-tags", NEW["/custom-tags"])["id"]
        mailboxes = empty.tables["accounts"].keys
        body = {"tag_ids": [tag], "resource_type": 1, "assign": True}
        path = "/custom-tags/toggle-resource"
        assert write(empty, "POST", path, body).status_code == 400
        some = body | {"resource_ids": mailboxes[:2]}
        assert written(empty, "POST", path, some) == {"success": True}
        assert len(walk(empty, "/custom-tag-mappings")) == 2
        every = body | {"selected_all": True, "excluded_resource_ids": mailboxes[-1:]}
        written(empty, "POST", path, every)
        rows = walk(empty, "/custom-tag-mappings")
        assert sorted(row["resource_id"] for row in rows) == sorted(mailboxes[:-1])
        assert {row["tag_id"] for row in rows} == {tag}
        written(empty, "POST", path, every | {"assign": False})
        assert walk(empty, "/custom-tag-mappings") == []
        assert [len(one.keys) for one in empty.ledger[1:]] == [2, 22, 24]
