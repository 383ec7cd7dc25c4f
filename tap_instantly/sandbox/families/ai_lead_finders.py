"""AI lead finders and how they top up campaigns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_instantly.sandbox.families.ai_agent_family import LEAD_FINDER, AgentFamily
from tap_instantly.sandbox.store import api, timestamps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.families.workspace import Tables
    from tap_instantly.sandbox.store.api import Call, Endpoint, Row
    from tap_instantly.sandbox.store.draws import Draw

_TOP_UPS = ("top_up_started", "top_up_completed", "top_up_completed", "top_up_failed")
_FINDER_EVENTS = (*_TOP_UPS, "search_exhausted", "fallback_activated", "agent_resumed")


class AiLeadFinders(AgentFamily):
    """Lead finders and their activities."""

    def _new_tables(self) -> Tables:
        self._activities = self._workspace.new_table(
            self._rows_of((LEAD_FINDER,), "top-up", self._top_up),
            cursor="opaque",
            end="absent",
        )
        return {
            "ai_lead_finder_agents": self._workspace.new_table(
                self._lead_finders, end="absent"
            ),
            "ai_lead_finder_activities": self._activities,
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        base = "/ai-agents/lead-finder"
        activities = self._page(self._activities, "agent_id", LEAD_FINDER)
        return [
            self.tables["ai_lead_finder_agents"].endpoint(base),
            api.get(
                f"{base}/{{id}}", self._detail("ai_lead_finder_agents", LEAD_FINDER)
            ),
            api.get(f"{base}/{{id}}/stats", self._stats),
            api.get(f"{base}/{{id}}/activities", activities, **self._activities.paging),
        ]

    def _stats(self, call: Call) -> Row:
        agent = self._agent(call, LEAD_FINDER)["id"]
        rows = [row for row in self._activities.each() if row["agent_id"] == agent]
        kinds = Counter(row["event_type"] for row in rows)
        return {
            "leads_added_total": sum(
                row["payload"].get("leads_added", 0) for row in rows
            ),
            "top_ups_completed": kinds["top_up_completed"],
            "top_ups_failed": kinds["top_up_failed"],
        }

    def _lead_finders(self) -> Iterator[Row]:
        campaigns = list(self._workspace.tables["campaigns"].each())
        for agent in self._of(LEAD_FINDER):
            draw = self._workspace.draw("lead finder", agent["id"])
            campaign = draw.of(campaigns) if campaigns else {"id": "", "name": ""}
            payload = {
                "campaign_id": campaign["id"],
                "campaign_name": campaign.get("name"),
                "search_filters": {"locations": [{"country": "Germany"}]},
                "min_active_leads": 100 * (1 + draw.below(5)),
                "on_exhaustion": draw.of(("pause", "fallback", "broaden")),
            }
            if payload["on_exhaustion"] == "fallback":
                payload["fallback_search_filters"] = {"locations": []}
            yield {**self._described(agent), "payload": payload}

    def _top_up(self, agent: Row, identity: str, created: int, draw: Draw) -> Row:
        kind = draw.of(_FINDER_EVENTS)
        payload: dict[str, Any] = {}
        if kind == "top_up_completed":
            payload = {
                "leads_added": draw.below(80),
                "campaign_active_leads_after": 100 + draw.below(200),
            }
        elif kind == "top_up_failed":
            payload = {"reason": "The search timed out."}
        return {
            "id": identity,
            "agent_id": agent["id"],
            "organization_id": self._workspace.organization,
            "timestamp_created": timestamps.write(created),
            "event_type": kind,
            "payload": payload,
        }
