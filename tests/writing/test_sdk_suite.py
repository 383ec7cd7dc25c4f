"""The SDK's own suite for targets, as far as it applies.

Its inputs are tables of invented names, which no target of an API can write. A stream
map makes tags of their rows, so that all of its tests apply but one: a record that
lacks a key property must end the run there, and is one reject of several here.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import singer_sdk.testing
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import TargetRecordMissingKeyProperty

from tap_instantly.sandbox import Sandbox
from tap_instantly.target.target import TargetInstantly
from tests.conftest import UNLIMITED
from tests.writing.runs import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS = sorted(
    Path(singer_sdk.testing.__file__).with_name("target_test_streams").glob("*.singer")
)


def streams_of(path: Path) -> set[str]:
    """Return the names of an input's streams."""
    messages = map(json.loads, path.read_text("utf-8").splitlines())
    return {message["stream"] for message in messages if "stream" in message}


# The suite needs the configuration while pytest still collects.
SANDBOX = Sandbox(tags=0, strict=True)
SANDBOX.start()

CONFIG = {
    "api_key": SANDBOX.key,
    "api_url": SANDBOX.url,
    "max_requests_per_minute": UNLIMITED,
}
AS_TAGS = {
    "__alias__": "custom_tags",
    "__key_properties__": ["label"],
    "label": "md5(str(record))",
    "__else__": None,
}

TestSdkSuite = get_target_test_class(
    TargetInstantly,
    config=CONFIG
    | {"stream_maps": {s: AS_TAGS for path in INPUTS for s in streams_of(path)}},
    include_target_tests=False,
    custom_suites=[
        SingerTestSuite(
            kind="target",
            tests=[
                test
                for test in target_tests.tests
                if test is not TargetRecordMissingKeyProperty
            ],
        )
    ],
)


@pytest.fixture(scope="module", autouse=True)
def _stop_sandbox() -> Iterator[None]:
    yield
    SANDBOX.stop()
    assert SANDBOX.ledger


@pytest.mark.parametrize(
    "path",
    [p for p in INPUTS if p.stem not in ("invalid_schema", "record_before_schema")],
    ids=lambda path: path.stem,
)
def test_refuses_unknown_streams(path: Path) -> None:
    """Without a map, a stream is refused at its SCHEMA, in a sentence."""
    target = TargetInstantly(config=CONFIG)
    with (
        path.open(encoding="utf-8") as file,
        pytest.raises(ConfigurationError) as caught,
    ):
        target.listen(file)
    assert all(stream in str(caught.value) for stream in STREAMS)


def test_shows_no_setting_without_effect() -> None:
    """The SDK has settings for targets of databases, which would do nothing here."""
    known: t.Any = TargetInstantly.config_jsonschema["properties"]
    assert not {"load_method", "batch_size_rows", "add_record_metadata"} & {*known}
