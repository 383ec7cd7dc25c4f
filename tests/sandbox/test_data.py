"""The rows, and how the API shows them."""

from __future__ import annotations

import base64
import itertools
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store.api import Call
from tests.sandbox.requesting import (
    LABEL_KEYS,
    LIST_KEYS,
    get,
    ids,
    page,
    read_timestamp,
    walk,
)


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

    def test_has_the_requested_sizes(self) -> None:
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
            made = read_timestamp(row["timestamp_created"]).timestamp()
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
        times = [
            read_timestamp(row["timestamp_created"]) for row in Sandbox().lists.rows
        ]
        gaps = {newer - older for newer, older in itertools.pairwise(times)}
        assert times == sorted(times, reverse=True)
        assert len(gaps) > 200
        assert min(gaps) > timedelta(0)
        assert datetime(2026, 9, 1, tzinfo=timezone.utc) < times[0]
        assert times[0] < datetime(2026, 11, 1, tzinfo=timezone.utc)

    def test_many_rows_stay_in_recent_years(self) -> None:
        labels = Sandbox(labels=100_000, order="oldest").labels
        (first,) = labels.page(Call(query={"limit": ["1"]}))["items"]
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

    def test_a_limit_over_100_is_refused(self, sandbox: Sandbox) -> None:
        assert get(sandbox, "/lead-labels", limit=101).status_code == 400

    @pytest.mark.parametrize("limit", ["0", "-1", "many"])
    def test_a_limit_of_nonsense_is_ignored(self, sandbox: Sandbox, limit: str) -> None:
        assert len(page(sandbox, limit=limit)["items"]) == 10

    def test_starting_after_means_older(self, sandbox: Sandbox) -> None:
        rows = sandbox.labels.rows
        body = page(sandbox, starting_after=rows[4]["timestamp_created"], limit=2)
        assert body["items"] == rows[5:7]

    def test_a_cursor_need_not_be_the_time_of_a_row(self, sandbox: Sandbox) -> None:
        rows = sandbox.labels.rows
        later = read_timestamp(rows[4]["timestamp_created"]) + timedelta(milliseconds=1)
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
            row = empty.labels.add()
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
        sandbox.labels.add(label="Wants a Zeppelin")
        sandbox.lists.add_many(2, name="Zeppelin pilots")
        assert len(walk(sandbox, search="ZEPPELIN")) == 1
        assert len(walk(sandbox, "/lead-lists", search="zeppelin", limit=1)) == 2
        assert walk(sandbox, search="dirigible") == []

    def test_filters_know_the_last_page(self, sandbox: Sandbox) -> None:
        sandbox.end = "absent"
        sandbox.labels.add_many(2, label="Zeppelin")
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
