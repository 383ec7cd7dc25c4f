"""Subsequences of campaigns, and what their e-mails come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.activity import Window, figures, steps
from tap_instantly.sandbox.data import NEWEST, Draw
from tap_instantly.sandbox.endpoints import Endpoint, Parameter
from tap_instantly.sandbox.instants import DAY
from tap_instantly.sandbox.sending import sending_status
from tap_instantly.sandbox.sequences import schedule, sequence
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from tap_instantly.sandbox.data import Row
    from tap_instantly.sandbox.endpoints import Call
    from tap_instantly.sandbox.world import World

_FIGURES = {
    "emails_sent": "sent",
    "unique_opens": "unique_opened",
    "unique_replies": "unique_replies",
}
_NAMES = ("Opened but silent", "Interested", "Clicked the price list", "Not now")


class Subsequences:
    """Subsequences and their analytics."""

    def __init__(self, world: World) -> None:
        """Belong to `world`."""
        self._world = world
        self._table = Table(
            lambda: [self._row(n) for n in range(len(world.subsequence_ids))],
            order="id-desc",
            filters={
                "parent_campaign": lambda row, text: row["parent_campaign"] == text,
                "parent_campaign_not": lambda row, text: row["parent_campaign"] != text,
                "search": lambda row, text: text.casefold() in row["name"].casefold(),
            },
            make=self._row,
        )
        self.tables = {"subsequences": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        some = Parameter()
        moment = Parameter("date-time")
        return [
            self._table.endpoint(
                "/subsequences",
                search=some,
                parent_campaign=some,
                parent_campaign_not=some,
            ),
            Endpoint(
                "GET",
                "/subsequences/analytics",
                self._analytics,
                {"campaign_id": Parameter(required=True)},
            ),
            Endpoint(
                "GET",
                "/subsequences/{id}/analytics/steps",
                self._steps,
                {"start_date": moment, "end_date": moment},
            ),
            Endpoint(
                "GET",
                "/subsequences/{id}/sending-status",
                self._sending_status,
                {"with_ai_summary": Parameter("boolean")},
            ),
        ]

    def _analytics(self, call: Call) -> list[Row]:
        events = self._world.activity.value.by_subsequence
        return [
            {
                "subsequence_id": row["id"],
                **figures(events.get(row["id"], []), _FIGURES),
            }
            for row in self._table.held
            if row["parent_campaign"] == call.one("campaign_id")
        ]

    def _steps(self, call: Call) -> list[Row]:
        row = self._table.found(call.path["id"])
        events = self._world.activity.value.by_subsequence.get(row["id"], [])
        window = Window.of(call, ends_inclusive=True)
        found = steps(window.of_events(events), of_subsequence=True)
        return [row for row, _ in found]

    def _sending_status(self, call: Call) -> Row:
        subsequence = self._table.found(call.path["id"])
        campaign = self._world.tables["campaigns"].found(subsequence["parent_campaign"])
        with_summary = call.one("with_ai_summary") == "true"
        return sending_status(
            campaign, subsequence=subsequence, with_summary=with_summary
        )

    def _row(self, number: int, instant: int | None = None) -> Row:
        """Return a subsequence; the schedule and the steps may be missing."""
        world = self._world
        draw = Draw(world.seed, "subsequence", number)
        identity = draw.uuid4()
        created = instant or NEWEST - (1 + draw.below(90)) * DAY
        row: Row = {
            "id": identity,
            "timestamp_created": instants.write(created),
            "parent_campaign": world.parent_of(number),
            "workspace": world.organization,
            "status": draw.of((0, 1, 1, 2)),
            "timestamp_leads_updated": instants.write(created),
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
