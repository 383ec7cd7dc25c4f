"""All endpoints: that they answer, what they refuse and what they show."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jsonschema
import pytest
import requests

from tap_instantly import schemas
from tap_instantly.sandbox import Sandbox
from tests.sandbox.served import ENDPOINTS, request_for, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.requesting import Row

RECORD_FIELDS = {
    "workspace_billing_subscriptions": "subscriptions",
    "webhook_event_types": "event_types",
    "ai_deliverability_agent": "agent",
    "ai_agent_analytics": "analytics",
}
FORMERLY_OTHERWISE = "inbox_placement_analytics"
"""Has numbers in some rows where it has booleans in others."""
SHAPELESS = {"warmup_analytics", "supersearch_enrichment_history"}
"""Of which the tap makes other rows."""
SECRETS = {"api_keys": {"key"}, "webhooks": {"headers"}}


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """A sandbox of the usual size, which tests only read."""
    with Sandbox() as running:
        yield running


def rows_in(stream: str, body: Any) -> list[Row]:
    """Return the rows in an answer."""
    if isinstance(body, dict):
        body = body.get(RECORD_FIELDS.get(stream, "items"), body)
    rows: list[Row] = body if isinstance(body, list) else [body]
    return rows


def schema(stream: str) -> dict[str, Any]:
    """Return the schema of a stream, with no field required.

    It holds no secrets, and no null in the place of a key.
    """
    text = files(schemas).joinpath(f"{stream}.json").read_text(encoding="utf-8")
    return {**json.loads(text), "required": []}


class TestServed:
    def test_all_streams(self) -> None:
        assert len(ENDPOINTS) == len(set(ENDPOINTS.values())) == 70

    @pytest.mark.parametrize("stream", ENDPOINTS)
    def test_answers(self, world: Sandbox, stream: str) -> None:
        method, path, fields = request_for(world, stream)
        world.strict = True
        try:
            response = send(world, method, path, **fields)
        finally:
            world.strict = False
        assert response.status_code == 200, response.text
        assert rows_in(stream, response.json())

    @pytest.mark.parametrize("stream", sorted(ENDPOINTS.keys() - SHAPELESS))
    def test_shows_what_is_documented(self, world: Sandbox, stream: str) -> None:
        method, path, fields = request_for(world, stream)
        known = schema(stream)
        known_types = jsonschema.Draft202012Validator(known)
        for row in rows_in(stream, send(world, method, path, **fields).json()):
            assert set(row) <= set(known["properties"]) | SECRETS.get(stream, set())
            if stream != FORMERLY_OTHERWISE:
                known_types.validate({k: v for k, v in row.items() if v is not None})

    @pytest.mark.parametrize("stream", ENDPOINTS)
    def test_strict_refuses_what_is_not_documented(
        self, world: Sandbox, stream: str
    ) -> None:
        method, path, fields = request_for(world, stream)
        fields = {**fields, "updated_since": "2026-01-01"}
        assert send(world, method, path, **fields).status_code == 200
        world.strict = True
        try:
            response = send(world, method, path, **fields)
        finally:
            world.strict = False
        assert response.status_code == 400
        assert "updated_since" in response.json()["message"]

    @pytest.mark.parametrize("stream", ENDPOINTS)
    def test_wants_the_key(self, world: Sandbox, stream: str) -> None:
        method, path, fields = request_for(world, stream)
        response = requests.request(method, world.url + path, json=fields, timeout=10)
        assert response.status_code == 401

    @pytest.mark.parametrize(
        "stream", ["campaigns", "leads", "account_details", "ai_sales_agents"]
    )
    def test_goes_wrong_on_purpose(self, stream: str) -> None:
        with Sandbox() as sandbox:
            method, path, fields = request_for(sandbox, stream)
            sandbox.requests.clear()
            sandbox.fail(unquote(path), 503, times=1)
            sandbox.requests_per_minute = 1
            statuses = [
                send(sandbox, method, path, **fields).status_code for _ in range(3)
            ]
            assert statuses[0] == 503
            assert statuses[2] == 429
            assert [seen.status for seen in sandbox.requests] == statuses


class TestParameters:
    @pytest.mark.parametrize(
        ("path", "fields", "name"),
        [
            ("/campaigns", {"limit": 0}, "limit"),
            ("/campaigns", {"limit": 101}, "limit"),
            ("/campaigns", {"limit": "ten"}, "limit"),
            ("/campaigns", {"status": 17}, "status"),
            ("/emails", {"is_unread": "1"}, "is_unread"),
            ("/emails", {"sort_order": "up"}, "sort_order"),
            ("/emails", {"min_timestamp_created": "soon"}, "min_timestamp_created"),
            ("/accounts", {"skip": "x"}, "skip"),
            ("/emails", {"search": ["a", "b"]}, "search"),
        ],
    )
    def test_strict(
        self, sandbox: Sandbox, path: str, fields: dict[str, Any], name: str
    ) -> None:
        sandbox.strict = True
        response = send(sandbox, "GET", path, **fields)
        assert response.status_code == 400
        assert response.json()["error"] == "Bad Request"
        assert name in response.json()["message"]

    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            ({"limit": "100"}, None),
            ({"limit": 101}, "limit"),
            ({"limit": True}, "limit"),
            ({"ids": "a"}, "ids"),
            ({"ids": ["a"]}, None),
            ({"campaign": ["a"]}, "campaign"),
            ({"in_list": 1}, "in_list"),
            ({"campaign_id": "a"}, "campaign_id"),
        ],
    )
    def test_strict_reads_bodies(
        self, sandbox: Sandbox, fields: dict[str, Any], name: str | None
    ) -> None:
        sandbox.strict = True
        response = send(sandbox, "POST", "/leads/list", **fields)
        assert response.status_code == (400 if name else 200)
        assert (name or "items") in response.text

    def test_what_is_required(self, sandbox: Sandbox) -> None:
        for strict in (False, True):
            sandbox.strict = strict
            missing = send(sandbox, "GET", "/subsequences/analytics")
            assert missing.status_code == 400
            assert "campaign_id" in missing.json()["message"]
            missing = send(sandbox, "POST", "/accounts/warmup-analytics")
            assert missing.status_code == 400
            assert "emails" in missing.json()["message"]

    def test_a_limit_too_large(self, sandbox: Sandbox) -> None:
        refused = send(sandbox, "GET", "/campaigns", limit=101)
        assert refused.status_code == 400
        assert refused.json()["message"] == "querystring/limit must be <= 100"
        refused = send(sandbox, "POST", "/leads/list", limit=101)
        assert refused.status_code == 400
        assert refused.json()["message"] == "body/limit must be <= 100"

    def test_a_cursor_of_another_list(self, sandbox: Sandbox) -> None:
        for path in ("/accounts", "/custom-tag-mappings"):
            response = send(sandbox, "GET", path, starting_after="yesterday")
            assert response.status_code == 400

    def test_a_body_that_is_none(self, sandbox: Sandbox) -> None:
        headers = {"Authorization": f"Bearer {sandbox.key}"}
        for data, status in (("", 200), ("[]", 400)):
            response = requests.post(
                f"{sandbox.url}/leads/list", data=data, headers=headers, timeout=10
            )
            assert response.status_code == status

    @pytest.mark.parametrize(
        "path",
        [
            "/accounts/nobody@example.com",
            "/account-campaign-mappings/nobody@example.com",
            "/campaigns/none/sending-status",
            "/subsequences/none/sending-status",
            "/subsequences/none/analytics/steps",
            "/lead-lists/none/verification-stats",
        ],
    )
    def test_what_does_not_exist(self, sandbox: Sandbox, path: str) -> None:
        response = send(sandbox, "GET", path)
        assert response.status_code == 404
        assert response.json()["message"] == "Resource not found"


class TestRequests:
    def test_show_what_was_sent(self, sandbox: Sandbox) -> None:
        send(sandbox, "GET", "/emails", eaccount=["a", "b"], limit=3)
        send(sandbox, "POST", "/leads/list", limit=2, ids=["x"])
        first, second = sandbox.requests
        assert first.query == {"eaccount": "a", "limit": "3"}
        assert first.queries == {"eaccount": ["a", "b"], "limit": ["3"]}
        assert first.body is None
        assert second.body == {"limit": 2, "ids": ["x"]}
        assert (second.query, second.queries) == ({}, {})

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/lead-labels"),
            ("PATCH", "/lead-lists/{id}"),
            ("DELETE", "/campaigns/{id}"),
            ("POST", "/leads"),
            ("POST", "/campaigns/{id}/activate"),
            ("PUT", "/leads/list"),
            ("DELETE", "/emails/{id}"),
        ],
    )
    def test_writes_are_remembered(
        self, sandbox: Sandbox, method: str, path: str
    ) -> None:
        response = send(sandbox, method, path, name="new")
        assert response.status_code in (400, 404)
        (write,) = sandbox.writes
        assert (write.method, write.body) == (method, {"name": "new"})
        assert write is sandbox.requests[0]

    def test_reads_are_no_writes(self, world: Sandbox) -> None:
        for stream in ENDPOINTS:
            method, path, fields = request_for(world, stream)
            send(world, method, path, **fields)
        send(world, "GET", "/nothing")
        assert world.writes == []

    def test_emails_per_minute(self) -> None:
        now = [0.0]
        with Sandbox(emails_per_minute=2, clock=lambda: now[0]) as sandbox:

            def statuses(path: str) -> list[int]:
                return [send(sandbox, "GET", path).status_code for _ in range(3)]

            assert statuses("/emails") == [200, 200, 429]
            assert statuses("/campaigns") == [200, 200, 200]
            now[0] = 60
            assert statuses("/emails") == [200, 200, 429]


class TestStart:
    def test_makes_nothing_before_a_request(self) -> None:
        with Sandbox() as sandbox:
            send(sandbox, "GET", "/lead-labels")
            made = [name for name, table in sandbox.tables.items() if table.is_made]
            assert made == ["lead_labels", "lead_lists"]

    def test_an_empty_workspace(self) -> None:
        with Sandbox(
            campaigns=0, accounts=0, leads=0, emails=0, tags=0, subsequences=0
        ) as sandbox:
            for stream in ("campaigns", "accounts", "leads", "emails", "subsequences"):
                method, path = ENDPOINTS[stream]
                assert send(sandbox, method, path).json() == {"items": []}
            for path in ("/campaigns/analytics", "/campaigns/analytics/daily"):
                assert send(sandbox, "GET", path).json() == []

    @pytest.mark.parametrize("absent", ["campaigns", "accounts", "leads", "tags"])
    def test_a_workspace_without(self, absent: str) -> None:
        sizes: Any = {absent: 0}
        with Sandbox(**sizes) as sandbox:
            for stream in ("campaigns", "accounts", "leads", "emails", "custom_tags"):
                method, path = ENDPOINTS[stream]
                assert send(sandbox, method, path).status_code == 200

    def test_many_leads(self) -> None:
        with Sandbox(leads=20_000) as sandbox:
            assert len(send(sandbox, "POST", "/leads/list", limit=100).json()["items"])
            assert len(sandbox.tables["leads"]) == 20_000
