"""Background jobs, the audit log, webhooks and their events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.webhooks import CANARY_HEADER
from tests.sandbox.requesting import answer, get, ids, page, total, walk

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox


class TestLogs:
    def test_jobs_by_their_times(self, sandbox: Sandbox) -> None:
        path = "/background-jobs"
        rows = walk(sandbox, path)
        assert {len(row["id"]) for row in rows} == {24}
        for column in ("created_at", "updated_at"):
            found = walk(sandbox, path, sort_column=column, sort_order="desc", limit=9)
            times = [row[column] for row in found]
            assert times == sorted(times, reverse=True)
            oldest = walk(sandbox, path, sort_column=column, sort_order="asc")
            assert oldest == found[::-1]
            assert sorted(ids(found)) == sorted(ids(rows))

    def test_jobs_by_state(self, sandbox: Sandbox) -> None:
        rows = walk(sandbox, "/background-jobs", status="failed,cancelled")
        assert {row["status"] for row in rows} == {"failed", "cancelled"}

    def test_a_thousand_logs_at_once(self, sandbox: Sandbox) -> None:
        path = "/audit-logs"
        rows = page(sandbox, path, limit=1000)["items"]
        assert rows == walk(sandbox, path)
        assert len(rows) == 120
        assert get(sandbox, path, limit=1001).status_code == 400
        assert get(sandbox, "/webhooks", limit=1000).status_code == 400

    def test_logs_within_a_window(self, sandbox: Sandbox) -> None:
        path = "/audit-logs"
        times = [row["timestamp"] for row in walk(sandbox, path)]
        window = {"start_date": times[50], "end_date": times[20]}
        some = [row["timestamp"] for row in walk(sandbox, path, **window)]
        assert some == times[20:51]

    def test_webhook_headers(self, sandbox: Sandbox) -> None:
        rows = [row for row in walk(sandbox, "/webhooks") if "headers" in row]
        values = [value for row in rows for value in row["headers"].values()]
        assert values
        assert all(CANARY_HEADER in value for value in values)

    def test_event_types_include_labels(self, sandbox: Sandbox) -> None:
        types = answer(sandbox, "/webhooks/event-types")["event_types"]
        assert len(set(ids(types))) == len(types)
        labels = {row["id"]: row["label"] for row in sandbox.labels.rows}
        assert labels.items() <= {(row["id"], row["label"]) for row in types}

    def test_days_of_events_are_inclusive(self, sandbox: Sandbox) -> None:
        path = "/webhook-events"
        rows = walk(sandbox, path)
        days = sorted({row["timestamp_created_date"] for row in rows})
        window = {"from": days[3], "to": days[5]}
        some = walk(sandbox, path, **window)
        assert {row["timestamp_created_date"] for row in some} == {*days[3:6]}
        failed = walk(sandbox, path, success="false")
        assert failed == [row for row in rows if not row["success"]]

    def test_summary_is_counted(self, sandbox: Sandbox) -> None:
        path = "/webhook-events/summary-by-date"
        rows = walk(sandbox, "/webhook-events")
        days = answer(sandbox, path)["items"]
        assert total(days, "total_events") == len(rows)
        assert total(days, "successful_events") == sum(row["success"] for row in rows)
        window = {"from": days[2]["date"], "to": days[4]["date"]}
        assert answer(sandbox, path, **window)["items"] == days[2:5]
