"""The audit log: who changed what."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.filters import among, contains
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_instantly.sandbox.store.api import Endpoint, Row

AUDIT_LOGS = 120

_ON_CAMPAIGN, _ON_SUBSEQUENCE = (3, 4, 5, 11), 12
_ON_WEBHOOK, _ON_LIST = (18, 19, 20, 21), (8, 9, 10, 34, 35)
_BY_A_KEY = (9, 36, 37)
_ACTIVITIES = (1, 2, 6, 7, 31, 40, 41, *_ON_CAMPAIGN, *_ON_LIST, *_ON_WEBHOOK, 12, 36)
"""Of these, 41 is not documented: the list grows."""
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "python-requests/2.32", "curl/8.7.1")


class AuditLogs(Family):
    """The audit log."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            lambda: self._spread("activity", AUDIT_LOGS, self._row),
            make=self._row,
            dated_by="timestamp",
            maximum=1000,
            filters={
                "activity_type": among("activity_type"),
                "search": contains("user_name", "ip_address", "user_agent"),
                "start_date": lambda row, value: (
                    timestamps.read(row["timestamp"]) >= timestamps.read_bound(value)
                ),
                "end_date": lambda row, value: (
                    timestamps.read(row["timestamp"]) <= timestamps.read_bound(value)
                ),
            },
        )
        return {"audit_logs": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        return [
            self._table.endpoint(
                "/audit-logs", activity_type=api.NUMBER, search=api.TEXT, **api.WINDOW
            )
        ]

    @cached_property
    def _objects(self) -> list[tuple[tuple[int, ...], str, Sequence[str]]]:
        """Kinds of activities, the field with what they concern, and its values."""
        tables = self._workspace.tables
        named = (
            ((_ON_SUBSEQUENCE,), "subsequence_id", "subsequences"),
            (_ON_WEBHOOK, "webhook_id", "webhooks"),
            (_BY_A_KEY, "api_key_id", "api_keys"),
        )
        return [
            (_ON_CAMPAIGN, "campaign_id", self._workspace.campaign_ids),
            (_ON_LIST, "list_id", self._workspace.contacts.lists),
            *(
                (kinds, field, [row["id"] for row in tables[name].each()])
                for kinds, field, name in named
            ),
        ]

    def _row(self, number: int, created: int) -> Row:
        draw = self._workspace.draw("activity", number)
        activity = draw.of(_ACTIVITIES)
        by_key = activity in _BY_A_KEY
        row: Row = {
            "id": self._workspace.draw("activity", number, "id").uuid4(),
            "timestamp": timestamps.write(created),
            "organization_id": self._workspace.organization,
            "activity_type": activity,
            "ip_address": f"198.51.100.{draw.below(255)}",
            "from_api": by_key,
        }
        for activities, name, ids in self._objects:
            if activity in activities and ids:
                row[name] = draw.of(ids)
        if not by_key:
            row["user_id"] = draw.of(self._workspace.users)
            row["user_name"] = f"Member {self._workspace.users.index(row['user_id'])}"
        if not draw.once_in(6):
            row["user_agent"] = draw.of(_AGENTS)
        if activity in (2, *_ON_LIST):
            row["affected_count"] = 1 + draw.below(500)
        if draw.once_in(4):
            row["audit_metadata"] = {"previous": {"name": "Köln (old)"}}
        return row
