"""The block list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_instantly.sandbox import Sandbox
from tests.sandbox.requesting import get, page, walk, write, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.requesting import Row

PATH = "/block-lists-entries"


@pytest.fixture
def few() -> Iterator[Sandbox]:
    """A sandbox with three entries on its block list."""
    with Sandbox(blocked=3) as running:
        yield running


def create_many(sandbox: Sandbox, *values: str) -> Row:
    """Return what the creation of some entries answers."""
    body: Row = written(sandbox, "POST", f"{PATH}/bulk-create", {"bl_values": values})
    return body


class TestCreateMany:
    def test_counts(self, few: Sandbox) -> None:
        values = ["a@new.example.com", "new.example.com", "no", "a@b", "", "@x.example"]
        body = create_many(few, *values)
        assert (body["valid_count"], body["invalid_count"]) == (2, 4)
        assert [row["bl_value"] for row in body["items"]] == values[:2]
        assert [row["is_domain"] for row in body["items"]] == [False, True]
        rows = walk(few, PATH)
        assert len(rows) == 5
        assert all(row in rows for row in body["items"])

    @pytest.mark.parametrize(
        ("kind", "valid", "created", "status"),
        [("existing", 3, 1, 200), ("invalid", 1, 1, 400), ("kept", 3, 3, 200)],
    )
    def test_duplicates(
        self, few: Sandbox, kind: str, valid: int, created: int, status: int
    ) -> None:
        few.duplicate_entries = kind  # type: ignore[assignment] # one of its values
        known = walk(few, PATH)[0]
        value = known["bl_value"].upper()
        body = create_many(few, "New.example.com", "new.example.com", value)
        assert (body["valid_count"], body["invalid_count"]) == (valid, 3 - valid)
        assert len(walk(few, PATH)) == 3 + created
        assert len({row["id"] for row in body["items"]}) == max(valid - 1, created)
        assert (known in body["items"]) == (kind == "existing")
        assert len(few.ledger[0].keys) == created
        response = write(few, "POST", PATH, {"bl_value": value})
        assert response.status_code == status
        assert (response.json() == known) == (kind == "existing")

    def test_of_a_row_that_is_gone(self, few: Sandbox) -> None:
        known = walk(few, PATH)[0]
        written(few, "DELETE", f"{PATH}/{known['id']}")
        (row,) = create_many(few, known["bl_value"])["items"]
        assert row["id"] != known["id"]
        written(few, "PATCH", f"{PATH}/{row['id']}", {"bl_value": "other.example.com"})
        assert create_many(few, known["bl_value"])["items"][0]["id"] != row["id"]

    @pytest.mark.parametrize("value", ["no", "", "two words.example.com"])
    def test_one_that_is_invalid(self, few: Sandbox, value: str) -> None:
        assert write(few, "POST", PATH, {"bl_value": value}).status_code == 400
        path = f"{PATH}/{walk(few, PATH)[0]['id']}"
        assert write(few, "PATCH", path, {"bl_value": value}).status_code == 400


class TestDelete:
    def test_many(self, few: Sandbox) -> None:
        first, second, third = walk(few, PATH)
        keys = [third["id"], "x", first["id"], third["id"]]
        deleted = written(few, "POST", f"{PATH}/bulk-delete", {"ids": keys})
        assert deleted == [third, first]
        assert walk(few, PATH) == [second]
        assert few.ledger[0].keys == (third["id"], first["id"])

    def test_whatever_matches(self, sandbox: Sandbox) -> None:
        rows = walk(sandbox, PATH)
        domains = [row for row in rows if row["is_domain"]]
        matching = [row for row in domains if "blocked1" in row["bl_value"]]
        gone = written(sandbox, "DELETE", f"{PATH}?domains_only=true&search=BLOCKED1")
        assert gone == matching[::-1]
        assert len(written(sandbox, "DELETE", PATH)) == len(rows) - len(matching)
        assert page(sandbox, PATH) == {"items": []}


class TestSize:
    @pytest.mark.parametrize("count", [0, 7])
    def test_is_as_asked(self, count: int) -> None:
        with Sandbox(blocked=count) as sandbox:
            assert len(walk(sandbox, PATH)) == count

    def test_a_hundred_thousand_are_made_as_they_are_read(self) -> None:
        with Sandbox(blocked=100_000) as sandbox:
            table = sandbox.tables["block_list_entries"]
            assert not table.is_made
            first = page(sandbox, PATH, limit=100)["items"]
            assert len(first) == 100
            assert len(table) == 100_000
            assert get(sandbox, f"{PATH}/{first[5]['id']}").json() == first[5]
