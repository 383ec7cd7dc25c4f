"""tap-attention: every layout of the list, the key, faults in words."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest

from tap_instantly.api import retry
from tap_instantly.attention.sandbox import Fault, Sandbox
from tests.attention.runs import read
from tests.conftest import COMMAND, Json

if t.TYPE_CHECKING:
    from tap_instantly.attention.sandbox import Shape

TAP = str(Path(COMMAND).with_name("tap-attention"))


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait between two attempts."""
    monkeypatch.setattr(retry, "delay", lambda _: 0.0)


@pytest.mark.parametrize(
    ("shape", "requests"),
    [("page-count", 3), ("total-records", 4), ("no-meta", 2), ("same-page", 2)],
)
def test_layouts(shape: Shape, requests: int) -> None:
    """Every label comes once, and the list ends, however it is laid out."""
    with Sandbox(labels=120, shape=shape) as sandbox:
        run = read(sandbox)
        assert run.records == sandbox.rows
        assert run.failure is None
        assert [path for _, path, _ in sandbox.requests] == [
            f"/v2/labels?page={number}&size=50" for number in range(1, requests + 1)
        ]


@pytest.mark.parametrize("shape", ["page-count", "total-records"])
@pytest.mark.parametrize("size", [1, 7, 49])
def test_short_pages(shape: Shape, size: int) -> None:
    """A server that gives less than it is asked for is read to its end all the same."""
    with Sandbox(labels=23, shape=shape, size=size) as sandbox:
        assert read(sandbox).records == sandbox.rows


@pytest.mark.parametrize("shape", ["page-count", "total-records", "no-meta"])
def test_no_labels(shape: Shape) -> None:
    """An organization without labels takes one request."""
    with Sandbox(labels=0, shape=shape) as sandbox:
        run = read(sandbox, emit_activate_version_messages=True)
        assert not run.records
        assert len(sandbox.requests) == 1
        assert len(run.of("ACTIVATE_VERSION")) == 1


def test_rows_that_come_again(sandbox: Sandbox) -> None:
    """A label that comes on two pages is written once."""
    sandbox.rows += sandbox.rows[:3]
    sandbox.size = 5
    records = read(sandbox).records
    assert records == sandbox.rows[:12]


@pytest.mark.parametrize("shape", ["page-count", "total-records"])
def test_a_broken_promise(shape: Shape) -> None:
    """A list that promises more than it brings fails, and drops no row of a loader."""
    with Sandbox(labels=60, shape=shape, promised=61) as sandbox:
        run = read(sandbox, emit_activate_version_messages=True)
        assert len(run.records) == 60
        assert "promises 61 rows, but brings 60" in str(run.failure)
        assert not run.of("ACTIVATE_VERSION")


def test_a_total_of_the_page_alone() -> None:
    """A total that is too small ends nothing."""
    with Sandbox(labels=60, shape="total-records", promised=50) as sandbox:
        assert len(read(sandbox).records) == 60


def test_version(sandbox: Sandbox) -> None:
    """A complete run ends by activating its version."""
    run = read(sandbox, emit_activate_version_messages=True)
    versions = {message["version"] for message in run.of("RECORD")}
    assert [m["version"] for m in run.of("ACTIVATE_VERSION")] == list(versions)
    assert not read(sandbox).of("ACTIVATE_VERSION")


def test_odd_values(sandbox: Sandbox) -> None:
    """What has no column, or does not fit it, goes into `additional_fields`."""
    options: list[Json] = [{"value": "a", "description": None, "uuid": "1"}]
    sandbox.rows[0] |= {"teams": ["x"], "aiFlow": "often", "options": options}
    del sandbox.rows[1]["description"]
    first, second = read(sandbox).records[:2]
    assert first["options"] == options
    assert first["aiFlow"] is None
    assert first["additional_fields"] == {"teams": ["x"], "aiFlow": "often"}
    assert "description" not in second
    settings = {"additional_fields": False}
    assert "additional_fields" not in read(sandbox, **settings).records[0]


@pytest.mark.parametrize(
    ("pasted", "prefix", "header"),
    [
        ("{}", None, "Bearer {}"),
        ("Bearer {}", None, "Bearer {}"),
        ("bearer {}", None, "Bearer {}"),
        ("{}", "", "{}"),
        ("Bearer {}", "", "{}"),
    ],
)
def test_key(sandbox: Sandbox, pasted: str, prefix: str | None, header: str) -> None:
    """The key is sent with the prefix that is set, and never with two."""
    settings = {"api_key": pasted.format(sandbox.key)}
    if prefix is not None:
        settings["auth_prefix"] = prefix
    assert read(sandbox, **settings).records == sandbox.rows
    [(_, _, headers)] = sandbox.requests
    assert headers["Authorization"] == header.format(sandbox.key)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Attention calls the request malformed"),
        (401, "Attention does not accept the key"),
        (403, "the key may not do that"),
        (404, "there is no such endpoint or label; .* ends in /v2;"),
        (429, "the organization's request quota stays spent"),
        (500, "Attention has a fault of its own"),
        (503, "Attention has a fault of its own"),
    ],
)
@pytest.mark.usefixtures("no_waits")
def test_faults(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    """A fault that lasts is said in words, and none of them are about Instantly."""
    monkeypatch.setattr(retry, "MAX_TOTAL_WAIT", 0.02 if status == 500 else 0.0)
    sandbox.faults.append(Fault("GET", status))
    run = read(sandbox, emit_activate_version_messages=True)
    assert re.search(words, str(run.failure)), run.failure
    assert "nstantly" not in str(run.failure).replace("tap-instantly", "")
    assert ("Attention says: made up" in str(run.failure)) == (status < 500)
    assert not run.of("ACTIVATE_VERSION")


@pytest.mark.usefixtures("no_waits")
def test_a_server_error(sandbox: Sandbox) -> None:
    """It is asked three times at most, because the request may be to blame."""
    sandbox.faults.append(Fault("GET", 500, times=2))
    assert read(sandbox).records == sandbox.rows
    sandbox.requests.clear()
    sandbox.faults.append(Fault("GET", 500))
    assert not read(sandbox).records
    assert len(sandbox.requests) == 3


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [429, 502, 503])
def test_passing_faults(sandbox: Sandbox, status: int) -> None:
    """Others are asked as often as it takes."""
    sandbox.faults.append(Fault("GET", status, times=5))
    assert read(sandbox).records == sandbox.rows
    assert len(sandbox.requests) == 6


@pytest.mark.parametrize(
    "body",
    [
        "a plain sentence",
        '"a plain sentence"',
        '{"message": "a plain sentence"}',
        '{"error": {"message": "a plain sentence"}}',
        '{"errors": [{"detail": "a plain sentence"}]}',
    ],
)
def test_bodies_of_errors(sandbox: Sandbox, body: str) -> None:
    """What Attention says is repeated, in whatever form it says it."""
    sandbox.faults.append(Fault("GET", 400, body=body))
    assert str(read(sandbox).failure).endswith("; Attention says: a plain sentence")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[]", "has no list of `data`"),
        ('{"items": []}', "has no list of `data`"),
        ('{"data": [1]}', "has `data` that are no objects"),
        ('{"data": [{"name": "a"}]}', "uuid"),
    ],
)
def test_odd_pages(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    """A page that makes no sense ends the run in words."""
    monkeypatch.setattr(retry, "MAX_TOTAL_WAIT", 0.0)
    sandbox.faults.append(Fault("GET", 200, body=body))
    assert words in str(read(sandbox).failure)


@pytest.mark.parametrize("meta", [None, [], "x", {"totalRecords": "many"}, {"a": 1}])
def test_odd_meta(sandbox: Sandbox, meta: object) -> None:
    """A `meta` that makes no sense is none."""
    body = json.dumps({"data": sandbox.rows, "meta": meta})
    sandbox.faults.append(Fault("GET", 200, body=body))
    assert read(sandbox).records == sandbox.rows


def test_command(sandbox: Sandbox) -> None:
    """The installed command takes its settings from the environment, and its own."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {f"TAP_ATTENTION_{name}": text for name, text in settings.items()}
        return subprocess.run(
            [TAP, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    settings = {"API_KEY": sandbox.key, "API_URL": sandbox.url}
    done = run(**settings)
    assert done.returncode == 0
    assert len(re.findall('"type":"RECORD"', done.stdout)) == 12
    assert run("--test", **settings).returncode == 0
    sandbox.faults.append(Fault("GET", 401))
    assert run(**settings).returncode == 1


def test_command_without_a_key() -> None:
    """It names its own variables."""
    done = subprocess.run([TAP], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "TAP_ATTENTION_API_KEY" in done.stderr
    assert "nstantly" not in done.stderr
