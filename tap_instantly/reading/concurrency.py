"""Concurrent reading: many partitions and streams at a time, merged in one order.

The main thread, where a signal may strike anywhere, touches nothing here but simple
queues and bare locks, which no signal leaves half-used.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import typing as t
from collections import deque
from concurrent.futures import CancelledError
from dataclasses import dataclass

from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_instantly.reading.partition import (
        Fetch,
        FetchFactory,
        Partition,
        Priority,
        RecordBatch,
        Source,
    )

_T = t.TypeVar("_T")

MERGE_WIDTH = 16
"""Partitions of a stream whose batches are taken in turn, one of each.

They are read side by side, however long one of them is. The width does not depend on
`max_concurrency`, because the order of the records follows from it.
"""

MAX_BUFFERED_BYTES = 2 * 2**20
"""Bytes of batches that wait to be written, beyond which no further partition is begun.

Batches of rate-limited streams do not count, because those streams must hold up nobody.
Each partition of such a stream may have as many bytes waiting.
"""


@dataclass(frozen=True)
class Progress:
    """What a reader or the merge reports to the scheduler.

    Attributes:
        ended: How many readers have given back their slot.
        buffered: By how many bytes what waits to be written has grown.
        is_awaited: Whether the merge waits for a partition that may not have begun.
    """

    ended: int = 0
    buffered: int = 0
    is_awaited: bool = False


class PartitionReader(threading.Thread):
    """Reads one partition page by page, one page ahead of the writing.

    A partition of a rate-limited stream is read further ahead, while other streams are
    written.

    Each reader is a thread of its own. A pool would keep a failed process from ending:
    it waits for its threads, and they may wait for minutes before they try again.
    """

    def __init__(self, source: Source, progress: queue.SimpleQueue[Progress]) -> None:
        """Prepare to read.

        Args:
            source: The stream.
            progress: Where the reader reports.
        """
        super().__init__(name=source.name, daemon=True)
        self._source, self._progress = source, progress
        self._batches: queue.SimpleQueue[RecordBatch | Exception | None]
        self._batches = queue.SimpleQueue()
        self._taken_sizes = queue.SimpleQueue[int]()
        self._slots = queue.SimpleQueue[int]()  # what it holds, until it gives it back
        self._slots.put(0 if source.is_rate_limited else 1)
        self._untaken = 0
        self._is_discarded = self._is_cancelled = False

    def start_reading(self, partition: Partition, fetch: Fetch) -> None:
        """Read a partition in this thread."""
        self._partition, self._fetch = partition, fetch
        self.start()

    @override
    def run(self) -> None:
        try:
            for batch in self._source.read_partition(self._partition, self._fetch):
                has_more = batch.has_more
                self._put(batch)
                del batch
                if has_more:
                    self._wait_until_taken()
            self._batches.put(None)
        except Exception as error:  # noqa: BLE001 (it is raised where it is taken)
            self._batches.put(error)
        finally:
            if self._is_discarded:
                self.discard()
            self._free_slot()

    def _put(self, batch: RecordBatch) -> None:
        self._progress.put(Progress(buffered=self._weight(batch)))
        self._untaken += batch.size
        self._batches.put(batch)
        if self._is_discarded:
            self.discard()

    def _wait_until_taken(self) -> None:
        """Wait until few enough of the batches wait to be written."""
        limit = MAX_BUFFERED_BYTES if self._source.is_rate_limited else 0
        while self._untaken > limit and not self._is_discarded:
            self._untaken -= self._taken_sizes.get()

    def take(self) -> RecordBatch | None:
        """Return the next batch, or None at the end of the partition.

        Raises:
            Exception: What went wrong with it.
        """
        batch = _get(self._batches)
        if batch is not None:
            self._release(batch)
        return batch

    def _release(self, batch: RecordBatch) -> None:
        self._progress.put(Progress(buffered=-self._weight(batch)))
        self._taken_sizes.put(batch.size)

    def _weight(self, batch: RecordBatch) -> int:
        return 0 if self._source.is_rate_limited else batch.size

    def _free_slot(self) -> None:
        for slot in _drain(self._slots):
            self._progress.put(Progress(ended=slot))

    def discard(self) -> None:
        """Drop the batches, now and from now on, but let the partition be read.

        The slot is free for another reader at once.
        """
        self._is_discarded = True
        self._free_slot()
        for batch in _drain(self._batches):
            if batch is not None and not isinstance(batch, Exception):
                self._release(batch)

    def cancel(self) -> None:
        """Let nothing further be read."""
        self._is_cancelled = True
        self.discard()

    def raise_if_cancelled(self) -> None:
        """End the reading if nobody waits for it any more.

        Raises:
            CancelledError: If that is so.
        """
        if self._is_cancelled:
            raise CancelledError


class PartitionScheduler:
    """Reads the partitions of all streams of a run, as many at a time as allowed."""

    def __init__(
        self, sources: Sequence[Source], make_fetch: FetchFactory, concurrency: int
    ) -> None:
        """Prepare to read.

        Args:
            sources: The streams, in the order in which they are written.
            make_fetch: Makes what fetches the pages of a partition.
            concurrency: How many partitions are read besides those that are merged.
        """
        # Rate-limited streams begin first, and delay nobody.
        self._sources = sorted(sources, key=lambda source: not source.is_rate_limited)
        self._make_fetch = make_fetch
        self._slots = MERGE_WIDTH + concurrency
        self._reading = self._buffered = 0
        self._progress = queue.SimpleQueue[Progress]()
        self._discarded = set[str]()
        self._is_cancelled = False
        self._started = {
            source.name: queue.SimpleQueue[PartitionReader | Exception | None]()
            for source in sources
        }
        self._readers: list[PartitionReader] = []
        self._thread = threading.Thread(
            target=self._run, name="partition-scheduler", daemon=True
        )

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _run(self) -> None:
        for index, source in enumerate(self._sources):
            started = self._started[source.name]
            try:
                with contextlib.closing(source.generate_partitions()) as generated:
                    partitions = enumerate(generated)
                    while self._wait_for_slot(source) and (
                        item := next(partitions, None)
                    ):
                        number, partition = item
                        started.put(self._start(source, partition, (index, number)))
            except Exception as error:  # noqa: BLE001 (it is raised in `batches`)
                started.put(error)
            started.put(None)
            if source.name in self._discarded:
                self._discard(source)

    def _start(
        self, source: Source, partition: Partition, priority: Priority
    ) -> PartitionReader:
        reader = PartitionReader(source, self._progress)
        fetch = self._make_fetch(source, priority, reader.raise_if_cancelled)
        reader.start_reading(partition, fetch)
        self._reading += 0 if source.is_rate_limited else 1
        self._readers = [other for other in self._readers if other.is_alive()]
        self._readers.append(reader)
        return reader

    def _wait_for_slot(self, source: Source) -> bool:
        """Wait until a partition may be begun, and return whether it is still wanted.

        If the merge waits for a partition, it may begin even if many bytes wait to be
        written.
        """
        is_awaited = False
        while self._reading >= self._slots or (
            self._buffered >= MAX_BUFFERED_BYTES and not is_awaited
        ):
            is_awaited |= self._note(self._progress.get())
        for progress in _drain(self._progress):
            self._note(progress)
        return not self._is_unwanted(source)

    def _note(self, progress: Progress) -> bool:
        self._reading -= progress.ended
        self._buffered += progress.buffered
        return progress.is_awaited

    def _is_unwanted(self, source: Source) -> bool:
        is_discarded = source.name in self._discarded and not source.is_parent
        return self._is_cancelled or is_discarded

    def batches(self, source: Source) -> Iterator[RecordBatch]:
        """Yield the batches of a stream, merged from all its partitions.

        Raises:
            Exception: What went wrong with one of them.
        """
        started = self._started[source.name]
        turns: deque[PartitionReader] = deque()
        is_last = False
        try:
            while turns or not is_last:
                while len(turns) < MERGE_WIDTH and not is_last:
                    self._progress.put(Progress(is_awaited=True))
                    reader = _get(started)
                    is_last = reader is None
                    turns.extend([reader] if reader else [])
                if turns and (batch := turns[0].take()):
                    yield batch
                    del batch
                    turns.rotate(-1)
                elif turns:
                    turns.popleft()
        finally:
            if turns or not is_last:
                self._discarded.add(source.name)
                self._discard(source, turns)

    def cancel(self) -> None:
        """Let nothing further be read."""
        self._is_cancelled = True
        for source in self._sources:
            self._discarded.add(source.name)
            self._discard(source)
        for reader in self._readers:
            reader.cancel()
        self._progress.put(Progress(is_awaited=True))  # wakes the scheduler

    def _discard(self, source: Source, readers: Iterable[PartitionReader] = ()) -> None:
        """Discard the readers of a stream that is written no further."""
        for reader in [*readers, *_drain(self._started[source.name])]:
            if not isinstance(reader, PartitionReader):
                continue
            if self._is_unwanted(source):
                reader.cancel()
            else:
                reader.discard()

    @property
    def buffered_bytes(self) -> int:
        """Bytes of batches that wait to be written, once all threads have ended."""
        for progress in _drain(self._progress):
            self._note(progress)
        return self._buffered

    def join(self, timeout: float | None = None) -> None:
        """Wait for all threads to end, for so many seconds each at most."""
        self._thread.join(timeout)
        for reader in self._readers:
            reader.join(timeout)


def _drain(items: queue.SimpleQueue[_T]) -> Iterator[_T]:
    """Take all that waits in a queue."""
    with contextlib.suppress(queue.Empty):
        while True:
            yield items.get_nowait()


def _get(results: queue.SimpleQueue[_T | Exception]) -> _T:
    """Wait for the next result.

    Raises:
        Exception: The exception that stands in its place.
    """
    result = results.get()
    if not isinstance(result, Exception):
        return result
    try:
        raise result
    finally:
        del result  # or it and this frame would keep each other, and a connection open
