"""E-mails: sent by campaigns, received in reply, and sent by hand."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import Draw, Row
from tap_instantly.sandbox.endpoints import BadRequestError, Endpoint, Parameter
from tap_instantly.sandbox.mailing import MANUAL, RECEIVED, SENT, Mail
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from tap_instantly.sandbox.endpoints import Call
    from tap_instantly.sandbox.world import World

_TYPES = {"sent": SENT, "received": RECEIVED, "manual": MANUAL}
_MODES = {"emode_focused": 1, "emode_others": 0}
_SUBJECTS = ("Quick question", "An idea for your team", "Köln or Düsseldorf?")
_REPLIES = (
    "Sounds good, send me the price list.",
    "Bitte keine weiteren Mails.",
    "I am out of office until Monday.",
    "Who gave you my address?",
)
_AUTOMATIC_ONCE_IN = 5
_UNKNOWN_STEP_ONCE_IN = 40
_PREVIEW = 40


class Emails:
    """E-mails."""

    def __init__(self, world: World) -> None:
        """Belong to `world`."""
        self._world = world
        self._table = Table(
            lambda: Mails(world),
            order="id-desc",
            by={
                "campaign_id": lambda row: str(row.get("campaign_id")),
                "list_id": lambda row: str(row.get("list_id")),
                "i_status": lambda row: str(row.get("i_status")),
                "lead": lambda row: str(row.get("lead")),
            },
            filters={
                "eaccount": lambda row, text: row.get("eaccount") in text.split(","),
                "is_unread": lambda row, text: _is(row.get("is_unread"), text),
                "has_reminder": lambda row, text: _is(row.get("reminder_ts"), text),
                "scheduled_only": lambda _, text: text != "true",
                "marked_as_done": lambda _, text: text != "true",
                "assigned_to": lambda _row, _text: False,
                "mode": _is_in_tab,
                "company_domain": lambda row, text: str(row.get("lead")).endswith(
                    f"@{text}"
                ),
                "email_type": lambda row, text: bool(
                    row.get("ue_type") == _TYPES.get(text)
                ),
                "search": _is_found,
                "min_timestamp_created": self._is_late_enough,
                "max_timestamp_created": self._is_early_enough,
            },
            make=self._added,
        )
        self.tables = {"emails": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        flag = Parameter("boolean")
        some = Parameter()
        moment = Parameter("date-time")
        parameters = {
            **self._table.paging,
            "search": some,
            "campaign_id": some,
            "list_id": some,
            "i_status": Parameter("number"),
            "eaccount": some,
            "is_unread": flag,
            "has_reminder": flag,
            "mode": Parameter(choices=(*_MODES, "emode_all")),
            "preview_only": flag,
            "sort_order": Parameter(choices=("asc", "desc")),
            "scheduled_only": flag,
            "assigned_to": some,
            "lead": some,
            "company_domain": some,
            "marked_as_done": flag,
            "email_type": Parameter(choices=tuple(_TYPES)),
            "min_timestamp_created": moment,
            "max_timestamp_created": moment,
            "latest_of_thread": flag,
        }
        return [Endpoint("GET", "/emails", self._page, parameters)]

    def _page(self, call: Call) -> Row | bytes:
        only = None
        if call.one("latest_of_thread") == "true":
            latest = {row.get("thread_id"): row.get("id") for row in self._table.each()}

            def only(row: Row) -> bool:
                return bool(latest[row.get("thread_id")] == row.get("id"))

        descending = call.one("sort_order") != "asc"
        if call.one("preview_only") != "true":
            return self._table.answer(call, only=only, descending=descending)
        body = self._table.page(call, only=only, descending=descending)
        body["items"] = [
            {name: value for name, value in row.items() if name != "body"}
            for row in body["items"]
        ]
        return body

    def _is_late_enough(self, row: Row, bound: str) -> bool:
        return self._is_within(_later(row, bound))

    def _is_early_enough(self, row: Row, bound: str) -> bool:
        later = _later(row, bound)
        return self._is_within(None if later is None else -later)

    def _is_within(self, distance: int | None) -> bool:
        """Tell whether a row is let through at a distance from a bound."""
        if distance == 0:
            return self._world.quirks.bounds_inclusive
        return distance is None or distance > 0

    def _added(self, number: int, instant: int) -> Row:
        """Return another mail to somebody who has had one."""
        return Mails(self._world).row(self._world.mailing.sent(number, instant))


class Mails(Mapping[str, Row]):
    """The e-mails by their id, each made when it is looked up."""

    def __init__(self, world: World) -> None:
        """Show the e-mails of `world`."""
        self._world = world

    @cached_property
    def _by_id(self) -> dict[str, Mail]:
        return {self.id(mail): mail for mail in self._world.mailing.mails}

    def __getitem__(self, key: str) -> Row:
        """Return the e-mail with the id `key`."""
        return self.row(self._by_id[key])

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a row with the id `key`, without making it."""
        return key in self._by_id

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids."""
        return iter(self._by_id)

    def __len__(self) -> int:
        """Return the number of e-mails."""
        return len(self._by_id)

    def id(self, mail: Mail) -> str:
        """Return the id of an e-mail."""
        return Draw(self._world.seed, "email", mail.number).uuid7(mail.stored)

    def row(self, mail: Mail) -> Row:
        """Return the e-mail as the API shows it."""
        world = self._world
        draw = Draw(world.seed, "e-mail", mail.number)
        contacts = world.contacts
        person = contacts.person(mail.lead, contacts.created(mail.lead))
        lead = person.email(mail.lead)
        is_received = mail.kind == RECEIVED
        subject = _SUBJECTS[mail.lead % len(_SUBJECTS)]
        text = draw.of(_REPLIES) if is_received else f"Hello {person.first_name},"
        row: Row = {
            "id": self.id(mail),
            "timestamp_created": instants.write(mail.created),
            "timestamp_email": instants.write(mail.instant),
            "message_id": f"<{draw.below(1 << 64):016x}@mail.example.com>",
            "subject": f"Re: {subject}" if mail.original != mail.number else subject,
            "to_address_email_list": mail.mailbox if is_received else lead,
            "body": {"html": f"<div>{text}</div>"},
            "organization_id": world.organization,
            "eaccount": mail.mailbox,
            "from_address_email": lead if is_received else mail.mailbox,
            "campaign_id": mail.campaign,
            "lead": lead,
            "lead_id": person.id,
            "ue_type": mail.kind,
            "is_unread": int(is_received and draw.once_in(2)),
            "is_focused": int(not draw.once_in(4)),
            "thread_id": self._thread(mail),
        }
        if mail.subsequence:
            row["subsequence_id"] = mail.subsequence
        if mail.original % _UNKNOWN_STEP_ONCE_IN != 1:
            sequence = 1 if mail.subsequence else 0
            row["step"] = f"{sequence}_{mail.step}_{mail.variant}"
        if draw.once_in(2):
            row["body"]["text"] = text
        if draw.once_in(6):
            row["cc_address_email_list"] = "team@example.com,lead@example.com"
        if is_received:
            row |= self._reception(mail, text)
        return row

    def _thread(self, mail: Mail) -> str:
        number = Draw(self._world.seed, "thread", mail.lead).below(1 << 96)
        return "e7-" + urlsafe_b64encode(number.to_bytes(12, "big")).decode()

    def interest(self, mail: Mail) -> int | None:
        """Return the interest status that a reply gives its lead, if any."""
        draw = Draw(self._world.seed, "interest", mail.number)
        if self._is_automatic(mail):
            return 0
        return None if draw.once_in(3) else draw.of(self._world.interests)

    def _is_automatic(self, mail: Mail) -> bool:
        return mail.number % _AUTOMATIC_ONCE_IN == 0

    def _reception(self, mail: Mail, text: str) -> Row:
        """Return what only a received e-mail shows."""
        draw = Draw(self._world.seed, "reception", mail.number)
        interest = self.interest(mail)
        row: Row = {"content_preview": text[:_PREVIEW]}
        if self._is_automatic(mail):
            row["is_auto_reply"] = 1
        if interest is not None:
            row["i_status"] = interest
            row["ai_interest_value"] = draw.of((0.1, 0.55, 0.9, 1))
        if draw.once_in(8):
            row["reminder_ts"] = instants.write(mail.instant)
        if draw.once_in(10):
            file = {"filename": "offer.pdf", "size": 48_213, "type": "application/pdf"}
            row["attachment_json"] = {"files": [file]}
        return row


def _is(value: object, text: str) -> bool:
    return bool(value) == (text == "true")


def _is_in_tab(row: Row, text: str) -> bool:
    return text not in _MODES or row.get("is_focused") == _MODES[text]


def _is_found(row: Row, text: str) -> bool:
    before, found, thread = text.partition("thread:")
    if found and not before:
        return bool(row.get("thread_id") == thread)
    return text.casefold() in f"{row.get('subject')} {row.get('lead')}".casefold()


def _later(row: Row, bound: str) -> int | None:
    """Return how much later than a bound a row is; None where it shows no instant.

    Raises:
        BadRequestError: If the bound is no instant.
    """
    try:
        limit = instants.read(bound if "T" in bound else f"{bound}T00:00:00Z")
    except ValueError:
        message = "querystring/timestamp_created bounds must be ISO 8601 instants"
        raise BadRequestError(message) from None
    try:
        return instants.read(row.get("timestamp_created", "")) - limit
    except (TypeError, ValueError):
        return None
