"""How the API words its answers and its refusals."""

from __future__ import annotations

import json

from aiohttp import web

_REFUSALS = {
    302: ("Found", "Moved"),
    400: ("Bad Request", 'params/id must match format "uuid"'),
    401: ("Unauthorized", "Invalid API key"),
    402: ("Payment Required", "Workspace does not have an active paid plan"),
    403: ("Forbidden", "API key lacks the required scope"),
    404: ("Not Found", "Resource not found"),
    409: ("Conflict", "Resource already exists"),
    413: ("Payload Too Large", "Request body is too large"),
    415: ("Unsupported Media Type", "Unsupported Media Type"),
    429: ("Too Many Requests", "Rate limit exceeded"),
    500: ("Internal Server Error", "Internal Server Error"),
    502: ("Bad Gateway", "Bad Gateway"),
    503: ("Service Unavailable", "Service Unavailable"),
    504: ("Gateway Timeout", "Gateway Timeout"),
}
_CLOUDFLARE = """<!DOCTYPE html>
<html lang="en-US"><head><title>Access denied | api.instantly.ai used Cloudflare to \
restrict access</title></head>
<body><h1>Error 1010</h1><p>The owner of this website has banned your access based on \
your browser's signature.</p></body></html>
"""


def json_answer(body: bytes) -> web.Response:
    """Answer 200 with a JSON body."""
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def refusal(status: int, message: str = "", code: str = "") -> web.Response:
    """Refuse the way Instantly does: `{"statusCode", "error", "message"}`.

    A request that is found malformed also gets the `code` of the web framework.
    """
    error, usual = _REFUSALS.get(status, ("Error", "Error"))
    codes = {"code": code} if code else {}
    body = {"statusCode": status, **codes, "error": error, "message": message or usual}
    text = json.dumps(body, separators=(",", ":"))
    return web.json_response(text=text, status=status)


def blocked() -> web.Response:
    """Refuse the way Cloudflare does in front of the API: 403 with a page."""
    return web.Response(
        status=403,
        text=_CLOUDFLARE,
        content_type="text/html",
        headers={"Server": "cloudflare"},
    )
