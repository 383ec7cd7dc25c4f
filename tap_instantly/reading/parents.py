"""ParentKeys: what child streams need of a parent's rows, listed once a run."""

from __future__ import annotations

import typing as t
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Record


class ParentKeys:
    """The rows of a parent stream, each with no more than a few of its fields.

    One thread lists them, while or instead of reading the stream itself; the child
    streams wait for it.
    """

    def __init__(self, fields: t.Iterable[str]) -> None:
        """Begin a run.

        Args:
            fields: What is kept of each row.
        """
        self._fields = tuple(fields)
        self._rows: list[Record] = []
        self._listing: Future[list[Record]] = Future()

    def add(self, rows: list[Record]) -> None:
        """Keep rows of a page."""
        self._rows += [{k: row[k] for k in self._fields if k in row} for row in rows]

    def finish(self, error: BaseException | None = None) -> None:
        """End the listing, because all rows are there or because of an error."""
        with suppress(InvalidStateError):  # it has ended before
            if error is None:
                self._listing.set_result(self._rows)
            else:
                self._listing.set_exception(error)

    def wait(self) -> list[Record]:
        """Wait for the listing, and return the rows.

        Raises:
            SyncError: If they cannot be listed; the text says why.
        """
        return self._listing.result()
