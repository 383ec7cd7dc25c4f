"""AI agents: what they are, what they did, and what came of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import NEWEST, Draw, Row
from tap_instantly.sandbox.endpoints import (
    BadRequestError,
    Endpoint,
    Parameter,
    RefusedError,
)
from tap_instantly.sandbox.instants import DAY
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_instantly.sandbox.endpoints import Call
    from tap_instantly.sandbox.world import World

INBOX_MANAGER, DELIVERABILITY, LEAD_FINDER = 1, 3, 6
SALES = (2, 4, 7, 8, 9, 10)
TYPES = (2, 1, 6, 3, 4, 2, 7, 8, 6, 9, 10, 1, 6)
"""The types of the agents, oldest first."""
MANY = 130
"""Rows of the oldest agent of each kind, where all sales agents are one kind; all
others have `FEW`."""
FEW = 12
GUIDANCE_RULES = 10
DAYS = 60
"""Days for which a sales agent has figures."""

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
_ACTIONS = (
    "create_campaign",
    "edit_campaign",
    "stop_campaign",
    "pause_campaign",
    "enrich_leads",
    "push_lead",
    "recommend_lead",
    "warning",
    "initial_setup_scrape",
    "initial_setup_campaigns",
    "initial_setup_enrich",
    "reply_received",
    "opportunity_received",
    "imported_leads",
)
_HIDDEN = ("email_sent", "email_opened")
"""Actions that the live feed leaves out; the filter does not name them."""
_ACTION_STATES = (
    "pending",
    "approved",
    "rejected",
    "in_progress",
    "completed",
    "failed",
)
_INTERESTED, _BOOKED, _MET, _CLOSED = 1, 2, 3, 4
_OUTCOMES = ("interested", "meeting_booked", "meeting_completed", "closed")
_ASKED = ("Wants the price list", "Asks for a reference", "Which countries?")
_TEXTS = (
    ("Tone", "Write as you would to a neighbour."),
    ("No attachments", "Never promise a file before the first call."),
    ("Prices", "Name no price; offer a call instead."),
    ("Köln", "Mention the office in Köln to companies nearby."),
    ("Length", "At most five sentences."),
)
_GUIDED = {"tone": "friendly", "length": "concise"}
_REPLY, _FOLLOW_UP, _NO_SHOW = 1, 2, 3
_ERRORS = ("SEND_FAILED", "ACCOUNT_INACTIVE", "OUT_OF_CREDITS")
_TOP_UPS = ("top_up_started", "top_up_completed", "top_up_completed", "top_up_failed")
_FINDER_EVENTS = (*_TOP_UPS, "search_exhausted", "fallback_activated", "agent_resumed")
_KINDS = ("insight", "recommendation", "action")
_FEED_STATES = ("todo", "todo", "done", "dismissed", "failed")
_SEVERITIES = ("info", "success", "warning", "critical")

_INSTANTS = {"start_date": Parameter("date-time"), "end_date": Parameter("date-time")}
_CALENDAR = {"from": Parameter("date"), "to": Parameter("date")}


def _is(name: str) -> Callable[[Row, str], bool]:
    """Return a filter on a boolean field; null and absent count as false."""
    return lambda row, value: bool(row.get(name)) == (value == "true")


def _equals(name: str) -> Callable[[Row, str], bool]:
    """Return a filter on the value of a field."""
    return lambda row, value: str(row.get(name)) == value


def _moment(text: str, default: int) -> int:
    """Read a day, which is its midnight, or an instant."""
    if not text:
        return default
    return instants.read(text if "T" in text else f"{text}T00:00:00Z")


def _until_end(table: Table) -> Table:
    """Let a table leave the cursor out where nothing follows."""
    table.end = "absent"
    return table


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0


class Agents:
    """The agents of the workspace and their resources by type.

    `tables` has no activity by lead, since its rows do not say whose they are;
    `lead_activity` returns the table of one sales agent.
    """

    def __init__(self, world: World) -> None:
        """Belong to `world`, whose campaigns and leads the agents work on."""
        self.world = world
        self._lead_activity: dict[str, Table] = {}
        self.tables = {
            "ai_agents": Table(
                self._agents,
                filters={
                    "search": lambda row, value: (
                        value.casefold() in row["name"].casefold()
                    ),
                    "status": _equals("status"),
                    "type": _equals("type"),
                },
            ),
            "ai_sales_agents": Table(self._sales_agents, order="id-desc"),
            "ai_sales_agent_activities": Table(
                self._rows_of(SALES, "action", self._action),
                order="id-desc",
                filters={
                    "action_status": _equals("action_status"),
                    "action_type": _equals("action_type"),
                    "exclude_live_feed_hidden": lambda row, value: (
                        value != "true" or row["action_type"] not in _HIDDEN
                    ),
                },
            ),
            "ai_inbox_managers": Table(self._inbox_managers, order="id-desc"),
            "ai_inbox_manager_guidances": _until_end(
                Table(
                    self._guidances,
                    order="id-desc",
                    filters={"status": _equals("status")},
                )
            ),
            "ai_inbox_manager_replies": _until_end(
                Table(
                    self._rows_of((INBOX_MANAGER,), "reply", self._reply),
                    filters={
                        name: _is(name)
                        for name in (
                            "requires_hitl",
                            "information_requested",
                            "action_pending",
                        )
                    },
                )
            ),
            "ai_lead_finder_agents": _until_end(Table(self._lead_finders)),
            "ai_lead_finder_activities": _until_end(
                Table(
                    self._rows_of((LEAD_FINDER,), "top-up", self._top_up),
                    cursor="opaque",
                )
            ),
            "ai_deliverability_feed_items": _until_end(
                Table(
                    self._rows_of((DELIVERABILITY,), "feed item", self._feed_item),
                    filters={
                        "feed_filter": lambda row, value: (
                            value == "all"
                            or (row["status"] == "todo") == (value == "todo")
                        )
                    },
                )
            ),
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        return [
            *self._general(),
            *self._of_sales(),
            *self._of_inbox_managers(),
            *self._of_others(),
        ]

    # What is answered

    def _general(self) -> Iterator[Endpoint]:
        agents = self.tables["ai_agents"]
        types = tuple(map(str, sorted(_NAMES)))

        def page(call: Call) -> Row:
            """Answer by whichever column is named, by time of creation otherwise."""
            ascending = call.one("sort_order").casefold() == "asc"
            column = call.one("sort_column", "timestamp_created")
            table = agents
            if column == "id":
                table = Table(agents.each(), order="id-desc", filters=agents.filters)
            elif column == "timestamp_updated":
                table = Table(agents.each(), dated_by=column, filters=agents.filters)
            return table.page(call, descending=not ascending)

        yield Endpoint(
            "GET",
            "/ai-agents",
            page,
            {
                **agents.paging,
                "search": Parameter(),
                "status": Parameter("number", choices=("-1", "0", "1")),
                "type": Parameter("number", choices=types),
                "sort_column": Parameter(),
                "sort_order": Parameter(),
            },
        )
        yield agents.detail("/ai-agents/{id}")
        yield Endpoint(
            "POST",
            "/ai-agents/analytics",
            self._analytics,
            body={
                "agent_ids": Parameter(required=True, many=True, most=100),
                "agent_types": Parameter("object"),
            },
        )

    def _of_sales(self) -> Iterator[Endpoint]:
        base = "/ai-agents/sales/{id}"
        activities = self.tables["ai_sales_agent_activities"]
        yield Endpoint("GET", base, self._detail("ai_sales_agents", *SALES))
        yield Endpoint(
            "GET",
            f"{base}/activities",
            self._page(activities, "ai_sdr_id", *SALES),
            {
                **activities.paging,
                "action_status": Parameter(choices=_ACTION_STATES, many=True),
                "action_type": Parameter(choices=_ACTIONS, many=True),
                "exclude_live_feed_hidden": Parameter("boolean"),
            },
        )
        yield Endpoint("GET", f"{base}/analytics", self._sales_analytics, _INSTANTS)
        yield Endpoint(
            "GET", f"{base}/opportunities/summary", self._opportunities, _INSTANTS
        )
        yield Endpoint(
            "GET", f"{base}/leads/activity/summary", self._lead_summary, _INSTANTS
        )
        yield Endpoint(
            "GET",
            f"{base}/leads/activity",
            self._lead_activity_page,
            {
                **activities.paging,
                **_INSTANTS,
                "filter": Parameter(choices=("replied", "has_opportunity")),
            },
        )
        yield Endpoint("GET", f"{base}/guidance-rules", self._guidance_rules)

    def _of_inbox_managers(self) -> Iterator[Endpoint]:
        base = "/ai-agents/inbox-manager/{id}"
        guidances = self.tables["ai_inbox_manager_guidances"]
        replies = self.tables["ai_inbox_manager_replies"]
        yield Endpoint("GET", base, self._inbox_manager, _flags("with_metadata"))
        yield Endpoint(
            "GET",
            f"{base}/guidances",
            self._page(guidances, "agent_id", INBOX_MANAGER),
            {**guidances.paging, "status": Parameter("number", choices=("0", "1"))},
        )
        yield Endpoint(
            "GET",
            f"{base}/replies",
            self._page(replies, "agent_id", INBOX_MANAGER),
            {**replies.paging, **_flags(*replies.filters)},
        )
        yield Endpoint(
            "GET",
            f"{base}/analytics/activity",
            self._activity,
            {
                **replies.paging,
                **_flags("action_pending"),
                "activity_type": Parameter(choices=("reply", "followup", "recovery")),
                "job_type": Parameter("number", choices=("1", "2", "3")),
            },
        )
        yield Endpoint(
            "GET", f"{base}/analytics/summary", self._inbox_summary, _CALENDAR
        )
        yield Endpoint(
            "GET", f"{base}/analytics/summary-by-date", self._inbox_daily, _CALENDAR
        )

    def _of_others(self) -> Iterator[Endpoint]:
        finders = self.tables["ai_lead_finder_agents"]
        activities = self.tables["ai_lead_finder_activities"]
        feed = self.tables["ai_deliverability_feed_items"]
        yield finders.endpoint("/ai-agents/lead-finder")
        yield Endpoint(
            "GET",
            "/ai-agents/lead-finder/{id}",
            self._detail("ai_lead_finder_agents", LEAD_FINDER),
        )
        yield Endpoint(
            "GET", "/ai-agents/lead-finder/{id}/stats", self._lead_finder_stats
        )
        yield Endpoint(
            "GET",
            "/ai-agents/lead-finder/{id}/activities",
            self._page(activities, "agent_id", LEAD_FINDER),
            activities.paging,
        )
        yield Endpoint("GET", "/ai-agents/deliverability", self._deliverability_agent)
        yield Endpoint(
            "GET",
            "/ai-agents/deliverability/{id}/feed-items",
            self._page(feed, "agent_id", DELIVERABILITY),
            {**feed.paging, "feed_filter": Parameter(choices=("all", "todo", "done"))},
        )

    def _agent(self, call: Call, *types: int) -> Row:
        """Return the agent that a path names, which must be of one of some types."""
        row = self.tables["ai_agents"].get(call.path["id"])
        if row is None or row["type"] not in types:
            raise RefusedError(404, "Resource not found")
        return row

    def _detail(self, name: str, *types: int) -> Callable[[Call], Row]:
        return lambda call: self.tables[name].found(self._agent(call, *types)["id"])

    def _page(self, table: Table, owner: str, *types: int) -> Callable[[Call], Row]:
        """Return what answers with the rows of a table that belong to one agent."""

        def page(call: Call) -> Row:
            agent = self._agent(call, *types)["id"]
            return table.page(call, only=lambda row: row[owner] == agent)

        return page

    def _analytics(self, call: Call) -> Row:
        """Answer with what each agent reached and what came of it."""
        rows = []
        for identity in call.all("agent_ids"):
            agent = self.tables["ai_agents"].get(identity)
            if agent is None:
                continue
            if agent["type"] in SALES:
                totals = _totals(self._figures(identity, 0, NEWEST))
                reach, outcome = totals["total_sent"], totals["replies"]
            elif agent["type"] == INBOX_MANAGER:
                counts = self._inbox_counts(self._done(identity))
                reach = counts["total_actions"]
                outcome = counts["unique_conversations"]
            else:
                reach = outcome = 0
            rows.append({"agent_id": identity, "reach": reach, "outcome": outcome})
        return {"analytics": rows}

    # Sales agents

    def _figures(self, agent: str, first: int, last: int) -> Iterator[tuple[int, Row]]:
        """Yield the days of a sales agent within two instants, and their figures."""
        today = NEWEST // DAY * DAY
        for age in reversed(range(DAYS)):
            day = today - age * DAY
            if first <= day <= last:
                draw = Draw(self.world.seed, "figures", agent, day)
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

    def _sales_analytics(self, call: Call) -> Row:
        agent = self._agent(call, *SALES)["id"]
        days = list(self._figures(agent, *_window(call)))
        series = {
            f"{name}_per_day": [
                {"x": instants.write(day), "y": figures[name]} for day, figures in days
            ]
            for name in (
                "total_email_activity",
                "replies",
                "leads_found",
                "opportunities",
            )
        }
        totals = _totals(days)
        totals["opportunities_amount"] = totals["opportunities"] * 1200
        return {**series, "totals": totals}

    def lead_activity(self, agent: str) -> Table:
        """Return what the sales agent with this id did with each lead."""
        if agent not in self._lead_activity:
            table = Table(
                lambda: self._leads(agent),
                key="email",
                order="id-asc",
                default_limit=100,
                filters={"filter": lambda row, value: bool(row[value])},
            )
            self._lead_activity[agent] = _until_end(table)
        return self._lead_activity[agent]

    def _campaigns(self, agent: str) -> list[str]:
        """Return the campaigns that an agent runs."""
        ids = self.world.campaign_ids
        first = Draw(self.world.seed, "campaigns", agent).below(max(1, len(ids)))
        return (ids[first:] + ids[:first])[:2]

    @cached_property
    def _addresses(self) -> list[str]:
        contacts = self.world.contacts
        return sorted(
            contacts.person(number, contacts.created(number)).email(number)
            for number in range(min(contacts.count, 2 * MANY))
        )

    def _leads(self, agent: str) -> Iterator[Row]:
        count = self._count(self.tables["ai_agents"].found(agent))
        addresses = self._addresses
        first = Draw(self.world.seed, "leads", agent).below(max(1, len(addresses)))
        for email in (addresses[first:] + addresses[:first])[:count]:
            draw = Draw(self.world.seed, "lead activity", agent, email)
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
            draw = Draw(self.world.seed, "last event", agent, row["email"])
            age = draw.below(DAYS * 24 * 3600)
            return first <= NEWEST - age * instants.SECOND <= last

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
            "reply_rate": _share(replied, len(rows)),
            "opportunity_rate": _share(promising, len(rows)),
        }

    def _opportunities(self, call: Call) -> Row:
        rows = [row for row in self._active(call) if row["has_opportunity"]]
        states = Counter(row.get("lt_interest_status") for row in rows)
        agent = call.path["id"]
        campaigns = self._campaigns(agent)
        found: Counter[str] = Counter()
        for row in rows:
            if campaigns:
                draw = Draw(self.world.seed, "campaign", agent, row["email"])
                found[draw.of(campaigns)] += 1
        return {
            "summary": {
                "total_opportunities": len(rows),
                "total_value": len(rows) * 1200,
                "breakdown": {
                    name: states[number] for number, name in enumerate(_OUTCOMES, 1)
                },
            },
            "campaigns": [
                {
                    "campaign_id": identity,
                    "total_opportunities": found[identity],
                    "total_opportunity_value": found[identity] * 1200,
                }
                for identity in campaigns
                if found[identity]
            ],
        }

    def _guidance_rules(self, call: Call) -> Row:
        """Answer with rules whose ids are their places in the list."""
        agent = self._agent(call, *SALES)["id"]
        count = Draw(self.world.seed, "rules", agent).below(GUIDANCE_RULES + 1)
        return {
            "items": [
                {"id": str(place), "title": title, "content": content}
                for place in range(count)
                for title, content in [_TEXTS[place % len(_TEXTS)]]
            ]
        }

    # Inbox managers

    def _inbox_manager(self, call: Call) -> Row:
        agent = self._agent(call, INBOX_MANAGER)
        row = self.tables["ai_inbox_managers"].found(agent["id"])
        if call.one("with_metadata") == "true":
            tags = (
                self.world.tables["custom_tags"].get(tag)
                for tag in row["payload"].get("tags", [])
            )
            row["metadata"] = {
                "tags": {
                    tag["id"]: {"id": tag["id"], "label": tag["label"]}
                    for tag in tags
                    if tag
                },
                "integrations": {},
            }
        return row

    def _activity(self, call: Call) -> Row:
        """Answer with replies, follow-ups and recoveries in one feed."""
        agent = self._agent(call, INBOX_MANAGER)["id"]
        if call.one("activity_type") and call.one("job_type"):
            message = "job_type cannot be combined with activity_type"
            raise BadRequestError(message)
        if call.one("activity_type") == "recovery" and call.one("action_pending"):
            message = "action_pending cannot be combined with activity_type=recovery"
            raise BadRequestError(message)
        feed = Table(
            self._done(agent),
            default_limit=25,
            filters={
                "action_pending": _is("action_pending"),
                "activity_type": _equals("activity_type"),
                "job_type": _equals("job_type"),
            },
        )
        page = _until_end(feed).page(call)
        return {**page, "has_more": "next_starting_after" in page}

    def _done(self, agent: str) -> list[Row]:
        """Return what an inbox manager did: its replies and the leads it recovered."""
        rows = []
        for reply in self.tables["ai_inbox_manager_replies"].each():
            if reply["agent_id"] != agent:
                continue
            draw = Draw(self.world.seed, "activity of reply", reply["id"])
            follows = bool(reply.get("is_followup"))
            no_show = follows and draw.once_in(3)
            row: Row = {
                "id": reply["id"],
                "timestamp_created": reply["timestamp_created"],
                "activity_type": "followup" if follows else "reply",
                "job_type": _NO_SHOW if no_show else 1 + follows,
                "lead_email": reply["lead"],
                "is_followup": follows,
            }
            for name in (
                "thread_id",
                "requires_hitl",
                "action_pending",
                "sending_status",
                "error_code",
                "estimated_time_saved_seconds",
                "information_requested",
            ):
                if name in reply:
                    row[name] = reply[name]
            if follows:
                row["followup_number"] = 1 + draw.below(3)
            rows.append(row)
            if no_show and draw.once_in(2):
                later = instants.read(reply["timestamp_created"]) + DAY // 8
                rows.append(
                    {
                        "id": draw.uuid4(),
                        "timestamp_created": instants.write(min(NEWEST, later)),
                        "activity_type": "recovery",
                        "job_type": None,
                        "lead_email": reply["lead"],
                        "thread_id": reply.get("thread_id"),
                        "recovery_method": draw.of(("calendly_meeting", "lead_reply")),
                        "revenue_recovered": 400 * draw.below(4),
                    }
                )
        return rows

    def _inbox_counts(self, rows: Iterable[Row]) -> Row:
        """Count what both summaries show."""
        acts = [row for row in rows if row["activity_type"] != "recovery"]
        recovered = [row for row in rows if row["activity_type"] == "recovery"]
        return {
            "total_actions": len(acts),
            "replies_count": sum(row["job_type"] == _REPLY for row in acts),
            "follow_ups_count": sum(row["job_type"] == _FOLLOW_UP for row in acts),
            "human_intervention": sum(bool(row.get("requires_hitl")) for row in acts),
            "info_requested": sum("information_requested" in row for row in acts),
            "unique_conversations": len({row["lead_email"] for row in acts}),
            "no_show_follow_ups_generated": sum(
                row["job_type"] == _NO_SHOW for row in acts
            ),
            "no_show_total_leads_recovered": len(recovered),
        }

    def _within(self, call: Call) -> list[Row]:
        """Return what the inbox manager did on the days asked for."""
        agent = self._agent(call, INBOX_MANAGER)["id"]
        first, last = call.one("from"), call.one("to", "9999-12-31")
        return [
            row
            for row in self._done(agent)
            if first <= row["timestamp_created"][:10] <= last
        ]

    def _inbox_summary(self, call: Call) -> Row:
        rows = self._within(call)
        counts = self._inbox_counts(rows)
        acts, helped = counts["total_actions"], counts["human_intervention"]
        replies = self.tables["ai_inbox_manager_replies"]
        answered = filter(None, (replies.get(row["id"]) for row in rows))
        scores = [reply["confidence_score"] for reply in answered]
        saved: Counter[bool] = Counter()
        for row in rows:
            no_show = row["job_type"] == _NO_SHOW
            saved[no_show] += row.get("estimated_time_saved_seconds") or 0
        followed = counts["no_show_follow_ups_generated"]
        return {
            **counts,
            "time_saved": saved[False],
            "average_confidence_score": round(sum(scores) / len(scores), 2)
            if scores
            else 0,
            "involvement_rate": _share(helped, acts),
            "resolution_rate": _share(acts - helped, acts),
            "no_show_total_revenue_recovered": sum(
                row.get("revenue_recovered", 0) for row in rows
            ),
            "no_show_time_saved": saved[True],
            "no_show_recovery_rate": _share(
                counts["no_show_total_leads_recovered"], followed
            )
            if followed
            else None,
        }

    def _inbox_daily(self, call: Call) -> list[Row]:
        days: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._within(call):
            days[row["timestamp_created"][:10]].append(row)
        return [
            {"date": day, **self._inbox_counts(rows)}
            for day, rows in sorted(days.items())
        ]

    # Lead finders and the deliverability agent

    def _lead_finder_stats(self, call: Call) -> Row:
        agent = self._agent(call, LEAD_FINDER)["id"]
        rows = [
            row
            for row in self.tables["ai_lead_finder_activities"].each()
            if row["agent_id"] == agent
        ]
        kinds = Counter(row["event_type"] for row in rows)
        return {
            "leads_added_total": sum(
                row["payload"].get("leads_added", 0) for row in rows
            ),
            "top_ups_completed": kinds["top_up_completed"],
            "top_ups_failed": kinds["top_up_failed"],
        }

    def _deliverability_agent(self, _: Call) -> Row:
        for agent in self._of(DELIVERABILITY):
            return {"agent": {**self._described(agent), "payload": {}}}
        return {"agent": None}

    # The rows

    def _agents(self) -> Iterator[Row]:
        for number, kind in enumerate(TYPES):
            draw = Draw(self.world.seed, "agent", number)
            created = NEWEST - (70 - 5 * number) * DAY + draw.below(3600) * 1_000_000
            updated = created + draw.below(5 * 24 * 3600) * instants.SECOND
            yield {
                "id": Draw(self.world.seed, "agent", number, "id").uuid4(),
                "type": kind,
                "name": f"{_NAMES[kind]} {number + 1}",
                "status": draw.of((1, 1, 1, 0, -1)),
                "timestamp_created": instants.write(created),
                "timestamp_updated": instants.write(updated),
                "configuration_mode": draw.of(("copilot", "fully_automatic", None)),
            }

    def _of(self, *types: int) -> list[Row]:
        """Return the agents of some types, oldest first."""
        agents = self.tables["ai_agents"].each()
        return [agent for agent in agents if agent["type"] in types]

    def _count(self, agent: Row) -> int:
        """Return how many rows an agent has of each kind."""
        alike = SALES if agent["type"] in SALES else (agent["type"],)
        return MANY if self._of(*alike)[0]["id"] == agent["id"] else FEW

    def _described(self, agent: Row) -> Row:
        """Return what three of the four kinds of details share."""
        draw = Draw(self.world.seed, "description", agent["id"])
        row: Row = {
            name: agent[name]
            for name in (
                "id",
                "name",
                "type",
                "status",
                "timestamp_created",
                "timestamp_updated",
            )
        }
        row["organization_id"] = self.world.organization
        row["is_auto_created"] = draw.once_in(4)
        if not row["is_auto_created"]:
            row["created_by"] = draw.of(self.world.users)
        if draw.once_in(2):
            row["description"] = "Set up for the fourth quarter."
        return row

    def _sales_agents(self) -> Iterator[Row]:
        lists = self.world.contacts.lists
        for agent in self._of(*SALES):
            draw = Draw(self.world.seed, "sales agent", agent["id"])
            row: Row = {
                name: agent[name]
                for name in ("id", "name", "status", "timestamp_created")
            }
            row |= {
                "workspace_id": self.world.organization,
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
                row["created_by"] = draw.of(self.world.users)
                row["timestamp_last_action"] = agent["timestamp_updated"]
                row["timestamp_last_decision"] = agent["timestamp_updated"]
            if draw.once_in(2):
                row["description"] = "Sells to freight brokers."
                row["self_improvement"] = draw.once_in(2)
                row["next_decision_time"] = instants.write(NEWEST + DAY)
            yield row

    def _inbox_managers(self) -> Iterator[Row]:
        interests = self.world.interests
        for agent in self._of(INBOX_MANAGER):
            draw = Draw(self.world.seed, "inbox manager", agent["id"])
            payload: Row = {
                "configuration_type": draw.of((1, 2)),
                "tags": self.world.tag_ids[:2],
                "handle_followup": draw.once_in(2),
                "respond_to_automatic_emails": False,
                "integrations": {},
                "monthly_credit_budget": draw.of((None, 500)),
            }
            if self.world.mailboxes and draw.once_in(2):
                payload["no_show"] = {
                    "enabled": True,
                    "max_followups": 3,
                    "fallback_sending_accounts": {
                        "accounts": [draw.of(self.world.mailboxes)],
                        "tag_ids": [],
                    },
                }
            if draw.once_in(2):
                payload["trigger_on_labels_enabled"] = True
                payload["trigger_on_labels_mode"] = "include"
                payload["trigger_on_labels"] = [draw.of(interests)]
            yield {**self._described(agent), "payload": payload}

    def _lead_finders(self) -> Iterator[Row]:
        campaigns = list(self.world.tables["campaigns"].each())
        for agent in self._of(LEAD_FINDER):
            draw = Draw(self.world.seed, "lead finder", agent["id"])
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

    def _rows_of(
        self,
        types: tuple[int, ...],
        name: str,
        row: Callable[[Row, str, int, Draw], Row],
    ) -> Callable[[], Iterator[Row]]:
        """Return what invents the rows of all agents of some types.

        Args:
            types: The types.
            name: What a row is called in the draws.
            row: Invents one, given the agent, the row's id, its instant and a draw.
        """

        def rows() -> Iterator[Row]:
            for agent in self._of(*types):
                count = self._count(agent)
                begun = instants.read(agent["timestamp_created"])
                gap = (NEWEST - begun) // (count + 1) // instants.SECOND
                for number in range(count):
                    draw = Draw(self.world.seed, name, agent["id"], number)
                    identity = Draw(self.world.seed, name, agent["id"], number, "id")
                    age = (number * gap + draw.below(gap)) * instants.SECOND
                    yield row(agent, identity.uuid4(), NEWEST - age, draw)

        return rows

    def _action(self, agent: Row, identity: str, instant: int, draw: Draw) -> Row:
        kind = draw.of((*_ACTIONS, *_HIDDEN))
        state = draw.of(_ACTION_STATES)
        updated = min(NEWEST, instant + draw.below(7200) * instants.SECOND)
        row: Row = {
            "id": identity,
            "ai_sdr_id": agent["id"],
            "workspace_id": self.world.organization,
            "action_type": kind,
            "action_status": state,
            "action_payload": {},
            "timestamp_created": instants.write(instant),
            "timestamp_updated": instants.write(updated),
        }
        campaigns = self._campaigns(agent["id"])
        if "campaign" in kind and campaigns:
            row["action_payload"] = {"campaign_id": draw.of(campaigns)}
        if state in ("approved", "rejected"):
            row[f"{state}_by"] = draw.of(self.world.users)
            row[f"{state}_at"] = instants.write(updated)
            if state == "rejected" and draw.once_in(2):
                row["rejection_reason"] = "Not before the trade fair."
        elif state == "completed":
            row["timestamp_executed"] = row["timestamp_completed"] = instants.write(
                updated
            )
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

    def _guidances(self) -> Iterator[Row]:
        for agent in self._of(INBOX_MANAGER):
            for number in range(FEW):
                draw = Draw(self.world.seed, "guidance", agent["id"], number)
                label, instruction = _TEXTS[number % len(_TEXTS)]
                created = instants.read(agent["timestamp_created"]) + number * DAY // 4
                updated = created + draw.below(4 * 24 * 3600) * instants.SECOND
                category = draw.below(5)
                row: Row = {
                    "id": draw.uuid4(),
                    "organization_id": self.world.organization,
                    "agent_id": agent["id"],
                    "label": label,
                    "instruction": instruction,
                    "status": int(not draw.once_in(4)),
                    "category": category,
                    "timestamp_created": instants.write(min(NEWEST, created)),
                    "timestamp_updated": instants.write(min(NEWEST, updated)),
                }
                if category == 0:
                    row["basic_guidance_options"] = dict(_GUIDED)
                yield row

    def _reply(self, agent: Row, identity: str, instant: int, draw: Draw) -> Row:
        addresses = self._addresses
        row: Row = {
            "id": identity,
            "organization_id": self.world.organization,
            "timestamp_created": instants.write(instant),
            "timestamp_updated": instants.write(
                min(NEWEST, instant + draw.below(3600) * instants.SECOND)
            ),
            "agent_id": agent["id"],
            "thread_id": f"t{draw.below(1 << 40):x}-Qw",
            "lead": draw.of(addresses) if addresses else None,
            "html": "<p>Thank you, Thursday suits us.</p>",
            "requires_hitl": draw.once_in(5),
            "generation_lag_seconds": 4 + draw.below(60),
            "confidence_score": draw.below(100) / 100,
            "estimated_time_saved_seconds": 60 * draw.below(8),
            "action_pending": draw.once_in(6),
            "sending_status": draw.of((1, 1, 1, 2, -1)),
        }
        if row["requires_hitl"]:
            row["requires_hitl_reason"] = "Asks for a discount."
        if row["sending_status"] < 0:
            row["error_code"] = draw.of(_ERRORS)
        if draw.once_in(3):
            row["is_followup"] = not draw.once_in(4)
        if draw.once_in(4):
            row["is_automatic_email"] = draw.once_in(9)
            row["calendly_tool_used"] = draw.once_in(2)
        if draw.once_in(5):
            row["information_requested"] = draw.of(_ASKED)
        if draw.once_in(6):
            row["feedback_positive"] = draw.once_in(2)
            row["feedback_text"] = "A little long."
            row["in_reply_to"] = None
            row["usage_metadata"] = {"tokens": draw.below(4000)}
        return row

    def _top_up(self, agent: Row, identity: str, instant: int, draw: Draw) -> Row:
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
            "organization_id": self.world.organization,
            "timestamp_created": instants.write(instant),
            "event_type": kind,
            "payload": payload,
        }

    def _feed_item(self, agent: Row, identity: str, instant: int, draw: Draw) -> Row:
        state = draw.of(_FEED_STATES)
        kind = draw.of(_KINDS)
        updated = instants.write(
            min(NEWEST, instant + draw.below(86400) * instants.SECOND)
        )
        row: Row = {
            "id": identity,
            "organization_id": self.world.organization,
            "agent_id": agent["id"],
            "feed_code": draw.of(("low_score", "bounces_rising", "warmup_paused")),
            "kind": kind,
            "status": state,
            "severity": draw.of(_SEVERITIES),
            "priority": draw.below(100),
            "payload": {"score": draw.below(100)},
            "dedupe_key": f"{identity[:8]}:{instant // DAY}",
            "timestamp_created": instants.write(instant),
            "timestamp_updated": updated,
        }
        if self.world.mailboxes and not draw.once_in(3):
            email = draw.of(self.world.mailboxes)
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
            row["expires_at"] = instants.write(NEWEST + 7 * DAY)
        if state == "done":
            row["completed_at"] = updated
        elif state == "dismissed":
            row["dismissed_at"] = updated
        return row


def _flags(*names: str) -> dict[str, Parameter]:
    return dict.fromkeys(names, Parameter("boolean"))


def _window(call: Call) -> tuple[int, int]:
    """Return the first and the last instant that a call asks about."""
    first = _moment(call.one("start_date"), 0)
    return first, _moment(call.one("end_date"), NEWEST)


def _totals(days: Iterable[tuple[int, Row]]) -> Counter[str]:
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
