"""What `meltano invoke duckdb:sweep` does with the DuckDB file."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import duckdb

COMPLETED_STATE = "SELECT completed_state FROM state WHERE state_id = ?"
FULL_REFRESH = "tap-instantly-full-to-target-duckdb"
EXTRACTED = "_sdc_extracted_at"
WORKSPACE = "workspace_id"
IS_NULL = f"{WORKSPACE} IS NULL"


def sweep(path: str, system_database: Path, state_id: str) -> None:
    """Delete the rows that the last complete full refresh did not meet.

    target-duckdb leaves rows alone that are gone from Instantly. The state of a full
    refresh holds, for each stream that it read to the end, when the run began and which
    member workspace it was about. Rows of other workspaces stay.

    Args:
        path: The DuckDB file.
        system_database: Where Meltano keeps the states.
        state_id: Which of them is that of the full refresh.
    """
    if not system_database.exists():
        sys.exit(f"There is no {system_database}, where the sweep looks for the state.")
    with closing(sqlite3.connect(system_database)) as meltano:
        row = meltano.execute(COMPLETED_STATE, [state_id]).fetchone()
    if row is None:
        sys.exit(f"There is no state {state_id}; run tap-instantly-full first.")
    bookmarks = json.loads(row[0])["singer_state"]["bookmarks"]
    with duckdb.connect(path) as database:
        own = own_workspaces(database)
        for stream, bookmark in bookmarks.items():
            columns = columns_of(database, stream)
            if "version" not in bookmark or not columns:
                continue
            if missing := {EXTRACTED, *bookmark.keys() & {WORKSPACE}} - columns:
                sys.exit(f"{stream} cannot be swept without {' and '.join(missing)}.")
            if WORKSPACE in bookmark:
                theirs, values = f"{WORKSPACE} = ?", [bookmark[WORKSPACE]]
            elif WORKSPACE in columns:
                theirs, values = f"{IS_NULL} OR list_contains(?, {WORKSPACE})", [own]
            else:
                theirs, values = "true", []
            gone = f"{EXTRACTED} < epoch_ms(?) AND ({theirs})"  # in milliseconds
            deleted = database.execute(
                f"DELETE FROM {stream} WHERE {gone}",  # noqa: S608 (names of ours)
                [bookmark["version"], *values],
            )
            print(stream, *deleted.fetchall()[0], "rows deleted")


def own_workspaces(database: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the ids of the workspaces that were read with a key of their own.

    Some streams name the workspace themselves, in the column that a run about a member
    workspace has everywhere.
    """
    columns = columns_of(database, "workspace")
    if "id" not in columns:
        return []
    query = "SELECT id FROM workspace"
    if WORKSPACE in columns:
        query += f" WHERE {IS_NULL}"
    return [workspace for (workspace,) in database.execute(query).fetchall()]


def columns_of(database: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Return the names of a table's columns; none if there is no such table."""
    query = (
        "SELECT column_name FROM duckdb_columns() "
        "WHERE table_name = ? AND schema_name = current_schema()"
    )
    return {name for (name,) in database.execute(query, [table]).fetchall()}


def main() -> None:
    """Sweep, in the environment that Meltano gives to a utility."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["sweep"])
    parser.add_argument(
        "--state-id-suffix",
        default=os.environ.get("MELTANO_RUN_STATE_ID_SUFFIX"),
        help="the one of the full refresh, as Meltano's own option",
    )
    options = parser.parse_args()
    state_id = f"{os.environ['MELTANO_ENVIRONMENT']}:{FULL_REFRESH}"
    if options.state_id_suffix:
        state_id += f":{options.state_id_suffix}"
    sweep(
        os.environ["DUCKDB_PATH"],
        Path(os.environ["MELTANO_SYS_DIR_ROOT"], "meltano.db"),
        state_id,
    )


if __name__ == "__main__":
    main()
