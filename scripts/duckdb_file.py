"""What `meltano invoke duckdb:tables` and `duckdb:sweep` do with the DuckDB file."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import duckdb

OF_THE_LOADER = """
    SELECT table_name FROM duckdb_tables()
    WHERE schema_name = current_schema() ORDER BY 1
"""
COMPLETED_STATE = "SELECT completed_state FROM state WHERE state_id = ?"


def tables(path: str) -> None:
    """Print the tables and how many rows each of them holds."""
    with duckdb.connect(path, read_only=True) as database:
        names = database.execute(OF_THE_LOADER)
        for (name,) in names.fetchall():
            print(f"{name:<42}{len(database.table(name)):>10}")


def sweep(path: str, system_database: Path, state_id: str) -> None:
    """Delete the rows that the last complete full refresh did not meet.

    target-duckdb leaves rows alone that are gone from Instantly. The state of a full
    refresh holds, for each stream that it read to the end, when the run began.

    Args:
        path: The DuckDB file.
        system_database: Where Meltano keeps the states.
        state_id: Which of them is that of the full refresh.
    """
    with closing(sqlite3.connect(system_database)) as meltano:
        row = meltano.execute(COMPLETED_STATE, [state_id]).fetchone()
    if row is None:
        sys.exit(f"There is no state {state_id}; run tap-instantly-full first.")
    bookmarks = json.loads(row[0])["singer_state"]["bookmarks"]
    with duckdb.connect(path) as database:
        for stream, bookmark in bookmarks.items():
            if "version" in bookmark:  # in milliseconds
                gone = f"DELETE FROM {stream} WHERE _sdc_extracted_at < epoch_ms(?)"  # noqa: S608 (a name of ours)
                deleted = database.execute(gone, [bookmark["version"]]).fetchall()
                print(stream, *deleted[0], "rows deleted")


def main() -> None:
    """Do one of the two, in the environment that Meltano gives to a utility."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["tables", "sweep"])
    command, path = parser.parse_args().command, os.environ["DUCKDB_PATH"]
    if command == "tables":
        tables(path)
    else:
        environment = os.environ["MELTANO_ENVIRONMENT"]
        sweep(
            path,
            Path(os.environ["MELTANO_SYS_DIR_ROOT"], "meltano.db"),
            f"{environment}:tap-instantly-full-to-target-duckdb",
        )


if __name__ == "__main__":
    main()
