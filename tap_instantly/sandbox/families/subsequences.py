"""Subsequences of campaigns, and what their e-mails come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families import email_analytics as analytics
from tap_instantly.sandbox.families.campaign_steps import schedule, sequence
from tap_instantly.sandbox.families.filters import contains, equals
from tap_instantly.sandbox.families.sending_status import sending_status
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import NEWEST

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.api import Call, Endpoint, Row

_FIGURES = {
    "emails_sent": "sent",
    "unique_opens": "unique_opened",
    "unique_replies": "unique_replies",
}
_NAMES = ("Opened but silent", "Interested", "Clicked the price list", "Not now")


class Subsequences(Family):
    """Subsequences and their analytics."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            lambda: [self._row(n) for n in range(len(self._workspace.subsequence_ids))],
            order="id-desc",
            filters={
                "parent_campaign": equals("parent_campaign"),
                "parent_campaign_not": lambda row, text: row["parent_campaign"] != text,
                "search": contains("name"),
            },
            make=self._row,
        )
        return {"subsequences": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        return [
            self._table.endpoint(
                "/subsequences",
                search=api.TEXT,
                parent_campaign=api.TEXT,
                parent_campaign_not=api.TEXT,
            ),
            api.get(
                "/subsequences/analytics",
                self._analytics,
                campaign_id=api.Parameter(required=True),
            ),
            api.get("/subsequences/{id}/analytics/steps", self._steps, **api.WINDOW),
            api.get(
                "/subsequences/{id}/sending-status",
                self._sending_status,
                with_ai_summary=api.FLAG,
            ),
        ]

    def _analytics(self, call: Call) -> list[Row]:
        events = analytics.events_of(self._workspace).by_subsequence
        return [
            {
                "subsequence_id": row["id"],
                **analytics.figures(events.get(row["id"], []), _FIGURES),
            }
            for row in self._table.each()
            if row["parent_campaign"] == call.one("campaign_id")
        ]

    def _steps(self, call: Call) -> list[Row]:
        row = self._table.found(call.path["id"])
        events = analytics.events_of(self._workspace).by_subsequence.get(row["id"], [])
        window = analytics.Window.of(call, ends_inclusive=True)
        found = analytics.steps(window.of_events(events), of_subsequence=True)
        return [row for row, _ in found]

    def _sending_status(self, call: Call) -> Row:
        subsequence = self._table.found(call.path["id"])
        campaign = self._workspace.tables["campaigns"].found(
            subsequence["parent_campaign"]
        )
        with_summary = call.one("with_ai_summary") == "true"
        return sending_status(
            campaign, subsequence=subsequence, with_summary=with_summary
        )

    def _row(self, number: int, added: int | None = None) -> Row:
        """Return a subsequence; the schedule and the steps may be missing."""
        workspace = self._workspace
        draw = workspace.draw("subsequence", number)
        identity = draw.uuid4()
        created = added or NEWEST - (1 + draw.below(90)) * timestamps.DAY
        row: Row = {
            "id": identity,
            "timestamp_created": timestamps.write(created),
            "parent_campaign": workspace.parent_of(number),
            "workspace": workspace.organization,
            "status": draw.of((0, 1, 1, 2)),
            "timestamp_leads_updated": timestamps.write(created),
            "name": draw.of(_NAMES),
            "conditions": {"crm_status": [1], "reply_contains": "price"}
            if draw.once_in(2)
            else {"lead_activity": [2, 91]},
        }
        if not draw.once_in(3):
            row["subsequence_schedule"] = schedule(draw)
            row["sequences"] = sequence(draw)
            row["daily_limit_mode"] = "inherit"
        return row
