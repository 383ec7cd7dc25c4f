"""What all AI agents share: their types, and rows that belong to one of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family
from tap_instantly.sandbox.store import timestamps
from tap_instantly.sandbox.store.api import Call, NotFoundError, Row
from tap_instantly.sandbox.store.draws import NEWEST, Draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.sandbox.store.tables import Table

INBOX_MANAGER, DELIVERABILITY, LEAD_FINDER = 1, 3, 6
SALES = (2, 4, 7, 8, 9, 10)
TYPES = (2, 1, 6, 3, 4, 2, 7, 8, 6, 9, 10, 1, 6)
"""The types of the agents, oldest first."""
MANY = 130
"""Rows of the oldest agent of each kind, where all sales agents are one kind; all
others have `FEW`."""
FEW = 12

_SHARED = ("id", "name", "type", "status", "timestamp_created", "timestamp_updated")
GUIDANCE_TEXTS = WORDS["guidance"]


class AgentFamily(Family):
    """The rows of the agents of one kind."""

    def _agent(self, call: Call, *types: int) -> Row:
        """Return the agent that a path names, which must be of one of some types."""
        row = self._workspace.tables["ai_agents"].get(call.path["id"])
        if row is None or row["type"] not in types:
            raise NotFoundError
        return row

    def _detail(self, name: str, *types: int) -> Callable[[Call], Row]:
        table = self.tables[name]
        return lambda call: table.found(self._agent(call, *types)["id"])

    def _page(self, table: Table, owner: str, *types: int) -> Callable[[Call], Row]:
        """Return what answers with the rows of a table that belong to one agent."""

        def page(call: Call) -> Row:
            agent = self._agent(call, *types)["id"]
            return table.page(call, only=lambda row: row[owner] == agent)

        return page

    def _of(self, *types: int) -> list[Row]:
        """Return the agents of some types, oldest first."""
        agents = self._workspace.tables["ai_agents"].each()
        return [agent for agent in agents if agent["type"] in types]

    def _count(self, agent: Row) -> int:
        """Return how many rows an agent has of each kind."""
        alike = SALES if agent["type"] in SALES else (agent["type"],)
        return MANY if self._of(*alike)[0]["id"] == agent["id"] else FEW

    def _described(self, agent: Row) -> Row:
        """Return what three of the four kinds of details share."""
        draw = self._workspace.draw("description", agent["id"])
        row: Row = {name: agent[name] for name in _SHARED}
        row["organization_id"] = self._workspace.organization
        row["is_auto_created"] = draw.once_in(4)
        if not row["is_auto_created"]:
            row["created_by"] = draw.of(self._workspace.users)
        if draw.once_in(2):
            row["description"] = "Set up for the fourth quarter."
        return row

    def _rows_of(
        self,
        types: tuple[int, ...],
        name: str,
        row: Callable[[Row, str, int, Draw], Row],
    ) -> Callable[[], Iterator[Row]]:
        """Return what invents the rows of all agents of some types.

        Args:
            types: The types.
            name: What a row is called in the draws.
            row: Invents one, given the agent, the row's id, its time of creation
                and a draw.
        """

        def rows() -> Iterator[Row]:
            for agent in self._of(*types):
                count = self._count(agent)
                begun = timestamps.read(agent["timestamp_created"])
                gap = (NEWEST - begun) // (count + 1) // timestamps.SECOND
                for number in range(count):
                    draw = self._workspace.draw(name, agent["id"], number)
                    identity = self._workspace.draw(name, agent["id"], number, "id")
                    age = (number * gap + draw.below(gap)) * timestamps.SECOND
                    yield row(agent, identity.uuid4(), NEWEST - age, draw)

        return rows

    @cached_property
    def _addresses(self) -> list[str]:
        contacts = self._workspace.contacts
        return sorted(
            contacts.person(number, contacts.created(number)).email(number)
            for number in range(min(contacts.count, 2 * MANY))
        )
