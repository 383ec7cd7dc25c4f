"""The tap behind Airbyte's protocol: what a platform sends, and what it gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import msgspec
import pytest
from airbyte_protocol_dataclasses.models import AirbyteMessage, ConfiguredAirbyteCatalog

from tap_instantly import airbyte
from tap_instantly.api.redaction import PIECE
from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tests.conftest import (
    UNLIMITED,
    Json,
    captured,
    ids,
    read,
    started,
)
from tests.test_signals import EACH_SIGNAL, IN_TIME, at_request

if t.TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = str(Path(sys.executable).with_name("source-instantly"))


def without_warnings(stderr: str) -> str:
    """Return what a command logs, but for the SDK's warning of an old Python."""
    return re.sub(r".*SingerSDKPythonEOLWarning.*\n.*\n", "", stderr)


class Output:
    """What a command has written: nothing but valid messages."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        """Parse and validate the lines; the log on stderr is empty."""
        self.exit_code = done.returncode
        assert without_warnings(done.stderr) == ""
        self.text = done.stdout
        self.messages: list[Json] = [json.loads(x) for x in done.stdout.splitlines()]
        for message in self.messages:
            msgspec.convert(message, AirbyteMessage)
            assert None not in message.values()
        self.kinds = [message["type"] for message in self.messages]

    def of(self, kind: str, content: str | None = None) -> list[t.Any]:
        """Return the contents of the messages of one type."""
        name = kind.lower() if content is None else content
        return [m[name] for m in self.messages if m["type"] == kind]

    def rows(self, stream: str) -> list[Json]:
        """Return the data of a stream's records."""
        return [r["data"] for r in self.of("RECORD") if r["stream"] == stream]

    def states(self, stream: str) -> list[Json]:
        """Return the states of a stream."""
        return [
            state
            for state in self.of("STATE")
            if state["stream"]["stream_descriptor"] == {"name": stream}
        ]

    def statuses(self, stream: str) -> list[str]:
        """Return what a stream has gone through."""
        found = [trace.get("stream_status") for trace in self.of("TRACE")]
        wanted = {"name": stream}
        return [x["status"] for x in found if x and x["stream_descriptor"] == wanted]

    @property
    def errors(self) -> list[Json]:
        """What has gone wrong."""
        return [trace["error"] for trace in self.of("TRACE") if "error" in trace]

    @property
    def verdict(self) -> Json:
        """Whether the check has succeeded."""
        (verdict,) = self.of("CONNECTION_STATUS", "connectionStatus")
        return t.cast("Json", verdict)


Source = t.Callable[..., Output]


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that writes the input files, and names them as options."""

    def write(**contents: object) -> list[str]:
        options = []
        for name, content in contents.items():
            file = tmp_path / f"{name}.json"
            file.write_text(
                content if isinstance(content, str) else json.dumps(content)
            )
            options += [f"--{name}", str(file)]
        return options

    return write


@pytest.fixture
def source(files: Callable[..., list[str]]) -> Source:
    """Return a function that runs the installed command, as Airbyte does."""

    def run(*arguments: str, **contents: object) -> Output:
        done = subprocess.run(
            [COMMAND, *arguments, *files(**contents)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Output(done)

    return run


def config_of(sandbox: Sandbox, **settings: object) -> Json:
    """Return the settings that read a sandbox."""
    return {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "max_requests_per_minute": UNLIMITED,
        **settings,
    }


def configured(*streams: str, mode: str = "incremental") -> Json:
    """Return a configured catalog."""
    return {
        "streams": [
            {
                "stream": {
                    "name": name,
                    "json_schema": {},
                    "supported_sync_modes": ["full_refresh", "incremental"],
                },
                "sync_mode": mode,
                "destination_sync_mode": "append_dedup",
                "generation_id": 3,
            }
            for name in streams
        ]
    }


def state_of(*messages: Json) -> list[Json]:
    """Return the state that Airbyte hands back: the last of each stream."""
    last = {state["stream"]["stream_descriptor"]["name"]: state for state in messages}
    return [{key: state[key] for key in ("type", "stream")} for state in last.values()]


# spec, check and discover


def test_spec(source: Source) -> None:
    """It describes the settings, in order, and hides the key."""
    output = source("spec")
    assert output.exit_code == 0
    (spec,) = output.of("SPEC")
    schema = spec["connectionSpecification"]
    assert schema["required"] == ["api_key"]
    assert schema["additionalProperties"] is True
    fields = schema["properties"]
    assert [field["order"] for field in fields.values()] == [*range(len(fields))]
    assert [*fields][:3] == ["api_key", "start_date", "end_date"]
    assert all({"title", "description"} <= field.keys() for field in fields.values())
    assert {type(field["type"]) for field in fields.values()} == {str}
    secret = {name for name, field in fields.items() if field.get("airbyte_secret")}
    assert secret == {"api_key"}
    # What destinations do themselves, and the SDK's own settings, are no concern here.
    only_singer = {"emit_activate_version_messages", "report_path", "stream_maps"}
    assert not only_singer & fields.keys()
    assert spec["supportsIncremental"] is True


def test_check(sandbox: Sandbox, source: Source) -> None:
    """One request is enough, and a setting of a former version does no harm."""
    output = source("check", config=config_of(sandbox, former=1))
    assert output.exit_code == 0
    assert output.verdict == {"status": "SUCCEEDED"}
    assert set(output.kinds) == {"LOG", "CONNECTION_STATUS"}
    assert len(sandbox.requests) == 1
    assert {"level": "WARN", "message": "Setting `former` is unknown"} in output.of(
        "LOG"
    )


def test_check_with_a_wrong_key(sandbox: Sandbox, source: Source) -> None:
    """It fails with the tap's sentence, and as a command succeeds."""
    output = source("check", config=config_of(sandbox, api_key="another-key"))
    assert output.exit_code == 0
    assert output.verdict["status"] == "FAILED"
    assert "Instantly does not accept the key" in output.verdict["message"]


def test_check_with_wrong_settings(source: Source) -> None:
    """Each has its sentence."""
    output = source("check", config={"api_key": "", "lookback_days": "x"})
    assert output.exit_code == 0
    assert output.verdict["status"] == "FAILED"
    assert "Setting `api_key` is empty" in output.verdict["message"]
    assert "Setting `lookback_days` must be" in output.verdict["message"]


def test_discover(sandbox: Sandbox, source: Source) -> None:
    """Each stream says how it is keyed, and whether it can be incremental."""
    output = source("discover", config=config_of(sandbox))
    assert output.exit_code == 0
    (catalog,) = output.of("CATALOG")
    found = {stream["name"]: stream for stream in catalog["streams"]}
    assert found.keys() == {stream.name for stream in STREAMS}
    labels, daily = found["lead_labels"], found["account_analytics_daily"]
    assert labels["json_schema"]["properties"]["id"]["type"] == "string"
    assert labels["supported_sync_modes"] == ["full_refresh", "incremental"]
    assert labels["source_defined_cursor"] is True
    assert labels["default_cursor_field"] == ["timestamp_created"]
    assert labels["source_defined_primary_key"] == [["id"]]
    assert daily["source_defined_primary_key"] == [["date"], ["email_account"]]
    # Rows of the latter change without a trace.
    for whole in (found["campaign_analytics"], found["workspace_members"]):
        assert whole["supported_sync_modes"] == ["full_refresh"]
        assert whole["source_defined_cursor"] is False
        assert "default_cursor_field" not in whole
    assert sandbox.requests == []


# read


def test_read(sandbox: Sandbox, source: Source) -> None:
    """The rows are the tap's own; each stream begins, runs and ends with its state."""
    streams = ["lead_labels", "lead_lists"]
    output = source("read", config=config_of(sandbox), catalog=configured(*streams))
    assert output.exit_code == 0
    assert output.errors == []
    for stream in streams:
        rows = read(sandbox, stream).records(stream)
        assert output.rows(stream) == rows
        assert output.statuses(stream) == ["STARTED", "RUNNING", "COMPLETE"]
        (state,) = output.states(stream)
        assert state["type"] == "STREAM"
        assert state["sourceStats"] == {"recordCount": len(rows)}
        assert state["stream"]["stream_state"] == {
            "replication_key": "timestamp_created",
            "replication_key_value": max(row["timestamp_created"] for row in rows),
        }
    emitted = [record["emitted_at"] for record in output.of("RECORD")]
    assert min(emitted) > 1_600_000_000_000
    assert {type(each) for each in emitted} == {int}


def test_order_of_messages(sandbox: Sandbox, source: Source) -> None:
    """A stream's records lie between STARTED and COMPLETE, its state after them."""
    output = source(
        "read", config=config_of(sandbox), catalog=configured("lead_labels")
    )
    kinds = [kind for kind in output.kinds if kind != "LOG"]
    count = len(sandbox.labels.rows)
    assert kinds == ["TRACE", "TRACE", *["RECORD"] * count, "STATE", "TRACE"]


def test_incremental(sandbox: Sandbox, source: Source) -> None:
    """The next read begins at the state of each stream."""
    config, catalog = config_of(sandbox), configured("lead_labels", "lead_lists")
    first = source("read", config=config, catalog=catalog)
    sandbox.labels.add_many(3)
    second = source(
        "read", config=config, catalog=catalog, state=state_of(*first.of("STATE"))
    )
    rows = second.rows("lead_labels")
    assert ids(first.rows("lead_labels")) | ids(rows) == ids(sandbox.labels.rows)
    assert len(rows) == 3 + 1  # the row at the bookmark comes again
    (state,) = second.states("lead_labels")
    assert state["sourceStats"] == {"recordCount": 4}


def test_full_refresh(sandbox: Sandbox, source: Source) -> None:
    """Everything comes again, and no bookmark is left behind."""
    config = config_of(sandbox)
    first = source("read", config=config, catalog=configured("lead_labels"))
    second = source(
        "read",
        config=config,
        catalog=configured("lead_labels", mode="full_refresh"),
        state=state_of(*first.of("STATE")),
    )
    assert second.rows("lead_labels") == first.rows("lead_labels")
    (state,) = second.states("lead_labels")
    assert state["stream"]["stream_state"] == {}
    assert state["sourceStats"] == {"recordCount": len(sandbox.labels.rows)}


def test_stream_that_is_never_incremental(sandbox: Sandbox, source: Source) -> None:
    """It comes whole, whatever is asked; so does one that is not read by default."""
    streams = ("webhook_event_types", "workspace_members")
    output = source("read", config=config_of(sandbox), catalog=configured(*streams))
    assert output.exit_code == 0
    for stream in streams:
        assert output.rows(stream) == read(sandbox, stream).records(stream)
        (state,) = output.states(stream)
        assert state["stream"]["stream_state"] == {}


@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_stream_without_rows(source: Source, mode: str) -> None:
    """It has its state all the same."""
    with Sandbox(labels=0, strict=True) as sandbox:
        catalog = configured("lead_labels", mode=mode)
        output = source("read", config=config_of(sandbox), catalog=catalog)
    assert output.statuses("lead_labels") == ["STARTED", "COMPLETE"]
    (state,) = output.states("lead_labels")
    assert state["sourceStats"] == {"recordCount": 0}


def test_every_stream(source: Source) -> None:
    """Every record reaches Airbyte as it reaches a Singer target."""
    names = [stream.name for stream in STREAMS if stream.name != "emails"]
    with Sandbox(
        labels=3, lists=3, campaigns=4, accounts=4, leads=30, emails=0, strict=True
    ) as sandbox:
        output = source("read", config=config_of(sandbox), catalog=configured(*names))
    assert output.exit_code == 0
    assert output.errors == []
    for name in names:
        assert output.statuses(name)[-1] == "COMPLETE"
        assert sum(
            state["sourceStats"]["recordCount"] for state in output.states(name)
        ) == len(output.rows(name))


@pytest.mark.parametrize("fault", [401, 402, 403])
def test_failing_stream(sandbox: Sandbox, source: Source, fault: int) -> None:
    """It says why and leaves its state alone; the others are read all the same."""
    sandbox.fail("/lead-labels", fault)
    output = source(
        "read",
        config=config_of(sandbox),
        catalog=configured("lead_labels", "lead_lists"),
    )
    assert output.exit_code == 1
    assert output.statuses("lead_labels") == ["STARTED", "INCOMPLETE"]
    assert output.states("lead_labels") == []
    (error,) = output.errors
    assert error["message"].startswith(f"HTTP {fault} from /lead-labels: ")
    assert error["failure_type"] == "config_error"
    assert error["stream_descriptor"] == {"name": "lead_labels"}
    assert output.statuses("lead_lists") == ["STARTED", "RUNNING", "COMPLETE"]
    assert ids(output.rows("lead_lists")) == ids(sandbox.lists.rows)


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (503, "transient_error"),
        (429, "transient_error"),
        ("reset", "transient_error"),
        ("not-json", "system_error"),
    ],
)
def test_kinds_of_failure(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, fault: t.Any, kind: str
) -> None:
    """What another run may mend is told from what only the tap's makers can."""
    sandbox.fail("/lead-labels", fault)
    monkeypatch.setattr(airbyte, "end_in_time", lambda: None)
    source = airbyte.SourceInstantly(airbyte.AirbyteWriter(), config_of(sandbox))
    catalog = msgspec.convert(configured("lead_labels"), ConfiguredAirbyteCatalog)
    with captured() as stdout:
        assert not source.read(catalog)
    text = stdout.getvalue().decode()
    (error,) = Output(subprocess.CompletedProcess([], 0, text, "")).errors
    assert error["failure_type"] == kind


def test_unknown_stream(sandbox: Sandbox, source: Source) -> None:
    """It is refused, and the others are read."""
    catalog = configured("lead_labels", "nonsense")
    output = source("read", config=config_of(sandbox), catalog=catalog)
    assert output.exit_code == 1
    (error,) = output.errors
    assert "There is no stream nonsense" in error["message"]
    assert output.statuses("nonsense") == ["INCOMPLETE"]
    assert output.statuses("lead_labels") == ["STARTED", "RUNNING", "COMPLETE"]


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ({"config": "[]"}, "--config: the file is not an object of settings"),
        ({"config": {}}, "Setting `api_key` is missing"),
        ({"catalog": "{"}, "--catalog: the file is not a configured catalog"),
        ({"catalog": {"streams": [{}]}}, "--catalog: the file is not a configured"),
        ({"catalog": {"streams": []}}, "No stream is selected"),
        ({"state": {"bookmarks": {}}}, "--state: the file is not a list"),
        ({"state": [{"type": "GLOBAL"}]}, "--state: the file is not a list"),
        (
            {
                "state": state_of(
                    {"type": "STREAM", "stream": {"stream_descriptor": {"name": "x"}}}
                )
            },
            "The state is of another tap",
        ),
    ],
)
def test_wrong_input(
    sandbox: Sandbox, source: Source, contents: Json, sentence: str
) -> None:
    """It is refused in a sentence, before the first request."""
    inputs = {"config": config_of(sandbox), "catalog": configured("lead_labels")}
    output = source("read", **(inputs | contents))
    assert output.exit_code == 1
    (error,) = output.errors
    assert sentence in error["message"]
    assert error["failure_type"] == "config_error"
    assert sandbox.requests == []


@pytest.mark.parametrize("state", ["[]", "{}"])
def test_empty_state(sandbox: Sandbox, source: Source, state: str) -> None:
    """It is as good as none."""
    catalog = configured("lead_labels")
    output = source("read", config=config_of(sandbox), catalog=catalog, state=state)
    assert ids(output.rows("lead_labels")) == ids(sandbox.labels.rows)


def test_file_that_is_not_there(source: Source) -> None:
    """It is missed in a sentence."""
    output = source("discover", "--config", "nowhere.json")
    assert output.exit_code == 1
    assert output.errors[0]["message"] == (
        "--config: the file cannot be read (No such file or directory)"
    )


def test_the_key_is_not_written(sandbox: Sandbox, source: Source) -> None:
    """Not even where Instantly repeats it, or the log says all there is."""
    body = json.dumps({"message": f"Invalid key {sandbox.key}"}).encode()
    sandbox.fail("/lead-labels", 401, body=body)
    sandbox.fail("/workspaces/current", 401, body=body)
    config, catalog = config_of(sandbox), configured("lead_labels", "lead_lists")
    outputs = [
        source("read", "--debug", config=config, catalog=catalog),
        source("check", "--debug", config=config),
    ]
    for output in outputs:
        assert "Invalid key" in output.text
        for begin in range(len(sandbox.key) - PIECE + 1):
            assert sandbox.key[begin : begin + PIECE] not in output.text


# The end before the end


@EACH_SIGNAL
def test_signal(
    sandbox: Sandbox,
    files: Callable[..., list[str]],
    signum: int,
    exit_code: int,
) -> None:
    """It ends in time, with the state of what is complete, and says what is not."""
    is_requested = threading.Event()
    at_request(sandbox, 1, is_requested.set, "/lead-lists")
    sandbox.fail("/lead-lists", "hang")
    inputs = files(
        config=config_of(sandbox), catalog=configured("lead_labels", "lead_lists")
    )
    with started(sandbox, [COMMAND, "read", *inputs]) as process:
        assert process.stdout is not None
        begin: list[bytes] = []
        while (
            not begin or b"Starting incremental sync of 'lead_lists'" not in begin[-1]
        ):
            begin.append(process.stdout.readline())
            assert begin[-1]
        assert is_requested.wait(60)
        process.send_signal(signum)
        rest, stderr = process.communicate(timeout=IN_TIME)
    text = (b"".join(begin) + rest).decode()
    output = Output(
        subprocess.CompletedProcess([], process.returncode, text, stderr.decode())
    )
    assert output.exit_code == exit_code
    assert output.statuses("lead_labels") == ["STARTED", "RUNNING", "COMPLETE"]
    (state,) = output.states("lead_labels")
    assert "replication_key_value" in state["stream"]["stream_state"]
    assert output.statuses("lead_lists") == ["STARTED", "INCOMPLETE"]
    for state in output.states("lead_lists"):
        assert state["stream"]["stream_state"] == {}


def test_reader_that_goes_away(files: Callable[..., list[str]]) -> None:
    """The run ends without a traceback."""
    with Sandbox(labels=5_000, strict=True) as sandbox:
        inputs = files(config=config_of(sandbox), catalog=configured("lead_labels"))
        with started(sandbox, [COMMAND, "read", *inputs]) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr is not None
            assert without_warnings(process.stderr.read().decode()) == ""
            assert process.wait(60) == 1


def test_log_lines_stay_whole(source: Source) -> None:
    """Other threads log while records are written."""
    with Sandbox(labels=2_000, lists=2_000, strict=True) as sandbox:
        sandbox.fail("/lead-lists", 503, times=1)
        output = source(
            "read",
            "--debug",
            config=config_of(sandbox),
            catalog=configured("lead_labels", "lead_lists"),
        )
    assert len(output.rows("lead_labels")) == 2_000
    assert len(output.rows("lead_lists")) == 2_000
    assert "DEBUG" in {log["level"] for log in output.of("LOG")}


def test_without_the_extra(tmp_path: Path) -> None:
    """It says what to install."""
    (tmp_path / "airbyte_protocol_dataclasses.py").write_text(
        "raise ModuleNotFoundError(name='airbyte_protocol_dataclasses')"
    )
    done = subprocess.run(
        [COMMAND, "spec"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == "source-instantly needs: pip install 'tap-instantly[airbyte]'\n"
    )
