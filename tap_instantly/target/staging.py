"""What is wanted and what Instantly holds, side by side, on disk and not in memory."""

from __future__ import annotations

import json
import sqlite3
import typing as t
from dataclasses import dataclass, field

from tap_instantly.api.pages import REPLACEMENT, SURROGATE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TABLES = """
CREATE TABLE record (
    position INTEGER PRIMARY KEY, stream TEXT, identity TEXT, body TEXT,
    is_superseded INTEGER DEFAULT 0
);
CREATE INDEX record_identity ON record (stream, identity, is_superseded);
CREATE TABLE held (
    position INTEGER PRIMARY KEY, stream TEXT, key TEXT, id TEXT, body TEXT
);
CREATE INDEX held_key ON held (stream, key);
CREATE INDEX held_id ON held (stream, id);
"""


@dataclass(frozen=True)
class StagedRecord:
    """A record as it came in, cut to what can be written.

    Attributes:
        position: Its number among all records of the input, from 1 on.
        identity: By what it finds its row: its natural key or its id; None if it lacks
            it.
        values: Its fields.
        is_superseded: Whether a later record has the same identity.
    """

    position: int
    identity: str | None
    values: Mapping[str, t.Any]
    is_superseded: bool = False


@dataclass(frozen=True)
class Row:
    """A row that Instantly holds.

    Attributes:
        id: Its id.
        key: Its natural key, normalized; None if it has none.
        values: Its fields, as far as they matter.
    """

    id: str
    key: str | None
    values: Mapping[str, t.Any] = field(default_factory=dict)


class Staging:
    """The records and rows of all streams of a run, in a database that ends with it.

    A private SQLite database: its pages go to a file without a name when they take too
    much memory. https://sqlite.org/inmemorydb.html#temp_db
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._database = sqlite3.connect(
            "", isolation_level=None, check_same_thread=False
        )
        self._database.executescript(f"PRAGMA journal_mode = OFF; {TABLES}")

    def add_record(
        self, stream: str, identity: str | None, values: Mapping[str, t.Any]
    ) -> None:
        """Add a record, which supersedes those of the same identity."""
        if identity is not None:
            identity = SURROGATE.sub(REPLACEMENT, identity)  # as rows are read
            self._database.execute(
                "UPDATE record SET is_superseded = 1"
                " WHERE stream = ? AND identity = ? AND is_superseded = 0",
                (stream, identity),
            )
        body = json.dumps(values, default=float)
        self._database.execute(
            "INSERT INTO record (stream, identity, body) VALUES (?, ?, ?)",
            (stream, identity, body),
        )

    def add_rows(self, stream: str, rows: Iterable[Row]) -> None:
        """Add rows that Instantly holds."""
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO held (stream, key, id, body) VALUES (?, ?, ?, ?)",
            ((stream, row.key, row.id, json.dumps(row.values)) for row in rows),
        )
        self._database.execute("COMMIT")

    def wanted(self, stream: str) -> Wanted:
        """Return the records of a stream."""
        return Wanted(self._database, stream)

    def held(self, stream: str) -> Held:
        """Return what Instantly holds of a stream."""
        return Held(self._database, stream)

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


@dataclass(frozen=True)
class Wanted:
    """The records of one stream, in the input's order."""

    _database: sqlite3.Connection
    _stream: str

    def __iter__(self) -> Iterator[StagedRecord]:
        """Generate the records."""
        for position, identity, body, is_superseded in self._database.execute(
            "SELECT position, identity, body, is_superseded FROM record"
            " WHERE stream = ? ORDER BY position",
            (self._stream,),
        ):
            yield StagedRecord(
                position, identity, json.loads(body), bool(is_superseded)
            )

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return next(iter(self), None) is not None

    def has(self, identity: str | None) -> bool:
        """Tell whether a record has this identity; with None, whether one has none."""
        return _exists(
            self._database.execute(
                "SELECT 1 FROM record WHERE stream = ? AND identity IS ? LIMIT 1",
                (self._stream, identity),
            )
        )


@dataclass(frozen=True)
class Held:
    """The rows of one stream that Instantly holds, in the order of its list."""

    _database: sqlite3.Connection
    _stream: str

    def __iter__(self) -> Iterator[Row]:
        """Generate the rows."""
        return self._select("TRUE ORDER BY position")

    def __len__(self) -> int:
        """Return how many they are."""
        (count,) = self._database.execute(
            "SELECT count(*) FROM held WHERE stream = ?", (self._stream,)
        ).fetchone()
        return int(count)

    def named(self, key: str | None) -> list[Row]:
        """Return the rows with a natural key."""
        return [*self._select("key = ? ORDER BY position", key)]

    def with_id(self, identity: str | None) -> list[Row]:
        """Return the row with an id, if there is one."""
        return [*self._select("id = ?", identity)]

    def _select(self, condition: str, *values: object) -> Iterator[Row]:
        rows = self._database.execute(
            f"SELECT id, key, body FROM held WHERE stream = ? AND {condition}",  # noqa: S608 (a constant)
            (self._stream, *values),
        )
        return (Row(identity, key, json.loads(body)) for identity, key, body in rows)


def _exists(cursor: sqlite3.Cursor) -> bool:
    return cursor.fetchone() is not None
