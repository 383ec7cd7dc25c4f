"""The catalog, and the SDK's own suite against the sandbox."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from syrupy.extensions.json import JSONSnapshotExtension

from tap_instantly import schemas
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.sandbox import Sandbox
from tap_instantly.tap import TapInstantly
from tests.conftest import DEFAULT_STREAMS, UNLIMITED, Json, catalog_of, sync
from tests.schema_checks import descriptions

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from syrupy.assertion import SnapshotAssertion

    from tests.conftest import Command

STREAMS = sorted(TapInstantly(config={}, validate_config=False).streams)

# The suite needs the configuration while pytest still collects.
SANDBOX = Sandbox(labels=120, lists=120, emails=150, strict=True)
SANDBOX.start()


@pytest.fixture(scope="module", autouse=True)
def _stop_sandbox() -> Iterator[None]:
    yield
    SANDBOX.stop()


TestSdkSuite = get_tap_test_class(
    TapInstantly,
    config={
        "api_key": SANDBOX.key,
        "api_url": SANDBOX.url,
        "max_requests_per_minute": UNLIMITED,
    },
    suite_config=SuiteConfig(max_records_limit=None),
    catalog=catalog_of(),
)


@pytest.fixture(scope="module")
def catalog() -> dict[str, Json]:
    """Return the catalog's entries by stream."""
    entries = TapInstantly(config={}, validate_config=False).catalog_dict["streams"]
    return {entry["tap_stream_id"]: entry for entry in entries}


@pytest.mark.parametrize("stream", STREAMS)
def test_catalog(
    stream: str, catalog: dict[str, Json], snapshot: SnapshotAssertion
) -> None:
    """A changed catalog entry must be reviewed, and its snapshot renewed."""
    assert catalog[stream] == snapshot(extension_class=JSONSnapshotExtension)


def test_there_are_seventy() -> None:
    """No stream is missing that has a class or a schema, and no name comes twice."""
    assert len(STREAMS) == 70
    assert sorted(names_in_classes(InstantlyStream)) == STREAMS
    files = Path(schemas.__file__).parent.glob("*.json")
    assert sorted(file.stem for file in files) == STREAMS


def names_in_classes(base: type[InstantlyStream]) -> Iterator[str]:
    """Yield the names of the streams for which the tap has a class."""
    for stream in base.__subclasses__():
        if "name" in vars(stream) and stream.__module__.startswith("tap_instantly."):
            yield vars(stream)["name"]
        yield from names_in_classes(stream)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_property_is_described(stream: str, catalog: dict[str, Json]) -> None:
    """The descriptions become comments on the columns."""
    for path, description in descriptions(catalog[stream]["schema"]):
        assert description.endswith("."), f"{path} lacks a sentence"


@pytest.mark.parametrize("stream", STREAMS)
def test_schema_is_open(stream: str, catalog: dict[str, Json]) -> None:
    """Only keys are required, everything else may be null, and nothing is an enum."""
    schema = catalog[stream]["schema"]
    keys = list(catalog[stream]["key_properties"])
    assert schema["required"] == keys
    assert "enum" not in json.dumps(schema)
    for name, inner in schema["properties"].items():
        assert ("null" in inner["type"]) == (name not in keys)


@pytest.mark.parametrize("stream", DEFAULT_STREAMS)
def test_keys_are_unique(stream: str) -> None:
    """The SDK's suite does not notice duplicate keys."""
    keys = Counter(sync(SANDBOX).ids(stream))
    assert len(keys) == 120
    assert set(keys.values()) == {1}


def test_label_says_how_leads_point_to_it(catalog: dict[str, Json]) -> None:
    """The description of `label` prevents a wrong join."""
    label = catalog["lead_labels"]["schema"]["properties"]["label"]["description"]
    assert "interest_status" in label
    assert "not by id" in label


def test_both_streams_in_one_run(tap: Command) -> None:
    """The installed command writes SCHEMA, RECORD and STATE messages."""
    output = tap(sandbox=SANDBOX)
    assert output.exit_code == 0
    kinds = Counter((m["type"], m.get("stream")) for m in output.messages)
    for stream in DEFAULT_STREAMS:
        assert kinds["SCHEMA", stream] == 1
        assert kinds["RECORD", stream] == 120
        assert output.bookmark(stream)


def test_deselected_stream_and_field(tap: Command, catalog: dict[str, Json]) -> None:
    """Streams that are not selected are not requested, and such fields not written."""
    entries = json.loads(json.dumps(list(catalog.values())))
    for entry in entries:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                selected = entry["tap_stream_id"] == "lead_lists"
                item["metadata"]["selected"] = selected
            elif item["breadcrumb"][-1] == "owned_by":
                item["metadata"]["selected"] = False
    SANDBOX.requests.clear()
    output = tap(sandbox=SANDBOX, catalog={"streams": entries})
    assert output.exit_code == 0
    assert {m["stream"] for m in output.of("RECORD")} == {"lead_lists"}
    assert not any("owned_by" in record for record in output.records("lead_lists"))
    assert {r.path for r in SANDBOX.requests} == {"/api/v2/lead-lists"}
