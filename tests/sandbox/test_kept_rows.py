"""What the sandbox keeps to be quick: it must never show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tap_instantly.sandbox.store.api import Call
from tap_instantly.sandbox.store.tables import Table
from tests.sandbox.served import ENDPOINTS, send

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.sandbox.requesting import Row


def first(sandbox: Sandbox, stream: str, **fields: object) -> list[Row]:
    """Return the rows of the first page of a stream's list."""
    method, path = ENDPOINTS[stream]
    rows: list[Row] = send(sandbox, method, path, limit=100, **fields).json()["items"]
    return rows


def by_campaign(rows: list[Row], campaigns: tuple[str, ...]) -> list[str]:
    """Return the ids of the rows that are in one of some campaigns."""
    return sorted(row["id"] for row in rows if row.get("campaign") in campaigns)


class TestBodies:
    @pytest.mark.parametrize("stream", ["campaigns", "accounts", "leads", "emails"])
    def test_follow_every_change(self, sandbox: Sandbox, stream: str) -> None:
        table = sandbox.tables[stream]
        key = "email" if stream == "accounts" else "id"
        for change in (
            lambda: table.edit(first(sandbox, stream)[1][key], extra="1"),
            lambda: table.edit(first(sandbox, stream)[1][key], extra="2"),
            lambda: table.delete(first(sandbox, stream)[0][key]),
            table.add,
        ):
            assert first(sandbox, stream) == table.rows[:100]
            change()
            assert first(sandbox, stream) == table.rows[:100]

    @pytest.mark.parametrize("end", ["present", "absent", "null", "empty"])
    def test_say_what_a_page_says(self, sandbox: Sandbox, end: str) -> None:
        for table in sandbox.tables.values():
            table.behaviour.end = end  # type: ignore[assignment] # by its name
            for limit in (1, 100):
                call = Call(query={"limit": [str(limit)]})
                assert json.loads(table.answer(call)) == table.page(call)

    def test_event_types_follow_the_labels(self, sandbox: Sandbox) -> None:
        def names() -> list[str]:
            method, path = ENDPOINTS["webhook_event_types"]
            types: list[Row] = send(sandbox, method, path).json()["event_types"]
            return [one["label"] for one in types if one["type"] == "custom_label"]

        row = sandbox.labels.add(label="Zeppelin")
        assert "Zeppelin" in names()
        sandbox.labels.edit(row["id"], label="Airship")
        assert "Airship" in names()
        sandbox.labels.delete(row["id"])
        assert not {"Zeppelin", "Airship"} & {*names()}


class TestIndex:
    def test_follows_every_change(self, sandbox: Sandbox) -> None:
        leads = sandbox.tables["leads"]
        here, there = [row["id"] for row in sandbox.tables["campaigns"].rows][:2]

        def check() -> None:
            for campaign in (here, there):
                found = first(sandbox, "leads", campaign=campaign)
                assert sorted(row["id"] for row in found) == by_campaign(
                    leads.rows, (campaign,)
                )
            outside = first(sandbox, "leads", in_campaign=False, in_list=False)
            assert [row["id"] for row in outside] == [
                row["id"] for row in leads.rows if not {"campaign", "list_id"} & {*row}
            ]

        check()
        one, other = first(sandbox, "leads", campaign=here)[:2]
        leads.edit(one["id"], campaign=there)
        check()
        leads.edit(other["id"], campaign=...)
        check()
        leads.delete(one["id"])
        check()
        leads.add(campaign=here)
        check()

    def test_of_several_values(self) -> None:
        rows = [
            {"id": f"{number:02}", "kind": "abc"[number % 3], "even": number % 2 == 0}
            for number in range(30)
        ]
        table = Table(
            rows,
            order="id-asc",
            by={"kind": lambda row: str(row["kind"])},
            filters={"even": lambda row, text: row["even"] == (text == "true")},
        )

        def found(**body: object) -> list[Row]:
            page: Row = json.loads(table.answer(Call(body={"limit": 100, **body})))
            return list(page["items"])

        assert found(kind=["a", "b", "a"]) == [r for r in rows if r["kind"] != "c"]
        assert found(kind="d") == []
        assert found(kind="c", even=True) == [
            row for row in rows if row["kind"] == "c" and row["even"]
        ]
        assert found(kind="a", starting_after="14") == [
            row for row in rows[15:] if row["kind"] == "a"
        ]
        assert table.matching(Call(body={"kind": "b"})) == rows[1::3]
