"""Which rows belong to this run: bookmark, start_date, end_date, early stop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dateutil.parser import isoparse

from tap_instantly.errors import BookmarkError

if TYPE_CHECKING:
    from collections.abc import Iterator


DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)


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

    @property
    def is_all(self) -> bool:
        """Whether it has neither beginning nor end."""
        return self.since is None and self.until is None

    @property
    def in_whole_days(self) -> Window:
        """The days (UTC) that it touches."""
        return Window(self.since and midnight(self.since), self.until)

    def begins_after(self, moment: datetime | None) -> bool:
        """Tell whether nothing as old as this instant is read."""
        return moment is not None and self.since is not None and moment < self.since


@dataclass(frozen=True)
class TimeFilter:
    """The parameters by which the server itself selects a stretch of time.

    Whether it counts their edges in is mostly unknown, so a bit more is asked for.

    Attributes:
        since: The parameter with the beginning.
        until: The parameter with the end.
        by_day: Whether they take calendar days (`2026-09-01`), rather than instants.
        longest: How many days may be asked for at once; None for any number.
    """

    since: str
    until: str
    by_day: bool = True
    longest: int | None = None

    def parameters(self, window: Window) -> dict[str, str]:
        """Return what to send so as to be given at least the rows of a window."""
        sent = {}
        if window.since is not None:
            sent[self.since] = self._text(
                window.since - MILLISECOND * (not self.by_day)
            )
        if window.until is not None:
            more = DAY - MICROSECOND if self.by_day else MILLISECOND
            sent[self.until] = self._text(window.until + more)
        return sent

    def _text(self, moment: datetime) -> str:
        moment = moment.astimezone(timezone.utc)
        if self.by_day:
            return moment.date().isoformat()
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def pieces(self, window: Window, now: datetime) -> Iterator[Window]:
        """Yield the stretches, oldest first, in which to ask for a window.

        Args:
            window: What to read; it needs a beginning if the server wants pieces.
            now: The end, unless the window has an earlier one.
        """
        if self.longest is None or window.since is None:
            yield window
            return
        # The server may count in the day at the end.
        length = timedelta(days=self.longest - 1)
        since, until = midnight(window.since), midnight(now) + DAY
        if window.until is not None:
            until = min(until, window.until)
        while since < until:
            yield Window(since, min(since + length, until))
            since += length


def midnight(moment: datetime) -> datetime:
    """Return the beginning of a day (UTC)."""
    return moment.astimezone(timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0
    )


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

    def advance(self, text: str, moment: datetime) -> None:
        """Move on to an instant, unless the bookmark is as far already."""
        if self.limit is not None and moment > self.limit:
            text, moment = self.limit.isoformat(), self.limit
        if self.moment is None or moment > self.moment:
            self.text, self.moment = text, moment

    def before(self, lookback: timedelta) -> datetime | None:
        """Return the instant from which on rows are read; None for all of them."""
        if self.moment is None:
            return None
        try:
            return self.moment - lookback
        except OverflowError:  # before the first year
            return None
