"""Arbitrary responses: valid rows or a sentence, within bounds, and never the key."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import threading
import time
import typing as t

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tap_instantly.tap import TapInstantly
from tests.conftest import (
    DEFAULT_STREAMS,
    UNLIMITED,
    Output,
    captured,
    catalog_of,
)
from tests.schema_checks import check_records

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Command, Json

KEY = "MaDe0Up1CaNaRy2fOr3tEsTs4OnLy5=="
PARTS = [KEY[i : i + 8] for i in range(len(KEY) - 7)]
MAX_REQUESTS = 2_000
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

fuzz = settings(
    deadline=None,
    derandomize=not NIGHTLY,
    max_examples=5_000 if NIGHTLY else 250,
    phases=[Phase.generate, Phase.shrink] if NIGHTLY else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Server(socketserver.ThreadingTCPServer):
    """Sends the next of its responses, byte for byte, on each connection."""

    allow_reuse_address = daemon_threads = True
    responses: t.ClassVar[list[bytes]] = []
    requests: t.ClassVar[list[bytes]] = []


class Connection(socketserver.StreamRequestHandler):
    """Handles one request; after far too many it refuses, so that the test ends."""

    def handle(self) -> None:
        """Respond, and close."""
        lines = list(iter(self.rfile.readline, b"\r\n"))
        number = len(Server.requests)
        Server.requests.append(b"".join(lines))
        response = Server.responses[number % len(Server.responses)]
        with contextlib.suppress(OSError):
            self.wfile.write(http(b"", 401) if number > MAX_REQUESTS else response)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the address of the server."""
    with Server(("127.0.0.1", 0), Connection) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v2"
        server.shutdown()


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Let waits take no time, and log everything."""
    caplog.set_level("DEBUG")
    monkeypatch.setattr(time, "sleep", lambda _: None)


def http(body: bytes, status: int = 200, headers: bytes = b"") -> bytes:
    """Return a response."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 %d Made up\r\n%s%s\r\n%s" % (status, headers, length, body)


def page(items: object, cursor: object = None) -> bytes:
    """Return a response with the outline of a page."""
    return http(json.dumps({"items": items, "next_starting_after": cursor}).encode())


def row(**fields: object) -> Json:
    """Return a label."""
    return {"id": "1", "timestamp_created": "2026-01-31T08:00:00.000Z"} | fields


def check_survived(
    url: str, caplog: pytest.LogCaptureFixture, responses: list[bytes]
) -> dict[str, str | None]:
    """Run the tap against these responses, and return each stream's failure."""
    Server.responses, Server.requests = responses, []
    caplog.clear()
    config = {"api_key": KEY, "api_url": url, "max_requests_per_minute": UNLIMITED}
    with captured() as stdout:
        tap = TapInstantly(config=config, catalog=catalog_of(*DEFAULT_STREAMS))
        tap.sync_all()
    assert len(Server.requests) < MAX_REQUESTS
    check_records(Output(stdout.getvalue().decode()).messages)
    for name, stats in tap.stats.items():
        assert "unexpected" not in (stats.failure or ""), stats.failure
        done = tap.state["bookmarks"].get(name, {}).get("replication_key_value")
        assert done is None or stats.failure is None
    for record in caplog.records:
        assert not record.exc_info, record.exc_info
        if record.levelname != "DEBUG":
            assert "\n" not in record.getMessage()
            assert len(record.getMessage()) < 1_000
    written = stdout.getvalue().decode() + caplog.text
    assert not [part for part in PARTS if part in written]
    return {name: stats.failure for name, stats in tap.stats.items()}


texts = st.one_of(
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from(["", "\ud800", "\0", "a\nb", "9" * 400, "[" * 3_000, "1e999"]),
)
datetimes = st.one_of(
    st.datetimes().map(lambda timestamp: f"{timestamp.isoformat()}Z"),
    st.sampled_from(
        [
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T24:00:00Z",
            "2026-01-31T08:00:00+00:00:30",
            "2026-01-31T08:00:60Z",
            "2026-W05-6T08",
            "2026-01-31",
        ]
    ),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    texts,
    datetimes,
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = ["label", "interest_status", "use_with_ai", "access_grants", "name", "colour"]
rows = st.builds(
    lambda identity, timestamp, others: row(
        id=identity, timestamp_created=timestamp, **others
    ),
    st.sampled_from("abcdef") | values,
    datetimes | values,
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=3),
)
cursors = st.none() | st.sampled_from("abc") | datetimes | texts
pages = st.builds(page, st.lists(rows, max_size=4) | values, cursors | values)
header_bytes = st.binary(max_size=30) | st.sampled_from(
    [
        b"Location: http://[\r\n",
        b"Location: /\xff\r\n",
        b"Location: //example.com\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: deflate, gzip, br, zstd\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Retry-After: \xff\r\n",
        b"Set-Cookie: a=b; max-age=\xb2\r\n",
        b"Nonsense\r\n",
        b": \r\n",
    ]
)
statuses = st.sampled_from([200, 200, 204, 301, 302, 304, 308, 403, 418, 429, 503, 999])
bodies = st.binary(max_size=60) | st.sampled_from(
    [b"-5\r\nx", b"-1\r\nx", b"5\r\nhello\r\n0\r\n\r\n", b'{"items":[]}', b"[" * 10**5]
)
ANY_RESPONSE = st.one_of(
    pages,
    st.binary(max_size=200),
    st.builds(http, bodies, statuses, st.lists(header_bytes, max_size=3).map(b"".join)),
)


@fuzz
@given(response=ANY_RESPONSE)
def test_any_response(
    url: str, caplog: pytest.LogCaptureFixture, response: bytes
) -> None:
    """Arbitrary bytes, statuses, headers and bodies."""
    check_survived(url, caplog, [response])


@fuzz
@given(responses=st.lists(pages, min_size=1, max_size=6))
def test_any_pages(
    url: str, caplog: pytest.LogCaptureFixture, responses: list[bytes]
) -> None:
    """Values of every type in every field, and cursors that lead in circles."""
    check_survived(url, caplog, responses)


@fuzz
@given(responses=st.lists(ANY_RESPONSE, min_size=2, max_size=5))
def test_any_responses(
    url: str, caplog: pytest.LogCaptureFixture, responses: list[bytes]
) -> None:
    """Faults of every kind in a row."""
    check_survived(url, caplog, responses)


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
@pytest.mark.parametrize(
    "fields",
    [
        {"id": KEY, "timestamp_created": 5},
        {"timestamp_created": KEY},
        {"label": [KEY]},
        {"label": [f"some words before {KEY}"]},
        {KEY: "unknown"},
        {"label": KEY},
    ],
)
def test_key_that_comes_back(
    url: str, caplog: pytest.LogCaptureFixture, fields: Json, status: int
) -> None:
    """If the response repeats the key, the key is neither written nor logged."""
    body = json.dumps({"items": [row() | fields], "next_starting_after": KEY})
    check_survived(url, caplog, [http(body.encode(), status)])


def test_key_as_cursor(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nor is it in the message about a cursor that leads to nothing new."""
    same = page([row(), row(id="2")], KEY)
    assert check_survived(url, caplog, [same])["lead_labels"]


def test_cursors_that_never_end(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The same rows with ever new cursors are a failure, not an endless list."""
    again = [page([row(), row(id="2")], f"cursor {n}") for n in range(100)]
    failures = check_survived(url, caplog, again)
    assert "does not end" in str(failures["lead_labels"])


def test_warnings_about_unknown_fields_are_limited(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A record with ten thousand fields does not fill the log."""
    check_survived(url, caplog, [page([row(**{f"f{n}": n for n in range(10_000)})])])
    assert len(caplog.records) < 1_000


CASES = {
    "redirect to an invalid address": http(b"", 302, b"Location: http://[\r\n"),
    "redirect in an unknown encoding": http(b"", 301, b"Location: /\xff\r\n"),
    "redirect elsewhere": http(b"", 308, b"Location: http://example.com/\r\n"),
    "header without a colon": http(b'{"items":[]}', 200, b"Nonsense\r\nX: y\r\n"),
    "header without a name": http(b'{"items":[]}', 200, b": nothing\r\n"),
    "negative chunk": b"HTTP/1.1 403 N\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx",
    "cursor past the last year": page([row()], "9999-12-31T24:00:00Z"),
    "time past the last year": page([row(timestamp_created="9999-12-31T24:00:00Z")]),
    "huge text": page([row(label="x" * 2**24)]),
    "huge page": page([row(id=str(n)) for n in range(50_000)]),
    "huge number": page([row(label=10**4_000)]),
    "redirect with an endless body": (
        b"HTTP/1.1 302 F\r\nLocation: /x\r\n\r\n" + b"x" * 2**28
    ),
}


@pytest.mark.parametrize("response", CASES.values(), ids=CASES)
def test_command(tap: Command, url: str, response: bytes) -> None:
    """The same through the command, with its most verbose log."""
    Server.responses, Server.requests = [response], []
    config = {"api_key": KEY, "api_url": url}
    done = tap(config=config, TAP_INSTANTLY_LOGLEVEL="debug")
    assert done.exit_code in {0, 1}
    assert "Traceback" not in done.stderr
    assert not [part for part in PARTS if part in done.stdout + done.stderr]
    assert bool(done.exit_code) == ("| ERROR" in done.stderr)
    assert all(b"127.0.0.1" in request for request in Server.requests)
    check_records(done.messages)
