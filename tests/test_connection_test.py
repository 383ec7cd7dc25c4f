"""`--test`: what can be read, stream by stream."""

from __future__ import annotations

import re
import time
import typing as t

import pytest
from singer_sdk.exceptions import FatalSyncError

from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tap_instantly.tap_base import TEST_PATIENCE
from tests.conftest import captured, catalog_of, tap_of

if t.TYPE_CHECKING:
    from tests.conftest import Command

SELECTED = sorted(stream.name for stream in STREAMS if stream.selected_by_default)
VERDICT = re.compile(
    r"(\w+): (readable|forbidden|no plan|not there)(?:: (.*))?$", re.MULTILINE
)


def test_all_can_be_read(tap: Command, sandbox: Sandbox) -> None:
    """Each selected stream has one line, and the verdict is good."""
    done = tap("--test", sandbox=sandbox)
    assert done.exit_code == 0
    found = VERDICT.findall(done.stderr)
    assert sorted(name for name, *_ in found) == SELECTED
    assert {outcome for _, outcome, _ in found} == {"readable"}
    assert f"All {len(SELECTED)} streams can be read" in done.stderr
    assert "unhandled error" not in done.stderr
    assert "ERROR" not in done.stderr


def test_all_are_tried(tap: Command, sandbox: Sandbox) -> None:
    """A stream that cannot be read does not hide the others."""
    faults = {"/lead-labels": 403, "/campaigns": 402, "/custom-tags": 404}
    for path, status in faults.items():
        sandbox.fail(path, status)
    done = tap("--test", sandbox=sandbox)
    assert done.exit_code == 1
    found = {
        name: (outcome, why) for name, outcome, why in VERDICT.findall(done.stderr)
    }
    assert sorted(found) == SELECTED
    assert found["lead_labels"][0] == "forbidden"
    assert "`lead-labels:read`" in found["lead_labels"][1]
    assert found["campaigns"][0] == "no plan"
    assert found["custom_tags"][0] == "not there"
    assert found["lead_lists"] == ("readable", "")
    unreadable = [name for name, (outcome, _) in found.items() if outcome != "readable"]
    assert f"{len(unreadable)} of {len(SELECTED)} streams cannot be read" in done.stderr
    assert len(VERDICT.findall(done.stderr)) == len(SELECTED)
    assert "unhandled error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_streams_of_a_catalog(tap: Command, sandbox: Sandbox) -> None:
    """With a catalog, the streams that are selected there are tried."""
    catalog = catalog_of("lead_labels", "workspace_members")
    done = tap("--test", sandbox=sandbox, catalog=catalog)
    assert done.exit_code == 0
    found = VERDICT.findall(done.stderr)
    assert {name for name, *_ in found} == {"lead_labels", "workspace_members"}


def test_streams_of_a_tap(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A tap object tries the streams that it is given, all of them."""
    tap = tap_of(sandbox, catalog=catalog_of("lead_labels", "lead_lists"))
    chosen = [tap.streams["lead_labels"], tap.streams["lead_lists"]]
    with captured():
        assert tap.run_sync_dry_run(streams=chosen)
    sandbox.fail("/lead-labels", 403)
    with captured(), pytest.raises(FatalSyncError, match="1 of 2 streams"):
        tap.run_sync_dry_run(streams=chosen)
    assert "lead_labels: forbidden: HTTP 403" in caplog.text
    assert "unhandled error" not in caplog.text


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_unreachable_host(
    monkeypatch: pytest.MonkeyPatch, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A host that does not answer is given up after 15 seconds, for all streams."""
    now = begin = 1_000.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def monotonic() -> float:
        return now

    def connect(_: object, timeout: float, *__: object, **___: object) -> t.NoReturn:
        nonlocal now
        now += timeout if kind == "silent" else 0
        raise TimeoutError if kind == "silent" else ConnectionRefusedError

    with Sandbox(labels=1, lists=1) as sandbox:
        tap = tap_of(sandbox)
    streams = [tap.streams["lead_labels"], tap.streams["lead_lists"]]
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", monotonic)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    with captured(), pytest.raises(FatalSyncError, match="2 of 2 streams"):
        tap.run_sync_dry_run(streams=streams)
    for stream in streams:
        assert f"{stream.name}: cannot be reached: " in caplog.text
    assert now - begin <= TEST_PATIENCE == 15
