"""Lists of all families: complete, repeatable and linked."""

from __future__ import annotations

import pytest

from tap_instantly.sandbox import Sandbox
from tests.sandbox.requesting import ids, walk

SIZES = {
    "/inbox-placement-tests": 14,
    "/api-keys": 5,
    "/background-jobs": 115,
    "/block-lists-entries": 230,
    "/workspace-group-members": 4,
    "/workspace-members": 9,
    "/audit-logs": 120,
    "/webhooks": 8,
    "/webhook-events": 150,
    "/ai-agents": 13,
    "/ai-agents/lead-finder": 3,
}


class TestLists:
    @pytest.mark.parametrize("path", SIZES)
    def test_all_rows_once(self, sandbox: Sandbox, path: str) -> None:
        rows = walk(sandbox, path)
        assert len(set(ids(rows))) == len(rows) == SIZES[path]
        assert walk(sandbox, path, limit=7) == rows

    def test_the_same_for_a_seed(self, sandbox: Sandbox) -> None:
        again = Sandbox(seed=3, labels=5, lists=60)
        other = Sandbox(seed=4, labels=5, lists=60)
        for name, table in sandbox.tables.items():
            assert table.rows == again.tables[name].rows
        names = ("audit_logs", "ai_agents", "inbox_placement_analytics", "webhooks")
        for name in names:
            assert sandbox.tables[name].rows != other.tables[name].rows

    def test_references(self, sandbox: Sandbox) -> None:
        known: dict[str, set[object]] = {
            name: {row[key] for row in sandbox.tables[table].rows}
            for name, table, key in (
                ("campaign_id", "campaigns", "id"),
                ("campaign", "campaigns", "id"),
                ("subsequence_id", "subsequences", "id"),
                ("webhook_id", "webhooks", "id"),
                ("api_key_id", "api_keys", "id"),
                ("test_id", "inbox_placement_tests", "id"),
                ("user_id", "workspace_members", "user_id"),
                ("lead_email", "leads", "email"),
                ("lead", "leads", "email"),
                ("sender_email", "accounts", "email"),
                ("webhook_url", "webhooks", "target_hook_url"),
                ("agent_id", "ai_agents", "id"),
                ("ai_sdr_id", "ai_agents", "id"),
            )
        }
        known["list_id"] = set(ids(sandbox.lists.rows))
        known["master_lead_list_id"] = known["list_id"]
        known["custom_interest_value"] = {
            row["interest_status"] for row in sandbox.labels.rows
        }
        found = set()
        for name in (
            "inbox_placement_tests",
            "inbox_placement_analytics",
            "inbox_placement_reports",
            "background_jobs",
            "audit_logs",
            "webhooks",
            "webhook_events",
            "ai_sales_agents",
            "ai_sales_agent_activities",
            "ai_inbox_manager_guidances",
            "ai_inbox_manager_replies",
            "ai_lead_finder_activities",
            "ai_deliverability_feed_items",
        ):
            for row in sandbox.tables[name].rows:
                for field in known.keys() & row.keys():
                    assert row[field] in known[field], (name, field)
                    found.add(field)
        assert found == known.keys()

    def test_added_rows_are_given(self, own: Sandbox) -> None:
        for name, path in (
            ("audit_logs", "/audit-logs"),
            ("background_jobs", "/background-jobs"),
            ("webhook_events", "/webhook-events"),
            ("block_list_entries", "/block-lists-entries"),
            ("dfy_email_account_orders", "/dfy-email-account-orders"),
        ):
            row = own.tables[name].add()
            rows = walk(own, path)
            assert row in rows
            assert len(rows) == len(own.tables[name])
        assert len(own.tables["background_jobs"].rows[0]["id"]) == 24
