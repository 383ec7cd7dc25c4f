"""The linked workspace of one seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tap_instantly.sandbox.accounts import Accounts
from tap_instantly.sandbox.activity import Tally, events
from tap_instantly.sandbox.agents import Agents
from tap_instantly.sandbox.campaigns import Campaigns
from tap_instantly.sandbox.contacts import FIRST_NAMES, LAST_NAMES, Contacts, slug
from tap_instantly.sandbox.data import Draw, LabelMaker, ListMaker, Workspace, instants
from tap_instantly.sandbox.emails import Emails
from tap_instantly.sandbox.inbox_placement import InboxPlacement
from tap_instantly.sandbox.leads import Leads, Tallied, by_home
from tap_instantly.sandbox.listing import Listing
from tap_instantly.sandbox.logs import Logs
from tap_instantly.sandbox.mailing import Mailing
from tap_instantly.sandbox.orders import Orders
from tap_instantly.sandbox.sizes import Sizes
from tap_instantly.sandbox.subsequences import Subsequences
from tap_instantly.sandbox.supersearch import SuperSearch
from tap_instantly.sandbox.tags import Tags, tags_of
from tap_instantly.sandbox.workspace import WorkspaceFamily

if TYPE_CHECKING:
    from tap_instantly.sandbox.data import Row
    from tap_instantly.sandbox.endpoints import Endpoint
    from tap_instantly.sandbox.table import Table

_DRAFT_ONCE_IN = 6
_UNUSED_ONCE_IN = 5
_LISTS_WITH_LEADS = 20
_PARENTS = 3
_DOMAINS = ("outreach.example.com", "team.example.com", "mail.example.com")


@dataclass(eq=False)
class Quirks:
    """What may differ from what is documented; may change between two requests."""

    ends_inclusive: bool = True
    """Whether the day of an `end_date` without a time belongs to the window."""
    bounds_inclusive: bool = True
    """Whether e-mails exactly at a bound of `timestamp_created` are given."""
    largest_answer: int = 1_000_000
    """The most days of mailboxes that one answer holds before it is refused (413)."""


class World(Workspace):
    """The rows of all families of one seed, and the endpoints that show them."""

    def __init__(
        self,
        seed: int,
        sizes: Sizes | None = None,
        labels: Listing | None = None,
        lists: Listing | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        """Link the families; their rows are made when they are first asked for."""
        super().__init__(seed)
        self.sizes = sizes or Sizes()
        self.quirks = quirks or Quirks()
        self.labels = labels or Listing(
            LabelMaker(seed), {}, instants(seed, "labels", 40, 1)
        )
        self.lists = lists or Listing(
            ListMaker(seed), {}, instants(seed, "lists", 260, 1)
        )
        self.tables: dict[str, Table] = {}
        self._families = []
        for family in (
            Accounts,
            Campaigns,
            Subsequences,
            Leads,
            Emails,
            Tags,
            InboxPlacement,
            WorkspaceFamily,
            Logs,
            Orders,
            Agents,
            SuperSearch,
        ):
            member = family(self)
            self.tables |= member.tables
            self._families.append(member)
        self.activity = Tally(self.tables["emails"], events)
        self.tags_of = Tally(self.tables["custom_tag_mappings"], tags_of)
        self.leads_by_home = Tally(self.tables["leads"], by_home)

    def leads_of(self, home: str) -> Tallied:
        """Return what the leads of a campaign or of a list come to."""
        return self.leads_by_home.value.get(home) or Tallied()

    def endpoints(self) -> list[Endpoint]:
        """Return what all families answer."""
        return [one for family in self._families for one in family.endpoints()]

    @cached_property
    def campaign_ids(self) -> list[str]:
        """The ids of the campaigns that there are to begin with."""
        return [
            Draw(self.seed, "campaign", number).uuid4()
            for number in range(self.sizes.campaigns)
        ]

    def is_draft(self, campaign: int) -> bool:
        """Tell whether the campaign of this number has never been launched."""
        return campaign % _DRAFT_ONCE_IN == _DRAFT_ONCE_IN - 1

    @cached_property
    def mailboxes(self) -> list[str]:
        """The addresses of the mailboxes that there are to begin with."""
        return [self.mailbox(number) for number in range(self.sizes.accounts)]

    def mailbox(self, number: int) -> str:
        """Return the address of the mailbox of this number."""
        first, last = self.sender(number)
        mark = "+eu" if number % 7 == 3 else ""  # noqa: PLR2004 - some of them
        domain = _DOMAINS[number % len(_DOMAINS)]
        return f"{slug(first)}.{slug(last)}{number}{mark}@{domain}"

    def sender(self, number: int) -> tuple[str, str]:
        """Return the first and the last name of who writes from a mailbox."""
        draw = Draw(self.seed, "sender", number)
        return draw.of(FIRST_NAMES), draw.of(LAST_NAMES)

    def mailboxes_of(self, campaign: int) -> list[str]:
        """Return the mailboxes from which a campaign is sent; some send for none."""
        used = self.mailboxes[: -(-len(self.mailboxes) * 4 // _UNUSED_ONCE_IN)]
        if not used:
            return []
        turns = range(campaign, len(used), max(1, self.sizes.campaigns))
        chosen = {*turns, campaign % len(used), (campaign + 1) % len(used)}
        return [used[number] for number in sorted(chosen)]

    @cached_property
    def tag_ids(self) -> list[str]:
        """The ids of the tags that there are to begin with."""
        return [
            Draw(self.seed, "tag", number).uuid4() for number in range(self.sizes.tags)
        ]

    @cached_property
    def subsequence_ids(self) -> list[str]:
        """The ids of the subsequences that there are to begin with."""
        return [
            Draw(self.seed, "subsequence", number).uuid4()
            for number in range(self.sizes.subsequences if self.campaign_ids else 0)
        ]

    def parent_of(self, subsequence: int) -> str:
        """Return the id of the campaign that a subsequence belongs to."""
        return self.campaign_ids[subsequence % min(_PARENTS, len(self.campaign_ids))]

    @cached_property
    def interests(self) -> list[int]:
        """The numbers of interest statuses: built-in ones and those of labels."""
        rows = self._first_of(self.labels)
        numbers = [row.get("interest_status") for row in rows]
        own = [number for number in numbers if isinstance(number, int)]
        return [0, 1, -1, 2, 1, -2, 3, -3, 4, 1, -4, *own]

    @cached_property
    def contacts(self) -> Contacts:
        """The leads."""
        lists = [row["id"] for row in self._first_of(self.lists)]
        return Contacts(self.seed, self.sizes.leads, self.campaign_ids, lists)

    @cached_property
    def mailing(self) -> Mailing:
        """The e-mails."""
        mailboxes = {
            identity: self.mailboxes_of(number)
            for number, identity in enumerate(self.campaign_ids)
            if not self.is_draft(number)
        }
        subsequences: dict[str, list[str]] = {}
        for number, identity in enumerate(self.subsequence_ids):
            subsequences.setdefault(self.parent_of(number), []).append(identity)
        return Mailing(self.sizes.emails, self.contacts, mailboxes, subsequences)

    def _first_of(self, listing: Listing) -> list[Row]:
        body = json.loads(listing.page({"limit": str(_LISTS_WITH_LEADS)}))
        rows: list[Row] = body["items"]
        return rows
