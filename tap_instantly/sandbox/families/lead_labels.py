"""Lead labels: a workspace's own interest statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.filters import contains
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import draw_timestamps
from tap_instantly.sandbox.store.rows import LazyRows

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.api import Endpoint, Row

_SENTIMENTS = ("positive", "neutral", "negative")
_LABELS = WORDS["labels"]
_TEAMS = WORDS["teams"]
_ROLES = ("viewer", "editor")


class LeadLabels(Family):
    """Lead labels."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            LazyRows(
                self._plan, lambda known: self._row(*known), lambda known: known[1]
            ),
            cursor="timestamp",
            ties_by_age=True,
            filters={
                "search": contains("label"),
                "interest_status": lambda row, value: (
                    value not in _SENTIMENTS
                    or row.get("interest_status_label") == value
                ),
            },
            make=self._row,
        )
        return {"lead_labels": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        return [
            self._table.endpoint(
                "/lead-labels",
                search=api.TEXT,
                interest_status=api.one_of(*_SENTIMENTS),
            ),
            self._table.detail("/lead-labels/{id}", key=api.Parameter("uuid")),
        ]

    def _plan(self) -> dict[str, tuple[int, int]]:
        """Return the number and the time of each label, oldest first."""
        workspace = self._workspace
        count = workspace.sizes.labels
        newest = draw_timestamps(workspace.seed, "labels", count, workspace.ties)
        return {
            workspace.draw("label", number).uuid7(created): (number, created)
            for number, created in enumerate(reversed([*newest]))
        }

    def _row(self, number: int, created: int) -> Row:
        """Return a label, whose id carries its time of creation."""
        workspace = self._workspace
        draw = workspace.draw("label", number)
        identity = draw.uuid7(created)
        label, sentiment, description = draw.of(_LABELS)
        half, odd = divmod(number, 2)
        row: Row = {
            "id": identity,
            "timestamp_created": timestamps.write(created),
            "created_by": draw.of(workspace.users),
            "organization_id": workspace.organization,
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
                {"user_id": draw.of(workspace.users), "role": draw.of(_ROLES)}
                for _ in range(draw.below(3))
            ]
        return row
