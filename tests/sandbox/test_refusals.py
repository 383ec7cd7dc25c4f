"""What the API refuses, and what is remembered of requests."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
from tests.sandbox.requesting import get, ids, page, walk


class TestRefusals:
    @pytest.mark.parametrize(
        ("header", "message"),
        [
            (None, "Missing authorization header"),
            ("Bearer wrong", "Invalid API key"),
            ("", "Invalid API key"),
        ],
    )
    def test_without_the_key(
        self, sandbox: Sandbox, header: str | None, message: str
    ) -> None:
        headers = {} if header is None else {"Authorization": header}
        response = requests.get(
            sandbox.url + "/lead-labels", headers=headers, timeout=10
        )
        assert response.status_code == 401
        assert response.json() == {
            "statusCode": 401,
            "error": "Unauthorized",
            "message": message,
        }

    @pytest.mark.parametrize("path", ["/labels", "/lead-labels/", "/lead-labels/a/b"])
    def test_an_unknown_path(self, sandbox: Sandbox, path: str) -> None:
        response = get(sandbox, path)
        assert response.status_code == 404
        assert response.json()["message"] == f"Route GET:/api/v2{path} not found"

    def test_an_unknown_method(self, sandbox: Sandbox) -> None:
        response = requests.put(sandbox.url + "/lead-labels", timeout=10)
        assert response.status_code == 404
        assert "Route PUT:" in response.json()["message"]

    @pytest.mark.parametrize("agent", ["User-Agent: Python-urllib/3.12\r\n", ""])
    def test_a_suspicious_user_agent_meets_cloudflare(
        self, sandbox: Sandbox, agent: str
    ) -> None:
        with closing(socket.create_connection(("127.0.0.1", sandbox.port))) as client:
            request = (
                f"GET /api/v2/lead-labels HTTP/1.1\r\nHost: x\r\n{agent}"
                f"Authorization: Bearer {sandbox.key}\r\nConnection: close\r\n\r\n"
            )
            client.sendall(request.encode())
            answer = client.makefile("rb").read().decode()
        assert answer.startswith("HTTP/1.1 403")
        assert "text/html" in answer
        assert "Cloudflare" in answer

    @pytest.mark.parametrize(
        "cursor", ["yesterday", "2026-01-01", "2026-13-01T00:00:00Z"]
    )
    def test_a_bad_timestamp_cursor(self, sandbox: Sandbox, cursor: str) -> None:
        assert get(sandbox, "/lead-labels", starting_after=cursor).status_code == 400

    def test_a_bad_id_cursor(self, sandbox: Sandbox) -> None:
        sandbox.cursor = "id"
        cursor = sandbox.lists.rows[0]["id"]
        assert get(sandbox, "/lead-labels", starting_after=cursor).status_code == 400

    @pytest.mark.parametrize(
        "params",
        [
            {"limit": 0},
            {"limit": "ten"},
            {"created_after": "2026"},
            {"interest_status": 57},
        ],
    )
    def test_strict(self, sandbox: Sandbox, params: dict[str, object]) -> None:
        assert get(sandbox, "/lead-labels", **params).status_code == 200
        sandbox.strict = True
        response = get(sandbox, "/lead-labels", **params)
        assert response.status_code == 400
        body = response.json()
        assert (body["statusCode"], body["error"]) == (400, "Bad Request")
        assert next(iter(params)) in body["message"]

    @pytest.mark.parametrize("strict", [False, True])
    def test_a_limit_beyond_the_most(self, sandbox: Sandbox, *, strict: bool) -> None:
        sandbox.strict = strict
        response = get(sandbox, "/lead-labels", limit=101)
        assert response.status_code == 400
        assert response.json() == {
            "statusCode": 400,
            "code": "FST_ERR_VALIDATION",
            "error": "Bad Request",
            "message": "querystring/limit must be <= 100",
        }

    def test_strict_takes_what_is_documented(self, sandbox: Sandbox) -> None:
        sandbox.strict = True
        rows = sandbox.labels.rows
        assert len(walk(sandbox, limit=100)) == len(rows)
        assert page(sandbox, interest_status="neutral", search="e")["items"]


class TestRequests:
    def test_are_recorded(self, sandbox: Sandbox) -> None:
        get(sandbox, "/lead-labels", limit=3, search="a b&c")
        get(sandbox, "/nothing")
        first, second = sandbox.requests
        assert (first.method, first.path) == ("GET", "/api/v2/lead-labels")
        assert first.query == {"limit": "3", "search": "a b&c"}
        assert first.headers["Authorization"] == f"Bearer {sandbox.key}"
        assert (first.status, second.status) == (200, 404)
        sandbox.requests.clear()
        get(sandbox, "/lead-lists")
        assert len(sandbox.requests) == 1

    def test_rows_may_be_added_while_a_client_pages(self, sandbox: Sandbox) -> None:
        before = ids(sandbox.labels.rows)
        sandbox.on_request = lambda _: sandbox.labels.add()
        rows = ids(walk(sandbox, limit=100))
        assert len(sandbox.requests) == 4
        assert rows[1:] == before
        sandbox.on_request = None
        assert len(walk(sandbox)) == 254
