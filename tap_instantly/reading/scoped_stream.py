"""ScopedStream: which rows of a stream a run reads."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone
from functools import cached_property

from singer_sdk.singerlib.catalog import (
    REPLICATION_FULL_TABLE,
    REPLICATION_INCREMENTAL,
)

from tap_instantly.incremental import (
    Bookmark,
    SyncScope,
    TimeWindow,
    parse_timestamp,
)
from tap_instantly.reading.catalog_stream import CatalogStream

if t.TYPE_CHECKING:
    from singer_sdk import Tap

DAILY_LOOKBACK = timedelta(days=28)
"""How long the figures of a past day may still change: late openings and replies."""


class ScopedStream(CatalogStream):
    """A stream of which a run reads what its state and its settings leave.

    Attributes:
        created_key: The field that says when a record was created: the settings
            `start_date` and `end_date` and the order of the list refer to it. A stream
            without that field uses its replication key instead; if it has none either,
            all rows are read.
        lookback_window: How much before its bookmark an incremental run reads again at
            least.
        indexing_lag: How long a change may take to show up in the list.
        full_table_by_default: Whether rows change without a trace that an incremental
            run could follow.
        limited_retention: Whether Instantly keeps only recent rows. Rows that a full
            read does not bring are then not deleted ones.
    """

    created_key: t.ClassVar[str | None] = "timestamp_created"
    lookback_window: t.ClassVar[timedelta] = timedelta()
    indexing_lag: t.ClassVar[timedelta] = timedelta()
    full_table_by_default: t.ClassVar[bool] = False
    limited_retention: t.ClassVar[bool] = False

    def __init__(self, tap: Tap) -> None:
        """Belong to a tap."""
        super().__init__(tap)
        if self.full_table_by_default:
            self.forced_replication_method = REPLICATION_FULL_TABLE

    @cached_property
    def created_field(self) -> str | None:
        """The field that says when a record was created, if the stream has one."""
        is_there = self.created_key in self.schema["properties"]
        return self.created_key if is_there else self.bookmark_key

    @cached_property
    def run_begin(self) -> datetime:
        """When the run has begun."""
        return datetime.fromtimestamp(self._tap.initialized_at / 1000, timezone.utc)

    @property
    def is_daily(self) -> bool:
        """Whether the rows are figures of a day."""
        schema = self.schema["properties"].get(self.created_field, {})
        return bool(schema.get("format") == "date")

    def get_scope(self) -> SyncScope:
        """Return what a run reads, before it has changed the state.

        Raises:
            BookmarkError: If the state makes no sense.
        """
        # Not `stream_state`, which would make an entry in the state.
        state = self._tap.state.get("bookmarks", {}).get(self.name, {})
        is_own = self._is_incremental and (
            state.get("replication_key") == self.bookmark_key
        )
        end = self._timestamp_setting("end_date")
        limit = self.run_begin - self.indexing_lag
        if end and self.bookmark_key != self.created_field:
            # Rows that are created later are left to another run.
            limit = min(limit, end)
        value = state.get("replication_key_value") if is_own else None
        bookmark = Bookmark.parse(value, limit)
        state_value = bookmark.value
        if bookmark.timestamp and bookmark.timestamp > self.run_begin:
            bookmark = Bookmark(limit=limit)
        lookback = timedelta(days=self.config.get("lookback_days") or 0)
        minimum = DAILY_LOOKBACK if self.is_daily else self.lookback_window
        since = bookmark.minus(max(lookback, minimum))
        start = self._timestamp_setting("start_date")
        set_window = TimeWindow(start, end)
        updated_window = TimeWindow()
        if self.bookmark_key == self.created_field:
            start = max(filter(None, [start, since]), default=None)
        else:
            updated_window = TimeWindow(since)
        window = TimeWindow(start, end)
        return SyncScope(
            bookmark,
            state_value,
            window.in_whole_days if self.is_daily else window,
            updated_window,
            set_window.in_whole_days if self.is_daily else set_window,
            is_empty=bool(end and bookmark.timestamp and bookmark.timestamp >= end),
        )

    @property
    def scope_of_list(self) -> t.Literal["all", "window", "recent"]:
        """Which rows Instantly's list has: all, those of a window, or recent ones."""
        if self.limited_retention:
            return "recent"
        is_windowed = self.config.get("start_date") or self.config.get("end_date")
        return "window" if is_windowed and self.created_field else "all"

    @property
    def _is_incremental(self) -> bool:
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def _why_incomplete(self) -> str | None:
        """Why no run of the stream brings all rows, in words."""
        if self.limited_retention:
            return "Instantly forgets old"
        return "`end_date` leaves out" if self.config.get("end_date") else None

    def _timestamp_setting(self, name: str) -> datetime | None:
        return parse_timestamp(self.config[name]) if self.config.get(name) else None
