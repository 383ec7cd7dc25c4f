"""Whatever is answered: right rows, or a sentence; in bounds, and without the key."""

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
from jsonschema import Draft7Validator, FormatChecker

from tap_instantly.tap import TapInstantly
from tests.conftest import HEART, UNHURRIED, Output, captured, catalog_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Command, Json

KEY = "MaDe0Up1CaNaRy2fOr3tEsTs4OnLy5=="
PARTS = [KEY[i : i + 8] for i in range(len(KEY) - 7)]
MOST_REQUESTS = 2_000
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

fuzz = settings(
    deadline=None,
    derandomize=not NIGHTLY,
    max_examples=5_000 if NIGHTLY else 250,
    phases=[Phase.generate, Phase.shrink] if NIGHTLY else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Server(socketserver.ThreadingTCPServer):
    """Answers each connection with the next of its answers, to the byte."""

    allow_reuse_address = daemon_threads = True
    answers: t.ClassVar[list[bytes]] = []
    requests: t.ClassVar[list[bytes]] = []


class Connection(socketserver.StreamRequestHandler):
    """One request; after far too many the server refuses, so that the test ends."""

    def handle(self) -> None:
        """Answer and close."""
        lines = list(iter(self.rfile.readline, b"\r\n"))
        number = len(Server.requests)
        Server.requests.append(b"".join(lines))
        answer = Server.answers[number % len(Server.answers)]
        with contextlib.suppress(OSError):
            self.wfile.write(http(b"", 401) if number > MOST_REQUESTS else answer)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the address of the server."""
    with Server(("127.0.0.1", 0), Connection) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v2"
        server.shutdown()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Let no wait take time, and log everything."""
    caplog.set_level("DEBUG")
    monkeypatch.setattr(time, "sleep", lambda _: None)


def http(body: bytes, status: int = 200, headers: bytes = b"") -> bytes:
    """Return an answer."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 %d Made up\r\n%s%s\r\n%s" % (status, headers, length, body)


def page(items: object, cursor: object = None) -> bytes:
    """Return an answer that has at least the outline of a page."""
    return http(json.dumps({"items": items, "next_starting_after": cursor}).encode())


def row(**fields: object) -> Json:
    """Return a label."""
    return {"id": "1", "timestamp_created": "2026-01-31T08:00:00.000Z"} | fields


def check_survived(
    url: str, caplog: pytest.LogCaptureFixture, answers: list[bytes]
) -> dict[str, str | None]:
    """Run the tap against these answers, and return each stream's failure."""
    Server.answers, Server.requests = answers, []
    caplog.clear()
    config = {"api_key": KEY, "api_url": url, "max_requests_per_minute": UNHURRIED}
    with captured() as stdout:
        tap = TapInstantly(config=config, catalog=catalog_of(*HEART))
        tap.sync_all()
    assert len(Server.requests) < MOST_REQUESTS
    check_records(Output(stdout.getvalue().decode()))
    for name, stats in tap.stats.items():
        assert "unexpected" not in (stats.failure or ""), stats.failure
        done = tap.state["bookmarks"].get(name, {}).get("replication_key_value")
        assert done is None or stats.failure is None
    for record in caplog.records:
        assert not record.exc_info, record.exc_info
        if record.levelname != "DEBUG":
            assert "\n" not in record.getMessage()
            assert len(record.getMessage()) < 1_000
    told = stdout.getvalue().decode() + caplog.text
    assert not [part for part in PARTS if part in told]
    return {name: stats.failure for name, stats in tap.stats.items()}


def check_records(output: Output) -> None:
    """Validate each RECORD with the SCHEMA before it, formats included."""
    checker = FormatChecker()
    validators = {
        m["stream"]: Draft7Validator(m["schema"], format_checker=checker)
        for m in output.of("SCHEMA")
    }
    for message in output.of("RECORD"):
        validators[message["stream"]].validate(message["record"])


texts = st.one_of(
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from(["", "\ud800", "\0", "a\nb", "9" * 400, "[" * 3_000, "1e999"]),
)
moments = st.one_of(
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
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
    moments,
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
    lambda identity, moment, others: row(
        id=identity, timestamp_created=moment, **others
    ),
    st.sampled_from("abcdef") | values,
    moments | values,
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=3),
)
cursors = st.none() | st.sampled_from("abc") | moments | texts
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
ANY_ANSWER = st.one_of(
    pages,
    st.binary(max_size=200),
    st.builds(http, bodies, statuses, st.lists(header_bytes, max_size=3).map(b"".join)),
)


@fuzz
@given(answer=ANY_ANSWER)
def test_any_answer(url: str, caplog: pytest.LogCaptureFixture, answer: bytes) -> None:
    """Arbitrary bytes, statuses, headers and bodies."""
    check_survived(url, caplog, [answer])


@fuzz
@given(answers=st.lists(pages, min_size=1, max_size=6))
def test_any_pages(
    url: str, caplog: pytest.LogCaptureFixture, answers: list[bytes]
) -> None:
    """Values of every type in every field; cursors that lead in circles."""
    check_survived(url, caplog, answers)


@fuzz
@given(answers=st.lists(ANY_ANSWER, min_size=2, max_size=5))
def test_any_answers(
    url: str, caplog: pytest.LogCaptureFixture, answers: list[bytes]
) -> None:
    """Faults of every kind in a row."""
    check_survived(url, caplog, answers)


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
    """An answer that repeats the key passes it on to nobody."""
    body = json.dumps({"items": [row() | fields], "next_starting_after": KEY})
    check_survived(url, caplog, [http(body.encode(), status)])


def test_key_as_cursor(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not even as the cursor of a list that does not go on."""
    same = page([row(), row(id="2")], KEY)
    assert check_survived(url, caplog, [same])["lead_labels"]


def test_cursors_that_never_end(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The same rows with ever new cursors are no list."""
    again = [page([row(), row(id="2")], f"cursor {n}") for n in range(100)]
    failures = check_survived(url, caplog, again)
    assert "does not end" in str(failures["lead_labels"])


def test_unknown_fields_are_not_told_without_end(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A record with ten thousand fields does not fill the log."""
    check_survived(url, caplog, [page([row(**{f"f{n}": n for n in range(10_000)})])])
    assert len(caplog.records) < 1_000


CASES = {
    "redirect to no address": http(b"", 302, b"Location: http://[\r\n"),
    "redirect in no encoding": http(b"", 301, b"Location: /\xff\r\n"),
    "redirect elsewhere": http(b"", 308, b"Location: http://example.com/\r\n"),
    "header without a colon": http(b'{"items":[]}', 200, b"Nonsense\r\nX: y\r\n"),
    "header without a name": http(b'{"items":[]}', 200, b": nothing\r\n"),
    "negative chunk": b"HTTP/1.1 403 N\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx",
    "cursor past the last year": page([row()], "9999-12-31T24:00:00Z"),
    "time past the last year": page([row(timestamp_created="9999-12-31T24:00:00Z")]),
    "huge text": page([row(label="x" * 2**24)]),
    "huge page": page([row(id=str(n)) for n in range(50_000)]),
    "huge number": page([row(label=10**4_000)]),
    "redirect without end": (b"HTTP/1.1 302 F\r\nLocation: /x\r\n\r\n" + b"x" * 2**28),
}


@pytest.mark.parametrize("answer", CASES.values(), ids=CASES)
def test_command(tap: Command, url: str, answer: bytes) -> None:
    """The same through the command, with its log at its most talkative."""
    Server.answers, Server.requests = [answer], []
    config = {"api_key": KEY, "api_url": url}
    done = tap(config=config, TAP_INSTANTLY_LOGLEVEL="debug")
    assert done.exit_code in {0, 1}
    assert "Traceback" not in done.stderr
    assert not [part for part in PARTS if part in done.stdout + done.stderr]
    assert bool(done.exit_code) == ("| ERROR" in done.stderr)
    assert all(b"127.0.0.1" in request for request in Server.requests)
    check_records(done)
