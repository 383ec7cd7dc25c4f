"""InstantlyStream: from pages to records, and what a run leaves behind."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property

from singer_sdk import SchemaDirectory, Stream, StreamSchema
from singer_sdk.exceptions import FatalSyncError, SyncLifecycleSignal
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_instantly import schemas
from tap_instantly.errors import explain
from tap_instantly.incremental import Bookmark, Window, instant
from tap_instantly.pagination import PAGE_SIZE, Walk
from tap_instantly.records import Fitter, shown
from tap_instantly.retrying import status

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from backoff.types import Details
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_instantly.client import Client
    from tap_instantly.records import Page


@dataclass
class Tally:
    """What a stream has done so far, for the log.

    Attributes:
        rows: Records written.
        requests: Requests sent, the repeated ones included.
        retries: Requests repeated.
        waited: Seconds waited before repeating them.
        since: The bookmark at the beginning.
        until: The bookmark at the end.
        failure: Why the stream stopped early, in words; None while all is well.
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    since: str | None = None
    until: str | None = None
    failure: str | None = None

    def __str__(self) -> str:
        """Say it in a line."""
        work = (
            f"{self.rows} rows, {self.requests} requests, {self.retries} retries, "
            f"{self.waited:.1f} s waited, bookmark from {self.since} to {self.until}"
        )
        return f"{work}; failed: {self.failure}" if self.failure else work


class InstantlyStream(Stream):
    """A list of the Instantly API.

    Attributes:
        path: Its endpoint.
        scope: What the key must be allowed, unless it has `all:read`.
        dated_by: The field with the instant at which a record was made: the settings
            `start_date` and `end_date` and the order of the list refer to it.
    """

    path: t.ClassVar[str]
    scope: t.ClassVar[str]
    dated_by: t.ClassVar[str] = "timestamp_created"
    schema = StreamSchema(SchemaDirectory(schemas))
    _version_to_activate: int | None = None

    def __init__(self, tap: Tap, client: Client) -> None:
        """Belong to a tap, whose client the stream uses."""
        super().__init__(tap)
        self.client = client
        self.tally = Tally()

    # From pages to records

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        bookmark = self._bookmark()
        self.tally.since = self.tally.until = bookmark.text
        if bookmark.is_ahead:
            self.logger.warning(
                "%s: the bookmark %s lies ahead of this machine's clock and cannot "
                "hold, so everything is read again; check the state and the clock",
                self.name,
                bookmark.text,
            )
            self.stream_state.pop("replication_key_value")
            bookmark = self._bookmark()
        window = self._window(bookmark)
        if window is None:
            return
        walk = Walk(self._page, self._identify, self._date, self._warn_unreachable)
        for rows in walk:
            last = None
            for row in rows:
                last = self._date(row)
                if last in window:
                    record = self._fitter.fit(row)
                    yield record
                    self.tally.rows += 1
                    if last is not None:
                        text = record.get(self.dated_by) or row[self.dated_by]
                        bookmark.advance(text, last)
            if walk.is_newest_first and window.begins_after(last):
                break
        self._complete(bookmark)

    def _page(self, cursor: str | None) -> Page:
        self.tally.requests += 1
        params = {"limit": PAGE_SIZE, "starting_after": cursor}
        return self.client.get(
            self.path, params, scope=self.scope, on_retry=self._note_retry
        )

    def _identify(self, row: Record) -> tuple[object, ...]:
        return tuple(str(row.get(key)) for key in self._keys)

    @cached_property
    def _keys(self) -> Sequence[str]:
        """The keys of the entity; a catalog may come without any."""
        return t.cast("Sequence[str]", type(self).primary_keys)

    def _date(self, row: Record) -> datetime | None:
        return self._fitter.date(row, self.dated_by)

    @cached_property
    def _fitter(self) -> Fitter:
        return Fitter(self.effective_schema, self._keys, self._warn_unknown)

    def _note_retry(self, details: Details) -> None:
        self.tally.requests += 1
        self.tally.retries += 1
        self.tally.waited += details["wait"]
        self.logger.warning(
            "%s: %s; try %d follows in %.1f s",
            self.name,
            status(details["exception"]),
            details["tries"] + 1,
            details["wait"],
        )

    def _warn_unknown(self, field: str) -> None:
        self.logger.warning(
            "%s: left out the field `%s`, which the schema does not have",
            self.name,
            shown(field)[1:-1],
        )

    def _warn_unreachable(self, moment: datetime) -> None:
        self.logger.warning(
            "%s: rows may be missing at %s: more of them share that instant than "
            "Instantly's cursor can reach",
            self.name,
            moment.isoformat(timespec="milliseconds"),
        )

    # Where a run starts, and what it leaves behind

    @property
    def _is_incremental(self) -> bool:
        return self.replication_method == REPLICATION_INCREMENTAL

    def _bookmark(self) -> Bookmark:
        state = self.stream_state if self._is_incremental else {}
        is_ours = state.get("replication_key") == self.dated_by
        value = state.get("replication_key_value") if is_ours else None
        begin = datetime.fromtimestamp(self._tap.initialized_at / 1000, timezone.utc)
        return Bookmark.read(value, limit=begin)

    def _window(self, bookmark: Bookmark) -> Window | None:
        start, end = (
            instant(self.config[name]) if self.config.get(name) else None
            for name in ("start_date", "end_date")
        )
        lookback = timedelta(days=self.config.get("lookback_days") or 0)
        window = bookmark.window(start, end, lookback)
        if window is None:
            self.logger.info("%s: the bookmark is past `end_date`", self.name)
        return window

    def _complete(self, bookmark: Bookmark) -> None:
        """Leave the bookmark and the new version of the table behind."""
        if self._is_incremental and bookmark.text is not None:
            self.stream_state["replication_key"] = self.dated_by
            self.stream_state["replication_key_value"] = bookmark.text
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
        if self.config.get("end_date"):
            self.logger.warning(
                "%s: no version is activated, because `end_date` leaves rows out",
                self.name,
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
    def log_sync_costs(self) -> None:
        """Close the connections: the SDK calls this when all streams are read."""
        super().log_sync_costs()
        self.client.close()

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, t.Any], t.Any, t.Any]:
        """Note why the stream fails, and let the others run all the same."""
        try:
            yield from super()._sync_records(context, write_messages=write_messages)
        except (BrokenPipeError, SyncLifecycleSignal):
            raise
        except Exception as error:
            self.tally.failure = explain(error, self.logger)
            if self.ABORT_AT_RECORD_COUNT is not None:  # --test stops at once
                msg = f"{self.name}: {self.tally.failure}"
                raise FatalSyncError(msg) from error
            self.logger.error("%s: %s", self.name, self.tally.failure)  # noqa: TRY400 (in one line)
