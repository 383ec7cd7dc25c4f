"""Incremental runs and full refreshes: what they read, and the state they leave."""

from __future__ import annotations

import itertools
import json
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.sandbox import Sandbox
from tests.conftest import ids, parse_timestamp, requests_to, sync

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.sandbox.http.requests import Request
    from tap_instantly.sandbox.store.switches import Order
    from tests.conftest import Json, Output

Kind = tuple[t.Any, t.Any, t.Any]

EVERY_KIND = pytest.mark.parametrize(
    "kind",
    [
        *itertools.product(
            ["newest", "oldest"], ["timestamp"], ["strict", "inclusive"]
        ),
        *itertools.product(["newest", "oldest", "mixed"], ["id"], ["strict"]),
    ],
    ids="-".join,
)
ORDERS = pytest.mark.parametrize("order", ["newest", "oldest"])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox with a few pages of labels."""
    with Sandbox(labels=250, lists=30, strict=True) as sandbox:
        yield sandbox


def set_kind(sandbox: Sandbox, kind: Kind) -> None:
    """Set the order, the cursor and the comparison of the sandbox's lists."""
    sandbox.order, sandbox.cursor, sandbox.comparison = kind


def state_at(timestamp: str) -> Json:
    """Return a state in which both streams have this bookmark."""
    bookmark = {
        "replication_key": "timestamp_created",
        "replication_key_value": timestamp,
    }
    return {"bookmarks": {s: dict(bookmark) for s in ("lead_labels", "lead_lists")}}


@EVERY_KIND
def test_idle_run(sandbox: Sandbox, kind: Kind) -> None:
    """With nothing new, only the row at the bookmark arrives again."""
    set_kind(sandbox, kind)
    first = sync(sandbox)
    sandbox.requests.clear()
    second = sync(sandbox, first.state)
    newest = sandbox.labels.rows[0]
    assert second.ids("lead_labels") == [newest["id"]]
    assert second.bookmark("lead_labels") == newest["timestamp_created"]
    assert second.state == first.state
    if kind[0] == "newest":
        # A list that fits on one page may be in any order, so it is read to its end.
        to_the_end = {"timestamp-strict": 3, "timestamp-inclusive": 4, "id-strict": 2}
        assert len(requests_to(sandbox, "/lead-labels")) == 1
        assert (
            len(requests_to(sandbox, "/lead-lists")) == to_the_end["-".join(kind[1:])]
        )


@pytest.mark.parametrize("new", [5, 150, 1_000])
@EVERY_KIND
def test_new_rows(sandbox: Sandbox, kind: Kind, new: int) -> None:
    """The next run brings all new rows, and the one at the bookmark."""
    set_kind(sandbox, kind)
    first = sync(sandbox)
    newest = sandbox.labels.rows[0]
    rows = sandbox.labels.add_many(new)
    second = sync(sandbox, first.state)
    assert set(second.ids("lead_labels")) == ids([newest, *rows])
    assert len(second.ids("lead_labels")) == new + 1
    assert second.bookmark("lead_labels") == rows[-1]["timestamp_created"]


@EVERY_KIND
def test_rows_created_during_a_run(sandbox: Sandbox, kind: Kind) -> None:
    """They arrive with that run or the next."""
    set_kind(sandbox, kind)
    added: list[Json] = []

    def add(request: Request) -> None:
        if request.path.endswith("/lead-labels") and len(added) < 20:
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            added.extend(sandbox.labels.add_many(2, created=now))

    sandbox.on_request = add
    first = sync(sandbox)
    sandbox.on_request = None
    second = sync(sandbox, first.state)
    assert added
    assert ids(added) <= {*first.ids("lead_labels"), *second.ids("lead_labels")}


@ORDERS
def test_timestamps_are_compared_by_value(sandbox: Sandbox, order: Order) -> None:
    """The precision and the zone of the text do not matter."""
    sandbox.order = order
    for timestamp in (
        "2026-11-10T10:00:07Z",
        "2026-11-10T10:00:07.5Z",
        "2026-11-10T12:00:07.512+02:00",
        "2026-11-10T09:00:07.600-01:00",
    ):
        sandbox.labels.add(created=timestamp, timestamp_created=timestamp)
    rows = sandbox.labels.rows
    for behind, bookmark in enumerate(
        [
            "2026-11-10T05:00:07.600-05:00",
            "2026-11-10T10:00:07.512Z",
            "2026-11-10T10:00:07.500Z",
            "2026-11-10T11:00:07+01:00",
        ]
    ):
        output = sync(sandbox, state_at(bookmark))
        assert set(output.ids("lead_labels")) == ids(rows[: behind + 1])
        expected = bookmark if behind == 0 else "2026-11-10T09:00:07.600-01:00"
        assert output.bookmark("lead_labels") == expected


@ORDERS
def test_bookmark_stays_when_the_newest_row_is_deleted(
    sandbox: Sandbox, order: Order
) -> None:
    """A bookmark never moves back."""
    sandbox.order = order
    first = sync(sandbox)
    for row in sandbox.labels.rows[:3]:
        sandbox.labels.delete(row["id"])
    second = sync(sandbox, first.state)
    assert second.ids("lead_labels") == []
    assert second.bookmark("lead_labels") == first.bookmark("lead_labels")


@ORDERS
@pytest.mark.parametrize("after", [1, 2])
def test_state_of_a_failed_run(sandbox: Sandbox, order: Order, after: int) -> None:
    """From each state that a failed run writes, the next run brings all rows."""
    sandbox.order = order
    before = state_at(sandbox.labels.rows[240]["timestamp_created"])
    missing = ids(sandbox.labels.rows[:241])
    sandbox.fail("/lead-labels", 401, after=after)
    failed = sync(sandbox, before)
    sandbox.heal()
    assert failed.ids("lead_labels")
    for message in failed.of("STATE"):
        output = sync(sandbox, message["value"])
        assert missing <= set(output.ids("lead_labels"))


@ORDERS
def test_state_of_a_killed_run(
    sandbox: Sandbox, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever part of the output arrives, the next run brings the rest."""
    sandbox.order = order
    monkeypatch.setattr(InstantlyStream, "STATE_MSG_FREQUENCY", 40)
    whole = sync(sandbox)
    everything = ids(sandbox.labels.rows)
    for end in range(0, len(whole.messages), 9):
        arrived = whole.messages[:end]
        states = [m["value"] for m in arrived if m["type"] == "STATE"]
        seen = {m["record"]["id"] for m in arrived if m["type"] == "RECORD"}
        rest = sync(sandbox, states[-1] if states else None)
        assert everything <= seen | set(rest.ids("lead_labels"))


@ORDERS
@pytest.mark.parametrize("mode", ["incremental", "full table"])
def test_window_cuts_at_the_millisecond(
    sandbox: Sandbox, order: Order, mode: str, full_table: Callable[[], Json]
) -> None:
    """`start_date` is the first timestamp read, and `end_date` the first not read."""
    sandbox.order = order
    rows = sandbox.labels.rows
    first, after = rows[180], rows[20]
    output = sync(
        sandbox,
        catalog=full_table() if mode == "full table" else None,
        start_date=first["timestamp_created"],
        end_date=after["timestamp_created"],
    )
    assert set(output.ids("lead_labels")) == ids(rows[21:181])
    output = sync(
        sandbox,
        catalog=full_table() if mode == "full table" else None,
        start_date=a_millisecond_after(first["timestamp_created"]),
        end_date=a_millisecond_after(after["timestamp_created"]),
    )
    assert set(output.ids("lead_labels")) == ids(rows[20:180])


def a_millisecond_after(text: str) -> str:
    """Return the next timestamp that Instantly could give."""
    return (parse_timestamp(text) + timedelta(milliseconds=1)).isoformat()


def test_date_without_a_zone_is_utc(sandbox: Sandbox) -> None:
    """`start_date: 2026-11-10` means midnight in UTC."""
    before = sandbox.labels.add(created="2026-11-09T23:59:59.999Z")
    begin = sandbox.labels.add(created="2026-11-10T00:00:00.000Z")
    for text in ("2026-11-10", "2026-11-10T00:00:00", "2026-11-10T01:00:00+01:00"):
        output = sync(sandbox, start_date=text)
        assert output.ids("lead_labels") == [begin["id"]]
        output = sync(sandbox, end_date=text)
        assert before["id"] in output.ids("lead_labels")
        assert begin["id"] not in output.ids("lead_labels")


def test_early_stop_at_start_date(sandbox: Sandbox) -> None:
    """A newest-first list is read no further than `start_date`."""
    sync(sandbox, start_date=sandbox.labels.rows[10]["timestamp_created"])
    assert [r.path for r in sandbox.requests].count("/api/v2/lead-labels") == 1


@ORDERS
def test_the_later_of_bookmark_and_start_date_counts(
    sandbox: Sandbox, order: Order
) -> None:
    """A run begins at whichever is later."""
    sandbox.order = order
    rows = sandbox.labels.rows
    created = [row["timestamp_created"] for row in rows]
    output = sync(sandbox, state_at(created[9]), start_date=created[99])
    assert set(output.ids("lead_labels")) == ids(rows[:10])
    output = sync(sandbox, state_at(created[99]), start_date=created[9])
    assert set(output.ids("lead_labels")) == ids(rows[:10])


@ORDERS
def test_state_later_than_end_date(sandbox: Sandbox, order: Order) -> None:
    """There is nothing to read, and the bookmark stays where it is."""
    sandbox.order = order
    created = [row["timestamp_created"] for row in sandbox.labels.rows]
    for end in (created[100], created[50]):
        output = sync(sandbox, state_at(created[50]), end_date=end)
        assert output.of("RECORD") == []
        assert output.bookmark("lead_labels") == created[50]
    assert sandbox.requests == []


def test_backfill_leaves_its_own_bookmark(sandbox: Sandbox) -> None:
    """The bookmark is the newest row of the window, not the end of the window."""
    rows = sandbox.labels.rows
    output = sync(sandbox, end_date=rows[100]["timestamp_created"])
    assert output.bookmark("lead_labels") == rows[101]["timestamp_created"]


@ORDERS
def test_lookback(sandbox: Sandbox, order: Order) -> None:
    """Days before the bookmark are read again; the bookmark does not move back."""
    sandbox.order = order
    rows = sandbox.labels.rows
    first = sync(sandbox)
    since = parse_timestamp(rows[0]["timestamp_created"]) - timedelta(days=2)
    sandbox.labels.delete(rows[0]["id"])
    recent = [r for r in rows[1:] if parse_timestamp(r["timestamp_created"]) >= since]
    assert len(recent) > 1
    output = sync(sandbox, first.state, lookback_days=2)
    assert set(output.ids("lead_labels")) == ids(recent)
    assert output.bookmark("lead_labels") == rows[0]["timestamp_created"]


def test_a_row_from_the_future_does_not_hide_those_to_come(sandbox: Sandbox) -> None:
    """The bookmark does not move past the beginning of the run."""
    ahead = sandbox.labels.add_many(1, created="2101-01-01T00:00:00Z")
    first = sync(sandbox)
    assert ids(ahead) <= set(first.ids("lead_labels"))
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    row = sandbox.labels.add_many(1, created=now)
    second = sync(sandbox, first.state)
    assert set(second.ids("lead_labels")) == ids(ahead + row)


def test_a_bookmark_in_the_future_is_ignored(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything is read, with a warning, and a new bookmark replaces it."""
    output = sync(sandbox, state_at("2101-01-01T00:00:00Z"))
    assert set(output.ids("lead_labels")) == ids(sandbox.labels.rows)
    newest = sandbox.labels.rows[0]["timestamp_created"]
    assert output.bookmark("lead_labels") == newest
    assert "lead_labels: the bookmark 2101-01-01T00:00:00Z lies ahead" in caplog.text


@pytest.mark.parametrize("key", ["replication-method", "forced-replication-method"])
def test_full_table_through_the_metadata(
    sandbox: Sandbox, full_table: Callable[[], Json], key: str
) -> None:
    """The metadata of a catalog overrides its replication method."""
    catalog = full_table()
    for stream in catalog["streams"]:
        stream["replication_method"] = "INCREMENTAL"
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"][key] = "FULL_TABLE"
    first = sync(sandbox)
    output = sync(sandbox, first.state, json.loads(json.dumps(catalog)))
    assert len(output.ids("lead_labels")) == 250


def test_rows_after_a_bookmark_in_the_future(sandbox: Sandbox) -> None:
    """Rows created before the clock reaches that bookmark still arrive."""
    soon = (datetime.now(timezone.utc) + timedelta(seconds=60)).isoformat()
    for row in sandbox.lists.rows:
        sandbox.lists.delete(row["id"])
    first = sync(sandbox, state_at(soon))
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    new = [sandbox.labels.add(created=now), sandbox.lists.add(created=now)]
    second = sync(sandbox, first.state)
    assert new[0]["id"] in second.ids("lead_labels")
    assert second.ids("lead_lists") == [new[1]["id"]]


def test_full_table_keeps_no_bookmark(
    sandbox: Sandbox, full_table: Callable[[], Json]
) -> None:
    """Each run reads everything, and leaves the bookmark of other runs alone."""
    first = sync(sandbox)
    for state in (None, first.state):
        output = sync(sandbox, state, full_table())
        assert len(output.ids("lead_labels")) == 250
        assert output.of("ACTIVATE_VERSION") == []
    assert output.bookmark("lead_labels") == first.bookmark("lead_labels")


def versions(output: Output, stream: str) -> tuple[list[int], list[int]]:
    """Return the versions that a stream activates, and those of its records."""
    of_stream = [m for m in output.messages if m.get("stream") == stream]
    activated = [m["version"] for m in of_stream if m["type"] == "ACTIVATE_VERSION"]
    records = [m["version"] for m in of_stream if m["type"] == "RECORD"]
    return activated, sorted(set(records))


def test_full_table_activates_its_version(
    sandbox: Sandbox, full_table: Callable[[], Json]
) -> None:
    """The message comes after the stream's last record."""
    output = sync(sandbox, catalog=full_table(), emit_activate_version_messages=True)
    for stream in ("lead_labels", "lead_lists"):
        activated, records = versions(output, stream)
        assert activated == records
        kinds = [m["type"] for m in output.messages if m.get("stream") == stream]
        assert kinds[0] == "SCHEMA"
        assert kinds[-1] == "ACTIVATE_VERSION"


def test_a_failed_full_table_run_activates_nothing(
    sandbox: Sandbox, full_table: Callable[[], Json]
) -> None:
    """The target would drop rows that were not read."""
    sandbox.fail("/lead-labels", 401, after=1)
    output = sync(sandbox, catalog=full_table(), emit_activate_version_messages=True)
    assert versions(output, "lead_labels")[0] == []
    assert versions(output, "lead_lists")[0] != []


def test_a_backfill_activates_nothing(
    sandbox: Sandbox, full_table: Callable[[], Json]
) -> None:
    """The target would drop rows after the end date."""
    output = sync(
        sandbox,
        catalog=full_table(),
        emit_activate_version_messages=True,
        end_date="2026-10-01",
    )
    assert output.records("lead_labels")
    assert output.of("ACTIVATE_VERSION") == []
