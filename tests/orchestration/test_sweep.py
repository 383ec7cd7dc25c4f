"""The sweep of a DuckDB file that holds several workspaces."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import typing as t
from contextlib import closing

import duckdb
import pytest

from scripts.duckdb_file import sweep
from tap_instantly.tap import TapInstantly
from tests.conftest import Json, catalog_of, sync
from tests.orchestration.conftest import environment, readable

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_instantly.sandbox import Sandbox

LABELS = "lead_labels"
VERSION = 1_790_000_000_000
BEFORE, AFTER = "2026-09-21 14:13:19", "2026-09-21 14:13:21"


@pytest.mark.skipif(
    sys.version_info >= (3, 14),
    reason="target-duckdb loses rows with any DuckDB that exists for Python 3.14",
)
def test_refresh_of_one_workspace(clone: Path, group: Sandbox) -> None:
    """What is gone from it is deleted; the same file's other rows stay."""
    ours, others = readable(group)[:2]
    labels = {one: group.group.tables(one)[LABELS] for one in (ours, others)}

    def refresh(workspace: str) -> None:
        variables = environment(
            group,
            TAP_INSTANTLY_WORKSPACE_ID=workspace,
            TAP_INSTANTLY_FULL_EMIT_ACTIVATE_VERSION_MESSAGES="false",
            MELTANO_RUN_STATE_ID_SUFFIX=workspace,
        )
        command = ["meltano", "run", "refresh"]
        done = subprocess.run(
            command,
            cwd=clone,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def loaded() -> set[tuple[str, str]]:
        with duckdb.connect(
            str(clone / "output" / "instantly_dev.duckdb"), read_only=True
        ) as database:
            query = f"SELECT workspace_id, id FROM {LABELS}"  # noqa: S608 (a name of ours)
            rows = database.execute(query).fetchall()
        assert len(rows) == len(set(rows))
        return set(rows)

    def held(workspace: str) -> set[tuple[str, str]]:
        return {(workspace, str(row["id"])) for row in labels[workspace].rows}

    refresh(ours)
    refresh(others)
    both = held(ours) | held(others)
    assert loaded() == both
    for one in (ours, others):
        labels[one].delete(labels[one].rows[3]["id"])
    refresh(ours)
    assert loaded() == held(ours) | {row for row in both if row[0] == others}
    refresh(others)
    assert loaded() == held(ours) | held(others)


@pytest.mark.parametrize("workspace", [None, "a"])
def test_a_complete_full_table_run_leaves_its_begin(
    group: Sandbox, workspace: str | None
) -> None:
    """It says when it began and which workspace it read; its records say nothing."""
    workspace = workspace and readable(group)[0]
    config = {"workspace_id": workspace} if workspace else {}
    tap = TapInstantly(config=config, validate_config=False)
    entries = tap.catalog_dict["streams"]
    [entry] = [entry for entry in entries if entry["tap_stream_id"] == LABELS]
    catalog = {"streams": [entry | {"replication_method": "FULL_TABLE"}]}
    output = sync(group, None, catalog, workspace_id=workspace)
    bookmark = output.state["bookmarks"][LABELS]
    assert output.tap is not None
    expected: Json = {"version": output.tap.initialized_at}
    if workspace:
        expected["workspace_id"] = workspace
    assert {name: bookmark.get(name) for name in expected} == expected
    assert ("workspace_id" in bookmark) == bool(workspace)
    assert not output.of("ACTIVATE_VERSION")
    assert not any("version" in message for message in output.of("RECORD"))


@pytest.mark.parametrize("why", ["failed", "cut", "left out"])
def test_an_incomplete_full_table_run_leaves_none(group: Sandbox, why: str) -> None:
    """Neither one that fails, nor one with an end, nor one that leaves out a part."""
    stream, settings = LABELS, dict[str, str]()
    if why == "failed":
        group.fail("/lead-labels", 401)
    elif why == "cut":
        settings["end_date"] = "2026-10-01"
    else:
        stream = "campaigns"
        group.fail("/ai-agents", 403)
    full = catalog_of(stream, "lead_lists", method="FULL_TABLE")
    output = sync(group, None, full, **settings)
    assert output.tap is not None
    assert bool(output.tap.stats[stream].skipped) == (why == "left out")
    bookmarks = output.state["bookmarks"]
    assert "version" not in bookmarks.get(stream, {})
    assert ("version" in bookmarks["lead_lists"]) == (why != "cut")


def test_a_failed_run_leaves_whose_version_it_was(group: Sandbox) -> None:
    """The next sweep would otherwise take it for that of the key's own workspace."""
    group.fail("/lead-labels", 401)
    bookmark = {"version": VERSION, "workspace_id": "a"}
    full = catalog_of(LABELS, "lead_lists", method="FULL_TABLE")
    output = sync(group, {"bookmarks": {LABELS: bookmark}}, full)
    assert output.state["bookmarks"][LABELS].items() >= bookmark.items()


def test_a_run_of_ones_own_takes_the_version_over(group: Sandbox) -> None:
    """The state then names no member workspace any longer."""
    bookmark = {"version": VERSION, "workspace_id": "a"}
    full = catalog_of(LABELS, method="FULL_TABLE")
    output = sync(group, {"bookmarks": {LABELS: bookmark}}, full)
    after = output.state["bookmarks"][LABELS]
    assert after["version"] > VERSION
    assert "workspace_id" not in after


@pytest.fixture
def swept(tmp_path: Path) -> Callable[..., list[t.Any]]:
    """Return a function that fills tables, sweeps them, and returns what is left."""

    def run(table: str, rows: list[tuple[t.Any, ...]], bookmark: Json) -> list[t.Any]:
        file, system = tmp_path / "rows.duckdb", tmp_path / "meltano.db"
        with closing(sqlite3.connect(system)) as meltano:
            meltano.execute("CREATE TABLE state (state_id, completed_state)")
            state = {"singer_state": {"bookmarks": {table: bookmark, "gone": bookmark}}}
            meltano.execute("INSERT INTO state VALUES ('it', ?)", [json.dumps(state)])
            meltano.commit()
        with duckdb.connect(str(file)) as database:
            database.execute("CREATE TABLE workspace (id TEXT, workspace_id TEXT)")
            database.execute("INSERT INTO workspace VALUES ('own', NULL), ('a', 'a')")
            database.execute(
                f"CREATE TABLE {table} (workspace_id TEXT, _sdc_extracted_at TIMESTAMP)"
            )
            values = f"INSERT INTO {table} VALUES (?, ?)"  # noqa: S608 (a name of ours)
            database.executemany(values, rows)
        sweep(str(file), system, "it")
        with duckdb.connect(str(file)) as database:
            query = f"SELECT workspace_id FROM {table} ORDER BY 1"  # noqa: S608 (as above)
            return [workspace for (workspace,) in database.execute(query).fetchall()]

    return run


OLD = [(None, BEFORE), ("a", BEFORE), ("b", BEFORE), ("own", BEFORE)]


@pytest.mark.parametrize(
    ("bookmark", "left"),
    [
        ({"version": VERSION, "workspace_id": "a"}, ["b", "own", None]),
        ({"version": VERSION, "workspace_id": "nobody"}, ["a", "b", "own", None]),
        ({"version": VERSION}, ["a", "b"]),
        ({"workspace_id": "a"}, ["a", "b", "own", None]),
        ({}, ["a", "b", "own", None]),
    ],
    ids=str,
)
def test_whose_rows_are_deleted(
    swept: Callable[..., list[t.Any]], bookmark: Json, left: list[str | None]
) -> None:
    """Those of the run's workspace alone, and none without a version."""
    assert swept("background_jobs", OLD, bookmark) == left


def test_rows_that_were_met_stay(swept: Callable[..., list[t.Any]]) -> None:
    """They were read after the run had begun."""
    rows = [("a", AFTER), ("a", BEFORE)]
    bookmark = {"version": VERSION, "workspace_id": "a"}
    assert swept(LABELS, rows, bookmark) == ["a"]


def test_a_table_without_the_column(tmp_path: Path) -> None:
    """Whose rows they are cannot be told, so none is deleted."""
    file, system = tmp_path / "rows.duckdb", tmp_path / "meltano.db"
    bookmark = {"version": VERSION, "workspace_id": "a"}
    with closing(sqlite3.connect(system)) as meltano:
        meltano.execute("CREATE TABLE state (state_id, completed_state)")
        state = {"singer_state": {"bookmarks": {LABELS: bookmark}}}
        meltano.execute("INSERT INTO state VALUES ('it', ?)", [json.dumps(state)])
        meltano.commit()
    with duckdb.connect(str(file)) as database:
        database.execute(f"CREATE TABLE {LABELS} (_sdc_extracted_at TIMESTAMP)")
        database.execute(f"INSERT INTO {LABELS} VALUES ('{BEFORE}')")  # noqa: S608 (ours)
    with pytest.raises(SystemExit) as caught:
        sweep(str(file), system, "it")
    assert caught.value.code == f"{LABELS} cannot be swept without workspace_id."
    with duckdb.connect(str(file)) as database:
        assert len(database.table(LABELS)) == 1
