"""What the engine has to know of Attention's API: https://docs.attention.com."""

from __future__ import annotations

from http import HTTPStatus

from tap_instantly.api.pages import RecordSelector
from tap_instantly.api.vendor import Vendor

ATTENTION = Vendor(
    name="Attention",
    url="https://api.attention.tech/v2",
    account="organization",
    descriptions={
        HTTPStatus.UNAUTHORIZED: (
            "Attention does not accept the key; set `api_key` to one that is neither "
            'expired nor revoked, or try `auth_prefix: ""`'
        ),
        HTTPStatus.NOT_FOUND: (
            "there is no such endpoint or label; see that `api_url` is right and ends "
            "in {vendor.path}"
        ),
        HTTPStatus.TOO_MANY_REQUESTS: (
            "the organization's request quota stays spent; lower "
            "`max_requests_per_minute`, or have Attention raise the quota"
        ),
    },
    missing_permission=(
        "the key may not do that; an admin can make one of the organization's in "
        "Attention's settings"
    ),
    # Nothing says what an error's body looks like.
    message_fields=("message", "detail", "error", "errors"),
    has_unknown_errors=True,
    # Attention also answers it to a request that is wrong.
    max_attempts={HTTPStatus.INTERNAL_SERVER_ERROR: 3},
    pasted_prefix="Bearer ",
)

LIST = RecordSelector("data", is_paged=True, meta_field="meta")
"""A guess from Attention's other lists: how labels are listed is not documented."""

ROW = RecordSelector("data", many=False)
"""https://docs.attention.com/api-reference/label/get-label"""
