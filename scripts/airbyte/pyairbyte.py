"""Read a sandbox through PyAirbyte into DuckDB, twice, and compare the tables.

In an environment with `airbyte`:

    instantly-sandbox run --emails 50 -- <python> scripts/airbyte/pyairbyte.py <bin>

where <bin> holds the commands `source-instantly` and `tap-instantly`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

os.environ["AIRBYTE_OFFLINE_MODE"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

import airbyte
import requests
from airbyte.caches import DuckDBCache

Rows = dict[tuple[t.Any, ...], dict[str, t.Any]]

KEY, URL = os.environ["TAP_INSTANTLY_API_KEY"], os.environ["TAP_INSTANTLY_API_URL"]
NEW_ROWS = {"lead-labels": "label", "lead-lists": "name"}


def main(commands: Path) -> None:
    """Read, add some rows, read again, and compare."""
    expected, keys = read_by_singer(commands / "tap-instantly")
    source = airbyte.get_source(
        "source-instantly",
        local_executable=commands / "source-instantly",
        config={"api_key": KEY, "api_url": URL, "max_requests_per_minute": 1_000_000},
        streams=[*expected],
    )
    source.check()
    with tempfile.TemporaryDirectory() as directory:
        cache = DuckDBCache(db_path=Path(directory) / "cache.duckdb")
        first = read(source, cache)
        for path, name in NEW_ROWS.items():
            for number in range(5):
                add(path, {name: f"New {number}"})
        second = read(source, cache)
        expected, keys = read_by_singer(commands / "tap-instantly")
        print(f"{'stream':34}{'rows':>8}  equal")
        for stream, rows in expected.items():
            found = read_table(cache, stream, keys[stream])
            print(f"{stream:34}{len(found):8}  {differences(rows, found) or 'yes'}")
    print(f"first read: {first} records, second read: {second}")


def read(source: t.Any, cache: t.Any) -> int:
    """Read what is new, and return the number of records."""
    begin = time.perf_counter()
    result = source.read(cache=cache, write_strategy="merge")
    print(f"{time.perf_counter() - begin:.1f} s for {result.processed_records} records")
    return int(result.processed_records)


def read_by_singer(command: Path) -> tuple[dict[str, Rows], dict[str, list[str]]]:
    """Return the rows of each default stream by key, and the keys' names."""
    done = subprocess.run([command], capture_output=True, check=True, text=True)
    rows: dict[str, Rows] = {}
    keys: dict[str, list[str]] = {}
    for message in map(json.loads, done.stdout.splitlines()):
        if message["type"] == "SCHEMA":
            rows[message["stream"]] = {}
            keys[message["stream"]] = message["key_properties"]
        elif message["type"] == "RECORD":
            stream, record = message["stream"], message["record"]
            key = tuple(str(record[name]) for name in keys[stream])
            rows[stream][key] = record
    return rows, keys


def read_table(cache: t.Any, stream: str, keys: list[str]) -> Rows:
    """Return the rows of a table by key; rows with the same key fail."""
    rows = [dict(row) for row in cache[stream]]
    found = {tuple(str(row[name]) for name in keys): row for row in rows}
    if len(found) != len(rows):
        sys.exit(f"{stream}: {len(rows)} rows have {len(found)} keys")
    return found


def differences(expected: Rows, found: Rows) -> str:
    """Say how a table differs from what was expected; "" if it does not."""
    if expected.keys() != found.keys():
        return f"no: {len(expected.keys() ^ found.keys())} keys"
    columns = {
        name
        for key, row in expected.items()
        for name, value in row.items()
        if not name.startswith("timestamp")
        and isinstance(value, bool | int)
        and found[key].get(name) != value
    }
    texts = {
        name
        for key, row in expected.items()
        for name, value in row.items()
        if isinstance(value, str)
        and isinstance(found[key].get(name), str | None)
        and found[key].get(name) != value
    }
    return f"no: {sorted(columns | texts)}" if columns | texts else ""


def add(path: str, row: dict[str, str]) -> None:
    """Add a row to the sandbox."""
    extra = {"interest_status_label": "neutral"} if path == "lead-labels" else {}
    response = requests.post(
        f"{URL}/{path}",
        json=row | extra,
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=60,
    )
    response.raise_for_status()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
