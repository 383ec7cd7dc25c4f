"""Who wrote to whom and when: what the e-mails and the leads' counters show."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tap_instantly.sandbox.store.timestamps import DAY, MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_instantly.sandbox.families.contacts import Contacts

SENT, RECEIVED, MANUAL = 1, 2, 3
STEPS = 3
VARIANTS = 2

_DAYS = 90
_HOUR = 3600 * SECOND
_TIED = 3
_REPLIED = 9
_ANSWERED = 4
_TWICE = 10
_TIME_TO_REPLY = 3 * DAY
_TIMES_OF_REPLY = (7, 11, 15)
_SECONDS_BEHIND = 32
_IN_SUBSEQUENCES = 4


class PlannedEmail(NamedTuple):
    """One e-mail."""

    number: int
    kind: int
    """`SENT` by a campaign, `RECEIVED`, or sent by hand (`MANUAL`)."""
    lead: int
    campaign: str
    mailbox: str
    step: int
    variant: int
    subsequence: str | None
    sent: int
    """When it was sent, by its own account."""
    created: int
    """When Instantly stored it, as the e-mail shows it."""
    stored: int
    """The time in its id, by which the e-mails are in order."""
    original: int
    """The number of the e-mail that it answers; its own if it is the first."""


class Outcome(NamedTuple):
    """What became of an e-mail that a campaign sent."""

    opens: int
    clicks: int
    bounced: bool


def outcome(identity: str) -> Outcome:
    """Return what became of the e-mail with this id."""
    draw = Draw("fate", identity)
    if draw.once_in(40):
        return Outcome(0, 0, bounced=True)
    opens = draw.of((0, 0, 1, 2))
    return Outcome(opens, draw.below(2) if opens else 0, bounced=False)


class EmailPlan:
    """All e-mails of a workspace."""

    def __init__(
        self,
        count: int,
        contacts: Contacts,
        mailboxes: Mapping[str, Sequence[str]],
        subsequences: Mapping[str, Sequence[str]],
    ) -> None:
        """Plan the e-mails.

        Args:
            count: How many.
            contacts: Whom they concern.
            mailboxes: The addresses from which each launched campaign is sent.
            subsequences: The ids of the subsequences of each campaign that has any.
        """
        self._contacts = contacts
        self._mailboxes = mailboxes
        self._subsequences = subsequences
        replies = count // _REPLIED
        answers = replies // _ANSWERED
        total = count - replies - answers if self.recipients else 0
        sent = [
            self.sent_email(number, _when(number, total)) for number in range(total)
        ]
        due = [email for email in sent if email.sent < NEWEST - _TIME_TO_REPLY]
        received = [
            self._reply(total + number, due[_replied(number, len(due) // replies)])
            for number in range(replies if due else 0)
        ]
        first = total + len(received)
        manual = [
            self._answer(first + number, received[number * _ANSWERED])
            for number in range(len(received) // _ANSWERED)
        ]
        self.emails = [*sent, *received, *manual]

    @cached_property
    def recipients(self) -> list[int]:
        """The leads that are written to."""
        contacts = self._contacts
        return [
            number
            for number in range(contacts.count)
            if contacts.created(number) < NEWEST - (_DAYS + 1) * DAY
            and self._mailboxes.get(contacts.campaign(number) or "")
        ]

    @cached_property
    def by_lead(self) -> dict[int, list[PlannedEmail]]:
        """The e-mails of each lead that has any, oldest first."""
        found = defaultdict(list)
        for email in sorted(self.emails, key=lambda email: email.sent):
            found[email.lead].append(email)
        return dict(found)

    def sent_email(self, number: int, sent: int) -> PlannedEmail:
        """Return the e-mail of a number, which a campaign sends at a time.

        Raises:
            LookupError: If there is no lead in a campaign that has a mailbox.
        """
        if not self.recipients:
            message = "Nobody can be written to: leads, campaigns or accounts are none."
            raise LookupError(message)
        times, place = divmod(number, len(self.recipients))
        lead = self.recipients[place]
        campaign = self._contacts.campaign(lead) or ""
        mailboxes = self._mailboxes[campaign]
        return PlannedEmail(
            number,
            SENT,
            lead,
            campaign,
            mailboxes[lead % len(mailboxes)],
            times % STEPS,
            lead % VARIANTS,
            self._subsequence(campaign, number, lead),
            sent,
            sent,
            sent + number % _TIED * MILLISECOND,
            number,
        )

    def _subsequence(self, campaign: str, number: int, lead: int) -> str | None:
        known = self._subsequences.get(campaign)
        if not known or number % _IN_SUBSEQUENCES:
            return None
        return known[lead % len(known)]

    def _reply(self, number: int, email: PlannedEmail) -> PlannedEmail:
        """Return a reply a day or two later, which took a while to be stored.

        Replies come in at the same times of the day, so that some are stored in
        another order than they were sent in.
        """
        draw = Draw("reply", number)
        midnight = email.sent // DAY * DAY + (1 + draw.below(2)) * DAY
        sent = midnight + draw.of(_TIMES_OF_REPLY) * _HOUR + draw.below(40) * SECOND
        created = sent + draw.below(_SECONDS_BEHIND) * SECOND
        return email._replace(
            number=number,
            kind=RECEIVED,
            sent=sent,
            created=created,
            stored=created + draw.below(_SECONDS_BEHIND) * SECOND,
            original=email.number,
        )

    def _answer(self, number: int, email: PlannedEmail) -> PlannedEmail:
        sent = email.sent + (1 + number % 3) * _HOUR
        return email._replace(
            number=number,
            kind=MANUAL,
            sent=sent,
            created=sent,
            stored=sent,
        )


def _when(number: int, count: int) -> int:
    """Return when an e-mail is sent: in the daytime, a few sharing a second."""
    day, part = divmod(number // _TIED * _TIED * _DAYS, count)
    midnight = NEWEST // DAY * DAY - (_DAYS - 1 - day) * DAY
    return midnight + 8 * _HOUR + part * 8 * 3600 // count * SECOND


def _replied(number: int, distance: int) -> int:
    """Return the place of what a reply answers; some is replied to twice."""
    if number % _TWICE == _TWICE - 1:
        number -= 1
    return number * distance + Draw("replied", number).below(distance)
