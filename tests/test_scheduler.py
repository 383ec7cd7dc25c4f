"""The scheduler alone: sources that are made up, and no tap around it."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field

import pytest

from tap_instantly.api.pages import Page, Request
from tap_instantly.incremental import TimeWindow
from tap_instantly.reading.concurrency import MAX_BUFFERED_BYTES, PartitionScheduler
from tap_instantly.reading.partition import Partition, RecordBatch

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tap_instantly.reading.partition import Fetch, Priority, Source

REQUEST = Request("/endless", "endless:read")


@dataclass
class Endless:
    """A stream whose pages never end."""

    is_parent: bool
    size: int = 1
    partitions: int = 1
    name: str = "endless"
    is_rate_limited: bool = False
    pages: int = 0
    has_read_on: threading.Event = field(default_factory=threading.Event)

    def generate_partitions(self) -> Generator[Partition, None, None]:
        """Yield as many partitions as wanted."""
        yield from [Partition(TimeWindow())] * self.partitions

    def read_partition(
        self, partition: Partition, fetch: Fetch
    ) -> Iterator[RecordBatch]:
        """Yield a batch for each page."""
        del partition
        while True:
            fetch(REQUEST)
            self.pages += 1
            if self.pages > 50:
                self.has_read_on.set()
            yield RecordBatch(
                records=[],
                lines=b"",
                count=0,
                latest=None,
                is_checkpointable=False,
                size=self.size,
                has_more=True,
            )


def make_fetch(
    source: Source, priority: Priority, raise_if_cancelled: Callable[[], None]
) -> Fetch:
    """Return a function that has every page at once."""
    del source, priority

    def fetch(request: Request) -> Page:
        del request
        raise_if_cancelled()
        return Page([])

    return fetch


@pytest.mark.parametrize("is_parent", [False, True])
@pytest.mark.parametrize("partitions", [1, 40])
@pytest.mark.parametrize("size", [1, MAX_BUFFERED_BYTES + 1])
def test_cancel_ends_every_thread(
    *, is_parent: bool, partitions: int, size: int
) -> None:
    """Readers end, whether their batches have been taken or not."""
    source = Endless(is_parent, size, partitions)
    scheduler = PartitionScheduler([source], make_fetch, 1)
    before = set(threading.enumerate())
    scheduler.start()
    batches = scheduler.batches(source)
    next(batches)
    t.cast("t.Any", batches).close()  # as an exception while it is written would
    scheduler.cancel()
    scheduler.join(60)
    assert set(threading.enumerate()) <= before
    assert scheduler.buffered_bytes == 0


def test_a_parent_is_read_on_when_its_writing_fails() -> None:
    """Its children wait for its keys."""
    source = Endless(is_parent=True)
    scheduler = PartitionScheduler([source], make_fetch, 1)
    scheduler.start()
    batches = scheduler.batches(source)
    next(batches)
    t.cast("t.Any", batches).close()
    assert source.has_read_on.wait(60)
    scheduler.cancel()
    scheduler.join(60)
    assert scheduler.buffered_bytes == 0
