"""Settings: what each one does, and how a wrong one is refused before any request."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Command, Json, Output

CANARY = "made-up-canary-key=="

FOREIGN = {
    "http": "http://example.com",
    "loopback as a subdomain": "http://127.0.0.1.example.com",
    "localhost as a subdomain": "http://localhost.example.com",
    "loopback as a user": "http://127.0.0.1@example.com",
    "loopback as user and password": "http://localhost:80@example.com/api/v2",
    "a backslash": "http://127.0.0.1\\@example.com",
    "loopback before a fragment": "http://example.com#@127.0.0.1",
    "a user on https": "https://someone:secret@example.com",
    "any interface": "http://0.0.0.0",
    "another scheme": "ftp://127.0.0.1",
    "no scheme": "example.com/api/v2",
    "no host": "https://",
    "a port out of range": "https://127.0.0.1:99999",
    "a space": "https://exa mple.com",
    "an empty part": "https://a..example.com",
    "nothing": "",
}
WRONG: dict[str, tuple[str, Json]] = {
    f"api_url: {name}": ("api_url", {"api_url": url}) for name, url in FOREIGN.items()
} | {
    "key missing": ("api_key", {"api_key": None}),
    "key empty": ("api_key", {"api_key": ""}),
    "key of blanks": ("api_key", {"api_key": "  "}),
    "key with a line break": ("api_key", {"api_key": CANARY + "\n"}),
    "key with a header": ("api_key", {"api_key": CANARY + "\r\nHost: example.com"}),
    "key beyond ASCII": ("api_key", {"api_key": CANARY + "é"}),
    "key as a list": ("api_key", {"api_key": [CANARY]}),
    "key as an object": ("api_key", {"api_key": {CANARY: CANARY}}),
    "date in words": ("start_date", {"start_date": "yesterday"}),
    "date empty": ("start_date", {"start_date": ""}),
    "date that does not exist": ("end_date", {"end_date": "2026-02-30"}),
    "date as a number": ("end_date", {"end_date": 20260131}),
    "end is start": (
        "end_date",
        {"start_date": "2026-01-31", "end_date": "2026-01-31T02:00:00+02:00"},
    ),
    "end before start": (
        "end_date",
        {"start_date": "2026-01-31", "end_date": "2026-01-31T00:30:00+01:00"},
    ),
    "lookback as text": ("lookback_days", {"lookback_days": "3"}),
    "lookback negative": ("lookback_days", {"lookback_days": -1}),
    "lookback with a fraction": ("lookback_days", {"lookback_days": 1.5}),
    "lookback as a boolean": ("lookback_days", {"lookback_days": True}),
    "more requests than allowed": (
        "max_requests_per_minute",
        {"api_url": "https://example.com", "max_requests_per_minute": 6001},
    ),
    "more requests than allowed, as a float": (
        "max_requests_per_minute",
        {"api_url": "https://example.com", "max_requests_per_minute": 7000.0},
    ),
    "boolean as text": (
        "emit_activate_version_messages",
        {"emit_activate_version_messages": "true"},
    ),
    "agent empty": ("user_agent", {"user_agent": ""}),
    "agent with a line break": ("user_agent", {"user_agent": "a\nb"}),
    "agent with a blank in front": ("user_agent", {"user_agent": " agent"}),
    "unknown name": ("startdate", {"startdate": "2026-01-31"}),
}
WRONG_VARIABLES = {
    "LOOKBACK_DAYS": {"word": "three", "fraction": "1.5", "endless": "9" * 5000},
    "EMIT_ACTIVATE_VERSION_MESSAGES": {"word": "maybe", "empty": ""},
    "START_DATE": {"word": "soon"},
    "API_URL": {"foreign": "http://127.0.0.1.example.com"},
    "API_KEY": {"empty": "", "beyond ASCII": CANARY + "é"},
}


def check_refused(done: Output, sandbox: Sandbox, *names: str) -> None:
    """Expect one sentence for each of the settings, and no request."""
    assert done.exit_code == 1
    assert sandbox.requests == []
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert sandbox.key not in done.stdout + done.stderr
    sentences = [
        line
        for line in done.stderr.splitlines()
        if "| ERROR" in line and "Config validation failed" not in line
    ]
    assert len(sentences) == len(names), sentences
    for name in names:
        assert any(f"`{name}`" in sentence for sentence in sentences), name


def config(sandbox: Sandbox, **settings: t.Any) -> Json:
    """Return a configuration for the sandbox."""
    return {"api_key": sandbox.key, "api_url": sandbox.url} | settings


@pytest.mark.parametrize(("name", "settings"), WRONG.values(), ids=WRONG)
def test_wrong_setting(
    tap: Command, sandbox: Sandbox, name: str, settings: Json
) -> None:
    """A wrong setting is refused in a sentence that names it."""
    check_refused(tap(config=config(sandbox) | settings), sandbox, name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(name, text, id=f"{name}: {case}")
        for name, texts in WRONG_VARIABLES.items()
        for case, text in texts.items()
    ],
)
def test_wrong_variable(tap: Command, sandbox: Sandbox, name: str, text: str) -> None:
    """So is a wrong environment variable."""
    variables = {"MAX_REQUESTS_PER_MINUTE": "600", name: text}
    environment = {f"TAP_INSTANTLY_{key}": value for key, value in variables.items()}
    check_refused(tap(sandbox=sandbox, **environment), sandbox, name.lower())


def test_one_sentence_per_wrong_setting(tap: Command, sandbox: Sandbox) -> None:
    """All wrong settings are named in one run."""
    wrong = {"api_key": [CANARY], "start_date": "x", "end_date": "y", "page_size": 5}
    check_refused(tap(config=config(sandbox, **wrong)), sandbox, *wrong)


def test_one_sentence_per_wrong_variable(tap: Command, sandbox: Sandbox) -> None:
    """So are several wrong environment variables."""
    names = "lookback_days", "emit_activate_version_messages", "start_date"
    variables = {f"TAP_INSTANTLY_{name.upper()}": "x" for name in names}
    check_refused(tap(sandbox=sandbox, **variables), sandbox, *names)


@pytest.mark.parametrize("arguments", [(), ("--config=ENV",)], ids=["bare", "ENV"])
def test_environment(
    tap: Command, sandbox: Sandbox, arguments: tuple[str, ...]
) -> None:
    """Settings come from the environment, with and without `--config=ENV`."""
    done = tap(*arguments, sandbox=sandbox, TAP_INSTANTLY_USER_AGENT="made-up/1")
    assert done.exit_code == 0
    assert len(done.ids("lead_labels")) == len(sandbox.labels.rows)
    assert {r.headers["User-Agent"] for r in sandbox.requests} == {"made-up/1"}


@pytest.mark.parametrize("arguments", [(), ("--config=ENV",)], ids=["bare", "ENV"])
def test_dotenv(
    tap: Command, sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Settings come from a `.env`, unless the real environment has them."""
    lines = {"API_KEY": sandbox.key, "API_URL": sandbox.url, "USER_AGENT": "file/1"}
    text = "".join(f"TAP_INSTANTLY_{name}={value}\n" for name, value in lines.items())
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert tap(*arguments).exit_code == 0
    assert tap(*arguments, TAP_INSTANTLY_USER_AGENT="real/1").exit_code == 0
    agents = [request.headers["User-Agent"] for request in sandbox.requests]
    assert agents[0] == "file/1"
    assert agents[-1] == "real/1"


def test_key_is_sent_as_written(tap: Command, sandbox: Sandbox) -> None:
    """The key is not decoded, quoted or trimmed, and the user agent has a default."""
    key = " Made+up/key:%41\\\"'${HOME} =="
    tap(config=config(sandbox, api_key=key))
    assert sandbox.requests
    for request in sandbox.requests:
        assert request.headers["Authorization"] == f"Bearer {key}"
        assert request.headers["User-Agent"] == (
            f"tap-instantly/{version('tap-instantly')}"
        )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1"])
def test_loopback_may_be_http(tap: Command, sandbox: Sandbox, host: str) -> None:
    """Loopback addresses need no https, and a slash at the end does no harm."""
    url = sandbox.url.replace("127.0.0.1", host) + "/"
    done = tap(config=config(sandbox, api_url=url))
    assert done.exit_code == 0
    assert len(done.ids("lead_lists")) == len(sandbox.lists.rows)


def test_null_counts_as_unset(tap: Command, sandbox: Sandbox) -> None:
    """In a configuration file, null leaves the default in place."""
    names = "start_date", "end_date", "lookback_days", "user_agent"
    nulls = dict.fromkeys([*names, "emit_activate_version_messages"])
    done = tap(config=config(sandbox, **nulls))
    assert done.exit_code == 0
    assert len(done.ids("lead_labels")) == len(sandbox.labels.rows)


@pytest.mark.parametrize("form", ["Z", "no zone", "offset", "date"])
def test_window(tap: Command, sandbox: Sandbox, form: str) -> None:
    """Rows from `start_date` on and before `end_date` are read; no zone means UTC."""
    rows = {
        row["id"]: datetime.fromisoformat(row["timestamp_created"][:-1] + "+00:00")
        for row in sandbox.labels.rows
    }
    start, end = (sorted(rows.values())[position] for position in (2, -2))
    if form == "date":
        start, end = (
            timestamp.replace(hour=0, minute=0, second=0, microsecond=0)
            for timestamp in (start, end)
        )
    east = timezone(timedelta(hours=5, minutes=45))
    write: dict[str, Callable[[datetime], str]] = {
        "Z": lambda timestamp: timestamp.isoformat().replace("+00:00", "Z"),
        "no zone": lambda timestamp: timestamp.replace(tzinfo=None).isoformat(),
        "offset": lambda timestamp: timestamp.astimezone(east).isoformat(),
        "date": lambda timestamp: timestamp.date().isoformat(),
    }
    dates = {"start_date": write[form](start), "end_date": write[form](end)}
    done = tap(config=config(sandbox, **dates), TZ="America/New_York")
    expected = {key for key, created in rows.items() if start <= created < end}
    assert expected
    assert sorted(done.ids("lead_labels")) == sorted(expected)


@pytest.mark.parametrize("bookmark", ["newest", "0001-01-01T00:00:00Z"])
def test_lookback(tap: Command, sandbox: Sandbox, bookmark: str) -> None:
    """A run begins `lookback_days` before its bookmark, however old that is."""
    rows = sandbox.labels.rows
    value = rows[0]["timestamp_created"] if bookmark == "newest" else bookmark
    entry = {"replication_key": "timestamp_created", "replication_key_value": value}
    state = {"bookmarks": {"lead_labels": entry}}
    done = tap(sandbox=sandbox, state=state, TAP_INSTANTLY_LOOKBACK_DAYS="30")
    assert done.exit_code == 0
    assert "Traceback" not in done.stderr
    assert len(done.ids("lead_labels")) == len(rows)


@pytest.mark.parametrize("word", ["true", "1", "Yes", "ON", "false", "0"])
def test_activate_version(
    tap: Command, sandbox: Sandbox, full_table: Callable[[], Json], word: str
) -> None:
    """A boolean may be any of the usual words."""
    variables = {"TAP_INSTANTLY_EMIT_ACTIVATE_VERSION_MESSAGES": word}
    done = tap(sandbox=sandbox, catalog=full_table(), **variables)
    assert done.exit_code == 0
    wanted = word.lower() in {"true", "1", "yes", "on"}
    assert bool(done.of("ACTIVATE_VERSION")) is wanted


def test_misspelt_variable(tap: Command, sandbox: Sandbox) -> None:
    """A variable that looks like a setting, but is none, is warned about."""
    done = tap(sandbox=sandbox, TAP_INSTANTLY_STRAT_DATE="2026-01-01")
    assert done.exit_code == 0
    assert "TAP_INSTANTLY_STRAT_DATE in the environment is no setting" in done.stderr
