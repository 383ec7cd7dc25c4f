"""The command line: its files, --test, --discover, --about and --version."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from importlib.metadata import version

import pytest

from tap_instantly.streams import STREAMS
from tests.conftest import (
    CATALOG_FILE,
    COMMAND,
    DEFAULT_STREAMS,
    clean_environment,
    environment_for,
)

if t.TYPE_CHECKING:
    from pathlib import Path

    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Command, Json, Output

SETTINGS = {
    "api_key": None,
    "start_date": None,
    "end_date": None,
    "lookback_days": 0,
    "api_url": "https://api.instantly.ai/api/v2",
    "user_agent": f"tap-instantly/{version('tap-instantly')}",
    "emit_activate_version_messages": False,
}

NOT_OBJECTS = {
    "empty": "",
    "not JSON": "api_key: made-up-canary",
    "cut off": '{"api_key": "made-up-canary"',
    "an array": "[]",
    "an array of a number": "[1]",
    "a text": '"made-up-canary"',
    "null": "null",
}
NOT_STATES = {
    "bookmarks null": '{"bookmarks": null}',
    "bookmarks an array": '{"bookmarks": []}',
    "a stream's bookmark null": '{"bookmarks": {"lead_labels": null}}',
    "a stream's bookmark a text": '{"bookmarks": {"lead_labels": "2026-01-31"}}',
}
NOT_CATALOGS = {
    "streams null": '{"streams": null}',
    "a stream as a text": '{"streams": ["lead_labels"]}',
    "a stream without a name": '{"streams": [{"schema": {"properties": {}}}]}',
}
FILES = [
    pytest.param(option, text, id=f"{option}: {name}")
    for option, own in {
        "config": {},
        "state": NOT_STATES,
        "catalog": NOT_CATALOGS,
    }.items()
    for name, text in (NOT_OBJECTS | own).items()
]


def command(
    *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the tap in a mode that writes no messages, and without an API."""
    env = clean_environment() | {"TAP_INSTANTLY_API_URL": "http://127.0.0.1:9"}
    return subprocess.run(
        [COMMAND, *arguments],
        env=env | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def check_refused(
    done: Output | subprocess.CompletedProcess[str], sandbox: Sandbox | None = None
) -> None:
    """Expect no traceback, no secret, no output and no request."""
    assert "Traceback" not in done.stderr
    assert "made-up-canary" not in done.stdout + done.stderr
    assert done.stdout == ""
    if sandbox is not None:
        assert sandbox.requests == []


@pytest.mark.parametrize(("option", "text"), FILES)
def test_file_with_something_else(
    tap: Command, sandbox: Sandbox, option: str, text: str
) -> None:
    """A file with other content than the option needs is refused in one sentence."""
    done = tap(sandbox=sandbox, **{option: text})
    check_refused(done, sandbox)
    assert done.exit_code == 1
    errors = [line for line in done.stderr.splitlines() if "| ERROR" in line]
    assert len(errors) == 1, errors
    assert option in errors[0]


def test_array_of_settings(tap: Command, sandbox: Sandbox) -> None:
    """An array of pairs is not a configuration, although `dict` would take it."""
    pairs = json.dumps([["api_key", sandbox.key], ["api_url", sandbox.url]])
    done = tap(config=pairs)
    check_refused(done, sandbox)
    assert done.exit_code == 1


@pytest.mark.parametrize("path", ["made-up.json", "."], ids=["missing", "a directory"])
@pytest.mark.parametrize("option", ["config", "state", "catalog"])
def test_file_that_cannot_be_read(tmp_path: Path, option: str, path: str) -> None:
    """A missing file is reported in a sentence."""
    done = command(
        f"--{option}={path}", cwd=tmp_path, TAP_INSTANTLY_API_KEY="made-up-canary"
    )
    check_refused(done)
    assert done.returncode in ({1} if option == "config" else {1, 2})
    line = done.stderr.splitlines()[-1]
    assert f"--{option}" in line
    assert "None" not in line, line


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
def test_file_without_a_name(tmp_path: Path, option: str) -> None:
    """An empty path, as from an unset shell variable, is refused in a sentence."""
    done = command(f"--{option}=", cwd=tmp_path, TAP_INSTANTLY_API_KEY="made-up-canary")
    check_refused(done)
    assert done.returncode in {1, 2}


@pytest.mark.parametrize("config", ["made-up.json", ""], ids=["missing", "none"])
@pytest.mark.parametrize("mode", ["--test", "--discover"])
def test_modes_refuse_the_same_file(tmp_path: Path, mode: str, config: str) -> None:
    """The other modes read `--config` as a sync does."""
    done = command(mode, f"--config={config}", cwd=tmp_path)
    check_refused(done)
    assert done.returncode == 1


def test_connection(tap: Command, sandbox: Sandbox) -> None:
    """With a good key, `--test` succeeds and reports no error."""
    done = tap("--test", sandbox=sandbox)
    assert done.exit_code == 0
    requested = {request.path.removeprefix("/api/v2") for request in sandbox.requests}
    chosen = {stream.path for stream in STREAMS if stream.selected_by_default}
    assert requested == chosen | {"/ai-agents"}  # which have campaigns of their own
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/lead-labels", 401, "`api_key`"),
        ("/lead-lists", 403, "`lead_lists:read`"),
        ("/lead-lists", 404, "`api_url`"),
    ],
)
def test_connection_fails(
    tap: Command, sandbox: Sandbox, path: str, kind: int, words: str
) -> None:
    """`--test` says why a stream cannot be read."""
    sandbox.fail(path, kind)
    done = tap("--test", sandbox=sandbox)
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert sandbox.key not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"api_key": "made-up-canary-not-known"}, "api_key"),
        ({"api_key": "made-up-canary\n"}, "api_key"),
        ({"start_date": "made-up"}, "start_date"),
        ({"api_key": None}, "api_key"),
    ],
    ids=["wrong key", "line break", "no date", "no key"],
)
def test_connection_with_wrong_settings(
    tap: Command, sandbox: Sandbox, settings: Json, name: str
) -> None:
    """`--test` names the setting to correct."""
    config = {"api_key": sandbox.key, "api_url": sandbox.url} | settings
    done = tap("--test", config=config)
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    assert "made-up-canary" not in done.stdout + done.stderr
    assert f"`{name}`" in done.stderr


def test_discover(tmp_path: Path) -> None:
    """The catalog needs no configuration, and describes every property."""
    done = command("--discover", cwd=tmp_path)
    assert done.returncode == 0
    streams = json.loads(done.stdout)["streams"]
    names = [stream["tap_stream_id"] for stream in streams]
    assert len(set(names)) == len(names) == len(STREAMS)
    for stream in streams:
        properties = stream["schema"]["properties"]
        assert set(stream["key_properties"]) <= properties.keys()
        if stream["tap_stream_id"] in DEFAULT_STREAMS:
            assert stream["key_properties"] == ["id"]
            assert stream["replication_key"] == "timestamp_created"
            assert stream["replication_method"] == "INCREMENTAL"
        assert all(each["description"].strip() for each in properties.values())
        breadcrumbs = [tuple(entry["breadcrumb"]) for entry in stream["metadata"]]
        assert () in breadcrumbs
        assert {("properties", name) for name in properties} <= set(breadcrumbs)


def test_about(tmp_path: Path) -> None:
    """Every setting has a description and its default; the key alone is secret."""
    done = command("--about", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0
    about = json.loads(done.stdout)["settings"]
    assert about["required"] == ["api_key"]
    assert SETTINGS.keys() <= about["properties"].keys()
    for name, setting in about["properties"].items():
        assert setting["description"].strip(), name
        assert bool(setting.get("secret")) is (name == "api_key")
    for name, default in SETTINGS.items():
        assert about["properties"][name].get("default") == default


@pytest.mark.parametrize("mode", ["--discover", "--about", "--version", "--help"])
def test_help_needs_no_settings(tmp_path: Path, mode: str) -> None:
    """Modes that only inform work even with wrong settings."""
    done = command(mode, cwd=tmp_path, TAP_INSTANTLY_START_DATE="made-up")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "tap-instantly" in done.stdout or mode == "--discover"
    if mode == "--version":
        assert version("tap-instantly") in done.stdout


@pytest.mark.parametrize("level", ["debug", "WARNING"])
def test_log_level(tap: Command, sandbox: Sandbox, level: str) -> None:
    """`--log-level` sets how much is logged."""
    done = tap("--log-level", level, sandbox=sandbox)
    assert done.exit_code == 0
    assert ("METRIC" in done.stderr) == (level == "debug")


def test_key_in_the_log(tap: Command, sandbox: Sandbox) -> None:
    """Wherever the key or a piece of it turns up, the log has stars instead."""
    key = sandbox.key
    for name in (key, key[5:30], f"x{key[-9:]}"):
        done = tap(sandbox=sandbox, state={"bookmarks": {name: {}}})
        assert done.exit_code == 1
        assert "*" * min(len(name) - 1, 8) in done.stderr
        assert not any(key[i : i + 8] in done.stderr for i in range(len(key) - 7))


def test_catalog_with_an_invalid_schema(tap: Command, sandbox: Sandbox) -> None:
    """The message names the catalog as the cause."""
    for wrong in ("frob", 5, [5]):
        schema = {"properties": {"id": {"type": wrong}}}
        entry = {"tap_stream_id": "lead_labels", "schema": schema, "metadata": []}
        done = tap(sandbox=sandbox, catalog={"streams": [entry]})
        assert done.exit_code == 1
        assert "--catalog: the file is not a catalog" in done.stderr


A_HUNDRED_RUNS = """
import sys, threading
from click.testing import CliRunner
from tap_instantly.tap import TapInstantly
def run():
    arguments = ["--catalog", sys.argv[1]]
    assert CliRunner().invoke(TapInstantly.cli, arguments).exit_code == 0
    return threading.active_count()
first = run()
assert {run() for _ in range(100)} == {first}
"""


def test_a_hundred_commands_in_one_process(sandbox: Sandbox) -> None:
    """They leave no thread behind."""
    command = [sys.executable, "-c", A_HUNDRED_RUNS, str(CATALOG_FILE)]
    env = environment_for(sandbox)
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
