"""What users of other taps have complained about, tried on this one."""

from __future__ import annotations

import json
import re
import socket
import threading
import typing as t

import pytest
from singer_sdk.exceptions import SingerSDKError

from tap_instantly.api.client import Client
from tap_instantly.api.pages import Request
from tap_instantly.sandbox import Sandbox
from tap_instantly.settings import SETTINGS
from tap_instantly.streams import STREAMS
from tests.conftest import Json, Output, catalog_of, ids, read, started, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Command


def test_a_daily_row_without_its_mailbox(sandbox: Sandbox) -> None:
    """It has no key; the stream stops in words, and the others are read."""
    rows = [{"date": "2026-10-01", "sent": 4}]
    sandbox.fail("/accounts/analytics/daily", body=json.dumps(rows).encode())
    catalog = catalog_of("account_analytics_daily", "lead_labels")
    output = sync(sandbox, catalog=catalog, start_date="2026-10-01")
    assert output.tap is not None
    failure = output.tap.stats["account_analytics_daily"].failure
    assert failure is not None
    assert "2026-10-01/None: expected the key `email_account`, found none" in failure
    assert output.tap.stats["lead_labels"].failure is None


@pytest.mark.parametrize("count", [101, 250])
def test_a_list_that_ignores_the_limit(sandbox: Sandbox, count: int) -> None:
    """A page may hold more rows than were asked for; none is lost."""
    rows = Sandbox(labels=count, lists=0).labels.rows
    body = json.dumps({"items": rows, "next_starting_after": None}).encode()
    sandbox.fail("/lead-labels", body=body)
    assert read(sandbox, "lead_labels").ids("lead_labels") == [r["id"] for r in rows]


@pytest.mark.usefixtures("no_waits")
def test_a_death_amid_mails_of_one_instant(sandbox: Sandbox) -> None:
    """The next run brings those that the first has not."""
    emails = sandbox.tables["emails"]
    before = emails.add_many(40)
    tied = emails.add_many(150, created="2026-11-07T09:30:00.250Z")
    after = emails.add_many(40)
    sandbox.fail("/emails", 401, after=1)
    first = read(sandbox, "emails")
    sandbox.heal()
    assert len(first.ids("emails")) == 100
    second = read(sandbox, "emails", first.state)
    found = {*first.ids("emails")} | {*second.ids("emails")}
    assert found >= ids(before + tied + after)


def test_a_reader_that_takes_the_head(sandbox: Sandbox) -> None:
    """`tap-instantly | head -1` ends with 1 and a sentence."""
    sandbox.labels.add_many(3000)
    with started(sandbox) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        log = process.stderr.read().decode()
        assert process.wait(60) == 1
    assert "The target has closed its input" in log
    assert "Traceback" not in log


@pytest.mark.usefixtures("no_waits")
def test_an_empty_workspace() -> None:
    """All streams come to an end, and a second run goes on from there."""
    with Sandbox(
        labels=0,
        lists=0,
        campaigns=0,
        accounts=0,
        leads=0,
        emails=0,
        tags=0,
        subsequences=0,
        strict=True,
    ) as sandbox:
        catalog = catalog_of(*(stream.name for stream in STREAMS))
        first = sync(sandbox, catalog=catalog)
        assert first.tap is not None
        failures = {n: s.failure for n, s in first.tap.stats.items() if s.failure}
        assert not failures
        assert {m["stream"] for m in first.of("SCHEMA")} == {s.name for s in STREAMS}
        second = sync(sandbox, first.state, catalog)
        assert {r["stream"] for r in second.of("RECORD")} <= {
            r["stream"] for r in first.of("RECORD")
        }


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_the_time_zone_of_the_machine(
    tap: Command, sandbox: Sandbox, zone: str
) -> None:
    """It changes neither what is read nor the bookmarks."""

    def run(zone: str) -> Output:
        catalog = catalog_of("lead_labels", "campaign_analytics_daily")
        return tap(
            sandbox=sandbox,
            catalog=catalog,
            TZ=zone,
            TAP_INSTANTLY_START_DATE="2026-10-01",
        )

    here, there = run("UTC"), run(zone)
    assert here.exit_code == there.exit_code == 0
    for stream in ("lead_labels", "campaign_analytics_daily"):
        assert here.records(stream)
        assert here.records(stream) == there.records(stream)
    assert here.state == there.state


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """Return a proxy that takes no connection further, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(2**16).partition(b"\r\n")[0])
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def fetch(**settings: str) -> None:
    """Fetch a page with the default settings otherwise."""
    properties: Json = SETTINGS.to_dict()["properties"]
    defaults = {name: value.get("default") for name, value in properties.items()}
    client = Client({**defaults, "api_key": "a-key", **settings})
    request = Request("/lead-labels", "lead_labels:read")
    client.fetch(request, on_retry=lambda _: None)


@pytest.mark.usefixtures("no_waits")
def test_a_proxy(
    proxy: tuple[str, list[bytes]], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken from the environment, except for what is on this machine."""
    url, asked = proxy
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, url)
    fetch(api_url=sandbox.url, api_key=sandbox.key)
    assert not asked
    with pytest.raises(SingerSDKError, match="cannot be reached"):
        fetch(api_url="https://api.example.test/v2")
    assert asked[0].startswith(b"CONNECT api.example.test:443 ")


@pytest.mark.usefixtures("no_waits")
def test_certificates_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`REQUESTS_CA_BUNDLE` names them: if the file is missing, nothing is sent."""
    path = str(tmp_path / "missing.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
    with pytest.raises(OSError, match=re.escape(path)):
        fetch(api_url="https://api.example.test/v2")
