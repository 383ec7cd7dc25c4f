"""Member workspaces: the tap and the target on behalf of one of a group."""

from __future__ import annotations

import io
import json
import typing as t

import pytest
from singer_sdk.exceptions import ConfigurationError, ConfigValidationError

from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tap_instantly.tap import TapInstantly
from tap_instantly.target.target import TargetInstantly
from tests.conftest import Output, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def group() -> Iterator[Sandbox]:
    """Return an admin workspace with eight members."""
    with Sandbox(labels=12, lists=3, leads=30, workspaces=8, strict=True) as sandbox:
        yield sandbox


def member(group: Sandbox, status: str = "accepted") -> str:
    """Return the id of a member that has a plan."""
    for row in group.group.rows:
        if row["status"] == status and row["sub_workspace_id"] != unpaid(group):
            return str(row["sub_workspace_id"])
    raise LookupError(status)


def read(group: Sandbox, workspace: str | None, stream: str) -> Output:
    """Read a stream of a member, as a catalog discovered with the setting says."""
    config = {"api_key": group.key, "workspace_id": workspace}
    entries = TapInstantly(config=config).catalog_dict["streams"]
    chosen = [entry for entry in entries if entry["tap_stream_id"] == stream]
    return sync(group, None, {"streams": chosen}, workspace_id=workspace)


def unpaid(group: Sandbox) -> str:
    """Return the id of the member that has no plan."""
    return group.group.admin.member(5).organization


@pytest.mark.parametrize("stream", ["lead_labels", "leads"])
def test_rows_of_a_member(group: Sandbox, stream: str) -> None:
    """They are the member's, with its id as a column and in the key."""
    workspace = member(group)
    output = read(group, workspace, stream)
    theirs = group.group.tables(workspace)[stream]
    records = output.records(stream)
    assert {record["id"] for record in records} == {row["id"] for row in theirs.rows}
    assert {record["workspace_id"] for record in records} == {workspace}
    headers = [{k.lower(): v for k, v in r.headers.items()} for r in group.requests]
    assert {one["x-as-workspace"] for one in headers} == {workspace}


def test_keys_and_schemas(group: Sandbox) -> None:
    """Every stream has the column, described, as the first part of its key."""
    config = {"api_key": group.key, "workspace_id": member(group)}
    catalog = TapInstantly(config=config).catalog_dict["streams"]
    assert len(catalog) == len(STREAMS)
    for entry in catalog:
        assert entry["key_properties"][0] == "workspace_id", entry["tap_stream_id"]
        assert entry["key_properties"].count("workspace_id") == 1
        column = entry["schema"]["properties"]["workspace_id"]
        assert column["type"] == "string"
        assert column["description"]


def test_nothing_changes_without(group: Sandbox) -> None:
    """No header, no column, no other key."""
    output = read(group, None, "lead_labels")
    assert all("workspace_id" not in row for row in output.records("lead_labels"))
    assert not any(request.workspace for request in group.requests)


def test_a_catalog_of_a_member_without_its_workspace(group: Sandbox) -> None:
    """Rows would lack a part of the key, so the run is refused."""
    config = {"api_key": group.key, "workspace_id": member(group)}
    entries = TapInstantly(config=config).catalog_dict["streams"]
    labels = [entry for entry in entries if entry["tap_stream_id"] == "lead_labels"]
    with pytest.raises(
        ConfigurationError, match="the catalog's key has `workspace_id`"
    ):
        sync(group, None, {"streams": labels})
    plans = "workspace_billing_subscriptions"  # has such a column of its own
    entries = [entry for entry in entries if entry["tap_stream_id"] == plans]
    assert sync(group, None, {"streams": entries}).records(plans)


@pytest.mark.parametrize("kind", ["pending", "rejected", "unpaid", "unknown"])
def test_refusals_name_the_workspace(group: Sandbox, kind: str) -> None:
    """Instantly answers 402 or 403; the other workspaces can still be read."""
    workspace = {"unpaid": unpaid(group), "unknown": "nobodys"}.get(kind)
    workspace = workspace or member(group, kind)
    output = read(group, workspace, "lead_labels")
    assert output.tap is not None
    failure = str(output.tap.stats["lead_labels"].failure)
    status = 402 if kind == "unpaid" else 403
    assert failure.startswith(
        f"HTTP {status} from /lead-labels of workspace {workspace}"
    )


def test_versions_are_refused(group: Sandbox) -> None:
    """A target would drop the rows of all other workspaces."""
    config = {
        "api_key": group.key,
        "workspace_id": member(group),
        "emit_activate_version_messages": True,
    }
    with pytest.raises(ConfigValidationError) as caught:
        TapInstantly(config=config)
    assert "would drop the rows of all other workspaces" in str(caught.value.errors)


def test_target_writes_to_a_member(group: Sandbox) -> None:
    """The row is there, and in no other workspace."""
    workspace = member(group)
    config = {"api_key": group.key, "api_url": group.url, "workspace_id": workspace}
    schema = {"properties": {"label": {"type": "string"}}}
    messages = [
        {
            "type": "SCHEMA",
            "stream": "lead_labels",
            "schema": schema,
            "key_properties": ["label"],
        },
        {
            "type": "RECORD",
            "stream": "lead_labels",
            "record": {
                "label": "Brand new",
                "interest_status_label": "positive",
                "workspace_id": workspace,
            },
        },
    ]
    lines = "".join(json.dumps(message) + "\n" for message in messages)
    TargetInstantly(config=config).listen(io.StringIO(lines))
    theirs = group.group.tables(workspace)["lead_labels"]
    assert "Brand new" in {row["label"] for row in theirs.rows}
    assert "Brand new" not in {row["label"] for row in group.labels.rows}
