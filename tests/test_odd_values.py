"""One odd value costs neither its row nor its stream."""

from __future__ import annotations

import json
import typing as t

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tests.conftest import Json, Output, catalog_of, remove_waits, sync
from tests.recording import recording_of
from tests.schema_checks import check_records

if t.TYPE_CHECKING:
    from collections.abc import Iterator


NAMES = [stream.name for stream in STREAMS]

COLUMN = "additional_fields"

WITHOUT_KNOWN_FIELDS = {"supersearch_enrichment_history"}


@pytest.fixture(scope="module", autouse=True)
def _no_waits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        remove_waits(patch)
        yield


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with rows for every stream."""
    with Sandbox(
        labels=3, lists=2, campaigns=5, accounts=3, leads=20, emails=120, strict=True
    ) as sandbox:
        yield sandbox


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the tap has warned of."""
    return [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]


def record_of(output: Output, row: Json) -> Json:
    """Return the record that a label has become."""
    (found,) = (r for r in output.records("lead_labels") if r["id"] == row["id"])
    return found


# An empty text is how Instantly says nothing


def test_campaigns_without_dates(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Their dates are null, without a word in the log."""
    campaigns = sandbox.tables["campaigns"]
    for row in campaigns.rows:
        schedule = row["campaign_schedule"] | {"start_date": "", "end_date": ""}
        campaigns.edit(row["id"], campaign_schedule=schedule, daily_limit="")
    output = sync(sandbox, catalog=catalog_of("campaigns"))
    check_records(output.messages)
    assert len(output.records("campaigns")) == len(campaigns.rows)
    for record in output.records("campaigns"):
        assert record["campaign_schedule"]["start_date"] is None
        assert record["campaign_schedule"]["schedules"]
        assert record["daily_limit"] is None
        assert COLUMN not in record
    assert not warnings_of(caplog)


@pytest.mark.parametrize("stream", sorted({*NAMES} - WITHOUT_KNOWN_FIELDS))
def test_an_empty_text_in_every_column(stream: str) -> None:
    """It is null but in a column of text, whatever else the column wants."""
    recording = recording_of(stream)
    found = recording.replay([], dict.fromkeys(recording.fields, ""))
    for field in recording.fields:
        schema = recording.properties[field]
        is_text = "string" in schema["type"] and "format" not in schema
        assert found[field] == ("" if is_text else None), field
    assert COLUMN not in found


def test_a_replication_key_that_is_empty(sandbox: Sandbox) -> None:
    """It is null, and every run brings the row."""
    label = sandbox.labels.add(timestamp_created="")
    output = sync(sandbox)
    assert label["id"] in output.ids("lead_labels")
    assert label["id"] in sync(sandbox, output.state).ids("lead_labels")


# What does not fit


def test_a_nested_value(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """It is null at its place, and the whole column is kept."""
    campaigns = sandbox.tables["campaigns"]
    row = campaigns.rows[0]
    schedule = row["campaign_schedule"] | {"start_date": "soon"}
    campaigns.edit(row["id"], campaign_schedule=schedule)
    output = sync(sandbox, catalog=catalog_of("campaigns"))
    check_records(output.messages)
    records = {record["id"]: record for record in output.records("campaigns")}
    assert records[row["id"]]["campaign_schedule"] == schedule | {"start_date": None}
    assert records[row["id"]][COLUMN] == {"campaign_schedule": schedule}
    [warning] = warnings_of(caplog)
    for words in (row["id"], "`campaign_schedule.start_date`", "expected date", "soon"):
        assert words in warning


@pytest.mark.parametrize("window", [{}, {"start_date": "2020-01-01"}])
def test_a_date_of_creation(
    sandbox: Sandbox, window: Json, caplog: pytest.LogCaptureFixture
) -> None:
    """It stops the stream only where a window depends on it."""
    campaigns = sandbox.tables["campaigns"]
    campaigns.edit(campaigns.rows[2]["id"], timestamp_created="some day")
    output = sync(sandbox, catalog=catalog_of("campaigns"), **window)
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    if window:
        [error] = errors
        assert "field `timestamp_created`: expected date-time" in error
    else:
        assert not errors
        assert len(output.records("campaigns")) == len(campaigns.rows)


def test_a_parent_that_stops(sandbox: Sandbox) -> None:
    """Its children are read all the same."""
    campaigns = sandbox.tables["campaigns"]
    campaigns.edit(campaigns.rows[2]["id"], timestamp_updated="some day")
    catalog = catalog_of("campaigns", "campaign_sending_status")
    output = sync(sandbox, catalog=catalog)
    assert len(output.records("campaign_sending_status")) == len(campaigns.rows)


# Names that sound like secrets


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "smtpPassword",
        "SECRET",
        "access_token",
        "api-key",
        "Authorization",
        "credentials",
        "set-cookie",
    ],
)
def test_secrets_are_not_kept(
    sandbox: Sandbox, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At the top and within, they are left out and named once."""
    inner: Json = {"list": [{name: "canary", "other": 1}, {name: "canary"}]}
    for _ in range(2):
        label = sandbox.labels.add(**{name: "canary"}, owner=inner)
    output = sync(sandbox)
    assert record_of(output, label)[COLUMN] == {"owner": {"list": [{"other": 1}, {}]}}
    assert "canary" not in output.stdout + caplog.text
    assert caplog.text.count(f"left out the field `{name}`") == 1
    assert caplog.text.count(f"left out the field `owner.list.{name}`") == 1


def test_words_that_are_no_secrets(sandbox: Sandbox) -> None:
    """A keyword is none."""
    label = sandbox.labels.add(keywords=["a"], monkey=1)
    assert record_of(sync(sandbox), label)[COLUMN] == {"keywords": ["a"], "monkey": 1}


# The column


def test_without_the_column(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The setting takes it out of SCHEMA and records, whatever the catalog says."""
    label = sandbox.labels.add(colour="red", label={"of": 1})
    output = sync(sandbox, additional_fields=False)
    assert COLUMN not in output.stdout
    assert record_of(output, label)["label"] is None
    assert "left out the field `colour`" in caplog.text
    assert output.tap is not None
    assert COLUMN not in json.dumps(output.tap.catalog_dict)


def test_a_catalog_from_before_the_column(sandbox: Sandbox) -> None:
    """It has no such property, and the column is not written."""
    sandbox.labels.add(colour="red", label={"of": 1})
    catalog = catalog_of("lead_labels")
    [entry] = catalog["streams"]
    del entry["schema"]["properties"][COLUMN]
    entry["metadata"] = [e for e in entry["metadata"] if COLUMN not in e["breadcrumb"]]
    output = sync(sandbox, catalog=catalog)
    check_records(output.messages)
    assert COLUMN not in output.stdout
    assert len(output.records("lead_labels")) == len(sandbox.labels.rows)


@pytest.mark.parametrize("field", [COLUMN, "label"])
def test_fields_that_are_not_selected(sandbox: Sandbox, field: str) -> None:
    """What is not selected is not kept aside either."""
    sandbox.labels.add(label={"canary": 1})
    catalog = catalog_of("lead_labels")
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"][-1:] == [field]:
            entry["metadata"]["selected"] = False
    output = sync(sandbox, catalog=catalog)
    assert "canary" not in output.stdout
    assert len(output.records("lead_labels")) == len(sandbox.labels.rows)


def test_a_field_of_that_name(sandbox: Sandbox) -> None:
    """If Instantly itself has a field of that name, it is kept like any other."""
    label = sandbox.labels.add(additional_fields={"a": 1})
    assert record_of(sync(sandbox), label)[COLUMN] == {COLUMN: {"a": 1}}


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_flattening(sandbox: Sandbox, depth: int) -> None:
    """The column is JSON in text, and no record has more columns than its SCHEMA."""
    label = sandbox.labels.add(colour={"of": [1]})
    for table in ("campaigns", "leads"):
        for row in sandbox.tables[table].rows[:2]:
            key = next(name for name in ("id", "email") if name in row)
            sandbox.tables[table].edit(row[key], novel={"a": None}, payload=None)
    settings: Json = {"flattening_enabled": True, "flattening_max_depth": depth}
    output = sync(sandbox, catalog=catalog_of(*NAMES), **settings)
    schemas = {m["stream"]: m["schema"]["properties"] for m in output.of("SCHEMA")}
    for message in output.of("RECORD"):
        assert message["record"].keys() <= schemas[message["stream"]].keys()
    kept = record_of(output, label)[COLUMN]
    assert json.loads(kept) == {"colour": {"of": [1]}}


def test_a_nested_field_when_flattened(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no column then, so what holds it is kept."""
    campaigns = sandbox.tables["campaigns"]
    for row in campaigns.rows:
        schedule = row["campaign_schedule"] | {"novel": 1, "api_key": "canary"}
        campaigns.edit(row["id"], campaign_schedule=schedule)
    options: Json = {"flattening_enabled": True, "flattening_max_depth": 1}
    output = sync(sandbox, catalog=catalog_of("campaigns"), **options)
    del schedule["api_key"]
    for record in output.records("campaigns"):
        assert json.loads(record[COLUMN])["campaign_schedule"]["novel"] == 1
        assert "campaign_schedule__novel" not in record
    assert caplog.text.count("kept the field `campaign_schedule`") == 1
    assert '"api_key' not in output.stdout.partition('"RECORD"')[2]


def test_a_null_object_when_flattened() -> None:
    """It makes no column that the schema lacks."""
    recording = recording_of("subsequence_sending_status")
    options: Json = {"flattening_enabled": True, "flattening_max_depth": 2}
    found = recording.replay(["diagnostics"], None, **options)
    assert "diagnostics" not in found


def test_stream_maps(sandbox: Sandbox) -> None:
    """They may use the column."""
    label = sandbox.labels.add(colour="red")
    output = sync(sandbox, stream_maps={"lead_labels": {"other": COLUMN}})
    assert record_of(output, label)["other"] == {"colour": "red"}
    output = sync(sandbox, stream_maps={"lead_labels": {COLUMN: None}})
    assert COLUMN not in record_of(output, label)


# Keys


def test_a_mailbox_without_a_name() -> None:
    """A blank key is written as `unknown`, in every stream whose keys are text."""
    for blank in ("", None):
        found = recording_of("account_analytics_daily").replay(["email_account"], blank)
        assert found["email_account"] == "unknown"


@pytest.mark.parametrize("stream", NAMES)
@pytest.mark.parametrize("blank", ["", None])
def test_blank_keys(stream: str, blank: str | None) -> None:
    """They are, unless what was asked for says better."""
    recording = recording_of(stream)
    for key in recording.keys:
        schema = recording.properties[key]
        if schema["type"] == "string" and "format" not in schema:
            output = recording.run([key], blank)
            check_records(output.messages)
            assert len(output.records(stream)) == len(recording.output.records(stream))


def test_a_key_that_the_schema_lacks(sandbox: Sandbox) -> None:
    """It is refused, because no record has it."""
    catalog = catalog_of("lead_labels")
    catalog["streams"][0]["key_properties"] = ["id", "number"]
    with pytest.raises(Exception, match="schema lacks the key field"):
        sync(sandbox, catalog=catalog)
    assert not sandbox.requests


# Halves of characters


def test_half_a_character(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """It is written as U+FFFD everywhere, keys included, with a warning a field."""
    texts: Json = {"label": "cut \ud83d", "description": "whole \ud83d\ude00"}
    rows = [row | texts for row in sandbox.labels.rows[:2]]
    rows[0]["id"] = "a\ud83d"
    rows[1]["colour"] = {"\ude00": ["\ud83d x"]}
    sandbox.fail("/lead-labels", body=json.dumps({"items": rows}).encode())
    output = sync(sandbox)
    check_records(output.messages)
    first, second = output.records("lead_labels")
    assert first["id"] == "a\ufffd"
    assert first["label"] == second["label"] == "cut \ufffd"
    assert first["description"] == "whole \U0001f600"
    assert second[COLUMN] == {"colour": {"\ufffd": ["\ufffd x"]}}
    output.stdout.encode()
    for name in ("id", "label", "colour"):
        assert caplog.text.count(f"`{name}` holds half a character") == 1
