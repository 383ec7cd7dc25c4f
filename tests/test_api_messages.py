"""What Instantly itself says of a refused request: repeated, but never the key."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.conftest import read

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox

LIMIT = "querystring/limit must be integer"
REFUSALS = [400, 401, 402, 403, 404, 409, 413, 422]


def failure(sandbox: Sandbox, status: int, message: object) -> str:
    """Return why a stream fails whose requests are refused with a message."""
    body = {"statusCode": status, "error": "Made up", "message": message}
    sandbox.fail("/lead-labels", status, body=json.dumps(body).encode())
    output = read(sandbox, "lead_labels")
    assert output.tap is not None
    said = output.tap.stats["lead_labels"].failure
    assert said is not None
    assert f"HTTP {status}" in said
    return said


@pytest.mark.parametrize("status", REFUSALS)
def test_message_is_repeated(sandbox: Sandbox, status: int) -> None:
    """The sentence about a status 4xx has the API's own words."""
    assert LIMIT in failure(sandbox, status, LIMIT)


@pytest.mark.usefixtures("no_waits")
def test_message_of_a_spent_quota(sandbox: Sandbox) -> None:
    """So has that of a quota that stays spent, but not that of a server's fault."""
    assert LIMIT in failure(sandbox, 429, LIMIT)
    sandbox.heal()
    assert LIMIT not in failure(sandbox, 500, LIMIT)


@pytest.mark.parametrize("length", [199, 200, 201, 50_000])
def test_long_message_is_cut(sandbox: Sandbox, length: int) -> None:
    """No more than 200 characters are repeated."""
    said = failure(sandbox, 400, "x" * length)
    assert said.count("x" * 190) == 1
    own = said.partition("Instantly says: ")[2]
    assert len(own) == min(length, 200)


@pytest.mark.parametrize("space", ["\n", "\r\n", "\u2028", "\x1b[31m", "\x00", "\t"])
def test_message_is_one_line(sandbox: Sandbox, space: str) -> None:
    """Nothing in it breaks the line or controls a terminal."""
    said = failure(sandbox, 400, f"one{space}two{space}")
    assert said.isprintable()
    assert "one" in said
    assert "two" in said


@pytest.mark.parametrize("message", [None, 5, ["x"], {"x": "y"}, "", " \n "])
def test_no_message(sandbox: Sandbox, message: object) -> None:
    """What is no text is not repeated."""
    assert "Instantly says" not in failure(sandbox, 400, message)


@pytest.mark.parametrize("body", [b"", b"<html>canary</html>", b'["canary"]', b"{"])
def test_no_message_of_the_api(sandbox: Sandbox, body: bytes) -> None:
    """Nor is what does not come from the API."""
    sandbox.fail("/lead-labels", 400, body=body)
    output = read(sandbox, "lead_labels")
    assert output.tap is not None
    assert "canary" not in str(output.tap.stats["lead_labels"].failure)


@pytest.mark.parametrize(
    "pattern",
    [
        "{key}",
        "Bearer {key}!",
        "x" * 170 + "{key}",
        "x" * 195 + "{key}",
        "{first}…",
        "a\n{last}",
        "{middle} is a piece",
        "{key}{key}",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403])
def test_key_is_not_repeated(sandbox: Sandbox, status: int, pattern: str) -> None:
    """Neither the key nor a piece of it is in the sentence, wherever it is cut."""
    key = sandbox.key
    message = pattern.format(key=key, first=key[:10], last=key[-10:], middle=key[4:14])
    said = failure(sandbox, status, message)
    own = said.partition("Instantly says: ")[2]
    assert own
    pieces = {key[i : i + 5] for i in range(len(key) - 4)}
    assert not any(piece in own for piece in pieces)
