"""A model of a loader, which shows what runs leave in a database."""

from __future__ import annotations

import json
import typing as t

import pytest

from tap_instantly.sandbox.store import timestamps
from tests.schema_checks import RecordValidator

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import Json


def bookmark(state: Json, stream: str) -> int:
    """Return a stream's bookmark in microseconds; 0 before there is one."""
    value = state.get("bookmarks", {}).get(stream, {}).get("replication_key_value")
    return timestamps.read(value) if value else 0


class Target:
    """A loader that keeps one row per key."""

    def __init__(self, streams: Iterable[str]) -> None:
        """Begin with an empty table for each stream."""
        self.tables: dict[str, dict[str, Json]] = {stream: {} for stream in streams}
        self.versions: dict[tuple[str, str], int] = {}
        self.arrived: set[tuple[str, str]] = set()

    def load(self, text: str, state: Json) -> Json:
        """Load what arrives of a run's output, and return the last state."""
        validator = RecordValidator()
        self.arrived = set()
        for line in text.splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            message = json.loads(line, parse_constant=pytest.fail)
            stream = message.get("stream")
            validator.check(message)
            if message["type"] == "RECORD":
                self._upsert(stream, message["record"], message.get("version", 0))
            elif message["type"] == "ACTIVATE_VERSION":
                self._drop_older(stream, message["version"])
            elif message["type"] == "STATE":
                for each in self.tables:
                    assert bookmark(message["value"], each) >= bookmark(state, each)
                state = message["value"]
        return state

    def _upsert(self, stream: str, record: Json, version: int) -> None:
        key = stream, record["id"]
        assert key not in self.arrived, "a key came twice in a run"
        self.arrived.add(key)
        self.tables[stream][record["id"]] = record
        self.versions[key] = version

    def _drop_older(self, stream: str, version: int) -> None:
        table = self.tables[stream]
        for key in [key for key in table if self.versions[stream, key] < version]:
            del table[key]
