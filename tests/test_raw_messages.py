"""Pages encoded as a whole, which must equal what the SDK writes record by record."""

from __future__ import annotations

import errno
import gzip
import hashlib
import inspect
import json
import os
import re
import typing as t

import pytest
from singer_sdk import Stream, Tap
from singer_sdk.contrib import msgspec as sdk_msgspec
from singer_sdk.singerlib import RecordMessage
from singer_sdk.streams import _state as sdk_state

from tap_instantly.api import rate_limit
from tap_instantly.reading.conform import RecordConformer
from tap_instantly.reading.sdk_stream import SDKStream
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tap_instantly.tap import TapInstantly
from tests.conftest import DEFAULT_STREAMS, UNLIMITED, Json, Output, catalog_of, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN = 1_793_404_800_000
"""When all runs begin, in milliseconds."""

SDK_DIGESTS = {
    (Stream, "sync"): "6b4262dcdddf",
    (Stream, "_sync_records"): "8928dc7f50e9",
    (Stream, "_sync_batches"): "a42df0f3a087",
    (Stream, "_generate_record_messages"): "9b5f9fbcdedb",
    (Stream, "_write_record_message"): "292b7bed3988",
    (Stream, "_write_activate_version_message"): "b5295d35a81b",
    (Stream, "_write_starting_replication_value"): "0a24e5d05cd5",
    (Stream, "_finalize_state"): "e08e1d0714a9",
    (Stream, "_write_state_message"): "f82ecd8d1698",
    (Stream, "apply_catalog"): "c1809c2cdad3",
    (Stream, "stream_maps"): "ef24c61a5296",
    (Tap, "setup_mapper"): "29be842dc31d",
    (Tap, "streams"): "5fc6b7f1f5dc",
    (Tap, "sync_all"): "e4412393757b",
    (Tap, "run_sync_dry_run"): "da3cd8ec5cd9",
    (sdk_state, "StreamStateManager"): "d305f609d60a",
    (RecordMessage, "to_dict"): "821fe177d16c",
    (sdk_msgspec, "MsgSpecWriter"): "98f2e5cd2a92",
}
"""What the tap replaces or wraps, with digests of the SDK's source code."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with rows for every stream."""
    with Sandbox(
        labels=230,
        lists=20,
        campaigns=18,
        accounts=30,
        leads=350,
        emails=150,
        strict=True,
    ) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def same_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all runs begin at the same time, and lift the rate limit of e-mails."""
    monkeypatch.setattr(TapInstantly, "initialized_at", BEGIN, raising=False)
    monkeypatch.setitem(rate_limit.ENDPOINT_LIMITS, "/emails", UNLIMITED)


def written(sandbox: Sandbox, catalog: Json | None = None, **settings: t.Any) -> str:
    """Return all that a run writes, except the time at which it was read."""
    catalog = catalog or catalog_of(*(stream.name for stream in STREAMS))
    stdout = sync(sandbox, catalog=catalog, **settings).stdout
    return re.sub(r',"time_extracted":"[-0-9T:.]{19,26}Z"', "", stdout)


@pytest.mark.parametrize("method", [None, "FULL_TABLE"])
def test_both_ways_write_the_same(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, method: str | None
) -> None:
    """Byte for byte, for all streams, whether whole pages or rows are conformed."""
    catalog = catalog_of(*(stream.name for stream in STREAMS), method=method)
    options: Json = {"emit_activate_version_messages": True}
    raw = written(sandbox, catalog, **options)
    assert {m["stream"] for m in Output(raw).of("RECORD")} == {
        stream.name for stream in STREAMS
    }
    monkeypatch.setattr(RecordConformer, "fits", lambda *_: False)
    assert written(sandbox, catalog, **options) == raw
    monkeypatch.setattr(SDKStream, "can_write_raw", False)
    assert written(sandbox, catalog, **options) == raw


@pytest.mark.parametrize("limit", [1, 2, 16, 64])
def test_order_does_not_depend_on_concurrency(sandbox: Sandbox, limit: int) -> None:
    """The same data becomes the same bytes."""
    assert written(sandbox, max_concurrency=limit) == written(sandbox)


ODD: list[Json] = [
    {"label": "of a newer Instantly", "colour": "red", "rank": {"of": [1]}},
    {"label": 5, "interest_status": "12"},
    {"label": 'ünï\u2028cödé \U0001f600 \x7f " \\ /'},
    {"label": "big", "interest_status": 2**70},
    {"label": "exact", "interest_status": 1e22},
    {"label": "small", "interest_status": 5e-324},
    {"label": "absent", "description": ..., "use_with_ai": ...},
    {"label": None, "description": "", "use_with_ai": 1},
    {"label": "in another spelling", "timestamp_created": "2026-11-01 00:00:00+0000"},
    {"label": "on a leap day", "timestamp_created": "2024-02-29T12:00:00.5Z"},
    {"label": "grants", "access_grants": [{"user_id": None, "n": -0.0}, [], {}]},
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_odd_values(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Both ways write the same, whatever a page holds."""
    row = ODD[number]
    with Sandbox(labels=120, lists=0, strict=True) as sandbox:
        sandbox.labels.add(**row)
        catalog = catalog_of("lead_labels")
        raw = written(sandbox, catalog)
        assert len(Output(raw).records("lead_labels")) == 121
        monkeypatch.setattr(RecordConformer, "fits", lambda *_: False)
        monkeypatch.setattr(SDKStream, "can_write_raw", False)
        assert written(sandbox, catalog) == raw


def test_a_lone_surrogate(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON can escape half a character, which is none and is replaced."""
    with Sandbox(labels=3, lists=0, strict=True) as sandbox:
        rows = sandbox.labels.rows
        rows[1]["label"] = "\ud800 alone"
        page = json.dumps({"items": rows}).encode()
        sandbox.fail("/lead-labels", body=page)
        catalog = catalog_of("lead_labels")
        raw = written(sandbox, catalog)
        rows[1]["label"] = "\ufffd alone"
        assert Output(raw).records("lead_labels") == rows
        monkeypatch.setattr(SDKStream, "can_write_raw", False)
        assert written(sandbox, catalog) == raw


def test_a_schema_mismatch_in_a_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Both ways write the records before it."""
    with Sandbox(labels=150, lists=0, strict=True) as sandbox:
        sandbox.labels.edit(sandbox.labels.rows[120]["id"], id={"no": "text"})
        catalog = catalog_of("lead_labels")
        raw = written(sandbox, catalog)
        assert len(Output(raw).records("lead_labels")) == 120
        assert "field `id`" in caplog.text
        monkeypatch.setattr(SDKStream, "can_write_raw", False)
        assert written(sandbox, catalog) == raw


def test_an_unknown_field(caplog: pytest.LogCaptureFixture) -> None:
    """After the warning about it, pages with the field are found to fit as a whole."""
    with Sandbox(labels=350, lists=0, strict=True) as sandbox:
        for row in sandbox.labels.rows:
            sandbox.labels.edit(row["id"], colour="red")
        results: list[bool] = []
        fits = RecordConformer.fits

        def spy(self: RecordConformer, rows: list[Json]) -> bool:
            results.append(fits(self, rows))
            return results[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RecordConformer, "fits", spy)
            output = sync(sandbox, catalog=catalog_of("lead_labels"))
    for record in output.records("lead_labels"):
        assert "colour" not in record
        assert record["additional_fields"] == {"colour": "red"}
    assert caplog.text.count("kept the field `colour`") == 1
    assert results[0] is False
    assert all(results[1:])


# What only the SDK can do


def sync_by_sdk(sandbox: Sandbox, **settings: t.Any) -> Output:
    """Run with settings that need the SDK's own way of writing."""
    return sync(sandbox, catalog=catalog_of(*DEFAULT_STREAMS), **settings)


def test_stream_maps(sandbox: Sandbox) -> None:
    """One stream is mapped, the other is not."""
    is_kept = "interest_status_label == 'positive'"
    maps = {"lead_labels": {"shout": "label.upper()", "__filter__": is_kept}}
    output = sync_by_sdk(sandbox, stream_maps=maps)
    rows = sandbox.labels.rows
    rows = [row for row in rows if row["interest_status_label"] == "positive"]
    found = output.records("lead_labels")
    assert [record["shout"] for record in found] == [
        row["label"].upper() for row in rows
    ]
    assert output.records("lead_lists") == sandbox.lists.rows


def test_a_stream_with_another_name(sandbox: Sandbox) -> None:
    """All its messages have that name."""
    output = sync_by_sdk(
        sandbox, stream_maps={"lead_lists": {"__alias__": "prospects"}}
    )
    assert len(output.records("prospects")) == len(sandbox.lists.rows)
    assert "lead_lists" not in {m.get("stream") for m in output.messages}


def test_flattening(sandbox: Sandbox) -> None:
    """Objects become fields."""
    settings: Json = {"flattening_enabled": True, "flattening_max_depth": 3}
    output = sync(sandbox, catalog=catalog_of("leads"), **settings)
    rows = sandbox.tables["leads"].rows
    assert len(output.records("leads")) == len(rows)
    keys = {key for record in output.records("leads") for key in record}
    assert "status_summary__lastStep__from" in keys


def test_flattening_of_every_stream(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Each can be flattened, although the SDK mistakes a description for a field."""
    catalog = catalog_of(*(stream.name for stream in STREAMS))
    settings: Json = {"flattening_enabled": True, "flattening_max_depth": 2}
    flat = sync(sandbox, catalog=catalog, **settings)
    usual = sync(sandbox, catalog=catalog)
    for stream in STREAMS:
        assert len(flat.records(stream.name)) == len(usual.records(stream.name)) > 0
    assert "ERROR" not in {record.levelname for record in caplog.records}


def batches(directory: Path) -> Json:
    """Return the setting for BATCH files of a hundred rows."""
    return {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": directory.as_uri(), "prefix": ""},
        "batch_size": 100,
    }


def test_batches(sandbox: Sandbox, tmp_path: Path) -> None:
    """All records are in BATCH files."""
    output = sync_by_sdk(sandbox, batch_config=batches(tmp_path))
    assert not output.of("RECORD")
    rows = [
        json.loads(line)
        for message in output.of("BATCH")
        for name in message["manifest"]
        for line in unzipped(tmp_path / name.rpartition("/")[2])
    ]
    expected = [*sandbox.labels.rows, *sandbox.lists.rows]
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_state_waits_for_the_last_batch(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is interrupted before that leaves no bookmark."""
    bookmarks: list[object] = []
    usual = Stream._write_batch_message  # noqa: SLF001 (the moment before)

    def write(self: Stream, *arguments: t.Any, **options: t.Any) -> None:
        bookmarks.append(self.stream_state.get("replication_key_value"))
        usual(self, *arguments, **options)

    monkeypatch.setattr(Stream, "_write_batch_message", write)
    output = sync_by_sdk(sandbox, batch_config=batches(tmp_path))
    assert bookmarks == [None] * (3 + 1)
    assert output.messages[-1]["type"] == "STATE"
    assert output.bookmark("lead_labels") is not None
    assert output.bookmark("lead_lists") is not None


def test_batches_that_cannot_be_written(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The stream fails with a reason, and the next stream is read all the same."""
    usual = Stream._write_batch_message  # noqa: SLF001 (as if it were the file)

    def write(self: Stream, *arguments: t.Any, **options: t.Any) -> None:
        if self.name == "lead_labels":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        usual(self, *arguments, **options)

    monkeypatch.setattr(Stream, "_write_batch_message", write)
    output = sync_by_sdk(sandbox, batch_config=batches(tmp_path))
    assert {message["stream"] for message in output.of("BATCH")} == {"lead_lists"}
    assert output.bookmark("lead_labels") is None
    assert output.bookmark("lead_lists") is not None
    assert "lead_labels: the system says: No space left on device; see" in caplog.text
    assert "fault of tap-instantly" not in caplog.text


def unzipped(path: Path) -> list[bytes]:
    """Return the lines of a file."""
    return gzip.decompress(path.read_bytes()).splitlines()


@pytest.mark.parametrize("method", [None, "FULL_TABLE"])
def test_fields_that_are_not_selected(sandbox: Sandbox, method: str | None) -> None:
    """They are left out, and all other fields are written."""
    catalog = catalog_of("lead_labels", method=method)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"][-1:] == ["description"]:
            entry["metadata"]["selected"] = False
    output = sync(sandbox, catalog=catalog)
    expected = [
        {name: value for name, value in row.items() if name != "description"}
        for row in sandbox.labels.rows
    ]
    assert output.records("lead_labels") == expected


# What the SDK may change


@pytest.mark.parametrize(("owner", "name"), SDK_DIGESTS)
def test_the_sdk_has_not_changed(owner: object, name: str) -> None:
    """If a new version of the SDK differs, the message says what to compare."""
    replaced = getattr(owner, name)
    source = inspect.getsource(getattr(replaced, "fget", replaced))
    found = hashlib.sha256(source.encode()).hexdigest()[:12]
    assert found == SDK_DIGESTS[owner, name], (
        f"singer-sdk has changed `{name}`, which sdk_stream.py, messages.py, cli.py or "
        f"tap.py does in its place: compare both, then note {found} here"
    )


def test_no_stream_uses_hooks_of_the_sdk() -> None:
    """`post_process` and child contexts are not called for whole pages."""
    for stream in STREAMS:
        assert stream.post_process is Stream.post_process
        assert stream.generate_child_contexts is Stream.generate_child_contexts
        assert issubclass(stream, InstantlyStream)
        assert stream.parent_stream_type is None
