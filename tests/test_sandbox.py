# ruff: noqa: D101, D102 - the names of the tests say what they check
"""The sandbox against what is known of the API, over real HTTP."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import quote
from uuid import UUID

import pytest
import requests
from click.testing import CliRunner

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.behaviour import CHOICES, Comparison, Cursor, Encoding, Order
from tap_instantly.sandbox.cli import main
from tap_instantly.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = dict[str, Any]

CLI = [sys.executable, "-m", "tap_instantly.sandbox.cli"]
LABEL_KEYS = {
    "id",
    "timestamp_created",
    "created_by",
    "organization_id",
    "label",
    "interest_status_label",
    "interest_status",
}
LIST_KEYS = {"id", "organization_id", "name", "timestamp_created"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with a few pages of labels and some lists."""
    with Sandbox(seed=1, labels=250, lists=37) as running:
        yield running


def get(sandbox: Sandbox, path: str, **params: object) -> requests.Response:
    """Ask the sandbox with its key."""
    return requests.get(
        sandbox.url + path,
        params={name: str(value) for name, value in params.items()},
        headers={"Authorization": f"Bearer {sandbox.key}"},
        allow_redirects=False,
        timeout=10,
    )


def page(sandbox: Sandbox, path: str = "/lead-labels", **params: object) -> Row:
    """Return the body of a page, which must be a good one."""
    response = get(sandbox, path, **params)
    assert response.status_code == 200, response.text
    body: Row = response.json()
    return body


def pages(
    sandbox: Sandbox, path: str = "/lead-labels", **params: object
) -> Iterator[list[Row]]:
    """Follow the cursor until a page is empty or has no cursor."""
    cursor: dict[str, object] = {}
    while True:
        body = page(sandbox, path, **{"limit": 100, **params, **cursor})
        if not body["items"]:
            return
        yield body["items"]
        if not body.get("next_starting_after"):
            return
        cursor = {"starting_after": body["next_starting_after"]}


def walk(sandbox: Sandbox, path: str = "/lead-labels", **params: object) -> list[Row]:
    """Return the rows of all pages."""
    return list(itertools.chain.from_iterable(pages(sandbox, path, **params)))


def ids(rows: list[Row]) -> list[str]:
    """Return the ids of rows."""
    return [row["id"] for row in rows]


def moment(text: str) -> datetime:
    """Read a time as written by Python 3.10's isoformat, or with Z."""
    head, _, tail = text.replace("Z", "+00:00").partition("+")
    seconds, _, fraction = head.partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction.ljust(6, '0')}+{tail}")


class TestData:
    def test_is_the_same_for_the_same_seed(self) -> None:
        one, same, other = Sandbox(seed=1), Sandbox(seed=1), Sandbox(seed=2)
        assert one.labels.rows == same.labels.rows
        assert one.lists.rows == same.lists.rows
        assert one.key == same.key
        assert not {*ids(one.labels.rows)} & {*ids(other.labels.rows)}
        assert one.key != other.key

    def test_key_looks_like_a_real_one(self) -> None:
        identity, _, secret = base64.b64decode(Sandbox().key).decode().partition(":")
        assert UUID(identity)
        assert len(secret) == 12

    def test_has_the_sizes_asked_for(self) -> None:
        sandbox = Sandbox(labels=3, lists=0)
        assert (len(sandbox.labels), len(sandbox.lists)) == (3, 0)
        assert (len(Sandbox().labels), len(Sandbox().lists)) == (40, 260)

    def test_labels(self) -> None:
        rows = Sandbox(labels=500).labels.rows
        optional = {"description", "use_with_ai", "access_grants"}
        for row in rows:
            assert set(row) >= LABEL_KEYS
            assert set(row) <= LABEL_KEYS | optional
            assert None not in row.values()
            assert UUID(row["id"]).version == 7
            made = moment(row["timestamp_created"]).timestamp()
            assert UUID(row["id"]).int >> 80 == round(made * 1000)
            assert not -4 <= row["interest_status"] <= 4
            assert isinstance(row["interest_status"], int)
        for key in optional:
            assert 0 < sum(key in row for row in rows) < len(rows)
        assert sum("access_grants" in row for row in rows) < 100
        assert len({row["interest_status"] for row in rows}) == len(rows)
        assert {row["interest_status_label"] for row in rows} == {
            "positive",
            "neutral",
            "negative",
        }

    def test_lists(self) -> None:
        rows = Sandbox(lists=500).lists.rows
        optional = {"has_enrichment_task", "owned_by"}
        for row in rows:
            assert set(row) >= LIST_KEYS
            assert set(row) <= LIST_KEYS | optional
            assert UUID(row["id"]).version == 4
        for key in optional:
            assert 0 < sum(key in row for row in rows) < len(rows)

    def test_times_are_irregular_and_recent(self) -> None:
        times = [moment(row["timestamp_created"]) for row in Sandbox().lists.rows]
        gaps = {newer - older for newer, older in itertools.pairwise(times)}
        assert times == sorted(times, reverse=True)
        assert len(gaps) > 200
        assert min(gaps) > timedelta(0)
        assert datetime(2026, 9, 1, tzinfo=timezone.utc) < times[0]
        assert times[0] < datetime(2026, 11, 1, tzinfo=timezone.utc)

    def test_many_rows_stay_in_recent_years(self) -> None:
        labels = Sandbox(labels=100_000, order="oldest").labels
        first = json.loads(labels.page({"limit": "1"}))["items"][0]
        assert first["timestamp_created"] > "2022"

    def test_ties(self) -> None:
        times = [
            row["timestamp_created"] for row in Sandbox(labels=10, ties=4).labels.rows
        ]
        groups = [len(list(group)) for _, group in itertools.groupby(times)]
        assert groups == [4, 4, 2]


class TestDefaults:
    def test_pages_of_ten_newest_first(self, sandbox: Sandbox) -> None:
        body = page(sandbox)
        assert body["items"] == sandbox.labels.rows[:10]
        assert body["next_starting_after"] == body["items"][9]["timestamp_created"]

    @pytest.mark.parametrize("limit", [1, 7, 100])
    def test_limit(self, sandbox: Sandbox, limit: int) -> None:
        assert page(sandbox, limit=limit)["items"] == sandbox.labels.rows[:limit]

    def test_a_limit_over_100_is_an_empty_page(self, sandbox: Sandbox) -> None:
        assert page(sandbox, limit=101) == {"items": []}

    @pytest.mark.parametrize("limit", ["0", "-1", "many"])
    def test_a_limit_of_nonsense_is_ignored(self, sandbox: Sandbox, limit: str) -> None:
        assert len(page(sandbox, limit=limit)["items"]) == 10

    def test_starting_after_means_older(self, sandbox: Sandbox) -> None:
        rows = sandbox.labels.rows
        body = page(sandbox, starting_after=rows[4]["timestamp_created"], limit=2)
        assert body["items"] == rows[5:7]

    def test_a_cursor_need_not_be_the_time_of_a_row(self, sandbox: Sandbox) -> None:
        rows = sandbox.labels.rows
        later = moment(rows[4]["timestamp_created"]) + timedelta(milliseconds=1)
        body = page(sandbox, starting_after=later.isoformat(), limit=2)
        assert body["items"] == rows[4:6]

    def test_the_last_page_has_a_cursor_and_the_next_no_rows(
        self, sandbox: Sandbox
    ) -> None:
        last = page(sandbox, "/lead-lists", limit=37)
        oldest = sandbox.lists.rows[-1]["timestamp_created"]
        assert last["next_starting_after"] == oldest
        assert page(sandbox, "/lead-lists", starting_after=oldest) == {"items": []}

    def test_both_lists_can_be_walked(self, sandbox: Sandbox) -> None:
        assert walk(sandbox) == sandbox.labels.rows
        assert walk(sandbox, "/lead-lists") == sandbox.lists.rows

    def test_an_unknown_parameter_is_ignored(self, sandbox: Sandbox) -> None:
        assert page(sandbox, created_after="2026") == page(sandbox)

    def test_an_empty_list(self) -> None:
        with Sandbox(labels=0) as empty:
            assert page(empty) == {"items": []}
            (row,) = empty.labels.add(1)
            assert walk(empty) == [row]

    @pytest.mark.parametrize("word", ["positive", "neutral", "negative"])
    def test_filter_by_sentiment(self, sandbox: Sandbox, word: str) -> None:
        found = walk(sandbox, interest_status=word, limit=20)
        rows = sandbox.labels.rows
        assert found == [row for row in rows if row["interest_status_label"] == word]

    @pytest.mark.parametrize("flag", [True, False])
    def test_filter_by_enrichment(self, sandbox: Sandbox, *, flag: bool) -> None:
        word = str(flag).lower()
        found = walk(sandbox, "/lead-lists", has_enrichment_task=word)
        rows = sandbox.lists.rows
        assert found == [
            row for row in rows if row.get("has_enrichment_task", False) is flag
        ]

    def test_search(self, sandbox: Sandbox) -> None:
        sandbox.labels.add(1, label="Wants a Zeppelin")
        sandbox.lists.add(2, name="Zeppelin pilots")
        assert len(walk(sandbox, search="ZEPPELIN")) == 1
        assert len(walk(sandbox, "/lead-lists", search="zeppelin", limit=1)) == 2
        assert walk(sandbox, search="dirigible") == []

    def test_filters_know_the_last_page(self, sandbox: Sandbox) -> None:
        sandbox.end = "absent"
        sandbox.labels.add(2, label="Zeppelin")
        assert "next_starting_after" in page(sandbox, search="zeppelin", limit=1)
        assert "next_starting_after" not in page(sandbox, search="zeppelin", limit=2)

    def test_one_row(self, sandbox: Sandbox) -> None:
        for path, listing in (
            ("/lead-labels", sandbox.labels),
            ("/lead-lists", sandbox.lists),
        ):
            row = listing.rows[7]
            assert page(sandbox, f"{path}/{row['id']}") == row
            listing.delete(row["id"])
            gone = get(sandbox, f"{path}/{row['id']}")
            assert (gone.status_code, gone.json()["error"]) == (404, "Not Found")
            assert get(sandbox, f"{path}/7").status_code == 400


class TestRefusals:
    @pytest.mark.parametrize(
        ("header", "message"),
        [
            (None, "Missing authorization header"),
            ("Bearer wrong", "Invalid API key"),
            ("", "Invalid API key"),
        ],
    )
    def test_without_the_key(
        self, sandbox: Sandbox, header: str | None, message: str
    ) -> None:
        headers = {} if header is None else {"Authorization": header}
        response = requests.get(
            sandbox.url + "/lead-labels", headers=headers, timeout=10
        )
        assert response.status_code == 401
        assert response.json() == {
            "statusCode": 401,
            "error": "Unauthorized",
            "message": message,
        }

    @pytest.mark.parametrize("path", ["/labels", "/lead-labels/", "/lead-labels/a/b"])
    def test_an_unknown_path(self, sandbox: Sandbox, path: str) -> None:
        response = get(sandbox, path)
        assert response.status_code == 404
        assert response.json()["message"] == f"Route GET:/api/v2{path} not found"

    def test_an_unknown_method(self, sandbox: Sandbox) -> None:
        response = requests.post(sandbox.url + "/lead-labels", timeout=10)
        assert response.status_code == 404
        assert "Route POST:" in response.json()["message"]

    @pytest.mark.parametrize("agent", ["User-Agent: Python-urllib/3.12\r\n", ""])
    def test_a_suspicious_user_agent_meets_cloudflare(
        self, sandbox: Sandbox, agent: str
    ) -> None:
        with closing(socket.create_connection(("127.0.0.1", sandbox.port))) as client:
            request = (
                f"GET /api/v2/lead-labels HTTP/1.1\r\nHost: x\r\n{agent}"
                f"Authorization: Bearer {sandbox.key}\r\nConnection: close\r\n\r\n"
            )
            client.sendall(request.encode())
            answer = client.makefile("rb").read().decode()
        assert answer.startswith("HTTP/1.1 403")
        assert "text/html" in answer
        assert "Cloudflare" in answer

    @pytest.mark.parametrize(
        "cursor", ["yesterday", "2026-01-01", "2026-13-01T00:00:00Z"]
    )
    def test_a_bad_timestamp_cursor(self, sandbox: Sandbox, cursor: str) -> None:
        assert get(sandbox, "/lead-labels", starting_after=cursor).status_code == 400

    def test_a_bad_id_cursor(self, sandbox: Sandbox) -> None:
        sandbox.cursor = "id"
        cursor = sandbox.lists.rows[0]["id"]
        assert get(sandbox, "/lead-labels", starting_after=cursor).status_code == 400

    @pytest.mark.parametrize(
        "params",
        [
            {"limit": 0},
            {"limit": 101},
            {"limit": "ten"},
            {"created_after": "2026"},
            {"interest_status": 57},
        ],
    )
    def test_strict(self, sandbox: Sandbox, params: dict[str, object]) -> None:
        assert get(sandbox, "/lead-labels", **params).status_code == 200
        sandbox.strict = True
        response = get(sandbox, "/lead-labels", **params)
        assert response.status_code == 400
        body = response.json()
        assert (body["statusCode"], body["error"]) == (400, "Bad Request")
        assert next(iter(params)) in body["message"]

    def test_strict_takes_what_is_documented(self, sandbox: Sandbox) -> None:
        sandbox.strict = True
        rows = sandbox.labels.rows
        assert len(walk(sandbox, limit=100)) == len(rows)
        assert page(sandbox, interest_status="neutral", search="e")["items"]


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
        sandbox.labels.order = "oldest"
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
            cursor = (moment(rows[41]["timestamp_created"]) + apart).isoformat()
            assert page(sandbox, starting_after=cursor)["items"] == rows[42:52]
            sandbox.labels.delete(rows[milliseconds]["id"])
        sandbox.labels.delete(rows[41]["id"])
        assert page(sandbox, starting_after=cursor)["items"] == rows[42:52]

    def test_strict_timestamps_lose_ties_at_the_edge(self, sandbox: Sandbox) -> None:
        tied = sandbox.labels.add(15, at="2026-11-01T00:00:00Z")
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
        tied = sandbox.labels.add(3, at="2026-11-01T00:00:00Z")
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
        sandbox.labels.add(4, at="2026-11-01T12:00:07.000Z")
        sandbox.labels.add(4, at="2026-11-01T12:00:07.500Z")
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
            assert moment(row["timestamp_created"]) == moment(
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
        with pytest.raises(ValueError, match=name):
            setattr(Sandbox(), name, "sideways")

    def test_a_switch_that_does_not_exist(self) -> None:
        with pytest.raises(TypeError, match="'ordr'"):
            Sandbox(ordr="newest")  # type: ignore[call-arg]


def raw(sandbox: Sandbox, cursor: str) -> requests.Response:
    """Ask for a page with a cursor that goes out exactly as it stands."""
    request = requests.Request(
        "GET", sandbox.url, headers={"Authorization": f"Bearer {sandbox.key}"}
    ).prepare()
    request.url = f"{sandbox.url}/lead-labels?starting_after={cursor}"
    with requests.Session() as session:
        return session.send(request, timeout=10)


def statuses(sandbox: Sandbox, count: int) -> list[int]:
    """Return the statuses of some requests in a row."""
    return [get(sandbox, "/lead-labels").status_code for _ in range(count)]


class TestRows:
    def test_added_rows_are_the_newest(self, sandbox: Sandbox) -> None:
        before = sandbox.labels.rows
        added = sandbox.labels.add(5)
        assert walk(sandbox) == [*added[::-1], *before]
        assert len({row["timestamp_created"] for row in added}) == 5
        numbers = {row["interest_status"] for row in sandbox.labels.rows}
        assert len(numbers) == 255

    @pytest.mark.parametrize("order", get_args(Order))
    def test_rows_change_in_every_order(self, sandbox: Sandbox, order: Order) -> None:
        sandbox.order = order
        before = walk(sandbox)
        added = sandbox.labels.add(3, at="2026-10-01T00:00:00Z")
        assert sorted(ids(walk(sandbox))) == sorted(ids(before + added))
        for row in added:
            sandbox.labels.delete(row["id"])
        assert walk(sandbox) == before

    def test_added_at_one_instant(self, sandbox: Sandbox) -> None:
        added = sandbox.labels.add(99, at="2026-03-01T00:00:00.000Z")
        sandbox.lists.add(1, at=datetime(2026, 3, 1, tzinfo=timezone.utc))
        same = "2026-03-01T00:00:00.000Z"
        for listing in (sandbox.labels, sandbox.lists):
            times = [row["timestamp_created"] for row in listing.rows]
            assert same in times
            assert times == sorted(times, reverse=True)
        assert {row["timestamp_created"] for row in added} == {same}
        assert len(set(ids(added))) == 99

    def test_added_with_other_values(self, sandbox: Sandbox) -> None:
        (row,) = sandbox.labels.add(1, use_with_ai="yes", label=..., extra=None)
        assert row["use_with_ai"] == "yes"
        assert "label" not in row
        assert page(sandbox, limit=1)["items"] == [row]
        assert row["extra"] is None

    def test_added_with_an_id(self, sandbox: Sandbox) -> None:
        chosen = "0190c3f4-1a2b-7c3d-8e4f-5a6b7c8d9e0f"
        sandbox.labels.add(1, id=chosen)
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


class TestRequests:
    def test_are_recorded(self, sandbox: Sandbox) -> None:
        get(sandbox, "/lead-labels", limit=3, search="a b&c")
        get(sandbox, "/nothing")
        first, second = sandbox.requests
        assert (first.method, first.path) == ("GET", "/api/v2/lead-labels")
        assert first.query == {"limit": "3", "search": "a b&c"}
        assert first.headers["Authorization"] == f"Bearer {sandbox.key}"
        assert (first.status, second.status) == (200, 404)
        sandbox.requests.clear()
        get(sandbox, "/lead-lists")
        assert len(sandbox.requests) == 1

    def test_rows_may_be_added_while_a_client_pages(self, sandbox: Sandbox) -> None:
        before = ids(sandbox.labels.rows)
        sandbox.on_request = lambda _: sandbox.labels.add(1)
        rows = ids(walk(sandbox, limit=100))
        assert len(sandbox.requests) == 4
        assert rows[1:] == before
        sandbox.on_request = None
        assert len(walk(sandbox)) == 254


class TestFaults:
    @pytest.mark.parametrize(
        "status", [302, 400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 504]
    )
    def test_a_status(self, sandbox: Sandbox, status: int) -> None:
        sandbox.fail("/lead-labels", status)
        response = get(sandbox, "/lead-labels")
        assert response.status_code == sandbox.requests[0].status == status
        body = response.json()
        assert set(body) == {"statusCode", "error", "message"}
        assert body["statusCode"] == status
        assert ("Location" in response.headers) == (status == 302)
        assert get(sandbox, "/lead-lists").status_code == 200
        sandbox.heal()
        assert get(sandbox, "/lead-labels").status_code == 200

    def test_headers_and_body(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", 429, headers={"Retry-After": "3"}, times=1)
        sandbox.fail("/lead-labels", 200, body=b'{"items": [')
        assert get(sandbox, "/lead-labels").headers["Retry-After"] == "3"
        response = get(sandbox, "/lead-labels")
        assert (response.status_code, response.content) == (200, b'{"items": [')
        sandbox.fail("/lead-lists", 502, body=b"Bad gateway")
        response = get(sandbox, "/lead-lists")
        assert (response.status_code, response.text) == (502, "Bad gateway")

    def test_after_and_times(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", 503, after=2, times=1)
        assert statuses(sandbox, 5) == [200, 200, 503, 200, 200]

    def test_several_in_turn(self, sandbox: Sandbox) -> None:
        sandbox.fail("lead-labels", 503, times=2)
        sandbox.fail("lead-labels", 402, after=1, times=1)
        assert statuses(sandbox, 5) == [503, 503, 200, 402, 200]

    @pytest.mark.parametrize(
        ("kind", "status", "content_type", "part"),
        [
            ("html403", 403, "text/html", "Cloudflare"),
            ("not-json", 200, "text/html", "<!DOCTYPE"),
            ("no-items", 200, "application/json", '{"'),
            ("items-null", 200, "application/json", '{"items":null}'),
            ("not-object", 200, "application/json", "[]"),
        ],
    )
    def test_a_strange_body(
        self, sandbox: Sandbox, kind: str, status: int, content_type: str, part: str
    ) -> None:
        sandbox.faults.append(Fault.parse(f"lead-labels:{kind}"))
        response = get(sandbox, "/lead-labels")
        assert response.status_code == status
        assert response.headers["Content-Type"].startswith(content_type)
        assert part in response.text
        assert '"items":[' not in response.text

    def test_reset(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", "reset", times=1)
        with pytest.raises(requests.ConnectionError, match="reset by peer"):
            get(sandbox, "/lead-labels")
        assert sandbox.requests[0].status == 0
        assert get(sandbox, "/lead-labels").status_code == 200

    def test_truncate(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", "truncate", times=1)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            get(sandbox, "/lead-labels")
        assert get(sandbox, "/lead-labels").status_code == 200

    def test_hang_does_not_hold_up_the_end(self) -> None:
        with Sandbox() as sandbox:
            sandbox.fail("/lead-labels", "hang")
            with closing(
                socket.create_connection(("127.0.0.1", sandbox.port), timeout=5)
            ) as client:
                arrived = threading.Event()
                sandbox.on_request = lambda _: arrived.set()
                client.sendall(
                    b"GET /api/v2/lead-labels HTTP/1.1\r\n"
                    b"Host: x\r\nUser-Agent: x\r\n\r\n"
                )
                assert arrived.wait(5)
                sandbox.stop()
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_hang_leaves_the_others_alone(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", "hang")
        url = sandbox.url + "/lead-labels"
        with pytest.raises(requests.ReadTimeout):
            requests.get(url, timeout=0.05)
        assert get(sandbox, "/lead-lists").status_code == 200

    @pytest.mark.parametrize(
        ("text", "after", "times"),
        [
            ("lead-labels:503", 0, None),
            ("lead-labels:503@2", 2, None),
            ("lead-labels:503x3", 0, 3),
            ("lead-labels:503@12x1", 12, 1),
        ],
    )
    def test_in_text(self, text: str, after: int, times: int | None) -> None:
        fault = Fault.parse(text)
        assert (fault.path, fault.kind) == ("lead-labels", 503)
        assert (fault.after, fault.times) == (after, times)
        assert Fault.parse("lists:html403x3").kind == "html403"

    @pytest.mark.parametrize(
        "text", ["", "503", "a:", "a:nonsense", "a:503@", "a:503xx"]
    )
    def test_in_bad_text(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"\.$"):
            Fault.parse(text)


class TestServer:
    def test_leaves_nothing_behind(self) -> None:
        before = threading.enumerate()
        arrived = threading.Event()
        with requests.Session() as idle:
            with Sandbox(on_request=lambda _: arrived.set()) as sandbox:
                assert len(threading.enumerate()) == len(before) + 1
                idle.get(sandbox.url, timeout=10)
                sandbox.latency = 3600
                arrived.clear()
                waiting = socket.create_connection(("127.0.0.1", sandbox.port))
                waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert arrived.wait(5)
            waiting.close()
        assert threading.enumerate() == before
        with pytest.raises(requests.ConnectionError):
            requests.get(sandbox.url, timeout=1)

    def test_two_at_once(self, sandbox: Sandbox) -> None:
        with Sandbox(seed=2) as other:
            assert other.url != sandbox.url
            assert page(other)["items"] != page(sandbox)["items"]

    def test_port_in_use(self, sandbox: Sandbox) -> None:
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=sandbox.port).start()


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `instantly-sandbox` in an environment without a key."""
    return subprocess.run(
        [*CLI, *arguments],
        env=clean_environment() | env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        input="from stdin",
    )


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what the CLI looks at or sets."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAP_INSTANTLY_", "MELTANO_"))
    }


PRINT_PAGE = """
import os, urllib.request
request = urllib.request.Request(
    os.environ["TAP_INSTANTLY_API_URL"] + "/lead-labels?limit=100",
    headers={
        "Authorization": "Bearer " + os.environ["TAP_INSTANTLY_API_KEY"],
        "User-Agent": "test",
    },
)
print(urllib.request.urlopen(request).read().decode())
"""
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
EXIT_ON_SIGNAL = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: sys.exit(40 + number))
print("ready", flush=True)
sys.stdin.read()
"""


class TestCommand:
    def test_run_gives_the_command_a_sandbox(self) -> None:
        done = run("run", "--", sys.executable, "-c", PRINT_PAGE)
        assert len(json.loads(done.stdout)["items"]) == 40
        assert (done.returncode, done.stderr) == (0, "")

    def test_options_stand_on_either_side(self) -> None:
        command = ["--", sys.executable, "-c", PRINT_PAGE]
        before = run("--labels", "3", "--seed=9", "--order", "oldest", "run", *command)
        after = run("run", "--labels=3", "--seed", "9", "--order=oldest", *command)
        both = run(
            "--labels=7", "--seed=9", "run", "--labels=3", "--order=oldest", *command
        )
        rows = Sandbox(seed=9, labels=3).labels.rows[::-1]
        for done in (before, after, both):
            assert json.loads(done.stdout)["items"] == rows

    def test_every_option_arrives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started: list[Sandbox] = []

        def start(sandbox: Sandbox) -> None:
            started.append(sandbox)

        monkeypatch.setattr(Sandbox, "start", start)
        monkeypatch.setattr(Sandbox, "stop", lambda _: None)
        values: Row = {
            "order": "oldest",
            "cursor": "id",
            "comparison": "inclusive",
            "end": "null",
            "encoding": "symbols",
            "timestamps": "mixed",
            "short_pages": 3,
            "latency": 0.5,
            "requests_per_second": 8,
            "requests_per_minute": 9,
            "retry_after": "10",
            "port": 4321,
        }
        options = [f"--{name.replace('_', '-')}={values[name]}" for name in values]
        data = ["--seed=5", "--labels=6", "--lists=7", "--ties=2", "--strict"]
        arguments = [*options, *data, "run", "--", "true"]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        (sandbox,) = started
        assert {name: getattr(sandbox, name) for name in values} == values
        assert sandbox.strict
        twin = Sandbox(seed=5, labels=6, lists=7, ties=2, timestamps="mixed")
        assert sandbox.labels.rows == twin.labels.rows
        assert sandbox.lists.rows == twin.lists.rows

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_fault(self, where: str) -> None:
        fault = ["--fault", "lead-lists:500", "--fault", "lead-labels:402"]
        command = ["--", sys.executable, "-c", PRINT_PAGE]
        done = (
            run(*fault, "run", *command)
            if where == "before"
            else run("run", *fault, *command)
        )
        assert "HTTP Error 402" in done.stderr

    def test_environment(self) -> None:
        command = ["--", sys.executable, "-c", PRINT_ENVIRONMENT]
        given = json.loads(run("run", *command, TAP_INSTANTLY_API_KEY="own").stdout)
        assert given["MELTANO_ENVIRONMENT"] == "sandbox"
        assert given["TAP_INSTANTLY_API_URL"].startswith("http://127.0.0.1:")
        assert given["TAP_INSTANTLY_API_KEY"] == Sandbox().key
        chosen = json.loads(run("run", *command, MELTANO_ENVIRONMENT="mine").stdout)
        assert chosen["MELTANO_ENVIRONMENT"] == "mine"

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            (None, "own"),
            ("TAP_INSTANTLY_API_KEY=own\n", ""),
            ('A=1\nexport TAP_INSTANTLY_API_KEY = "own"\n', ""),
        ],
    )
    def test_unless_key_with_a_key(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        text: str | None,
        key: str,
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        monkeypatch.chdir(tmp_path)
        if text:
            (tmp_path / ".env").write_text(text)
        command = [sys.executable, "-c", PRINT_ENVIRONMENT + "; raise SystemExit(5)"]
        done = run("run", "--unless-key", "--", *command, TAP_INSTANTLY_API_KEY=key)
        given = json.loads(done.stdout)
        assert given["TAP_INSTANTLY_API_KEY"] == key
        assert not {"TAP_INSTANTLY_API_URL", "MELTANO_ENVIRONMENT"} & set(given)
        assert done.stderr.count("\n") == 1
        assert (".env" if text else "environment") in done.stderr
        assert "own" not in done.stderr
        assert done.returncode == 5

    @pytest.mark.parametrize(
        "text",
        [
            None,
            "TAP_INSTANTLY_API_KEY=\nA=1\n",
            "TAP_INSTANTLY_API_KEY=''\n",
            "# TAP_INSTANTLY_API_KEY=own\n",
        ],
    )
    def test_unless_key_without_a_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        monkeypatch.chdir(tmp_path)
        if text:
            (tmp_path / ".env").write_text(text)
        done = run("run", "--unless-key", "--", sys.executable, "-c", PRINT_ENVIRONMENT)
        assert json.loads(done.stdout)["TAP_INSTANTLY_API_KEY"] == Sandbox().key
        assert "sandbox" in done.stderr
        assert done.stderr.count("\n") == 1

    def test_standard_streams_and_exit_code_are_the_commands(self) -> None:
        code = "import sys; print(sys.stdin.read()); sys.stderr.write('e'); exit(7)"
        done = run("run", "--", sys.executable, "-c", code)
        assert (done.stdout, done.stderr) == ("from stdin\n", "e")
        assert done.returncode == 7

    def test_the_command_may_stand_without_dashes(self) -> None:
        assert run("run", sys.executable, "-c", "raise SystemExit(8)").returncode == 8

    def test_death_by_a_signal(self) -> None:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        assert run("run", "--", sys.executable, "-c", code).returncode == 137

    def test_a_command_that_does_not_exist(self) -> None:
        done = run("run", "--", "no-such-command")
        assert done.returncode == 127
        assert done.stderr == "Error: The command no-such-command does not exist.\n"

    def test_a_command_that_cannot_run(self, tmp_path: Path) -> None:
        done = run("run", "--", str(tmp_path))
        assert done.returncode == 126
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals_are_passed_on(self, number: signal.Signals) -> None:
        with subprocess.Popen(
            [*CLI, "run", "--", sys.executable, "-c", EXIT_ON_SIGNAL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.wait(10) == 40 + number

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_serve(self, number: signal.Signals) -> None:
        with subprocess.Popen(
            [*CLI, "serve", "--labels=2"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            url, key = (
                process.stdout.readline().strip().partition("=")[2] for _ in range(2)
            )
            headers = {"Authorization": f"Bearer {key}"}
            body = requests.get(
                url + "/lead-labels", headers=headers, timeout=10
            ).json()
            assert body["items"] == Sandbox(labels=2).labels.rows
            process.send_signal(number)
            assert process.wait(10) == 0
            assert process.stdout.read() == ""

    def test_port(self, sandbox: Sandbox) -> None:
        for command in (["serve"], ["run", "--", "true"]):
            done = run("--port", str(sandbox.port), *command)
            assert done.returncode == 1
            reason = f"Cannot listen on port {sandbox.port}: Address already in use."
            assert done.stderr == f"Error: {reason}\n"

    @pytest.mark.parametrize("text", ["nonsense", "lead-labels:nonsense"])
    def test_bad_fault(self, text: str) -> None:
        done = run("run", "--fault", text, "--", "true")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "--fault" in done.stderr

    def test_without_aiohttp(self) -> None:
        code = (
            "import sys; sys.modules['aiohttp'] = None; sys.argv = ['x', 'serve'];"
            "from tap_instantly.sandbox.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "pip install 'tap-instantly[sandbox]'" in done.stderr
        assert done.stderr.count("\n") == 1
