"""What happened: background jobs, the audit log, webhooks and their events."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import NEWEST, Draw, Row
from tap_instantly.sandbox.data import instants as moments
from tap_instantly.sandbox.endpoints import Endpoint, Parameter
from tap_instantly.sandbox.instants import DAY
from tap_instantly.sandbox.listing import render
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_instantly.sandbox.endpoints import Call
    from tap_instantly.sandbox.world import World

BACKGROUND_JOBS = 115
AUDIT_LOGS = 120
WEBHOOKS = 8
WEBHOOK_EVENTS = 150

CANARY_HEADER = "canary-webhook-header"
"""Stands in the `headers` of webhooks; it may never be emitted."""

_RETRIED = 5 * DAY
_WORKING = 1
_BUILT_IN = 4
"""Interest statuses from -4 to 4 are not those of labels."""
_JOBS = (  # type, what it works on
    ("move-leads", "list"),
    ("import-leads", "list"),
    ("import-leads", "campaign"),
    ("export-leads", "campaign"),
    ("update-warmup-accounts", "workspace"),
    ("rename-variable", "campaign"),
)
_JOB_TYPES = (
    "move-leads",
    "import-leads",
    "export-leads",
    "update-warmup-accounts",
    "rename-variable",
    "broadcast-ai-generate",
    "broadcast-website-scrape",
    "import-subscribers-from-crm",
    "resync-subscriber-crm-tags",
)
_ENTITY_TYPES = (
    "list",
    "campaign",
    "workspace",
    "broadcast",
    "subscriber-group-sync",
    "subscriber-group",
)
_OUTCOMES = ("success", "success", "success", "failed", "cancelled")
_ON_CAMPAIGN, _ON_SUBSEQUENCE = (3, 4, 5, 11), 12
_ON_WEBHOOK, _ON_LIST = (18, 19, 20, 21), (8, 9, 10, 34, 35)
_BY_A_KEY = (9, 36, 37)
_ACTIVITIES = (1, 2, 6, 7, 31, 40, 41, *_ON_CAMPAIGN, *_ON_LIST, *_ON_WEBHOOK, 12, 36)
"""Of these, 41 is not documented: the list grows."""
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "python-requests/2.32", "curl/8.7.1")
_EVENT_TYPES = (
    ("email_sent", "Email sent"),
    ("email_opened", "Email opened"),
    ("email_link_clicked", "Link clicked"),
    ("reply_received", "Reply received"),
    ("email_bounced", "Email bounced"),
    ("lead_unsubscribed", "Lead unsubscribed"),
    ("campaign_completed", "Campaign completed"),
    ("account_error", "Account error"),
    ("lead_neutral", "Lead neutral"),
    ("lead_interested", "Lead interested"),
    ("lead_not_interested", "Lead not interested"),
    ("lead_meeting_booked", "Meeting booked"),
    ("lead_meeting_completed", "Meeting completed"),
    ("lead_closed", "Lead closed"),
    ("lead_out_of_office", "Out of office"),
    ("lead_wrong_person", "Wrong person"),
    ("lead_no_show", "No show"),
)
"""The last is not known to the filter of webhooks."""
_DAYS = {"from": Parameter("date"), "to": Parameter("date")}
_FAILURES = (
    (500, "Internal Server Error"),
    (404, "Not Found"),
    (None, "connect ETIMEDOUT 203.0.113.7:443"),
)


def _among(name: str) -> Callable[[Row, str], bool]:
    """Return a filter that lets the values of a comma list through."""
    return lambda row, value: str(row.get(name)) in value.split(",")


def _has(*fields: str) -> Callable[[Row, str], bool]:
    """Return a filter that searches some fields."""
    return lambda row, value: any(
        value.casefold() in str(row.get(name, "")).casefold() for name in fields
    )


def _is(name: str) -> Callable[[Row, str], bool]:
    """Return a filter on a boolean field."""
    return lambda row, value: row.get(name, False) == (value == "true")


def _moment(text: str) -> int:
    """Read a day, which is its midnight, or an instant."""
    return instants.read(text if "T" in text else f"{text}T00:00:00Z")


_JOB_FILTERS: dict[str, Callable[[Row, str], bool]] = {
    "ids": _among("id"),
    "excluded_ids": lambda row, value: row["id"] not in value.split(","),
    **{name: _among(name) for name in ("type", "entity_type", "entity_id", "status")},
}


class Logs:
    """What happened in the workspace, and who is told of it."""

    def __init__(self, world: World) -> None:
        """Belong to `world`, whose campaigns, lists and users it is about."""
        self.world = world
        self._types: tuple[int, bytes] | None = None
        self.tables = {
            "background_jobs": Table(
                lambda: self._first("job", BACKGROUND_JOBS, self._job),
                make=self._job,
                order="id-desc",
                dated_by="created_at",
                filters=_JOB_FILTERS,
            ),
            "audit_logs": Table(
                lambda: self._first("activity", AUDIT_LOGS, self._activity),
                make=self._activity,
                dated_by="timestamp",
                maximum=1000,
                filters={
                    "activity_type": _among("activity_type"),
                    "search": _has("user_name", "ip_address", "user_agent"),
                    "start_date": lambda row, value: (
                        instants.read(row["timestamp"]) >= _moment(value)
                    ),
                    "end_date": lambda row, value: (
                        instants.read(row["timestamp"]) <= _moment(value)
                    ),
                },
            ),
            "webhooks": Table(
                self._webhooks,
                order="id-desc",
                filters={
                    "campaign": _among("campaign"),
                    "event_type": _among("event_type"),
                },
            ),
            "webhook_events": Table(
                lambda: self._first("event", WEBHOOK_EVENTS, self._event),
                make=self._event,
                filters={
                    "success": _is("success"),
                    "from": lambda row, value: row["timestamp_created"][:10] >= value,
                    "to": lambda row, value: row["timestamp_created"][:10] <= value,
                    "search": _has("lead_email", "webhook_url"),
                },
            ),
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        jobs, activities, webhooks, events = self.tables.values()
        return [
            Endpoint(
                "GET",
                "/background-jobs",
                self._jobs_page,
                {
                    **jobs.paging,
                    **dict.fromkeys(
                        ("ids", "included_ids", "excluded_ids"), Parameter()
                    ),
                    "type": Parameter(choices=_JOB_TYPES),
                    "entity_type": Parameter(choices=_ENTITY_TYPES),
                    "entity_id": Parameter(),
                    "status": Parameter(),
                    "sort_column": Parameter(choices=("created_at", "updated_at")),
                    "sort_order": Parameter(choices=("asc", "desc")),
                },
            ),
            jobs.detail("/background-jobs/{id}"),
            activities.endpoint(
                "/audit-logs",
                activity_type=Parameter("number"),
                search=Parameter(),
                start_date=Parameter("date-time"),
                end_date=Parameter("date-time"),
            ),
            webhooks.endpoint(
                "/webhooks",
                campaign=Parameter(),
                event_type=Parameter(
                    choices=("all_events", *(kind for kind, _ in _EVENT_TYPES[:-1]))
                ),
            ),
            webhooks.detail("/webhooks/{id}"),
            Endpoint("GET", "/webhooks/event-types", self._event_types),
            Endpoint(
                "GET",
                "/webhook-events",
                events.answer,
                {
                    **events.paging,
                    "success": Parameter("boolean"),
                    "search": Parameter(),
                    **_DAYS,
                },
            ),
            events.detail("/webhook-events/{id}"),
            Endpoint("GET", "/webhook-events/summary-by-date", self._summary, _DAYS),
        ]

    # What is answered

    def _jobs_page(self, call: Call) -> bytes:
        """Answer with jobs by one of their two times, or by id if none is named."""
        jobs = self.tables["background_jobs"]
        column = call.one("sort_column")
        if column:
            jobs = Table(jobs.each(), dated_by=column, filters=_JOB_FILTERS)
        return jobs.answer(call, descending=call.one("sort_order") != "asc")

    def _event_types(self, _: Call) -> bytes:
        """Answer with the built-in types and one for each custom label."""
        version = self.world.labels.version
        if self._types is None or self._types[0] != version:
            self._types = version, render(self._types_now())
        return self._types[1]

    def _types_now(self) -> Row:
        built_in = [
            {"id": kind, "label": label, "type": "built_in"}
            for kind, label in _EVENT_TYPES
        ]
        custom = [
            {"id": label["id"], "label": label.get("label"), "type": "custom_label"}
            for label in self.world.labels.rows
        ]
        return {"event_types": built_in + custom}

    def _summary(self, call: Call) -> Row:
        total: Counter[str] = Counter()
        good: Counter[str] = Counter()
        for row in self.tables["webhook_events"].matching(call):
            day = row["timestamp_created"][:10]
            total[day] += 1
            good[day] += row["success"]
        return {
            "items": [
                {
                    "date": day,
                    "total_events": count,
                    "successful_events": good[day],
                    "failed_events": count - good[day],
                    "success_rate": round(100 * good[day] / count, 2),
                }
                for day, count in sorted(total.items())
            ]
        }

    # The rows

    def _first(
        self, name: str, count: int, make: Callable[[int, int], Row]
    ) -> list[Row]:
        """Return the rows that there are to begin with, newest first."""
        created_at = moments(self.world.seed, name, count, 1)
        return [make(number, instant) for number, instant in enumerate(created_at)]

    def _job(self, number: int, created: int) -> Row:
        entities = {
            "list": self.world.contacts.lists,
            "campaign": self.world.campaign_ids,
            "workspace": [self.world.organization],
        }
        draw = Draw(self.world.seed, "job", number)
        kind, entity = draw.of(_JOBS)
        status = draw.of(_OUTCOMES) if number else "in-progress"
        ran = draw.below(1800) * instants.SECOND if number else 0
        row: Row = {
            "id": f"{created // instants.SECOND:08x}{draw.below(1 << 64):016x}",
            "workspace_id": self.world.organization,
            "type": kind,
            "entity_type": entity,
            "progress": 100 if status == "success" else draw.below(100),
            "status": status,
            "created_at": instants.write(created),
            "updated_at": instants.write(created + ran),
        }
        if entities[entity]:
            row["entity_id"] = draw.of(entities[entity])
        if not draw.once_in(5):
            row["user_id"] = draw.of(self.world.users)
        if kind == "move-leads":
            row["data"] = {
                "moved_lead_emails": [
                    f"moved{each}@example.org" for each in range(draw.below(4))
                ]
            }
        return row

    @cached_property
    def _objects(self) -> list[tuple[tuple[int, ...], str, Sequence[str]]]:
        """Kinds of activities, the field with what they concern, and its values."""
        tables = {**self.world.tables, **self.tables}
        named = (
            ((_ON_SUBSEQUENCE,), "subsequence_id", "subsequences"),
            (_ON_WEBHOOK, "webhook_id", "webhooks"),
            (_BY_A_KEY, "api_key_id", "api_keys"),
        )
        return [
            (_ON_CAMPAIGN, "campaign_id", self.world.campaign_ids),
            (_ON_LIST, "list_id", self.world.contacts.lists),
            *(
                (kinds, field, [row["id"] for row in tables[name].each()])
                for kinds, field, name in named
            ),
        ]

    def _activity(self, number: int, moment: int) -> Row:
        draw = Draw(self.world.seed, "activity", number)
        activity = draw.of(_ACTIVITIES)
        by_key = activity in _BY_A_KEY
        row: Row = {
            "id": Draw(self.world.seed, "activity", number, "id").uuid4(),
            "timestamp": instants.write(moment),
            "organization_id": self.world.organization,
            "activity_type": activity,
            "ip_address": f"198.51.100.{draw.below(255)}",
            "from_api": by_key,
        }
        for activities, name, ids in self._objects:
            if activity in activities and ids:
                row[name] = draw.of(ids)
        if not by_key:
            row["user_id"] = draw.of(self.world.users)
            row["user_name"] = f"Member {self.world.users.index(row['user_id'])}"
        if not draw.once_in(6):
            row["user_agent"] = draw.of(_AGENTS)
        if activity in (2, *_ON_LIST):
            row["affected_count"] = 1 + draw.below(500)
        if draw.once_in(4):
            row["audit_metadata"] = {"previous": {"name": "Köln (old)"}}
        return row

    def _webhooks(self) -> Iterator[Row]:
        campaigns = self.world.campaign_ids
        labels = [number for number in self.world.interests if abs(number) > _BUILT_IN]
        for number in range(WEBHOOKS):
            draw = Draw(self.world.seed, "webhook", number)
            created = NEWEST - (40 + draw.below(600)) * DAY
            row: Row = {
                "id": Draw(self.world.seed, "webhook", number, "id").uuid4(),
                "organization": self.world.organization,
                "target_hook_url": f"https://example.com/hooks/{number}",
                "timestamp_created": instants.write(created),
                "event_type": draw.of(_EVENT_TYPES)[0] if number else "all_events",
                "status": _WORKING,
            }
            if not draw.once_in(3):
                row["name"] = f"Hook {number}"
            if campaigns and draw.once_in(2):
                row["campaign"] = draw.of(campaigns)
            if number % 3 == 0:
                row["headers"] = {
                    "Authorization": f"Bearer {CANARY_HEADER}-{number}",
                    "X-Signature": f"{CANARY_HEADER}-{draw.below(10**9)}",
                }
            if number % 4 == 1 and labels:
                row["event_type"] = None
                row["custom_interest_value"] = draw.of(labels)
            if (number + 1) % 5 == 0:
                row["status"] = -_WORKING
                row["timestamp_error"] = instants.write(NEWEST - draw.below(30) * DAY)
            yield row

    def _event(self, number: int, created: int) -> Row:
        contacts = self.world.contacts
        draw = Draw(self.world.seed, "event", number)
        webhook = draw.of(list(self.tables["webhooks"].each()))
        kind = webhook["event_type"]
        if kind in (None, "all_events"):
            kind = draw.of(_EVENT_TYPES)[0]
        text = instants.write(created)
        payload: Row = {
            "event_type": kind,
            "timestamp": text,
            "workspace": self.world.organization,
        }
        row: Row = {
            "id": Draw(self.world.seed, "event", number, "id").uuid4(),
            "timestamp_created": text,
            "timestamp_created_date": text[:10],
            "organization_id": self.world.organization,
            "payload": payload,
            "webhook_url": webhook["target_hook_url"],
        }
        if contacts.count and kind not in ("campaign_completed", "account_error"):
            lead = draw.below(contacts.count)
            person = contacts.person(lead, contacts.created(lead))
            row["lead_email"] = payload["lead_email"] = person.email(lead)
        if webhook.get("campaign"):
            payload["campaign_id"] = webhook["campaign"]
        return row | _delivery(draw, created)


def _delivery(draw: Draw, created: int) -> Row:
    """Draw how the delivery of an event went."""
    if not draw.once_in(5):
        return {
            "success": True,
            "retry_count": 0,
            "will_retry": False,
            "status_code": 200,
            "response_time_ms": 40 + draw.below(900),
        }
    code, message = draw.of(_FAILURES)
    retries = draw.below(4)
    recent = NEWEST - created < _RETRIED
    row: Row = {
        "success": False,
        "retry_count": retries,
        "will_retry": recent,
        "status_code": code,
        "error_message": message,
    }
    if recent:
        row["timestamp_next_retry"] = instants.write(NEWEST + DAY // 24)
    if retries:
        row["retry_group_id"] = draw.uuid4()
        row["retry_successful"] = draw.once_in(2)
    return row
