"""Invented labels and lists: every value follows from the seed and a number."""

from __future__ import annotations

import base64
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tap_instantly.sandbox.instants import MILLISECOND, SECOND, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")
Row = dict[str, Any]

NEWEST = read("2026-10-29T16:20:00Z")
_OLDEST = read("2022-02-01T00:00:00Z")
_USUAL_GAP = 5 * 3600 * SECOND

_LABELS = (
    ("Wants a demo", "positive", "Asked to see the product."),
    ("Asked for pricing", "positive", "Wants a quote or the price list."),
    ("Send case study", "positive", "Would read a reference from the same trade."),
    ("Trial started", "positive", "Signed up after the second mail."),
    ("Ready to sign", "positive", "Contract is with procurement@example.com."),
    ("Möchte einen Rückruf", "positive", "Phone number is in the signature."),
    ("Referred to a colleague", "positive", "The right contact is named in the reply."),
    ("🔥 Hot", "positive", "Answered within the hour."),
    ("Follow up next quarter", "neutral", "Interested, but not before the new budget."),
    ("Question about security", "neutral", "Forward to security@example.com."),
    ("Forwarded internally", "neutral", "Waiting for somebody else's answer."),
    ("On parental leave", "neutral", "Back at the date given in the reply."),
    ("Already a customer", "neutral", 'Replied "we use you already".'),
    ("Needs legal review", "neutral", "Data processing agreement requested."),
    ("Left the company", "negative", "Mailbox is answered by a successor."),
    ("Uses a competitor", "negative", "Under contract for at least a year."),
    ("No budget", "negative", "Not this year."),
    ("Too small", "negative", "Fewer than ten people."),
    ("Please remove me", "negative", "Add to the block list."),
    ("Pas intéressé", "negative", "Réponse polie, mais claire."),
)
_TEAMS = ("", "", "", "", " DACH", " UK & IE", " Nordics", " Benelux", " US East")
_TRADES = (
    "Freight brokers",
    "SaaS founders",
    "Dental clinics",
    "Heads of RevOps",
    "Logistics directors",
    "E-commerce, Shopify Plus",
    "Webinar sign-ups",
    "Trade fair visitors",
    "Closed-lost 12 months",
    "Steuerberater",
    "Machine builders",
    "Recruiting agencies",
    "Property managers",
    "HR leads 50-200",
    "Newsletter, unengaged",
    "Series A fintechs",
)
_PLACES = ("DE", "AT", "CH", "UK", "FR", "NL", "US", "CA", "Nordics", "Köln/Düsseldorf")
_SEASONS = ("Q1", "Q2", "Q3", "Q4", "(copy)", "- cleaned", "v2", "A/B")
_ROLES = ("viewer", "editor")


class Draw:
    """A fixed sequence of drawn numbers that follows from its key alone."""

    def __init__(self, *key: object) -> None:
        """Start the sequence that belongs to `key`."""
        digest = blake2b(repr(key).encode(), digest_size=32).digest()
        self._left = int.from_bytes(digest, "big")

    def below(self, bound: int) -> int:
        """Draw an integer from 0 up to, not including, `bound`."""
        self._left, value = divmod(self._left, bound)
        return value

    def of(self, choices: Sequence[T]) -> T:
        """Draw one of `choices`."""
        return choices[self.below(len(choices))]

    def once_in(self, times: int) -> bool:
        """Draw whether something happens that happens once in so many times."""
        return self.below(times) == 0

    def uuid4(self) -> str:
        """Draw a random UUID (version 4)."""
        return _uuid(4, self.below(1 << 128))

    def uuid7(self, instant: int) -> str:
        """Draw a UUID of version 7, which begins with `instant`."""
        return _uuid(7, (instant // MILLISECOND) << 80 | self.below(1 << 80))


def _uuid(version: int, value: int) -> str:
    """Write 128 bits as a UUID of a version, which replaces six of them."""
    value = value & ~(0xF << 76 | 3 << 62) | version << 76 | 2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def api_key(seed: int) -> str:
    """Return a key of Instantly's form: base64 of a UUID, a colon, random text."""
    draw = Draw(seed, "key")
    letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
    secret = "".join(draw.of(letters) for _ in range(12))
    return base64.b64encode(f"{draw.uuid4()}:{secret}".encode()).decode()


def instants(seed: int, name: str, count: int, ties: int) -> Iterator[int]:
    """Yield `count` instants, newest first; each stands for `ties` rows in turn.

    They go back from `NEWEST` at irregular distances of five hours on average,
    or as many less as it takes to stay in the years since 2022. Some fall on a
    whole second or tenth of a second.
    """
    groups = max(1, -(-count // ties))
    gap = min(_USUAL_GAP, (NEWEST - _OLDEST) // groups) // SECOND * SECOND
    for number in range(count):
        group, member = divmod(number, ties)
        if member == 0:
            draw = Draw(seed, name, "time", group)
            grain = draw.of((SECOND, SECOND // 10, *[MILLISECOND] * 10))
            instant = NEWEST - group * gap - draw.below(gap // grain) * grain
        yield instant


class Maker(Protocol):
    """Invents the rows of one listing."""

    def id(self, number: int, instant: int) -> str:
        """Return the id of the row that was made as `number` at `instant`."""

    def row(self, number: int, instant: int, created: str) -> Row:
        """Return that row as the API shows it; `created` is `instant` in text."""

    def matches(self, row: Row, parameter: str, value: str) -> bool:
        """Tell whether the server's filter `parameter` lets `row` through."""


class Workspace:
    """What all rows of a seed share: the organization and its users."""

    def __init__(self, seed: int) -> None:
        """Invent the workspace of `seed`."""
        draw = Draw(seed, "workspace")
        self.seed = seed
        self.organization = draw.uuid4()
        self.users = [Draw(seed, "user", number).uuid4() for number in range(6)]


class LabelMaker(Workspace):
    """Invents lead labels."""

    def id(self, number: int, instant: int) -> str:
        """Return a UUID of version 7 that carries the instant."""
        return Draw(self.seed, "label", number).uuid7(instant)

    def row(self, number: int, instant: int, created: str) -> Row:
        """Return one label."""
        draw = Draw(self.seed, "label", number)
        identity = draw.uuid7(instant)
        label, sentiment, description = draw.of(_LABELS)
        half, odd = divmod(number, 2)
        row: Row = {
            "id": identity,
            "timestamp_created": created,
            "created_by": draw.of(self.users),
            "organization_id": self.organization,
            "label": label + draw.of(_TEAMS),
            "interest_status_label": sentiment,
            "interest_status": -496 - half if odd else 56 + half,
        }
        if not draw.once_in(4):
            row["description"] = description
        if not draw.once_in(5):
            row["use_with_ai"] = draw.once_in(2)
        if draw.once_in(12):
            row["access_grants"] = [
                {"user_id": draw.of(self.users), "role": draw.of(_ROLES)}
                for _ in range(draw.below(3))
            ]
        return row

    def matches(self, row: Row, parameter: str, value: str) -> bool:
        """Compare the sentiment word, or search the label's text."""
        if parameter == "interest_status":
            return bool(row.get("interest_status_label") == value)
        return value.casefold() in str(row.get("label", "")).casefold()


class ListMaker(Workspace):
    """Invents lead lists."""

    def id(self, number: int, instant: int) -> str:  # noqa: ARG002 - a Maker
        """Return a random UUID."""
        return Draw(self.seed, "list", number).uuid4()

    def row(self, number: int, instant: int, created: str) -> Row:  # noqa: ARG002
        """Return one list."""
        draw = Draw(self.seed, "list", number)
        row: Row = {
            "id": draw.uuid4(),
            "organization_id": self.organization,
            "name": f"{draw.of(_TRADES)} {draw.of(_PLACES)} {draw.of(_SEASONS)}",
            "timestamp_created": created,
        }
        if draw.once_in(3):
            row["has_enrichment_task"] = draw.once_in(3)
        if draw.once_in(2):
            row["owned_by"] = draw.of(self.users)
        return row

    def matches(self, row: Row, parameter: str, value: str) -> bool:
        """Compare the enrichment flag (absent is false), or search the name."""
        if parameter == "has_enrichment_task":
            return bool(row.get("has_enrichment_task", False)) == (value == "true")
        return value.casefold() in str(row.get("name", "")).casefold()
