"""Each row arrives once, for every order, cursor and end of a list."""

from __future__ import annotations

import itertools
import json
import typing as t

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.store.switches import (
        Cursor,
        Encoding,
        End,
        Order,
        Timestamps,
    )
Kind = tuple[t.Any, t.Any, t.Any]

SIZES = [0, 1, 99, 100, 101, 200, 1_000, 10_000]
ENDS = ["present", "absent", "null", "empty"]
BY_TIME: list[Kind] = [
    *itertools.product(["newest", "oldest"], ["timestamp"], ["strict", "inclusive"])
]
BY_ID: list[Kind] = [
    *itertools.product(["newest", "oldest", "mixed"], ["id"], ["strict", "inclusive"])
]
"""The kinds of list: its order, its cursor, and how the server compares the cursor."""

EVERY_KIND = pytest.mark.parametrize("kind", BY_TIME + BY_ID, ids="-".join)


@pytest.fixture(scope="module", params=SIZES)
def sized(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Return a sandbox with a number of labels, and no lists."""
    with Sandbox(labels=request.param, lists=0, strict=True) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox without rows; the test adds labels."""
    with Sandbox(labels=0, lists=0, strict=True) as sandbox:
        yield sandbox


def set_kind(sandbox: Sandbox, kind: Kind) -> None:
    """Set the order, the cursor and the comparison of the sandbox's lists."""
    sandbox.order, sandbox.cursor, sandbox.comparison = kind


def check_all_rows_once(sandbox: Sandbox) -> None:
    """Run the tap, and compare its records with the sandbox's rows."""
    ids = sync(sandbox).ids("lead_labels")
    assert len(ids) == len(set(ids)), "a row came twice"
    assert set(ids) == {row["id"] for row in sandbox.labels.rows}


@pytest.mark.parametrize("end", ENDS)
@EVERY_KIND
def test_all_rows_once(sized: Sandbox, kind: Kind, end: End) -> None:
    """A list ends where its rows end, whatever its last cursor is."""
    set_kind(sized, kind)
    sized.end = end
    check_all_rows_once(sized)


@pytest.mark.parametrize("sizes", range(5))
@EVERY_KIND
def test_short_pages(sandbox: Sandbox, kind: Kind, sizes: int) -> None:
    """A page with fewer rows than the limit is not the end."""
    set_kind(sandbox, kind)
    sandbox.short_pages = sizes
    sandbox.labels.add_many(777)
    check_all_rows_once(sandbox)


@pytest.mark.parametrize(
    ("cursor", "encoding"), [("timestamp", "offset"), ("id", "symbols")]
)
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_cursor_is_percent_encoded(
    sandbox: Sandbox, order: Order, cursor: Cursor, encoding: Encoding
) -> None:
    """A cursor may hold characters that have a meaning in a URL."""
    set_kind(sandbox, (order, cursor, "strict"))
    sandbox.encoding = encoding
    sandbox.labels.add_many(250)
    check_all_rows_once(sandbox)


@pytest.mark.parametrize("timestamps", ["ms", "mixed"])
@pytest.mark.parametrize("shift", [-1, 0, 1, 50])
@pytest.mark.parametrize("ties", [2, 50, 99])
@EVERY_KIND
def test_ties_at_the_edge_of_a_page(
    sandbox: Sandbox, kind: Kind, ties: int, shift: int, timestamps: Timestamps
) -> None:
    """Rows that share a millisecond all arrive, even if a page ends among them."""
    set_kind(sandbox, kind)
    sandbox.timestamps = timestamps
    edge = max(0, 100 - ties // 2 + shift)
    sandbox.labels.add_many(edge)
    sandbox.labels.add_many(ties, created="2026-11-01T08:00:00.001Z")
    sandbox.labels.add_many(ties, created="2026-11-01T08:00:00.002Z")
    sandbox.labels.add_many(edge)
    check_all_rows_once(sandbox)


@pytest.mark.parametrize("ties", [100, 101, 250])
@EVERY_KIND
def test_a_millisecond_that_fills_a_page(
    sandbox: Sandbox, kind: Kind, ties: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The list is read on; one warning is about rows that the cursor cannot reach."""
    set_kind(sandbox, kind)
    others = sandbox.labels.add_many(30)
    tied = sandbox.labels.add_many(ties, created="2026-11-07T09:30:00.250Z")
    others += sandbox.labels.add_many(30)
    ids = sync(sandbox).ids("lead_labels")
    assert len(ids) == len(set(ids))
    assert {row["id"] for row in others} <= set(ids)
    arrived = {row["id"] for row in tied} & set(ids)
    warnings = [r.message for r in caplog.records if r.levelname == "WARNING"]
    if kind in BY_TIME:
        assert len(arrived) == 100
        assert len(warnings) == 1
        assert "lead_labels" in warnings[0]
        assert "2026-11-07T09:30:00.250" in warnings[0]
    else:
        assert len(arrived) == ties
        assert not warnings


@EVERY_KIND
def test_number_of_requests(sandbox: Sandbox, kind: Kind) -> None:
    """Overlapping pages cost one request in a hundred, and up to two at the end."""
    set_kind(sandbox, kind)
    sandbox.labels.add_many(5_000)
    sync(sandbox)
    pages = [r for r in sandbox.requests if r.path.endswith("/lead-labels")]
    assert len(pages) <= 51 + 1 + 2
    assert {page.query["limit"] for page in pages} == {"100"}


def test_a_cursor_that_leads_nowhere_is_an_error(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """If every request brings the first page, the stream fails."""
    rows = sandbox.labels.add_many(3)
    page = {"items": rows[::-1], "next_starting_after": rows[0]["timestamp_created"]}
    for cursor in ("abc", page["next_starting_after"]):
        body = json.dumps(page | {"next_starting_after": cursor}).encode()
        sandbox.fail("/lead-labels", body=body)
        output = sync(sandbox)
        sandbox.heal()
        assert output.ids("lead_labels") == [row["id"] for row in rows[::-1]]
        assert "nothing new comes after its cursor" in caplog.text
        assert output.bookmark("lead_labels") is None
        caplog.clear()


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_row_out_of_order_does_not_hide_ties(sandbox: Sandbox, order: Order) -> None:
    """Pages overlap even if a few rows contradict the order."""
    sandbox.order = order
    rows = sandbox.labels.add_many(75)
    for row in (rows[10], rows[60]):
        sandbox.labels.edit(row["id"], timestamp_created="2026-01-01T00:00:00.000Z")
    sandbox.labels.add_many(50, created="2026-11-07T09:30:00.250Z")
    sandbox.labels.add_many(75)
    check_all_rows_once(sandbox)
