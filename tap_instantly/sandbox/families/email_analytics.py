"""What e-mails come to: the figures of campaigns, mailboxes and subsequences."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tap_instantly.sandbox.families.email_plan import RECEIVED, SENT, outcome
from tap_instantly.sandbox.store import timestamps
from tap_instantly.sandbox.store.api import BadRequestError, Call, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_instantly.sandbox.families.workspace import Workspace

DAILY = {
    name: name
    for name in (
        "sent",
        "contacted",
        "new_leads_contacted",
        "opened",
        "unique_opened",
        "replies",
        "unique_replies",
        "replies_automatic",
        "unique_replies_automatic",
        "clicks",
        "unique_clicks",
    )
}
"""The figures of a day."""
STEP = {
    name: name for name in DAILY if name not in ("contacted", "new_leads_contacted")
}
"""The figures of a step."""
OPPORTUNITIES = {name: name for name in ("opportunities", "unique_opportunities")}
TOTALS = {
    "contacted_count": "contacted",
    "emails_sent_count": "sent",
    "new_leads_contacted_count": "new_leads_contacted",
    "open_count": "opened",
    "open_count_unique": "unique_opened",
    "open_count_unique_by_step": "unique_opened_by_step",
    "reply_count": "replies",
    "reply_count_unique": "unique_replies",
    "reply_count_unique_by_step": "unique_replies_by_step",
    "reply_count_automatic": "replies_automatic",
    "reply_count_automatic_unique": "unique_replies_automatic",
    "reply_count_automatic_unique_by_step": "unique_replies_automatic_by_step",
    "link_click_count": "clicks",
    "link_click_count_unique": "unique_clicks",
    "link_click_count_unique_by_step": "unique_clicks_by_step",
    "bounced_count": "bounced",
    "total_opportunities": "unique_opportunities",
}
"""The figures of a campaign, and what they are called here."""

_AUTOMATIC = 0
"""The interest status of an automatic reply."""
_NEEDED = ("id", "eaccount", "timestamp_email")
_STEP = re.compile(r"\d+_(\d+)_(\d+)")


class Event(NamedTuple):
    """An e-mail that a campaign sent or that came in reply."""

    campaign: str
    subsequence: str | None
    mailbox: str
    lead: str
    timestamp: int
    is_reply: bool
    step: tuple[str, str] | None
    """The step and its variant, where they are known."""
    opens: int
    clicks: int
    bounced: bool
    is_first: bool
    """Whether the campaign had not written to the lead before."""
    is_automatic: bool
    interest: int | None

    @property
    def day(self) -> str:
        """The day (UTC): `2026-10-29`."""
        return timestamps.write(self.timestamp)[:10]

    @property
    def is_opportunity(self) -> bool:
        """Whether the lead showed interest."""
        return self.is_reply and (self.interest or 0) > 0


class Activity(NamedTuple):
    """The events of all e-mails by what they belong to."""

    by_campaign: dict[str, list[Event]]
    by_mailbox: dict[str, list[Event]]
    by_subsequence: dict[str, list[Event]]


@dataclass(frozen=True)
class Window:
    """A stretch of time from `start` up to, not including, `end`."""

    start: int | None
    end: int | None

    @classmethod
    def of(cls, call: Call, *, ends_inclusive: bool) -> Window:
        """Read `start_date` and `end_date`, which may be a day or a time.

        Raises:
            BadRequestError: If one of them is neither.
        """
        start, end = call.one("start_date"), call.one("end_date")
        through = timestamps.DAY if ends_inclusive and timestamps.is_day(end) else 0
        return cls(
            _bound("start_date", start) if start else None,
            _bound("end_date", end) + through if end else None,
        )

    def of_events(self, events: Iterable[Event]) -> list[Event]:
        """Return the events that are in the window."""
        return [
            event
            for event in events
            if (self.start is None or event.timestamp >= self.start)
            and (self.end is None or event.timestamp < self.end)
        ]


def events_of(workspace: Workspace) -> Activity:
    """Return the events of all e-mails."""
    return workspace.tables["emails"].aggregate(_read_events)


def _read_events(rows: Iterable[Row]) -> Activity:
    known: set[tuple[str, str]] = set()
    activity = Activity(defaultdict(list), defaultdict(list), defaultdict(list))
    by_time = sorted(
        (timestamps.read(row["timestamp_email"]), number, row)
        for number, row in enumerate(rows)
        if row.get("ue_type") in (SENT, RECEIVED) and {*_NEEDED} <= row.keys()
    )
    for timestamp, _, row in by_time:
        contact = str(row.get("campaign_id")), str(row.get("lead"))
        is_reply = row["ue_type"] == RECEIVED
        step = _STEP.fullmatch(row.get("step") or "")
        opens, clicks, bounced = (0, 0, False) if is_reply else outcome(row["id"])
        event = Event(
            contact[0],
            row.get("subsequence_id"),
            row["eaccount"],
            contact[1],
            timestamp,
            is_reply,
            (step[1], step[2]) if step else None,
            opens,
            clicks,
            bounced,
            not is_reply and contact not in known,
            row.get("i_status") == _AUTOMATIC,
            row.get("i_status"),
        )
        if not is_reply:
            known.add(contact)
        activity.by_mailbox[event.mailbox].append(event)
        if row.get("campaign_id"):
            activity.by_campaign[event.campaign].append(event)
        if event.subsequence:
            activity.by_subsequence[event.subsequence].append(event)
    return Activity(*map(dict, activity))


def total(events: Iterable[Event]) -> dict[str, int]:
    """Return all figures of some events."""
    events = list(events)
    sent = [event for event in events if not event.is_reply]
    replies = [event for event in events if event.is_reply]
    automatic = [event for event in replies if event.is_automatic]
    human = [event for event in replies if not event.is_automatic]
    opened = [event for event in sent if event.opens]
    clicked = [event for event in sent if event.clicks]
    interested = [event for event in replies if event.is_opportunity]
    return {
        "sent": len(sent),
        "contacted": _leads(sent),
        "new_leads_contacted": sum(event.is_first for event in sent),
        "bounced": sum(event.bounced for event in sent),
        "opened": sum(event.opens for event in sent),
        "unique_opened": _leads(opened),
        "unique_opened_by_step": _leads_by_step(opened),
        "replies": len(replies),
        "unique_replies": _leads(human),
        "unique_replies_by_step": _leads_by_step(human),
        "replies_automatic": len(automatic),
        "unique_replies_automatic": _leads(automatic),
        "unique_replies_automatic_by_step": _leads_by_step(automatic),
        "clicks": sum(event.clicks for event in sent),
        "unique_clicks": _leads(clicked),
        "unique_clicks_by_step": _leads_by_step(clicked),
        "opportunities": len(interested),
        "unique_opportunities": _leads(interested),
    }


def figures(found: Iterable[Event], names: Mapping[str, str]) -> Row:
    """Return some figures of events under the names of the API."""
    all_of_them = total(found)
    return {name: all_of_them[own] for name, own in names.items()}


def by_day(found: Iterable[Event]) -> dict[str, list[Event]]:
    """Return the events of each day that has any, the days in their order."""
    days = defaultdict(list)
    for event in found:
        days[event.day].append(event)
    return dict(sorted(days.items()))


def steps(
    found: Iterable[Event], *, of_subsequence: bool = False
) -> list[tuple[Row, list[Event]]]:
    """Return a row and the events of each step and variant, null where unknown.

    A campaign does not know the steps of its subsequences.
    """
    by_step = defaultdict(list)
    for event in found:
        is_known = event.step and bool(event.subsequence) == of_subsequence
        by_step[event.step if is_known else None].append(event)
    return [
        (
            {
                "step": step and step[0],
                "variant": step and step[1],
                **figures(events, STEP),
            },
            events,
        )
        for step, events in by_step.items()
    ]


def reached(found: Iterable[Event], interest: int, *, every: bool) -> int:
    """Count the replies with an interest status, or the leads that sent them."""
    replies = [one for one in found if one.is_reply and one.interest == interest]
    return len(replies) if every else _leads(replies)


def _leads(found: Iterable[Event]) -> int:
    return len({(event.campaign, event.lead) for event in found})


def _leads_by_step(found: Iterable[Event]) -> int:
    return len({(event.campaign, event.lead, event.step) for event in found})


def _bound(name: str, text: str) -> int:
    try:
        return timestamps.read_bound(text)
    except ValueError:
        message = f'querystring/{name} must match format "date-time"'
        raise BadRequestError(message) from None


def percent(part: int, whole: int) -> float:
    """Return a part in percent, and 0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0
