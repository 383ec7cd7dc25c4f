"""Keys that a catalog changes: obeyed where that can be right, refused otherwise."""

from __future__ import annotations

import typing as t

import pytest

from tap_instantly.streams import STREAMS
from tap_instantly.tap import TapInstantly
from tests.conftest import Json, catalog_of, sync

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Command, Output

INCREMENTAL = "timestamp_created"
"""The replication key of `lead_labels`."""


def changed(stream: str, entry: Json | None = None, **root: t.Any) -> Json:
    """Return a catalog that selects a stream, with another entry or other metadata."""
    catalog = catalog_of(stream)
    [chosen] = catalog["streams"]
    chosen.update(entry or {})
    [metadata] = [m["metadata"] for m in chosen["metadata"] if not m["breadcrumb"]]
    metadata.update({name.replace("_", "-"): value for name, value in root.items()})
    return catalog


def schema_message(output: Output, stream: str = "lead_labels") -> Json:
    """Return the SCHEMA message of a stream."""
    [message] = [m for m in output.of("SCHEMA") if m["stream"] == stream]
    return message


LONGER = ["organization_id", "id"]


@pytest.mark.parametrize(
    "catalog",
    [
        changed("lead_labels", {"key_properties": LONGER}),
        changed("lead_labels", table_key_properties=LONGER),
        changed("lead_labels", {"key_properties": LONGER}, table_key_properties=LONGER),
        changed("lead_labels", {"key_properties": None}, table_key_properties=LONGER),
        changed("lead_labels", {"key_properties": LONGER}, table_key_properties=None),
    ],
    ids=["beside", "metadata", "both", "metadata only", "beside only"],
)
def test_longer_keys(sandbox: Sandbox, catalog: Json) -> None:
    """A loader may merge by more than the entity's key, wherever that is said."""
    output = sync(sandbox, catalog=catalog)
    assert schema_message(output)["key_properties"] == LONGER
    assert len(output.records("lead_labels")) == len(sandbox.labels)


def test_keys_in_another_order(sandbox: Sandbox) -> None:
    """The order of an index is the user's choice."""
    keys = ["email_account", "date"]
    catalog = changed("account_analytics_daily", table_key_properties=keys)
    output = sync(sandbox, catalog=catalog)
    message = schema_message(output, "account_analytics_daily")
    assert message["key_properties"] == keys


def test_a_longer_key_is_always_selected(sandbox: Sandbox) -> None:
    """A record without its key could not be loaded."""
    catalog = changed("lead_labels", table_key_properties=LONGER)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"]:
            entry["metadata"] = {"selected": False}
    output = sync(sandbox, catalog=catalog)
    expected = {*LONGER, INCREMENTAL}
    assert schema_message(output)["schema"]["properties"].keys() == expected
    assert {*output.records("lead_labels")[0]} == expected


@pytest.mark.parametrize("method", ["INCREMENTAL", None])
def test_keys_that_are_left_out(sandbox: Sandbox, method: str | None) -> None:
    """A catalog without keys means the stream's own, not none."""
    catalog = catalog_of("lead_labels")
    [entry] = catalog["streams"]
    entry["metadata"] = [{"breadcrumb": [], "metadata": {"selected": True}}]
    for name in ("key_properties", "replication_key", "replication_method"):
        del entry[name]
    if method:
        entry["replication_method"] = method
    output = sync(sandbox, catalog=catalog)
    message = schema_message(output)
    assert message["key_properties"] == ["id"]
    assert message["bookmark_properties"] == [INCREMENTAL]
    assert output.bookmark("lead_labels")


def test_without_metadata(sandbox: Sandbox) -> None:
    """Whatever has no metadata is selected."""
    catalog = catalog_of("lead_labels")
    catalog["streams"][0] |= {"metadata": [], "key_properties": LONGER}
    output = sync(sandbox, catalog=catalog)
    assert schema_message(output)["key_properties"] == LONGER
    assert output.records("lead_labels") == sandbox.labels.rows


def test_what_is_discovered_is_accepted(sandbox: Sandbox) -> None:
    """No stream refuses its own entry."""
    catalog = catalog_of(*(stream.name for stream in STREAMS))
    tap = TapInstantly(config={"api_key": sandbox.key}, catalog=catalog)
    for stream in tap.streams.values():
        assert tuple(stream.primary_keys) == tuple(type(stream).primary_keys)  # type: ignore[arg-type]  # not the SDK's property
        assert stream.replication_key == stream.bookmark_key  # type: ignore[attr-defined]  # of InstantlyStream


LACKS = "lead_labels: the catalog's `{}` lacks `id`, without which rows cannot be told"
NAMES = 'lead_labels: the catalog\'s `{}` names "{}", but the stream is incremental on'
UNKNOWN = 'lead_labels: the catalog\'s schema lacks the key field "{}"'

REFUSED: dict[str, tuple[Json, str]] = {
    "shorter keys": (
        changed("lead_labels", {"key_properties": ["label"]}),
        LACKS.format("key_properties"),
    ),
    "shorter keys in the metadata": (
        changed("lead_labels", table_key_properties=["label"]),
        LACKS.format("table-key-properties"),
    ),
    "no keys": (
        changed("lead_labels", {"key_properties": []}),
        LACKS.format("key_properties"),
    ),
    "no keys in the metadata": (
        changed("lead_labels", table_key_properties=[]),
        LACKS.format("table-key-properties"),
    ),
    "half a key": (
        changed("account_analytics_daily", table_key_properties=["date"]),
        "account_analytics_daily: the catalog's `table-key-properties` lacks",
    ),
    "an unknown key": (
        changed("lead_labels", {"key_properties": ["id", "colour"]}),
        UNKNOWN.format("colour"),
    ),
    "an unknown key in the metadata": (
        changed("lead_labels", table_key_properties=["id", "colour"]),
        UNKNOWN.format("colour"),
    ),
    "a key that the schema does not have any more": (
        changed(
            "lead_labels", {"schema": {"properties": {"label": {"type": "string"}}}}
        ),
        UNKNOWN.format("id"),
    ),
    "no schema": (changed("lead_labels", {"schema": {}}), UNKNOWN.format("id")),
    "a key that is not in a list": (
        changed("lead_labels", table_key_properties="id"),
        "lead_labels: the catalog's `table-key-properties` is not a list",
    ),
    "a key that is no text": (
        changed("lead_labels", {"key_properties": ["id", {"of": 1}]}),
        "lead_labels: the catalog's schema lacks the key field",
    ),
    "another replication key": (
        changed("lead_labels", {"replication_key": "id"}),
        NAMES.format("replication_key", "id"),
    ),
    "another replication key in the metadata": (
        changed("lead_labels", replication_key="timestamp_updated"),
        NAMES.format("replication-key", "timestamp_updated"),
    ),
    "other valid replication keys": (
        changed("lead_labels", valid_replication_keys=[INCREMENTAL, "label"]),
        NAMES.format("valid-replication-keys", "label"),
    ),
    "a creation for an update": (
        changed("leads", replication_key="timestamp_created"),
        "on `timestamp_updated` only",
    ),
    "a replication key for a stream without": (
        changed("webhook_event_types", replication_key="timestamp_created"),
        "webhook_event_types: the catalog's `replication-key` names",
    ),
    "a replication key that is no text": (
        changed("lead_labels", replication_key=["label\n"]),
        r'names ["label\n"], but the stream is incremental on',
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(tap: Command, sandbox: Sandbox, name: str) -> None:
    """One sentence names the stream and the field, before the first request."""
    catalog, sentence = REFUSED[name]
    output = tap(sandbox=sandbox, catalog=catalog)
    assert output.exit_code == 1
    assert not output.messages
    assert not sandbox.requests
    assert sentence in output.stderr
    assert "Traceback" not in output.stderr
    assert output.stderr.count("catalog's") == 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_selected_is_not_refused(sandbox: Sandbox, name: str) -> None:
    """Nobody reads it, so it does no harm."""
    catalog, _ = REFUSED[name]
    [entry] = catalog["streams"]
    metadata = [
        {"breadcrumb": m["breadcrumb"], "metadata": m["metadata"] | {"selected": False}}
        for m in entry["metadata"]
    ]
    streams = [entry | {"metadata": metadata}, *catalog_of("lead_lists")["streams"]]
    output = sync(sandbox, catalog={"streams": streams})
    assert output.records("lead_lists") == sandbox.lists.rows
    assert {m["stream"] for m in output.of("SCHEMA")} == {"lead_lists"}


def test_after_a_deselected_stream(sandbox: Sandbox) -> None:
    """Its bookmark stays in the state, for the day that it is selected again."""
    both = sync(sandbox).state
    output = sync(sandbox, both, catalog_of("lead_lists"))
    assert output.state["bookmarks"]["lead_labels"] == both["bookmarks"]["lead_labels"]
    assert "lead_labels" not in {m.get("stream") for m in output.messages}
