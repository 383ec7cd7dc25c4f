"""AI agents of all types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.ai_agent_family import (
    INBOX_MANAGER,
    SALES,
    TYPES,
    AgentFamily,
)
from tap_instantly.sandbox.families.ai_inbox_managers import actions_of, count_actions
from tap_instantly.sandbox.families.ai_sales_agents import daily_figures, total_figures
from tap_instantly.sandbox.families.filters import contains, equals
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import NEWEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.families.workspace import Tables
    from tap_instantly.sandbox.store.api import Call, Endpoint, Row

_NAMES = {
    1: "Inbox manager",
    2: "Outreach agent",
    3: "Deliverability agent",
    4: "Affiliate agent",
    6: "Lead finder",
    7: "Recruiting agent",
    8: "Investor agent",
    9: "Research agent",
    10: "Partner agent",
}


class AiAgents(AgentFamily):
    """The agents of all types, in one list."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            self._agents,
            filters={
                "search": contains("name"),
                "status": equals("status"),
                "type": equals("type"),
            },
        )
        return {"ai_agents": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        types = map(str, sorted(_NAMES))
        return [
            api.get(
                "/ai-agents",
                self._sorted_page,
                **self._table.paging,
                search=api.TEXT,
                status=api.one_of("-1", "0", "1", kind="number"),
                type=api.one_of(*types, kind="number"),
                sort_column=api.TEXT,
                sort_order=api.TEXT,
            ),
            self._table.detail("/ai-agents/{id}"),
            api.post(
                "/ai-agents/analytics",
                self._analytics,
                agent_ids=api.Parameter(required=True, many=True, most=100),
                agent_types=api.Parameter("object"),
            ),
        ]

    def _sorted_page(self, call: Call) -> Row:
        """Answer by whichever column is named, by time of creation otherwise."""
        ascending = call.one("sort_order").casefold() == "asc"
        column = call.one("sort_column", "timestamp_created")
        table = self._table
        if column == "id":
            table = self._workspace.new_table(
                table.each(), order="id-desc", filters=table.filters
            )
        elif column == "timestamp_updated":
            table = self._workspace.new_table(
                table.each(), dated_by=column, filters=table.filters
            )
        return table.page(call, descending=not ascending)

    def _analytics(self, call: Call) -> Row:
        """Answer with what each agent reached and what came of it."""
        rows = []
        for identity in call.all("agent_ids"):
            agent = self._table.get(identity)
            if agent is None:
                continue
            if agent["type"] in SALES:
                totals = total_figures(
                    daily_figures(self._workspace.seed, identity, 0, NEWEST)
                )
                reach, outcome = totals["total_sent"], totals["replies"]
            elif agent["type"] == INBOX_MANAGER:
                counts = count_actions(actions_of(self._workspace, identity))
                reach = counts["total_actions"]
                outcome = counts["unique_conversations"]
            else:
                reach = outcome = 0
            rows.append({"agent_id": identity, "reach": reach, "outcome": outcome})
        return {"analytics": rows}

    def _agents(self) -> Iterator[Row]:
        for number, kind in enumerate(TYPES):
            draw = self._workspace.draw("agent", number)
            created = (
                NEWEST
                - (70 - 5 * number) * timestamps.DAY
                + draw.below(3600) * 1_000_000
            )
            updated = created + draw.below(5 * 24 * 3600) * timestamps.SECOND
            yield {
                "id": self._workspace.draw("agent", number, "id").uuid4(),
                "type": kind,
                "name": f"{_NAMES[kind]} {number + 1}",
                "status": draw.of((1, 1, 1, 0, -1)),
                "timestamp_created": timestamps.write(created),
                "timestamp_updated": timestamps.write(updated),
                "configuration_mode": draw.of(("copilot", "fully_automatic", None)),
            }
