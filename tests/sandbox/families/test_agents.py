"""AI agents of all types."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tap_instantly.sandbox.families.ai_agent_family import FEW, MANY, SALES
from tests.sandbox.requesting import (
    agents,
    answer,
    get,
    ids,
    page,
    pages,
    post,
    total,
    walk,
)

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox


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
            visible = walk(sandbox, path, exclude_live_feed_hidden="true")
            assert len(visible) < len(rows) or len(rows) == FEW
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
