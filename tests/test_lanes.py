"""A list that is read in lanes by the engine as it is, from a server in memory."""

from __future__ import annotations

import contextlib
import json
import threading
import typing as t

import pytest

from tap_instantly.api.pages import Page, Request
from tap_instantly.reading.concurrency import PartitionScheduler
from tap_instantly.reading.id_range import WIDTH
from tap_instantly.reading.source import StreamSource
from tap_instantly.tap import TapInstantly
from tests.conftest import catalog_of
from tests.id_lists import make_ids
from tests.id_servers import Inclusive, Keyset, Lookup, LookupEmpty, Unordered

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tap_instantly.reading.partition import (
        Fetch,
        Partition,
        Priority,
        RecordBatch,
        Source,
    )
    from tap_instantly.reading.stream import InstantlyStream


def make_source() -> StreamSource:
    """Return what reads the leads of one run."""
    config = {"api_key": "no key"}
    tap = TapInstantly(config=config, catalog=catalog_of("leads"))
    stream = t.cast("InstantlyStream", tap.streams["leads"])
    return StreamSource(stream, None, {}, is_written=True)


@contextlib.contextmanager
def reading(
    server: Keyset, concurrency: int = 16, source: Source | None = None
) -> Iterator[Iterator[RecordBatch]]:
    """Read a server's list, and see at the end that every thread has ended."""
    lock, in_flight = threading.Lock(), threading.Semaphore(concurrency)

    def make_fetch(
        source: Source, priority: Priority, raise_if_cancelled: Callable[[], None]
    ) -> Fetch:
        del source, priority

        def fetch(request: Request) -> Page:
            raise_if_cancelled()
            with in_flight, lock:
                page = server.fetch_page(request.params.get("starting_after"))
            return Page(page.rows, page.cursor, size=1)

        return fetch

    source = make_source() if source is None else source
    before = set(threading.enumerate())
    scheduler = PartitionScheduler([source], make_fetch, concurrency)
    scheduler.start()
    try:
        yield scheduler.batches(source)
    finally:
        scheduler.cancel()
        scheduler.join(60)
        assert set(threading.enumerate()) <= before


def ids_of(batch: RecordBatch) -> list[str]:
    """Return the ids of a batch."""
    return [json.loads(line)["record"]["id"] for line in batch.lines.splitlines()]


@pytest.mark.parametrize("server", [Keyset, Inclusive, Lookup, LookupEmpty, Unordered])
def test_order(server: type[Keyset]) -> None:
    """Rows come in one order, however many requests are sent at a time."""
    ids = make_ids("random and imports", 4_000)
    found = []
    for concurrency in (1, 4, 16):
        with reading(server(ids), concurrency) as batches:
            found.append([each for batch in batches for each in ids_of(batch)])
    assert found[0] == found[1] == found[2]
    assert sorted(found[0]) == ids


@pytest.mark.parametrize("number", [1, 6, 30])
def test_failure(number: int) -> None:
    """It reaches whoever reads, and every lane ends."""
    server = Keyset(make_ids("random", 5_000))

    def fail() -> None:
        if len(server.cursors) >= number:
            raise ConnectionError

    server.on_answer = fail
    with reading(server) as batches, pytest.raises(ConnectionError):
        list(batches)


@pytest.mark.parametrize("number", [1, 2, 20])
def test_reading_ends_early(number: int) -> None:
    """Every lane ends if no more batches are wanted."""
    with reading(Keyset(make_ids("random", 5_000))) as batches:
        for _ in range(number):
            next(batches)
        t.cast("t.Any", batches).close()


@pytest.mark.parametrize("number", [1, 5, WIDTH - 1])
def test_lanes_that_never_begin(number: int) -> None:
    """They hold up none of those that do."""
    source = make_source()
    generate = source.generate_partitions
    is_stopped = threading.Event()

    def generate_some() -> Generator[Partition, None, None]:
        with contextlib.closing(generate()) as partitions:
            for _ in range(number):
                yield next(partitions)
        is_stopped.set()

    source.generate_partitions = generate_some  # type: ignore[method-assign]
    with reading(Keyset(make_ids("random", 5_000)), source=source):
        assert is_stopped.wait(60)


def test_reading_twice() -> None:
    """What is remembered is of one run."""
    source, ids = make_source(), make_ids("random and imports", 2_000)
    found = []
    for _ in range(2):
        with reading(Keyset(ids), source=source) as batches:
            found.append([each for batch in batches for each in ids_of(batch)])
    assert found[0] == found[1]
    assert sorted(found[0]) == ids
