"""Background jobs: what was moved, imported or exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.filters import Filter, among
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.api import Call, Endpoint, Row

BACKGROUND_JOBS = 115

_JOBS = WORDS["jobs"]
# fmt: off
_JOB_TYPES = (
    "move-leads", "import-leads", "export-leads", "update-warmup-accounts",
    "rename-variable", "broadcast-ai-generate", "broadcast-website-scrape",
    "import-subscribers-from-crm", "resync-subscriber-crm-tags",
)
_ENTITY_TYPES = (
    "list", "campaign", "workspace", "broadcast", "subscriber-group-sync",
    "subscriber-group",
)
# fmt: on
_OUTCOMES = ("success", "success", "success", "failed", "cancelled")
_FILTERS: dict[str, Filter] = {
    "ids": among("id"),
    "excluded_ids": lambda row, value: row["id"] not in value.split(","),
    **{name: among(name) for name in ("type", "entity_type", "entity_id", "status")},
}


class BackgroundJobs(Family):
    """Background jobs."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            lambda: self._spread("job", BACKGROUND_JOBS, self._row),
            make=self._row,
            order="id-desc",
            dated_by="created_at",
            filters=_FILTERS,
        )
        return {"background_jobs": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        return [
            api.get(
                "/background-jobs",
                self._page,
                **self._table.paging,
                **dict.fromkeys(("ids", "included_ids", "excluded_ids"), api.TEXT),
                type=api.one_of(*_JOB_TYPES),
                entity_type=api.one_of(*_ENTITY_TYPES),
                entity_id=api.TEXT,
                status=api.TEXT,
                sort_column=api.one_of("created_at", "updated_at"),
                sort_order=api.SORT_ORDER,
            ),
            self._table.detail("/background-jobs/{id}"),
        ]

    def _page(self, call: Call) -> bytes:
        """Answer with jobs by one of their two times, or by id if none is named."""
        table = self._table
        if column := call.one("sort_column"):
            table = self._workspace.new_table(
                table.each(), dated_by=column, filters=_FILTERS
            )
        return table.answer(call, descending=call.one("sort_order") != "asc")

    def _row(self, number: int, created: int) -> Row:
        entities = {
            "list": self._workspace.contacts.lists,
            "campaign": self._workspace.campaign_ids,
            "workspace": [self._workspace.organization],
        }
        draw = self._workspace.draw("job", number)
        kind, entity = draw.of(_JOBS)
        status = draw.of(_OUTCOMES) if number else "in-progress"
        ran = draw.below(1800) * timestamps.SECOND if number else 0
        row: Row = {
            "id": f"{created // timestamps.SECOND:08x}{draw.below(1 << 64):016x}",
            "workspace_id": self._workspace.organization,
            "type": kind,
            "entity_type": entity,
            "progress": 100 if status == "success" else draw.below(100),
            "status": status,
            "created_at": timestamps.write(created),
            "updated_at": timestamps.write(created + ran),
        }
        if entities[entity]:
            row["entity_id"] = draw.of(entities[entity])
        if not draw.once_in(5):
            row["user_id"] = draw.of(self._workspace.users)
        if kind == "move-leads":
            row["data"] = {
                "moved_lead_emails": [
                    f"moved{each}@example.org" for each in range(draw.below(4))
                ]
            }
        return row
