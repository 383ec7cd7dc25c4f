"""Who wrote to whom and when: what the e-mails and the leads' counters show."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tap_instantly.sandbox.data import NEWEST, Draw
from tap_instantly.sandbox.instants import DAY, MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_instantly.sandbox.contacts import Contacts

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


class Mail(NamedTuple):
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
    instant: int
    """When it was sent, by its own account."""
    created: int
    """When Instantly stored it, as the e-mail shows it."""
    stored: int
    """The instant in its id, by which the e-mails are in order."""
    original: int
    """The number of the mail that it answers; its own if it is the first."""


class Fate(NamedTuple):
    """What became of an e-mail that a campaign sent."""

    opens: int
    clicks: int
    bounced: bool


def fate(identity: str) -> Fate:
    """Return what became of the e-mail with this id."""
    draw = Draw("fate", identity)
    if draw.once_in(40):
        return Fate(0, 0, bounced=True)
    opens = draw.of((0, 0, 1, 2))
    return Fate(opens, draw.below(2) if opens else 0, bounced=False)


class Mailing:
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
        sent = [self.sent(number, _when(number, total)) for number in range(total)]
        due = [mail for mail in sent if mail.instant < NEWEST - _TIME_TO_REPLY]
        received = [
            self._reply(total + number, due[_replied(number, len(due) // replies)])
            for number in range(replies if due else 0)
        ]
        first = total + len(received)
        manual = [
            self._answer(first + number, received[number * _ANSWERED])
            for number in range(len(received) // _ANSWERED)
        ]
        self.mails = [*sent, *received, *manual]

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
    def by_lead(self) -> dict[int, list[Mail]]:
        """The e-mails of each lead that has any, in the order of their instants."""
        found = defaultdict(list)
        for mail in sorted(self.mails, key=lambda mail: mail.instant):
            found[mail.lead].append(mail)
        return dict(found)

    def sent(self, number: int, instant: int) -> Mail:
        """Return the mail of a number, which a campaign sends at an instant.

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
        return Mail(
            number,
            SENT,
            lead,
            campaign,
            mailboxes[lead % len(mailboxes)],
            times % STEPS,
            lead % VARIANTS,
            self._subsequence(campaign, number, lead),
            instant,
            instant,
            instant + number % _TIED * MILLISECOND,
            number,
        )

    def _subsequence(self, campaign: str, number: int, lead: int) -> str | None:
        known = self._subsequences.get(campaign)
        if not known or number % _IN_SUBSEQUENCES:
            return None
        return known[lead % len(known)]

    def _reply(self, number: int, mail: Mail) -> Mail:
        """Return a reply a day or two later, which took a while to be stored.

        Replies come in at the same times of the day, so that some are stored in
        another order than they were sent in.
        """
        draw = Draw("reply", number)
        midnight = mail.instant // DAY * DAY + (1 + draw.below(2)) * DAY
        instant = midnight + draw.of(_TIMES_OF_REPLY) * _HOUR + draw.below(40) * SECOND
        created = instant + draw.below(_SECONDS_BEHIND) * SECOND
        return mail._replace(
            number=number,
            kind=RECEIVED,
            instant=instant,
            created=created,
            stored=created + draw.below(_SECONDS_BEHIND) * SECOND,
            original=mail.number,
        )

    def _answer(self, number: int, mail: Mail) -> Mail:
        instant = mail.instant + (1 + number % 3) * _HOUR
        return mail._replace(
            number=number,
            kind=MANUAL,
            instant=instant,
            created=instant,
            stored=instant,
        )


def _when(number: int, count: int) -> int:
    """Return the instant of a mail: in the daytime, a few sharing a second."""
    day, part = divmod(number // _TIED * _TIED * _DAYS, count)
    midnight = NEWEST // DAY * DAY - (_DAYS - 1 - day) * DAY
    return midnight + 8 * _HOUR + part * 8 * 3600 // count * SECOND


def _replied(number: int, distance: int) -> int:
    """Return the place of what a reply answers; some is replied to twice."""
    if number % _TWICE == _TWICE - 1:
        number -= 1
    return number * distance + Draw("replied", number).below(distance)
