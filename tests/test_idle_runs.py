"""Runs with nothing new, and how few requests they take."""

from __future__ import annotations

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import catalog_of, ids, read, requests_to, sync

pytestmark = pytest.mark.usefixtures("no_waits")

JOBS = "background_jobs"
PATH = "/background-jobs"


@pytest.fixture
def sandbox() -> Sandbox:
    """Return a workspace that is not started yet."""
    return Sandbox(labels=0, lists=1, leads=20, emails=20, strict=True)


def edit_jobs(sandbox: Sandbox, count: int, day: str) -> set[str]:
    """Let some jobs, old ones among them, go on; return their ids."""
    table = sandbox.tables[JOBS]
    edited = table.rows[:: len(table.rows) // count][:count]
    for number, row in enumerate(edited):
        stamp = f"2026-11-{day}T12:{number:02}:00.000Z"
        table.edit(row["id"], updated_at=stamp)
    return ids(edited)


def test_an_idle_run_reads_one_page_of_jobs(sandbox: Sandbox) -> None:
    """They are requested by their last change, newest first."""
    with sandbox:
        first = read(sandbox, JOBS)
        assert ids(first.records(JOBS)) == ids(sandbox.tables[JOBS].rows)
        assert not any("sort_column" in r.query for r in sandbox.requests)
        sandbox.requests.clear()
        second = read(sandbox, JOBS, first.state)
        [request] = requests_to(sandbox, PATH)
        assert request.query["sort_column"] == "updated_at"
        assert request.query["sort_order"] == "desc"
        assert len(second.records(JOBS)) == 1
        assert second.state == first.state


@pytest.mark.parametrize("cursor", ["timestamp", "id"])
@pytest.mark.parametrize("order", [None, "oldest", "newest", "mixed"])
def test_no_change_of_a_job_is_missed(
    sandbox: Sandbox, order: str | None, cursor: str
) -> None:
    """However the list comes: the order is observed, not assumed."""
    with sandbox:
        first = read(sandbox, JOBS)
        sandbox.order, sandbox.cursor = order, cursor  # type: ignore[assignment]
        edited = edit_jobs(sandbox, 23, "03")
        second = read(sandbox, JOBS, first.state)
        assert edited <= ids(second.records(JOBS))
        assert len(second.records(JOBS)) <= len(edited) + 1
        third = read(sandbox, JOBS, second.state)
        assert len(third.records(JOBS)) == 1


def test_more_changed_jobs_than_a_page_holds(sandbox: Sandbox) -> None:
    """The pages are read up to the bookmark."""
    with sandbox:
        first = read(sandbox, JOBS)
        table = sandbox.tables[JOBS]
        for row in table.rows:
            table.edit(row["id"], updated_at="2026-11-03T00:00:00.000Z")
        added = [table.add()["id"] for _ in range(150)]
        second = read(sandbox, JOBS, first.state)
        assert ids(second.records(JOBS)) >= ids(table.rows) - {*added}
        assert len(second.ids(JOBS)) == len(set(second.ids(JOBS)))


def test_dates_of_creation_still_cut_jobs(sandbox: Sandbox) -> None:
    """`start_date` is about their creation, in whatever order they come."""
    with sandbox:
        first = read(sandbox, JOBS)
        edited = edit_jobs(sandbox, 20, "03")
        rows = sandbox.tables[JOBS].rows
        start = sorted(row["created_at"] for row in rows)[len(rows) // 2]
        second = read(sandbox, JOBS, first.state, start_date=start)
        young = {row["id"] for row in rows if row["created_at"] >= start}
        assert edited & young <= set(second.ids(JOBS)) <= young


def test_a_full_refresh_reads_jobs_by_their_creation(sandbox: Sandbox) -> None:
    """A job that changes meanwhile keeps its place, so that none is missed."""
    with sandbox:
        read(sandbox, JOBS, read(sandbox, JOBS).state, "FULL_TABLE")
        assert not any("sort_column" in r.query for r in sandbox.requests)


def test_requests_of_a_whole_idle_run(sandbox: Sandbox) -> None:
    """None is refused by a server that is strict about parameters."""
    with sandbox:
        first = sync(sandbox, catalog=catalog_of())
        sync(sandbox, first.state, catalog_of())
        assert not [r for r in sandbox.requests if r.status == 400]
