"""Every stream: what it requests, what it writes, and what it never does."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.families.domain_orders import CANARY_PASSWORD
from tap_instantly.sandbox.families.webhooks import CANARY_HEADER
from tap_instantly.sandbox.families.workspace_admin import CANARY_KEY
from tap_instantly.streams import STREAMS
from tests.conftest import Json, Output, catalog_of, remove_waits, sync
from tests.schema_checks import check_records, descriptions

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.reading.substream import ParentStreamConfig
    from tap_instantly.sandbox.http.requests import Request

PREFIX = "/api/v2"

ENDPOINTS = {
    "GET /account-campaign-mappings/{}": "account_campaign_mappings:read",
    "GET /accounts": "accounts:read",
    "GET /accounts/analytics/daily": "accounts:read",
    "GET /accounts/{}": "accounts:read",
    "GET /ai-agents": "ai_agents:read",
    "GET /ai-agents/deliverability": "ai_agents:read",
    "GET /ai-agents/deliverability/{}/feed-items": "ai_agents:read",
    "GET /ai-agents/inbox-manager/{}": "ai_agents:read",
    "GET /ai-agents/inbox-manager/{}/analytics/activity": (
        "ai_inbox_manager_analytics:read"
    ),
    "GET /ai-agents/inbox-manager/{}/analytics/summary": (
        "ai_inbox_manager_analytics:read"
    ),
    "GET /ai-agents/inbox-manager/{}/analytics/summary-by-date": (
        "ai_inbox_manager_analytics:read"
    ),
    "GET /ai-agents/inbox-manager/{}/guidances": "ai_agent_guidances:read",
    "GET /ai-agents/inbox-manager/{}/replies": "ai_sdr_replies:read",
    "GET /ai-agents/lead-finder": "ai_agents:read",
    "GET /ai-agents/lead-finder/{}/activities": "ai_agents:read",
    "GET /ai-agents/lead-finder/{}/stats": "ai_agents:read",
    "GET /ai-agents/sales/{}": "ai_sdr:read",
    "GET /ai-agents/sales/{}/activities": "ai_sdr:read",
    "GET /ai-agents/sales/{}/analytics": "ai_sdr:read",
    "GET /ai-agents/sales/{}/guidance-rules": "ai_sdr:read",
    "GET /ai-agents/sales/{}/leads/activity": "ai_sdr:read",
    "GET /ai-agents/sales/{}/leads/activity/summary": "ai_sdr:read",
    "GET /ai-agents/sales/{}/opportunities/summary": "ai_sdr:read",
    "GET /api-keys": "api_keys:read",
    "GET /audit-logs": "audit_logs:read",
    "GET /background-jobs": "background-jobs:read",
    "GET /block-lists-entries": "block_list_entries:read",
    "GET /campaigns": "campaigns:read",
    "GET /campaigns/analytics": "campaigns:read",
    "GET /campaigns/analytics/daily": "campaigns:read",
    "GET /campaigns/analytics/overview": "campaigns:read",
    "GET /campaigns/analytics/steps": "campaigns:read",
    "GET /campaigns/{}/sending-status": "campaigns:read",
    "GET /crm-actions/phone-numbers": "crm_actions:read",
    "GET /custom-tag-mappings": "custom_tag_mappings:read",
    "GET /custom-tags": "custom_tags:read",
    "GET /dfy-email-account-orders": "dfy_email_account_orders:read",
    "GET /dfy-email-account-orders/accounts": "dfy_email_account_orders:read",
    "GET /domains/{}/forwarding": "dfy_email_account_orders:read",
    "GET /emails": "emails:read",
    "GET /inbox-placement-analytics": "inbox_placement_analytics:read",
    "GET /inbox-placement-reports": "inbox_placement_reports:read",
    "GET /inbox-placement-tests": "inbox_placement_tests:read",
    "GET /inbox-placement-tests/email-service-provider-options": (
        "inbox_placement_tests:read"
    ),
    "GET /lead-labels": "lead-labels:read",
    "GET /lead-lists": "lead_lists:read",
    "GET /lead-lists/{}/verification-stats": "lead_lists:read",
    "GET /subsequences": "subsequences:read",
    "GET /subsequences/analytics": "subsequences:read",
    "GET /subsequences/{}/analytics/steps": "subsequences:read",
    "GET /subsequences/{}/sending-status": "subsequences:read",
    "GET /supersearch-enrichment/ai/{}/in-progress": "supersearch_enrichments:read",
    "GET /supersearch-enrichment/history/{}": "supersearch_enrichments:read",
    "GET /supersearch-enrichment/{}": "supersearch_enrichments:read",
    "GET /webhook-events": "webhook_events:read",
    "GET /webhook-events/summary-by-date": "webhook_events:read",
    "GET /webhooks": "webhooks:read",
    "GET /webhooks/event-types": "webhooks:read",
    "GET /workspace-billing/plan-details": "workspace_billing:read",
    "GET /workspace-billing/subscription-details": "workspace_billing:read",
    "GET /workspace-group-members": "workspace_group_members:read",
    "GET /workspace-members": "workspace_members:read",
    "GET /workspaces/current": "workspaces:read",
    "GET /workspaces/current/whitelabel-domain": "workspaces:read",
    "POST /accounts/warmup-analytics": "accounts:read",
    "POST /ai-agents/analytics": "ai_agents:read",
    "POST /inbox-placement-analytics/deliverability-insights": (
        "inbox_placement_analytics:read"
    ),
    "POST /inbox-placement-analytics/stats-by-date": "inbox_placement_analytics:read",
    "POST /inbox-placement-analytics/stats-by-test-id": (
        "inbox_placement_analytics:read"
    ),
    "POST /leads/list": "leads:read",
}
"""All that the tap may send, and the scope that it requires. Nothing here changes data
or spends credits; the POSTs have their parameters in a body."""


class Stream(t.Protocol):
    """The attributes of a stream's class that the tests use."""

    name: str
    path: str
    http_method: str
    required_scope: str
    primary_keys: tuple[str, ...]
    replication_key: object  # a property of the SDK's where there is none
    full_table_by_default: bool
    secret_fields: tuple[str, ...]
    selected_by_default: bool


ALL = t.cast("list[Stream]", list(STREAMS))
EVERY_STREAM = pytest.mark.parametrize("stream", ALL, ids=lambda stream: stream.name)

LISTED = {"lead_labels", "lead_lists", *Sandbox().tables}
"""The streams whose rows the sandbox lists."""

Reader = t.Callable[[Stream], "Run"]


@dataclass
class Run:
    """The output, the log and the requests of a run."""

    output: Output
    log: str
    requests: list[Request]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace with secrets wherever Instantly may send some."""
    with Sandbox(
        seed=2, labels=12, lists=20, leads=150, emails=300, strict=True
    ) as sandbox:
        mailboxes = sandbox.tables["dfy_email_account_order_accounts"]
        for row in mailboxes.rows:
            secrets = dict.fromkeys(("password", "app_password"), CANARY_PASSWORD)
            mailboxes.edit(row["id"], **secrets)
        yield sandbox


@pytest.fixture(scope="module")
def read(sandbox: Sandbox) -> Reader:
    """Return a function that reads one stream, and remembers the run."""
    runs: dict[str, Run] = {}

    def read(stream: Stream) -> Run:
        if stream.name not in runs:
            runs[stream.name] = run(sandbox, catalog_of(stream.name))
        return runs[stream.name]

    return read


@pytest.fixture(scope="module")
def full_run(sandbox: Sandbox) -> Run:
    """Return a full-table run of all streams."""
    return run(sandbox, catalog_of(method="FULL_TABLE"))


@pytest.fixture(scope="module")
def refusals(sandbox: Sandbox) -> str:
    """Return the log of runs with a key that lacks the scopes of all streams read.

    Parents can be listed for their substreams, and are refused in a run of their own.
    """
    parents = {parent for stream in ALL for parent in parents_of(stream)}
    log = ""
    for streams in (parents, {*ALL} - parents):
        refused = [pattern_of(endpoint_of(stream)) for stream in streams]

        def refuse(request: Request, refused: list[re.Pattern[str]] = refused) -> None:
            sent = f"{request.method} {request.path}"
            if any(pattern.fullmatch(sent) for pattern in refused):
                sandbox.fail(request.path, 403)

        sandbox.on_request = refuse
        try:
            failed = run(sandbox, catalog_of(*(stream.name for stream in streams)))
        finally:
            sandbox.on_request = None
            sandbox.heal()
        assert not failed.output.of("RECORD")
        assert "replication_key_value" not in failed.output.stdout
        log += failed.log
    return log


def run(sandbox: Sandbox, catalog: Json) -> Run:
    """Read what a catalog selects."""
    sandbox.requests.clear()
    with logged() as log, pytest.MonkeyPatch.context() as patch:
        remove_waits(patch)
        output = sync(sandbox, catalog=catalog)
        assert output.tap is not None
        output.tap.scheduler.join(60)
    return Run(output, log.getvalue(), list(sandbox.requests))


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect all that is logged, at every level."""
    root = logging.getLogger()
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.stream
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def parents_of(stream: Stream) -> set[Stream]:
    """Return the parent streams of a stream."""
    parents: tuple[ParentStreamConfig, ...] = getattr(stream, "parents", ())
    return {t.cast("Stream", parent.stream) for parent in parents}


def endpoint_of(stream: Stream) -> str:
    """Return a stream's entry in `ENDPOINTS`."""
    return f"{stream.http_method} " + re.sub(r"\{\w+\}", "{}", stream.path)


def pattern_of(endpoint: str) -> re.Pattern[str]:
    """Return a pattern for the requests to an endpoint."""
    method, path = endpoint.split(" ")
    return re.compile(f"{method} {PREFIX}" + path.replace("{}", "[^/]+"))


def keys_of(stream: Stream, rows: list[Json]) -> list[tuple[str, ...]]:
    """Return the primary key of each row."""
    return [tuple(row[key] for key in stream.primary_keys) for row in rows]


def canonical(rows: list[Json]) -> list[str]:
    """Return rows as sorted JSON."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_endpoints_are_those_of_the_streams() -> None:
    """The list above is complete, and has no endpoint that no stream needs."""
    assert sorted(ENDPOINTS) == sorted(map(endpoint_of, ALL))
    for stream in ALL:
        assert stream.required_scope == ENDPOINTS[endpoint_of(stream)]


@EVERY_STREAM
def test_it_is_read(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """The run ends well, and no request is refused or repeated."""
    run = read(stream)
    assert not re.findall("^(?:WARNING|ERROR|CRITICAL).*", run.log, re.MULTILINE)
    assert run.output.records(stream.name)
    assert {message["stream"] for message in run.output.of("RECORD")} == {stream.name}
    expected = {200, 404} if parents_of(stream) else {200}
    assert {request.status for request in run.requests} <= expected
    assert sandbox.key not in str([(r.path, r.query) for r in run.requests])


@EVERY_STREAM
def test_its_records_conform(stream: Stream, read: Reader) -> None:
    """Each RECORD conforms to its SCHEMA, formats and nested fields included."""
    output = read(stream).output
    [message] = output.of("SCHEMA")
    check_records(output.messages)
    assert message["key_properties"] == list(stream.primary_keys)


@EVERY_STREAM
def test_its_keys(stream: Stream, read: Reader) -> None:
    """No key is missing or comes twice."""
    keys = keys_of(stream, read(stream).output.records(stream.name))
    assert len(set(keys)) == len(keys)
    assert all(value is not None for key in keys for value in key)


@pytest.mark.parametrize(
    "stream",
    [stream for stream in ALL if stream.name in LISTED],
    ids=lambda stream: stream.name,
)
def test_it_is_complete(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """All rows of the sandbox arrive."""
    found = keys_of(stream, read(stream).output.records(stream.name))
    lists: Json = {"lead_labels": sandbox.labels, "lead_lists": sandbox.lists}
    table = (lists | {**sandbox.tables})[stream.name]
    assert sorted(found) == sorted(keys_of(stream, table.rows))


@EVERY_STREAM
def test_full_table(stream: Stream, read: Reader, full_run: Run) -> None:
    """Full-table replication of all streams brings the same records."""
    expected = canonical(read(stream).output.records(stream.name))
    assert canonical(full_run.output.records(stream.name)) == expected
    assert (
        "replication_key_value" not in full_run.output.state["bookmarks"][stream.name]
    )


@EVERY_STREAM
def test_bookmark(stream: Stream, read: Reader) -> None:
    """It is the latest value of the replication key, whatever the order is."""
    output = read(stream).output
    key = stream.replication_key
    if not isinstance(key, str) or stream.full_table_by_default:
        assert output.bookmark(stream.name) is None
    else:
        values = [record[key] for record in output.records(stream.name)]
        assert output.bookmark(stream.name) == max(values)


@EVERY_STREAM
def test_it_only_reads(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """Only requests from the list above are sent, so nothing changes or costs money."""
    check_requests(read(stream).requests)
    assert not sandbox.writes


def test_a_full_run_only_reads(sandbox: Sandbox, full_run: Run) -> None:
    """The same holds for all streams in one run."""
    check_requests(full_run.requests)
    assert not sandbox.writes


def check_requests(requests: list[Request]) -> None:
    """Expect only requests from the list."""
    allowed = [pattern_of(endpoint) for endpoint in ENDPOINTS]
    for request in requests:
        sent = f"{request.method} {request.path}"
        assert any(pattern.fullmatch(sent) for pattern in allowed), sent
        assert "with_passwords" not in request.query


@EVERY_STREAM
def test_it_keeps_secrets(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """Keys, headers and passwords are in no message and in no log line."""
    check_secrets(sandbox, read(stream))


def test_a_full_run_keeps_secrets(sandbox: Sandbox, full_run: Run) -> None:
    """The same holds for all streams in one run."""
    check_secrets(sandbox, full_run)


def check_secrets(sandbox: Sandbox, run: Run) -> None:
    """Expect no canary."""
    for secret in (CANARY_KEY, CANARY_HEADER, CANARY_PASSWORD, sandbox.key):
        assert secret not in run.output.stdout
        assert secret not in run.log


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("/api-keys", CANARY_KEY),
        ("/webhooks", CANARY_HEADER),
        ("/dfy-email-account-orders/accounts", CANARY_PASSWORD),
    ],
)
def test_the_canaries_are_there(sandbox: Sandbox, path: str, secret: str) -> None:
    """The sandbox does send secrets, so the tests above would notice them."""
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    answer = requests.get(sandbox.url + path, headers=headers, timeout=60)
    assert secret in answer.text


@EVERY_STREAM
def test_missing_scope(stream: Stream, refusals: str) -> None:
    """The message names the scope that the key lacks."""
    lines = re.findall(rf"^ERROR {stream.name}: (.*)", refusals, re.MULTILINE)
    assert len(lines) == 1
    assert lines[0].startswith(f"HTTP 403 from {stream.path}: ")
    assert f"`{ENDPOINTS[endpoint_of(stream)]}` or `all:read`" in lines[0]


@EVERY_STREAM
def test_its_schema_is_described(stream: Stream, read: Reader) -> None:
    """The descriptions become comments on the table and its columns."""
    [message] = read(stream).output.of("SCHEMA")
    assert message["schema"]["description"].endswith(".")
    for path, description in descriptions(message["schema"]):
        assert re.search(r"\w+ \w+.*\.$", description, re.DOTALL), path


@EVERY_STREAM
def test_its_schema_has_no_secrets(stream: Stream, read: Reader) -> None:
    """A secret field cannot be selected."""
    [message] = read(stream).output.of("SCHEMA")
    assert not {*stream.secret_fields} & message["schema"]["properties"].keys()


ROW = re.compile(r"^\| \[`(\w+)`\]\(#\1\) \|(.*)\|(.*)\|(.*)\|(.*)\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def documented() -> dict[str, list[str]]:
    """Return the tables of the pages: the cells after each stream's name."""
    pages = (Path(__file__).parents[1] / "docs" / "tables").glob("*.md")
    rows = [row for page in pages for row in ROW.findall(page.read_text("utf-8"))]
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: [cell.strip() for cell in cells] for name, *cells in rows}


def test_the_pages_have_every_stream(documented: dict[str, list[str]]) -> None:
    """They have all streams, and no others."""
    assert sorted(documented) == sorted(stream.name for stream in ALL)


@EVERY_STREAM
def test_its_page_is_right(stream: Stream, documented: dict[str, list[str]]) -> None:
    """Its row has the stream's endpoint, key and replication key."""
    key = stream.replication_key
    assert documented[stream.name] == [
        f"`{stream.http_method} {stream.path}`",
        ", ".join(f"`{name}`" for name in stream.primary_keys),
        f"`{key}`"
        if isinstance(key, str) and not stream.full_table_by_default
        else "\u2013",
        "yes" if stream.selected_by_default else "no",
    ]
