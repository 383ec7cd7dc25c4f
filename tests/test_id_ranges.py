"""Every row once under every server, within the requests that are allowed."""

from __future__ import annotations

import bisect
import math
import os
import tracemalloc
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_instantly.api.errors import NotFoundError, RefusedError
from tap_instantly.reading import id_range, id_range_planner
from tap_instantly.reading.id_range_planner import IdRangePlanner
from tap_instantly.reading.ids import END, id_at, id_before, place_of
from tap_instantly.reading.keyed_page import CursorLoopError, KeyedPage
from tests.id_servers import (
    COMPARING,
    KINDS,
    LYING,
    NOW,
    OTHERS,
    Inclusive,
    Keyset,
    Lookup,
    LookupEmpty,
    LookupFirst,
    ShortPages,
    Stale,
    make_ids,
    random_id,
    seeded,
    timed_id,
)

if t.TYPE_CHECKING:
    import random

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

NOW_MS = int(NOW.timestamp() * 1000)
BUDGET_REQUESTS = 100
"""Requests a second that Instantly allows."""


def plan(warnings: list[str] | None = None) -> IdRangePlanner:
    """Return a planner whose warnings are collected."""
    return IdRangePlanner("id", NOW_MS, ([] if warnings is None else warnings).append)


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
        assert len(answers) <= id_range.WIDTH
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


def seconds_of(server: Keyset) -> float:
    """Return how long a list takes if an answer takes 0.1 s and 100 a second may."""
    planner = plan()
    now = free = 0.0
    ends: list[float] = []
    while planner.requests:
        for _ in range(len(planner.requests) - len(ends)):
            begin = max(now, free)
            free = begin + 1 / BUDGET_REQUESTS
            ends.append(begin + 0.1)
        now = max(now, ends.pop(0))
        planner.take(ask(server, planner.requests[0].cursor))
    return now


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "number", [0, 1, 99, 100, 101, 400, 500, 501, 600, 1_000, 10_000]
)
def test_requests(kind: str, number: int) -> None:
    """They are n/100 + 1 up to 500 rows, and at most n/100 + 40 beyond."""
    server = Keyset(make_ids(kind, number))
    assert sorted(read(server)) == server.ids
    if number <= 500:
        assert len(server.cursors) == math.ceil(number / 100) + 1
    else:
        assert len(server.cursors) <= number / 100 + 40


@pytest.mark.parametrize("kind", ["random", "imports", "random and imports"])
@pytest.mark.parametrize("number", [0, 1, 100, 101, 500, 650, 3_000])
@pytest.mark.parametrize("server", COMPARING + OTHERS)
def test_servers(server: type[Keyset], number: int, kind: str) -> None:
    """Every row comes once, and made-up cursors cost others a few requests."""
    ids, warnings = make_ids(kind, number), list[str]()
    instance = server(ids)
    assert sorted(read(instance, warnings)) == ids
    if server in OTHERS:
        assert len(instance.cursors) <= number / 100 + 5
    assert not [each for each in warnings if "contradict" in each]


@pytest.mark.parametrize("kind", ["random", "even", "imports", "random and imports"])
@pytest.mark.parametrize("server", LYING)
def test_servers_that_lie(server: type[Keyset], kind: str) -> None:
    """Nothing is lost if a server takes a trial and then no further made-up cursor."""
    ids, warnings = make_ids(kind, 5_000), list[str]()
    found = read(server(ids), warnings)
    assert {*found} == {*ids}
    assert len(found) == len(ids) or warnings


@pytest.mark.parametrize("kind", ["random", "even", "imports", "random and imports"])
def test_contradictions(kind: str) -> None:
    """They are noticed, and nothing is lost."""
    ids, warnings = make_ids(kind, 20_000), list[str]()
    assert {*read(Stale(ids), warnings)} >= {*ids}
    assert len([each for each in warnings if "contradict" in each]) == 1


@pytest.mark.parametrize("server", [Keyset, Inclusive])
@pytest.mark.parametrize("when", range(9, 60, 5))
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_many_rows_are_deleted(server: type[Keyset], when: int, share: float) -> None:
    """As when a campaign goes with all its leads."""
    ids, warnings = make_ids("random", 5_000), list[str]()
    instance = server(ids)

    def delete() -> None:
        if len(instance.cursors) == when:
            instance.delete(ids[int(share * len(ids)) :])

    instance.on_answer = delete
    found = read(instance, warnings)
    assert {*ids} - instance.deleted <= {*found}
    assert len(found) == len({*found})
    assert not warnings


@pytest.mark.parametrize("server", [Lookup, LookupEmpty, LookupFirst])
def test_the_row_of_a_cursor_is_deleted(server: type[Keyset]) -> None:
    """A server that looks cursors up forgets where the row was; the tap does not."""
    ids = make_ids("random", 1_500)
    instance = server(ids)

    def delete_last() -> None:
        if len(instance.cursors) in {9, 12, 16, 17}:
            start = bisect.bisect_right(instance.ids, instance.cursors[-1] or "")
            instance.delete(instance.ids[start : start + 100][-1:])

    instance.on_answer = delete_last
    found = read(instance)
    assert len(found) == len({*found})
    assert {*ids} - instance.deleted <= {*found}
    assert instance.deleted


@pytest.mark.parametrize("server", [Keyset, Inclusive, Lookup])
@pytest.mark.parametrize("kind", ["stays", "begins again", "is one page"])
def test_loops(server: type[Keyset], kind: str) -> None:
    """They end in words."""
    ids = make_ids("random", 1_000)
    instance = server(ids)
    answer = instance.answer

    def loop(cursor: str | None) -> KeyedPage:
        if kind == "stays":
            return answer(min(cursor or "", ids[333]) or None)
        if kind == "begins again":
            return answer(None if cursor and cursor > ids[750] else cursor)
        return answer(None)._replace(cursor=str(len(instance.cursors)))

    instance.answer = loop  # type: ignore[method-assign] # on purpose
    with pytest.raises(CursorLoopError, match="nothing new"):
        read(instance)
    assert len(instance.cursors) < 150


def test_a_few_equal_pages() -> None:
    """They are no loop."""
    ids = make_ids("random", 1_000)
    server = Keyset(ids)
    answer, repeated = server.answer, list[str]()

    def repeat(cursor: str | None) -> KeyedPage:
        if cursor == ids[299] and len(repeated) < 4:
            repeated.append(cursor)
            return answer(ids[199])
        return answer(cursor)

    server.answer = repeat  # type: ignore[method-assign] # on purpose
    assert read(server) == ids


def test_the_first_page_is_refused() -> None:
    """There is no other way to ask for it."""
    planner = plan()
    with pytest.raises(NotFoundError):
        planner.take(NotFoundError("HTTP 404", 404))


def test_ids_that_are_no_uuids() -> None:
    """The list is read page by page."""
    ids = [f"lead-{k:06}" for k in range(1_234)]
    server = Keyset(ids)
    assert read(server) == ids
    assert len(server.cursors) == 14


def test_blank_ids() -> None:
    """A page with blank ids loses no other row."""
    ids = ["", *make_ids("random", 300)]
    assert sorted(read(Keyset(ids))) == ids


def test_the_order_of_answers_changes_nothing() -> None:
    """Rows come in one order, whichever answer comes first."""
    ids = make_ids("random and imports", 8_000)
    first = read(Keyset(ids))
    for seed in range(5):
        assert read(Keyset(ids), rng=seeded(seed)) == first


@pytest.mark.parametrize("kind", ["random", "even", "growing", "random and even"])
def test_time(kind: str) -> None:
    """100,000 rows take at most 1.15 times what the request budget takes."""
    server = Keyset(make_ids(kind, 100_000))
    seconds = seconds_of(server)
    assert seconds <= 1.15 * 100_000 / 100 / BUDGET_REQUESTS
    assert len(server.cursors) <= 1_040


def test_memory() -> None:
    """It does not grow with the list."""
    for number in (10_000, 100_000):
        server = Keyset(make_ids("even", number))
        server.cursors = []
        planner = plan()
        tracemalloc.start()
        while planner.requests:
            planner.take(server.answer(planner.requests[0].cursor))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000


@given(st.integers(1, END - 1), st.sampled_from("47"))
def test_places(place: int, version: str) -> None:
    """A place is where an id lies, among those of its version."""
    given_id = id_at(place, version)
    assert place_of(given_id) == place
    before = id_before(given_id)
    assert before is not None
    assert before < given_id
    assert place_of(before) == place - 1


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["edge", "page", "pages", "random", "new", "new random"]),
        st.integers(0, 10_000),
        st.integers(1, 300),
    ),
    max_size=60,
)


class Changing:
    """Lets rows come and go between any two requests, mostly where ranges meet."""

    def __init__(
        self, server: Keyset, changes: t.Iterable[tuple[str, int, int]], seed: int
    ) -> None:
        """Change nothing yet."""
        self._server, self._changes = server, iter(changes)
        self._rng = seeded(seed)

    def change(self) -> None:
        """Make the next change, or none."""
        change = next(self._changes, None)
        if change is None or self._rng.random() < 0.3:
            return
        kind, place, number = change
        server, rng = self._server, self._rng
        cursors = [each for each in server.cursors if each]
        if kind.startswith("new"):
            make = random_id if kind == "new random" else _recent_id
            new = {make(rng) for _ in range(number // 20 + 1)}
            for each in cursors[-3:]:
                new.add(id_at(place_of(each) + 1 + rng.getrandbits(40), each[14]))
            server.ids = sorted({*server.ids, *new} - server.deleted)
        elif kind == "random":
            server.delete(rng.sample(server.ids, min(number, len(server.ids))))
        else:
            cursor = cursors[place % len(cursors)] if cursors else ""
            start = bisect.bisect_right(server.ids, cursor)
            size = {"edge": 1, "page": 11}.get(kind, 30 + number)
            server.delete(server.ids[start : start + size])


def _recent_id(rng: random.Random) -> str:
    return timed_id(rng, NOW - (NOW - NOW.replace(year=2025)) * rng.random() / 3)


@pytest.mark.parametrize("server", [Keyset, Inclusive, ShortPages])
@settings(deadline=None, max_examples=10_000 if NIGHTLY else 300)
@given(
    number=st.integers(0, 900),
    kind=st.sampled_from(KINDS),
    changes=CHANGES,
    size=st.sampled_from([1, 3, 10]),
    seed=st.integers(0, 99),
)
def test_rows_come_and_go(  # noqa: PLR0913, PLR0917 - each is one property
    server: type[Keyset],
    number: int,
    kind: str,
    changes: list[tuple[str, int, int]],
    size: int,
    seed: int,
) -> None:
    """Every row that stays comes once."""
    ids, warnings = make_ids(kind, number, seed), list[str]()
    size += 2 if server is Inclusive else 0
    instance = server(ids, size)
    instance.on_answer = Changing(instance, changes, seed).change
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_range_planner, "SEQUENTIAL_ROWS", 5 * size)
        patch.setattr(id_range, "MIN_PAGES", 1)
        found = read(instance, warnings, seeded(seed))
    assert {*ids} - instance.deleted <= {*found}
    assert len(found) == len({*found}) or warnings
    if size > 1 and len(changes) < 40:  # else nearly all that is read goes meanwhile
        assert not [each for each in warnings if "contradict" in each]


def test_a_row_that_comes_late() -> None:
    """It arrives if it lies ahead."""
    ids = make_ids("random", 2_000)
    server = Keyset(ids)
    late = [
        "ffffffff-ffff-4fff-bfff-ffffffffffff",
        "00000000-0000-4000-8000-000000000000",
    ]

    def add() -> None:
        if len(server.cursors) == 12:
            server.ids = sorted([*server.ids, *late])

    server.on_answer = add
    assert sorted(read(server)) == sorted([*ids, late[0]])
