"""E-mails: sent by campaigns, received in reply, and sent by hand."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import partial

from tap_instantly.sandbox.families.email_plan import (
    MANUAL,
    RECEIVED,
    SENT,
    PlannedEmail,
)
from tap_instantly.sandbox.families.filters import is_true
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables, Workspace
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import BadRequestError, Call, Endpoint, Row
from tap_instantly.sandbox.store.rows import LazyRows

_TYPES = {"sent": SENT, "received": RECEIVED, "manual": MANUAL}
_MODES = {"emode_focused": 1, "emode_others": 0}
_SUBJECTS = ("Quick question", "An idea for your team", "Köln or Düsseldorf?")
_REPLIES = WORDS["replies"]
_AUTOMATIC_ONCE_IN = 5
_UNKNOWN_STEP_ONCE_IN = 40
_PREVIEW = 40


class EmailMessages(Family):
    """E-mails."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            LazyRows(
                self._plan,
                partial(_row, self._workspace),
                lambda email: email.created,
            ),
            order="id-desc",
            by={
                "campaign_id": lambda row: str(row.get("campaign_id")),
                "list_id": lambda row: str(row.get("list_id")),
                "i_status": lambda row: str(row.get("i_status")),
                "lead": lambda row: str(row.get("lead")),
            },
            filters={
                "eaccount": lambda row, text: row.get("eaccount") in text.split(","),
                "is_unread": is_true("is_unread"),
                "has_reminder": is_true("reminder_ts"),
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
        return {"emails": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        time = api.Parameter("date-time")
        texts = ("search", "campaign_id", "list_id", "eaccount", "assigned_to", "lead")
        flags = ("is_unread", "has_reminder", "preview_only", "scheduled_only")
        return [
            api.get(
                "/emails",
                self._page,
                **self._table.paging,
                **dict.fromkeys((*texts, "company_domain"), api.TEXT),
                **dict.fromkeys(
                    (*flags, "marked_as_done", "latest_of_thread"), api.FLAG
                ),
                i_status=api.NUMBER,
                mode=api.one_of(*_MODES, "emode_all"),
                sort_order=api.SORT_ORDER,
                email_type=api.one_of(*_TYPES),
                min_timestamp_created=time,
                max_timestamp_created=time,
            )
        ]

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
            return self._workspace.switches.bounds_inclusive
        return distance is None or distance > 0

    def _plan(self) -> dict[str, PlannedEmail]:
        workspace = self._workspace
        return {email_id(workspace, one): one for one in workspace.email_plan.emails}

    def _added(self, number: int, created: int) -> Row:
        """Return another e-mail to somebody who has had one."""
        workspace = self._workspace
        return _row(workspace, workspace.email_plan.sent_email(number, created))


def email_id(workspace: Workspace, email: PlannedEmail) -> str:
    """Return the id of an e-mail."""
    return workspace.draw("email", email.number).uuid7(email.stored)


def interest_of(workspace: Workspace, email: PlannedEmail) -> int | None:
    """Return the interest status that a reply gives its lead, if any."""
    draw = workspace.draw("interest", email.number)
    if _is_automatic(email):
        return 0
    return None if draw.once_in(3) else draw.of(workspace.interests)


def _row(workspace: Workspace, email: PlannedEmail) -> Row:
    """Return an e-mail as the API shows it."""
    draw = workspace.draw("e-mail", email.number)
    contacts = workspace.contacts
    person = contacts.person(email.lead, contacts.created(email.lead))
    lead = person.email(email.lead)
    is_received = email.kind == RECEIVED
    subject = _SUBJECTS[email.lead % len(_SUBJECTS)]
    text = draw.of(_REPLIES) if is_received else f"Hello {person.first_name},"
    thread = workspace.draw("thread", email.lead).below(1 << 96)
    row: Row = {
        "id": email_id(workspace, email),
        "timestamp_created": timestamps.write(email.created),
        "timestamp_email": timestamps.write(email.sent),
        "message_id": f"<{draw.below(1 << 64):016x}@mail.example.com>",
        "subject": f"Re: {subject}" if email.original != email.number else subject,
        "to_address_email_list": email.mailbox if is_received else lead,
        "body": {"html": f"<div>{text}</div>"},
        "organization_id": workspace.organization,
        "eaccount": email.mailbox,
        "from_address_email": lead if is_received else email.mailbox,
        "campaign_id": email.campaign,
        "lead": lead,
        "lead_id": person.id,
        "ue_type": email.kind,
        "is_unread": int(is_received and draw.once_in(2)),
        "is_focused": int(not draw.once_in(4)),
        "thread_id": f"e7-{urlsafe_b64encode(thread.to_bytes(12, 'big')).decode()}",
    }
    if email.subsequence:
        row["subsequence_id"] = email.subsequence
    if email.original % _UNKNOWN_STEP_ONCE_IN != 1:
        sequence = 1 if email.subsequence else 0
        row["step"] = f"{sequence}_{email.step}_{email.variant}"
    if draw.once_in(2):
        row["body"]["text"] = text
    if draw.once_in(6):
        row["cc_address_email_list"] = "team@example.com,lead@example.com"
    if is_received:
        row |= _reception(workspace, email, text)
    return row


def _is_automatic(email: PlannedEmail) -> bool:
    return email.number % _AUTOMATIC_ONCE_IN == 0


def _reception(workspace: Workspace, email: PlannedEmail, text: str) -> Row:
    """Return what only a received e-mail shows."""
    draw = workspace.draw("reception", email.number)
    interest = interest_of(workspace, email)
    row: Row = {"content_preview": text[:_PREVIEW]}
    if interest is not None:
        row["i_status"] = interest
        row["ai_interest_value"] = draw.of((0.1, 0.55, 0.9, 1))
    if draw.once_in(8):
        row["reminder_ts"] = timestamps.write(email.sent)
    if draw.once_in(10):
        file = {"filename": "offer.pdf", "size": 48_213, "type": "application/pdf"}
        row["attachment_json"] = {"files": [file]}
    return row


def _is_in_tab(row: Row, text: str) -> bool:
    return text not in _MODES or row.get("is_focused") == _MODES[text]


def _is_found(row: Row, text: str) -> bool:
    before, found, thread = text.partition("thread:")
    if found and not before:
        return bool(row.get("thread_id") == thread)
    return text.casefold() in f"{row.get('subject')} {row.get('lead')}".casefold()


def _later(row: Row, bound: str) -> int | None:
    """Return how much later than a bound a row is; None where it shows no time.

    Raises:
        BadRequestError: If the bound is no time.
    """
    try:
        limit = timestamps.read_bound(bound)
    except ValueError:
        message = "querystring/timestamp_created bounds must be ISO 8601 instants"
        raise BadRequestError(message) from None
    try:
        return timestamps.read(row.get("timestamp_created", "")) - limit
    except (TypeError, ValueError):
        return None
