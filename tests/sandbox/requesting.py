"""Requests to the sandbox, as a client would send them."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox import Sandbox

Row = dict[str, Any]

LABEL_KEYS = {
    "id",
    "timestamp_created",
    "created_by",
    "organization_id",
    "label",
    "interest_status_label",
    "interest_status",
}
LIST_KEYS = {"id", "organization_id", "name", "timestamp_created"}


def get(sandbox: Sandbox, path: str, **params: object) -> requests.Response:
    """Send a GET with the sandbox's key."""
    return requests.get(
        sandbox.url + path,
        params={name: str(value) for name, value in params.items()},
        headers={"Authorization": f"Bearer {sandbox.key}"},
        allow_redirects=False,
        timeout=10,
    )


def page(sandbox: Sandbox, path: str = "/lead-labels", **params: object) -> Row:
    """Return the body of a page, which must be a good one."""
    response = get(sandbox, path, **params)
    assert response.status_code == 200, response.text
    body: Row = response.json()
    return body


def pages(
    sandbox: Sandbox, path: str = "/lead-labels", **params: object
) -> Iterator[list[Row]]:
    """Follow the cursor until a page is empty or has no cursor."""
    cursor: dict[str, object] = {}
    while True:
        body = page(sandbox, path, **{"limit": 100, **params, **cursor})
        if not body["items"]:
            return
        yield body["items"]
        if not body.get("next_starting_after"):
            return
        cursor = {"starting_after": body["next_starting_after"]}


def walk(sandbox: Sandbox, path: str = "/lead-labels", **params: object) -> list[Row]:
    """Return the rows of all pages."""
    return list(itertools.chain.from_iterable(pages(sandbox, path, **params)))


def ids(rows: list[Row]) -> list[str]:
    """Return the ids of rows."""
    return [row["id"] for row in rows]


def read_timestamp(text: str) -> datetime:
    """Read a time as written by Python 3.10's isoformat, or with Z."""
    head, _, tail = text.replace("Z", "+00:00").partition("+")
    seconds, _, fraction = head.partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction.ljust(6, '0')}+{tail}")


def raw(sandbox: Sandbox, cursor: str) -> requests.Response:
    """Request a page with a cursor that is sent exactly as it is."""
    request = requests.Request(
        "GET", sandbox.url, headers={"Authorization": f"Bearer {sandbox.key}"}
    ).prepare()
    request.url = f"{sandbox.url}/lead-labels?starting_after={cursor}"
    with requests.Session() as session:
        return session.send(request, timeout=10)


def statuses(sandbox: Sandbox, count: int) -> list[int]:
    """Return the statuses of some requests in a row."""
    return [get(sandbox, "/lead-labels").status_code for _ in range(count)]


def post(sandbox: Sandbox, path: str, **body: object) -> requests.Response:
    """Send a POST with a JSON body."""
    return requests.post(
        sandbox.url + path,
        json=body,
        headers={"Authorization": f"Bearer {sandbox.key}"},
        timeout=10,
    )


def answer(sandbox: Sandbox, path: str, **params: object) -> Any:
    """Return what a good answer says."""
    response = get(sandbox, path, **params)
    assert response.status_code == 200, response.text
    return response.json()


def agents(sandbox: Sandbox, *types: int) -> list[str]:
    """Return the ids of the agents of some types, oldest first."""
    rows = walk(sandbox, "/ai-agents")
    return [row["id"] for row in reversed(rows) if row["type"] in types]


def total(rows: list[Row], field: str) -> int:
    """Return the sum of a field."""
    return sum(row[field] for row in rows)


def written(sandbox: Sandbox, method: str, path: str, body: object = ...) -> Any:
    """Return what a write that succeeds answers."""
    response = write(sandbox, method, path, body)
    assert response.status_code == 200, response.text
    return response.json()


def write(
    sandbox: Sandbox, method: str, path: str, body: object = ...
) -> requests.Response:
    """Send a write with a JSON body, or without any."""
    return requests.request(
        method,
        sandbox.url + path,
        headers={"Authorization": f"Bearer {sandbox.key}"}
        | ({} if body is ... else {"Content-Type": "application/json"}),
        data=None if body is ... else json.dumps(body),
        timeout=10,
    )
