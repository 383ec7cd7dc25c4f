"""SDKStream: what this tap does differently from the SDK about batches and state."""

from __future__ import annotations

import contextlib
import sys
import typing as t
from dataclasses import replace
from functools import cached_property
from itertools import compress

from singer_sdk.exceptions import SyncLifecycleSignal
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from typing_extensions import override

from tap_instantly.api.errors import describe_error, describe_outcome
from tap_instantly.incremental import Bookmark
from tap_instantly.reading.catalog import WORKSPACE
from tap_instantly.reading.scoped_stream import ScopedStream
from tap_instantly.stats import SyncStats

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import RecordMessage

    from tap_instantly.incremental import SyncScope
    from tap_instantly.messages import LineWriter
    from tap_instantly.reading.partition import RecordBatch


class SDKStream(ScopedStream):
    """A stream that writes batches of records, and whose state is one bookmark.

    The SDK handles records one by one, so that they can be mapped, flattened, cut and
    put into BATCH files. Where none of that is configured, this class writes the same
    messages at a fraction of the cost. It compares bookmarks as timestamps, where the
    SDK compares text, and moves them only when a stream is complete.

    Attributes:
        checkpoints_in_order: Whether an interrupted run may leave its bookmark behind:
            the list can be requested oldest first, from a timestamp on.
        has_overlaps: Whether a record may come in several partitions; it is written
            once, the first in the order of the output.
        batches: Returns what the run reads; the tap sets it for each run.
        stats: What the run has done so far.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # they conform already
    STATE_MSG_FREQUENCY = sys.maxsize  # the state changes when the stream is complete

    checkpoints_in_order: t.ClassVar[bool] = False
    has_overlaps: t.ClassVar[bool] = False
    batches: Callable[[], Iterator[RecordBatch]]
    _version_to_activate: int | None = None
    _deferred_bookmarks: list[Bookmark] | None = None

    def __init__(self, tap: Tap) -> None:
        """Belong to a tap."""
        super().__init__(tap)
        self.stats = SyncStats()

    @property
    def _is_in_files(self) -> bool:
        """Whether the records go to BATCH files."""
        return self.get_batch_config(self.config) is not None

    # What a run writes, and what it leaves behind

    def encode_records(self, records: list[Record]) -> bytes:
        """Return the RECORD messages of some records."""
        return self._writer.encode_records(self.name, records, self._version)

    @property
    def _writer(self) -> LineWriter:
        return t.cast("LineWriter", self._tap.message_writer)

    @cached_property
    def _version(self) -> int | None:
        """The version of the table, which the SDK sets when it begins the stream."""
        if (
            self.emit_activate_version_messages
            and self.replication_method == REPLICATION_FULL_TABLE
        ):
            return self._tap.initialized_at
        return None

    def _read_batches(self) -> Iterator[RecordBatch]:
        """Yield the batches of the run; each is written before the next is taken."""
        scope = self.get_scope()
        bookmark = scope.bookmark
        self._log_scope(scope)
        self.stats.start_value = self.stats.end_value = scope.state_value
        if scope.state_value != scope.start_value:
            self.stream_state.pop("replication_key_value")
        seen: set[tuple[object, ...]] = set()
        for batch in self.batches():
            if self.has_overlaps:
                batch = self._without_seen(batch, seen)  # noqa: PLW2901
            yield batch
            self.stats.rows += batch.count
            if self.stats.load and (batch.lines or self._is_in_files):
                written = self.stats.load.written[self.name]
                written.add(batch.key_hashes)
                written.total = self.stats.rows
            if batch.latest is not None:
                bookmark = bookmark.advanced_to(*batch.latest)
            if self.checkpoints_in_order:
                is_safe = batch.is_checkpointable
                self._checkpoint(bookmark.value if is_safe else scope.start_value)
            if batch.failure is not None:
                raise batch.failure
        if not scope.is_empty:
            self._finish(bookmark)
        elif self.stats.load:
            self.stats.load.is_whole = False
        self.stats.is_complete = True

    def _without_seen(
        self, batch: RecordBatch, seen: set[tuple[object, ...]]
    ) -> RecordBatch:
        """Return a batch without the records that came before, and note the others."""
        is_new = []
        for key in batch.keys:
            is_new.append(key not in seen or None in key)  # a catalog may lack the key
            seen.add(key)
        if all(is_new):
            return batch
        lines = batch.lines.splitlines(keepends=True)
        return replace(
            batch,
            records=[*compress(batch.records, is_new)],
            lines=b"".join(compress(lines, is_new)),
            count=sum(is_new),
        )

    def _log_scope(self, scope: SyncScope) -> None:
        if scope.state_value != scope.start_value:
            self.logger.warning(
                "%s: the bookmark %s lies ahead of this machine's clock and cannot "
                "hold, so everything is read again; check the state and the clock",
                self.name,
                scope.state_value,
            )
        if scope.is_empty:
            self.logger.info("%s: the bookmark is past `end_date`", self.name)

    def _checkpoint(self, value: str | None) -> None:
        """Leave a bookmark behind for the case that the run is interrupted.

        Not with BATCH files, whose rows are written later.
        """
        if self._is_incremental and not self._is_in_files:
            self._set_bookmark(value)
            self._tap.state_writer.write_state(self._tap.state)

    def _set_bookmark(self, value: str | None) -> None:
        if value is None:
            self.stream_state.pop("replication_key_value", None)
        else:
            self.stream_state["replication_key"] = self.bookmark_key
            self.stream_state["replication_key_value"] = value

    def _finish(self, bookmark: Bookmark) -> None:
        """Leave the bookmark and the new version of the table behind.

        With BATCH files, of which the last has yet to be written, that is deferred.
        """
        if self._deferred_bookmarks is not None:
            self._deferred_bookmarks.append(bookmark)
            return
        if self._is_incremental and bookmark.value is not None:
            self._set_bookmark(bookmark.value)
            self.stats.end_value = bookmark.value
        if self._version_to_activate is not None and self.stats.skipped:
            self.logger.warning(
                "%s: no version is activated, because something was left out: %s",
                self.name,
                self.stats.describe_skipped(),
            )
        elif self._version_to_activate is not None:
            super()._write_activate_version_message(self._version_to_activate)
            self.stats.is_activated = True
        if self._is_whole_table:
            self._note_version()

    @property
    def _is_whole_table(self) -> bool:
        """Whether what was read is all that the table should hold."""
        return (
            self.replication_method == REPLICATION_FULL_TABLE
            and not self._why_incomplete
            and not self.stats.skipped
        )

    def _note_version(self) -> None:
        """Leave in the state when the run began, also if no target is told.

        Rows that were read before are gone: those of the workspace, if there are many.
        """
        self.stream_state["version"] = self._tap.initialized_at
        self.stream_state.pop(WORKSPACE, None)
        if workspace := self.config.get(WORKSPACE):
            self.stream_state[WORKSPACE] = workspace

    # What differs from the SDK

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        for batch in self._read_batches():
            yield from batch.records

    @override
    def _generate_record_messages(
        self, record: Record
    ) -> Generator[RecordMessage, None, None]:
        for message in super()._generate_record_messages(record):
            if self.stats.load:
                written = self.stats.load.written[message.stream]
                fields = self.written_keys[message.stream]
                key = [message.record.get(name) for name in fields]
                written.add([hash(repr(key)) if fields else written.total])
            yield message

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, t.Any], t.Any, t.Any]:
        with self._isolated_failure():
            if write_messages and self.can_write_raw:
                self._write_raw(context)
            else:
                yield from super()._sync_records(context, write_messages=write_messages)

    def _write_raw(self, context: Context | None) -> None:
        """Write batches of encoded records, and otherwise do as the SDK does."""
        self._write_starting_replication_value(context)
        with self.get_record_counter() as counter, self.get_sync_timer():
            for batch in self._read_batches():
                self._writer.write_records(batch.lines, batch.count)
                self.state_manager.is_flushed = False
                counter.increment(batch.count)
        self._finalize_state(self.stream_state)
        self._write_state_message()

    @override
    def _sync_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> None:
        """Move the bookmark when the last BATCH is written; the SDK would before."""
        self._deferred_bookmarks = deferred = list[Bookmark]()
        with self._isolated_failure():
            super()._sync_batches(batch_config, context)
            self._deferred_bookmarks = None
            for bookmark in deferred:
                self._finish(bookmark)
                self._tap.state_writer.write_state(self._tap.state)

    @contextlib.contextmanager
    def _isolated_failure(self) -> Iterator[None]:
        """Record why the stream fails, and let the others run all the same."""
        is_tested = self.ABORT_AT_RECORD_COUNT is not None
        try:
            yield
        except SyncLifecycleSignal:
            if not is_tested:  # the SDK would call a test that works an error
                raise
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 (it is said in words)
            self.stats.failure = describe_error(error, self.logger, self._tap.name)
            self.stats.outcome = describe_outcome(error)
            if not is_tested:  # whose verdict says it
                self.logger.error("%s: %s", self.name, self.stats.failure)  # noqa: TRY400 (in one line)

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Hold the message back until all records are written.

        The SDK writes it before the first, and a run that fails after that would leave
        a target that obeys it with next to nothing. It also counts versions in seconds,
        of which two runs may share one; this counts milliseconds.
        """
        self._stream_version = full_table_version = self._tap.initialized_at
        if reason := self._why_incomplete:
            self.logger.warning(
                "%s: no version is activated, because %s rows", self.name, reason
            )
        else:
            self._version_to_activate = full_table_version

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Do without the SDK's limit to the bookmark, which it compares as text."""

    @override
    def compare_start_date(self, value: str, start_date_value: str) -> str:
        """Return the value, which the SDK only logs."""
        return value

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Leave the state alone until the stream is complete."""
