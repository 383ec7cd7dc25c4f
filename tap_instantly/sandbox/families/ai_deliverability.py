"""The AI agent that watches deliverability, and its feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.ai_agent_family import DELIVERABILITY, AgentFamily
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import NEWEST, Draw

if TYPE_CHECKING:
    from tap_instantly.sandbox.families.workspace import Tables
    from tap_instantly.sandbox.store.api import Call, Endpoint, Row

_KINDS = ("insight", "recommendation", "action")
_FEED_STATES = ("todo", "todo", "done", "dismissed", "failed")
_SEVERITIES = ("info", "success", "warning", "critical")


class AiDeliverability(AgentFamily):
    """The deliverability agent and its feed."""

    def _new_tables(self) -> Tables:
        self._feed = self._workspace.new_table(
            self._rows_of((DELIVERABILITY,), "feed item", self._feed_item),
            end="absent",
            filters={
                "feed_filter": lambda row, value: (
                    value == "all" or (row["status"] == "todo") == (value == "todo")
                )
            },
        )
        return {"ai_deliverability_feed_items": self._feed}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        return [
            api.get("/ai-agents/deliverability", self._first_agent),
            api.get(
                "/ai-agents/deliverability/{id}/feed-items",
                self._page(self._feed, "agent_id", DELIVERABILITY),
                **self._feed.paging,
                feed_filter=api.one_of("all", "todo", "done"),
            ),
        ]

    def _first_agent(self, _: Call) -> Row:
        for agent in self._of(DELIVERABILITY):
            return {"agent": {**self._described(agent), "payload": {}}}
        return {"agent": None}

    def _feed_item(self, agent: Row, identity: str, created: int, draw: Draw) -> Row:
        state = draw.of(_FEED_STATES)
        kind = draw.of(_KINDS)
        updated = timestamps.write(
            min(NEWEST, created + draw.below(86400) * timestamps.SECOND)
        )
        row: Row = {
            "id": identity,
            "organization_id": self._workspace.organization,
            "agent_id": agent["id"],
            "feed_code": draw.of(("low_score", "bounces_rising", "warmup_paused")),
            "kind": kind,
            "status": state,
            "severity": draw.of(_SEVERITIES),
            "priority": draw.below(100),
            "payload": {"score": draw.below(100)},
            "dedupe_key": f"{identity[:8]}:{created // timestamps.DAY}",
            "timestamp_created": timestamps.write(created),
            "timestamp_updated": updated,
        }
        if self._workspace.mailboxes and not draw.once_in(3):
            email = draw.of(self._workspace.mailboxes)
            row |= {
                "subject_type": "account",
                "subject_id": email,
                "subject_name": email,
            }
        if kind == "action":
            row |= {
                "action_code": "pause_account",
                "action_status": "completed",
                "action_payload": {"emails": [row.get("subject_id")]},
                "result_payload": None,
                "source_activity_id": None,
            }
        elif kind == "insight":
            row["expires_at"] = timestamps.write(NEWEST + 7 * timestamps.DAY)
        if state == "done":
            row["completed_at"] = updated
        elif state == "dismissed":
            row["dismissed_at"] = updated
        return row
