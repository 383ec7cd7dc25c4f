"""Trying again: after what, how often and how soon."""

from __future__ import annotations

import math
import random
import time
import typing as t
from datetime import timezone
from email.utils import parsedate_to_datetime

import requests
from singer_sdk.exceptions import RetriableAPIError

from tap_instantly.errors import MalformedPageError

if t.TYPE_CHECKING:
    from collections.abc import Generator

RETRIABLE = (
    RetriableAPIError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.Timeout,
)

PATIENCE = 300.0
"""Seconds of waiting after which a request is given up: five quotas of a minute."""

LONGEST = 60.0
"""Seconds that a wait may reach by doubling: a spent minute is over by then."""

LONGEST_ASKED = 600.0
"""Seconds that a wait may last because the server asks for it."""

TRIES_AT_A_MALFORMED_PAGE = 3


def waits() -> Generator[float, Exception, None]:
    """Generate the seconds to wait before each further try of one request.

    The exception that ended the last try is sent in. The generator ends when further
    tries are not worth while.
    """
    error = yield 0.0
    waited = 0.0
    malformed = tries = 0
    while waited < PATIENCE and not is_hopeless(error):
        tries += 1
        is_malformed = isinstance(error, MalformedPageError)
        malformed += is_malformed
        if malformed > TRIES_AT_A_MALFORMED_PAGE:
            return
        asked = retry_after(error)
        own = jittered(malformed if is_malformed else tries)
        wait = own if asked is None else asked
        begin = time.monotonic()
        error = yield wait
        waited += max(wait, time.monotonic() - begin)


def is_hopeless(error: Exception) -> bool:
    """Tell whether no further try can help: a certificate stays as it is."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def is_broken(error: Exception) -> bool:
    """Tell whether an answer has begun to arrive."""
    return isinstance(
        error,
        (
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ),
    )


def jittered(tries: int) -> float:
    """Return a doubling wait in seconds, somewhat shortened by chance."""
    return min(LONGEST, 2.0**tries) * random.uniform(0.6, 1.0)  # noqa: S311 (no secret)


def retry_after(error: Exception) -> float | None:
    """Return the seconds that the server asks to wait, if it says something sensible.

    The header's two forms: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    response = getattr(error, "response", None)
    text = "" if response is None else response.headers.get("Retry-After", "")
    try:
        seconds = float(text) if text.isascii() and text.isdecimal() else _until(text)
    except (OverflowError, TypeError, ValueError):
        return None
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 1.0), LONGEST_ASKED)


def _until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    if moment.tzinfo is None:  # ANSI C's asctime() names no zone
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp() - time.time()
