"""Every row once under every server, within the requests that are allowed."""

from __future__ import annotations

import bisect
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_instantly.api.errors import NotFoundError
from tap_instantly.reading.ids import END, id_at, id_before, place_of
from tap_instantly.reading.keyed_page import CursorLoopError, KeyedPage
from tests.id_lists import KINDS, make_ids, seeded
from tests.id_servers import (
    COMPARING,
    LYING,
    OTHERS,
    Inclusive,
    Keyset,
    Lookup,
    LookupEmpty,
    LookupFirst,
    Stale,
    ask,
    plan,
    read,
)

BUDGET_REQUESTS = 100
"""Requests a second that Instantly allows."""


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
    assert sorted(read(server)) == ids


def test_the_first_page_is_refused() -> None:
    """There is no other way to ask for it."""
    planner = plan()
    with pytest.raises(NotFoundError):
        planner.take(NotFoundError("HTTP 404", 404))


def test_ids_that_are_no_uuids() -> None:
    """The list is read page by page."""
    ids = [f"lead-{k:06}" for k in range(1_234)]
    server = Keyset(ids)
    assert sorted(read(server)) == ids
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
