"""Inbox placement tests and how they turned out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.requesting import Row, answer, get, ids, page, post, total, walk

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox


class TestInboxPlacement:
    def test_order(self, sandbox: Sandbox) -> None:
        path = "/inbox-placement-tests"
        newest = walk(sandbox, path)
        assert walk(sandbox, path, sort_order="asc") == newest[::-1]
        times = [row["timestamp_created"] for row in newest]
        assert times == sorted(times, reverse=True)

    def test_metadata_of_one_test_alone(self, sandbox: Sandbox) -> None:
        path = "/inbox-placement-tests"
        assert get(sandbox, path, with_metadata="true").status_code == 400
        (row,) = page(sandbox, path, limit=1)["items"]
        assert answer(sandbox, f"{path}/{row['id']}", with_metadata="true") == row

    def test_options(self, sandbox: Sandbox) -> None:
        rows = answer(sandbox, "/inbox-placement-tests/email-service-provider-options")
        assert {len(row) for row in rows} == {4}
        assert len({tuple(row.values()) for row in rows}) == len(rows)

    def test_analytics_of_a_test(self, sandbox: Sandbox) -> None:
        path = "/inbox-placement-analytics"
        assert get(sandbox, path).status_code == 400
        tests = ids(walk(sandbox, "/inbox-placement-tests"))
        sizes = [len(walk(sandbox, path, test_id=test)) for test in tests]
        assert sum(sizes) == len(sandbox.tables["inbox_placement_analytics"])
        assert sizes[0] == 0
        assert max(sizes) > 100

    def test_filters(self, sandbox: Sandbox) -> None:
        path = "/inbox-placement-analytics"
        test, rows = self._largest(sandbox)
        days = sorted({row["timestamp_created_date"] for row in rows})
        window = {"date_from": days[1], "date_to": days[2]}
        some = walk(sandbox, path, test_id=test, **window)
        assert {row["timestamp_created_date"] for row in some} == {*days[1:3]}
        some = walk(sandbox, path, test_id=test, recipient_geo="2,4")
        assert {row["recipient_geo"] for row in some} == {2, 4}
        sender = rows[0]["sender_email"]
        some = walk(sandbox, path, test_id=test, sender_email=sender)
        assert {row["sender_email"] for row in some} == {sender}
        assert len(some) < len(rows)

    def test_verdicts_on_what_arrived(self, sandbox: Sandbox) -> None:
        rows = sandbox.tables["inbox_placement_analytics"].rows
        assert all(("is_spam" in row) == (row["record_type"] == 2) for row in rows)
        kinds = {type(row.get("is_spam")) for row in rows}
        assert kinds == {bool, int, type(None)}

    def test_stats_are_counted(self, sandbox: Sandbox) -> None:
        test, rows = self._largest(sandbox)
        path = "/inbox-placement-analytics"
        received = [row for row in rows if row["record_type"] == 2]
        spam = sum(row["is_spam"] for row in received)
        (stat,) = post(sandbox, f"{path}/stats-by-test-id", test_ids=[test]).json()
        assert stat["count"] == len(received)
        assert stat["spam_count"] == spam
        parts = ("spam", "inbox", "category")
        assert sum(stat[f"{part}_count"] for part in parts) == stat["count"]
        assert sum(stat[f"{part}_percent"] for part in parts) == pytest.approx(
            100, 0.01
        )
        days = post(sandbox, f"{path}/stats-by-date", test_id=test).json()
        assert total(days, "sent_count") == len(rows) - len(received)
        assert total(days, "received_count") == len(received)
        assert total(days, "spam_count") == spam

    def test_stats_of_no_rows(self, sandbox: Sandbox) -> None:
        tests = ids(walk(sandbox, "/inbox-placement-tests"))
        path = "/inbox-placement-analytics/stats-by-test-id"
        stats = post(sandbox, path, test_ids=tests).json()
        assert {row["test_id"] for row in stats} == {*tests[1:]}
        assert post(sandbox, path).status_code == 400

    def test_insights(self, sandbox: Sandbox) -> None:
        test, rows = self._largest(sandbox)
        path = "/inbox-placement-analytics/deliverability-insights"
        day = min(row["timestamp_created_date"] for row in rows)
        now = post(sandbox, path, test_id=test, date_from=day, date_to=day).json()
        before = {"previous_date_from": day, "previous_date_to": day}
        both = post(
            sandbox, path, test_id=test, show_previous=True, recipient_geo=[1], **before
        ).json()
        pairs = {(row["sender_esp"], row["recipient_esp"]) for row in rows}
        assert {(row["sender_esp"], row["recipient_esp"]) for row in now} == pairs
        assert {row["prev_spam_percentage"] for row in now} == {None}
        assert any(row["prev_inbox_percentage"] for row in both)
        assert len(both) < len(now)

    def test_reports(self, sandbox: Sandbox) -> None:
        path = "/inbox-placement-reports"
        test, _ = self._largest(sandbox)
        rows = walk(sandbox, path, test_id=test)
        assert all(
            {"spam_assassin_report", "blacklist_report"} <= {*row} for row in rows
        )
        short = walk(
            sandbox,
            path,
            test_id=test,
            skip_spam_assassin_report="true",
            skip_blacklist_report="true",
        )
        assert ids(short) == ids(rows)
        assert not any(key.endswith("_report") for row in short for key in row)
        assert walk(sandbox, path, test_id=test) == rows

    def _largest(self, sandbox: Sandbox) -> tuple[str, list[Row]]:
        """Return a test that has run for days, and its analytics."""
        tests = walk(sandbox, "/inbox-placement-tests")
        test = next(row["id"] for row in tests[1:] if row["type"] == 2)
        return test, walk(sandbox, "/inbox-placement-analytics", test_id=test)
