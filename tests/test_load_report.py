"""The report of a run: what the list had, what was written, whether it is complete."""

from __future__ import annotations

import json
import random
import signal
import tracemalloc
import typing as t
from dataclasses import replace
from itertools import islice

import pytest

from tap_instantly import counting
from tap_instantly.counting import DistinctCount, hash_keys
from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.http.faults import Fault
from tap_instantly.streams import STREAMS
from tap_instantly.tap import TapInstantly
from tests.conftest import (
    Command,
    Json,
    Output,
    catalog_of,
    intercept,
    read,
    started,
    sync,
)
from tests.test_workspaces import member

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_instantly.api.pages import Page, Request

Report = dict[str, Json]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the report goes."""
    return tmp_path / "report.jsonl"


def report_of(path: Path) -> Report:
    """Return the lines of a report by their stream."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {line["stream"]: line for line in lines}


def written(line: Json) -> tuple[int, int]:
    """Return how many records a line says were written, and with how many keys."""
    [each] = line["written"]
    assert each["stream"] == line["stream"]
    return each["rows"], each["keys"]


def keys_written(output: Output, stream: str) -> int:
    """Return how many keys the records of a stream have."""
    [schema] = [each for each in output.of("SCHEMA") if each["stream"] == stream]
    return len(
        {
            tuple(str(record.get(key)) for key in schema["key_properties"])
            for record in output.records(stream)
        }
    )


@pytest.mark.usefixtures("no_waits")
def test_every_stream(path: Path) -> None:
    """A first run writes what the lists have, of all streams; a later one what is new.

    What a later run lists is known only of lists that it reads to their end.
    """
    with Sandbox(labels=230, lists=20, leads=150, emails=120, strict=True) as sandbox:
        first = sync(sandbox, catalog=catalog_of(), report_path=str(path))
        report = report_of(path)
        assert report.keys() == {stream.name for stream in STREAMS}
        for stream, line in report.items():
            assert line["complete"], stream
            keys = keys_written(first, stream)
            assert written(line) == (len(first.records(stream)), keys), stream
            if line["left_out"] is None:
                assert line["listed"] == keys, stream
            assert line["bookmark"] == first.bookmark(stream), stream
            assert (line["mapped"], line["activated"]) == (False, False)
        assert sum(line["listed"] is None for line in report.values()) <= 3
        again = sync(sandbox, first.state, catalog_of(), report_path=str(path))
        later = report_of(path)
    for stream, line in later.items():
        keys = keys_written(again, stream)
        assert written(line) == (len(again.records(stream)), keys), stream
        assert line["listed"] in {None, report[stream]["listed"]}, stream
    unlisted = {stream for stream, line in later.items() if line["listed"] is None}
    assert {"lead_labels", "emails", "account_analytics_daily"} <= unlisted
    listed = {"leads", "campaigns", "accounts", "subsequences", "lead_lists"}
    assert not listed & unlisted


def test_a_window(workspace: Sandbox, path: Path) -> None:
    """Only the rows of the window count, whatever the bookmark is."""
    rows = sorted(row["timestamp_created"] for row in workspace.tables["leads"].rows)
    window = {"start_date": rows[50], "end_date": rows[200]}
    number = sum(rows[50] <= each < rows[200] for each in rows)
    options: Json = {"report_path": str(path), **window}
    read(workspace, "leads", **options)
    line = report_of(path)["leads"]
    assert (line["listed"], line["scope"]) == (number, "window")
    assert written(line) == (number, number)
    bookmark: Json = {"replication_key": "timestamp_updated"}
    bookmark["replication_key_value"] = rows[150]
    read(workspace, "leads", {"bookmarks": {"leads": bookmark}}, **options)
    line = report_of(path)["leads"]
    assert line["listed"] == number
    assert written(line)[0] < number
    bookmark["replication_key_value"] = rows[200]
    read(workspace, "leads", {"bookmarks": {"leads": bookmark}}, **options)
    line = report_of(path)["leads"]
    assert (line["complete"], line["listed"]) == (True, None)
    assert written(line) == (0, 0)


def test_rows_that_come_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are two records, but one row of the list and of the table."""
    pages: list[Page] = []

    def handle(_: Request, send: Callable[[], Page]) -> Page:
        page = send()
        pages.append(page)
        if len(pages) != 3:
            return page
        return replace(page, rows=page.rows + pages[0].rows[:3])

    with Sandbox(labels=0, lists=250, strict=True) as sandbox:
        intercept(monkeypatch, handle)
        output = read(sandbox, "lead_lists", report_path=str(path))
    line = report_of(path)["lead_lists"]
    assert len(output.records("lead_lists")) > 250
    assert written(line) == (len(output.records("lead_lists")), 250)
    assert line["listed"] == 250


MAPS = {
    "lead_labels": {"__filter__": "label.startswith('L')", "__alias__": "labels"},
    "lead_lists": {"name": "name", "__else__": None, "__key_properties__": ["name"]},
    "custom_tags": None,
}


def test_stream_maps(sandbox: Sandbox, path: Path) -> None:
    """They decide what is written, and under which name; the list stays what it is."""
    sandbox.lists.edit(sandbox.lists.rows[0]["id"], name="Same")
    sandbox.lists.edit(sandbox.lists.rows[1]["id"], name="Same")
    sandbox.labels.edit(sandbox.labels.rows[0]["id"], label="Label")
    sandbox.labels.edit(sandbox.labels.rows[1]["id"], label="another")
    catalog = catalog_of("lead_labels", "lead_lists", "custom_tags")
    output = sync(sandbox, catalog=catalog, report_path=str(path), stream_maps=MAPS)
    report = report_of(path)
    assert all(line["mapped"] for line in report.values())
    [labels], [lists] = (report[each]["written"] for each in list(MAPS)[:2])
    assert labels["stream"] == "labels"
    assert labels["rows"] == labels["keys"] == len(output.records("labels"))
    assert 0 < labels["rows"] < report["lead_labels"]["listed"] == len(sandbox.labels)
    assert lists == {"stream": "lead_lists", "rows": 5, "keys": 4}
    assert report["custom_tags"]["written"] == []


def test_flattening_and_fields_left_out(sandbox: Sandbox, path: Path) -> None:
    """The records go another way, but are counted as well."""
    options: Json = {"flattening_enabled": True, "flattening_max_depth": 2}
    sync(sandbox, report_path=str(path), **options)
    assert written(report_of(path)["lead_labels"]) == (12, 12)
    assert report_of(path)["lead_labels"]["listed"] == 12
    assert not report_of(path)["lead_labels"]["mapped"]


def test_batch_files(sandbox: Sandbox, path: Path, tmp_path: Path) -> None:
    """Records in BATCH files count, too."""
    storage = {"root": tmp_path.as_uri()}
    encoding = {"format": "jsonl", "compression": "gzip"}
    config = {"encoding": encoding, "storage": storage}
    sync(sandbox, report_path=str(path), batch_config=config)
    for stream, number in (("lead_labels", 12), ("lead_lists", 5)):
        line = report_of(path)[stream]
        assert (written(line), line["listed"]) == ((number, number), number)
        assert line["complete"]


def test_a_key_with_more_fields(sandbox: Sandbox, path: Path) -> None:
    """A catalog may say how the table is keyed."""
    catalog = catalog_of("lead_labels")
    [entry] = catalog["streams"]
    entry["key_properties"] = ["id", "label"]
    for each in entry["metadata"]:
        if not each["breadcrumb"]:
            each["metadata"]["table-key-properties"] = ["id", "label"]
    sync(sandbox, catalog=catalog, report_path=str(path))
    assert written(report_of(path)["lead_labels"]) == (12, 12)


def test_a_complete_refresh(sandbox: Sandbox, path: Path) -> None:
    """The report says that the target was told to drop what it has beyond."""
    options: Json = {"emit_activate_version_messages": True, "report_path": str(path)}
    read(sandbox, "lead_labels", method="FULL_TABLE", **options)
    line = report_of(path)["lead_labels"]
    assert (line["activated"], line["method"]) == (True, "FULL_TABLE")


@pytest.mark.usefixtures("no_waits")
def test_a_failed_stream(sandbox: Sandbox, path: Path) -> None:
    """It is not complete, and nobody knows what the list holds; the others are."""
    sandbox.faults.append(Fault.parse("lead-labels:402"))
    sync(sandbox, report_path=str(path))
    report = report_of(path)
    assert not report["lead_labels"]["complete"]
    assert "402" in report["lead_labels"]["failure"]
    assert report["lead_labels"]["listed"] is None
    assert report["lead_lists"]["complete"]


def test_what_was_left_out(sandbox: Sandbox, path: Path) -> None:
    """A parent row that was deleted meanwhile leaves open what the list holds."""
    sandbox.fail(f"/{sandbox.lists.rows[0]['id']}/verification-stats", 404)
    read(sandbox, "lead_list_verification_stats", report_path=str(path))
    line = report_of(path)["lead_list_verification_stats"]
    assert (line["complete"], line["listed"]) == (True, None)
    assert "not found" in line["left_out"]


def test_a_workspace(path: Path) -> None:
    """The report names the workspace."""
    with Sandbox(labels=3, workspaces=8, strict=True) as sandbox:
        workspace = member(sandbox)
        options: Json = {"workspace_id": workspace, "report_path": str(path)}
        config = {"api_key": sandbox.key, "workspace_id": workspace}
        entries = TapInstantly(config=config).catalog_dict["streams"]
        chosen = [one for one in entries if one["tap_stream_id"] == "lead_labels"]
        sync(sandbox, catalog={"streams": chosen}, **options)
    line = report_of(path)["lead_labels"]
    assert line["workspace_id"] == workspace
    assert written(line)[0] == line["listed"] > 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_ends_early(
    sandbox: Sandbox, path: Path, number: signal.Signals
) -> None:
    """It leaves no report that could be taken for that of a complete run."""
    path.write_text('{"stream": "lead_labels", "complete": true}\n', encoding="utf-8")
    sandbox.faults.append(Fault.parse("lead-lists:hang"))
    with started(sandbox, TAP_INSTANTLY_REPORT_PATH=str(path)) as process:
        assert process.stdout is not None
        while b'"STATE"' not in next(iter(process.stdout)):
            pass
        process.send_signal(number)
        process.communicate()
    if number == signal.SIGKILL:
        assert path.read_bytes() == b""
    else:
        report = report_of(path)
        assert report["lead_labels"]["complete"]
        assert not report["lead_lists"]["complete"]


def test_a_file_that_cannot_be_written(tap: Command, sandbox: Sandbox) -> None:
    """It is an error in a sentence, before the first request."""
    path = "."
    output = tap(sandbox=sandbox, TAP_INSTANTLY_REPORT_PATH=path)
    assert output.exit_code == 1
    assert "`report_path`: the file cannot be written (Is a directory" in output.stderr
    assert "Traceback" not in output.stderr
    assert not sandbox.requests


@pytest.mark.parametrize("different", [1, 500, 30_000])
def test_distinct(monkeypatch: pytest.MonkeyPatch, different: int) -> None:
    """Equal hashes are counted once, whether they lie in memory or in a file."""
    monkeypatch.setattr(counting, "MAX_HELD", 1000)
    numbers = random.Random(different)  # noqa: S311 (no secrets)
    pool = [numbers.getrandbits(62) - 2**61 for _ in range(different)]
    for rows in (0, 700, 20_000):
        count, added = DistinctCount(), [numbers.choice(pool) for _ in range(rows)]
        remaining = iter(added)
        while part := list(islice(remaining, 77)):
            count.add(part)
        assert (count.total, count.count()) == (rows, len({*added}))


def test_memory_of_a_count() -> None:
    """A quarter of a million rows take no more memory than a hundred thousand."""
    peaks = []
    for rows in (100_000, 250_000):
        tracemalloc.start()
        count = DistinctCount()
        for first in range(0, rows, 100):
            count.add(map(hash, map(str, range(first, first + 100))))
        assert count.count() == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20


def test_keys_that_a_record_lacks() -> None:
    """They are told apart all the same."""
    records: list[Json] = [{"a": 1}, {"a": 1, "b": []}, {"a": 1, "b": []}, {"b": 2}]
    assert len({*hash_keys(records, ["a", "b"])}) == 3
    assert len({*hash_keys([{"a": "x"}, {"a": "y"}, {"a": "x"}], ["a"])}) == 2
