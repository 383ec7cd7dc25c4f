"""FanOutStream: one request for every campaign, list, mailbox ..."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from urllib.parse import quote

from tap_instantly.errors import NotFoundError, TooLargeError
from tap_instantly.incremental import DAY, Window, midnight
from tap_instantly.stream import InstantlyStream, Question

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Record

    from tap_instantly.pages import Page
    from tap_instantly.pagination import Sheet

BEGINNING = datetime(2021, 1, 1, tzinfo=timezone.utc)
"""No figures are older: it is the year in which Instantly began."""


@dataclass(frozen=True)
class Parent:
    """A stream whose rows are asked about.

    Attributes:
        stream: The stream.
        key: The field that says which row is asked about.
        types: The types of rows that can be asked about; all if there are none.
        stamps: What is known of all its rows. The records say it, too, where Instantly
            does not.
    """

    stream: type[InstantlyStream]
    key: str = "id"
    types: frozenset[str] = frozenset()
    stamps: Mapping[str, t.Any] = field(default_factory=dict)


class FanOutStream(InstantlyStream):
    """A stream that Instantly gives only for one row of another stream at a time.

    Attributes:
        parents: The streams whose rows are asked about.
        stamp: The field that says on each record which row that was, and its place in
            the path if it has one.
        sent_as: The parameter that says it to Instantly, if the path does not.
        batch: How many rows may be asked about at once. If more than one, Instantly
            itself says on each record which it is about.
        blank_keys: Key fields that Instantly leaves blank where it does not know them.
            They are written as `unknown`, because a key is never null, which is what
            some loaders take "" for.
    """

    parents: t.ClassVar[tuple[Parent, ...]]
    stamp: t.ClassVar[str]
    sent_as: t.ClassVar[str | None] = None
    batch: t.ClassVar[int] = 1
    blank_keys: t.ClassVar[tuple[str, ...]] = ()
    selected_by_default = False

    @property
    @override
    def parent_types(self) -> set[type[InstantlyStream]]:
        return {parent.stream for parent in self.parents}

    # What is asked

    @override
    def questions(self, window: Window) -> Iterator[Question]:
        parents = [row for parent in self.parents for row in self._rows(parent)]
        if window.since is None and self._is_daily and self.time_filter:
            # Without a beginning Instantly would choose one.
            window = replace(window, since=BEGINNING)
        for piece in self._pieces(window):
            for first in range(0, len(parents), self.batch):
                yield Question(piece, tuple(parents[first : first + self.batch]))

    def _rows(self, parent: Parent) -> Iterator[Record]:
        """Yield what the answers are to say of each row of a parent."""
        streams = t.cast("Iterable[InstantlyStream]", self._tap.streams.values())
        stream = next(stream for stream in streams if type(stream) is parent.stream)
        seen = set()
        for row in stream.roster:
            value = str(row.get(parent.key) or "")
            kind = str(row.get("type")).removesuffix(".0")
            is_wanted = not parent.types or kind in parent.types
            # Dots alone would lead to another endpoint.
            if value in seen or not value.strip(".") or not is_wanted:
                continue
            seen.add(value)
            yield {self.stamp: value, **parent.stamps}

    def _pieces(self, window: Window) -> Iterator[Window]:
        if self.time_filter is None:
            return iter([window])
        return self.time_filter.pieces(window, now=self._begun)

    @override
    def asked(self, question: Question) -> Record:
        if self.sent_as is None:
            return {}
        keys = [row[self.stamp] for row in question.parents]
        return {self.sent_as: keys if self.batch > 1 else keys[0]}

    @override
    def places(self, question: Question) -> dict[str, str]:
        if not question.parents:
            return {}
        return {self.stamp: quote(question.parents[0][self.stamp], safe="")}

    # What is answered

    @override
    def _answer(self, question: Question) -> Iterator[tuple[Sheet, bool]]:
        """Yield the rows of a question, which Instantly may want in parts."""
        is_begun = False
        halves: list[Question] = []
        try:
            for part in super()._answer(question):
                is_begun = True
                yield part
        except (NotFoundError, TooLargeError) as error:
            # A list that is there in part is none that is gone, nor is that of all.
            if is_begun or not question.parents:
                raise
            halves = _halves(question, by_time=isinstance(error, TooLargeError))
            if not halves and isinstance(error, TooLargeError):
                raise
            if not halves:
                self.logger.info(
                    "%s: skipped %s %s, for which there is nothing",
                    self.name,
                    self.stamp,
                    question.parents[0][self.stamp],
                )
        for half in halves:
            yield from self._answer(half)

    @override
    def unfold(self, page: Page, question: Question, cursor: str | None) -> Page:
        if self.batch > 1:
            return page
        (parent,) = question.parents
        stamp = {self.stamp: parent[self.stamp]}
        rows = [{**parent, **row, **stamp} for row in page.rows]
        for row in rows:
            blank = [key for key in self.blank_keys if row.get(key) in (None, "")]
            row.update(dict.fromkeys(blank, "unknown"))
        return replace(page, rows=rows)


def _halves(question: Question, *, by_time: bool) -> list[Question]:
    """Return two smaller questions that come to the same, or none if there are none."""
    middle = len(question.parents) // 2
    if middle:
        parts = question.parents[:middle], question.parents[middle:]
        return [replace(question, parents=part) for part in parts]
    since, until = question.window.since, question.window.until
    if not by_time or since is None or until is None or until - since <= DAY:
        return []
    middle_day = _middle(since, until)
    return [
        replace(question, window=Window(since, middle_day)),
        replace(question, window=Window(middle_day, until)),
    ]


def _middle(since: datetime, until: datetime) -> datetime:
    """Return the midnight in the middle of at least two days."""
    return midnight(since + (until - since) / 2 + DAY / 2)
