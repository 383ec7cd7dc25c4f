"""Webhooks, the events that they are told of, and how the deliveries went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.filters import among, contains, is_true
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tap_instantly.sandbox.store.rows import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_instantly.sandbox.store.api import Call, Endpoint, Row

WEBHOOKS = 8
WEBHOOK_EVENTS = 150

CANARY_HEADER = "canary-webhook-header"
"""Stands in the `headers` of webhooks; it may never be emitted."""

_RETRIED = 5 * timestamps.DAY
_WORKING = 1
_BUILT_IN = 4
"""Interest statuses from -4 to 4 are not those of labels."""
_EVENT_TYPES = WORDS["event types"]
"""The last is not known to the filter of webhooks."""
_FAILURES = WORDS["failures"]


class Webhooks(Family):
    """Webhooks and their events."""

    def _new_tables(self) -> Tables:
        self._webhooks = self._workspace.new_table(
            self._first_webhooks,
            order="id-desc",
            filters={
                "campaign": among("campaign"),
                "event_type": among("event_type"),
            },
        )
        self._events = self._workspace.new_table(
            lambda: self._spread("event", WEBHOOK_EVENTS, self._event),
            make=self._event,
            filters={
                "success": is_true("success"),
                "from": lambda row, value: row["timestamp_created"][:10] >= value,
                "to": lambda row, value: row["timestamp_created"][:10] <= value,
                "search": contains("lead_email", "webhook_url"),
            },
        )
        return {"webhooks": self._webhooks, "webhook_events": self._events}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        event_types = api.one_of("all_events", *(kind for kind, _ in _EVENT_TYPES[:-1]))
        return [
            self._webhooks.endpoint(
                "/webhooks", campaign=api.TEXT, event_type=event_types
            ),
            self._webhooks.detail("/webhooks/{id}"),
            api.get("/webhooks/event-types", self._event_types),
            self._events.endpoint(
                "/webhook-events", success=api.FLAG, search=api.TEXT, **api.DAYS
            ),
            self._events.detail("/webhook-events/{id}"),
            api.get("/webhook-events/summary-by-date", self._summary, **api.DAYS),
        ]

    def _event_types(self, _: Call) -> bytes:
        """Answer with the built-in types and one for each custom label."""
        return self._workspace.tables["lead_labels"].aggregate(_event_types)

    def _summary(self, call: Call) -> Row:
        total: Counter[str] = Counter()
        good: Counter[str] = Counter()
        for row in self._events.matching(call):
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

    def _first_webhooks(self) -> Iterator[Row]:
        campaigns = self._workspace.campaign_ids
        labels = [
            number for number in self._workspace.interests if abs(number) > _BUILT_IN
        ]
        for number in range(WEBHOOKS):
            draw = self._workspace.draw("webhook", number)
            created = NEWEST - (40 + draw.below(600)) * timestamps.DAY
            row: Row = {
                "id": self._workspace.draw("webhook", number, "id").uuid4(),
                "organization": self._workspace.organization,
                "target_hook_url": f"https://example.com/hooks/{number}",
                "timestamp_created": timestamps.write(created),
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
                row["timestamp_error"] = timestamps.write(
                    NEWEST - draw.below(30) * timestamps.DAY
                )
            yield row

    def _event(self, number: int, created: int) -> Row:
        contacts = self._workspace.contacts
        draw = self._workspace.draw("event", number)
        webhook = draw.of(list(self._webhooks.each()))
        kind = webhook["event_type"]
        if kind in (None, "all_events"):
            kind = draw.of(_EVENT_TYPES)[0]
        text = timestamps.write(created)
        payload: Row = {
            "event_type": kind,
            "timestamp": text,
            "workspace": self._workspace.organization,
        }
        row: Row = {
            "id": self._workspace.draw("event", number, "id").uuid4(),
            "timestamp_created": text,
            "timestamp_created_date": text[:10],
            "organization_id": self._workspace.organization,
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


def _event_types(labels: Iterable[Row]) -> bytes:
    built_in = [
        {"id": kind, "label": label, "type": "built_in"} for kind, label in _EVENT_TYPES
    ]
    custom = [
        {"id": label["id"], "label": label.get("label"), "type": "custom_label"}
        for label in reversed([*labels])
    ]
    return render({"event_types": built_in + custom})


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
        row["timestamp_next_retry"] = timestamps.write(NEWEST + timestamps.DAY // 24)
    if retries:
        row["retry_group_id"] = draw.uuid4()
        row["retry_successful"] = draw.once_in(2)
    return row
