"""Writes that go wrong before or after they change something, and what is kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import requests

from tap_instantly.sandbox.http.faults import Fault
from tests.sandbox.requesting import page, post, statuses, walk, write, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.sandbox import Sandbox

HOT = {"label": "Hot", "interest_status_label": "positive"}
KINDS = ["500", "502", "503", "html403", "not-json", "truncate", "reset", "hang"]
CUT_OFF = ("truncate", "reset", "hang")


def attempt(sandbox: Sandbox, method: str, path: str, body: object) -> int | None:
    """Return the status of a write, or None where the connection failed."""
    try:
        return requests.request(
            method,
            sandbox.url + path,
            json=body,
            headers={"Authorization": f"Bearer {sandbox.key}"},
            timeout=0.3,
        ).status_code
    except requests.RequestException:
        return None


class TestFaults:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("commits", [False, True])
    def test_before_and_after_the_commit(
        self, sandbox: Sandbox, kind: str, *, commits: bool
    ) -> None:
        before = walk(sandbox, limit=100)
        sandbox.faults.append(Fault.parse(f"POST:lead-labels:{kind}{'+' * commits}x1"))
        status = attempt(sandbox, "POST", "/lead-labels", HOT)
        assert (status is None) == (kind in CUT_OFF)
        assert len(walk(sandbox, limit=100)) == len(before) + commits
        assert len(sandbox.ledger) == commits
        assert len(sandbox.writes) == 1
        assert attempt(sandbox, "POST", "/lead-labels", HOT) == 200

    @pytest.mark.parametrize("commits", [False, True])
    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_of_other_writes(
        self, sandbox: Sandbox, method: str, *, commits: bool
    ) -> None:
        row = sandbox.labels.rows[0]
        sandbox.fail("", 502, commits=commits)
        body = {"label": "Other"} if method == "PATCH" else None
        path = f"/lead-labels/{row['id']}"
        assert attempt(sandbox, method, path, body) == 502
        assert (sandbox.labels.get(row["id"]) != row) == commits

    @pytest.mark.parametrize("commits", [False, True])
    def test_an_answer_cut_off_after_a_request_without_body(
        self, sandbox: Sandbox, *, commits: bool
    ) -> None:
        row = sandbox.labels.rows[0]
        sandbox.fail("", "truncate", commits=commits)
        path = f"/lead-labels/{row['id']}"
        assert attempt(sandbox, "DELETE", path, None) is None
        assert (row["id"] in sandbox.labels) != commits

    def test_that_would_be_refused(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", 500, commits=True)
        assert post(sandbox, "/lead-labels", label="Hot").status_code == 500
        assert sandbox.ledger == []

    def test_of_one_method(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", 503, method="POST", after=1, times=1)
        assert statuses(sandbox, 3) == [200, 200, 200]
        assert [attempt(sandbox, "POST", "/lead-labels", HOT) for _ in range(3)] == [
            200,
            503,
            200,
        ]

    @pytest.mark.parametrize(
        ("text", "method", "commits", "after", "times"),
        [
            ("lead-labels:hang+", "", True, 0, None),
            ("POST:lead-labels:hang", "POST", False, 0, None),
            ("PATCH:lead-labels:hang+@2x1", "PATCH", True, 2, 1),
        ],
    )
    def test_in_text(
        self, *, text: str, method: str, commits: bool, after: int, times: int | None
    ) -> None:
        fault = Fault.parse(text)
        assert (fault.path, fault.kind) == ("lead-labels", "hang")
        assert (fault.method, fault.commits) == (method, commits)
        assert (fault.after, fault.times) == (after, times)


class TestLedger:
    def test_has_what_was_committed(self, sandbox: Sandbox) -> None:
        row = written(sandbox, "POST", "/lead-labels", HOT)
        path = f"/lead-labels/{row['id']}"
        changed = written(sandbox, "PATCH", path, {"label": "Cold"})
        write(sandbox, "PATCH", path, {"label": None})
        page(sandbox)
        written(sandbox, "DELETE", path)
        write(sandbox, "DELETE", path)
        assert [request.method for request in sandbox.writes] == [
            "POST",
            "PATCH",
            "PATCH",
            "DELETE",
            "DELETE",
        ]
        created, edited, deleted = sandbox.ledger
        assert (created.method, created.path) == ("POST", "/api/v2/lead-labels")
        assert (created.table, created.body) == ("lead_labels", HOT)
        assert created.keys == edited.keys == deleted.keys == (row["id"],)
        assert (created.before, created.after) == ((None,), (row,))
        assert (edited.before, edited.after) == ((row,), (changed,))
        assert (deleted.before, deleted.after) == ((changed,), (None,))
        assert (deleted.path, deleted.body) == (f"/api/v2{path}", None)


class TestOthers:
    def test_may_change_rows_before_a_request(self, sandbox: Sandbox) -> None:
        gone, edited, *_ = sandbox.labels.rows
        turns: Iterator[Callable[[], object]] = iter(
            [
                lambda: sandbox.labels.delete(gone["id"]),
                lambda: sandbox.labels.edit(edited["id"], label="Theirs"),
                lambda: sandbox.labels.add(**HOT, description=..., use_with_ai=...),
            ]
        )
        sandbox.on_request = lambda _: next(turns)()
        path = f"/lead-labels/{gone['id']}"
        assert write(sandbox, "PATCH", path, {"label": "x"}).status_code == 404
        written(sandbox, "PATCH", f"/lead-labels/{edited['id']}", {"use_with_ai": True})
        first, second, *_ = page(sandbox)["items"]
        assert first.items() >= HOT.items()
        assert "description" not in first
        assert (second["label"], second["use_with_ai"]) == ("Theirs", True)
        assert len(sandbox.ledger) == 1

    def test_may_change_rows_meanwhile(self, sandbox: Sandbox) -> None:
        def add() -> None:
            for _ in range(200):
                sandbox.labels.delete(sandbox.labels.add()["id"])
                sandbox.labels.add()

        others = [threading.Thread(target=add) for _ in range(2)]
        for thread in others:
            thread.start()
        for _ in range(50):
            written(sandbox, "POST", "/lead-labels", HOT)
            page(sandbox, limit=100)
        for thread in others:
            thread.join()
        rows = walk(sandbox, limit=100)
        assert len({row["id"] for row in rows}) == len(rows) == 250 + 400 + 50
        assert len({row["interest_status"] for row in rows}) == len(rows)
