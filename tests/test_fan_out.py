"""Streams that ask for each campaign, mailbox and so on: each once, and in order."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from tap_instantly.api import rate_limit, retry
from tap_instantly.api.client import Client
from tap_instantly.api.rate_limit import RateLimiter
from tap_instantly.reading.concurrency import PartitionScheduler
from tap_instantly.reading.conversions import convert
from tap_instantly.reading.substream import SubstreamStream
from tap_instantly.sandbox import Sandbox
from tap_instantly.tap import TapInstantly
from tests.conftest import (
    UNHURRIED,
    Output,
    answer_with,
    captured,
    catalog_of,
    sync,
    tap_of,
    wait_for_threads,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_instantly.api.pages import Page, Request
    from tap_instantly.reading.partition import RecordBatch, Source
    from tap_instantly.sandbox.http.server import Request as Seen

PREFIX = "/api/v2"
IN_TIME = 30.0  # half of the shortest wait that is to be cut short
OF_CAMPAIGNS = (
    "campaign_analytics_daily",
    "campaign_analytics_overview",
    "campaign_analytics_steps",
    "campaign_sending_status",
    "subsequence_analytics",
)
PARENTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "accounts": (
        ("account_campaign_mappings", "account_details", "warmup_analytics"),
        "/accounts",
        "email",
    ),
    "campaigns": (OF_CAMPAIGNS, "/campaigns", "id"),
    "dfy_email_account_orders": (
        ("domain_forwarding",),
        "/dfy-email-account-orders",
        "domain",
    ),
    "inbox_placement_tests": (
        (
            "inbox_placement_analytics",
            "inbox_placement_deliverability_insights",
            "inbox_placement_reports",
            "inbox_placement_stats_by_date",
            "inbox_placement_stats_by_test",
        ),
        "/inbox-placement-tests",
        "id",
    ),
    "subsequences": (
        ("subsequence_analytics_steps", "subsequence_sending_status"),
        "/subsequences",
        "id",
    ),
}
EVERY_PARENT = pytest.mark.parametrize("parent", PARENTS)
STAMPS = {
    "account_campaign_mappings": ("accounts", "email"),
    "account_details": ("accounts", "email"),
    "ai_agent_analytics": ("ai_agents", "agent_id"),
    "ai_deliverability_feed_items": ("ai_agents", "agent_id"),
    "ai_inbox_manager_activity": ("ai_agents", "agent_id"),
    "ai_inbox_manager_replies": ("ai_agents", "agent_id"),
    "ai_lead_finder_stats": ("ai_agents", "agent_id"),
    "ai_sales_agent_lead_activity": ("ai_agents", "agent_id"),
    "campaign_analytics_daily": ("campaigns", "campaign_id"),
    "campaign_analytics_overview": ("campaigns", "campaign_id"),
    "campaign_analytics_steps": ("campaigns", "campaign_id"),
    "campaign_sending_status": ("campaigns", "campaign_id"),
    "inbox_placement_analytics": ("inbox_placement_tests", "test_id"),
    "inbox_placement_stats_by_date": ("inbox_placement_tests", "test_id"),
    "subsequence_analytics": ("campaigns", "campaign_id"),
    "subsequence_sending_status": ("subsequences", "subsequence_id"),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no fault be passed over."""
    monkeypatch.setattr(retry, "MAX_TOTAL_WAIT", 0.0)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with more campaigns than are asked about at a time."""
    with Sandbox(
        labels=0, lists=4, campaigns=30, leads=60, emails=120, strict=True
    ) as sandbox:
        yield sandbox


def paths(sandbox: Sandbox) -> list[str]:
    """Return the paths of all requests, in the order in which they came."""
    return [request.path.removeprefix(PREFIX) for request in sandbox.requests]


def passes(sandbox: Sandbox, path: str) -> int:
    """Return how many times a list has been begun."""
    return sum(
        request.path == PREFIX + path and "starting_after" not in request.query
        for request in sandbox.requests
    )


# Parents


@EVERY_PARENT
@pytest.mark.parametrize("is_selected", [True, False])
def test_parents_are_listed_once(
    sandbox: Sandbox, parent: str, *, is_selected: bool
) -> None:
    """However many streams need them, and be their own stream selected or not."""
    children, path, key = PARENTS[parent]
    chosen = (*children, parent) if is_selected else children
    output = sync(sandbox, catalog=catalog_of(*chosen))
    assert passes(sandbox, path) == 1
    assert bool(output.records(parent)) == is_selected
    for child in children:
        assert output.records(child)
    if is_selected:
        rows = sandbox.tables[parent].rows
        assert {r[key] for r in output.records(parent)} == {r[key] for r in rows}


def test_parents_are_listed_once_for_the_next_run(sandbox: Sandbox) -> None:
    """A bookmark of theirs does not keep those away that have not changed."""
    catalog = catalog_of("campaigns", "campaign_sending_status")
    first = sync(sandbox, catalog=catalog)
    sandbox.requests.clear()
    second = sync(sandbox, first.state, catalog)
    assert passes(sandbox, "/campaigns") == 1
    assert len(second.records("campaigns")) == 1
    expected = first.records("campaign_sending_status")
    assert second.records("campaign_sending_status") == expected


def test_parents_are_listed_once_with_a_start_date(sandbox: Sandbox) -> None:
    """Older ones are asked about as well: their figures are still news."""
    rows = sandbox.tables["campaigns"].rows
    start = sorted(row["timestamp_created"] for row in rows)[15]
    catalog = catalog_of("campaigns", "campaign_sending_status")
    output = sync(sandbox, catalog=catalog, start_date=start)
    assert len(output.records("campaigns")) == 15
    assert len(output.records("campaign_sending_status")) == 30
    assert passes(sandbox, "/campaigns") == 1


def test_lists_that_are_read_in_part_are_listed_for_their_children() -> None:
    """The parents' own stream stops at its bookmark; the children need all."""
    with Sandbox(labels=0, lists=130, leads=20, emails=20, strict=True) as sandbox:
        catalog = catalog_of("lead_lists", "lead_list_verification_stats")
        first = sync(sandbox, catalog=catalog)
        assert passes(sandbox, "/lead-lists") == 1
        second = sync(sandbox, first.state, catalog)
    assert len(second.records("lead_lists")) == 1
    assert len(second.records("lead_list_verification_stats")) == 130


def test_no_parents(sandbox: Sandbox) -> None:
    """Nothing is asked, and nothing fails."""
    for row in sandbox.tables["campaigns"].rows:
        sandbox.tables["campaigns"].delete(row["id"])
    output = sync(sandbox, catalog=catalog_of(*OF_CAMPAIGNS))
    assert not output.of("RECORD")
    assert paths(sandbox) == ["/campaigns"]


@pytest.mark.parametrize("stream", STAMPS)
def test_each_record_says_whose_it_is(sandbox: Sandbox, stream: str) -> None:
    """The parent's id is on it, so that it can be joined."""
    parent, stamp = STAMPS[stream]
    records = sync(sandbox, catalog=catalog_of(stream)).records(stream)
    key = "email" if parent == "accounts" else "id"
    known = [row[key] for row in sandbox.tables[parent].rows]
    assert records
    assert {record[stamp] for record in records} <= {*known}


def test_what_is_stamped_fits() -> None:
    """It is put on rows that have been checked."""
    tap = TapInstantly(config={}, validate_config=False)
    for stream in tap.streams.values():
        if isinstance(stream, SubstreamStream) and stream.name != "leads":
            properties = stream.schema["properties"]
            for parent in stream.parents:
                fields = {parent.partition_field: "x", **parent.extra_fields}
                for field, value in fields.items():
                    assert convert(value, properties[field]) is value, stream.name


def test_parents_of_two_kinds(sandbox: Sandbox) -> None:
    """Enrichments are of lists and of campaigns."""
    stream = "supersearch_enrichments"
    records = sync(sandbox, catalog=catalog_of(stream)).records(stream)
    kinds: dict[int, t.Any] = {1: sandbox.tables["campaigns"], 2: sandbox.lists}
    assert {record["resource_type"] for record in records} == {1, 2}
    for record in records:
        rows = kinds[record["resource_type"]].rows
        assert record["resource_id"] in {row["id"] for row in rows}


def test_agents_are_asked_what_their_type_can_tell(sandbox: Sandbox) -> None:
    """The rest would be answered 404."""
    streams = ("ai_inbox_managers", "ai_sales_agents")
    output = sync(sandbox, catalog=catalog_of(*streams))
    assert {request.status for request in sandbox.requests} == {200}
    for stream in streams:
        rows = sandbox.tables[stream].rows
        assert sorted(output.ids(stream)) == sorted(row["id"] for row in rows)
    assert passes(sandbox, "/ai-agents") == 1


# Failures


def test_a_parent_that_is_gone(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It is skipped with a line in the log, and the rest is complete."""
    caplog.set_level("INFO")
    gone = [row["id"] for row in sandbox.tables["campaigns"].rows[3:20:8]]
    for campaign in gone:
        sandbox.fail(f"/{campaign}/sending-status", 404)
    stream = "campaign_sending_status"
    output = sync(sandbox, catalog=catalog_of(stream))
    found = [record["campaign_id"] for record in output.records(stream)]
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    assert found == [campaign for campaign in rows if campaign not in gone]
    lines = re.findall(r"skipped campaign_id (\S+),", caplog.text)
    assert sorted(lines) == sorted(gone)
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_an_endpoint_that_is_gone(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """That every parent is answered so is no reason to be silent."""
    caplog.set_level("INFO")
    body = {
        "statusCode": 404,
        "error": "Not Found",
        "message": "Route GET:/x not found",
    }
    content = json.dumps(body).encode()
    sandbox.fail("/sending-status", 404, body=content)
    sandbox.fail("/campaigns/analytics/overview", 404, body=b"<html>Not Found</html>")
    streams = ("campaign_sending_status", "campaign_analytics_overview")
    output = sync(sandbox, catalog=catalog_of(*streams))
    assert not output.of("RECORD")
    for stream in streams:
        assert re.search(rf"{stream}: HTTP 404 from .*no such endpoint", caplog.text)
    assert "skipped" not in caplog.text


def test_parents_that_may_not_be_listed(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Each child says so, and they are not asked for again."""
    sandbox.fail(f"{PREFIX}/campaigns", 403)
    chosen = ("campaigns", "campaign_sending_status", "campaign_analytics_overview")
    output = sync(sandbox, catalog=catalog_of(*chosen, "workspace"))
    for stream in chosen:
        pattern = rf"{stream}: HTTP 403 from /campaigns: .*`campaigns:read`"
        assert re.search(pattern, caplog.text)
    assert passes(sandbox, "/campaigns") == 1
    assert {m["stream"] for m in output.of("RECORD")} == {"workspace"}


@pytest.mark.parametrize("status", [500, 503])
def test_a_fault_that_passes(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A child is asked about again, and stays in its place."""
    monkeypatch.setattr(retry, "MAX_TOTAL_WAIT", 300.0)
    monkeypatch.setattr(retry, "delay", lambda _: 0.0)
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    sandbox.fail(f"/{rows[4]}/sending-status", status, times=3)
    stream = "campaign_sending_status"
    output = sync(sandbox, catalog=catalog_of(stream))
    assert [record["campaign_id"] for record in output.records(stream)] == rows
    asked = [path for path in paths(sandbox) if rows[4] in path]
    assert len(asked) == 4


def test_a_fault_that_stays(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The stream fails, with no bookmark, and the next is read all the same."""
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    sandbox.fail(f"/{rows[4]}/sending-status", 500)
    chosen = ("campaign_sending_status", "workspace")
    output = sync(sandbox, catalog=catalog_of(*chosen))
    found = [record["campaign_id"] for record in output.records(chosen[0])]
    assert found == rows[:4]
    assert f"{chosen[0]}: HTTP 500 from /campaigns/" in caplog.text
    assert output.records("workspace")


def test_a_batch_with_a_mailbox_that_is_gone(sandbox: Sandbox) -> None:
    """The others of the batch are not lost with it."""
    stream = "warmup_analytics"
    usual = sync(sandbox, catalog=catalog_of(stream))
    gone = sandbox.tables["accounts"].rows[7]["email"]
    sandbox.requests.clear()

    def refuse(request: Seen) -> None:
        sandbox.heal()
        if request.body and gone in request.body["emails"]:
            sandbox.fail(request.path, 404)

    sandbox.on_request = refuse
    output = sync(sandbox, catalog=catalog_of(stream))
    expected = [r for r in usual.records(stream) if r["email"] != gone]
    assert output.records(stream) == expected
    asked = [request for request in sandbox.requests if request.body]
    assert len(asked) < 2 * 6


# Order


@pytest.fixture
def shuffled(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Let answers arrive in another order than that of the requests.

    Of each two requests under way the first has its answer after the second. Returns
    how often that was so.
    """
    lock = threading.Lock()
    waiting: list[threading.Event] = []
    count = {"overtaken": 0}

    def answer(request: Request, usual: Callable[[], Page]) -> Page:
        if not request.path_params:
            return usual()
        with lock:
            partner = waiting.pop() if waiting else None
            own = threading.Event()
            if partner is None:
                waiting.append(own)
        page = usual()
        if partner is not None:
            count["overtaken"] += 1
            partner.set()
        else:
            assert own.wait(60)
        return page

    answer_with(monkeypatch, answer)
    return count


def test_order_is_that_of_the_parents(
    sandbox: Sandbox, shuffled: dict[str, int]
) -> None:
    """Answers that come early wait for their turn: two runs write the same."""
    stream = "campaign_sending_status"
    runs = [sync(sandbox, catalog=catalog_of(stream)) for _ in range(2)]
    records = [
        [line for line in run.stdout.splitlines() if '"RECORD"' in line] for run in runs
    ]
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    assert runs[0].records(stream) == runs[1].records(stream)
    assert [record["campaign_id"] for record in runs[0].records(stream)] == rows
    without_times = [
        re.sub(r'"time_extracted":"[^"]*"', "", "".join(r)) for r in records
    ]
    assert without_times[0] == without_times[1]
    assert shuffled["overtaken"] == 30


@pytest.mark.parametrize("most", [1, 3, 8])
def test_as_many_are_under_way_as_may_be(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """All that the setting allows, and no more; and no thread is left at the end."""
    before = set(threading.enumerate())
    lock, are_all_there = threading.Lock(), threading.Event()
    under_way, largest = 0, 0
    usual = Client._send  # noqa: SLF001 (the one that is under way)

    def send(self: Client, request: Request) -> bytes:
        nonlocal under_way, largest
        with lock:
            under_way += 1
            largest = max(largest, under_way)
            if under_way == most:
                are_all_there.set()
        try:
            if request.path_params:  # all other requests are over before these begin
                assert are_all_there.wait(60)
            return usual(self, request)
        finally:
            with lock:
                under_way -= 1

    monkeypatch.setattr(Client, "_send", send)
    stream = "campaign_sending_status"
    output = sync(sandbox, catalog=catalog_of(stream), max_concurrency=most)
    assert len(output.records(stream)) == 30
    assert largest == most
    wait_for_threads(output.tap, before)


def test_emails_are_read_while_the_others_are(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before them in the output does not keep them waiting."""
    monkeypatch.setitem(rate_limit.ENDPOINT_LIMITS, "/emails", UNHURRIED)
    is_far = threading.Event()

    def answer(request: Request, usual: Callable[[], Page]) -> Page:
        if request.path == "/emails" and "starting_after" in request.params:
            is_far.set()
        elif request.path != "/emails":
            assert is_far.wait(60)
        return usual()

    answer_with(monkeypatch, answer)
    output = sync(sandbox, catalog=catalog_of("workspace", "emails"))
    streams = [message["stream"] for message in output.of("RECORD")]
    assert streams == ["workspace", *["emails"] * 120]


def test_a_tap_that_reads_again(sandbox: Sandbox) -> None:
    """A stream that has failed is no longer given up in the next run."""
    stream = "campaign_sending_status"
    tap = tap_of(sandbox, catalog=catalog_of("campaigns", stream))
    sandbox.fail("/sending-status", 401)

    def read() -> None:
        for _ in range(2):
            tap.sync_all()
            sandbox.heal()

    with captured() as stdout:
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        thread.join(60)
    assert not thread.is_alive()
    output = Output(stdout.getvalue().decode())
    assert len(output.records(stream)) == 30


def test_what_is_given_up_weighs_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that comes when nobody waits for it any more leaves room for others."""
    before = set(threading.enumerate())
    is_given_up = threading.Event()
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    sandbox.fail(f"/{rows[0]}/sending-status", 401)

    def answer(request: Request, usual: Callable[[], Page]) -> Page:
        page = usual()
        assert not request.path_params or is_given_up.wait(60)
        return page

    def batches(self: PartitionScheduler, source: Source) -> Iterator[RecordBatch]:
        try:
            yield from usual_batches(self, source)
        finally:
            is_given_up.set()

    answer_with(monkeypatch, answer)
    usual_batches = PartitionScheduler.batches
    monkeypatch.setattr(PartitionScheduler, "batches", batches)
    stream = "campaign_sending_status"
    tap = tap_of(sandbox, catalog=catalog_of(stream))
    with captured():
        tap.sync_all()
    wait_for_threads(tap, before)
    assert tap.scheduler.buffered_bytes == 0


def test_threads_of_a_stream_that_fails(sandbox: Sandbox) -> None:
    """They end as well, and nothing more is asked."""
    before = set(threading.enumerate())
    sandbox.fail("/sending-status", 401, after=3)
    output = sync(sandbox, catalog=catalog_of("campaign_sending_status"))
    wait_for_threads(output.tap, before)
    asked = [path for path in paths(sandbox) if path.endswith("/sending-status")]
    assert len(asked) < 30


def test_one_pacer(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request keeps to the budget of the run, from whatever thread."""
    pacers, waits = [], []
    usual = RateLimiter.wait

    def wait(self: RateLimiter, lane: str = "") -> None:
        pacers.append(self)
        if not lane:
            waits.append(threading.current_thread().name)
        usual(self, lane)

    monkeypatch.setattr(RateLimiter, "wait", wait)
    sync(sandbox, catalog=catalog_of("campaigns", "workspace", *OF_CAMPAIGNS))
    assert len(waits) == len(sandbox.requests)
    assert len(set(map(id, pacers))) == 1
    assert len(set(waits)) > 2


def test_the_pacer_keeps_threads_at_their_distance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that come together leave one after another."""
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(time, "sleep", slept.append)
    pacer = RateLimiter(60)

    def hurry() -> None:
        for _ in range(2_000):
            pacer.wait()

    threads = [threading.Thread(target=hurry) for _ in range(8)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    distance = 1 / rate_limit.MARGIN
    assert sorted(slept) == pytest.approx([n * distance for n in range(1, 16_000)])


def test_a_stream_that_fails_makes_room(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it still waits for keeps nobody else from asking."""
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    others, is_asked = threading.Event(), threading.Event()
    waiting = threading.Semaphore(0)

    def answer(request: Request, usual: Callable[[], Page]) -> Page:
        if rows[0] in request.path_params.values():
            for _ in range(16):  # until there is no room for more
                assert waiting.acquire(timeout=60)
        elif request.path_params:
            waiting.release()
            others.wait(60)
        elif request.path == "/workspaces/current":
            is_asked.set()
        return usual()

    sandbox.fail(f"/{rows[0]}/sending-status", 401)
    answer_with(monkeypatch, answer)
    catalog = catalog_of("campaign_sending_status", "workspace")
    before = set(threading.enumerate())

    meanwhile: list[bool] = []

    def end() -> None:
        meanwhile.append(is_asked.wait(60))
        others.set()

    ending = threading.Thread(target=end)
    ending.start()
    output = sync(sandbox, catalog=catalog, max_concurrency=1)
    ending.join()
    assert meanwhile == [True]
    wait_for_threads(output.tap, before)


# Addresses


@pytest.mark.parametrize(
    "email",
    [
        "mara+eu@example.com",
        "o'neill@example.com",
        "100%.sure&more=1@example.com",
        "what?#here@example.com",
        "in/out@example.com",
        "{email}@example.com",
        "björn@bücher.example.com",
        "a b;c,d@example.com",
        "..@example.com",
    ],
)
def test_addresses_in_paths(sandbox: Sandbox, email: str) -> None:
    """They arrive as they are, whatever they are made of."""
    accounts = sandbox.tables["accounts"]
    added = accounts.add(email=email)
    campaigns = sandbox.tables["campaigns"]
    campaigns.edit(campaigns.rows[0]["id"], email_list=[email])
    streams = ("account_campaign_mappings", "account_details")
    output = sync(sandbox, catalog=catalog_of(*streams))
    details = {record["email"]: record for record in output.records(streams[1])}
    assert details.keys() == {row["email"] for row in accounts.rows}
    assert details[email]["timestamp_created"] == added["timestamp_created"]
    assert email in {record["email"] for record in output.records(streams[0])}
    assert {request.status for request in sandbox.requests} == {200}


@pytest.mark.parametrize("stream", ["warmup_analytics", "account_analytics_daily"])
def test_addresses_in_batches(sandbox: Sandbox, stream: str) -> None:
    """In a body or a query as well."""
    email = "mara+eu&x=1@example.com"
    sandbox.tables["accounts"].add(email=email)
    sync(sandbox, catalog=catalog_of(stream))
    asked = [
        r.body["emails"] if r.body else r.queries.get("emails", [])
        for r in sandbox.requests
    ]
    assert any(email in emails for emails in asked)


# Ending


@contextlib.contextmanager
def started(sandbox: Sandbox, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Read campaigns and their children; what is left at the end is killed.

    The messages go to a file, since nobody reads them while the tap runs.
    """
    catalog = directory / "catalog.json"
    chosen = catalog_of("campaigns", "campaign_sending_status")
    catalog.write_text(json.dumps(chosen), encoding="utf-8")
    environment = os.environ | {
        "TAP_INSTANTLY_API_KEY": sandbox.key,
        "TAP_INSTANTLY_API_URL": sandbox.url,
        "TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE": str(UNHURRIED),
    }
    command = Path(sys.executable).with_name("tap-instantly")
    with (
        (directory / "stdout").open("wb") as stdout,
        (directory / "stderr").open("wb") as stderr,
        subprocess.Popen(
            [command, "--catalog", catalog],
            env=environment,
            stdout=stdout,
            stderr=stderr,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def test_a_failure_ends_the_waits(sandbox: Sandbox, tmp_path: Path) -> None:
    """What other threads would still try again keeps no run that has failed."""
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    asked = threading.Event()
    sandbox.fail(f"/{rows[0]}/sending-status", 401)
    sandbox.fail(f"/{rows[1]}/sending-status", 503, headers={"Retry-After": "600"})

    def note(request: Seen) -> None:
        if rows[1] in request.path:
            asked.set()

    sandbox.on_request = note
    with started(sandbox, tmp_path) as process:
        assert asked.wait(60)
        assert process.wait(IN_TIME) == 1


@pytest.mark.parametrize(
    ("signum", "exit_code", "kind"),
    [
        (signal.SIGTERM, 143, "hang"),
        (signal.SIGINT, 130, 503),
        (signal.SIGTERM, 143, "none"),
    ],
)
def test_a_signal(
    sandbox: Sandbox,
    tmp_path: Path,
    signum: int,
    exit_code: int,
    kind: t.Literal["hang", 503, "none"],
) -> None:
    """It ends in time with the state, whatever the threads are doing."""
    asked = threading.Event()

    def note(_: Seen) -> None:
        if len([path for path in paths(sandbox) if path.endswith("-status")]) > 5:
            asked.set()

    if kind != "none":
        sandbox.fail("/sending-status", kind, after=5)
    sandbox.on_request = note
    with started(sandbox, tmp_path) as process:
        assert asked.wait(60)
        process.send_signal(signum)
        assert process.wait(IN_TIME) == exit_code
    output = Output((tmp_path / "stdout").read_text(encoding="utf-8"))
    assert "Traceback" not in (tmp_path / "stderr").read_text(encoding="utf-8")
    newest = max(row["timestamp_updated"] for row in sandbox.tables["campaigns"].rows)
    assert output.bookmark("campaigns") == newest
    rows = [row["id"] for row in sandbox.tables["campaigns"].rows]
    found = [r["campaign_id"] for r in output.records("campaign_sending_status")]
    assert found == rows[: len(found)]
