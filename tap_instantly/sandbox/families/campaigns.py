"""Campaigns, and what their e-mails come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families import email_analytics as analytics
from tap_instantly.sandbox.families.campaign_steps import schedule, sequence
from tap_instantly.sandbox.families.contacts import COMPANIES
from tap_instantly.sandbox.families.custom_tags import tags_of
from tap_instantly.sandbox.families.filters import contains, equals
from tap_instantly.sandbox.families.leads import count_leads
from tap_instantly.sandbox.families.sending_status import sending_status
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import NEWEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_instantly.sandbox.store.api import Call, Endpoint, Row

STATUSES = ("-99", "-1", "-2", "0", "1", "2", "3", "4")

_LAUNCHED = (1, 1, 2, 3, 1, 4, 1, -1, 1, -2)
_LATEST_LAUNCH = 95
_TOMORROW = (NEWEST // timestamps.DAY + 1) * timestamps.DAY
_SEASONS = ("Q1", "Q2", "Q3", "Q4", "pilot", "relaunch")
_REACHED = {
    "total_interested": 1,
    "total_meeting_booked": 2,
    "total_meeting_completed": 3,
    "total_closed": 4,
}
_STATUS = api.one_of(*STATUSES, kind="number")


class Campaigns(Family):
    """Campaigns and their analytics."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            lambda: [self._row(n) for n in range(self._workspace.sizes.campaigns)],
            order="id-desc",
            filters={
                "search": contains("name"),
                "status": equals("status"),
                "exclude_status": lambda row, text: str(row["status"]) != text,
                "ai_sales_agent_id": equals("ai_sdr_id"),
                "tag_ids": self._is_tagged,
            },
            make=self._added,
        )
        return {"campaigns": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        some = {"id": api.TEXT, "ids": api.Parameter(many=True), **api.WINDOW}
        one = {"campaign_id": api.TEXT, **api.WINDOW}
        analytics = "/campaigns/analytics"
        return [
            api.get(
                "/campaigns",
                self._page,
                **self._table.paging,
                search=api.TEXT,
                tag_ids=api.TEXT,
                ai_sales_agent_id=api.TEXT,
                status=_STATUS,
                exclude_status=_STATUS,
            ),
            api.get(
                analytics, self._analytics, **some, exclude_total_leads_count=api.FLAG
            ),
            api.get(
                f"{analytics}/overview",
                self._overview,
                **some,
                campaign_status=_STATUS,
                expand_crm_events=api.FLAG,
            ),
            api.get(f"{analytics}/daily", self._daily, **one, campaign_status=_STATUS),
            api.get(
                f"{analytics}/steps",
                self._steps,
                **one,
                include_opportunities_count=api.FLAG,
            ),
            api.get(
                "/campaigns/{id}/sending-status",
                self._sending_status,
                with_ai_summary=api.FLAG,
            ),
        ]

    def _page(self, call: Call) -> bytes:
        """Answer with the campaigns of an AI sales agent, or with those of nobody."""
        if (
            call.one("ai_sales_agent_id")
            or self._workspace.switches.lists_agents_campaigns
        ):
            return self._table.answer(call)
        return self._table.answer(call, only=lambda row: not row.get("ai_sdr_id"))

    def _events(self, campaigns: Iterable[Row], call: Call) -> list[analytics.Event]:
        """Return the events of campaigns in the window asked for."""
        found = analytics.events_of(self._workspace).by_campaign
        inclusive = self._workspace.switches.ends_inclusive
        window = analytics.Window.of(call, ends_inclusive=inclusive)
        return [
            event
            for campaign in campaigns
            for event in window.of_events(found.get(campaign["id"], []))
        ]

    def _chosen(self, call: Call, *names: str) -> list[Row]:
        """Return the campaigns asked for: all, unless there are ids."""
        wanted = {value for name in names for value in call.all(name) if value}
        status = call.one("campaign_status")
        return [
            row
            for row in (self._table.some(wanted) if wanted else self._table.each())
            if "id" in row
            and (not wanted or row["id"] in wanted)
            and (not status or str(row["status"]) == status)
        ]

    def _analytics(self, call: Call) -> list[Row]:
        """Return the campaigns that have sent, in an order of no meaning."""
        sent = analytics.events_of(self._workspace).by_campaign
        rows = [
            self._totals(campaign, call)
            for campaign in self._chosen(call, "id", "ids")
            if campaign["id"] in sent
        ]
        return sorted(rows, key=lambda row: str(row["campaign_id"])[::-1])

    def _totals(self, campaign: Row, call: Call) -> Row:
        found = analytics.figures(self._events([campaign], call), analytics.TOTALS)
        leads = count_leads(self._workspace, campaign["id"])
        row: Row = {
            "campaign_name": campaign["name"],
            "campaign_id": campaign["id"],
            "campaign_status": campaign["status"],
            "campaign_is_evergreen": campaign.get("is_evergreen", False),
            "leads_count": leads.total,
            **found,
            "unsubscribed_count": leads.unsubscribed,
            "completed_count": leads.completed,
            "total_opportunity_value": found["total_opportunities"] * _worth(campaign),
        }
        if call.one("exclude_total_leads_count") == "true":
            del row["leads_count"]
        return row

    def _overview(self, call: Call) -> Row:
        campaigns = self._chosen(call, "id", "ids")
        found = self._events(campaigns, call)
        leads = [count_leads(self._workspace, campaign["id"]) for campaign in campaigns]
        worth = {campaign["id"]: _worth(campaign) for campaign in campaigns}
        won = {(event.campaign, event.lead) for event in found if event.is_opportunity}
        every = call.one("expand_crm_events") == "true"
        return {
            **analytics.figures(found, analytics.TOTALS),
            "unsubscribed_count": sum(one.unsubscribed for one in leads),
            "completed_count": sum(one.completed for one in leads),
            "total_opportunity_value": sum(worth[campaign] for campaign, _ in won),
            **{
                name: analytics.reached(found, interest, every=every)
                for name, interest in _REACHED.items()
            },
        }

    def _daily(self, call: Call) -> list[Row]:
        """Return what campaigns did on the days on which they did anything.

        Raises:
            BadRequestError: If the window has too many days.
        """
        switches = self._workspace.switches
        window = analytics.Window.of(call, ends_inclusive=switches.ends_inclusive)
        if window.start is not None:
            end = _TOMORROW if window.end is None else window.end
            if end - window.start > switches.most_days * timestamps.DAY:
                message = (
                    f"Analytics date range cannot exceed {switches.most_days} days"
                )
                raise api.BadRequestError(message)
        found = self._events(self._chosen(call, "campaign_id"), call)
        return [
            {
                "date": day,
                **analytics.figures(
                    events, {**analytics.DAILY, **analytics.OPPORTUNITIES}
                ),
            }
            for day, events in analytics.by_day(found).items()
        ]

    def _steps(self, call: Call) -> list[Row]:
        found = self._events(self._chosen(call, "campaign_id"), call)
        with_opportunities = call.one("include_opportunities_count") == "true"
        return [
            {**row, **(_success(events) if with_opportunities else {})}
            for row, events in analytics.steps(found)
        ]

    def _sending_status(self, call: Call) -> Row:
        campaign = self._table.found(call.path["id"])
        with_summary = call.one("with_ai_summary") == "true"
        return sending_status(campaign, with_summary=with_summary)

    def _is_tagged(self, row: Row, tags: str) -> bool:
        own = tags_of(self._workspace, row.get("id", ""))
        return not own.isdisjoint(tags.split(","))

    def _added(self, number: int, created: int) -> Row:
        written = timestamps.write(created)
        return {
            **self._row(number),
            "timestamp_created": written,
            "timestamp_updated": written,
            "email_list": self._workspace.mailboxes_of(number),
        }

    def _row(self, number: int) -> Row:
        """Return a campaign; what is not set is left out."""
        workspace = self._workspace
        draw = workspace.draw("campaign", number)
        identity = draw.uuid4()
        is_draft = workspace.is_draft(number)
        age = draw.below(60) if is_draft else _LATEST_LAUNCH + draw.below(120)
        created = (
            NEWEST - age * timestamps.DAY - draw.below(timestamps.DAY // 1000) * 1000
        )
        updated = created + draw.below((NEWEST - created) // 1000 + 1) * 1000
        row: Row = {
            "id": identity,
            "name": f"{draw.of(COMPANIES)} {draw.of(_SEASONS)}",
            "status": 0 if is_draft else _LAUNCHED[number % len(_LAUNCHED)],
            "campaign_schedule": {} if is_draft else schedule(draw),
            "timestamp_created": timestamps.write(created),
            "timestamp_updated": timestamps.write(updated),
            "pl_value": 100 * (1 + draw.below(20)),
            "sequences": sequence(draw),
            "email_list": workspace.mailboxes_of(number),
            "daily_limit": draw.of((30, 50, 80)),
            "stop_on_reply": True,
            "link_tracking": draw.once_in(2),
            "open_tracking": draw.once_in(2),
            "core_variables": {"firstName": True, "companyName": True},
            "custom_variables": {"Deal size (k€)": True} if draw.once_in(2) else {},
            "organization": workspace.organization,
        }
        if number % len(_LAUNCHED) == 1:
            row["email_list"].append("left.the.company@team.example.com")
        optional = {
            "is_evergreen": draw.once_in(2),
            "text_only": False,
            "email_gap": 10,
            "random_wait_max": 4,
            "owned_by": draw.of(workspace.users),
            "not_sending_status": 1 + draw.below(4),
            "stop_on_auto_reply": draw.once_in(2),
            "auto_variant_select": {"trigger": "reply_rate"},
            "email_tag_list": workspace.tag_ids[: draw.below(3)],
            "cc_list": ["sales@team.example.com"],
            "provider_routing_rules": [{"action": "send", "recipient_esp": ["all"]}],
            "limit_emails_per_company_override": {"mode": "custom", "daily_limit": 5},
        }
        row |= {name: value for name, value in optional.items() if draw.once_in(3)}
        return row


def _success(events: list[analytics.Event]) -> Row:
    """Return the figures of a step that are given only if they are asked for."""
    return {
        **analytics.figures(events, analytics.OPPORTUNITIES),
        "meetings_booked": analytics.reached(events, 2, every=False),
        "won": analytics.reached(events, 4, every=False),
    }


def _worth(campaign: Row) -> float:
    """Return the money that a positive lead of a campaign is worth."""
    worth: float = campaign.get("pl_value") or 0
    return worth
