"""Retries: after which errors, how often and how soon."""

from __future__ import annotations

import math
import random
import time
import typing as t
from collections import Counter
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests
from singer_sdk.exceptions import RetriableAPIError
from urllib3.exceptions import NewConnectionError

from tap_instantly.api.errors import MalformedPageError

if t.TYPE_CHECKING:
    from collections.abc import Generator, Mapping

RETRIABLE = (
    RetriableAPIError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.Timeout,
)

UNSENT = (RetriableAPIError, requests.exceptions.ConnectionError)
"""What is raised, among others, if a write has not arrived; see `is_unsent`."""

MAX_TOTAL_WAIT = 300.0
"""Seconds of waiting after which a request fails: five quotas of a minute."""

MAX_DELAY = 60.0
"""Seconds that a delay may reach by doubling: a spent minute is over by then."""

MAX_RETRY_AFTER = 600.0
"""Seconds that a delay may last because the server asks for it."""

MAX_MALFORMED_PAGES = 3


def backoff_delays(
    patience: float = math.inf, max_attempts: Mapping[int, int] | None = None
) -> Generator[float, Exception, None]:
    """Generate the seconds to wait before each further attempt at one request.

    The exception that ended the last attempt is sent in. The generator ends when
    further attempts are not worth while.

    Args:
        patience: Seconds after which no further attempt is made to reach the API.
        max_attempts: How many attempts may end with a status.
    """
    first_begin = time.monotonic()
    error = yield 0.0
    waited = 0.0
    malformed = attempts = 0
    answered = Counter[int]()
    while waited < MAX_TOTAL_WAIT and not is_permanent(error):
        left = first_begin + patience - time.monotonic()
        if is_unreachable(error) and left <= 0:
            return
        attempts += 1
        status = _status(error)
        answered[status] += 1
        if answered[status] >= (max_attempts or {}).get(status, math.inf):
            return
        is_malformed = isinstance(error, MalformedPageError)
        malformed += is_malformed
        if malformed > MAX_MALFORMED_PAGES:
            return
        requested = retry_after(error)
        computed = delay(malformed if is_malformed else attempts)
        seconds = computed if requested is None else requested
        if is_unreachable(error):
            seconds = min(seconds, left)
        begin = time.monotonic()
        error = yield seconds
        waited += max(seconds, time.monotonic() - begin)


def is_permanent(error: Exception) -> bool:
    """Tell whether no further attempt can help: a certificate stays as it is."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def is_unsent(error: Exception) -> bool:
    """Tell whether a request has certainly not been carried out.

    Either no connection came about, or Instantly refused it because of its limits.
    """
    if isinstance(error, RetriableAPIError):
        return _status(error) == HTTPStatus.TOO_MANY_REQUESTS
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return is_permanent(error) or isinstance(reason, NewConnectionError)


def _status(error: Exception) -> int:
    """Return the status of the response that ended an attempt; 0 if none did."""
    response = getattr(error, "response", None)
    return 0 if response is None else int(response.status_code)


def is_unreachable(error: Exception) -> bool:
    """Tell whether no response has come at all."""
    if is_broken_response(error):
        return False
    return isinstance(error, requests.RequestException)


def is_broken_response(error: Exception) -> bool:
    """Tell whether a response has begun to arrive."""
    return isinstance(
        error,
        (
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ),
    )


def delay(attempts: int) -> float:
    """Return a delay in seconds that doubles with each attempt, less random jitter."""
    jitter = random.uniform(0.6, 1.0)  # noqa: S311 (no secret)
    return min(MAX_DELAY, 2.0**attempts) * jitter


def retry_after(error: Exception) -> float | None:
    """Return the seconds that the server asks to wait, if it says something sensible.

    The header's two forms: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    response = getattr(error, "response", None)
    text = "" if response is None else response.headers.get("Retry-After", "")
    try:
        is_number = text.isascii() and text.isdecimal()
        seconds = float(text) if is_number else _seconds_until(text)
    except (OverflowError, TypeError, ValueError):
        return None
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 1.0), MAX_RETRY_AFTER)


def _seconds_until(date: str) -> float:
    timestamp = parsedate_to_datetime(date)
    if timestamp.tzinfo is None:  # ANSI C's asctime() names no zone
        timestamp = timestamp.replace(tzinfo=timezone.utc)
    return timestamp.timestamp() - time.time()
