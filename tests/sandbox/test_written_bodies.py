"""What the API refuses of the bodies of writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.sandbox.requesting import ids, write

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox

LABEL = {"label": "Hot", "interest_status_label": "positive"}
EXTRA = "body must NOT have additional properties"
FEW = "must NOT have fewer than 1"
CHOICE = "body/interest_status_label must be equal to one of the allowed values"
BULK = "/block-lists-entries/bulk-create"
TOGGLE = "/custom-tags/toggle-resource"


class TestBodies:
    @pytest.mark.parametrize(
        ("path", "body", "message"),
        [
            ("/lead-labels", {}, "body must have required property 'label'"),
            (
                "/lead-labels",
                {"label": "Hot"},
                "body must have required property 'interest_status_label'",
            ),
            ("/lead-labels", LABEL | {"colour": 1}, EXTRA),
            ("/lead-labels", LABEL | {"interest_status": 1}, EXTRA),
            ("/lead-labels", LABEL | {"interest_status_label": "warm"}, CHOICE),
            ("/lead-labels", LABEL | {"interest_status_label": ""}, CHOICE),
            ("/lead-labels", LABEL | {"label": None}, "body/label must be string"),
            ("/lead-labels", LABEL | {"label": 5}, "body/label must be string"),
            (
                "/lead-labels",
                LABEL | {"description": 5},
                "body/description must be string,null",
            ),
            (
                "/lead-labels",
                LABEL | {"use_with_ai": "true"},
                "body/use_with_ai must be boolean,null",
            ),
            (
                "/lead-lists",
                {"name": "x", "has_enrichment_task": 1},
                "body/has_enrichment_task must be boolean,null",
            ),
            ("/lead-lists", [], "body must be object"),
            ("/lead-lists", None, "body must be object"),
            ("/lead-lists", ..., "body must be object"),
            ("/custom-tags", {"label": ""}, f"body/label {FEW} characters"),
            (
                "/custom-tags",
                {"label": " \t"},
                'body/label must match pattern ".*\\S.*"',
            ),
            (BULK, {"bl_values": []}, f"body/bl_values {FEW} items"),
            (
                BULK,
                {"bl_values": ["a.example.com"] * 1001},
                "body/bl_values must NOT have more than 1000 items",
            ),
            (BULK, {"bl_values": "a.example.com"}, "body/bl_values must be array"),
            (BULK, {"bl_values": ["a", None]}, "body/bl_values/1 must be string"),
            (
                "/block-lists-entries/bulk-delete",
                {"ids": ["x"] * 1001},
                "body/ids must NOT have more than 1000 items",
            ),
            (
                TOGGLE,
                {"tag_ids": ["x"], "resource_type": 3, "assign": True},
                "body/resource_type must be equal to one of the allowed values",
            ),
            (
                TOGGLE,
                {"tag_ids": ["x"], "resource_type": True, "assign": True},
                "body/resource_type must be number",
            ),
        ],
    )
    def test_is_refused(
        self, sandbox: Sandbox, path: str, body: object, message: str
    ) -> None:
        response = write(sandbox, "POST", path, body)
        assert response.status_code == 400
        assert response.json() == {
            "statusCode": 400,
            "code": "FST_ERR_VALIDATION",
            "error": "Bad Request",
            "message": message,
        }
        assert sandbox.ledger == []

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"label": None}, "body/label must be string"),
            ({"id": "x"}, EXTRA),
            ({"description": []}, "body/description must be string,null"),
            (..., "body must be object"),
        ],
    )
    def test_of_a_patch_is_refused(
        self, sandbox: Sandbox, body: object, message: str
    ) -> None:
        key = ids(sandbox.labels.rows)[0]
        response = write(sandbox, "PATCH", f"/lead-labels/{key}", body)
        assert (response.status_code, response.json()["message"]) == (400, message)
        assert sandbox.ledger == []

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("/lead-lists", {}, 400),
            ("/lead-lists", {"force": True}, 400),
            ("/lead-lists", None, 200),
            ("/lead-labels", {"force": True}, 400),
            ("/lead-labels", {"reassigned_status": "1"}, 400),
            ("/lead-labels", {}, 200),
            ("/lead-labels", {"reassigned_status": -1.0}, 200),
        ],
    )
    def test_of_a_delete(
        self, sandbox: Sandbox, path: str, body: object, status: int
    ) -> None:
        table = sandbox.labels if path == "/lead-labels" else sandbox.lists
        response = write(sandbox, "DELETE", f"{path}/{table.keys[0]}", body)
        assert response.status_code == status, response.text
        assert len(sandbox.ledger) == (status == 200)

    @pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
    @pytest.mark.parametrize(
        ("media_type", "content", "status", "code"),
        [
            ("application/json", b"", 400, "FST_ERR_CTP_EMPTY_JSON_BODY"),
            (
                "application/json; charset=utf-8",
                b"",
                400,
                "FST_ERR_CTP_EMPTY_JSON_BODY",
            ),
            ("application/json", b'{"name":', 400, "FST_ERR_CTP_INVALID_JSON_BODY"),
            ("text/plain", b'{"name":"x"}', 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"),
            (None, b'{"name":"x"}', 415, "FST_ERR_CTP_INVALID_MEDIA_TYPE"),
        ],
    )
    def test_that_is_no_json(  # noqa: PLR0913 - a line of the table above
        self,
        *,
        sandbox: Sandbox,
        method: str,
        media_type: str | None,
        content: bytes,
        status: int,
        code: str,
    ) -> None:
        key = "" if method == "POST" else f"/{sandbox.lists.keys[0]}"
        response = requests.request(
            method,
            f"{sandbox.url}/lead-lists{key}",
            headers={"Authorization": f"Bearer {sandbox.key}"}
            | ({"Content-Type": media_type} if media_type else {}),
            data=content,
            timeout=10,
        )
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert sandbox.ledger == []
