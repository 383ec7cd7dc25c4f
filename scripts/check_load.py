"""Hold the tables of a database against what the tap has read and written.

The tap's report (`report_path`) says of each stream how many rows Instantly's list had,
and how many records the run has written. This is what `meltano invoke duckdb:check` and
`postgres:check` run after a load: they print the tables, and end with 1 if rows are
missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Line = Mapping[str, Any]
    Query = Callable[[str], Sequence[tuple[Any, ...]]]

REFRESH = "load everything again (meltano run refresh)"
UNKNOWN = "-"


class ReportError(Exception):
    """A report that says nothing."""

    def __init__(self, path: Path, problem: str) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(f"No table was checked: the report {path} {problem}.")


@dataclass
class Findings:
    """What the check has found.

    Attributes:
        errors: Sentences about what is missing or wrong.
        notes: Sentences about what differs and is no error.
    """

    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Counts:
    """How many rows a table has.

    Attributes:
        all: All that are not marked as deleted.
        loaded: Those that were loaded since the run has begun; None if nothing tells.
        read: Those that were read during the run; None if nothing tells.
    """

    all: int
    loaded: int | None = None
    read: int | None = None


class Tables:
    """The tables of a schema, and how many rows they have."""

    def __init__(self, query: Query, schema: str) -> None:
        """List them.

        Args:
            query: Returns the rows that a query gives.
            schema: Where they are.
        """
        self._query, self._schema = query, schema
        self.columns: dict[str, set[str]] = {}
        where = f"table_schema = {literal(schema)}"
        for table, column in query(
            "SELECT table_name, column_name FROM information_schema.tables "  # noqa: S608 (quoted)
            f"JOIN information_schema.columns USING (table_schema, table_name) "
            f"WHERE table_type = 'BASE TABLE' AND {where} ORDER BY table_name"
        ):
            self.columns.setdefault(table, set()).add(column)

    def find(self, stream: str) -> str | None:
        """Return the table that loaders make of a stream, if it is there.

        They change letters that a name should not have. target-duckdb takes what stands
        before a hyphen for a schema, and leaves it out.
        """
        names = {normalized(table): table for table in self.columns}
        whole, last = normalized(stream), normalized(stream.partition("-")[2])
        return names.get(whole) or names.get(last)

    def count(
        self, table: str, line: Line | None = None, workspace: str | None = None
    ) -> Counts:
        """Return how many rows a table has.

        Args:
            table: The table.
            line: What the report says of the run.
            workspace: Of which workspace; None for all.
        """
        columns = self.columns[table]
        conditions = ["true"]
        if "_sdc_deleted_at" in columns:
            conditions.append("_sdc_deleted_at IS NULL")
        if workspace is not None and "workspace_id" in columns:
            conditions.append(f"workspace_id = {literal(workspace)}")
        counted = ["count(*)"]
        read = "extract(epoch FROM _sdc_extracted_at) * 1000"
        is_dated = "_sdc_extracted_at" in columns
        # No zone of a session changes this one, which counts milliseconds.
        loaded = "_sdc_sequence" if "_sdc_sequence" in columns else read
        is_stamped = loaded in columns or is_dated
        if line is not None and is_stamped:
            since = milliseconds(line["started_at"])
            counted.append(f"count(*) FILTER (WHERE {loaded} >= {since})")
            if is_dated:
                until = milliseconds(line["ended_at"]) + 1
                within = f"{read} BETWEEN {since} AND {until}"
                counted.append(f"count(*) FILTER (WHERE {within})")
        [row] = self._query(
            f"SELECT {', '.join(counted)} FROM {name(self._schema)}.{name(table)} "  # noqa: S608 (quoted)
            f"WHERE {' AND '.join(conditions)}"
        )
        return Counts(*row)


def normalized(text: str) -> str:
    """Return what loaders leave of a name, whatever they put in place of the rest."""
    return re.sub(r"[\W_]", "", text.lower())


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """Return a name as SQL has it."""
    return '"' + text.replace('"', '""') + '"'


def milliseconds(text: str) -> int:
    """Return a timestamp of the report in milliseconds since 1970."""
    timestamp = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(timestamp.timestamp() * 1000)


def compare(line: Line, written: Line, counts: Counts | None, found: Findings) -> None:
    """Hold a table against a line of the report.

    Args:
        line: What the report says of a stream.
        written: What it says of the records with one name.
        counts: What the table has; None without a table.
        found: Takes what differs.
    """
    stream, keys = written["stream"], written["keys"]
    if counts is None:
        if keys:
            found.errors.append(
                f"{stream}: {keys} rows were written, but there is no such table; "
                "check the schema and the loader's log"
            )
        return
    if counts.loaded is not None and counts.loaded < keys:
        found.errors.append(
            f"{stream}: this run wrote {keys} rows, but only {counts.loaded} of them "
            f"are in the table, so the loader has lost {keys - counts.loaded}; use the "
            f"versions that meltano.yml names, and {REFRESH}"
        )
    elif counts.all < keys:
        found.errors.append(
            f"{stream}: this run wrote {keys} rows, but the table has {counts.all}; "
            f"{REFRESH}"
        )
    elif counts.read is not None and counts.read > keys and not line["mapped"]:
        found.errors.append(
            f"{stream}: this run wrote {keys} rows, but the table has {counts.read} of "
            "them; load with a target that merges by key"
        )
    listed = None if line["mapped"] else line["listed"]
    if listed is None:
        return
    more = counts.all - listed
    if more < 0 and counts.all >= keys:
        found.errors.append(
            f"{stream}: Instantly holds {listed} rows, but the table has {counts.all}: "
            f"{-more} that an earlier run should have brought are missing; {REFRESH}"
        )
    elif more > 0 and line["activated"]:
        found.errors.append(
            f"{stream}: after a complete refresh the table has {counts.all} rows, but "
            f"Instantly holds {listed}: {more} that are gone from Instantly were not "
            "deleted; run duckdb:sweep, or let the loader act on ACTIVATE_VERSION"
        )
    elif more > 0 and line["scope"] == "all":
        found.notes.append(
            f"{stream}: {more} rows of the table are gone from Instantly; the next "
            "refresh deletes them (meltano run refresh)"
        )


def check(tables: Tables, report: Iterable[Line]) -> Findings:
    """Print the tables beside the report, and return what differs."""
    found = Findings()
    figures: dict[str, tuple[object, ...]] = {}
    for line in report:
        if not line["complete"]:
            found.errors.append(
                f"{line['stream']}: not all of it was read: "
                f"{line['failure'] or 'the run was interrupted'}"
            )
        elif line["left_out"]:
            found.notes.append(f"{line['stream']}: left out: {line['left_out']}")
        for written in line["written"]:
            table = tables.find(written["stream"])
            workspace = line["workspace_id"]
            counts = tables.count(table, line, workspace) if table else None
            if line["complete"]:
                compare(line, written, counts, found)
            listed = UNKNOWN if line["listed"] is None else line["listed"]
            figures[table or written["stream"]] = (
                counts.all if counts else UNKNOWN,
                written["keys"],
                listed,
            )
    for table in tables.columns.keys() - figures.keys():
        figures[table] = (tables.count(table).all, UNKNOWN, UNKNOWN)
    print(f"{'table':<42}{'rows':>10}{'written':>10}{'Instantly':>10}")
    for table in sorted(figures):
        rows, wrote, listed = figures[table]
        print(f"{table:<42}{rows!s:>10}{wrote!s:>10}{listed!s:>10}")
    return found


def read_report(path: Path) -> list[Line]:
    """Return the lines of a report.

    Raises:
        ReportError: If there are none; the text says why.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        report = [json.loads(line) for line in lines]
    except OSError as error:
        msg = f"cannot be read ({error.strerror}); set report_path and run the tap"
        raise ReportError(path, msg) from error
    except ValueError as error:
        raise ReportError(path, "is not one that the tap has written") from error
    if not report:
        msg = "is empty, because the run that began it has not ended; run the tap again"
        raise ReportError(path, msg)
    return report


def setting(database: str, loaders: str, own: str = "") -> str:
    """Return a setting; a variable that sets it for the loader outdoes Meltano's.

    Args:
        database: The name of the utility, and of the loader without `target-`.
        loaders: The name of the loader's setting.
        own: The name of the utility's, if it is another.
    """
    names = f"TARGET_{database}_{loaders}", f"{database}_{own or loaders}"
    return next(filter(None, (os.environ.get(each.upper()) for each in names)), "")


@contextmanager
def duckdb_tables() -> Iterator[Tables]:
    """Yield the tables of the DuckDB file."""
    import duckdb  # noqa: PLC0415 (only this one is installed)

    path = setting("duckdb", "filepath", "path")
    try:
        database = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        sys.exit(f"The database {path} cannot be read: {first_line(error)}")
    with database:
        schema = setting("duckdb", "default_target_schema", "schema")
        yield Tables(lambda sql: database.execute(sql).fetchall(), schema)


@contextmanager
def postgres_tables() -> Iterator[Tables]:
    """Yield the tables of the PostgreSQL schema."""
    import psycopg  # noqa: PLC0415 (only this one is installed)

    given: dict[str, Any] = {
        each: setting("postgres", each) or None
        for each in ("host", "port", "user", "password", "database")
    }
    given["dbname"] = given.pop("database")
    url = psycopg.conninfo.make_conninfo(**given)
    if whole := setting("postgres", "sqlalchemy_url"):
        url = re.sub(r"^\w+(\+\w+)?:", "postgresql:", whole)  # without a driver
    try:
        database = psycopg.connect(url)
    except psycopg.Error as error:
        sys.exit(f"The database cannot be read: {first_line(error)}")
    with database:
        schema = setting("postgres", "default_target_schema", "schema")
        yield Tables(lambda sql: database.execute(sql).fetchall(), schema.lower())


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return str(error).strip().partition("\n")[0]


DATABASES: Mapping[str, Callable[[], AbstractContextManager[Tables]]] = {
    "duckdb": duckdb_tables,
    "postgres": postgres_tables,
}


def main() -> None:
    """Check, in the environment that Meltano gives to a utility."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", choices=DATABASES)
    parser.add_argument("report", type=Path)
    given = parser.parse_args()
    report = Path(os.environ.get("TAP_INSTANTLY_REPORT_PATH") or given.report)
    with DATABASES[given.database]() as tables:
        try:
            found = check(tables, read_report(report))
        except ReportError as error:
            check(tables, [])
            sys.exit(str(error))
    for note in found.notes:
        print(note)
    if found.errors:
        sys.exit("\n".join(found.errors))
    print("No row is missing.")


if __name__ == "__main__":
    main()
