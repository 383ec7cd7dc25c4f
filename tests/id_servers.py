"""Servers that page through a list of ids in memory, each in its own way."""

from __future__ import annotations

import bisect
import typing as t

from tap_instantly.api.errors import NotFoundError, RefusedError
from tap_instantly.reading.id_range import WIDTH
from tap_instantly.reading.id_range_planner import IdRangePlanner
from tap_instantly.reading.keyed_page import KeyedPage
from tests.id_lists import NOW, seeded

if t.TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable


def make_page(ids: Iterable[str], cursor: str | None) -> KeyedPage:
    """Return a page of rows with these ids."""
    rows = [{"id": each} for each in ids]
    keys: list[tuple[object, ...]] = [(row["id"],) for row in rows]
    return KeyedPage(rows, keys, [None] * len(rows), cursor, 1, 0)


class Keyset:
    """Compares: answers with the rows after a cursor, whether or not a row has it.

    Attributes:
        ids: The ids that there are.
        cursors: What was asked with.
        deleted: The ids that there were.
        on_answer: Called after each answer.
    """

    def __init__(self, ids: Iterable[str], size: int = 100) -> None:
        """Have rows with these ids.

        Args:
            ids: Their ids.
            size: How many rows a page has.
        """
        self.ids, self.size = sorted(ids), size
        self.deleted: set[str] = set()
        self.cursors: list[str | None] = []
        self.on_answer: Callable[[], object] = lambda: None

    def fetch_page(self, cursor: str | None) -> KeyedPage:
        """Return the page after a cursor, and count it."""
        self.cursors.append(cursor)
        assert len(self.cursors) < 20_000, "the list has no end"
        page = self.answer(cursor)
        self.on_answer()
        return page

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return the page after a cursor."""
        return self.page(bisect.bisect_right(self.ids, cursor) if cursor else 0)

    def page(self, start: int) -> KeyedPage:
        """Return the page that begins with a row."""
        ids = self.ids[start : start + self.size]
        return make_page(ids, ids[-1] if ids else None)

    def delete(self, ids: Iterable[str]) -> None:
        """Let rows be gone."""
        self.deleted |= {*ids}
        self.ids = [each for each in self.ids if each not in self.deleted]

    def is_made_up(self) -> bool:
        """Whether the last cursor is one that no row has, and no trial."""
        return len(self.cursors) > 8 and self.cursors[-1] not in self.ids


class Inclusive(Keyset):
    """Begins with the row that the cursor names."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return the page from a cursor on."""
        return self.page(bisect.bisect_left(self.ids, cursor or ""))


class EarlyEnd(Keyset):
    """Hands out no cursor with the last page that has rows."""

    def page(self, start: int) -> KeyedPage:
        """Return the page that begins with a row."""
        is_last = start + self.size >= len(self.ids)
        page = super().page(start)
        return page._replace(cursor=None) if is_last else page


class ShortPages(Keyset):
    """Has pages of any size."""

    def page(self, start: int) -> KeyedPage:
        """Return the page that begins with a row."""
        self.size = 1 + start * 7919 % 100
        return super().page(start)


class UpperCase(Keyset):
    """Writes ids in capitals, and compares them in small letters."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return the page after a cursor."""
        page = super().answer((cursor or "").lower())
        return make_page([row["id"].upper() for row in page.rows], page.cursor)


class Lookup(Keyset):
    """Looks the row of a cursor up, and answers 404 if there is none."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return the page after a row."""
        if cursor is None:
            return self.page(0)
        if cursor not in {*self.ids}:
            return self.answer_unknown()
        return self.page(self.ids.index(cursor) + 1)

    def answer_unknown(self) -> KeyedPage:
        """Answer a cursor that no row has."""
        message = "HTTP 404"
        raise NotFoundError(message, 404)


class LookupEmpty(Lookup):
    """Has no rows after a row that is not there."""

    def answer_unknown(self) -> KeyedPage:
        """Answer with an empty page."""
        return make_page([], None)


class LookupFirst(Lookup):
    """Begins again after a row that is not there."""

    def answer_unknown(self) -> KeyedPage:
        """Answer with the first page."""
        return self.page(0)


class Unordered(Lookup):
    """Has its rows in no order."""

    def __init__(self, ids: Iterable[str], size: int = 100) -> None:
        """Have rows with these ids."""
        super().__init__(ids, size)
        seeded(1).shuffle(self.ids)


class UnorderedLate(Lookup):
    """Has its newer rows in the order of their ids, and then the older in none."""

    def __init__(self, ids: Iterable[str], size: int = 100) -> None:
        """Have rows with these ids."""
        super().__init__(ids, size)
        self.ids.sort(key=lambda i: (i[14] == "4", i if i[14] == "7" else i[::-1]))


class Opaque(Lookup):
    """Has cursors that are no ids."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return the page after as many rows as the cursor says."""
        if cursor is not None and not cursor.startswith("opaque-"):
            return self.answer_unknown()
        start = int((cursor or "opaque-0").removeprefix("opaque-"))
        page = self.page(start)
        following = f"opaque-{start + len(page.rows)}" if page.rows else None
        return page._replace(cursor=following)


class Skipping(Keyset):
    """Skips rows after a cursor that no row has, but for that of a trial."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return a page after a cursor."""
        start = bisect.bisect_right(self.ids, cursor or "")
        return self.page(start + 37 if cursor and self.is_made_up() else start)


class EmptyProbes(Keyset):
    """Has no rows after a cursor that no row has, but for that of a trial."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return a page after a cursor."""
        is_empty = cursor and self.is_made_up()
        return make_page([], None) if is_empty else super().answer(cursor)


class RefusedProbes(Keyset):
    """Refuses a cursor that no row has, but for that of a trial."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return the page after a cursor."""
        if cursor and self.is_made_up():
            message = "HTTP 404"
            raise NotFoundError(message, 404)
        return super().answer(cursor)


class FarProbes(Keyset):
    """Answers a cursor that no row has with the last rows, but for that of a trial."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return a page after a cursor."""
        is_far = cursor and self.is_made_up()
        return self.page(len(self.ids) - 50) if is_far else super().answer(cursor)


class ReversedProbes(Keyset):
    """Turns the page after a cursor that no row has, but for that of a trial."""

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return the page after a cursor."""
        page = super().answer(cursor)
        is_turned = cursor and self.is_made_up()
        return page._replace(rows=page.rows[::-1]) if is_turned else page


class Stale(Keyset):
    """Answers made-up cursors from an index of leads that are deleted."""

    def __init__(self, ids: Iterable[str], size: int = 100) -> None:
        """Have rows with these ids."""
        super().__init__(ids, size)
        last = {"0": "8"}
        self.old = sorted(each[:-1] + last.get(each[-1], "0") for each in self.ids)

    def answer(self, cursor: str | None) -> KeyedPage:
        """Return a page after a cursor."""
        if not cursor or not self.is_made_up():
            return super().answer(cursor)
        start = bisect.bisect_right(self.old, cursor)
        ids = self.old[start : start + self.size]
        return make_page(ids, ids[-1] if ids else None)


COMPARING: list[type[Keyset]] = [Keyset, Inclusive, EarlyEnd, ShortPages, UpperCase]
OTHERS: list[type[Keyset]] = [
    Lookup,
    LookupEmpty,
    LookupFirst,
    Unordered,
    UnorderedLate,
    Opaque,
]
LYING: list[type[Keyset]] = [
    Skipping,
    EmptyProbes,
    RefusedProbes,
    FarProbes,
    ReversedProbes,
]


def plan(warnings: list[str] | None = None) -> IdRangePlanner:
    """Return a planner whose warnings are collected."""
    now_ms = round(NOW.timestamp() * 1000)
    return IdRangePlanner("id", now_ms, ([] if warnings is None else warnings).append)


def ask(server: Keyset, cursor: str | None) -> KeyedPage | Exception:
    """Return how a server answers a cursor."""
    try:
        return server.fetch_page(cursor)
    except RefusedError as error:
        return error


def read(
    server: Keyset,
    warnings: list[str] | None = None,
    rng: random.Random | None = None,
) -> list[str]:
    """Return the ids of a list as they come.

    Args:
        server: Has the list.
        warnings: Collects what the planner warns of.
        rng: Chooses in which order the requests under way are answered.
    """
    planner = plan(warnings)
    found: list[str] = []
    answers: list[KeyedPage | Exception | None] = []
    while planner.requests:
        answers += [None] * (len(planner.requests) - len(answers))
        assert len(answers) <= WIDTH
        waiting = [k for k, answer in enumerate(answers) if answer is None]
        if rng is not None:
            rng.shuffle(waiting)
        for k in waiting:
            answers[k] = ask(server, planner.requests[k].cursor)
            if answers[0] is not None:
                break
        answer = answers.pop(0)
        assert answer is not None
        found += [str(row["id"]).lower() for row in planner.take(answer).rows]
    return found
