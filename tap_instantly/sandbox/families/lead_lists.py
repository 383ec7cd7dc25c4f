"""Lead lists, and how the addresses of their leads have been verified."""

from __future__ import annotations

from tap_instantly.sandbox.families.filters import contains, is_true
from tap_instantly.sandbox.families.leads import VERIFIED, count_leads
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import (
    Call,
    Endpoint,
    NotFoundError,
    RefusedError,
    Row,
)
from tap_instantly.sandbox.store.draws import draw_timestamps
from tap_instantly.sandbox.store.rows import LazyRows
from tap_instantly.sandbox.store.writer import Writer, is_taken

_TRADES = WORDS["trades"]
_PLACES = WORDS["places"]
_SEASONS = WORDS["seasons"]

_FIELDS = {
    "name": api.Parameter(required=True),
    "has_enrichment_task": api.OPTIONAL_FLAG,
    "owned_by": api.OPTIONAL_TEXT,
}


class LeadLists(Family):
    """Lead lists and the verification of their leads."""

    def _new_tables(self) -> Tables:
        has_task = is_true("has_enrichment_task")
        self._table = self._workspace.new_table(
            LazyRows(
                self._plan, lambda known: self._row(*known), lambda known: known[1]
            ),
            cursor="timestamp",
            ties_by_age=True,
            filters={
                "search": contains("name"),
                "has_enrichment_task": lambda row, value: (
                    value not in ("true", "false") or has_task(row, value)
                ),
            },
            make=self._row,
        )
        return {"lead_lists": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        writer = Writer(
            self._table,
            "/lead-lists",
            _FIELDS,
            switches=self._workspace.switches,
            key=api.UUID,
            complete=self._completed,
        )
        return [
            self._table.endpoint(
                "/lead-lists",
                search=api.TEXT,
                has_enrichment_task=api.one_of("true", "false"),
            ),
            self._table.detail("/lead-lists/{id}", key=api.UUID),
            *writer.endpoints,
            api.get("/lead-lists/{id}/verification-stats", self._stats),
        ]

    def _completed(self, fields: Row, before: Row | None) -> Row:
        taken = is_taken(self._table, _name_of, fields, before)
        if taken and not self._workspace.switches.duplicate_names:
            message = "A list with this name already exists."
            raise RefusedError(400, message)
        usual = {} if before else {"owned_by": self._workspace.users[0]}
        return usual | fields

    def _stats(self, call: Call) -> Row:
        identity = call.path["id"]
        if identity not in self._table:
            raise NotFoundError
        leads = count_leads(self._workspace, identity)
        stats = {name: leads.verified[code] for code, name in VERIFIED.items()}
        return {"stats": stats, "total_leads": leads.total}

    def _plan(self) -> dict[str, tuple[int, int]]:
        """Return the number and the time of each list, oldest first."""
        workspace = self._workspace
        count = workspace.sizes.lists
        newest = draw_timestamps(workspace.seed, "lists", count, workspace.ties)
        return {
            workspace.draw("list", number).uuid4(): (number, created)
            for number, created in enumerate(reversed([*newest]))
        }

    def _row(self, number: int, created: int) -> Row:
        workspace = self._workspace
        draw = workspace.draw("list", number)
        row: Row = {
            "id": draw.uuid4(),
            "organization_id": workspace.organization,
            "name": (
                f"{draw.of(_TRADES)} {draw.of(_PLACES)} {draw.of(_SEASONS)} "
                f"({number + 1})"
            ),
            "timestamp_created": timestamps.write(created),
        }
        if draw.once_in(3):
            row["has_enrichment_task"] = draw.once_in(3)
        if draw.once_in(2):
            row["owned_by"] = draw.of(workspace.users)
        return row


def _name_of(row: Row) -> str:
    return str(row.get("name"))
