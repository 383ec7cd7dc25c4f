"""From the tap to the target and back again: what was read is what is there."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import COMMAND, UNLIMITED, catalog_of, environment_for, read, sync
from tests.writing.runs import (
    KEYS,
    LABELS,
    STATE,
    STREAMS,
    Result,
    part,
    run,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Json, Output
    from tests.writing.conftest import Write

TARGET = str(Path(sys.executable).with_name("target-instantly"))

OF_ITS_OWN = {
    *("id", "timestamp_created", "timestamp_updated", "organization_id"),
    *("interest_status", "created_by", "access_grants", "additional_fields"),
}
"""What a workspace gives its rows: ids, times and numbers."""

OWNER = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def full() -> Iterator[Sandbox]:
    """Return an API with some pages of everything, and no name twice."""
    sizes: t.Any = {"labels": 0, "lists": 0, "tags": 0, "blocked": 250}
    with Sandbox(seed=5, leads=0, emails=0, strict=True, **sizes) as sandbox:
        for number in range(120):
            name = f"Name {number}"
            sandbox.labels.add(label=name)
            # A list without an owner gets the one to whom the key belongs.
            sandbox.lists.add(name=name, owned_by=OWNER)
            sandbox.tables["custom_tags"].add(label=name)
        yield sandbox


def read_all(sandbox: Sandbox, **settings: t.Any) -> Output:
    """Read all streams that can be written."""
    catalog = catalog_of(*STREAMS, method="FULL_TABLE")
    return sync(sandbox, None, catalog, emit_activate_version_messages=True, **settings)


def content_of(sandbox: Sandbox) -> dict[str, list[Json]]:
    """Return what workspaces can have in common."""
    output = read_all(sandbox)
    return {
        stream: sorted(
            (
                {k: v for k, v in row.items() if k not in OF_ITS_OWN}
                for row in output.records(stream)
            ),
            key=lambda row: str(row[KEYS[stream]]),
        )
        for stream in STREAMS
    }


def write_to(sandbox: Sandbox, output: Output, path: Path, **settings: t.Any) -> Result:
    """Write what the tap has written, mirrored."""
    return run(
        sandbox,
        output.messages,
        path / "report.jsonl",
        delete="mirror",
        reassigned_status=1,
        allow_enrichment=True,
        **settings,
    )


@pytest.mark.parametrize("match_by", ["name", "id"])
@pytest.mark.parametrize("nulls", ["keep", "clear"])
def test_same_workspace(
    full: Sandbox, tmp_path: Path, match_by: str, nulls: str
) -> None:
    """What was read from a workspace changes nothing of it."""
    result = write_to(full, read_all(full), tmp_path, match_by=match_by, nulls=nulls)
    assert result.counts == {"unchanged": 120 * 3 + 250}
    assert (result.exit_code, full.writes) == (0, [])
    assert result.states[-1] == STATE
    assert "unknown" not in result.log


def test_another_workspace(full: Sandbox, empty: Sandbox, tmp_path: Path) -> None:
    """An empty workspace becomes equal but for ids, times and numbers."""
    result = write_to(empty, read_all(full), tmp_path)
    assert result.counts == {"created": 120 * 3 + 250}
    assert content_of(empty) == content_of(full)
    again = write_to(empty, read_all(full), tmp_path)
    assert again.counts == {"unchanged": 120 * 3 + 250}
    # And it becomes equal again, whatever is done to it.
    empty.labels.delete(empty.labels.rows[0]["id"])
    empty.labels.add(label="Of their own")
    empty.lists.edit(empty.lists.rows[3]["id"], name="Renamed")
    third = write_to(empty, read_all(full), tmp_path)
    assert third.counts["created"] == third.counts["deleted"] == 2
    assert content_of(empty) == content_of(full)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_field_of_ours_is_known(write: Write, full: Sandbox, stream: str) -> None:
    """What our own streams have and nobody can write is ignored in silence."""
    (entry,) = catalog_of(stream)["streams"]
    names = {*entry["schema"]["properties"]}
    assert {*full.tables[stream].rows[0]} <= names
    values = dict.fromkeys(names) | {"additional_fields": {"x": 1}}
    result = write(part(stream, values), mode="update")
    assert "unknown" not in result.log


def test_unknown_fields_are_named_once(write: Write, empty: Sandbox) -> None:
    """The others are left out, and each is named in one line."""
    records = [
        {"label": f"L{n}", "interest_status_label": "neutral", "colour": "red", "x": n}
        for n in range(3)
    ]
    result = write(part(LABELS, *records))
    for name in ("colour", "x"):
        lines = [line for line in result.log.splitlines() if f" {name} " in line]
        assert len(lines) == 1
    assert all("colour" not in sent.body for sent in empty.writes)
    assert "red" not in result.log


def test_through_a_pipe(full: Sandbox, empty: Sandbox, tmp_path: Path) -> None:
    """The installed commands do it, too, as a user runs them."""
    catalog, config = tmp_path / "catalog.json", tmp_path / "config.json"
    catalog.write_text(json.dumps(catalog_of(*STREAMS)), encoding="utf-8")
    settings = {
        "api_key": empty.key,
        "api_url": empty.url,
        "allow_enrichment": True,
        "max_requests_per_minute": UNLIMITED,
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    with subprocess.Popen(
        [COMMAND, "--catalog", str(catalog)],
        env=environment_for(full),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as tap:
        done = subprocess.run(
            [TARGET, "--config", str(config)],
            stdin=tap.stdout,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert (tap.returncode, done.returncode) == (0, 0), done.stderr
    assert "bookmarks" in json.loads(done.stdout.splitlines()[-1])
    assert content_of(empty) == content_of(full)


@pytest.mark.parametrize("comparison", ["strict", "inclusive"])
@pytest.mark.parametrize(
    ("order", "cursor"),
    [  # by time, a server whose order is mixed would skip rows itself
        ("newest", "timestamp"),
        ("newest", "id"),
        ("oldest", "timestamp"),
        ("oldest", "id"),
        ("mixed", "id"),
    ],
)
def test_lists_of_every_kind(
    full: Sandbox, tmp_path: Path, order: t.Any, comparison: t.Any, cursor: t.Any
) -> None:
    """However a list is paged, each of its rows is found once."""
    wanted = read(full, LABELS, method="FULL_TABLE")
    full.order, full.comparison, full.cursor = order, comparison, cursor
    full.short_pages = 63 if cursor == "id" else None
    result = run(full, wanted.messages, tmp_path / "report.jsonl")
    assert result.counts == {"unchanged": 120}
