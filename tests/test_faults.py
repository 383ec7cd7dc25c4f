"""Retries: after which faults, how often and how soon."""

from __future__ import annotations

import re
import time
import typing as t
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
import requests

from tap_instantly.api import client
from tap_instantly.api.retry import retry_after
from tap_instantly.sandbox import Sandbox
from tests.conftest import Output, catalog_of, sync

if t.TYPE_CHECKING:
    from tap_instantly.sandbox.http.faults import Kind
    from tests.conftest import Command

BROKEN = b"\x1f\x8b, but no more of gzip than that"
GZIP = {"Content-Encoding": "gzip"}

TRANSIENT: list[t.Any] = [429, 500, 502, 503, 504, "reset", "truncate", "hang", "gzip"]
MALFORMED: list[t.Any] = ["not-json", "no-items", "items-null", "not-object"]
RETRY = re.compile(r"lead_labels: (HTTP \d{3}|\w+); try (\d+) follows in (\d+\.\d) s")


class Clock:
    """A clock that advances only when the tap sleeps."""

    def __init__(self) -> None:
        """Begin before any wait."""
        self.now = 1_000.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass; the rate limiter's short waits are not recorded."""
        self.now += seconds
        if seconds >= 0.5:
            self.waits.append(seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock by which the tap waits, which takes no real time."""
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def quick_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock, for tests in which a response hangs."""
    monkeypatch.setattr(client, "READ_TIMEOUT", 0.2)
    return clock


def fail_labels(sandbox: Sandbox, kind: int | Kind | str, **options: t.Any) -> None:
    """Let requests for labels fail; `gzip` is a body that cannot be decompressed."""
    if kind == "gzip":
        sandbox.fail("/lead-labels", headers=GZIP, body=BROKEN, **options)
    else:
        sandbox.fail("/lead-labels", t.cast("Kind", kind), **options)


def logged(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    """Return the tap's log lines of one level; none may have a traceback."""
    records = [r for r in caplog.records if r.name != "aiohttp.server"]
    assert not any(record.exc_info for record in records)
    return [r.getMessage() for r in records if r.levelname == level]


def check_complete(sandbox: Sandbox, output: Output) -> None:
    """Expect each row of both streams once."""
    for name, listing in (
        ("lead_labels", sandbox.labels),
        ("lead_lists", sandbox.lists),
    ):
        assert sorted(output.ids(name)) == sorted(row["id"] for row in listing.rows)


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("kind", TRANSIENT)
def test_transient_faults(
    quick_clock: Clock, caplog: pytest.LogCaptureFixture, kind: t.Any, after: int
) -> None:
    """Three faults in a row, on any page, neither lose nor repeat a row."""
    with Sandbox(labels=250, lists=3, strict=True) as sandbox:
        fail_labels(sandbox, kind, after=after, times=3)
        check_complete(sandbox, sync(sandbox))
    assert len(quick_clock.waits) == 3
    warnings = logged(caplog, "WARNING")
    logged_retries = [m.groups() for m in map(RETRY.fullmatch, warnings) if m]
    what = f"HTTP {kind}" if isinstance(kind, int) else logged_retries[0][0]
    assert logged_retries == [
        (what, str(number), f"{wait:.1f}")
        for number, wait in enumerate(quick_clock.waits, start=2)
    ]


@pytest.mark.parametrize("kind", [*TRANSIENT, "refused"])
def test_five_minutes_of_waits(
    sandbox: Sandbox,
    quick_clock: Clock,
    caplog: pytest.LogCaptureFixture,
    kind: t.Any,
) -> None:
    """The waits grow, and end after about five minutes in all."""
    if kind == "refused":
        sandbox.stop()
        output = sync(sandbox, catalog=catalog_of("lead_labels"))
    else:
        fail_labels(sandbox, kind)
        output = sync(sandbox)
        assert len(output.ids("lead_lists")) == 5
    assert 270 <= sum(quick_clock.waits) <= 390
    assert 5 <= len(quick_clock.waits) <= 20
    assert max(quick_clock.waits) <= 120
    assert quick_clock.waits[0] < 5
    assert output.ids("lead_labels") == []
    assert logged(caplog, "ERROR")[0].startswith("lead_labels: ")


def test_time_spent_in_timeouts_counts(
    clock: Clock, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeouts count towards the five minutes as waits do."""

    def hang(*_: t.Any, **options: t.Any) -> t.NoReturn:
        assert options["timeout"][0] == 10.0
        clock.now += 60
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.Session, "send", hang)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    begin = clock.now
    sync(sandbox, catalog=catalog_of("lead_labels"))
    assert 270 <= clock.now - begin <= 480


def test_timeouts(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request has ten seconds to connect, and sixty to read."""
    used: list[object] = []
    send = requests.adapters.HTTPAdapter.send

    def spy(*arguments: t.Any, **options: t.Any) -> requests.Response:
        used.append(options["timeout"])
        return send(*arguments, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", spy)
    sync(sandbox)
    assert set(used) == {(10.0, 60.0)}


def test_jitter(sandbox: Sandbox, clock: Clock) -> None:
    """Two taps that fail at the same time do not retry at the same time."""
    sandbox.fail("/lead-labels", 503)
    sync(sandbox)
    first, clock.waits = clock.waits, []
    sync(sandbox)
    assert set(first).isdisjoint(clock.waits)


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("before", [0, 4])
def test_malformed_page(
    sandbox: Sandbox,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    kind: Kind,
    before: int,
) -> None:
    """A malformed page is retried three times, also after faults of other kinds."""
    sandbox.fail("/lead-labels", 503, times=before)
    sandbox.fail("/lead-labels", kind)
    sync(sandbox)
    assert len(clock.waits) == before + 3
    assert sum(clock.waits[before:]) <= 16
    assert re.match(r"lead_labels: the answer (is|has) no", logged(caplog, "ERROR")[0])


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_pages_in_a_row(sandbox: Sandbox, kind: Kind) -> None:
    """The run survives three of them."""
    sandbox.fail("/lead-labels", kind, times=3)
    check_complete(sandbox, sync(sandbox))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "malformed"),
        (401, "`api_key`"),
        (402, "plan"),
        (403, "scope"),
        (404, "`api_url`"),
        (413, "too much"),
    ],
)
def test_permanent_faults(
    sandbox: Sandbox,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    status: int,
    words: str,
) -> None:
    """A permanent fault is not retried."""
    sandbox.fail("/lead-labels", status)
    output = sync(sandbox)
    assert clock.waits == []
    assert len([r for r in sandbox.requests if r.path.endswith("/lead-labels")]) == 1
    assert len(output.ids("lead_lists")) == 5
    [error] = logged(caplog, "ERROR")
    assert re.match(rf"lead_labels: HTTP {status} .*{words}", error)


def test_exhausted_quota(clock: Clock) -> None:
    """The run waits for a quota of five requests a minute, again and again."""
    limits: t.Any = {"requests_per_minute": 5, "clock": lambda: clock.now}
    with Sandbox(labels=1_500, lists=3, strict=True, **limits) as sandbox:
        check_complete(sandbox, sync(sandbox))
    assert clock.waits


def http_date(offset: timedelta) -> str:
    """Return the date at this distance from now, as HTTP writes it."""
    return format_datetime(datetime.now(timezone.utc) + offset, usegmt=True)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", (7, 7.5)),
        ("90", (90, 91)),
        ("600", (600, 600)),
        ("601", (600, 600)),
        ("86400", (600, 600)),
        (timedelta(seconds=300), (200, 301)),
        (timedelta(days=400), (600, 600)),
        ("0", (0, 2)),
        (timedelta(days=-1), (0, 2)),
        *[
            (nonsense, (1, 2))  # as if the header were not there
            for nonsense in ("", "soon", "-3", "NaN", "inf", "1e9", "0x20", "30 s", "²")
        ],
        ("Thu, 99 Foo 2026 99:99:99 GMT", (1, 2)),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(
    sandbox: Sandbox,
    clock: Clock,
    status: int,
    header: str | timedelta,
    wait: tuple[float, float],
) -> None:
    """A sensible `Retry-After` is honoured, up to ten minutes."""
    text = http_date(header) if isinstance(header, timedelta) else header
    headers = {"Retry-After": text}
    sandbox.fail("/lead-labels", status, times=1, headers=headers)
    check_complete(sandbox, sync(sandbox))
    assert wait[0] <= sum(clock.waits) <= wait[1]


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_retry_after_in_the_format_of_asctime(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """That date has no zone; it is in GMT, wherever the tap runs."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    timestamp = datetime.now(timezone.utc) + timedelta(seconds=120)
    headers = {"Retry-After": timestamp.strftime("%a %b %d %H:%M:%S %Y")}
    error = t.cast(
        "Exception", SimpleNamespace(response=SimpleNamespace(headers=headers))
    )
    wait = retry_after(error)
    monkeypatch.undo()
    time.tzset()
    assert wait is not None
    assert 60 <= wait <= 120


def test_summary(tap: Command) -> None:
    """The log ends with a line a stream, whether it failed or not."""
    with Sandbox(labels=150, lists=5, strict=True) as sandbox:
        sandbox.fail("/lead-labels", 401, after=1)
        done = tap(sandbox=sandbox)
    assert done.exit_code == 1
    work = r"(\d+) rows, (\d+) requests, (\d+) retries, (\d+\.\d) s waited"
    lines = re.findall(
        rf"(lead_\w+): {work}(?:, bookmark from (\S+) to (\S+))?(.*)", done.stderr
    )
    labels, lists = lines
    assert labels[:7] == ("lead_labels", "100", "2", "0", "0.0", "", "")
    assert labels[7].startswith("; failed: HTTP 401")
    newest = sandbox.lists.rows[0]["timestamp_created"]
    assert lists[0] == "lead_lists"
    assert lists[6:] == (newest, "")
    assert done.bookmark("lead_lists") == newest
