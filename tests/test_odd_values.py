"""One odd value costs neither its row nor its stream."""

from __future__ import annotations

import copy
import functools
import json
import typing as t
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_instantly.api.client import Client
from tap_instantly.api.pages import Page
from tap_instantly.incremental import parse_timestamp
from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tests.conftest import Json, Output, catalog_of, remove_waits, sync
from tests.schema_checks import check_records

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.api.pages import Request

EXAMPLES = {"ci": 12, "nightly": 300}
"""How many odd values are put into each stream."""

NAMES = [stream.name for stream in STREAMS]

COLUMN = "additional_fields"


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


@pytest.mark.parametrize("stream", NAMES)
def test_an_empty_text_in_every_column(stream: str) -> None:
    """It is null but in a column of text, whatever else the column wants."""
    recording = record(stream)
    if stream == "supersearch_enrichment_history":
        pytest.skip("its rows have no fields that are known")
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
        sandbox.labels.add(**{name: "canary"}, owner=inner)
    output = sync(sandbox)
    record = output.records("lead_labels")[-1]
    assert record[COLUMN] == {"owner": {"list": [{"other": 1}, {}]}}
    assert "canary" not in output.stdout + caplog.text
    assert caplog.text.count(f"left out the field `{name}`") == 1
    assert caplog.text.count(f"left out the field `owner.list.{name}`") == 1


def test_words_that_are_no_secrets(sandbox: Sandbox) -> None:
    """A keyword is none."""
    sandbox.labels.add(keywords=["a"], monkey=1)
    record = sync(sandbox).records("lead_labels")[-1]
    assert record[COLUMN] == {"keywords": ["a"], "monkey": 1}


# The column


def test_without_the_column(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The setting takes it out of SCHEMA and records, whatever the catalog says."""
    sandbox.labels.add(colour="red", label={"of": 1})
    output = sync(sandbox, additional_fields=False)
    assert COLUMN not in output.stdout
    assert output.records("lead_labels")[-1]["label"] is None
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
    sandbox.labels.add_many(2, additional_fields={"a": 1})
    for record in sync(sandbox).records("lead_labels")[-2:]:
        assert record[COLUMN] == {COLUMN: {"a": 1}}


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_flattening(sandbox: Sandbox, depth: int) -> None:
    """The column is JSON in text, and no record has more columns than its SCHEMA."""
    sandbox.labels.add(colour={"of": [1]})
    for table in ("campaigns", "leads"):
        for row in sandbox.tables[table].rows[:2]:
            key = next(name for name in ("id", "email") if name in row)
            sandbox.tables[table].edit(row[key], novel={"a": None}, payload=None)
    settings: Json = {"flattening_enabled": True, "flattening_max_depth": depth}
    output = sync(sandbox, catalog=catalog_of(*NAMES), **settings)
    schemas = {m["stream"]: m["schema"]["properties"] for m in output.of("SCHEMA")}
    for message in output.of("RECORD"):
        assert message["record"].keys() <= schemas[message["stream"]].keys()
    kept = output.records("lead_labels")[-1][COLUMN]
    assert json.loads(kept) == {"colour": {"of": [1]}}


def test_a_null_object_when_flattened(sandbox: Sandbox) -> None:
    """It makes no column that the schema lacks."""
    recording = record("subsequence_sending_status")
    options: Json = {"flattening_enabled": True, "flattening_max_depth": 2}
    found = recording.replay(["diagnostics"], None, **options)
    assert "diagnostics" not in found
    del sandbox


def test_stream_maps(sandbox: Sandbox) -> None:
    """They may use the column."""
    sandbox.labels.add(colour="red")
    maps: Json = {"lead_labels": {"colour": "(additional_fields or {}).get('colour')"}}
    maps["lead_labels"] = {COLUMN: None}
    output = sync(sandbox, stream_maps=maps)
    assert COLUMN not in output.records("lead_labels")[-1]


# Keys


def test_a_mailbox_without_a_name() -> None:
    """A blank key is written as `unknown`, in every stream whose keys are text."""
    for blank in ("", None):
        found = record("account_analytics_daily").replay(["email_account"], blank)
        assert found["email_account"] == "unknown"


@pytest.mark.parametrize("stream", NAMES)
@pytest.mark.parametrize("blank", ["", None])
def test_blank_keys(stream: str, blank: str | None) -> None:
    """They are, unless what was asked for says better."""
    recording = record(stream)
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
    sandbox.labels.add(id="a\ud83d", **texts)
    sandbox.labels.add(**texts, colour={"\ude00": ["\ud83d x"]})
    output = sync(sandbox)
    check_records(output.messages)
    first, second = output.records("lead_labels")[-2:]
    assert first["id"] == "a\ufffd"
    assert first["label"] == second["label"] == "cut \ufffd"
    assert first["description"] == "whole \U0001f600"
    assert second[COLUMN] == {"colour": {"\ufffd": ["\ufffd x"]}}
    output.stdout.encode()
    for name in ("id", "label", "colour"):
        assert caplog.text.count(f"`{name}` holds half a character") == 1


# Any value at any place


class Recording:
    """A run of one stream, to be repeated with another value at one place."""

    def __init__(self, stream: str) -> None:
        """Read the stream once."""
        self.stream = stream
        self.pages: dict[str, Page] = {}
        self._own = next(s for s in STREAMS if s.name == stream)
        self.keys: tuple[str, ...] = tuple(self._own.primary_keys)
        self.replication_key = vars(self._own).get("replication_key")
        fetch = Client.fetch

        def note(client: Client, request: Request, **options: t.Any) -> Page:
            page = fetch(client, request, **options)
            self.pages[self._name(request)] = copy.deepcopy(page)
            return page

        with (
            Sandbox(
                labels=3, lists=2, campaigns=3, accounts=3, leads=20, emails=120
            ) as sandbox,
            pytest.MonkeyPatch.context() as patch,
        ):
            remove_waits(patch)
            patch.setattr(Client, "fetch", note)
            self.output = sync(sandbox, catalog=catalog_of(stream))
            self._sandbox = sandbox
        [message] = self.output.of("SCHEMA")
        self.properties: Json = message["schema"]["properties"]

    @staticmethod
    def _name(request: Request) -> str:
        return json.dumps([request.path, request.path_params, request.params])

    @functools.cached_property
    def _place(self) -> str:
        """The first of the stream's own pages that has rows."""
        path = json.dumps(self._own.path)
        return next(
            name
            for name, page in self.pages.items()
            if name.startswith(f"[{path}") and page.rows
        )

    def row_of(self, page: Page) -> Json:
        """Return the part of a page that becomes the first record."""
        row: Json = page.rows[0]
        if self.stream == "warmup_analytics":
            days: Json = next(filter(None, row["email_date_data"].values()))
            row = next(iter(days.values()))
        return row

    @property
    def row(self) -> Json:
        """What becomes the first record."""
        return copy.deepcopy(self.row_of(self.pages[self._place]))

    @property
    def fields(self) -> list[str]:
        """The fields of a row that are no keys, and come from Instantly."""
        excluded = {*self.keys, self.replication_key, COLUMN}
        for parent in getattr(self._own, "parents", ()):
            excluded |= {parent.partition_field}
        if self.stream == "warmup_analytics":
            excluded |= {"health_score", "health_score_label"}
        return sorted(self.properties.keys() - excluded)

    def run(self, path: list[str | int], value: object, **options: t.Any) -> Output:
        """Run again, with a value at a place in the first row."""

        def answer(_: Client, request: Request, **__: t.Any) -> Page:
            name = self._name(request)
            page = copy.deepcopy(self.pages[name])
            if name != self._place:
                return page
            holder: t.Any = self.row_of(page)
            for step in path[:-1]:
                holder = holder[step]
            if path:
                holder[path[-1]] = value
            else:
                holder |= value
            parsed = Page.parse(json.dumps({"items": page.rows}).encode())
            return replace(page, rows=parsed.rows, repaired=parsed.repaired)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Client, "fetch", answer)
            return sync(self._sandbox, catalog=catalog_of(self.stream), **options)

    def replay(self, path: list[str | int], value: object, **options: t.Any) -> Json:
        """Run again, and return the record that the odd row has become."""
        output = self.run(path, value, **options)
        check_records(output.messages)
        assert output.tap is not None
        assert output.tap.stats[self.stream].failure is None
        records = output.records(self.stream)
        usual = self.output.records(self.stream)
        assert len(records) == len(usual)
        changed = [new for new, old in zip(records, usual, strict=True) if new != old]
        return changed[0] if changed else records[0]


@functools.cache
def record(stream: str) -> Recording:
    """Return a recording of a stream."""
    return Recording(stream)


names = st.text(max_size=6) | st.sampled_from(["id", "a.b", '"', "\ud83d", COLUMN])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec=None), max_size=8),
    st.sampled_from(
        [
            "",
            "5",
            "true",
            "text",
            10**400,
            "9" * 400,
            "[" * 3_000,
            "2026-02-29",
            "2026-01-31T08:00:00+00:00:30",
            "2026-01-31 08:00",
            "9999-12-31T24:00:00Z",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def places(draw: st.DrawFn, recording: Recording) -> list[str | int]:
    """Return a place in a row, at the top or nested."""
    holder: t.Any = recording.row
    known = ["novel", COLUMN, *recording.fields]
    path: list[str | int] = [draw(st.sampled_from(known))]
    while (holder := _get(holder, path[-1])) and draw(st.booleans()):
        if isinstance(holder, dict):
            path.append(draw(st.sampled_from(sorted(holder)) | st.just("novel")))
        elif isinstance(holder, list):
            path.append(draw(st.integers(0, len(holder) - 1)))
        else:
            break
    return path


def _get(holder: t.Any, step: str | int) -> t.Any:
    return holder.get(step) if isinstance(holder, dict) else holder[t.cast("int", step)]


def is_found(  # noqa: PLR0911 (one for each kind)
    sent: t.Any, found: t.Any
) -> bool:
    """Tell whether a value says all that another said."""
    if sent == found and type(sent) is type(found):
        return True
    if isinstance(sent, list) and isinstance(found, list):
        return len(sent) == len(found) and all(map(is_found, sent, found))
    if isinstance(sent, dict) and isinstance(found, dict):
        return sent.keys() == found.keys() and all(
            is_found(sent[name], found[name]) for name in sent
        )
    if isinstance(found, list):
        return len(found) == 1 and is_found(sent, found[0])
    if sent == "" and found is None:
        return True
    if isinstance(sent, str) and isinstance(found, str):
        return parse_timestamp(sent) == parse_timestamp(found)
    if isinstance(sent, list | dict) or found is None:
        return False
    if isinstance(found, str) and isinstance(sent, int | float):
        return found == (str(sent).lower() if isinstance(sent, bool) else str(sent))
    return bool(json.loads(str(sent).lower()) == json.loads(str(found).lower()))


def repaired(value: t.Any) -> t.Any:
    """Return a value as a page brings it."""
    (row,) = Page.parse(json.dumps({"items": [{"value": value}]}).encode()).rows
    return row["value"]


@pytest.mark.parametrize("stream", NAMES)
def test_any_value_at_any_place(stream: str) -> None:
    """The run ends well, no row is lost, and what came can be found again."""
    recording = record(stream)

    @settings(
        max_examples=EXAMPLES.get(settings().get_current_profile_name(), 12),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        path = data.draw(places(recording))
        value = data.draw(values)
        found = recording.replay(path, value)
        field = t.cast("str", path[0])
        row: Json = {"row": recording.row}
        holder: t.Any = row
        for step, following in zip(["row", *path[:-1]], path, strict=True):
            holder = holder[step]
            del following
        holder[path[-1]] = value
        sent = repaired(row["row"])[field]
        if stream == "supersearch_enrichment_history":
            field, sent = "entry", repaired(row["row"])
        kept = found.get(COLUMN, {})
        assert is_found(sent, kept[field] if field in kept else found[field])

    check()
