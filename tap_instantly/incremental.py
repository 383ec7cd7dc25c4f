"""Which rows belong to this run: bookmark, start_date, end_date, early stop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from dateutil.parser import isoparse

from tap_instantly.errors import BookmarkError


def instant(text: str) -> datetime:
    """Read an ISO 8601 date or date-time.

    Args:
        text: The date or date-time, with any precision; without a zone it is UTC.

    Returns:
        The instant, with its zone.

    Raises:
        ValueError: If the text is no such date.
    """
    try:
        # Sixty times as fast as dateutil; the SDK teaches Python 3.10 the full format.
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = isoparse(text)
        except OverflowError as error:  # the midnight after the last day
            raise ValueError(text) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Window:
    """The stretch of time that a run reads.

    Attributes:
        since: The first instant in it, or None if it has no beginning.
        until: The first instant after it, or None if it has no end.
    """

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, moment: datetime | None) -> bool:
        """Tell whether a row of this instant is read; one without an instant is."""
        if moment is None:
            return True
        return (self.since is None or moment >= self.since) and (
            self.until is None or moment < self.until
        )

    def begins_after(self, moment: datetime | None) -> bool:
        """Tell whether nothing as old as this instant is read."""
        return moment is not None and self.since is not None and moment < self.since


@dataclass
class Bookmark:
    """The newest instant of which all rows are known to have been read.

    Bookmarks are compared as instants, and kept as Instantly wrote them.

    Attributes:
        text: The bookmark as it stands in the state; None before the first run.
        moment: The instant that it names.
        limit: How far it may move. Rows made after a run has begun may be missed by
            it, so no run moves the bookmark past its own beginning.
    """

    text: str | None = None
    moment: datetime | None = None
    limit: datetime | None = None

    @classmethod
    def read(cls, value: object, limit: datetime) -> Bookmark:
        """Read a bookmark from the state.

        Args:
            value: What the state holds; None before the first run.
            limit: The instant at which the run has begun.

        Raises:
            BookmarkError: If it is no date.
        """
        if value is None:
            return cls(limit=limit)
        try:
            return cls(str(value), instant(str(value)), limit)
        except ValueError as error:
            raise BookmarkError(value) from error

    @property
    def is_ahead(self) -> bool:
        """Whether it lies in the future, where no run has left it, and cannot hold."""
        return bool(self.moment and self.limit and self.moment > self.limit)

    def advance(self, text: str, moment: datetime) -> None:
        """Move on to an instant, unless the bookmark is as far already."""
        if self.limit is not None and moment > self.limit:
            text, moment = self.limit.isoformat(), self.limit
        if self.moment is None or moment > self.moment:
            self.text, self.moment = text, moment

    def window(
        self, start: datetime | None, end: datetime | None, lookback: timedelta
    ) -> Window | None:
        """Return what a run that starts here reads, or None if that is nothing.

        Args:
            start: Nothing older is read.
            end: Nothing as new is read.
            lookback: How much before the bookmark is read again.
        """
        if self.moment is None:
            return Window(start, end)
        if end is not None and self.moment >= end:
            return None
        try:
            since = self.moment - lookback
        except OverflowError:  # before the first year
            return Window(start, end)
        return Window(since if start is None else max(since, start), end)
