"""Counting rows by their keys, in memory that does not grow with them."""

from __future__ import annotations

import tempfile
import threading
import typing as t
from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from operator import itemgetter

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Record

MAX_HELD = 2**16
"""Hashes that are held in memory."""

BUCKETS = 2**8
"""Parts of a file of hashes, each of which is small enough to be counted at once."""


def hash_keys(records: Sequence[Record], fields: Sequence[str]) -> list[int]:
    """Return a hash of the key of each record.

    Args:
        records: The records.
        fields: The fields of the key.
    """
    try:
        return [*map(hash, map(itemgetter(*fields), records))]
    except (KeyError, TypeError):  # a catalog may lack a field, or add an object
        return [hash(repr([record.get(key) for key in fields])) for record in records]


class DistinctCount:
    """Counts hashes, and how many of them differ.

    Of a long list they go to a temporary file, in buckets: equal ones lie in the same,
    so that one bucket after the other can be counted.

    Attributes:
        total: How many there are, equal ones included.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.total = 0
        self._held = array("q")
        self._file: t.IO[bytes] | None = None
        self._parts: list[list[tuple[int, int]]] = [[] for _ in range(BUCKETS)]
        self._lock = threading.Lock()

    def add(self, hashes: Iterable[int]) -> None:
        """Count some; any thread may."""
        with self._lock:
            before = len(self._held)
            self._held.extend(hashes)
            self.total += len(self._held) - before
            if len(self._held) >= MAX_HELD:
                self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed when counted)
        buckets = [array("q") for _ in range(BUCKETS)]
        for each in self._held:
            buckets[each % BUCKETS].append(each)
        for bucket, parts in zip(buckets, self._parts, strict=True):
            parts.append((self._file.tell(), len(bucket)))
            bucket.tofile(self._file)
        self._held = array("q")

    def count(self) -> int:
        """Return how many differ; nothing may be added afterwards."""
        with self._lock:
            if self._file is None:
                return len(set(self._held))
            self._write()
            with self._file as file:
                return sum(len(_read(file, parts)) for parts in self._parts)


def _read(file: t.IO[bytes], parts: Iterable[tuple[int, int]]) -> set[int]:
    found: set[int] = set()
    for place, length in parts:
        file.seek(place)
        part = array("q")
        part.frombytes(file.read(length * part.itemsize))
        found.update(part)
    return found


@dataclass
class LoadCount:
    """What a run lists of a stream, and what it writes.

    Attributes:
        listed: The rows that Instantly's list has.
        written: The records, by the name with which they are written.
        is_whole: Whether the list is read to its end.
        writes_all: Whether every row of the list is written, so that it is enough to
            count the keys of the list.
    """

    listed: DistinctCount = field(default_factory=DistinctCount)
    written: defaultdict[str, DistinctCount] = field(
        default_factory=lambda: defaultdict(DistinctCount)
    )
    is_whole: bool = True
    writes_all: bool = False
