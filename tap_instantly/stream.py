"""InstantlyStream: from an endpoint's pages to the stream's records."""

from __future__ import annotations

import sys
import threading
import typing as t
from collections import deque
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import compress
from operator import itemgetter

from singer_sdk import SchemaDirectory, StreamSchema
from singer_sdk.exceptions import SingerSDKError

from tap_instantly import schemas
from tap_instantly.ahead import Ahead, Reply, UnwantedError
from tap_instantly.errors import NotFoundError, status
from tap_instantly.incremental import Window
from tap_instantly.pacing import LANES
from tap_instantly.pages import PAGED, Page, Request
from tap_instantly.pagination import PAGE_SIZE, Sheet, Walk
from tap_instantly.records import Fitter, shown
from tap_instantly.replication import BookmarkedStream
from tap_instantly.shapes import Shape
from tap_instantly.writing import Stretch

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from backoff.types import Details
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Record

    from tap_instantly.client import Client
    from tap_instantly.incremental import TimeFilter
    from tap_instantly.pages import Answer
    from tap_instantly.tap import TapInstantly


@dataclass(frozen=True)
class Question:
    """A part of a stream, which is read page by page.

    Attributes:
        window: The stretch of time that it covers.
        parents: The rows of another stream that it is about, as the answers are to
            name them; see `FanOutStream`.
        place: Where it stands among all questions of a run.
    """

    window: Window
    parents: tuple[Record, ...] = ()
    place: tuple[int, int] = (0, 0)


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

    def __init__(self, tap: Tap) -> None:
        """Belong to a tap, whose client the stream uses."""
        super().__init__(tap)
        self._listed: list[Record] | SingerSDKError | None = None
        self._is_listed = threading.Event()
        self._is_listed.set()

    @override
    def read(self) -> Iterator[Stretch]:
        plan = self.plan
        bookmark = plan.bookmark
        self.tally.since = self.tally.until = plan.given
        if plan.given != plan.begin:
            self.stream_state.pop("replication_key_value")
        ahead = self._own_tap.ahead or Ahead([self], self.config["max_concurrency"])
        for stretch in ahead.stretches(self):
            yield stretch
            self.tally.rows += stretch.count
            if stretch.newest is not None:
                bookmark.advance(*stretch.newest)
            if self.is_resumable:
                self._note(bookmark.text if stretch.is_settled else plan.begin)
        if not plan.is_past:
            self._complete(bookmark)
        self._plan = None

    @property
    def _own_tap(self) -> TapInstantly:
        return t.cast("TapInstantly", self._tap)

    @property
    def client(self) -> Client:
        """The API."""
        return self._own_tap.client

    # What is asked

    def asks(self) -> Iterator[Question]:
        """Yield what this run asks, which may be well before the stream's turn."""
        self.client.open()
        self._shape.prepare()
        if not self.plan.is_past:
            for question in self.questions(self.plan.window):
                self._is_listed.clear()
                yield question

    @property
    def is_slow(self) -> bool:
        """Whether Instantly wants to be asked for it slowly."""
        return self.path in LANES

    def questions(self, window: Window) -> Iterator[Question]:
        """Yield what to ask for, so as to be given the rows made in a window."""
        yield Question(window)

    def reply(self, question: Question) -> Iterator[Stretch]:
        """Yield the records that answer a question, ready to be written."""
        try:
            for sheet, is_settled in self._answer(question):
                yield from self._stretches(sheet, is_settled=is_settled)
        finally:
            self._is_listed.set()

    def _answer(self, question: Question) -> Iterator[tuple[Sheet, bool]]:
        """Yield rows as they come, and whether no much older ones are to follow."""
        return self._walk(question)

    def _stretches(self, sheet: Sheet, *, is_settled: bool) -> Iterator[Stretch]:
        """Yield the records of some rows that belong to this run."""
        found: list[tuple[Record, datetime | None]] = []
        try:
            found.extend(self._fit(sheet))
        finally:  # what comes before a misfit is written
            newest = self._newest(found)
            records = [record for record, _ in found]
            count, lines, page = len(found), b"", sheet.page
            if self.is_plain and records:
                lines = self.in_lines(records)
                # They may wait for their turn, in a tenth of the memory of the rows.
                for rows in (found, records, sheet.rows, page.rows):
                    rows.clear()
            size, has_more = len(lines) or page.size, page.cursor is not None
            yield Stretch(records, lines, count, newest, is_settled, size, has_more)

    def _fit(self, sheet: Sheet) -> Iterator[tuple[Record, datetime | None]]:
        """Yield the records of rows that this run is about, and when they changed."""
        changed, is_dated_by_key = self.plan.changed, self._key == self._date_field
        if sheet.page.fits and self._have_keys(sheet.rows):
            moments = sheet.moments
            if not is_dated_by_key:
                moments = self._dates(sheet.rows, self._key)
            if not changed.is_all:
                are_changed = [moment in changed for moment in moments]
                sheet = sheet.only(are_changed)
                moments = [*compress(moments, are_changed)]
            yield from zip(self._fitter.known(sheet.rows), moments, strict=True)
            return
        rows = deque(sheet.rows)
        sheet.rows.clear()  # each is let go when its record is made
        for made in sheet.moments:
            row = rows.popleft()
            moment = made if is_dated_by_key else self._dates([row], self._key)[0]
            if moment in changed:
                yield self._fitter.fit(row), moment

    def _have_keys(self, rows: list[Record]) -> bool:
        return not any(None in [row.get(key) for row in rows] for key in self._keys)

    def _newest(
        self, found: list[tuple[Record, datetime | None]]
    ) -> tuple[str, datetime] | None:
        """Return the latest value of the replication key, and its instant."""
        dated = [(moment, record) for record, moment in found if moment is not None]
        if self._key is None or not dated:
            return None
        moment, record = max(dated, key=itemgetter(0))
        return record.get(self._key) or moment.isoformat(), moment

    def _walk(self, question: Question) -> Iterator[tuple[Sheet, bool]]:
        walk = Walk(
            partial(self._page, question),
            self.identify,
            self.made_at,
            self._warn_unreachable,
        )
        window = question.window
        entries: list[Record] = []
        try:
            for sheet in walk:
                if self._is_parent:
                    entries += map(self._entry, sheet.rows)
                if window.is_all:
                    yield sheet, walk.is_oldest_first
                else:
                    wanted = [moment in window for moment in sheet.moments]
                    yield sheet.only(wanted), walk.is_oldest_first
                if self._is_parent:
                    continue
                if walk.is_newest_first and window.begins_after(sheet.moments[-1]):
                    return
        except SingerSDKError as error:
            if self._is_parent:
                self._listed = error
            raise
        if self._is_parent:
            self._listed = entries

    def _page(self, question: Question, cursor: str | None) -> Page:
        self._see_that_it_is_wanted()
        self.tally.count_request()
        try:
            page = self.client.read(
                self._request(question, cursor), on_retry=self._note_retry
            )
        except NotFoundError:
            if self.is_optional:
                return Page([])
            raise
        page = replace(page, body=b"", fits=self._shape.has(page.body))
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
            question.place,
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
        self._is_listed.wait()
        if self._listed is None:
            deque(self._walk(Question(Window())), maxlen=0)
        if isinstance(self._listed, Exception):
            raise self._listed
        return self._listed or []

    def _entry(self, row: Record) -> Record:
        names = (*self._keys, self._date_field, "type")
        return {name: row[name] for name in names if name in row}

    @cached_property
    def _is_parent(self) -> bool:
        streams = t.cast("Iterable[InstantlyStream]", self._tap.streams.values())
        return any(s.selected and type(self) in s.parent_types for s in streams)

    @property
    def parent_types(self) -> set[type[InstantlyStream]]:
        """The streams whose rows this one asks about."""
        return set()

    def identify(self, rows: list[Record]) -> list[tuple[object, ...]]:
        """Return what tells each row from all others."""
        return [tuple([str(row.get(key)) for key in self._keys]) for row in rows]

    @cached_property
    def _keys(self) -> Sequence[str]:
        """The keys of the entity; a catalog may come without any."""
        return t.cast("Sequence[str]", type(self).primary_keys)

    def made_at(self, rows: list[Record]) -> list[datetime | None]:
        """Return the instants at which rows were made, as far as they have one."""
        return self._dates(rows, self._date_field)

    def _dates(self, rows: list[Record], field: str | None) -> list[datetime | None]:
        return self._fitter.dates(rows, field) if field else [None] * len(rows)

    @cached_property
    def _fitter(self) -> Fitter:
        # A catalog may cut short a stream that is only listed for others.
        schema = self.effective_schema if self.selected else self.schema
        return Fitter(schema, self._keys, self._warn_unknown)

    @cached_property
    def _shape(self) -> Shape:
        return Shape(self._fitter.schema, self.answer, self.never_emitted)

    def _note_retry(self, details: Details) -> None:
        self._see_that_it_is_wanted()
        self.tally.count_retry(details["wait"])
        self.logger.warning(
            "%s: %s; try %d follows in %.1f s",
            self.name,
            status(details["exception"]),
            details["tries"] + 1,
            details["wait"],
        )

    def _see_that_it_is_wanted(self) -> None:
        """Ask nothing, and nothing again, whose outcome nobody waits for."""
        thread = threading.current_thread()
        if isinstance(thread, Reply) and thread.is_unwanted:
            raise UnwantedError

    def _warn_unknown(self, field: str) -> None:
        self._shape.allow(field)
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
