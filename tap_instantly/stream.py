"""InstantlyStream: from an endpoint's pages to the stream's records."""

from __future__ import annotations

import sys
import typing as t
from collections import deque
from dataclasses import dataclass
from functools import cached_property, partial

from singer_sdk import SchemaDirectory, StreamSchema
from singer_sdk.exceptions import SingerSDKError

from tap_instantly import schemas
from tap_instantly.client import Request
from tap_instantly.errors import NotFoundError
from tap_instantly.incremental import Window
from tap_instantly.pages import PAGED, Page
from tap_instantly.pagination import PAGE_SIZE, Walk
from tap_instantly.records import Fitter, shown
from tap_instantly.replication import BookmarkedStream
from tap_instantly.retrying import status

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from backoff.types import Details
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_instantly.client import Client
    from tap_instantly.incremental import TimeFilter
    from tap_instantly.pages import Answer


@dataclass(frozen=True)
class Question:
    """A part of a stream, which is read page by page.

    Attributes:
        window: The stretch of time that it covers.
        parents: The rows of another stream that it is about, as the answers are to
            name them; see `FanOutStream`.
    """

    window: Window
    parents: tuple[Record, ...] = ()


class Stretch(t.NamedTuple):
    """Some rows of a stream.

    Attributes:
        rows: The rows, as they came.
        is_settled: Whether no row is to come that is older than these by much.
    """

    rows: list[Record]
    is_settled: bool


class InstantlyStream(BookmarkedStream):
    """A list of the Instantly API.

    Attributes:
        path: Its endpoint.
        scope: What the key must be allowed, unless it has `all:read`.
        method: GET, or POST where Instantly wants to be asked in a body.
        parameters: What is sent with every request.
        answer: Where the rows are in an answer.
        time_filter: How the server is told that only some time is wanted.
        is_resumable: Whether a run that dies has done its part: the list can be asked
            for oldest first, from an instant on.
        is_optional: Whether a workspace may do without, and is answered 404 then.
        never_emitted: Fields with secrets.
    """

    path: t.ClassVar[str]
    scope: t.ClassVar[str]
    method: t.ClassVar[str] = "GET"
    parameters: t.ClassVar[tuple[tuple[str, str], ...]] = ()
    answer: t.ClassVar[Answer] = PAGED
    time_filter: t.ClassVar[TimeFilter | None] = None
    is_resumable: t.ClassVar[bool] = False
    is_optional: t.ClassVar[bool] = False
    never_emitted: t.ClassVar[tuple[str, ...]] = ()
    schema = StreamSchema(SchemaDirectory(schemas))

    def __init__(self, tap: Tap, client: Client) -> None:
        """Belong to a tap, whose client the stream uses."""
        super().__init__(tap)
        self.client = client
        self._listed: list[Record] | SingerSDKError | None = None

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        bookmark = self._bookmark()
        self.tally.since = self.tally.until = bookmark.text
        if bookmark.moment and bookmark.moment > self._begun:
            self.logger.warning(
                "%s: the bookmark %s lies ahead of this machine's clock and cannot "
                "hold, so everything is read again; check the state and the clock",
                self.name,
                bookmark.text,
            )
            self.stream_state.pop("replication_key_value")
            bookmark = self._bookmark()
        if self._is_past(bookmark):
            return
        window, changed = self._window(bookmark), self._changed(bookmark)
        for rows, is_settled in self._read(window):
            for row in rows:
                moment = self._date(row, self._key)
                if moment in changed:
                    record = self._fitter.fit(row)
                    yield record
                    self.tally.rows += 1
                    if moment is not None and self._key is not None:
                        text = record.get(self._key) or row[self._key]
                        bookmark.advance(text, moment)
            if self.is_resumable:
                self._note(bookmark.text if is_settled else self.tally.since)
        self._complete(bookmark)

    def _read(self, window: Window) -> Iterator[Stretch]:
        for question in self.questions(window):
            yield from self._walk(question)

    def questions(self, window: Window) -> Iterator[Question]:
        """Yield what to ask for, so as to be given the rows made in a window."""
        yield Question(window)

    def _walk(self, question: Question) -> Iterator[Stretch]:
        walk = Walk(
            partial(self._page, question),
            self.identify,
            self.made_at,
            self._warn_unreachable,
        )
        window = question.window
        entries: list[Record] = []
        try:
            for rows in walk:
                wanted = [row for row in rows if self.made_at(row) in window]
                yield Stretch(wanted, walk.is_oldest_first)
                last = self.made_at(rows[-1])
                if walk.is_newest_first and window.begins_after(last):
                    return
                if self._is_parent:
                    entries += map(self._entry, rows)
        except SingerSDKError as error:
            if self._is_parent:
                self._listed = error
            raise
        if self._is_parent:
            self._listed = entries

    def _page(self, question: Question, cursor: str | None) -> Page:
        self.tally.count_request()
        try:
            page = self.client.read(
                self._request(question, cursor), on_retry=self._note_retry
            )
        except NotFoundError:
            if self.is_optional:
                return Page([])
            raise
        return self.unfold(page, question, cursor)

    def unfold(self, page: Page, question: Question, cursor: str | None) -> Page:
        """Return a page with its rows as the stream has them."""
        del question, cursor
        return page

    def _request(self, question: Question, cursor: str | None) -> Request:
        parameters = {**dict(self.parameters), **self.asked(question)}
        if self.time_filter is not None:
            parameters |= self.time_filter.parameters(question.window)
        return Request(
            self.path,
            self.scope,
            self.method,
            self.places(question),
            parameters | self.paging(cursor),
            self.answer,
            self.never_emitted,
        )

    def paging(self, cursor: str | None) -> Record:
        """Return the parameters that ask for a page."""
        if not self.answer.paged:
            return {}
        return {"limit": PAGE_SIZE} | ({"starting_after": cursor} if cursor else {})

    def asked(self, question: Question) -> Record:
        """Return the parameters that belong to a question."""
        del question
        return {}

    def places(self, question: Question) -> dict[str, str]:
        """Return what a question puts into the path."""
        del question
        return {}

    @property
    def roster(self) -> list[Record]:
        """All rows there are now, for the streams that ask about each of them.

        They have no more than their keys, instant and type. They are listed once a run,
        be the stream itself selected or not.

        Raises:
            SyncError: If they cannot be listed; the text says why.
        """
        if self._listed is None:
            deque(self._walk(Question(Window())), maxlen=0)
        if isinstance(self._listed, Exception):
            raise self._listed
        return self._listed or []

    def _entry(self, row: Record) -> Record:
        names = (*self._keys, self.dated_by, "type")
        return {name: row[name] for name in names if name in row}

    @cached_property
    def _is_parent(self) -> bool:
        streams = t.cast("Iterable[InstantlyStream]", self._tap.streams.values())
        return any(s.selected and type(self) in s.parent_types for s in streams)

    @property
    def parent_types(self) -> set[type[InstantlyStream]]:
        """The streams whose rows this one asks about."""
        return set()

    def identify(self, row: Record) -> tuple[object, ...]:
        """Return what tells a row from all others."""
        return tuple(str(row.get(key)) for key in self._keys)

    @cached_property
    def _keys(self) -> Sequence[str]:
        """The keys of the entity; a catalog may come without any."""
        return t.cast("Sequence[str]", type(self).primary_keys)

    def made_at(self, row: Record) -> datetime | None:
        """Return the instant at which a row was made, if it has one."""
        return self._date(row, self.dated_by)

    def _date(self, row: Record, field: str | None) -> datetime | None:
        return None if field is None else self._fitter.date(row, field)

    @cached_property
    def _fitter(self) -> Fitter:
        # A catalog may cut short a stream that is only listed for others.
        schema = self.effective_schema if self.selected else self.schema
        return Fitter(schema, self._keys, self._warn_unknown)

    def _note_retry(self, details: Details) -> None:
        self.tally.count_retry(details["wait"])
        self.logger.warning(
            "%s: %s; try %d follows in %.1f s",
            self.name,
            status(details["exception"]),
            details["tries"] + 1,
            details["wait"],
        )

    def _warn_unknown(self, field: str) -> None:
        self.logger.warning(
            "%s: left out the field `%s`, which the schema does not have",
            self.name,
            shown(field)[1:-1],
        )

    def _warn_unreachable(self, moment: datetime) -> None:
        self.logger.warning(
            "%s: rows may be missing at %s: more of them share that instant than "
            "Instantly's cursor can reach",
            self.name,
            moment.isoformat(timespec="milliseconds"),
        )

    @override
    def log_sync_costs(self) -> None:
        """Close the connections: the SDK calls this when all streams are read."""
        super().log_sync_costs()
        self.client.close()
