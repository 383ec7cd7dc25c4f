"""What the sandbox tells of everything that belongs to a workspace as a whole."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.families.ai_agent_family import FEW, MANY, SALES
from tap_instantly.sandbox.families.domain_orders import CANARY_PASSWORD
from tap_instantly.sandbox.families.webhooks import CANARY_HEADER
from tap_instantly.sandbox.families.workspace_admin import CANARY_KEY
from tests.sandbox.requesting import get, ids, page, pages, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]

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


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A strict sandbox, in which the tests change nothing."""
    with Sandbox(seed=3, labels=5, lists=60, strict=True) as running:
        yield running


@pytest.fixture
def own() -> Iterator[Sandbox]:
    """A sandbox of a test's own, to change."""
    with Sandbox(seed=3, labels=5, lists=10, leads=20, emails=20) as running:
        yield running


def post(sandbox: Sandbox, path: str, **body: object) -> requests.Response:
    """Ask the sandbox with a JSON body."""
    return requests.post(
        sandbox.url + path,
        json=body,
        headers={"Authorization": f"Bearer {sandbox.key}"},
        timeout=10,
    )


def answer(sandbox: Sandbox, path: str, **params: object) -> Any:
    """Return what a good answer says."""
    response = get(sandbox, path, **params)
    assert response.status_code == 200, response.text
    return response.json()


def agents(sandbox: Sandbox, *types: int) -> list[str]:
    """Return the ids of the agents of some types, oldest first."""
    rows = walk(sandbox, "/ai-agents")
    return [row["id"] for row in reversed(rows) if row["type"] in types]


def total(rows: list[Row], field: str) -> int:
    """Return the sum of a field."""
    return sum(row[field] for row in rows)


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


class TestWorkspace:
    def test_secrets(self, sandbox: Sandbox) -> None:
        keys = {row["key"]: row["id"] for row in walk(sandbox, "/api-keys")}
        opens = keys.pop(sandbox.key)
        assert base64.b64decode(sandbox.key).decode().startswith(opens)
        assert all(key.startswith(CANARY_KEY) for key in keys)

    def test_block_list(self, sandbox: Sandbox) -> None:
        path = "/block-lists-entries"
        rows = walk(sandbox, path)
        domains = walk(sandbox, path, domains_only="true")
        assert domains == [row for row in rows if row["is_domain"]]
        assert all(("@" in row["bl_value"]) != row["is_domain"] for row in rows)
        assert list(map(len, pages(sandbox, path))) == [100, 100, 30]

    def test_workspace(self, sandbox: Sandbox) -> None:
        row = answer(sandbox, "/workspaces/current")
        lists = walk(sandbox, "/lead-lists")
        assert {one["organization_id"] for one in lists} == {row["id"]}
        owners = [
            one for one in walk(sandbox, "/workspace-members") if one["role"] == "owner"
        ]
        assert [one["user_id"] for one in owners] == [row["owner"]]

    def test_whitelabel_domain(self, own: Sandbox) -> None:
        path = "/workspaces/current/whitelabel-domain"
        row = answer(own, path)
        own.tables["workspace_whitelabel_domain"].delete(row["name"])
        assert get(own, path).status_code == 404

    def test_members(self, sandbox: Sandbox) -> None:
        path = "/workspace-members"
        invited = walk(sandbox, path, accepted="false")
        assert len(invited) == 3
        assert not any("name" in row for row in invited)
        assert len(walk(sandbox, path, search="member1@")) == 1

    def test_phone_numbers_in_a_bare_array(self, sandbox: Sandbox) -> None:
        rows = answer(sandbox, "/crm-actions/phone-numbers")
        assert len({row["phone_number"] for row in rows}) == 3

    def test_billing_counts_seconds(self, sandbox: Sandbox) -> None:
        plan = answer(sandbox, "/workspace-billing/plan-details")
        rows = answer(sandbox, "/workspace-billing/subscription-details")
        outreach = plan["subscriptions"]["outreach"]
        for row in (*rows["subscriptions"], outreach):
            assert 1_790_000_000 < row["current_period_end"] < 1_800_000_000
        assert outreach["current_lead_count"] == len(sandbox.tables["leads"])


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


class TestOrders:
    def test_orders_end_with_an_empty_cursor(self, sandbox: Sandbox) -> None:
        path = "/dfy-email-account-orders"
        first = page(sandbox, path, limit=4)
        assert first["next_starting_after"]
        assert page(sandbox, path)["next_starting_after"] == ""
        rows = walk(sandbox, path, limit=4)
        assert not any("id" in row for row in rows)
        keys = {(row["domain"], row["timestamp_created"]) for row in rows}
        assert len(keys) == len(rows) == len(sandbox.tables["dfy_email_account_orders"])
        assert len({row["domain"] for row in rows}) == len(rows) - 1

    def test_mailboxes(self, sandbox: Sandbox) -> None:
        path = "/dfy-email-account-orders/accounts"
        body = page(sandbox, path, limit=5)
        last = body["items"][-1]
        cursor = f"{last['id']}:{last['timestamp_created']}"
        assert body["next_starting_after"] == cursor
        rows = walk(sandbox, path, limit=5)
        assert len(set(ids(rows))) == len(rows)
        emails = {row["email"] for row in rows}
        assert emails >= {row["email"] for row in sandbox.tables["accounts"].rows}

    def test_passwords_only_if_asked_for(self, sandbox: Sandbox) -> None:
        path = "/dfy-email-account-orders/accounts"
        assert CANARY_PASSWORD not in get(sandbox, path, limit=100).text
        (row,) = page(sandbox, path, limit=1, with_passwords="true")["items"]
        assert CANARY_PASSWORD in row["password"]

    def test_forwarding(self, sandbox: Sandbox) -> None:
        orders = walk(sandbox, "/dfy-email-account-orders")
        found = {}
        for order in orders:
            response = get(sandbox, f"/domains/{order['domain']}/forwarding")
            found[order["domain"]] = response.status_code
            if response.status_code == 200:
                assert response.json().keys() == {
                    "domain",
                    "forwarding_domain",
                    "forwarding_mode",
                }
        assert sorted(found.values()) == [200] * (len(found) - 1) + [404]
        assert get(sandbox, "/domains/none/forwarding").status_code == 400
        assert (
            get(sandbox, "/domains/unknown.example.com/forwarding").status_code == 404
        )


class TestSuperSearch:
    def test_enrichments(self, sandbox: Sandbox) -> None:
        seen = set()
        for identity in self._resources(sandbox):
            response = get(sandbox, f"/supersearch-enrichment/{identity}")
            if response.status_code == 404:
                seen.add("none")
            else:
                row = response.json()
                assert row["resource_id"] == identity
                seen.add(str(row["exists"]))
        assert seen == {"none", "False", "True"}

    def test_under_way(self, sandbox: Sandbox) -> None:
        rows: list[Row] = []
        for identity in self._resources(sandbox):
            path = f"/supersearch-enrichment/ai/{identity}/in-progress"
            found = answer(sandbox, path)
            assert {row["resource_id"] for row in found} <= {identity}
            rows += found
        assert {row["resource_type"] for row in rows} <= {1, 2, "CAMPAIGN", "LIST"}
        assert {type(row["resource_type"]) for row in rows} == {int, str}
        assert len(set(ids(rows))) == len(rows)

    def test_history_by_offset(self, sandbox: Sandbox) -> None:
        campaigns = sandbox.tables["campaigns"].rows
        sizes = {}
        for campaign in campaigns:
            path = f"/supersearch-enrichment/history/{campaign['id']}"
            rows = answer(sandbox, path, limit=1000)
            sizes[path] = len(rows)
        path = max(sizes, key=lambda path: sizes[path])
        assert sizes[path] == 130
        rows = answer(sandbox, path, limit=100)
        rows += answer(sandbox, path, limit=100, offset=100)
        assert rows == answer(sandbox, path, limit=1000)
        assert answer(sandbox, path, offset=130) == []
        assert min(sizes.values()) == 0

    def test_unknown(self, sandbox: Sandbox) -> None:
        assert get(sandbox, "/supersearch-enrichment/unknown").status_code == 404

    def _resources(self, sandbox: Sandbox) -> list[str]:
        campaigns = ids(sandbox.tables["campaigns"].rows)
        return [*campaigns, *ids(sandbox.lists.rows)]


class TestAgents:
    def test_types_and_columns(self, sandbox: Sandbox) -> None:
        path = "/ai-agents"
        assert {row["type"] for row in walk(sandbox, path)} == {1, 3, 6, *SALES}
        assert len(walk(sandbox, path, type=6)) == 3
        by_id = ids(walk(sandbox, path, sort_column="id", sort_order="desc", limit=4))
        assert by_id == sorted(by_id, reverse=True)
        rows = walk(sandbox, path, sort_column="timestamp_updated", sort_order="asc")
        times = [row["timestamp_updated"] for row in rows]
        assert times == sorted(times)

    @pytest.mark.parametrize(
        ("kind", "types", "resources"),
        [
            (
                "sales",
                SALES,
                (
                    "",
                    "/activities",
                    "/analytics",
                    "/opportunities/summary",
                    "/leads/activity",
                    "/leads/activity/summary",
                    "/guidance-rules",
                ),
            ),
            (
                "inbox-manager",
                (1,),
                (
                    "",
                    "/guidances",
                    "/replies",
                    "/analytics/activity",
                    "/analytics/summary",
                    "/analytics/summary-by-date",
                ),
            ),
            ("lead-finder", (6,), ("", "/stats", "/activities")),
            ("deliverability", (3,), ("/feed-items",)),
        ],
    )
    def test_only_agents_of_the_type(
        self,
        sandbox: Sandbox,
        kind: str,
        types: tuple[int, ...],
        resources: tuple[str, ...],
    ) -> None:
        for row in walk(sandbox, "/ai-agents"):
            expected = 200 if row["type"] in types else 404
            for resource in resources:
                path = f"/ai-agents/{kind}/{row['id']}{resource}"
                assert get(sandbox, path).status_code == expected, path

    @pytest.mark.parametrize(
        ("path", "types"),
        [
            ("/ai-agents/sales/{}/leads/activity", SALES),
            ("/ai-agents/inbox-manager/{}/replies", (1,)),
            ("/ai-agents/inbox-manager/{}/analytics/activity", (1,)),
            ("/ai-agents/lead-finder/{}/activities", (6,)),
            ("/ai-agents/deliverability/{}/feed-items", (3,)),
        ],
    )
    def test_no_cursor_at_the_end(
        self, sandbox: Sandbox, path: str, types: tuple[int, ...]
    ) -> None:
        many = path.format(agents(sandbox, *types)[0])
        first, last = pages(sandbox, many)
        assert len(first) == 100
        assert len(last) >= MANY - 100
        assert "next_starting_after" not in page(
            sandbox, many, limit=100, starting_after=self._cursor(sandbox, many)
        )

    def test_sales_activities(self, sandbox: Sandbox) -> None:
        counts = []
        for agent in agents(sandbox, *SALES):
            path = f"/ai-agents/sales/{agent}/activities"
            rows = walk(sandbox, path)
            counts.append(len(rows))
            assert {row["ai_sdr_id"] for row in rows} == {agent}
            shown = walk(sandbox, path, exclude_live_feed_hidden="true")
            assert len(shown) < len(rows) or len(rows) == FEW
            failed = walk(sandbox, path, action_status="failed")
            assert failed == [row for row in rows if row["action_status"] == "failed"]
        assert counts == [MANY, *[FEW] * 6]

    def test_sales_figures_add_up(self, sandbox: Sandbox) -> None:
        path = f"/ai-agents/sales/{agents(sandbox, 2)[0]}/analytics"
        body = answer(sandbox, path)
        assert len(body["replies_per_day"]) == 60
        for name in ("replies", "leads_found", "opportunities"):
            assert total(body[f"{name}_per_day"], "y") == body["totals"][name]
        days = [point["x"] for point in body["replies_per_day"]]
        window = {"start_date": days[10], "end_date": days[12]}
        assert len(answer(sandbox, path, **window)["replies_per_day"]) == 3

    def test_sales_leads_are_counted(self, sandbox: Sandbox) -> None:
        base = f"/ai-agents/sales/{agents(sandbox, 2)[0]}"
        rows = walk(sandbox, f"{base}/leads/activity", limit=50)
        emails = [row["email"] for row in rows]
        assert emails == sorted(set(emails))
        assert len(page(sandbox, f"{base}/leads/activity")["items"]) == 100
        promising = page(sandbox, f"{base}/leads/activity", filter="has_opportunity")
        assert promising["total"] == len(promising["items"])
        summary = answer(sandbox, f"{base}/leads/activity/summary")
        assert summary["total"] == len(rows)
        assert summary["replied"] == sum(row["replied"] for row in rows)
        found = answer(sandbox, f"{base}/opportunities/summary")
        count = promising["total"]
        assert found["summary"]["total_opportunities"] == count
        assert sum(found["summary"]["breakdown"].values()) == count
        assert total(found["campaigns"], "total_opportunities") == count
        assert {row["campaign_id"] for row in found["campaigns"]} <= {
            row["id"] for row in sandbox.tables["campaigns"].rows
        }
        window = {"start_date": "2026-10-01T00:00:00Z"}
        recent = page(sandbox, f"{base}/leads/activity", limit=100, **window)
        assert 0 < recent["total"] == len(recent["items"]) < len(rows)

    def test_rules_are_counted_through(self, sandbox: Sandbox) -> None:
        found = set()
        for agent in agents(sandbox, *SALES):
            rows = answer(sandbox, f"/ai-agents/sales/{agent}/guidance-rules")["items"]
            assert ids(rows) == [str(place) for place in range(len(rows))]
            found.add(len(rows))
        assert max(found) <= 10
        assert len(found) > 1

    def test_activity_says_whether_there_is_more(self, sandbox: Sandbox) -> None:
        path = f"/ai-agents/inbox-manager/{agents(sandbox, 1)[0]}/analytics/activity"
        body = page(sandbox, path)
        assert len(body["items"]) == 25
        assert body["has_more"] is True
        recovered = page(sandbox, path, activity_type="recovery", limit=100)
        assert recovered["has_more"] is False
        assert {row["activity_type"] for row in recovered["items"]} == {"recovery"}
        refused = {"activity_type": "recovery", "action_pending": "true"}
        assert get(sandbox, path, **refused).status_code == 400
        refused = {"activity_type": "reply", "job_type": "1"}
        assert get(sandbox, path, **refused).status_code == 400

    def test_inbox_summaries_are_counted(self, sandbox: Sandbox) -> None:
        base = f"/ai-agents/inbox-manager/{agents(sandbox, 1)[0]}"
        days = answer(sandbox, f"{base}/analytics/summary-by-date")
        summary = answer(sandbox, f"{base}/analytics/summary")
        replies = walk(sandbox, f"{base}/replies")
        assert summary["total_actions"] == len(replies) == MANY
        for name in ("total_actions", "replies_count", "follow_ups_count"):
            assert total(days, name) == summary[name]
        window = {"from": days[3]["date"], "to": days[5]["date"]}
        some = answer(sandbox, f"{base}/analytics/summary-by-date", **window)
        assert some == days[3:6]

    def test_metadata_of_inbox_managers(self, sandbox: Sandbox) -> None:
        path = f"/ai-agents/inbox-manager/{agents(sandbox, 1)[0]}"
        row = answer(sandbox, path)
        assert "metadata" not in row
        full = answer(sandbox, path, with_metadata="true")
        assert {*full["metadata"]["tags"]} == {*row["payload"]["tags"]}

    def test_reach(self, sandbox: Sandbox) -> None:
        everyone = agents(sandbox, 1, 3, 6, *SALES)
        body = post(sandbox, "/ai-agents/analytics", agent_ids=everyone).json()
        found = {row["agent_id"]: row for row in body["analytics"]}
        assert {*found} == {*everyone}
        for agent in agents(sandbox, *SALES):
            totals = answer(sandbox, f"/ai-agents/sales/{agent}/analytics")["totals"]
            assert found[agent]["reach"] == totals["total_sent"]
            assert found[agent]["outcome"] == totals["replies"]
        too_many = [everyone[0]] * 101
        response = post(sandbox, "/ai-agents/analytics", agent_ids=too_many)
        assert response.status_code == 400

    def test_lead_finders(self, sandbox: Sandbox) -> None:
        rows = walk(sandbox, "/ai-agents/lead-finder", limit=1)
        assert sorted(ids(rows)) == sorted(agents(sandbox, 6))
        for agent in ids(rows):
            base = f"/ai-agents/lead-finder/{agent}"
            stats = answer(sandbox, f"{base}/stats")
            events = walk(sandbox, f"{base}/activities", limit=9)
            done = [row for row in events if row["event_type"] == "top_up_completed"]
            assert stats["top_ups_completed"] == len(done)
            added = sum(row["payload"]["leads_added"] for row in done)
            assert stats["leads_added_total"] == added

    def test_opaque_cursor(self, sandbox: Sandbox) -> None:
        path = f"/ai-agents/lead-finder/{agents(sandbox, 6)[0]}/activities"
        body = page(sandbox, path, limit=1)
        said = base64.b64decode(body["next_starting_after"]).decode()
        assert body["items"][0]["id"] in said

    def test_deliverability_agent(self, own: Sandbox) -> None:
        path = "/ai-agents/deliverability"
        agent = answer(own, path)["agent"]
        feed = f"{path}/{agent['id']}/feed-items"
        rows = walk(own, feed)
        assert {row["agent_id"] for row in rows} == {agent["id"]}
        parts = [walk(own, feed, feed_filter=name) for name in ("todo", "done")]
        assert sum(map(len, parts)) == len(rows)
        own.tables["ai_agents"].delete(agent["id"])
        assert answer(own, path) == {"agent": None}
        assert get(own, feed).status_code == 404

    def _cursor(self, sandbox: Sandbox, path: str) -> str:
        cursor: str = page(sandbox, path, limit=100)["next_starting_after"]
        return cursor
