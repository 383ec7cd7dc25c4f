"""Orders, cursors, ends and everything else that can be set."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, get_args
from urllib.parse import quote

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store.api import Call
from tap_instantly.sandbox.store.switches import (
    CHOICES,
    Comparison,
    Cursor,
    Encoding,
    Order,
)
from tests.sandbox.requesting import (
    Row,
    get,
    ids,
    page,
    pages,
    raw,
    read_timestamp,
    statuses,
    walk,
)


class TestSwitches:
    @pytest.mark.parametrize("ties", [1, 5])
    @pytest.mark.parametrize("encoding", get_args(Encoding))
    @pytest.mark.parametrize("cursor", get_args(Cursor))
    @pytest.mark.parametrize("order", get_args(Order))
    def test_every_order_and_cursor_can_be_walked(
        self, order: Order, cursor: Cursor, encoding: Encoding, ties: int
    ) -> None:
        with Sandbox(
            labels=60, ties=ties, order=order, cursor=cursor, encoding=encoding
        ) as sandbox:
            rows = walk(sandbox, limit=20)
            assert sorted(ids(rows)) == sorted(ids(sandbox.labels.rows))

    def test_order(self, sandbox: Sandbox) -> None:
        newest = sandbox.labels.rows
        sandbox.order = "oldest"
        assert walk(sandbox) == newest[::-1]
        sandbox.order = "mixed"
        mixed = walk(sandbox)
        assert mixed not in (newest, newest[::-1])
        assert walk(sandbox) == mixed
        times = [row["timestamp_created"] for row in mixed[:100]]
        rises = sum(older < newer for older, newer in itertools.pairwise(times))
        assert 20 < rises < 80

    def test_one_listing_alone(self, sandbox: Sandbox) -> None:
        sandbox.labels.behaviour.order = "oldest"
        assert walk(sandbox) == sandbox.labels.rows[::-1]
        assert walk(sandbox, "/lead-lists") == sandbox.lists.rows

    @pytest.mark.parametrize("order", get_args(Order))
    def test_ids_name_the_position(self, sandbox: Sandbox, order: Order) -> None:
        sandbox.order, sandbox.cursor = order, "id"
        rows = walk(sandbox)
        body = page(sandbox, starting_after=rows[41]["id"])
        assert body["items"] == rows[42:52]
        assert body["next_starting_after"] == rows[51]["id"]
        for row in rows[40:45]:
            sandbox.labels.delete(row["id"])
        again = page(sandbox, starting_after=rows[41]["id"])
        assert again["items"] == rows[45:55]

    def test_a_time_in_mixed_order_means_the_row_nearest_to_it(
        self, sandbox: Sandbox
    ) -> None:
        sandbox.order = "mixed"
        rows = walk(sandbox)
        for milliseconds in (-1, 0, 1):
            apart = timedelta(milliseconds=milliseconds)
            cursor = (read_timestamp(rows[41]["timestamp_created"]) + apart).isoformat()
            assert page(sandbox, starting_after=cursor)["items"] == rows[42:52]
            sandbox.labels.delete(rows[milliseconds]["id"])
        sandbox.labels.delete(rows[41]["id"])
        assert page(sandbox, starting_after=cursor)["items"] == rows[42:52]

    def test_strict_timestamps_lose_ties_at_the_edge(self, sandbox: Sandbox) -> None:
        tied = sandbox.labels.add_many(15, created="2026-11-01T00:00:00Z")
        rest = sandbox.labels.rows[15:]
        assert len(tied) == 15
        assert ids(walk(sandbox, limit=10))[10:] == ids(rest)

    @pytest.mark.parametrize("order", get_args(Order))
    @pytest.mark.parametrize("cursor", get_args(Cursor))
    def test_inclusive_rows_come_again(
        self, sandbox: Sandbox, order: Order, cursor: Cursor
    ) -> None:
        sandbox.order, sandbox.cursor = order, cursor
        sandbox.comparison = "inclusive"
        first = page(sandbox)
        second = page(sandbox, starting_after=first["next_starting_after"])
        assert second["items"][0] == first["items"][9]
        assert not {*ids(second["items"][1:])} & {*ids(first["items"])}

    def test_an_inclusive_list_repeats_its_last_row(self, sandbox: Sandbox) -> None:
        sandbox.comparison = "inclusive"
        oldest = sandbox.labels.rows[-1]
        body = page(sandbox, starting_after=oldest["timestamp_created"])
        assert body["items"] == [oldest]
        assert body["next_starting_after"] == oldest["timestamp_created"]

    def test_inclusive_ties_all_come_again(self, sandbox: Sandbox) -> None:
        tied = sandbox.labels.add_many(3, created="2026-11-01T00:00:00Z")
        sandbox.comparison = "inclusive"
        body = page(sandbox, starting_after="2026-11-01T00:00:00.000Z")
        assert ids(body["items"][:3]) == ids(tied)[::-1]

    @pytest.mark.parametrize("comparison", get_args(Comparison))
    @pytest.mark.parametrize(
        ("end", "rest"),
        [
            ("absent", {}),
            ("null", {"next_starting_after": None}),
            ("empty", {"next_starting_after": ""}),
        ],
    )
    def test_end(
        self, sandbox: Sandbox, comparison: Comparison, end: str, rest: Row
    ) -> None:
        sandbox.comparison = comparison
        setattr(sandbox, "end", end)  # noqa: B010 - for mypy, `end` is any text
        rows = sandbox.lists.rows
        assert page(sandbox, "/lead-lists", limit=37) == {"items": rows, **rest}
        assert page(sandbox, "/lead-lists", limit=36)["next_starting_after"]
        assert {*ids(walk(sandbox, "/lead-lists", limit=9))} == {*ids(rows)}

    def test_offset_needs_percent_encoding(self, sandbox: Sandbox) -> None:
        sandbox.encoding = "offset"
        cursor = page(sandbox)["next_starting_after"]
        time = sandbox.labels.rows[9]["timestamp_created"]
        assert cursor == time.replace("Z", "+00:00")
        assert raw(sandbox, quote(cursor)).json()["items"] == sandbox.labels.rows[10:20]
        assert raw(sandbox, cursor).status_code == 400

    @pytest.mark.parametrize("cursor", get_args(Cursor))
    def test_symbols_need_percent_encoding(
        self, sandbox: Sandbox, cursor: Cursor
    ) -> None:
        sandbox.cursor, sandbox.encoding = cursor, "symbols"
        text = page(sandbox)["next_starting_after"]
        assert text.endswith("&a+b=c/d e")
        rows = sandbox.labels.rows[10:20]
        assert raw(sandbox, quote(text, safe="")).json()["items"] == rows
        assert raw(sandbox, text.replace(" ", "%20")).status_code == 400

    def test_timestamps_in_four_ways(self, sandbox: Sandbox) -> None:
        sandbox.labels.add_many(4, created="2026-11-01T12:00:07.000Z")
        sandbox.labels.add_many(4, created="2026-11-01T12:00:07.500Z")
        usual = sandbox.labels.rows
        sandbox.timestamps = "mixed"
        rows = walk(sandbox)
        assert rows == sandbox.labels.rows
        assert {row["timestamp_created"] for row in rows[:8]} == {
            "2026-11-01T12:00:07Z",
            "2026-11-01T12:00:07.000Z",
            "2026-11-01T12:00:07.000000Z",
            "2026-11-01T14:00:07.000+02:00",
            "2026-11-01T12:00:07.5Z",
            "2026-11-01T12:00:07.500Z",
            "2026-11-01T12:00:07.500000Z",
            "2026-11-01T14:00:07.500+02:00",
        }
        for row, plain in zip(rows, usual, strict=True):
            assert read_timestamp(row["timestamp_created"]) == read_timestamp(
                plain["timestamp_created"]
            )
        sandbox.timestamps = "ms"
        assert walk(sandbox) == usual

    @pytest.mark.parametrize("comparison", get_args(Comparison))
    def test_short_pages(self, sandbox: Sandbox, comparison: Comparison) -> None:
        sandbox.short_pages, sandbox.comparison, sandbox.end = 5, comparison, "absent"
        sizes = [len(rows) for rows in pages(sandbox, limit=40)]
        assert sizes == [len(rows) for rows in pages(sandbox, limit=40)]
        assert len(set(sizes)) > 3
        assert max(sizes) <= 40
        assert {*ids(walk(sandbox, limit=40))} == {*ids(sandbox.labels.rows)}
        sandbox.short_pages = 6
        assert sizes != [len(rows) for rows in pages(sandbox, limit=40)]

    def test_latency(self, sandbox: Sandbox) -> None:
        sandbox.latency = 0.02
        assert get(sandbox, "/lead-labels").elapsed >= timedelta(seconds=0.02)

    def test_requests_per_minute(self) -> None:
        now = [0.0]
        with Sandbox(requests_per_minute=3, clock=lambda: now[0]) as sandbox:
            assert statuses(sandbox, 4) == [200, 200, 200, 429]
            now[0] = 59.9
            assert statuses(sandbox, 1) == [429]
            now[0] = 60
            assert statuses(sandbox, 4) == [200, 200, 200, 429]
            sandbox.requests_per_minute = None
            assert statuses(sandbox, 1) == [200]

    def test_requests_per_second(self) -> None:
        now = [0.0]
        with Sandbox(requests_per_second=2, clock=lambda: now[0]) as sandbox:
            assert statuses(sandbox, 3) == [200, 200, 429]
            refused = get(sandbox, "/lead-lists")
            assert refused.json()["message"] == "Rate limit exceeded"
            assert "Retry-After" not in refused.headers
            sandbox.retry_after = "7"
            assert get(sandbox, "/lead-lists").headers["Retry-After"] == "7"
            now[0] = 1
            assert statuses(sandbox, 1) == [200]

    @pytest.mark.parametrize("name", CHOICES)
    def test_a_value_that_does_not_exist(self, name: str) -> None:
        switches: Any = {name: "sideways"}
        with pytest.raises(ValueError, match=name):
            Sandbox(**switches)
        sandbox = Sandbox()
        setattr(sandbox, name, "sideways")
        with pytest.raises(ValueError, match=name):
            sandbox.labels.page(Call())

    def test_a_switch_that_does_not_exist(self) -> None:
        with pytest.raises(TypeError, match="'ordr'"):
            Sandbox(ordr="newest")  # type: ignore[call-arg] # on purpose
