"""Who the leads are, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tap_instantly.sandbox.store.timestamps import DAY, MILLISECOND, read

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_NAMES = WORDS["first names"]
LAST_NAMES = WORDS["last names"]
COMPANIES = WORDS["companies"]
TITLES = WORDS["titles"]

_SPAN = 500 * DAY
_UUID7_SINCE = read("2025-10-15T00:00:00Z")
_IN_LISTS = 4
_ASCII = str.maketrans("öéáüß", "oeaus", " '&.-")


def slug(text: str) -> str:
    """Write a name the way an address does."""
    return text.lower().translate(_ASCII)


class Person(NamedTuple):
    """What one lead is known by."""

    id: str
    first_name: str
    last_name: str
    company: str
    title: str

    @property
    def domain(self) -> str:
        """The company's domain."""
        return f"{slug(self.company)}.example.com"

    def email(self, number: int) -> str:
        """Return the address of the lead of this number."""
        return f"{slug(self.first_name)}.{slug(self.last_name)}{number}@{self.domain}"


@dataclass(frozen=True)
class Contacts:
    """The leads by their number: the oldest is 0.

    Args:
        seed: What they follow from.
        count: How many there are to begin with.
        campaigns: The ids of the campaigns that have leads.
        lists: The ids of the lists that have leads.
    """

    seed: int
    count: int
    campaigns: Sequence[str]
    lists: Sequence[str]

    def created(self, number: int) -> int:
        """Return the timestamp at which a lead was added."""
        gap = _SPAN // max(1, self.count)
        jitter = number * 7_919 % max(1, gap // MILLISECOND) * MILLISECOND
        return NEWEST - _SPAN + number * gap + jitter // 2

    def id(self, number: int, created: int) -> str:
        """Return a UUID, which carries the timestamp only of leads of late."""
        draw = Draw(self.seed, "lead", number)
        return draw.uuid7(created) if created >= _UUID7_SINCE else draw.uuid4()

    def person(self, number: int, created: int) -> Person:
        """Return who the lead is."""
        draw = Draw(self.seed, "person", number)
        return Person(
            self.id(number, created),
            draw.of(FIRST_NAMES),
            draw.of(LAST_NAMES),
            draw.of(COMPANIES),
            draw.of(TITLES),
        )

    def campaign(self, number: int) -> str | None:
        """Return the id of the lead's campaign, if it is in one."""
        if not self.campaigns or (self.lists and number % _IN_LISTS == 1):
            return None
        in_lists = (number + 2) // _IN_LISTS if self.lists else 0
        return self.campaigns[(number - in_lists) % len(self.campaigns)]

    def list_id(self, number: int) -> str | None:
        """Return the id of the lead's list, if it is in one rather than a campaign."""
        if not self.lists or self.campaign(number) is not None:
            return None
        return self.lists[number // _IN_LISTS % len(self.lists)]
