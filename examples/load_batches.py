"""Load the BATCH files of a run into DuckDB or PostgreSQL: see docs/batches.md.

    python examples/load_batches.py RUN STATE DATABASE

RUN is the directory with the messages and the files of the run, STATE the file from
which the next run goes on, DATABASE a file of DuckDB or the URL of a database of
PostgreSQL.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import typing as t
from pathlib import Path
from urllib.parse import unquote, urlsplit

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "instantly"
"""Where in the database the tables go."""


class Loader(t.Protocol):
    """A database that merges rows by key.

    Attributes:
        types: Its types, by those of JSON and the formats of texts.
    """

    types: t.ClassVar[dict[str, str]]

    def execute(self, sql: str) -> None:
        """Execute a statement."""

    def merge(self, table: Table, file: Path) -> None:
        """Merge the rows of a file into a table; the last with a key wins."""

    def commit(self) -> None:
        """Keep what has been loaded."""


class Table:
    """The table of a stream, as the last SCHEMA message has it."""

    def __init__(self, message: dict[str, t.Any], loader: Loader) -> None:
        """Create the table, or add the columns that it lacks."""
        properties = message["schema"]["properties"]
        self.name = f'{SCHEMA}."{message["stream"]}"'
        self.types = {name: loader.types[kind(properties[name])] for name in properties}
        self.columns = ", ".join(f'"{name}"' for name in self.types)
        self.key = ", ".join(f'"{name}"' for name in message["key_properties"])
        definitions = [f'"{name}" {type_}' for name, type_ in self.types.items()]
        loader.execute(
            f"CREATE TABLE IF NOT EXISTS {self.name} "
            f"({', '.join(definitions)}, PRIMARY KEY ({self.key}))"
        )
        for column in definitions:
            loader.execute(f"ALTER TABLE {self.name} ADD COLUMN IF NOT EXISTS {column}")


def kind(column: dict[str, t.Any]) -> str:
    """Return the type that a column has in JSON, or the format of its texts."""
    types = column["type"]
    names = types if isinstance(types, list) else [types]
    return str(column.get("format", next(name for name in names if name != "null")))


class DuckDB:
    """A file of DuckDB, which reads the files itself."""

    types: t.ClassVar[dict[str, str]] = {
        "string": "VARCHAR",
        "date-time": "TIMESTAMP",  # of UTC
        "date": "DATE",
        "number": "DOUBLE",
        "integer": "BIGINT",
        "boolean": "BOOLEAN",
        "object": "JSON",
        "array": "JSON",
    }

    def __init__(self, path: str) -> None:
        """Open the file."""
        import duckdb  # noqa: PLC0415 (who loads into PostgreSQL may do without)

        self._connection = duckdb.connect(path)
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        self.execute("SET TimeZone = 'UTC'")
        self.execute("BEGIN")

    def execute(self, sql: str) -> None:
        """Execute a statement."""
        self._connection.execute(sql)

    def merge(self, table: Table, file: Path) -> None:
        """Merge the rows of a file into a table; the last with a key wins."""
        # Not every version of DuckDB minds the zone when it casts to TIMESTAMP.
        columns = ", ".join(
            f"'{name}': '{type_.replace('TIMESTAMP', 'TIMESTAMPTZ')}'"
            for name, type_ in table.types.items()
        )
        self.execute(
            f"""
            INSERT OR REPLACE INTO {table.name} BY NAME
            SELECT {table.columns}
            FROM (
                SELECT *, row_number() OVER () AS line
                FROM read_json(
                    '{file}',
                    format = 'newline_delimited',
                    compression = 'gzip',
                    columns = {{{columns}}}
                )
            )
            QUALIFY line = max(line) OVER (PARTITION BY {table.key})
            """  # noqa: S608 (names of the tap's own)
        )

    def commit(self) -> None:
        """Keep what has been loaded."""
        self.execute("COMMIT")


class PostgreSQL:
    """A database of PostgreSQL, into which the files are copied."""

    types: t.ClassVar[dict[str, str]] = {
        "string": "text",
        "date-time": "timestamptz",
        "date": "date",
        "number": "numeric",
        "integer": "bigint",
        "boolean": "boolean",
        "object": "jsonb",
        "array": "jsonb",
    }

    def __init__(self, url: str) -> None:
        """Connect to the database."""
        import psycopg  # noqa: PLC0415 (who loads into DuckDB may do without)

        self._connection = psycopg.connect(url)
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        self.execute("CREATE TEMPORARY TABLE lines (line bigserial, row jsonb)")

    def execute(self, sql: str) -> None:
        """Execute a statement."""
        self._connection.execute(sql.encode())

    def merge(self, table: Table, file: Path) -> None:
        """Merge the rows of a file into a table; the last with a key wins."""
        # As CSV whose quotes and delimiters no JSON has, a whole line is one value.
        copy = r"COPY lines (row) FROM STDIN (FORMAT csv, QUOTE E'\1', DELIMITER E'\2')"
        with gzip.open(file) as lines, self._connection.cursor().copy(copy) as target:
            while chunk := lines.read(1 << 20):
                target.write(chunk)
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in table.types)
        self.execute(
            f"""
            INSERT INTO {table.name} ({table.columns})
            SELECT DISTINCT ON ({table.key}) {table.columns}
            FROM lines, jsonb_populate_record(NULL::{table.name}, row)
            ORDER BY {table.key}, line DESC
            ON CONFLICT ({table.key}) DO UPDATE SET {changes}
            """  # noqa: S608 (names of the tap's own)
        )
        self.execute("TRUNCATE lines")

    def commit(self) -> None:
        """Keep what has been loaded."""
        self._connection.commit()


def messages(run: Path) -> Iterator[dict[str, t.Any]]:
    """Yield the messages of a run, but for a last one that was cut off."""
    with (run / "messages.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def main() -> None:
    """Load all files, then keep the state, then remove the files."""
    run, state_file, database = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    loader: Loader = PostgreSQL(database) if "://" in database else DuckDB(database)
    tables: dict[str, Table] = {}
    state = None
    for message in messages(run):
        if message["type"] == "SCHEMA":
            tables[message["stream"]] = Table(message, loader)
        elif message["type"] == "BATCH":
            for url in message["manifest"]:
                file = Path(unquote(urlsplit(url).path))
                loader.merge(tables[message["stream"]], file)
        elif message["type"] == "STATE":
            state = message["value"]
    loader.commit()
    if state is not None:
        draft = state_file.with_suffix(".new")
        draft.write_text(json.dumps(state), encoding="utf-8")
        draft.replace(state_file)
    shutil.rmtree(run)


if __name__ == "__main__":
    main()
