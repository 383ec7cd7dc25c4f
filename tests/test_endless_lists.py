"""Lists that go round in a circle end in words; repetitions alone are no circle."""

from __future__ import annotations

import itertools
import json
import random
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from tap_instantly.incremental import TimeWindow
from tap_instantly.reading.keyed_page import CursorLoopError, KeyedPage
from tap_instantly.reading.paginators import CursorPaginator, OffsetPaginator
from tap_instantly.sandbox import Sandbox
from tests.conftest import catalog_of, ids, read, requests_to, sync, tap_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_instantly.reading.keyed_page import Key
    from tap_instantly.reading.paginators import Paginator
    from tap_instantly.sandbox.store.switches import Cursor, Order
    from tests.conftest import Json

HISTORY = "supersearch_enrichment_history"
NEWEST = datetime(2026, 11, 1, tzinfo=timezone.utc)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox with one lead list and nothing else."""
    with Sandbox(labels=0, lists=1, campaigns=0, strict=True) as sandbox:
        yield sandbox


def history_path(sandbox: Sandbox) -> str:
    """Return the end of the path of the only list's history."""
    [resource] = sandbox.lists.rows
    return f"/history/{resource['id']}"


def respond(sandbox: Sandbox, pages: Iterable[object], path: str) -> None:
    """Let an endpoint respond with these pages, one after the other."""
    for page in pages:
        sandbox.fail(path, 200, times=1, body=json.dumps(page).encode())


@pytest.mark.parametrize("rows", [1, 2, 99, 100])
def test_server_that_ignores_the_offset(
    sandbox: Sandbox, rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The same page a hundred times in a row is an error, however long it is."""
    path = history_path(sandbox)
    sandbox.fail(path, 200, body=json.dumps([{"s": "x"}] * rows).encode())
    output = read(sandbox, HISTORY)
    assert len(requests_to(sandbox, path)) == 100
    assert "nothing new comes after" in caplog.text
    assert output.tap is not None
    assert output.tap.stats[HISTORY].failure


@pytest.mark.parametrize(
    "sizes", [[100, 100], [100] * 3 + [1], [1] * 98, [7, 7, 7, 7, 100, 100, 3]]
)
def test_equal_entries(sandbox: Sandbox, sizes: list[int]) -> None:
    """Equal entries are right, also where they make pages that look the same."""
    path = history_path(sandbox)
    respond(sandbox, [[{"s": "x"}] * size for size in [*sizes, 0]], path)
    output = read(sandbox, HISTORY)
    positions = [record["position"] for record in output.records(HISTORY)]
    assert positions == list(range(sum(sizes)))
    assert output.tap is not None
    assert not output.tap.stats[HISTORY].failure


def test_a_tap_that_reads_twice(sandbox: Sandbox) -> None:
    """What a paginator remembers is of one run."""
    path = history_path(sandbox)
    body = json.dumps([{"s": "x"}] * 100).encode()
    catalog = catalog_of(HISTORY, "lead_lists")
    tap = tap_of(sandbox, catalog=catalog)
    for _ in range(3):
        sandbox.fail(path, 200, times=2, body=body)
        tap.sync_all()
        assert not any(stats.failure for stats in tap.stats.values())
        assert tap.stats[HISTORY].rows >= 200
        sandbox.heal()


def page_of(
    numbers: Iterable[int],
    cursor: str | None,
    created: Callable[[int], datetime | None] = lambda _: None,
) -> KeyedPage:
    """Return a page of rows with these numbers as keys."""
    rows: list[Json] = [{"id": number} for number in numbers]
    keys: list[Key] = [(row["id"],) for row in rows]
    timestamps = [created(row["id"]) for row in rows]
    return KeyedPage(rows, keys, timestamps, cursor, 1, hash(str(rows)))


def read_all(paginator: Paginator, most: int = 3_000) -> list[int]:
    """Return the keys of all rows; too many pages fail the test."""
    found: list[int] = []
    for _ in range(most):
        page = paginator.read_page()
        if page is None:
            return found
        found += [row["id"] for row in page.rows]
    pytest.fail("the list has no end")


def repeating(pages: Iterable[KeyedPage]) -> CursorPaginator:
    """Return a paginator of a list that has these pages, whatever it asks for."""
    following = iter(pages)
    return CursorPaginator(lambda _: next(following))


def fresh_cursors() -> Iterator[str]:
    """Yield cursors that are never the same."""
    return (f"c{number}" for number in itertools.count())


@pytest.mark.parametrize("rows", [1, 5, 100])
@pytest.mark.parametrize("pages", [1, 2, 3, 7])
def test_cursors_that_never_end(rows: int, pages: int) -> None:
    """Known pages are an error, although each has a new cursor."""
    cycle = itertools.cycle(range(pages))
    paginator = repeating(
        page_of(range(number * rows, (number + 1) * rows), cursor)
        for number, cursor in zip(cycle, fresh_cursors(), strict=False)
    )
    with pytest.raises(CursorLoopError):
        read_all(paginator, 120)


@pytest.mark.parametrize("shift", [1, 7, 50])
def test_a_circle_that_cuts_its_pages_anew(shift: int) -> None:
    """A list whose end leads back to its beginning is an error."""
    size = 1_000 + shift

    def pages() -> Iterator[KeyedPage]:
        for number, cursor in enumerate(fresh_cursors()):
            first = number * 100
            yield page_of([n % size for n in range(first, first + 100)], cursor)

    with pytest.raises(CursorLoopError):
        read_all(repeating(pages()), 200)


def test_random_pages_of_the_same_rows() -> None:
    """A server that shuffles a few rows for ever comes to an end."""
    draw = random.Random(1)  # noqa: S311 (no secret)
    paginator = repeating(
        page_of(draw.sample(range(300), draw.randint(1, 100)), cursor)
        for cursor in fresh_cursors()
    )
    with pytest.raises(CursorLoopError):
        read_all(paginator, 1_000)


def test_two_pages_in_a_circle() -> None:
    """A cursor that has been used and leads to known rows is an error at once."""
    pages = {
        None: page_of(range(100), "a"),
        "a": page_of(range(100, 200), "b"),
        "b": page_of(range(100), "a"),
    }
    with pytest.raises(CursorLoopError):
        read_all(CursorPaginator(lambda cursor: pages[cursor]), 4)


@pytest.mark.parametrize("times", [1, 3, 50])
@pytest.mark.parametrize("is_timed", [False, True])
def test_a_page_that_comes_a_few_times(times: int, *, is_timed: bool) -> None:
    """A few equal pages, each with a cursor of its own, do not end a list."""

    def created(number: int) -> datetime | None:
        return NEWEST - timedelta(minutes=number) if is_timed else None

    cursors = fresh_cursors()
    pages = [page_of(range(100), next(cursors), created) for _ in range(1 + times)]
    pages.append(page_of(range(100, 130), next(cursors), created))
    pages.append(page_of([], None))
    assert sorted(read_all(repeating(pages))) == list(range(130))


def test_known_rows_at_the_end() -> None:
    """A list that ends with what it had before has ended."""
    pages = [page_of(range(100), "a"), page_of(range(50), None)]
    assert read_all(repeating(pages)) == list(range(100))


def test_offsets_in_a_circle() -> None:
    """Pages that come in turn for ever are an error, too."""
    pages = itertools.cycle([page_of(range(100), None), page_of(range(3), None)])
    with pytest.raises(CursorLoopError):
        read_all(OffsetPaginator(lambda _: next(pages)), 120)


def test_a_short_first_page_proves_nothing() -> None:
    """After a first page of fewer than a hundred rows, the list is read on."""
    bookmark = TimeWindow(NEWEST)
    for size, is_proof in ((99, False), (100, True)):
        paginator = repeating(
            [page_of(range(1, size + 1), "x", lambda n: NEWEST - timedelta(hours=n))]
        )
        paginator.read_page()
        assert paginator.is_past(bookmark) is is_proof


def test_ties_prove_nothing() -> None:
    """A few older rows at the end of a full page are no order yet."""
    late = [NEWEST] * 95 + [NEWEST - timedelta(hours=n) for n in range(1, 6)]
    paginator = repeating([page_of(range(100), "x", late.__getitem__)])
    paginator.read_page()
    assert not paginator.is_past(TimeWindow(NEWEST))


@pytest.mark.parametrize("seed", range(12))
def test_short_lists_in_no_order(seed: int) -> None:
    """A list in no order loses no new row, whatever its first rows look like."""
    with Sandbox(seed=seed, labels=3 + seed % 9, lists=0, strict=True) as sandbox:
        sandbox.order, sandbox.cursor = "mixed", "id"
        sandbox.short_pages = seed
        state = sync(sandbox).state
        new = sandbox.labels.add_many(3)
        output = read(sandbox, "lead_labels", state)
        assert ids(new) <= set(output.ids("lead_labels"))


@pytest.mark.parametrize(
    ("order", "cursor", "labels", "requests"),
    [
        ("newest", "timestamp", 12, 3),
        ("newest", "id", 12, 2),
        ("newest", "timestamp", 100, 1),
        ("newest", "id", 250, 1),
    ],
)
def test_requests_of_an_idle_run(
    order: Order, cursor: Cursor, labels: int, requests: int
) -> None:
    """A run with nothing new takes one request where a full page proves the order."""
    with Sandbox(labels=labels, lists=0, strict=True) as sandbox:
        sandbox.order, sandbox.cursor = order, cursor
        state = sync(sandbox).state
        sandbox.requests.clear()
        read(sandbox, "lead_labels", state)
        assert len(requests_to(sandbox, "/lead-labels")) == requests
