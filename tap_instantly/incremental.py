"""What a run reads of a stream: timestamps, windows, bookmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dateutil.parser import isoparse
from singer_sdk.exceptions import FatalSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)
BEGINNING = datetime(2021, 1, 1, tzinfo=timezone.utc)
"""No figures are older: it is the year in which Instantly began."""


class BookmarkError(FatalSyncError):
    """A bookmark in the state that is no date."""

    def __init__(self, value: object) -> None:
        """Show the bookmark."""
        super().__init__(
            f"the bookmark {value!r:.60} in the state is no date; "
            "correct the state, or run once without it"
        )


def parse_timestamp(text: str) -> datetime:
    """Parse an ISO 8601 date or date-time.

    Args:
        text: The date or date-time, with any precision; without a zone it is UTC.

    Returns:
        The timestamp, with its zone.

    Raises:
        ValueError: If the text is no such date.
    """
    try:
        # Sixty times as fast as dateutil; the SDK teaches Python 3.10 the full format.
        timestamp = datetime.fromisoformat(text)
    except ValueError:
        try:
            timestamp = isoparse(text)
        except OverflowError as error:  # the midnight after the last day
            raise ValueError(text) from error
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class TimeWindow:
    """An interval of time.

    Attributes:
        since: The first timestamp in it, or None if it has no beginning.
        until: The first timestamp after it, or None if it has no end.
    """

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, timestamp: datetime | None) -> bool:
        """Tell whether a row is in the window; a row without a timestamp always is."""
        if timestamp is None:
            return True
        return (self.since is None or timestamp >= self.since) and (
            self.until is None or timestamp < self.until
        )

    @property
    def is_unbounded(self) -> bool:
        """Whether it has neither beginning nor end."""
        return self.since is None and self.until is None

    @property
    def in_whole_days(self) -> TimeWindow:
        """The window from the beginning of its first day (UTC) on."""
        return TimeWindow(self.since and midnight(self.since), self.until)

    def halves(self, now: datetime) -> list[TimeWindow]:
        """Return its two halves, cut at a midnight; nothing for a day or less.

        Args:
            now: Where a window without an end is taken to end, for the cut.
        """
        since = self.since or BEGINNING
        until = self.until or midnight(now) + DAY
        if until - since <= DAY:
            return []
        middle = midnight(since + (until - since) / 2 + DAY / 2)
        return [TimeWindow(self.since, middle), TimeWindow(middle, self.until)]

    def begins_after(self, timestamp: datetime | None) -> bool:
        """Tell whether a timestamp, and all that is older, lies before the window."""
        return (
            timestamp is not None and self.since is not None and timestamp < self.since
        )


@dataclass(frozen=True)
class DatetimeFilter:
    """The parameters by which the server itself selects an interval of time.

    Whether it includes the edges is mostly unknown, so a bit more is requested.

    Attributes:
        start_param: The parameter with the beginning.
        end_param: The parameter with the end.
        granularity: How precise they are: calendar days (`2026-09-01`) for `DAY`,
            timestamps for `MILLISECOND`.
        step: How many days may be requested at once; None for any number.
    """

    start_param: str
    end_param: str
    granularity: timedelta = DAY
    step: int | None = None

    def params(self, window: TimeWindow) -> dict[str, str]:
        """Return what to send in order to get at least the rows of a window."""
        params = {}
        if window.since is not None:
            margin = timedelta() if self.granularity == DAY else self.granularity
            params[self.start_param] = self._format(window.since - margin)
        if window.until is not None:
            margin = DAY - MICROSECOND if self.granularity == DAY else self.granularity
            params[self.end_param] = self._format(window.until + margin)
        return params

    def _format(self, timestamp: datetime) -> str:
        timestamp = timestamp.astimezone(timezone.utc)
        if self.granularity == DAY:
            return timestamp.date().isoformat()
        return timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def slices(self, window: TimeWindow, now: datetime) -> Iterator[TimeWindow]:
        """Yield the windows, oldest first, in which to read a window.

        Args:
            window: What to read; it needs a beginning if the server limits the days.
            now: The end, unless the window has an earlier one.
        """
        if self.step is None or window.since is None:
            yield window
            return
        # The server may count in the day at the end.
        length = timedelta(days=self.step - 1)
        since, until = midnight(window.since), midnight(now) + DAY
        if window.until is not None:
            until = min(until, window.until)
        while since < until:
            yield TimeWindow(since, min(since + length, until))
            since += length


def midnight(timestamp: datetime) -> datetime:
    """Return the beginning of a day (UTC)."""
    try:
        timestamp = timestamp.astimezone(timezone.utc)
    except OverflowError:  # outside the years that Python knows
        timestamp = timestamp.replace(tzinfo=timezone.utc)
    return timestamp.replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class Bookmark:
    """The newest timestamp up to which all rows are known to have been read.

    Bookmarks are compared as timestamps, and kept as Instantly wrote them.

    Attributes:
        value: The bookmark as it stands in the state; None before the first run.
        timestamp: The same, parsed.
        limit: How far it may move. A run may miss rows that are created after it has
            begun, so no run moves the bookmark past its own beginning.
    """

    value: str | None = None
    timestamp: datetime | None = None
    limit: datetime | None = None

    @classmethod
    def parse(cls, value: object, limit: datetime) -> Bookmark:
        """Parse a bookmark from the state.

        Args:
            value: What the state holds; None before the first run.
            limit: How far the run may move it.

        Raises:
            BookmarkError: If it is no date.
        """
        if value is None:
            return cls(limit=limit)
        try:
            return cls(str(value), parse_timestamp(str(value)), limit)
        except ValueError as error:
            raise BookmarkError(value) from error

    def advanced_to(self, value: str, timestamp: datetime) -> Bookmark:
        """Return the bookmark moved to a timestamp, unless it is as far already."""
        if self.limit is not None and timestamp > self.limit:
            value, timestamp = self.limit.isoformat(), self.limit
        if self.timestamp is None or timestamp > self.timestamp:
            return replace(self, value=value, timestamp=timestamp)
        return self

    def minus(self, lookback: timedelta) -> datetime | None:
        """Return the timestamp from which on rows are read; None for all of them."""
        if self.timestamp is None:
            return None
        try:
            return self.timestamp - lookback
        except OverflowError:  # before the first year
            return None


@dataclass(frozen=True)
class SyncScope:
    """What one run reads of a stream.

    Attributes:
        bookmark: Where the run starts.
        state_value: The bookmark as the state has it.
        window: When the rows were created.
        updated_window: When the rows were updated last.
        set_window: What `start_date` and `end_date` leave of `window`, whatever the
            bookmark is.
        is_empty: Whether `end_date` leaves nothing to read.
    """

    bookmark: Bookmark
    state_value: str | None
    window: TimeWindow
    updated_window: TimeWindow
    set_window: TimeWindow
    is_empty: bool

    @property
    def start_value(self) -> str | None:
        """The bookmark at which the run starts, as text."""
        return self.bookmark.value
