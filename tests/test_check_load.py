"""The check after a load: it finds every row that a loader loses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import duckdb
import pytest

from scripts.check_load import Tables, check
from tap_instantly.sandbox import Sandbox
from tests.conftest import COMMAND, Json, catalog_of, environment_for
from tests.test_meltano import REPOSITORY

STARTED, ENDED = "2026-11-01T10:00:00.000000Z", "2026-11-01T10:05:00.000000Z"
BEFORE, DURING, AFTER = (f"2026-11-01 {time}" for time in ("09:00", "10:01", "10:10"))

LINE: Json = {
    "stream": "leads",
    "workspace_id": None,
    "started_at": STARTED,
    "ended_at": ENDED,
    "method": "INCREMENTAL",
    "bookmark": None,
    "complete": True,
    "failure": None,
    "left_out": None,
    "listed": None,
    "scope": "all",
    "mapped": False,
    "activated": False,
}


class Case:
    """A table of leads, and the line of a report that it is held against."""

    def __init__(self) -> None:
        """Begin without a table."""
        self.database = duckdb.connect()

    def load(self, *stamps: str, table: str = "leads", **columns: str) -> None:
        """Load a row for each time of its extraction."""
        names = "".join(f", '{value}' AS {name}" for name, value in columns.items())
        rows = " UNION ALL ".join(
            f"SELECT {number} AS id, TIMESTAMP '{stamp}' AS _sdc_extracted_at{names}"
            for number, stamp in enumerate(stamps)
        )
        self.database.execute(f'CREATE OR REPLACE TABLE "{table}" AS {rows}')

    def check(self, rows: int, keys: int | None = None, **line: t.Any) -> Findings:
        """Return errors and notes, for a run that has written some rows."""
        stream = line.pop("written_as", "leads")
        number = rows if keys is None else keys
        written = [{"stream": stream, "rows": rows, "keys": number}]
        tables = Tables(lambda sql: self.database.execute(sql).fetchall(), "main")
        found = check(tables, [{**LINE, "written": written, **line}])
        return found.errors, found.notes


Findings = tuple[list[str], list[str]]


@pytest.fixture
def case() -> Case:
    """Return a database without tables."""
    return Case()


def test_all_is_there(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures are printed, those of the other tables as well."""
    case.load(BEFORE, BEFORE, DURING)
    case.load(BEFORE, table="others")
    assert case.check(1, listed=3) == ([], [])
    _, *lines = (line.split() for line in capsys.readouterr().out.splitlines())
    assert lines == [["leads", "3", "1", "3"], ["others", "1", "-", "-"]]


def test_lost_by_the_loader(case: Case) -> None:
    """Rows of earlier runs do not stand in for those of this one."""
    case.load(BEFORE, BEFORE, DURING, DURING)
    [error], _ = case.check(3, listed=4)
    assert "leads: this run wrote 3 rows, but only 2 of them are in the table" in error
    assert "has lost 1" in error


def test_written_twice(case: Case) -> None:
    """What the tap writes twice is one row of the table."""
    case.load(DURING, DURING)
    assert case.check(3, keys=2, listed=2) == ([], [])


def test_loaded_twice(case: Case) -> None:
    """A loader that does not merge is found out."""
    case.load(DURING, DURING)
    [error], _ = case.check(1, listed=1)
    assert "wrote 1 rows, but the table has 2 of them" in error


def test_a_later_run(case: Case) -> None:
    """The rows that a later run loads again do not disturb the check."""
    case.load(AFTER, AFTER, DURING)
    assert case.check(2, listed=3) == ([], [])


def test_missing_from_earlier_runs(case: Case) -> None:
    """What Instantly holds and no run has brought is an error, too."""
    case.load(BEFORE, DURING)
    [error], _ = case.check(1, listed=4)
    assert "Instantly holds 4 rows, but the table has 2: 2 that an earlier run" in error


def test_gone_from_instantly(case: Case) -> None:
    """It is a note, which names the remedy; after a complete refresh it is an error."""
    case.load(BEFORE, DURING, DURING)
    errors, [note] = case.check(2, listed=2)
    assert not errors
    assert "leads: 1 rows of the table are gone from Instantly" in note
    assert "meltano run refresh" in note
    [error], notes = case.check(2, listed=2, activated=True)
    assert not notes
    assert "1 that are gone from Instantly were not deleted" in error
    assert "duckdb:sweep" in error


@pytest.mark.parametrize("scope", ["window", "recent"])
def test_more_is_no_wonder(case: Case, scope: str) -> None:
    """A window, or what Instantly keeps, has fewer rows than the table may have."""
    case.load(BEFORE, DURING, DURING)
    assert case.check(2, listed=2, scope=scope) == ([], [])
    errors, _ = case.check(2, listed=5, scope=scope)
    assert len(errors) == 1


def test_rows_that_are_marked(case: Case) -> None:
    """A row that the loader has marked as deleted is not in the table."""
    case.load(BEFORE, DURING)
    case.database.execute("ALTER TABLE leads ADD COLUMN _sdc_deleted_at TIMESTAMP")
    case.database.execute("UPDATE leads SET _sdc_deleted_at = now() WHERE id = 0")
    assert case.check(1, listed=1, activated=True) == ([], [])


def test_maps(case: Case) -> None:
    """What a map leaves out is not missing; what it writes is."""
    case.load(DURING, DURING, table="people")
    given: Json = {"mapped": True, "written_as": "People"}
    assert case.check(2, listed=9, **given) == ([], [])
    [error], _ = case.check(3, listed=9, **given)
    assert "People: this run wrote 3 rows, but only 2" in error


@pytest.mark.parametrize("stream", ["Lead.s", "lead-s", "x-lead_s", "lead s:"])
def test_names(case: Case, stream: str) -> None:
    """Loaders change what cannot be in a name."""
    case.load(DURING, table="lead_s")
    assert case.check(1, written_as=stream) == ([], [])
    errors, _ = case.check(2, written_as=stream)
    assert len(errors) == 1


def test_no_table(case: Case) -> None:
    """Without rows some loaders make no table; with rows it is missing."""
    assert case.check(0, listed=0) == ([], [])
    [error], _ = case.check(5, listed=5)
    assert "leads: 5 rows were written, but there is no such table" in error


def test_one_workspace_of_several(case: Case) -> None:
    """The rows of other workspaces do not count."""
    case.load(DURING, workspace_id="a")
    case.database.execute(
        "INSERT INTO leads SELECT 7, _sdc_extracted_at, 'b' FROM leads"
    )
    assert case.check(1, listed=1, workspace_id="b") == ([], [])
    for listed in (2, None):
        errors, _ = case.check(2, listed=listed, workspace_id="b")
        assert len(errors) == 1


def test_without_metadata_columns(case: Case) -> None:
    """Only the whole can be compared then."""
    case.load(BEFORE, BEFORE)
    case.database.execute("ALTER TABLE leads DROP COLUMN _sdc_extracted_at")
    assert case.check(1, listed=2) == ([], [])
    errors, _ = case.check(3)
    assert "wrote 3 rows, but the table has 2" in errors[0]
    errors, _ = case.check(1, listed=3)
    assert "Instantly holds 3 rows" in errors[0]


def test_incomplete(case: Case) -> None:
    """A stream that failed or was interrupted proves nothing."""
    case.load(DURING)
    [error], _ = case.check(9, complete=False, failure="no paid plan (HTTP 402)")
    assert error == "leads: not all of it was read: no paid plan (HTTP 402)"
    [error], _ = case.check(9, complete=False)
    assert error == "leads: not all of it was read: the run was interrupted"
    errors, [note] = case.check(1, left_out="list_id not found (HTTP 404)")
    assert not errors
    assert note == "leads: left out: list_id not found (HTTP 404)"


def run_check(database: str, report: Path, **environment: str) -> tuple[int, str]:
    """Run the script; return its exit code and what it says."""
    script = REPOSITORY / "scripts" / "check_load.py"
    done = subprocess.run(
        [sys.executable, script, database, report],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("content", [None, "", "no json", "[1]\n{"])
def test_no_report(tmp_path: Path, content: str | None) -> None:
    """Without one the tables are listed, and nothing is said to be right."""
    file, report = tmp_path / "file.duckdb", tmp_path / "report.jsonl"
    with duckdb.connect(str(file)) as database:
        database.execute("CREATE TABLE leads AS SELECT 1 AS id")
    if content is not None:
        report.write_text(content, encoding="utf-8")
    settings = {"DUCKDB_PATH": str(file), "DUCKDB_SCHEMA": "main"}
    code, text = run_check("duckdb", report, **settings)
    assert code == 1
    assert re.search(r"leads +1 +- +-", text)
    assert "No table was checked: the report" in text


def test_no_database(tmp_path: Path) -> None:
    """It is said in a sentence."""
    settings = {"DUCKDB_PATH": str(tmp_path / "none.duckdb"), "DUCKDB_SCHEMA": "main"}
    code, text = run_check("duckdb", tmp_path / "report.jsonl", **settings)
    assert (code, len(text.splitlines())) == (1, 1)
    assert "cannot be read" in text


@pytest.fixture
def lossy_loader(tmp_path: Path) -> Path:
    """Return a target-duckdb with a DuckDB that makes it lose rows."""
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv" / "bin/python"
    subprocess.run(
        [uv, "venv", "-q", "--python", sys.executable, tmp_path / "venv"], check=True
    )
    packages = ("target-duckdb==0.8.0", "duckdb>=1.3")
    subprocess.run(
        [uv, "pip", "install", "-q", "--python", python, *packages], check=True
    )
    return python.with_name("target-duckdb")


def test_the_loss_that_is_known(lossy_loader: Path, tmp_path: Path) -> None:
    """target-duckdb 0.8.0 with DuckDB 1.3 drops the first row of each batch."""
    file, report = tmp_path / "file.duckdb", tmp_path / "report.jsonl"
    config, catalog = tmp_path / "target.json", tmp_path / "catalog.json"
    settings = {"filepath": str(file), "default_target_schema": "main"}
    config.write_text(
        json.dumps({**settings, "add_metadata_columns": True, "batch_size_rows": 100})
    )
    catalog.write_text(json.dumps(catalog_of("lead_labels", "lead_lists")))
    with Sandbox(labels=230, lists=40, strict=True) as sandbox:
        environment = environment_for(sandbox)
        environment["TAP_INSTANTLY_REPORT_PATH"] = str(report)
        pipe = '"$0" --catalog "$1" | "$2" --config "$3"'
        subprocess.run(
            ["/bin/sh", "-c", pipe, COMMAND, catalog, lossy_loader, config],
            env=environment,
            check=True,
            capture_output=True,
        )
    settings = {"DUCKDB_PATH": str(file), "DUCKDB_SCHEMA": "main"}
    code, text = run_check("duckdb", report, **settings)
    assert code == 1
    assert re.search(r"lead_labels +227 +230 +230", text)
    assert "lead_labels: this run wrote 230 rows, but only 227 of them" in text
    assert "lead_lists: this run wrote 40 rows, but only 39 of them" in text
