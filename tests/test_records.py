"""Records conform to their schema, whatever comes."""

from __future__ import annotations

import json
import typing as t

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import catalog_of, sync
from tests.schema_checks import check_records

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.store.switches import Timestamps


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox whose labels the test adds."""
    with Sandbox(labels=0, lists=0, strict=True) as sandbox:
        yield sandbox


@pytest.mark.parametrize("timestamps", ["ms", "mixed"])
def test_records_conform(timestamps: Timestamps) -> None:
    """Rows with absent keys, and with timestamps in several formats, are valid."""
    with Sandbox(labels=500, lists=500, timestamps=timestamps, strict=True) as sandbox:
        output = sync(sandbox)
        assert output.records("lead_labels")[0].keys() <= set(sandbox.labels.rows[0])
    check_records(output.messages)
    assert len(output.of("RECORD")) == 1_000


@pytest.mark.parametrize(
    ("field", "sent", "expected"),
    [
        ("interest_status", "5", 5),
        ("interest_status", "-5.5", -5.5),
        ("interest_status", 57.0, 57.0),
        ("interest_status", True, 1),
        ("interest_status", None, None),
        ("use_with_ai", 1, True),
        ("use_with_ai", 0, False),
        ("use_with_ai", "true", True),
        ("use_with_ai", "false", False),
        ("use_with_ai", None, None),
        ("label", 12, "12"),
        ("label", 1.5, "1.5"),
        ("label", False, "false"),
        ("label", "", ""),
        ("interest_status_label", "a word nobody has documented", ...),
        ("access_grants", [{"user": "u", "level": 2}], ...),
        ("access_grants", {"users": []}, [{"users": []}]),
        ("access_grants", "everyone", ["everyone"]),
        ("access_grants", 7, [7]),
        ("timestamp_created", "2026-11-10 10:00:07", "2026-11-10T10:00:07+00:00"),
        ("timestamp_created", "2026-11-10T10:00:07z", "2026-11-10T10:00:07+00:00"),
        ("timestamp_created", "2026-11-10", "2026-11-10T00:00:00+00:00"),
        ("timestamp_created", "2026-11-10T10:00:07.1234567Z", ...),
        ("timestamp_created", None, None),
    ],
)
def test_values_of_another_type(
    sandbox: Sandbox, field: str, sent: t.Any, expected: object
) -> None:
    """A value is converted where nothing is lost."""
    sandbox.labels.add(**{field: sent})
    output = sync(sandbox)
    check_records(output.messages)
    value = output.records("lead_labels")[0][field]
    wanted = sent if expected is ... else expected
    assert (type(value), value) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("field", "sent", "expected"),
    [
        ("interest_status", "many", 'expected number, found "many"'),
        ("interest_status", "05", 'expected number, found "05"'),
        ("interest_status", [1], "expected number, found [1]"),
        ("use_with_ai", 2, "expected boolean, found 2"),
        ("use_with_ai", "yes", 'expected boolean, found "yes"'),
        ("label", {"en": "Hot"}, 'expected string, found {"en": "Hot"}'),
    ],
)
def test_a_value_that_does_not_fit(
    sandbox: Sandbox,
    field: str,
    sent: t.Any,
    expected: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is null in its column, kept as it came, and named in one warning."""
    labels = [sandbox.labels.add(**{field: sent}) for _ in range(3)]
    output = sync(sandbox)
    check_records(output.messages)
    records = output.records("lead_labels")
    assert [record[field] for record in records] == [None] * 3
    assert [record["additional_fields"] for record in records] == [{field: sent}] * 3
    assert output.bookmark("lead_labels") == labels[-1]["timestamp_created"]
    [warning] = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warning.startswith(
        f"lead_labels: record {labels[-1]['id']}, field `{field}`"
    )
    assert expected in warning


@pytest.mark.parametrize(
    ("field", "sent", "expected"),
    [
        ("timestamp_created", "soon", 'expected date-time, found "soon"'),
        ("timestamp_created", 1767225600000, "expected date-time, found 1767225600000"),
        ("timestamp_created", "2026-02-30T00:00:00Z", "expected date-time"),
        ("id", {"of": 1}, 'expected string, found {"of": 1}'),
    ],
)
def test_schema_mismatch(
    sandbox: Sandbox,
    field: str,
    sent: t.Any,
    expected: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A key or replication key stops the stream, which names it in one line."""
    state = sync(sandbox).state
    label = sandbox.labels.add(**{field: sent})
    caplog.clear()
    output = sync(sandbox, state)
    assert output.records("lead_labels") == []
    assert output.bookmark("lead_labels") is None
    [error] = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    name = json.dumps(str(label["id"])).strip('"')
    assert error.startswith(f"lead_labels: record {name}, field `{field}`")
    assert expected in error


def test_a_single_value_for_an_array(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It becomes the only item, if it has the type of an item."""
    campaigns, catalog = sandbox.tables["campaigns"], catalog_of("campaigns")
    (first, second, *_) = campaigns.rows
    campaigns.edit(first["id"], email_list="mara@example.com", cc_list=5)
    found = {r["id"]: r for r in sync(sandbox, catalog=catalog).records("campaigns")}
    assert found[first["id"]]["email_list"] == ["mara@example.com"]
    assert found[first["id"]]["cc_list"] == ["5"]
    campaigns.edit(second["id"], sequences="x")
    found = {r["id"]: r for r in sync(sandbox, catalog=catalog).records("campaigns")}
    assert f"record {second['id']}, field `sequences`: expected array" in caplog.text
    assert found[second["id"]]["sequences"] is None
    assert found[second["id"]]["additional_fields"] == {"sequences": "x"}


def test_a_record_without_its_key(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It stops the stream, because no target could tell it from others."""
    sandbox.labels.add(id=...)
    assert sync(sandbox).records("lead_labels") == []
    words = "record None: expected the key `id`, found none"
    assert f"lead_labels: {words}" in caplog.text


@pytest.mark.parametrize("created", [..., None])
def test_a_record_without_its_date(sandbox: Sandbox, created: object) -> None:
    """Every run brings it, because it may be new."""
    dated = sandbox.labels.add_many(3)
    undated = sandbox.labels.add(timestamp_created=created)
    first = sync(sandbox, lookback_days=0)
    assert len(first.ids("lead_labels")) == 4
    assert first.bookmark("lead_labels") == dated[-1]["timestamp_created"]
    second = sync(sandbox, first.state)
    assert set(second.ids("lead_labels")) == {undated["id"], dated[-1]["id"]}


def test_unknown_fields(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A field that the schema does not know is kept aside, with one warning a run."""
    sandbox.labels.add_many(3, colour="green", owner={"id": 1})
    output = sync(sandbox)
    check_records(output.messages)
    for record in output.records("lead_labels"):
        assert {"colour", "owner"}.isdisjoint(record)
        assert record["additional_fields"] == {"colour": "green", "owner": {"id": 1}}
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert sorted(warnings) == [
        f"lead_labels: kept the field `{name}`, which the schema does not have, "
        "in `additional_fields`"
        for name in ("colour", "owner")
    ]


def test_absent_keys_stay_absent(sandbox: Sandbox) -> None:
    """They do not become null."""
    sandbox.labels.add(description=..., use_with_ai=..., access_grants=...)
    record = sync(sandbox).records("lead_labels")[0]
    assert {"description", "use_with_ai", "access_grants"}.isdisjoint(record)
