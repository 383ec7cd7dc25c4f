"""A sandbox's workspace, and the databases that it is loaded into."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import typing as t
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg
from psycopg.types.numeric import FloatLoader

from tests.conftest import Json, environment_for
from tests.contacts import BOUNCED, MANUAL, RECEIVED, SENT
from tests.test_meltano import REPOSITORY

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox import Sandbox

PROJECT = Path("examples", "dbt")
DBT_COMMANDS = Path(".meltano", "utilities", "dbt", "venv", "bin")
MODELLED = sorted(
    {
        name
        for path in (REPOSITORY / PROJECT / "models" / "staging").glob("*.sql")
        for name in re.findall(r"tap_table\('(\w+)'", path.read_text(encoding="utf-8"))
    }
)
"""The tables that the models read."""

Result = list[tuple[t.Any, ...]]


@dataclass
class Workspace:
    """A sandbox, and a clone of the repository that loads it into databases."""

    sandbox: Sandbox
    project: Path

    def load(self, loader: str = "target-duckdb", **environment: str) -> str:
        """Run the tap and a loader, and return the log."""
        return self.run("tap-instantly", loader, **environment)

    def run(self, *plugins: str, **environment: str) -> str:
        """Run plugins one after the other, and return the log."""
        done = subprocess.run(
            [Path(sys.executable).with_name("meltano"), "run", *plugins],
            cwd=self.project,
            env=environment_for(self.sandbox) | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    @property
    def other_file(self) -> Path:
        """A DuckDB file of the same path each time, which lets dbt parse only once."""
        return self.project / "output" / "other.duckdb"

    def dbt(self, *arguments: str, exit_code: int = 0) -> str:
        """Run dbt on the other DuckDB file, far from UTC, and return what it says."""
        directory = self.project / PROJECT
        environment = {
            "DBT_DUCKDB_PATH": str(self.other_file),
            "DBT_PROFILES_DIR": str(directory),
            "DBT_PROJECT_DIR": str(directory),
            "DBT_LOG_PATH": str(self.project / "output" / "dbt"),
            "DBT_TARGET_PATH": str(self.project / "output" / "dbt"),
            "TZ": "America/Chicago",
        }
        done = subprocess.run(
            [self.project / DBT_COMMANDS / "dbt", *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == exit_code, done.stdout
        return done.stdout

    def plots(self, database: Path, directory: Path, *, exit_code: int = 0) -> str:
        """Draw the plots of a DuckDB file, and return what the script says."""
        script = self.project / PROJECT / "plots.py"
        done = subprocess.run(
            [
                self.project / DBT_COMMANDS / "python",
                *(script, directory, "--database", database),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == exit_code, done.stderr
        return done.stdout + done.stderr

    def query(self, sql: str, environment: str = "dev") -> Result:
        """Return the result of a query in DuckDB."""
        file = self.project / "output" / f"instantly_{environment}.duckdb"
        with duckdb.connect(str(file), read_only=True) as database:
            return database.execute(sql).fetchall()

    def rows(self, stream: str) -> list[Json]:
        """Return the current rows of a list."""
        if stream == "lead_labels":
            return self.sandbox.labels.rows
        if stream == "lead_lists":
            return self.sandbox.lists.rows
        return self.sandbox.tables[stream].rows

    def names(self, stream: str) -> dict[str, str]:
        """Return the name of each campaign or list by its id."""
        return {row["id"]: row["name"] for row in self.rows(stream)}

    @property
    def used_mailboxes(self) -> list[str]:
        """The mailbox of each pair of campaign and mailbox that still exists."""
        accounts = {row["email"] for row in self.rows("accounts")}
        return [
            email
            for campaign in self.rows("campaigns")
            for email in campaign.get("email_list", [])
            if email in accounts
        ]


def complicate(sandbox: Sandbox) -> None:
    """Bring in what happens in Instantly and seldom in the sandbox."""
    emails, leads = sandbox.tables["emails"], sandbox.tables["leads"]
    by_kind = {row["ue_type"]: row for row in emails.rows if "step" in row}
    emails.edit(by_kind[MANUAL]["id"], campaign_id=...)
    emails.edit(by_kind[RECEIVED]["id"], step=...)
    in_campaigns = [row for row in leads.rows if "campaign" in row]
    campaigns = [row["campaign_id"] for row in emails.rows if row["ue_type"] == SENT]
    lead = next(row for row in in_campaigns if row["email_reply_count"])
    other = next(one for one in campaigns if one != lead["campaign"])
    again = leads.add(email=lead["email"], campaign=other, list_id=..., status=1)
    for kind in (SENT, RECEIVED):
        emails.add(
            campaign_id=other,
            lead=lead["email"],
            lead_id=again["id"],
            thread_id="in two campaigns",
            subsequence_id=...,
            ue_type=kind,
        )
    bounced = next(row for row in in_campaigns if row["status"] == BOUNCED)
    for _ in range(2):
        list_id = sandbox.lists.rows[0]["id"]
        leads.add(email=bounced["email"], campaign=..., list_id=list_id)
    leads.add(
        email=lead["email"],
        campaign=lead["campaign"],
        list_id=...,
        lt_interest_status=4,
    )
    contacted = [row for row in in_campaigns if "timestamp_last_contact" in row]
    leads.edit(contacted[0]["id"], lt_interest_status=9999)
    label = sandbox.labels.rows[0]
    leads.edit(contacted[1]["id"], lt_interest_status=label["interest_status"])
    sandbox.labels.edit(label["id"], label=None)


def marts_in(database: Path) -> dict[str, Counter[t.Any]]:
    """Return the rows of each mart in a DuckDB file."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main_marts'"
        ).fetchall()
        return {
            mart: Counter(connection.execute(f"FROM main_marts.{mart}").fetchall())
            for (mart,) in tables
        }


@contextlib.contextmanager
def in_old_format(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file that DuckDB 1.2 can read, which the loader and dbt have."""
    with duckdb.connect() as database:
        database.execute(f"ATTACH '{file}' AS file (STORAGE_VERSION 'v1.2.0')")
        database.execute("USE file; SET TimeZone = 'UTC'")
        yield database


def copy_tables(
    workspace: Workspace, types: dict[str, str], where: str = "true"
) -> None:
    """Copy the tables that the models read into a new file.

    Args:
        workspace: Where they are.
        types: What becomes of a column of a type, with its name as {0}.
        where: Which rows to copy.
    """
    file = workspace.project / "output" / "instantly_dev.duckdb"
    workspace.other_file.unlink(missing_ok=True)
    with in_old_format(workspace.other_file) as database:
        database.execute(f"ATTACH '{file}' AS loaded (READ_ONLY)")
        columns = database.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE database_name = 'loaded' AND schema_name = 'main'"
        ).fetchall()
        for table in MODELLED:
            copied = ", ".join(
                f"{types.get(kind, '{0}').format(name)} AS {name}"
                for found, name, kind in columns
                if found == table
            )
            rows = f"SELECT {copied} FROM loaded.{table} WHERE {where}"  # noqa: S608 (names of ours)
            database.execute(f"CREATE TABLE {table} AS {rows}")


@contextlib.contextmanager
def connected(settings: dict[str, str]) -> Iterator[psycopg.Connection]:
    """Connect to PostgreSQL, which returns numbers as DuckDB does."""
    with psycopg.connect(settings["TARGET_POSTGRES_SQLALCHEMY_URL"]) as database:
        database.adapters.register_loader("numeric", FloatLoader)
        yield database
