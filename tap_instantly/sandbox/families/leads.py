"""Leads of campaigns and lists."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.email_messages import email_id, interest_of
from tap_instantly.sandbox.families.email_plan import RECEIVED, SENT, outcome
from tap_instantly.sandbox.families.filters import contains
from tap_instantly.sandbox.families.workspace import Family, Tables, Workspace
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import BadRequestError, Call, Endpoint, Row
from tap_instantly.sandbox.store.api import text as written
from tap_instantly.sandbox.store.rows import LazyRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_instantly.sandbox.families.contacts import Person
    from tap_instantly.sandbox.families.email_plan import PlannedEmail
    from tap_instantly.sandbox.store.draws import Draw

VERIFIED = {
    1: "verified",
    -1: "invalid",
    -2: "risky",
    -3: "catch_all",
    -4: "job_change",
    11: "verification_job_pending_user",
    12: "verification_job_pending_leadfinder",
}
_BOUNCED, _UNSUBSCRIBED, _COMPLETED = -1, -2, 3
_FIXED_FILTERS = {
    "FILTER_VAL_COMPLETED": ("status", _COMPLETED),
    "FILTER_VAL_UNSUBSCRIBED": ("status", _UNSUBSCRIBED),
    "FILTER_VAL_ACTIVE": ("status", 1),
    "FILTER_VAL_BOUNCED": ("status", _BOUNCED),
    "FILTER_VAL_SKIPPED": ("status", -3),
    "FILTER_LEAD_INTERESTED": ("lt_interest_status", 1),
    "FILTER_LEAD_NOT_INTERESTED": ("lt_interest_status", -1),
    "FILTER_LEAD_MEETING_BOOKED": ("lt_interest_status", 2),
    "FILTER_LEAD_MEETING_COMPLETED": ("lt_interest_status", 3),
    "FILTER_LEAD_CLOSED": ("lt_interest_status", 4),
    "FILTER_LEAD_OUT_OF_OFFICE": ("lt_interest_status", 0),
    "FILTER_LEAD_WRONG_PERSON": ("lt_interest_status", -2),
    "FILTER_LEAD_LOST": ("lt_interest_status", -3),
    "FILTER_LEAD_NO_SHOW": ("lt_interest_status", -4),
    "FILTER_VAL_VALID": ("verification_status", 1),
    "FILTER_VAL_INVALID": ("verification_status", -1),
    "FILTER_VAL_RISKY": ("verification_status", -2),
    "FILTER_VAL_NO_OPENS": ("email_open_count", 0),
}
_BUILT_IN = range(-4, 5)
_FILTERS: dict[str, Callable[[Row], bool]] = {
    "FILTER_VAL_CONTACTED": lambda row: "timestamp_last_contact" in row,
    "FILTER_VAL_NOT_CONTACTED": lambda row: "timestamp_last_contact" not in row,
    "FILTER_LEAD_CUSTOM_LABEL_POSITIVE": lambda row: _own_interest(row) > 0,
    "FILTER_LEAD_CUSTOM_LABEL_NEGATIVE": lambda row: _own_interest(row) < 0,
    "FILTER_VAL_IN_SUBSEQUENCE": lambda row: "subsequence_id" in row,
    "FILTER_VAL_OPENED_NO_REPLY": lambda row: (
        row["email_open_count"] > 0 and row["email_reply_count"] == 0
    ),
    "FILTER_VAL_COMPLETED_NO_REPLY": lambda row: (
        row["status"] == _COMPLETED and row["email_reply_count"] == 0
    ),
    "FILTER_VAL_REPLIED": lambda row: row["email_reply_count"] > 0,
    "FILTER_VAL_LINK_CLICKED": lambda row: row["email_click_count"] > 0,
}


class Leads(Family):
    """Leads."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            LazyRows(
                self._plan,
                lambda number: _row(self._workspace, number, self._created(number)),
                self._created,
            ),
            order="id-asc",
            by={
                "campaign": lambda row: str(row.get("campaign")),
                "list_id": lambda row: str(row.get("list_id")),
                "in_campaign": lambda row: written("campaign" in row),
                "in_list": lambda row: written("list_id" in row),
                "ids": lambda row: str(row.get("id")),
                "contacts": lambda row: str(row.get("email")),
                "organization_user_ids": lambda row: str(row.get("assigned_to")),
                "is_website_visitor": lambda row: written(
                    bool(row.get("is_website_visitor"))
                ),
                "enrichment_status": lambda row: str(row.get("enrichment_status")),
            },
            filters={
                "search": contains("email"),
                "filter": _passes,
            },
            make=partial(_row, self._workspace),
        )
        return {"leads": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        several = api.Parameter(many=True)
        return [
            api.post(
                "/leads/list",
                self._page,
                **self._table.paging,
                search=api.TEXT,
                filter=api.one_of(*_FILTERS, *_FIXED_FILTERS),
                campaign=api.TEXT,
                list_id=api.TEXT,
                in_campaign=api.FLAG,
                in_list=api.FLAG,
                ids=several,
                queries=api.Parameter("object", many=True),
                excluded_ids=several,
                contacts=several,
                organization_user_ids=several,
                smart_view_id=api.TEXT,
                is_website_visitor=api.FLAG,
                distinct_contacts=api.FLAG,
                enrichment_status=api.one_of("1", "-1", "11", "-2", kind="number"),
                esg_code=api.one_of("0", "1", "2", "3", "4", "all", "none"),
            )
        ]

    def _page(self, call: Call) -> bytes:
        for name in ("distinct_contacts", "queries", "smart_view_id"):
            if call.body.get(name):
                message = f"body/{name} is beyond this imitation"
                raise BadRequestError(message)
        if not (excluded := {*call.all("excluded_ids")}):
            return self._table.answer(call)
        return self._table.answer(call, only=lambda row: row.get("id") not in excluded)

    def _created(self, number: int) -> int:
        return self._workspace.contacts.created(number)

    def _plan(self) -> dict[str, int]:
        contacts = self._workspace.contacts
        return {
            contacts.id(number, self._created(number)): number
            for number in range(contacts.count)
        }


@dataclass
class LeadCounts:
    """How many leads a campaign or a list has."""

    total: int = 0
    unsubscribed: int = 0
    completed: int = 0
    verified: Counter[int | None] = field(default_factory=Counter)
    """How many there are of each verification status."""


def count_leads(workspace: Workspace, container: str) -> LeadCounts:
    """Return how many leads the campaign or list with this id has."""
    counts = workspace.tables["leads"].aggregate(_count_by_container)
    return counts.get(container) or LeadCounts()


def _count_by_container(leads: Iterable[Row]) -> dict[str, LeadCounts]:
    found: dict[str, LeadCounts] = defaultdict(LeadCounts)
    for row in leads:
        counts = found[str(row.get("campaign") or row.get("list_id"))]
        counts.total += 1
        counts.unsubscribed += row.get("status") == _UNSUBSCRIBED
        counts.completed += row.get("status") == _COMPLETED
        counts.verified[row.get("verification_status")] += 1
    return found


def _row(workspace: Workspace, number: int, created: int) -> Row:
    """Return the lead as the API shows it; what is not known is left out."""
    person = workspace.contacts.person(number, created)
    draw = workspace.draw("lead's row", number)
    emails = workspace.email_plan.by_lead.get(number, [])
    row: Row = {
        "id": person.id,
        "timestamp_created": timestamps.write(created),
        "timestamp_updated": timestamps.write(created),
        "organization": workspace.organization,
        "status": draw.of((1, 1, 1, 2, 3, 3, -2, -3) if emails else (1,)),
        "email": person.email(number),
        "first_name": person.first_name,
        "last_name": person.last_name,
        "company_name": person.company,
        "company_domain": person.domain,
        "payload": _payload(person, draw),
        "upload_method": draw.of(("manual", "api")),
        "assigned_to": draw.of(workspace.users),
        "esp_code": draw.of((1, 2, 3, 9, 999)),
    }
    if campaign := workspace.contacts.campaign(number):
        row["campaign"] = campaign
    elif list_id := workspace.contacts.list_id(number):
        row["list_id"] = list_id
    optional: Row = {
        "job_title": person.title,
        "website": f"https://{person.domain}",
        "phone": "+15550100",
        "personalization": "Saw your talk, very good.\nTwo lines.",
        "pl_value_lead": str(100 * draw.below(30)),
        "uploaded_by_user": draw.of(workspace.users),
        "is_website_visitor": False,
        "esg_code": draw.below(5),
        "enrichment_status": draw.of((1, 11, -1)),
    }
    row |= {name: value for name, value in optional.items() if draw.once_in(3)}
    if not draw.once_in(4):
        row["verification_status"] = draw.of((1, 1, 1, 1, *VERIFIED))
    if draw.once_in(10):
        row["lt_interest_status"] = draw.of(workspace.interests)
    row |= _history(workspace, emails)
    return row


def _payload(person: Person, draw: Draw) -> Row:
    payload: Row = {
        "firstName": person.first_name,
        "companyName": person.company,
        "Deal size (k€)": draw.below(900) / 10,
    }
    if draw.once_in(3):
        payload |= {"vip": True, "source": None, "seats": draw.below(500)}
    return payload


def _history(workspace: Workspace, emails: list[PlannedEmail]) -> Row:
    """Return what the e-emails of a lead have left in its row."""
    sent = [one for one in emails if one.kind == SENT]
    replies = [one for one in emails if one.kind == RECEIVED]
    outcomes = [outcome(email_id(workspace, one)) for one in sent]
    row: Row = {
        "email_open_count": sum(one.opens for one in outcomes),
        "email_reply_count": len(replies),
        "email_click_count": sum(one.clicks for one in outcomes),
        "status_summary": {},
    }
    if not sent:
        return row
    last = sent[-1]
    executed, touched = map(timestamps.write, (last.sent, emails[-1].stored))
    row |= {
        "status_summary": {
            "lastStep": {
                "from": "campaign" if last.lead % 5 else last.mailbox,
                "stepID": f"0_{last.step}_{last.variant}",
                "timestamp_executed": executed,
            }
        },
        "last_contacted_from": last.mailbox,
        "timestamp_last_contact": executed,
        "timestamp_last_touch": touched,
        "timestamp_updated": touched,
    }
    if any(one.bounced for one in outcomes):
        row["status"] = _BOUNCED
    if replies:
        row["timestamp_last_reply"] = timestamps.write(replies[-1].sent)
        row["email_replied_step"] = replies[-1].step
        interest = interest_of(workspace, replies[-1])
        if interest is not None:
            row["lt_interest_status"] = interest
    if last.subsequence:
        row["subsequence_id"] = last.subsequence
        row["timestamp_added_subsequence"] = executed
    return row


def _passes(row: Row, name: str) -> bool:
    """Tell whether one of the API's ready-made filters lets a lead through."""
    if name in _FIXED_FILTERS:
        field_name, value = _FIXED_FILTERS[name]
        return bool(row.get(field_name) == value)
    return name not in _FILTERS or _FILTERS[name](row)


def _own_interest(row: Row) -> int:
    """Return the interest status of a workspace's own label, or 0."""
    status = int(row.get("lt_interest_status", 0))
    return 0 if status in _BUILT_IN else status
