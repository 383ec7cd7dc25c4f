"""The seam between what is read and who reads it when: partitions and batches."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tap_instantly.api.pages import Page, Request

if t.TYPE_CHECKING:
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_instantly.incremental import TimeWindow


@dataclass(frozen=True)
class Partition:
    """A part of a stream that is read page by page.

    Attributes:
        window: When its rows were created.
        parent_keys: The rows of a parent stream that it is about.
        params: The parameters that ask for it.
        path_params: What it puts into the path, ready for a URL.
        fields: What each of its records gets.
        default_fields: What each of its records gets unless Instantly sends it.
        index: Its place among the partitions of its stream.
    """

    window: TimeWindow
    parent_keys: tuple[str, ...] = ()
    params: Mapping[str, t.Any] = field(default_factory=dict)
    path_params: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, t.Any] = field(default_factory=dict)
    default_fields: Mapping[str, t.Any] = field(default_factory=dict)
    index: int = 0


@dataclass(frozen=True)
class RecordBatch:
    """Records of a stream, ready to be written.

    Attributes:
        records: The records; empty if they are encoded.
        lines: The encoded RECORD messages; empty if the SDK is to write the records.
        count: How many records there are.
        latest: The latest value of the replication key, as it came and as timestamp.
        is_checkpointable: Whether no record is to follow that is much older.
        size: About how many bytes the batch takes in memory.
        has_more: Whether the partition is read on after it.
        failure: Why no record can follow; to be raised when the batch is written.
        keys: The keys of the records, for streams whose partitions overlap.
        key_hashes: Their keys in the table as numbers, for the report.
    """

    records: list[Record]
    lines: bytes
    count: int
    latest: tuple[str, datetime] | None
    is_checkpointable: bool
    size: int
    has_more: bool
    failure: Exception | None = None
    keys: tuple[tuple[object, ...], ...] = ()
    key_hashes: Sequence[int] = ()


Fetch = Callable[[Request], Page]
"""Fetches a page; rate limit, retries, cancellation and counting come with it."""

Priority = tuple[int, int]
"""Which of the requests that wait is sent first: the least."""


class Source(t.Protocol):
    """What the scheduler sees of a stream, for one run.

    Attributes:
        name: The name of the stream.
        is_rate_limited: Whether the stream has a rate limit of its own.
        is_parent: Whether other streams wait for its rows, even if it fails.
    """

    name: str
    is_rate_limited: bool
    is_parent: bool

    def generate_partitions(self) -> Generator[Partition, None, None]:
        """Yield the partitions in the order in which they are read.

        It is closed if those that it has not yielded yet are not wanted.
        """

    def read_partition(
        self, partition: Partition, fetch: Fetch
    ) -> Iterator[RecordBatch]:
        """Yield the records of a partition; any thread may ask for it."""


FetchFactory = Callable[[Source, Priority, Callable[[], None]], Fetch]
"""Makes what fetches a partition; the function that it takes raises if cancelled."""
