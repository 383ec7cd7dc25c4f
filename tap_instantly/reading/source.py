"""StreamSource: one run's reading of a stream, from its pages to batches of records."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain, compress

from tap_instantly.api.errors import truncate
from tap_instantly.counting import hash_keys
from tap_instantly.incremental import TimeWindow
from tap_instantly.reading.catalog import WORKSPACE
from tap_instantly.reading.conform import RecordConformer, SchemaMismatchError
from tap_instantly.reading.keyed_page import KeyedPage
from tap_instantly.reading.partition import Partition, RecordBatch
from tap_instantly.reading.stream import SPLITTABLE

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_instantly.api.pages import Page
    from tap_instantly.incremental import SyncScope
    from tap_instantly.reading.keyed_page import Key
    from tap_instantly.reading.paginators import Paginator
    from tap_instantly.reading.parents import ParentKeys
    from tap_instantly.reading.partition import Fetch
    from tap_instantly.reading.stream import EndpointStream, ParentKeysByStream


BLANK = frozenset({"", "None"})
"""A key that is blank, among keys as text."""


class StreamSource:
    """What the scheduler reads of one stream in one run.

    A page becomes a batch in five steps: it is fetched and given the form of the stream
    (`transform_page`); the paginator drops rows that came before; rows outside the
    windows of the run are dropped; the others are made to fit the schema; and they are
    encoded, unless the SDK is to map, flatten or cut them.

    A stream that only its children need is read to list the keys of its rows.
    """

    def __init__(
        self,
        stream: EndpointStream,
        own_keys: ParentKeys | None,
        parent_keys: ParentKeysByStream,
        *,
        is_written: bool,
    ) -> None:
        """Decide what the run reads, from the state at its beginning.

        Args:
            stream: The stream.
            own_keys: Where its rows are listed for its children, if it has any.
            parent_keys: The rows of its parent streams.
            is_written: Whether its records are written.
        """
        self.name = stream.name
        self.is_rate_limited = stream.is_rate_limited
        self.is_parent = own_keys is not None
        self._stream = stream
        self._own_keys = own_keys
        self._parent_keys = parent_keys
        self._scope = self._get_scope() if is_written else None
        self._writes_raw = is_written and stream.can_write_raw
        scope = self._scope
        self._is_narrowed = scope is not None and (
            scope.window != scope.set_window or self._is_by_update
        )

    def _get_scope(self) -> SyncScope | None:
        """Return what is read of the stream; None if nothing but keys."""
        try:
            scope = self._stream.get_scope()
        except Exception:  # noqa: BLE001 (the stream itself fails with it at its turn)
            return None
        return None if scope.is_empty else scope

    def generate_partitions(self) -> Generator[Partition, None, None]:
        """Yield the partitions, in the order in which they are read.

        Raises:
            SyncError: If the stream cannot be read at all; the text says why.
        """
        stream, keys = self._stream, self._own_keys
        if keys is not None:
            keys.skipped = stream.stats.skipped
        try:
            self._conformer = self._make_conformer()
            if self._scope is not None or keys is not None:
                window = self._scope.window if self._scope else TimeWindow()
                if self._is_narrowed and stream.datetime_filter is not None:
                    self._note_unlisted()
                if stream.stats.load is not None:
                    stream.stats.load.writes_all = self._writes_all
                partitions = stream.generate_partitions(window, self._parent_keys)
                for index, partition in enumerate(partitions):
                    if keys is not None:
                        keys.begin_partition(index)
                    yield self._prepare(partition, index)
                self._note_skipped_parents()
        except Exception as error:
            if keys is not None:
                keys.fail(error)
            raise
        if keys is not None:
            keys.end()

    def _prepare(self, partition: Partition, index: int) -> Partition:
        params = partition.params
        if self._is_by_update:
            params = {**params, **dict(self._stream.newest_update_first)}
        return replace(partition, params=params, index=index)

    @property
    def _writes_all(self) -> bool:
        """Whether every row of the list becomes a row of the table."""
        return (
            self._writes_raw
            and self._scope is not None
            and self._scope.window.is_unbounded
            and self._scope.updated_window.is_unbounded
            and tuple(self._stream.primary_keys) == tuple(self._stream.table_keys)
        )

    @cached_property
    def _is_by_update(self) -> bool:
        """Whether the list is requested in the order of the replication key."""
        has_bookmark = self._scope is not None and self._scope.updated_window.since
        return bool(has_bookmark and self._stream.newest_update_first)

    def _note_skipped_parents(self) -> None:
        """Note which parent streams were left out in part, now that they are listed."""
        for parent in self._stream.parent_streams():
            keys = self._parent_keys.get(parent)
            if keys is not None and keys.skipped:
                self._stream.stats.skip(f"what {keys.name} leave out")

    def read_partition(
        self, partition: Partition, fetch: Fetch
    ) -> Iterator[RecordBatch]:
        """Yield the records of a partition, ready to be written.

        Raises:
            SyncError: If it cannot be read to its end; the text says why.
        """
        try:
            yield from self._read(partition, fetch)
        except Exception as error:
            if self._own_keys is not None:
                self._own_keys.fail(error)
            raise
        if self._own_keys is not None:
            self._own_keys.end()

    def _read(self, partition: Partition, fetch: Fetch) -> Iterator[RecordBatch]:
        fetch_page = partial(self._fetch_page, partition, fetch)
        paginator = self._stream.make_paginator(partition, fetch_page)
        parts: list[Partition] = []
        try:
            while batch := self._read_batch(paginator, partition):
                window = partition.window
                if self._is_by_update and self._scope is not None:
                    window = self._scope.updated_window
                is_over = batch.failure or paginator.is_past(window)
                if is_over and self._is_narrowed:
                    self._note_unlisted()
                pending = [batch] if self._scope is not None else []
                del batch  # or it would stay in memory while the next page is read
                while pending:
                    yield pending.pop()
                if is_over and not self.is_parent:
                    return
        except SPLITTABLE as error:
            # A 404 after the first page is an error, not a deleted parent.
            if paginator.has_begun:
                raise
            parts = self._stream.split(partition, error)
        finally:
            paginator.close()
        for part in parts:
            yield from self._read(replace(part, index=partition.index), fetch)

    def _fetch_page(
        self, partition: Partition, fetch: Fetch, cursor: str | None
    ) -> KeyedPage:
        page = fetch(self._stream.request(partition, cursor))
        self._warn_repaired(page)
        page = self._stream.transform_page(page, partition, cursor)
        if workspace := self._stream.config.get(WORKSPACE):
            named = {WORKSPACE: workspace}
            page = replace(page, rows=[{**named, **row, **named} for row in page.rows])
        by = self._stream.created_field
        if self._is_by_update:
            by = self._stream.bookmark_key
        timestamps = self._conformer.timestamps(page.rows, by)
        return KeyedPage(
            page.rows,
            self._keys(page.rows),
            timestamps,
            page.cursor,
            page.size,
            page.content_hash,
            page.meta,
        )

    def _keys(self, rows: list[Record]) -> list[Key]:
        fields = self._stream.key_fields
        return [tuple([str(row.get(key)) for key in fields]) for row in rows]

    def _select_created(self, page: KeyedPage, partition: Partition) -> KeyedPage:
        """Return the rows of a page that were created when the run wants them.

        The rows that other runs have read are counted, too.
        """
        window, created = partition.window, page.timestamps
        load = self._stream.stats.load
        is_filtered = self._stream.datetime_filter is not None
        listed = window if is_filtered or not self._scope else self._scope.set_window
        if self._is_by_update and not (window.is_unbounded and listed.is_unbounded):
            field = self._stream.created_field
            created = self._conformer.timestamps(page.rows, field)
        if load is not None and self._scope is not None:
            keys: Iterable[Key] = page.keys
            if not listed.is_unbounded:
                keys = compress(keys, [timestamp in listed for timestamp in created])
            load.listed.add(map(hash, keys))
        if window.is_unbounded:
            return page
        return page.select([timestamp in window for timestamp in created])

    def _note_unlisted(self) -> None:
        """Note that the run does not see all rows that Instantly has."""
        if self._stream.stats.load is not None:
            self._stream.stats.load.is_whole = False

    def _read_batch(
        self, paginator: Paginator, partition: Partition
    ) -> RecordBatch | None:
        """Return the records of the next page, or None at the end of the list."""
        unreachable = paginator.unreachable
        page = paginator.read_page()
        if paginator.unreachable not in {None, unreachable}:
            self._warn_unreachable(paginator.unreachable)
        if page is None:
            return None
        if self._own_keys is not None:
            self._own_keys.add(page.rows, partition.index)
        if not BLANK.isdisjoint(chain.from_iterable(page.keys)):
            self._conformer.name_blank_keys(page.rows, optional=self._stream.blank_keys)
            page = page._replace(keys=self._keys(page.rows))
        page = self._select_created(page, partition)
        records: list[Record] = []
        latest: tuple[str, datetime] | None = None
        failure: Exception | None = None
        try:
            for record, updated in self._conform(page):
                records.append(record)
                if updated is not None and (latest is None or updated > latest[1]):
                    latest = self._bookmark_value(record, updated), updated
        except SchemaMismatchError as error:
            failure = error  # the records before it are written
        stream = self._stream
        fields = stream.key_fields if stream.has_overlaps else ()
        keys = [tuple([record.get(name) for name in fields]) for record in records]
        load = stream.stats.load
        is_counted = load is not None and not load.writes_all
        hashes = hash_keys(records, stream.primary_keys) if is_counted else ()
        lines = self._stream.encode_records(records) if self._writes_raw else b""
        return RecordBatch(
            records=[] if lines else records,
            lines=lines,
            count=len(records),
            latest=latest,
            is_checkpointable=paginator.is_oldest_first,
            size=len(lines) or page.size,
            has_more=page.cursor is not None,
            failure=failure,
            keys=tuple(keys) if fields else (),
            key_hashes=hashes,
        )

    def _conform(self, page: KeyedPage) -> Iterator[tuple[Record, datetime | None]]:
        """Yield the records that belong to the run, and when they were updated last.

        Raises:
            SchemaMismatchError: If a key or a timestamp that the run depends on cannot
                be read.
        """
        if self._scope is None:
            return
        window, conformer = self._scope.updated_window, self._conformer
        field = self._stream.bookmark_key
        is_by_field = self._is_by_update or field == self._stream.created_field
        if conformer.fits(page.rows):
            updated = page.timestamps
            if not is_by_field:
                updated = conformer.timestamps(page.rows, field)
            rows = page.rows
            if not window.is_unbounded:
                is_updated = [timestamp in window for timestamp in updated]
                rows = [*compress(rows, is_updated)]
                updated = [*compress(updated, is_updated)]
            yield from zip(conformer.move_unknown(rows), updated, strict=True)
            return
        for row, sorted_by in zip(page.rows, page.timestamps, strict=True):
            (timestamp,) = (
                [sorted_by] if is_by_field else conformer.timestamps([row], field)
            )
            if timestamp in window:
                yield conformer.conform(row), timestamp

    def _bookmark_value(self, record: Record, updated: datetime) -> str:
        """Return the replication key as it came; a catalog may lack it."""
        value: str | None = record.get(self._stream.bookmark_key or "")
        return value or updated.isoformat()

    def _make_conformer(self) -> RecordConformer:
        # A catalog may cut short a stream that is only listed for its children.
        stream = self._stream
        schema = stream.effective_schema if stream.selected else stream.schema
        strict = [stream.bookmark_key]
        if self._scope is not None and not self._scope.window.is_unbounded:
            strict.append(stream.created_field)
        return RecordConformer(
            schema,
            stream.key_fields,
            partial(stream.logger.warning, "%s: %s", self.name),
            strict=filter(None, strict),
            deselected=stream.deselected_paths if stream.selected else (),
        )

    def _warn_repaired(self, page: Page) -> None:
        for field in page.repaired:
            self._conformer.warn_once(
                (field, "surrogates"),
                f"the field `{truncate(field)[1:-1]}` holds half a character, which is "
                "written as U+FFFD",
            )

    def _warn_unreachable(self, timestamp: datetime | None) -> None:
        self._note_unlisted()
        self._stream.logger.warning(
            "%s: rows may be missing at %s: more of them share that timestamp than "
            "Instantly's cursor can reach",
            self.name,
            timestamp and timestamp.isoformat(timespec="milliseconds"),
        )
