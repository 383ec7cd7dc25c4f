"""BookmarkedStream: where a run starts, and what it leaves behind."""

from __future__ import annotations

import contextlib
import sys
import threading
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property

from singer_sdk.exceptions import FatalSyncError, SyncLifecycleSignal
from singer_sdk.singerlib.catalog import (
    REPLICATION_FULL_TABLE,
    REPLICATION_INCREMENTAL,
)

from tap_instantly.errors import explain
from tap_instantly.incremental import Bookmark, Window, instant
from tap_instantly.tally import Tally
from tap_instantly.writing import PageStream

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record


UNSETTLED = timedelta(days=28)
"""How long the figures of a past day may still change: late openings and replies."""


@dataclass(frozen=True)
class Plan:
    """What a run reads of a stream.

    Attributes:
        bookmark: The bookmark, which moves on.
        begin: Where it begins, as text.
        given: What the state says.
        window: When the rows were made.
        changed: When the rows were changed last.
        is_past: Whether `end_date` leaves nothing to read.
    """

    bookmark: Bookmark
    begin: str | None
    given: str | None
    window: Window
    changed: Window
    is_past: bool


class BookmarkedStream(PageStream):
    """A stream whose state is a bookmark that only a complete run moves.

    Attributes:
        dated_by: The field with the instant at which a record was made: the settings
            `start_date` and `end_date` and the order of the list refer to it. Where
            there is no `timestamp_created` it is the replication key; if there is none
            either, all rows are read.
        lookback: How much before its bookmark an incremental run reads again at least.
        delay: How long it may take until a change shows up in the list.
        is_edited: Whether rows change and leave no trace that an incremental run could
            go by, so that the stream is read whole by default.
        is_forgotten: Whether Instantly keeps only recent rows. Those that a full read
            does not bring are no deleted ones.
    """

    dated_by: t.ClassVar[str | None] = "timestamp_created"
    lookback: t.ClassVar[timedelta] = timedelta()
    delay: t.ClassVar[timedelta] = timedelta()
    is_edited: t.ClassVar[bool] = False
    is_forgotten: t.ClassVar[bool] = False
    _version_to_activate: int | None = None
    _put_off: list[Bookmark] | None = None

    def __init__(self, tap: Tap) -> None:
        """Belong to a tap."""
        super().__init__(tap)
        self.tally = Tally()
        self._plan: Plan | None = None
        self._planning = threading.Lock()
        if self.is_edited:
            self.forced_replication_method = REPLICATION_FULL_TABLE

    # Where a run starts, and what it leaves behind

    @cached_property
    def _key(self) -> str | None:
        """The field that the bookmark is about, whatever a catalog says."""
        key: object = type(self).replication_key
        return key if isinstance(key, str) else None  # the SDK's own is a property

    @cached_property
    def _date_field(self) -> str | None:
        """What `dated_by` names, if the stream has it."""
        is_there = self.dated_by in self.schema["properties"]
        return self.dated_by if is_there else self._key

    @property
    def _is_incremental(self) -> bool:
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def plan(self) -> Plan:
        """What this run reads, which may be asked for well before it is the turn.

        Raises:
            SyncError: If the state makes no sense; the text says why.
        """
        with self._planning:
            if self._plan is None:
                self._plan = self._make_plan()
            return self._plan

    def _make_plan(self) -> Plan:
        # Not `stream_state`, which would make an entry in the state.
        state = self._tap.state.get("bookmarks", {}).get(self.name, {})
        is_ours = self._is_incremental and state.get("replication_key") == self._key
        limit = self._begun - self.delay
        if self._end and self._key != self._date_field:
            # Rows that are made later are left to another run.
            limit = min(limit, self._end)
        value = state.get("replication_key_value") if is_ours else None
        bookmark = Bookmark.read(value, limit=limit)
        given = bookmark.text
        if bookmark.moment and bookmark.moment > self._begun:
            self.logger.warning(
                "%s: the bookmark %s lies ahead of this machine's clock and cannot "
                "hold, so everything is read again; check the state and the clock",
                self.name,
                given,
            )
            bookmark = Bookmark.read(None, limit=limit)
        return Plan(
            bookmark,
            bookmark.text,
            given,
            self._window(bookmark),
            self._changed(bookmark),
            self._is_past(bookmark),
        )

    @cached_property
    def _begun(self) -> datetime:
        """When the run has begun."""
        return datetime.fromtimestamp(self._tap.initialized_at / 1000, timezone.utc)

    @cached_property
    def _start(self) -> datetime | None:
        return self._setting("start_date")

    @cached_property
    def _end(self) -> datetime | None:
        return self._setting("end_date")

    def _setting(self, name: str) -> datetime | None:
        return instant(self.config[name]) if self.config.get(name) else None

    def _is_past(self, bookmark: Bookmark) -> bool:
        """Tell whether `end_date` leaves nothing to read."""
        if bookmark.moment is None or self._end is None or bookmark.moment < self._end:
            return False
        self.logger.info("%s: the bookmark is past `end_date`", self.name)
        return True

    def _window(self, bookmark: Bookmark) -> Window:
        """Return when the rows of this run were made."""
        since = self._start
        if self._key == self._date_field:
            since = max(filter(None, [since, self._since(bookmark)]), default=None)
        window = Window(since, self._end)
        return window.in_whole_days if self._is_daily else window

    def _changed(self, bookmark: Bookmark) -> Window:
        """Return when the rows of this run were changed last."""
        return Window(None if self._key == self._date_field else self._since(bookmark))

    def _since(self, bookmark: Bookmark) -> datetime | None:
        lookback = timedelta(days=self.config.get("lookback_days") or 0)
        own = UNSETTLED if self._is_daily else self.lookback
        return bookmark.before(max(lookback, own))

    @property
    def _is_daily(self) -> bool:
        schema = self.schema["properties"].get(self._date_field, {})
        return bool(schema.get("format") == "date")

    def _note(self, text: str | None) -> None:
        """Leave behind how far a run has come that may not come to its end.

        Not so with batches, of which the rows are written later.
        """
        if self._is_incremental and not self.get_batch_config(self.config):
            self._keep(text)
            self._tap.state_writer.write_state(self._tap.state)

    def _keep(self, text: str | None) -> None:
        if text is None:
            self.stream_state.pop("replication_key_value", None)
        else:
            self.stream_state["replication_key"] = self._key
            self.stream_state["replication_key_value"] = text

    def _complete(self, bookmark: Bookmark) -> None:
        """Leave the bookmark and the new version of the table behind.

        With batches, of which the last has yet to be written, that is put off.
        """
        if self._put_off is not None:
            self._put_off.append(bookmark)
            return
        if self._is_incremental and bookmark.text is not None:
            self._keep(bookmark.text)
            self.tally.until = bookmark.text
        if self._version_to_activate is not None:
            super()._write_activate_version_message(self._version_to_activate)
            self.stream_state["version"] = self._version_to_activate

    # What the SDK does otherwise

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Hold the message back until all records are written.

        The SDK writes it before the first, and a run that fails after that would leave
        a target that honours it with next to nothing. It also counts versions in
        seconds, of which two runs may share one; this counts milliseconds.
        """
        self._stream_version = full_table_version = self._tap.initialized_at
        if self.config.get("end_date") or self.is_forgotten:
            why = (
                "Instantly forgets old"
                if self.is_forgotten
                else "`end_date` leaves out"
            )
            self.logger.warning(
                "%s: no version is activated, because %s rows", self.name, why
            )
        elif self.get_batch_config(self.config):
            super()._write_activate_version_message(full_table_version)
        else:
            self._version_to_activate = full_table_version

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Do without the SDK's limit to the bookmark, which it compares as text."""

    @override
    def compare_start_date(self, value: str, start_date_value: str) -> str:
        """Return the value, which the SDK only logs: `Bookmark` does the comparing."""
        return value

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Leave the state alone until the stream is complete.

        The SDK would compare bookmarks as text.
        """

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, t.Any], t.Any, t.Any]:
        with self._failing_alone():
            yield from super()._sync_records(context, write_messages=write_messages)

    @override
    def _sync_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> None:
        """Move the bookmark when the last batch is written; the SDK would before."""
        self._put_off = put_off = list[Bookmark]()
        with self._failing_alone():
            super()._sync_batches(batch_config, context)
            self._put_off = None
            for bookmark in put_off:
                self._complete(bookmark)
                self._tap.state_writer.write_state(self._tap.state)

    @contextlib.contextmanager
    def _failing_alone(self) -> Iterator[None]:
        """Note why the stream fails, and let the others run all the same."""
        try:
            yield
        except (BrokenPipeError, SyncLifecycleSignal):
            raise
        except Exception as error:
            self.tally.failure = explain(error, self.logger)
            if self.ABORT_AT_RECORD_COUNT is not None:  # --test stops at once
                msg = f"{self.name}: {self.tally.failure}"
                raise FatalSyncError(msg) from error
            self.logger.error("%s: %s", self.name, self.tally.failure)  # noqa: TRY400 (in one line)
