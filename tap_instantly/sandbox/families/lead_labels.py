"""Lead labels: a workspace's own interest statuses."""

from __future__ import annotations

import itertools

from tap_instantly.sandbox.families.filters import contains
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import Call, Endpoint, RefusedError, Row
from tap_instantly.sandbox.store.draws import draw_timestamps
from tap_instantly.sandbox.store.rows import LazyRows
from tap_instantly.sandbox.store.writer import Writer, is_taken

_SENTIMENTS = ("positive", "neutral", "negative")
_LABELS = WORDS["labels"]
_ROLES = ("viewer", "editor")

_FIELDS = {
    "label": api.Parameter(required=True),
    "interest_status_label": api.one_of(*_SENTIMENTS, required=True),
    "description": api.OPTIONAL_TEXT,
    "use_with_ai": api.OPTIONAL_FLAG,
}
_FIRST_RENUMBERED = 10_000


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
        self._numbers = itertools.count(_FIRST_RENUMBERED)
        return {"lead_labels": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        writer = Writer(
            self._table,
            "/lead-labels",
            _FIELDS,
            switches=self._workspace.switches,
            key=api.UUID,
            complete=self._completed,
        )
        return [
            self._table.endpoint(
                "/lead-labels",
                search=api.TEXT,
                interest_status=api.one_of(*_SENTIMENTS),
            ),
            self._table.detail("/lead-labels/{id}", key=api.UUID),
            writer.create_endpoint,
            writer.patch_endpoint,
            writer.delete_endpoint(self._reassign, reassigned_status=api.NUMBER),
        ]

    def _completed(self, fields: Row, before: Row | None) -> Row:
        switches = self._workspace.switches
        taken = is_taken(self._table, _label_of, fields, before)
        if taken and not switches.duplicate_names:
            message = "A label with this name already exists."
            raise RefusedError(400, message)
        if before is None:
            return {**fields, "access_grants": ...}
        sentiment = before.get("interest_status_label")
        changes = fields.get("interest_status_label", sentiment) != sentiment
        if switches.renumber_labels and changes:
            fields["interest_status"] = next(self._numbers)
        return fields

    def _reassign(self, call: Call) -> None:
        """Give leads and e-mails with a label another interest status."""
        status = call.body.get("reassigned_status")
        if status is None:
            if self._workspace.switches.reassignment_required:
                raise RefusedError(500, "Internal Server Error")
            return
        label = self._table.found(call.path["id"])
        for name, field in (("leads", "lt_interest_status"), ("emails", "i_status")):
            table = self._workspace.tables[name]
            for row in [*table.each()]:
                if row.get(field) == label["interest_status"]:
                    table.edit(row["id"], **{field: status})

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
        turn, place = divmod(number, len(_LABELS))
        label, sentiment, description = _LABELS[place]
        half, odd = divmod(number, 2)
        row: Row = {
            "id": identity,
            "timestamp_created": timestamps.write(created),
            "created_by": draw.of(workspace.users),
            "organization_id": workspace.organization,
            "label": f"{label} {turn + 1}" if turn else label,
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


def _label_of(row: Row) -> str:
    return str(row.get("label"))
