"""Errors of the API: each is reported in a sentence, and no row is lost."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from tap_instantly.sandbox import Sandbox
from tests.conftest import (
    CATALOG_FILE,
    COMMAND,
    Output,
    environment_for,
    started,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_instantly.sandbox.http.faults import Kind
    from tests.conftest import Command, Json

PATHS = {"lead_labels": "/lead-labels", "lead_lists": "/lead-lists"}
OLD = "2020-01-01T00:00:00.000Z"
REMEDY = re.compile(r"\b(change|check|correct|give|report|run|see|set|upgrade|use)\b")

Case = tuple["int | Kind", bytes | None, str]
"""A fault, the body of the response, and a pattern that the message must match."""
Outcome = tuple[Output, Sandbox]

REFUSALS: dict[str, Case] = {
    "401": (401, None, r"401.*`api_key`"),
    "402": (402, None, r"402.*(plan|billing)"),
    "403 HTML": ("html403", None, r"403.*edge"),
    "404": (404, None, r"404.*`api_url`"),
    "400": (400, None, r"400"),
    "413": (413, None, r"413"),
    "201": (201, b'{"items":[]}', r"201"),
    "no key": (200, b'{"items":[{"label":"x"}]}', r"`id`"),
}

MALFORMED: dict[str, Case] = {
    "not JSON": ("not-json", None, r"not JSON"),
    "empty": (200, b"", r"not JSON"),
    "half a page": (200, b'{"items":[{"id":"1"}', r"not JSON"),
    "no items": ("no-items", None, r"items"),
    "items null": ("items-null", None, r"items"),
    "items an object": (200, b'{"items":{"id":"1"}}', r"items"),
    "an array": ("not-object", None, r"items|array|object"),
    "items of text": (200, b'{"items":["one"]}', r"items"),
    "items of null": (200, b'{"items":[null]}', r"items"),
    "one item of a number": (200, b'{"items":[{"id":"1"},2]}', r"items"),
    "cursor a number": (200, b'{"items":[],"next_starting_after":5}', r"cursor|next"),
    "nested too deep": (200, b"[" * 100_000, r"JSON"),
}


def entry(value: str) -> Json:
    """Return a stream's part of the state."""
    return {"replication_key": "timestamp_created", "replication_key_value": value}


STATE = {"bookmarks": {stream: entry(OLD) for stream in PATHS}}


def check_failed(done: Output, sandbox: Sandbox, stream: str, pattern: str) -> None:
    """Expect one line for the failed stream, and the other stream complete."""
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    assert sandbox.key not in done.stdout + done.stderr
    lines = [
        line
        for line in done.stderr.splitlines()
        if "| ERROR" in line and f"{stream}: " in line
    ]
    assert len(lines) == 1, lines
    message = lines[0].split(f"{stream}: ", 1)[1]
    assert re.search(pattern, message), message
    assert REMEDY.search(message), f"no remedy in: {message}"
    other = next(name for name in PATHS if name != stream)
    rows = (sandbox.labels if other == "lead_labels" else sandbox.lists).rows
    assert sorted(done.ids(other)) == sorted(row["id"] for row in rows)
    assert done.bookmark(stream) == OLD
    assert done.bookmark(other) == rows[0]["timestamp_created"]


@pytest.mark.parametrize(("kind", "body", "pattern"), REFUSALS.values(), ids=REFUSALS)
def test_refusal(
    tap: Command, sandbox: Sandbox, kind: int | Kind, body: bytes | None, pattern: str
) -> None:
    """A refused request stops only its own stream, with a sentence."""
    sandbox.fail("/lead-labels", kind, body=body)
    done = tap(sandbox=sandbox, state=STATE)
    check_failed(done, sandbox, "lead_labels", pattern)
    assert done.ids("lead_labels") == []


@pytest.fixture(scope="module")
def malformed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Return a run for each malformed page; they run side by side, since each waits."""
    state = tmp_path_factory.mktemp("malformed") / "state.json"
    state.write_text(json.dumps(STATE), encoding="utf-8")

    def run(case: Case) -> Outcome:
        with Sandbox(labels=3, lists=2, strict=True) as sandbox:
            sandbox.fail("/lead-labels", case[0], body=case[1])
            done = subprocess.run(
                [COMMAND, f"--state={state}", f"--catalog={CATALOG_FILE}"],
                env=environment_for(sandbox),
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        return Output(done.stdout, done.stderr, done.returncode), sandbox

    with ThreadPoolExecutor(len(MALFORMED)) as pool:
        return dict(zip(MALFORMED, pool.map(run, MALFORMED.values()), strict=True))


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_page(malformed: dict[str, Outcome], name: str) -> None:
    """A malformed page stops only its own stream, with a sentence."""
    check_failed(*malformed[name], "lead_labels", MALFORMED[name][2])


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON"])
@pytest.mark.parametrize(
    ("stream", "scope"),
    [("lead_labels", "lead-labels:read"), ("lead_lists", "lead_lists:read")],
)
def test_scope(
    tap: Command, sandbox: Sandbox, stream: str, scope: str, content_type: str
) -> None:
    """A key without the scope is told which one it needs."""
    sandbox.fail(PATHS[stream], 403, headers={"Content-Type": content_type})
    done = tap(sandbox=sandbox, state=STATE)
    check_failed(done, sandbox, stream, rf"`{scope}`.*`all:read`")


@pytest.mark.parametrize("status", [302, 307, 308])
def test_redirect(tap: Command, sandbox: Sandbox, status: int) -> None:
    """A redirect is not followed, so that no other host gets the key."""
    with Sandbox(seed=2, strict=True) as other:
        headers = {"Location": f"{other.url}/lead-labels"}
        sandbox.fail("/lead-labels", status, headers=headers)
        done = tap(sandbox=sandbox, state=STATE)
        assert other.requests == []
    check_failed(done, sandbox, "lead_labels", rf"{status}.*redirect")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_key_in_the_response(tap: Command, sandbox: Sandbox, status: int) -> None:
    """A key that the API repeats is not logged at any level."""
    body = f'{{"message":"Bad key {sandbox.key}"}}'.encode()
    sandbox.fail("/lead-lists", status, body=body)
    done = tap(sandbox=sandbox, state=STATE, TAP_INSTANTLY_LOGLEVEL="debug")
    assert "| DEBUG" in done.stderr
    check_failed(done, sandbox, "lead_lists", "")


def test_wrong_key(tap: Command, sandbox: Sandbox) -> None:
    """With a key that Instantly does not know, each stream fails with a sentence."""
    config = {"api_key": "made-up-canary", "api_url": sandbox.url}
    done = tap(config=config, state=STATE, TAP_INSTANTLY_LOGLEVEL="debug")
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    assert "made-up-canary" not in done.stdout + done.stderr
    for stream in PATHS:
        assert re.search(rf"ERROR.*{stream}: .*401.*`api_key`", done.stderr)
        assert done.bookmark(stream) == OLD


def test_failure_on_a_later_page(tap: Command) -> None:
    """Rows from before the failure are written, and the bookmark does not move."""
    with Sandbox(labels=150, lists=5, strict=True) as sandbox:
        sandbox.fail("/lead-labels", 401, after=1)
        done = tap(sandbox=sandbox, state=STATE)
        check_failed(done, sandbox, "lead_labels", r"401")
    assert len(done.ids("lead_labels")) == 100


def test_first_run_fails(tap: Command, sandbox: Sandbox) -> None:
    """Without an earlier state, a failed stream leaves no bookmark."""
    sandbox.fail("/lead-lists", 402)
    done = tap(sandbox=sandbox)
    assert done.exit_code == 1
    bookmarks = done.state["bookmarks"]
    assert "replication_key_value" in bookmarks["lead_labels"]
    assert "replication_key_value" not in bookmarks.get("lead_lists", {})


def test_full_table_fails(
    tap: Command, sandbox: Sandbox, full_table: Callable[[], Json]
) -> None:
    """A failed full-table run does not activate a version."""
    sandbox.fail("/lead-labels", 404)
    variables = {"TAP_INSTANTLY_EMIT_ACTIVATE_VERSION_MESSAGES": "true"}
    done = tap(sandbox=sandbox, catalog=full_table(), **variables)
    assert done.exit_code == 1
    activated = [message["stream"] for message in done.of("ACTIVATE_VERSION")]
    assert activated == ["lead_lists"]


@pytest.mark.parametrize("kind", [429, 500, 503, "reset", "truncate"])
def test_transient_fault(tap: Command, sandbox: Sandbox, kind: int | Kind) -> None:
    """A transient fault is retried: the run brings each row once."""
    sandbox.fail("/lead-labels", kind, times=1)
    done = tap(sandbox=sandbox)
    assert done.exit_code == 0
    assert "Traceback" not in done.stderr
    assert sandbox.key not in done.stdout + done.stderr
    expected = sorted(row["id"] for row in sandbox.labels.rows)
    assert sorted(done.ids("lead_labels")) == expected
    assert done.bookmark("lead_labels") == sandbox.labels.rows[0]["timestamp_created"]


@pytest.mark.parametrize("taken", [0, 100])
def test_target_gone(taken: int) -> None:
    """A target that closes its input is reported without a traceback."""
    with (
        Sandbox(labels=3_000, lists=5, strict=True) as sandbox,
        started(sandbox) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(taken)
        process.stdout.close()
        stderr = process.stderr.read().decode()
        assert process.wait(60) == 1
    assert "Traceback" not in stderr
    assert "BrokenPipeError" not in stderr
    assert "target" in stderr
