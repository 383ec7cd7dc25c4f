"""A group of workspaces, whose admin's key opens those of its members, too."""

from __future__ import annotations

from functools import cached_property
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
            if workspace_id not in self._ids:
                return self._routes[""]
            workspace = self.admin.member(self._ids.index(workspace_id))
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
        if workspace_id in self._ids[WITHOUT_PLAN : WITHOUT_PLAN + 1]:
            raise RefusedError(402, "The workspace has no active paid plan")

    @cached_property
    def _ids(self) -> list[str]:
        """The ids of the members, in the order of their numbers."""
        numbers = range(self.admin.sizes.workspaces)
        return [self.admin.member(number).organization for number in numbers]
