"""The installed command: what a user gives it, and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from singer_sdk.exceptions import ConfigurationError

from tap_instantly.target.target import TargetInstantly
from tests.conftest import UNLIMITED, clean_environment
from tests.writing.runs import (
    BLOCKED,
    LABELS,
    STATE,
    STREAMS,
    TAGS,
    activate,
    label,
    part,
    record,
    schema,
    state,
    text_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Json

COMMAND = str(Path(sys.executable).with_name("target-instantly"))

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def target(empty: Sandbox, tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs the command, with its settings in a file."""

    def run(text: str, *arguments: str, **settings: t.Any) -> Done:
        config = tmp_path / "config.json"
        usual = {
            "api_key": empty.key,
            "api_url": empty.url,
            "max_requests_per_minute": UNLIMITED,
        }
        config.write_text(json.dumps(usual | settings), encoding="utf-8")
        return subprocess.run(
            [COMMAND, "--config", str(config), *arguments],
            input=text,
            env={k: v for k, v in clean_environment().items() if "INSTANTLY" not in k},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def text(*messages: Json) -> str:
    """Return messages as a tap writes them."""
    return text_of(messages).read()


def test_writes(target: Callable[..., Done], empty: Sandbox) -> None:
    """It writes, and stdout has nothing but the STATE."""
    done = target(text(*part(LABELS, label("Hot")), state()))
    assert (done.returncode, json.loads(done.stdout)) == (0, STATE), done.stderr
    assert [row["label"] for row in empty.labels.rows] == ["Hot"]
    assert "lead_labels: 1 created; " in done.stderr
    assert "Hot" not in done.stderr


def test_dry_run_option(target: Callable[..., Done], empty: Sandbox) -> None:
    """`--dry-run` does what `dry_run` does; the plan stays out of stdout."""
    done = target(text(*part(LABELS, label("Hot")), state()), "--dry-run")
    assert (done.returncode, done.stdout, empty.writes) == (0, "", [])
    assert '  + "Hot": label, interest_status_label\n' in done.stderr
    assert "1 to create" in done.stderr


def test_settings_from_the_environment(empty: Sandbox, tmp_path: Path) -> None:
    """Also those that are objects, numbers and booleans."""
    empty.labels.add(**label("Old"))
    settings = {
        "API_KEY": empty.key,
        "API_URL": empty.url,
        "MAX_REQUESTS_PER_MINUTE": str(UNLIMITED),
        "RENAMES": json.dumps({LABELS: {"Old": "New"}}),
        "ALLOW_ENRICHMENT": "true",
        "SETTLE_SECONDS": "3",
    }
    done = subprocess.run(
        [COMMAND],
        input=text(*part(LABELS, label("New")), state()),
        env=clean_environment()
        | {f"TARGET_INSTANTLY_{name}": value for name, value in settings.items()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert [row["label"] for row in empty.labels.rows] == ["New"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "replace"}, ["`mode`", "upsert", "update", "create"]),
        ({"match_by": "key"}, ["`match_by`", "name", "id"]),
        ({"nulls": "drop"}, ["`nulls`", "keep", "clear"]),
        ({"delete": "all"}, ["`delete`", "never", "marked", "mirror"]),
        ({"on_reject": "ignore"}, ["`on_reject`", "fail", "fail_fast", "skip"]),
        ({"max_change_percent": 101}, ["`max_change_percent`", "100"]),
        ({"max_change_percent": -1}, ["`max_change_percent`", "0"]),
        ({"max_change_percent": 2.5}, ["`max_change_percent`", "integer"]),
        ({"settle_seconds": -1}, ["`settle_seconds`"]),
        ({"reassigned_status": "none"}, ["`reassigned_status`", "integer"]),
        ({"renames": ["a"]}, ["`renames`", "object"]),
        ({"renames": {LABELS: {"a": 1}}}, [f"`renames.{LABELS}.a`", "string"]),
        ({"renames": {"leads": {"a": "b"}}}, ["`renames`", "leads", *STREAMS[:3]]),
        ({"dry_run": "perhaps"}, ["`dry_run`", "boolean"]),
        ({"api_key": None}, ["`api_key`", "TARGET_INSTANTLY_API_KEY"]),
        ({"api_url": "http://example.com"}, ["`api_url`", "https"]),
        ({"colour": "red"}, ["`colour`", "unknown"]),
        ({"report_path": "missing/report.jsonl"}, ["`report_path`"]),
    ],
)
def test_settings_that_are_wrong(
    empty: Sandbox, settings: Json, words: list[str]
) -> None:
    """A sentence says which, and nothing is sent."""
    usual = {"api_key": empty.key, "api_url": empty.url}
    with pytest.raises(ConfigurationError) as caught:
        TargetInstantly(config=usual | settings)
    (sentence,) = getattr(caught.value, "errors", None) or [str(caught.value)]
    assert all(word in sentence for word in words), sentence
    assert empty.requests == []


def test_failure_is_a_sentence(target: Callable[..., Done], empty: Sandbox) -> None:
    """Without a traceback, and without a STATE."""
    done = target(text(*part(LABELS, label("Hot")), state()), mode="replace")
    assert (done.returncode, done.stdout, empty.requests) == (1, "", [])
    assert "Traceback" not in done.stderr
    assert "`mode` must be" in done.stderr.strip().splitlines()[-1]


SECRET = "Confidential"  # noqa: S105 (no password)

WRONG: dict[str, str] = {
    "no JSON": f"{SECRET}\n",
    "half a line": text(*part(LABELS, label(SECRET)))[:-20],
    "list": f'["{SECRET}"]\n',
    "number": "5\n",
    "no type": json.dumps({"stream": LABELS, "record": {"label": SECRET}}) + "\n",
    "unknown type": json.dumps({"type": "PING", "x": SECRET}) + "\n",
    "record before schema": text(record(LABELS, label=SECRET)),
    "version before schema": text(activate(LABELS)),
    "no record": text(
        schema(LABELS), {"type": "RECORD", "stream": LABELS, "x": SECRET}
    ),
    "record that is a text": text(
        schema(LABELS), {"type": "RECORD", "stream": LABELS, "record": SECRET}
    ),
    "record that is null": text(
        schema(LABELS), {"type": "RECORD", "stream": LABELS, "record": None}
    ),
    "no properties": text({"type": "SCHEMA", "stream": LABELS, "schema": {}}),
    "unknown stream": text(schema("leads"), record("leads", email=SECRET)),
    "nested too deeply": text(schema(LABELS))
    + '{"type":"RECORD","stream":"lead_labels","record":{"label":'
    + "[" * 100_000
    + "]" * 100_000
    + "}}\n",
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_input_that_is_wrong(
    target: Callable[..., Done], empty: Sandbox, given: str
) -> None:
    """A sentence, no value, no traceback, no STATE, and nothing written."""
    done = target(text(*part(TAGS, {"label": "A"}), state()) + given)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert empty.writes == []
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
    assert empty.key not in done.stderr


def test_unknown_stream_is_refused_at_its_schema(
    target: Callable[..., Done], empty: Sandbox
) -> None:
    """The sentence lists the streams that can be written."""
    done = target(text(*part(TAGS, {"label": "A"}), schema("campaigns"), state()))
    last = done.stderr.strip().splitlines()[-1]
    assert all(stream in last for stream in ("campaigns", *STREAMS))
    assert (done.returncode, empty.requests) == (1, [])


def test_debug_log_keeps_secrets(target: Callable[..., Done], empty: Sandbox) -> None:
    """Not even the most talkative log has the key, or what a record says."""
    empty.fail("/custom-tags", 500, method="POST", times=1)
    messages = [
        *part(LABELS, label(SECRET, description=SECRET), label("B", SECRET)),
        *part(TAGS, {"label": SECRET}),
        *part(BLOCKED, {"bl_value": f"{SECRET}.example.com"}, {"bl_value": SECRET}),
        state(),
    ]
    done = target(text(*messages), "--log-level", "debug", settle_seconds=0)
    assert done.returncode == 1
    assert len(empty.ledger) == 3
    assert "DEBUG" in done.stderr.upper()
    assert SECRET not in done.stderr
    assert empty.key not in done.stderr


def test_states_in_between(target: Callable[..., Done]) -> None:
    """One STATE comes at the end, the last, when all before it is settled."""
    done = target(
        text(
            state({"n": 1}),
            *part(TAGS, {"label": "A"}),
            state({"n": 2}),
            *part(TAGS, {"label": "B"}),
            state({"n": 3}),
        )
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"n": 3}]


def test_without_any_input(target: Callable[..., Done], empty: Sandbox) -> None:
    """Nothing comes of nothing."""
    done = target("", delete="mirror")
    assert (done.returncode, done.stdout, empty.requests) == (0, "", [])


def test_stream_maps(target: Callable[..., Done], empty: Sandbox) -> None:
    """A sheet becomes labels by a stream map, as in the documentation."""
    maps = {
        "sheet": {
            "__alias__": LABELS,
            "__key_properties__": ["label"],
            "label": "Name",
            "interest_status_label": "Mood.lower()",
            "__else__": None,
        }
    }
    done = target(
        text(
            schema("sheet", "Name", "Mood"),
            record("sheet", Name="Hot", Mood="Positive"),
            state(),
        ),
        stream_maps=maps,
    )
    assert done.returncode == 0, done.stderr
    assert empty.writes[0].body == label("Hot")


def test_about(target: Callable[..., Done], empty: Sandbox) -> None:
    """It shows the settings that have an effect, and sends nothing."""
    done = target("", "--about", "--format", "json")
    about = json.loads(done.stdout)
    names = {*about["settings"]["properties"]}
    assert {"mode", "match_by", "renames", "nulls", "delete", "dry_run"} <= names
    assert not {"load_method", "batch_size_rows", "add_record_metadata"} & names
    assert empty.requests == []
