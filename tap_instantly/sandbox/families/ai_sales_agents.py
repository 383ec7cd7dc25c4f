"""AI sales agents: what they did, whom they wrote to and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.ai_agent_family import (
    GUIDANCE_TEXTS,
    SALES,
    AgentFamily,
)
from tap_instantly.sandbox.families.email_analytics import percent
from tap_instantly.sandbox.families.filters import equals
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import NEWEST, Draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_instantly.sandbox.families.workspace import Tables
    from tap_instantly.sandbox.store.api import Call, Endpoint, Row
    from tap_instantly.sandbox.store.tables import Table

GUIDANCE_RULES = 10
FIGURE_DAYS = 60
"""Days for which a sales agent has figures."""

# fmt: off
_ACTIONS = (
    "create_campaign", "edit_campaign", "stop_campaign", "pause_campaign",
    "enrich_leads", "push_lead", "recommend_lead", "warning", "initial_setup_scrape",
    "initial_setup_campaigns", "initial_setup_enrich", "reply_received",
    "opportunity_received", "imported_leads",
)
_ACTION_STATES = (
    "pending", "approved", "rejected", "in_progress", "completed", "failed",
)
# fmt: on
_HIDDEN = ("email_sent", "email_opened")
"""Actions that the live feed leaves out; the filter does not name them."""
_SERIES = ("total_email_activity", "replies", "leads_found", "opportunities")
_OUTCOMES = ("interested", "meeting_booked", "meeting_completed", "closed")
_VALUE_OF_OPPORTUNITY = 1200


class AiSalesAgents(AgentFamily):
    """Sales agents and their leads.

    `tables` has no activity by lead, since its rows do not say whose they are;
    `lead_activity` returns the table of one sales agent.
    """

    def _new_tables(self) -> Tables:
        self._lead_activity: dict[str, Table] = {}
        return {
            "ai_sales_agents": self._workspace.new_table(
                self._sales_agents, order="id-desc"
            ),
            "ai_sales_agent_activities": self._workspace.new_table(
                self._rows_of(SALES, "action", self._action),
                order="id-desc",
                filters={
                    "action_status": equals("action_status"),
                    "action_type": equals("action_type"),
                    "exclude_live_feed_hidden": lambda row, value: (
                        value != "true" or row["action_type"] not in _HIDDEN
                    ),
                },
            ),
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        base = "/ai-agents/sales/{id}"
        activities = self.tables["ai_sales_agent_activities"]
        return [
            api.get(base, self._detail("ai_sales_agents", *SALES)),
            api.get(
                f"{base}/activities",
                self._page(activities, "ai_sdr_id", *SALES),
                **activities.paging,
                action_status=api.one_of(*_ACTION_STATES, many=True),
                action_type=api.one_of(*_ACTIONS, many=True),
                exclude_live_feed_hidden=api.FLAG,
            ),
            api.get(f"{base}/analytics", self._sales_analytics, **api.WINDOW),
            api.get(f"{base}/opportunities/summary", self._opportunities, **api.WINDOW),
            api.get(f"{base}/leads/activity/summary", self._lead_summary, **api.WINDOW),
            api.get(
                f"{base}/leads/activity",
                self._lead_activity_page,
                **activities.paging,
                **api.WINDOW,
                filter=api.one_of("replied", "has_opportunity"),
            ),
            api.get(f"{base}/guidance-rules", self._guidance_rules),
        ]

    def _sales_analytics(self, call: Call) -> Row:
        agent = self._agent(call, *SALES)["id"]
        days = list(daily_figures(self._workspace.seed, agent, *_window(call)))
        series = {
            f"{name}_per_day": [
                {"x": timestamps.write(day), "y": figures[name]}
                for day, figures in days
            ]
            for name in _SERIES
        }
        totals = total_figures(days)
        totals["opportunities_amount"] = totals["opportunities"] * _VALUE_OF_OPPORTUNITY
        return {**series, "totals": totals}

    def lead_activity(self, agent: str) -> Table:
        """Return what the sales agent with this id did with each lead."""
        if agent not in self._lead_activity:
            self._lead_activity[agent] = self._workspace.new_table(
                lambda: self._leads(agent),
                key="email",
                order="id-asc",
                end="absent",
                dated_by="",
                default_limit=100,
                filters={"filter": lambda row, value: bool(row[value])},
            )
        return self._lead_activity[agent]

    def _campaigns(self, agent: str) -> list[str]:
        """Return the campaigns that an agent runs."""
        ids = self._workspace.campaign_ids
        first = self._workspace.draw("campaigns", agent).below(max(1, len(ids)))
        return (ids[first:] + ids[:first])[:2]

    def _leads(self, agent: str) -> Iterator[Row]:
        count = self._count(self._workspace.tables["ai_agents"].found(agent))
        addresses = self._addresses
        first = self._workspace.draw("leads", agent).below(max(1, len(addresses)))
        for email in (addresses[first:] + addresses[:first])[:count]:
            draw = self._workspace.draw("lead activity", agent, email)
            sent, replies = 1 + draw.below(4), max(0, draw.below(7) - 4)
            promising = replies > 0 and draw.once_in(2)
            row: Row = {
                "email": email,
                "emails_sent": sent,
                "open_count": draw.below(6),
                "replied": replies > 0,
                "reply_count": replies,
                "click_count": draw.below(2),
                "bounced": replies == 0 and draw.once_in(20),
                "has_opportunity": promising,
            }
            if promising:
                row["lt_interest_status"] = 1 + draw.below(len(_OUTCOMES))
            elif draw.once_in(2):
                row["lt_interest_status"] = None
            yield row

    def _recent(self, call: Call) -> Callable[[Row], bool]:
        """Return which leads a sales agent wrote to within the window asked for."""
        agent = call.path["id"]
        first, last = _window(call)

        def recent(row: Row) -> bool:
            draw = self._workspace.draw("last event", agent, row["email"])
            age = draw.below(FIGURE_DAYS * 24 * 3600)
            return first <= NEWEST - age * timestamps.SECOND <= last

        return recent

    def _active(self, call: Call) -> list[Row]:
        """Return the leads of a sales agent that the call asks about."""
        agent = self._agent(call, *SALES)["id"]
        return list(
            filter(self._recent(call), self.lead_activity(agent).matching(call))
        )

    def _lead_activity_page(self, call: Call) -> Row:
        rows = self._active(call)
        table = self.lead_activity(call.path["id"])
        return {**table.page(call, only=self._recent(call)), "total": len(rows)}

    def _lead_summary(self, call: Call) -> Row:
        rows = self._active(call)
        replied = sum(row["replied"] for row in rows)
        promising = sum(row["has_opportunity"] for row in rows)
        return {
            "total": len(rows),
            "replied": replied,
            "has_opportunity": promising,
            "reply_rate": percent(replied, len(rows)),
            "opportunity_rate": percent(promising, len(rows)),
        }

    def _opportunities(self, call: Call) -> Row:
        rows = [row for row in self._active(call) if row["has_opportunity"]]
        states = Counter(row.get("lt_interest_status") for row in rows)
        agent = call.path["id"]
        campaigns = self._campaigns(agent)
        found: Counter[str] = Counter()
        for row in rows:
            if campaigns:
                draw = self._workspace.draw("campaign", agent, row["email"])
                found[draw.of(campaigns)] += 1
        return {
            "summary": {
                "total_opportunities": len(rows),
                "total_value": len(rows) * _VALUE_OF_OPPORTUNITY,
                "breakdown": {
                    name: states[number] for number, name in enumerate(_OUTCOMES, 1)
                },
            },
            "campaigns": [
                {
                    "campaign_id": identity,
                    "total_opportunities": found[identity],
                    "total_opportunity_value": found[identity] * _VALUE_OF_OPPORTUNITY,
                }
                for identity in campaigns
                if found[identity]
            ],
        }

    def _guidance_rules(self, call: Call) -> Row:
        """Answer with rules whose ids are their places in the list."""
        agent = self._agent(call, *SALES)["id"]
        count = self._workspace.draw("rules", agent).below(GUIDANCE_RULES + 1)
        return {
            "items": [
                {"id": str(place), "title": title, "content": content}
                for place in range(count)
                for title, content in [GUIDANCE_TEXTS[place % len(GUIDANCE_TEXTS)]]
            ]
        }

    def _sales_agents(self) -> Iterator[Row]:
        lists = self._workspace.contacts.lists
        for agent in self._of(*SALES):
            draw = self._workspace.draw("sales agent", agent["id"])
            row: Row = {
                "id": agent["id"],
                "name": agent["name"],
                "status": agent["status"],
                "timestamp_created": agent["timestamp_created"],
                "workspace_id": self._workspace.organization,
                "type": draw.of(("website", "website", "pitch_deck")),
                "input": "https://example.com",
                "agent_type": agent["type"],
                "initial_scrape_ready": not draw.once_in(6),
                "timestamp_updated": agent["timestamp_updated"],
                "config": {
                    "memory": {"company": "Harbor & Sons"},
                    "enrichment_settings": {"enrichment_limit_per_run": 30},
                    "outreach_settings": {
                        "opt_out_settings": {"text_opt_out_enabled": True}
                    },
                    "autonomy_settings": {
                        "autopilot_mode": agent["configuration_mode"]
                        == "fully_automatic"
                    },
                },
            }
            if lists and not draw.once_in(4):
                row["master_lead_list_id"] = draw.of(lists)
            if not draw.once_in(3):
                row["created_by"] = draw.of(self._workspace.users)
                row["timestamp_last_action"] = agent["timestamp_updated"]
                row["timestamp_last_decision"] = agent["timestamp_updated"]
            if draw.once_in(2):
                row["description"] = "Sells to freight brokers."
                row["self_improvement"] = draw.once_in(2)
                row["next_decision_time"] = timestamps.write(NEWEST + timestamps.DAY)
            yield row

    def _action(self, agent: Row, identity: str, created: int, draw: Draw) -> Row:
        kind = draw.of((*_ACTIONS, *_HIDDEN))
        state = draw.of(_ACTION_STATES)
        updated = min(NEWEST, created + draw.below(7200) * timestamps.SECOND)
        row: Row = {
            "id": identity,
            "ai_sdr_id": agent["id"],
            "workspace_id": self._workspace.organization,
            "action_type": kind,
            "action_status": state,
            "action_payload": {},
            "timestamp_created": timestamps.write(created),
            "timestamp_updated": timestamps.write(updated),
        }
        campaigns = self._campaigns(agent["id"])
        if "campaign" in kind and campaigns:
            row["action_payload"] = {"campaign_id": draw.of(campaigns)}
        if state in ("approved", "rejected"):
            row[f"{state}_by"] = draw.of(self._workspace.users)
            row[f"{state}_at"] = timestamps.write(updated)
            if state == "rejected" and draw.once_in(2):
                row["rejection_reason"] = "Not before the trade fair."
        elif state == "completed":
            row["timestamp_executed"] = row["timestamp_updated"]
            row["timestamp_completed"] = row["timestamp_updated"]
            row["result"] = {"count": draw.below(50)}
            row["action_output"] = {"message": "Done."}
        elif state == "failed":
            row["error_code"] = draw.of(("insufficient_credits", "temporary_failure"))
            row["error_message"] = "The action did not succeed."
        if draw.once_in(3):
            row["ai_reasoning"] = "Replies have slowed down."
            row["ai_confidence"] = draw.below(100) / 100
            row["email_id"] = None
        return row


def daily_figures(
    seed: int, agent: str, first: int, last: int
) -> Iterator[tuple[int, Row]]:
    """Yield the days of a sales agent between two times, and their figures."""
    today = NEWEST // timestamps.DAY * timestamps.DAY
    for age in reversed(range(FIGURE_DAYS)):
        day = today - age * timestamps.DAY
        if first <= day <= last:
            draw = Draw(seed, "figures", agent, day)
            sent = draw.below(40)
            yield (
                day,
                {
                    "total_sent": sent,
                    "total_email_activity": sent + draw.below(30),
                    "replies": draw.below(1 + sent // 8),
                    "leads_found": draw.below(25),
                    "opportunities": int(draw.once_in(6)),
                },
            )


def total_figures(days: Iterable[tuple[int, Row]]) -> Counter[str]:
    """Add the figures of days up."""
    names = (
        "total_sent",
        "replies",
        "opportunities",
        "total_email_activity",
        "leads_found",
    )
    totals = Counter(dict.fromkeys(names, 0))
    for _, figures in days:
        totals.update(figures)
    return totals


def _window(call: Call) -> tuple[int, int]:
    """Return the first and the last timestamp that a call asks about."""
    first, last = call.one("start_date"), call.one("end_date")
    return (
        timestamps.read_bound(first) if first else 0,
        timestamps.read_bound(last) if last else NEWEST,
    )
