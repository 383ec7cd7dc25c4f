"""Lists of rows: how they are paged, filtered and changed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, get_args

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store.api import BadRequestError, Call, NotFoundError
from tap_instantly.sandbox.store.switches import TableCursor, TableOrder
from tap_instantly.sandbox.store.tables import Table
from tests.sandbox.served import ENDPOINTS, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.requesting import Row

LISTS = (
    "campaigns",
    "accounts",
    "leads",
    "emails",
    "custom_tags",
    "custom_tag_mappings",
    "subsequences",
)
KINDS = [
    (cursor, order)
    for cursor, order in itertools.product(get_args(TableCursor), get_args(TableOrder))
    if cursor == "id" or order in ("newest", "oldest")
]
MADE = [
    {"id": f"{number * 7 % 23:03}", "timestamp_created": f"2026-01-{day:02}T00:00:00Z"}
    for number, day in enumerate(range(1, 24))
]


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """A sandbox of the usual size, which tests only read."""
    with Sandbox() as running:
        yield running


def listed(sandbox: Sandbox, stream: str, **fields: Any) -> list[Row]:
    """Return the rows of all pages of a stream's list."""
    method, path = ENDPOINTS[stream]
    rows: list[Row] = []
    while True:
        body = send(sandbox, method, path, **fields).json()
        rows += body["items"]
        if not body["items"]:
            assert "next_starting_after" not in body
            return rows
        fields["starting_after"] = body["next_starting_after"]


def turned(table: Table, limit: int) -> list[Row]:
    """Return the rows of all pages of a table."""
    rows: list[Row] = []
    body: dict[str, Any] = {"limit": limit}
    for _ in range(1000):
        page = table.page(Call(body=body))
        rows += page["items"]
        if not page["items"] or not page.get("next_starting_after"):
            break
        body["starting_after"] = page["next_starting_after"]
    return rows


class TestPages:
    @pytest.mark.parametrize("limit", [7, 100])
    @pytest.mark.parametrize("stream", LISTS)
    def test_yield_every_row_once(
        self, world: Sandbox, stream: str, limit: int
    ) -> None:
        assert listed(world, stream, limit=limit) == world.tables[stream].rows

    @pytest.mark.parametrize(("cursor", "order"), KINDS)
    @pytest.mark.parametrize("limit", [1, 5, 23, 24])
    def test_of_every_kind(
        self, cursor: TableCursor, order: TableOrder, limit: int
    ) -> None:
        table = Table(MADE, cursor=cursor, order=order)
        assert turned(table, limit) == table.rows
        by_key = order.startswith("id")
        keys = [row["id" if by_key else "timestamp_created"] for row in table.rows]
        assert keys == sorted(keys, reverse=order in ("newest", "id-desc"))

    def test_ten_rows_by_default(self, world: Sandbox) -> None:
        for stream in ("campaigns", "accounts", "leads", "emails"):
            method, path = ENDPOINTS[stream]
            assert len(send(world, method, path).json()["items"]) == 10

    @pytest.mark.parametrize(
        ("end", "rest"),
        [("absent", {}), ("null", {"next_starting_after": None})],
    )
    def test_end(self, end: Any, rest: Row) -> None:
        table = Table(MADE)
        table.behaviour.end = end
        page = table.page(Call(body={"limit": 23}))
        assert page == {"items": table.rows, **rest}
        assert len(turned(table, 4)) == 23

    def test_inclusive(self) -> None:
        table = Table(MADE)
        table.behaviour.comparison = "inclusive"
        cursor = table.rows[4]["id"]
        page = table.page(Call(body={"starting_after": cursor, "limit": 3}))
        assert page["items"] == table.rows[4:7]

    def test_timestamps_lose_ties_at_the_edge(self) -> None:
        rows = [
            {"id": str(number), "timestamp_created": "2026-01-01T00:00:00Z"}
            for number in range(9)
        ]
        assert len(turned(Table(rows, cursor="timestamp"), 5)) == 5
        assert len(turned(Table(rows, cursor="timestamp-and-id"), 5)) == 9

    def test_an_id_of_no_row_is_compared(self) -> None:
        table = Table(MADE, order="id-asc")
        page = table.page(Call(body={"starting_after": "0045", "limit": 3}))
        assert [row["id"] for row in page["items"]] == ["005", "006", "007"]

    @pytest.mark.parametrize("key", ["0045", "004"])
    def test_an_id_of_no_row_is_looked_up(self, key: str) -> None:
        table = Table(MADE, order="id-asc")
        table.delete("004")
        call = Call(body={"starting_after": key, "limit": 3})
        table.behaviour.unknown_id = "empty"
        assert table.page(call) == {"items": []}
        table.behaviour.unknown_id = "first-page"
        assert table.page(call) == table.page(Call(body={"limit": 3}))
        table.behaviour.unknown_id = "not-found"
        with pytest.raises(NotFoundError):
            table.page(call)
        table.behaviour.unknown_id = "bad-request"
        with pytest.raises(BadRequestError, match="starting_after"):
            table.page(call)
        assert turned(table, 5) == table.rows

    def test_a_deleted_row_still_names_its_place(self) -> None:
        table = Table(MADE)
        rows = table.rows
        table.delete(rows[4]["id"])
        page = table.page(Call(body={"starting_after": rows[4]["id"], "limit": 3}))
        assert page["items"] == rows[5:8]

    @pytest.mark.parametrize("wrong", [{"cursor": "page"}, {"order": "sideways"}])
    def test_a_kind_that_does_not_exist(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong.values()))):
            Table(MADE, **wrong)


class TestFilters:
    def test_leads(self, world: Sandbox) -> None:
        rows = world.tables["leads"].rows
        campaign = next(row["campaign"] for row in rows if "campaign" in row)
        for fields, wanted in (
            (
                {"campaign": campaign},
                [r for r in rows if r.get("campaign") == campaign],
            ),
            ({"in_list": True}, [row for row in rows if "list_id" in row]),
            ({"in_campaign": False}, [row for row in rows if "list_id" in row]),
            ({"ids": [rows[5]["id"], rows[3]["id"]]}, [rows[3], rows[5]]),
            ({"excluded_ids": [rows[0]["id"]]}, rows[1:]),
            ({"contacts": [rows[7]["email"]]}, [rows[7]]),
            (
                {"filter": "FILTER_VAL_REPLIED"},
                [row for row in rows if row["email_reply_count"]],
            ),
            (
                {"filter": "FILTER_VAL_BOUNCED"},
                [row for row in rows if row["status"] == -1],
            ),
        ):
            given: dict[str, Any] = {**fields}
            assert wanted
            assert listed(world, "leads", limit=100, **given) == wanted

    def test_emails(self, world: Sandbox) -> None:
        rows = world.tables["emails"].rows
        one = next(row for row in rows if row["ue_type"] == 2)
        mine = [row for row in rows if row["thread_id"] == one["thread_id"]]
        for fields, wanted in (
            ({"email_type": "received"}, [r for r in rows if r["ue_type"] == 2]),
            ({"lead": one["lead"]}, mine),
            ({"search": f"thread:{one['thread_id']}"}, mine),
            ({"is_unread": "true"}, [row for row in rows if row["is_unread"]]),
            *(
                ({name: one[name]}, [row for row in rows if row[name] == one[name]])
                for name in ("eaccount", "campaign_id")
            ),
        ):
            given: dict[str, Any] = {**fields}
            assert 0 < len(wanted) < len(rows)
            assert listed(world, "emails", limit=100, **given) == wanted
        latest = listed(world, "emails", limit=100, latest_of_thread="true")
        assert len(latest) == len({row["thread_id"] for row in rows})
        assert latest[0] == rows[0]
        assert "body" not in send(world, "GET", "/emails", preview_only="true").text

    def test_emails_by_time(self, sandbox: Sandbox) -> None:
        rows = sandbox.tables["emails"].rows[::-1]
        bound = rows[450]["timestamp_created"]
        at_bound = [row for row in rows if row["timestamp_created"] == bound]
        late = listed(
            sandbox, "emails", limit=100, sort_order="asc", min_timestamp_created=bound
        )
        assert late == [row for row in rows if row["timestamp_created"] >= bound]
        early = listed(sandbox, "emails", limit=100, max_timestamp_created=bound)
        assert len(late) + len(early) == len(rows) + len(at_bound)
        sandbox.bounds_inclusive = False
        late = listed(
            sandbox, "emails", limit=100, sort_order="asc", min_timestamp_created=bound
        )
        assert late == [row for row in rows if row["timestamp_created"] > bound]
        bad = send(sandbox, "GET", "/emails", max_timestamp_created="soon")
        assert bad.status_code == 400

    def test_accounts_in_other_orders(self, world: Sandbox) -> None:
        rows = world.tables["accounts"].rows
        for field in ("email", "stat_warmup_score", "status", "timestamp_created"):
            for order in ("asc", "desc"):
                given: dict[str, Any] = {"sort_by": field, "sort_order": order}
                found = listed(world, "accounts", limit=7, **given)
                values = [row[field] for row in found]
                assert values == sorted(values, reverse=order == "desc")
                assert len({row["email"] for row in found}) == len(rows)
        some = send(world, "GET", "/accounts", sort_by="email", skip=20, limit=100)
        assert len(some.json()["items"]) == 5

    def test_campaigns(self, world: Sandbox) -> None:
        rows = world.tables["campaigns"].rows
        active = listed(world, "campaigns", status=1)
        assert active == [row for row in rows if row["status"] == 1]
        rest = listed(world, "campaigns", exclude_status=1)
        assert len(active) + len(rest) == len(rows)


class TestChanges:
    @pytest.mark.parametrize("stream", LISTS)
    def test_added_edited_deleted(self, sandbox: Sandbox, stream: str) -> None:
        table = sandbox.tables[stream]
        before = table.rows
        key = "email" if stream == "accounts" else "id"
        one, other = table.add(), table.add(extra=1)
        assert (other["extra"], len(table)) == (1, len(before) + 2)
        assert one[key] != other[key]
        assert other["timestamp_created"] > one["timestamp_created"]
        assert one["timestamp_created"] > "2026-10-29T16:20:00.000Z"
        edited = table.edit(one[key], extra=2, timestamp_created=...)
        assert "timestamp_created" not in edited
        assert edited["extra"] == 2
        table.delete(other[key])
        after = listed(sandbox, stream, limit=100)
        assert [row for row in after if row[key] != one[key]] == before
        assert table.get(one[key]) in after
        assert table.get(other[key]) is None

    def test_edits_move_on_timestamp_updated(self, sandbox: Sandbox) -> None:
        for stream in ("campaigns", "leads", "custom_tags"):
            table = sandbox.tables[stream]
            rows = table.rows
            edited = table.edit(rows[3]["id"], name="New")
            latest = max(row["timestamp_updated"] for row in rows)
            assert edited["timestamp_updated"] > latest
            given = table.edit(rows[3]["id"], timestamp_updated="x")
            assert given["timestamp_updated"] == "x"

    def test_new_rows_point_to_rows_that_exist(self, sandbox: Sandbox) -> None:
        tables = sandbox.tables
        lead, email = tables["leads"].add(), tables["emails"].add()
        mapping, campaign = (
            tables["custom_tag_mappings"].add(),
            tables["campaigns"].add(),
        )
        campaign_of_lead = tables["campaigns"].get(lead.get("campaign", ""))
        assert campaign_of_lead or sandbox.lists.get(lead["list_id"])
        assert tables["campaigns"].get(email["campaign_id"])
        assert tables["leads"].get(email["lead_id"])
        assert tables["accounts"].get(email["eaccount"])
        assert tables["custom_tags"].get(mapping["tag_id"])
        assert tables["accounts"].get(mapping["resource_id"])
        assert tables["accounts"].get(campaign["email_list"][0])

    def test_nothing_to_add_to(self) -> None:
        tables = Sandbox(leads=0).tables
        assert tables["campaigns"].add()["id"]
        with pytest.raises(LookupError):
            tables["emails"].add()

    def test_no_such_row(self, sandbox: Sandbox) -> None:
        leads = sandbox.tables["leads"]
        for change in (leads.edit, leads.delete):
            with pytest.raises(KeyError):
                change("x")
        with pytest.raises(ValueError, match="already"):
            leads.add(id=leads.rows[0]["id"])

    def test_rows_are_copies(self, sandbox: Sandbox) -> None:
        table = sandbox.tables["campaigns"]
        table.rows[0]["sequences"].clear()
        table.found(table.rows[0]["id"])["sequences"].clear()
        assert table.rows[0]["sequences"]

    def test_a_table_without_a_maker(self) -> None:
        table = Table(MADE)
        added = [table.add() for _ in range(3)]
        times = [row["timestamp_created"] for row in added]
        assert times == sorted(times)
        assert table.rows[:3] == added[::-1]
        assert Table([]).add(timestamp_created="2026-01-01T00:00:00Z")["id"]

    def test_rows_may_be_added_while_a_client_pages(self, sandbox: Sandbox) -> None:
        table = sandbox.tables["emails"]
        before = table.rows
        sandbox.on_request = lambda _: table.add()
        rows = listed(sandbox, "emails", limit=100)
        assert [row for row in rows if row in before] == before
        for one, other in itertools.pairwise(rows):
            assert one["id"] > other["id"]

    def test_rows_may_show_anything(self, sandbox: Sandbox) -> None:
        for stream in LISTS:
            table = sandbox.tables[stream]
            key = "email" if stream == "accounts" else "id"
            kept = [row[key] for row in table.rows]
            fields: dict[str, Any] = {"timestamp_created": None, key: ...}
            odd = table.add(**fields)
            assert key not in odd
            table.edit(kept[1], **{"timestamp_created": "soon", key: None})
            rows = listed(sandbox, stream, limit=5)
            assert odd in rows
            assert len(rows) == len(kept) + 1
