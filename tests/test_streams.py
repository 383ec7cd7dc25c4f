"""Every stream: what it asks for, what it writes, and what it never does."""

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
from jsonschema import Draft202012Validator, FormatChecker

from tap_instantly.api import rate_limit, retry
from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.families.domain_orders import CANARY_PASSWORD
from tap_instantly.sandbox.families.webhooks import CANARY_HEADER
from tap_instantly.sandbox.families.workspace_admin import CANARY_KEY
from tap_instantly.streams import STREAMS
from tests.conftest import UNLIMITED, Json, Output, catalog_of, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.reading.substream import ParentStreamConfig
    from tap_instantly.sandbox.http.server import Request

PREFIX = "/api/v2"

READS = {
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
"""All that the tap may send, and the scope that each takes. Nothing here changes data
or spends credits; the POSTs are questions in a body."""


class Stream(t.Protocol):
    """What the tests look at of a stream's class."""

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
"""The streams whose rows the sandbox can tell."""

Reader = t.Callable[[Stream], "Run"]


@dataclass
class Run:
    """What a run of one stream has left behind."""

    output: Output
    log: str
    requests: list[Request]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Return a workspace that shows secrets wherever Instantly may."""
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
    """Return a function that reads one stream alone, and each only once."""
    runs: dict[str, Run] = {}

    def read(stream: Stream) -> Run:
        if stream.name not in runs:
            runs[stream.name] = run(sandbox, catalog_of(stream.name))
        return runs[stream.name]

    return read


@pytest.fixture(scope="module")
def whole(sandbox: Sandbox) -> Run:
    """Return a run that reads all streams, each whole."""
    return run(sandbox, catalog_of(method="FULL_TABLE"))


@pytest.fixture(scope="module")
def refusals(sandbox: Sandbox) -> str:
    """Return the log of a run with a key that lacks every scope but for parents.

    Those are listed for their children, and refused in a run of their own.
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
    with logged() as log, unhurried():
        output = sync(sandbox, catalog=catalog)
        assert output.tap is not None
        output.tap.scheduler.join(60)
    return Run(output, log.getvalue(), list(sandbox.requests))


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """Let e-mails come as fast as all else, and let no fault be passed over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "MAX_TOTAL_WAIT", 0.0)
        patch.setitem(rate_limit.ENDPOINT_LIMITS, "/emails", UNLIMITED)
        yield


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect all that is logged, down to the least."""
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
    """Return the streams whose rows it asks about."""
    parents: tuple[ParentStreamConfig, ...] = getattr(stream, "parents", ())
    return {t.cast("Stream", parent.stream) for parent in parents}


def endpoint_of(stream: Stream) -> str:
    """Return a stream's entry in `READS`."""
    return f"{stream.http_method} " + re.sub(r"\{\w+\}", "{}", stream.path)


def pattern_of(endpoint: str) -> re.Pattern[str]:
    """Return what the requests to an endpoint match."""
    method, path = endpoint.split(" ")
    return re.compile(f"{method} {PREFIX}" + path.replace("{}", "[^/]+"))


def keys_of(stream: Stream, rows: list[Json]) -> list[tuple[str, ...]]:
    """Return the primary key of each row."""
    return [tuple(row[key] for key in stream.primary_keys) for row in rows]


def canonical(rows: list[Json]) -> list[str]:
    """Return rows as text, in an order of their own."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_what_may_be_sent_is_what_the_streams_ask() -> None:
    """The list above is complete, and has nothing that no stream needs."""
    assert sorted(READS) == sorted(map(endpoint_of, ALL))
    for stream in ALL:
        assert stream.required_scope == READS[endpoint_of(stream)]


@EVERY_STREAM
def test_it_is_read(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """It ends well, and no request was refused or repeated."""
    run = read(stream)
    assert not re.findall("^(?:WARNING|ERROR|CRITICAL).*", run.log, re.MULTILINE)
    assert run.output.records(stream.name)
    assert {message["stream"] for message in run.output.of("RECORD")} == {stream.name}
    expected = {200, 404} if parents_of(stream) else {200}
    assert {request.status for request in run.requests} <= expected
    assert sandbox.key not in str([(r.path, r.query) for r in run.requests])


@EVERY_STREAM
def test_its_records_fit(stream: Stream, read: Reader) -> None:
    """Each RECORD agrees with the SCHEMA, formats and nested fields included."""
    assert {"date", "date-time"} <= FormatChecker.checkers.keys()
    output = read(stream).output
    [message] = output.of("SCHEMA")
    Draft202012Validator.check_schema(message["schema"])
    validator = Draft202012Validator(
        message["schema"], format_checker=FormatChecker(["date", "date-time"])
    )
    for record in output.records(stream.name):
        validator.validate(record)
    assert message["key_properties"] == list(stream.primary_keys)


@EVERY_STREAM
def test_its_keys(stream: Stream, read: Reader) -> None:
    """No key comes twice, and none is missing."""
    keys = keys_of(stream, read(stream).output.records(stream.name))
    assert len(set(keys)) == len(keys)
    assert all(value is not None for key in keys for value in key)


@pytest.mark.parametrize(
    "stream",
    [stream for stream in ALL if stream.name in LISTED],
    ids=lambda stream: stream.name,
)
def test_it_is_complete(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """All rows that Instantly has arrive."""
    found = keys_of(stream, read(stream).output.records(stream.name))
    lists: Json = {"lead_labels": sandbox.labels, "lead_lists": sandbox.lists}
    table = (lists | {**sandbox.tables})[stream.name]
    assert sorted(found) == sorted(keys_of(stream, table.rows))


@EVERY_STREAM
def test_it_is_read_whole(stream: Stream, read: Reader, whole: Run) -> None:
    """Full-table replication, of all streams at once, brings the same."""
    expected = canonical(read(stream).output.records(stream.name))
    assert canonical(whole.output.records(stream.name)) == expected
    assert "replication_key_value" not in whole.output.state["bookmarks"][stream.name]


@EVERY_STREAM
def test_bookmark(stream: Stream, read: Reader) -> None:
    """It is the latest value of the replication key, whatever the order was."""
    output = read(stream).output
    key = stream.replication_key
    if not isinstance(key, str) or stream.full_table_by_default:
        assert output.bookmark(stream.name) is None
    else:
        values = [record[key] for record in output.records(stream.name)]
        assert output.bookmark(stream.name) == max(values)


@EVERY_STREAM
def test_it_only_reads(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """Nothing is sent that is not in the list above, so nothing changes or costs."""
    check_requests(read(stream).requests)
    assert not sandbox.writes


def test_reading_whole_only_reads(sandbox: Sandbox, whole: Run) -> None:
    """That holds for all streams together as well."""
    check_requests(whole.requests)
    assert not sandbox.writes


def check_requests(requests: list[Request]) -> None:
    """Expect no request but those that are listed."""
    allowed = [pattern_of(endpoint) for endpoint in READS]
    for request in requests:
        sent = f"{request.method} {request.path}"
        assert any(pattern.fullmatch(sent) for pattern in allowed), sent
        assert "with_passwords" not in request.query


@EVERY_STREAM
def test_it_keeps_secrets(stream: Stream, sandbox: Sandbox, read: Reader) -> None:
    """Keys, headers and passwords are in no message and no log line."""
    check_secrets(sandbox, read(stream))


def test_reading_whole_keeps_secrets(sandbox: Sandbox, whole: Run) -> None:
    """That holds for all streams together as well."""
    check_secrets(sandbox, whole)


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
    """The test above would notice: the sandbox does send them."""
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    answer = requests.get(sandbox.url + path, headers=headers, timeout=60)
    assert secret in answer.text


@EVERY_STREAM
def test_missing_scope(stream: Stream, refusals: str) -> None:
    """The message says what to allow the key."""
    lines = re.findall(rf"^ERROR {stream.name}: (.*)", refusals, re.MULTILINE)
    assert len(lines) == 1
    assert lines[0].startswith(f"HTTP 403 from {stream.path}: ")
    assert f"`{READS[endpoint_of(stream)]}` or `all:read`" in lines[0]


def described(schema: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each property's path and description, nested ones included."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner.get("description", "")
        yield from described(inner, f"{path}.{name}")
    if "items" in schema:
        yield from described(schema["items"], f"{path}[]")


@EVERY_STREAM
def test_its_schema_is_described(stream: Stream, read: Reader) -> None:
    """The descriptions become comments on the table and its columns."""
    [message] = read(stream).output.of("SCHEMA")
    assert message["schema"]["description"].endswith(".")
    for path, description in described(message["schema"]):
        assert re.search(r"\w+ \w+.*\.$", description, re.DOTALL), path


@EVERY_STREAM
def test_its_schema_has_no_secrets(stream: Stream, read: Reader) -> None:
    """What is never emitted cannot be selected."""
    [message] = read(stream).output.of("SCHEMA")
    assert not {*stream.secret_fields} & message["schema"]["properties"].keys()


ROW = re.compile(r"^\| `(\w+)` \|(.*)\|(.*)\|(.*)\|(.*)\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def documented() -> dict[str, list[str]]:
    """Return the README's tables: the cells behind each stream's name."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = ROW.findall(readme.partition("\n## Streams\n")[2].partition("\n## ")[0])
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: [cell.strip() for cell in cells] for name, *cells in rows}


def test_the_readme_has_every_stream(documented: dict[str, list[str]]) -> None:
    """A new stream is added there, and one that is gone is not."""
    assert sorted(documented) == sorted(stream.name for stream in ALL)


@EVERY_STREAM
def test_the_readme_is_right(stream: Stream, documented: dict[str, list[str]]) -> None:
    """Its row says what the stream does."""
    key = stream.replication_key
    assert documented[stream.name] == [
        f"`{stream.http_method} {stream.path}`",
        ", ".join(f"`{name}`" for name in stream.primary_keys),
        f"`{key}`"
        if isinstance(key, str) and not stream.full_table_by_default
        else "\u2013",
        "yes" if stream.selected_by_default else "no",
    ]
