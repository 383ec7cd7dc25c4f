"""A group of workspaces, whose admin's key opens those of its members, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.registry import endpoints_of
from tap_instantly.sandbox.http.routes import Routes
from tap_instantly.sandbox.store.api import RefusedError

if TYPE_CHECKING:
    from tap_instantly.sandbox.families.workspace import Workspace
    from tap_instantly.sandbox.store.api import Row
    from tap_instantly.sandbox.store.tables import Table

WITHOUT_PLAN = 5
"""The number of the member that has no paid plan."""


class Group:
    """An admin workspace and its members, each of which is made when it is asked for.

    Attributes:
        admin: The workspace of the key.
    """

    def __init__(self, admin: Workspace) -> None:
        """Make the admin workspace."""
        self.admin = admin
        self._routes = {"": Routes(endpoints_of(admin))}
        self._members: dict[str, Workspace] = {"": admin}

    @property
    def rows(self) -> list[Row]:
        """The memberships."""
        return self.admin.tables["workspace_group_members"].rows

    def tables(self, workspace_id: str) -> dict[str, Table]:
        """Return all lists of a member by the name of their stream."""
        self.routes(workspace_id)
        return self._members[workspace_id].tables

    def routes(self, workspace_id: str) -> Routes:
        """Return the endpoints of a member; those of the admin for any other id."""
        if workspace_id not in self._routes:
            number = self._number(workspace_id)
            if number is None:
                return self._routes[""]
            workspace = self.admin.member(number)
            self._members[workspace_id] = workspace
            self._routes[workspace_id] = Routes(endpoints_of(workspace))
        return self._routes[workspace_id]

    def check(self, workspace_id: str) -> None:
        """See that the admin may act for a workspace.

        Raises:
            RefusedError: If not.
        """
        if not workspace_id:
            return
        states = {row["sub_workspace_id"]: row["status"] for row in self.rows}
        if states.get(workspace_id) != "accepted":
            raise RefusedError(403, "The workspace is not in your group")
        if self._number(workspace_id) == WITHOUT_PLAN:
            raise RefusedError(402, "The workspace has no active paid plan")

    def _number(self, workspace_id: str) -> int | None:
        for number in range(self.admin.sizes.workspaces):
            if self.admin.member(number).organization == workspace_id:
                return number
        return None
