"""Leads of campaigns and lists, and how their addresses have been verified."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import Draw, Row
from tap_instantly.sandbox.emails import Mails
from tap_instantly.sandbox.endpoints import (
    BadRequestError,
    Endpoint,
    Parameter,
    RefusedError,
)
from tap_instantly.sandbox.endpoints import text as written
from tap_instantly.sandbox.mailing import RECEIVED, SENT, fate
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_instantly.sandbox.contacts import Person
    from tap_instantly.sandbox.endpoints import Call
    from tap_instantly.sandbox.mailing import Mail
    from tap_instantly.sandbox.world import World

_VERIFIED = {
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


class Leads:
    """Leads and the verification of lists."""

    def __init__(self, world: World) -> None:
        """Belong to `world`."""
        self._world = world
        self._table = Table(
            lambda: People(world),
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
                "search": lambda row, text: text.casefold() in str(row.get("email")),
                "filter": _passes,
            },
            make=lambda number, instant: People(world).row(number, instant),
        )
        self.tables = {"leads": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        some, several, flag = Parameter(), Parameter(many=True), Parameter("boolean")
        body = {
            **self._table.paging,
            "search": some,
            "filter": Parameter(choices=(*_FILTERS, *_FIXED_FILTERS)),
            "campaign": some,
            "list_id": some,
            "in_campaign": flag,
            "in_list": flag,
            "ids": several,
            "queries": Parameter("object", many=True),
            "excluded_ids": several,
            "contacts": several,
            "organization_user_ids": several,
            "smart_view_id": some,
            "is_website_visitor": flag,
            "distinct_contacts": flag,
            "enrichment_status": Parameter("number", choices=("1", "-1", "11", "-2")),
            "esg_code": Parameter(choices=("0", "1", "2", "3", "4", "all", "none")),
        }
        return [
            Endpoint("POST", "/leads/list", self._page, body=body),
            Endpoint("GET", "/lead-lists/{id}/verification-stats", self._stats),
        ]

    def _page(self, call: Call) -> bytes:
        for name in ("distinct_contacts", "queries", "smart_view_id"):
            if call.body.get(name):
                message = f"body/{name} is beyond this imitation"
                raise BadRequestError(message)
        if not (excluded := {*call.all("excluded_ids")}):
            return self._table.answer(call)
        return self._table.answer(call, only=lambda row: row.get("id") not in excluded)

    def _stats(self, call: Call) -> Row:
        identity = call.path["id"]
        if self._world.lists.get(identity) is None:
            raise RefusedError(404, "Resource not found")
        leads = self._world.leads_of(identity)
        stats = {name: leads.verified[code] for code, name in _VERIFIED.items()}
        return {"stats": stats, "total_leads": leads.total}


@dataclass
class Tallied:
    """What the leads of a campaign or a list come to."""

    total: int = 0
    unsubscribed: int = 0
    completed: int = 0
    verified: Counter[int | None] = field(default_factory=Counter)
    """How many there are of each verification status."""


def by_home(leads: Iterable[Row]) -> dict[str, Tallied]:
    """Count the leads of each campaign and each list."""
    found: dict[str, Tallied] = defaultdict(Tallied)
    for row in leads:
        tallied = found[str(row.get("campaign") or row.get("list_id"))]
        tallied.total += 1
        tallied.unsubscribed += row.get("status") == _UNSUBSCRIBED
        tallied.completed += row.get("status") == _COMPLETED
        tallied.verified[row.get("verification_status")] += 1
    return found


class People(Mapping[str, Row]):
    """The leads by their id, each made when it is looked up."""

    def __init__(self, world: World) -> None:
        """Show the leads of `world`."""
        self._world = world
        self._mails = Mails(world)

    @cached_property
    def _by_id(self) -> dict[str, int]:
        contacts = self._world.contacts
        return {
            contacts.id(number, contacts.created(number)): number
            for number in range(contacts.count)
        }

    def __getitem__(self, key: str) -> Row:
        """Return the lead with the id `key`."""
        number = self._by_id[key]
        return self.row(number, self._world.contacts.created(number))

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a row with the id `key`, without making it."""
        return key in self._by_id

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids."""
        return iter(self._by_id)

    def __len__(self) -> int:
        """Return the number of leads."""
        return len(self._by_id)

    def row(self, number: int, created: int) -> Row:
        """Return the lead as the API shows it; what is not known is left out."""
        world = self._world
        person = world.contacts.person(number, created)
        draw = Draw(world.seed, "lead's row", number)
        mails = world.mailing.by_lead.get(number, [])
        row: Row = {
            "id": person.id,
            "timestamp_created": instants.write(created),
            "timestamp_updated": instants.write(created),
            "organization": world.organization,
            "status": draw.of((1, 1, 1, 2, 3, 3, -2, -3) if mails else (1,)),
            "email": person.email(number),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "company_name": person.company,
            "company_domain": person.domain,
            "payload": self._payload(person, draw),
            "upload_method": draw.of(("manual", "api")),
            "assigned_to": draw.of(world.users),
            "esp_code": draw.of((1, 2, 3, 9, 999)),
        }
        if campaign := world.contacts.campaign(number):
            row["campaign"] = campaign
        elif list_id := world.contacts.list_id(number):
            row["list_id"] = list_id
        optional: Row = {
            "job_title": person.title,
            "website": f"https://{person.domain}",
            "phone": "+15550100",
            "personalization": "Saw your talk, very good.\nTwo lines.",
            "pl_value_lead": str(100 * draw.below(30)),
            "uploaded_by_user": draw.of(world.users),
            "is_website_visitor": False,
            "esg_code": draw.below(5),
            "enrichment_status": draw.of((1, 11, -1)),
        }
        row |= {name: value for name, value in optional.items() if draw.once_in(3)}
        if not draw.once_in(4):
            row["verification_status"] = draw.of((1, 1, 1, 1, *_VERIFIED))
        if draw.once_in(10):
            row["lt_interest_status"] = draw.of(world.interests)
        row |= self._history(mails)
        return row

    def _payload(self, person: Person, draw: Draw) -> Row:
        payload: Row = {
            "firstName": person.first_name,
            "companyName": person.company,
            "Deal size (k€)": draw.below(900) / 10,
        }
        if draw.once_in(3):
            payload |= {"vip": True, "source": None, "seats": draw.below(500)}
        return payload

    def _history(self, mails: list[Mail]) -> Row:
        """Return what the e-mails of a lead have left in its row."""
        sent = [mail for mail in mails if mail.kind == SENT]
        replies = [mail for mail in mails if mail.kind == RECEIVED]
        fates = [fate(self._mails.id(mail)) for mail in sent]
        row: Row = {
            "email_open_count": sum(fate.opens for fate in fates),
            "email_reply_count": len(replies),
            "email_click_count": sum(fate.clicks for fate in fates),
            "status_summary": {},
        }
        if not sent:
            return row
        last = sent[-1]
        executed, touched = map(instants.write, (last.instant, mails[-1].stored))
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
        if any(fate.bounced for fate in fates):
            row["status"] = _BOUNCED
        if replies:
            row["timestamp_last_reply"] = instants.write(replies[-1].instant)
            row["email_replied_step"] = replies[-1].step
            interest = self._mails.interest(replies[-1])
            if interest is not None:
                row["lt_interest_status"] = interest
        if last.subsequence:
            row["subsequence_id"] = last.subsequence
            row["timestamp_added_subsequence"] = executed
        return row


def _passes(row: Row, name: str) -> bool:
    """Tell whether one of the API's ready-made filters lets a lead through."""
    if name in _FIXED_FILTERS:
        shown, value = _FIXED_FILTERS[name]
        return bool(row.get(shown) == value)
    return name not in _FILTERS or _FILTERS[name](row)


def _own_interest(row: Row) -> int:
    """Return the interest status of a workspace's own label, or 0."""
    status = int(row.get("lt_interest_status", 0))
    return 0 if status in _BUILT_IN else status
