"""SortOrderObserver: in which order a list comes, which the API does not promise."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

if t.TYPE_CHECKING:
    from collections.abc import Iterable

MAX_OUT_OF_ORDER = timedelta(minutes=1)
"""How much older than an earlier row a row of an oldest-first list may be.

Received e-mails trail the order of their ids by up to half a minute.
"""

MIN_DESCENTS = 12
"""Descents, without any ascent, that prove a list newest first.

Of lists in no order at all, one in six billion begins with as many.
"""


class SortOrderObserver:
    """Statistics of the order of a list's timestamps, as far as it has been read.

    For rows created at 12:05, 12:03, 12:04 and 12:04 there is one descent and one
    ascent, and the row of 12:03 lies two minutes before the newest row before it: the
    list is neither newest first nor, by more than `MAX_OUT_OF_ORDER`, oldest first.

    Attributes:
        ascents: How many rows are newer than the row before.
        descents: How many rows are older than the row before.
    """

    def __init__(self) -> None:
        """Begin before the first row."""
        self.ascents = self.descents = 0
        self._last: datetime | None = None
        self._newest: datetime | None = None
        self._max_lag = timedelta()

    def observe(self, timestamps: Iterable[datetime]) -> None:
        """Take in the timestamps of the next rows."""
        last, newest = self._last, self._newest
        for timestamp in timestamps:
            if last is None or newest is None:
                newest = timestamp
            elif timestamp < last:
                self.descents += 1
                self._max_lag = max(self._max_lag, newest - timestamp)
            elif timestamp > last:
                self.ascents += 1
                newest = max(newest, timestamp)
            last = timestamp
        self._last, self._newest = last, newest

    @property
    def has_observed(self) -> bool:
        """Whether any row had a timestamp."""
        return self._last is not None

    @property
    def is_unknown(self) -> bool:
        """Whether the rows so far speak for no order."""
        return not self.ascents and not self.descents

    @property
    def is_mostly_ascending(self) -> bool:
        """Whether there are more ascents than descents."""
        return self.ascents > self.descents

    @property
    def is_oldest_first(self) -> bool:
        """Whether the rows so far suggest that no much older row is to follow."""
        return self.is_mostly_ascending and self._max_lag <= MAX_OUT_OF_ORDER

    @property
    def is_mostly_sorted(self) -> bool:
        """Whether the rows, but for a few, are sorted by time."""
        few, many = sorted((self.ascents, self.descents))
        return few * 4 <= many

    @property
    def is_newest_first(self) -> bool:
        """Whether the rows so far, if many, prove that all rows to come are older."""
        return self.descents >= MIN_DESCENTS and not self.ascents
