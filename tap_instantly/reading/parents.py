"""ParentKeys: what child streams need of a parent's rows, listed once a run."""

from __future__ import annotations

import itertools
import threading
import typing as t
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Record


class ParentKeys:
    """The rows of a parent stream, each with no more than a few of its fields.

    They are listed while or instead of reading the stream itself, each partition by a
    thread of its own; the child streams wait for all of them.

    Attributes:
        skipped: What was left out of the stream, in words.
    """

    def __init__(self, name: str, fields: t.Iterable[str]) -> None:
        """Begin a run.

        Args:
            name: The name of the stream.
            fields: What is kept of each row.
        """
        self.name = name
        self.skipped: t.Collection[str] = ()
        self._fields = tuple(fields)
        self._rows: dict[int, list[Record]] = {}
        self._open = 1  # partitions that are listed, and one for those yet to begin
        self._lock = threading.Lock()
        self._listing: Future[list[Record]] = Future()

    def begin_partition(self, index: int) -> None:
        """Begin to list a partition.

        Args:
            index: Its place, by which its rows are ordered.
        """
        with self._lock:
            self._rows[index] = []
            self._open += 1

    def add(self, rows: list[Record], index: int) -> None:
        """Keep rows of a page of a partition."""
        fields = self._fields
        self._rows[index] += [{k: row[k] for k in fields if k in row} for row in rows]

    def end(self) -> None:
        """End the listing of a partition, or the list of the partitions."""
        with self._lock:
            self._open -= 1
            is_complete = not self._open
        if is_complete:
            rows = [self._rows[index] for index in sorted(self._rows)]
            with suppress(InvalidStateError):  # it has failed before
                self._listing.set_result(list(itertools.chain(*rows)))

    def fail(self, error: BaseException) -> None:
        """End the listing because of an error."""
        with suppress(InvalidStateError):  # it has ended before
            self._listing.set_exception(error)

    def wait(self) -> list[Record]:
        """Wait for the listing, and return the rows.

        Raises:
            SyncError: If they cannot be listed; the text says why.
        """
        return self._listing.result()
