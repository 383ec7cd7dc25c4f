"""The plan of one workspace: what its families share before any row is made."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.contacts import (
    FIRST_NAMES,
    LAST_NAMES,
    Contacts,
    slug,
)
from tap_instantly.sandbox.families.email_plan import EmailPlan
from tap_instantly.sandbox.store.api import Call
from tap_instantly.sandbox.store.draws import Draw, draw_timestamps
from tap_instantly.sandbox.store.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_instantly.sandbox.store.api import Endpoint, Row
    from tap_instantly.sandbox.store.switches import Switches

Tables = dict[str, Table]

_DRAFT_ONCE_IN = 6
_UNUSED_ONCE_IN = 5
_LISTS_WITH_LEADS = 20
_FIRST_PAGE = Call(query={"limit": [str(_LISTS_WITH_LEADS)]})
_PARENTS = 3
_DOMAINS = ("outreach.example.com", "team.example.com", "mail.example.com")
_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class Sizes:
    """How many rows the lists have that others point to."""

    labels: int = 40
    lists: int = 260
    campaigns: int = 12
    accounts: int = 25
    leads: int = 400
    emails: int = 900
    tags: int = 6
    subsequences: int = 5
    blocked: int = 230
    workspaces: int = 4


class Workspace:
    """What all rows of a seed share, and the tables that its families fill.

    Attributes:
        new_table: Makes a table that heeds the switches and ties of the workspace.
        tables: All lists by the name of their stream.
    """

    def __init__(self, seed: int, sizes: Sizes, ties: int, switches: Switches) -> None:
        """Plan the workspace of `seed`; rows are made when they are first asked for."""
        draw = Draw(seed, "workspace")
        self.seed = seed
        self.sizes = sizes
        self.ties = ties
        self.switches = switches
        self.organization = draw.uuid4()
        self.users = [Draw(seed, "user", number).uuid4() for number in range(6)]
        self.new_table = partial(Table, switches=switches, ties=ties)
        self.tables: Tables = {}

    def member(self, number: int) -> Workspace:
        """Return the plan of a workspace of the group that this one administers."""
        seed = self.draw("client", number).below(2**31)
        return Workspace(
            seed, replace(self.sizes, workspaces=0), self.ties, self.switches
        )

    def draw(self, *key: object) -> Draw:
        """Return the numbers that belong to a key in this workspace."""
        return Draw(self.seed, *key)

    @cached_property
    def key_parts(self) -> tuple[str, str]:
        """The id and the secret of the key that opens the workspace."""
        draw = self.draw("key")
        secret = "".join(draw.of(_LETTERS) for _ in range(12))
        return draw.uuid4(), secret

    @property
    def key(self) -> str:
        """That key in Instantly's form: base64 of both with a colon between them."""
        return base64.b64encode(":".join(self.key_parts).encode()).decode()

    @cached_property
    def campaign_ids(self) -> list[str]:
        """The ids of the campaigns that there are to begin with."""
        return [
            self.draw("campaign", number).uuid4()
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
        draw = self.draw("sender", number)
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
        return [self.draw("tag", number).uuid4() for number in range(self.sizes.tags)]

    @cached_property
    def subsequence_ids(self) -> list[str]:
        """The ids of the subsequences that there are to begin with."""
        return [
            self.draw("subsequence", number).uuid4()
            for number in range(self.sizes.subsequences if self.campaign_ids else 0)
        ]

    def parent_of(self, subsequence: int) -> str:
        """Return the id of the campaign that a subsequence belongs to."""
        return self.campaign_ids[subsequence % min(_PARENTS, len(self.campaign_ids))]

    @cached_property
    def interests(self) -> list[int]:
        """The numbers of interest statuses: built-in ones and those of labels."""
        labels = self.tables["lead_labels"].page(_FIRST_PAGE)["items"]
        numbers = [row.get("interest_status") for row in labels]
        own = [number for number in numbers if isinstance(number, int)]
        return [0, 1, -1, 2, 1, -2, 3, -3, 4, 1, -4, *own]

    @cached_property
    def contacts(self) -> Contacts:
        """The leads."""
        lists = self.tables["lead_lists"].page(_FIRST_PAGE)["items"]
        ids = [row["id"] for row in lists]
        return Contacts(self.seed, self.sizes.leads, self.campaign_ids, ids)

    @cached_property
    def email_plan(self) -> EmailPlan:
        """Who writes to whom."""
        mailboxes = {
            identity: self.mailboxes_of(number)
            for number, identity in enumerate(self.campaign_ids)
            if not self.is_draft(number)
        }
        subsequences: dict[str, list[str]] = {}
        for number, identity in enumerate(self.subsequence_ids):
            subsequences.setdefault(self.parent_of(number), []).append(identity)
        return EmailPlan(self.sizes.emails, self.contacts, mailboxes, subsequences)


class Family:
    """Some tables of a workspace, and the endpoints that answer from them."""

    def __init__(self, workspace: Workspace) -> None:
        """Belong to `workspace`; rows are made when they are first asked for."""
        self._workspace = workspace
        self.tables = self._new_tables()
        for name, table in self.tables.items():
            table.name = name

    def _new_tables(self) -> Tables:
        """Return the family's own tables by the name of their stream."""
        return {}

    def _spread(
        self, name: str, count: int, row: Callable[[int, int], Row]
    ) -> list[Row]:
        """Return as many rows, newest first, spread over the last years."""
        newest = draw_timestamps(self._workspace.seed, name, count)
        return [row(number, created) for number, created in enumerate(newest)]

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        raise NotImplementedError
