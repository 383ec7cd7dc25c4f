"""What can go wrong between the tap and the API, in words for the log."""

from __future__ import annotations

import json
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING

from singer_sdk.exceptions import (
    FatalAPIError,
    RetriableAPIError,
    SingerSDKError,
)

from tap_instantly.api.vendor import INSTANTLY

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator

    import requests

    from tap_instantly.api.vendor import Vendor


class MalformedPageError(RetriableAPIError):
    """An answer with status 200 that is not a page of a list."""

    def __init__(self, what: str) -> None:
        """Say what is wrong with the answer."""
        super().__init__(
            f"the answer {what}; see that `api_url` is right and run again"
        )


class UnreachableError(FatalAPIError):
    """An API with which no connection comes about, or that does not answer."""


class RefusedError(FatalAPIError):
    """A request that the API refuses, and would refuse again."""

    def __init__(
        self,
        message: str,
        status: int,
        own_message: str = "",
        vendor: Vendor = INSTANTLY,
    ) -> None:
        """Say why.

        Args:
            message: The reason, in words.
            status: The HTTP status of the response.
            own_message: What the API itself says, which may repeat what was sent.
            vendor: The API.
        """
        says = f"; {vendor.name} says: {own_message}" if own_message else ""
        super().__init__(message + says)
        self.message = message
        self.status = status
        self.own_message = own_message


class NotFoundError(RefusedError):
    """An entity that the API does not have, or no longer has."""


class TooLargeError(RefusedError):
    """A request for more than the API answers at once."""


class BadRequestError(RefusedError):
    """A request that the API calls malformed, for one thing a window too long."""


class NotAllowedError(RefusedError):
    """A request that the key's scopes or the account's plan do not allow."""


class UncertainWriteError(FatalAPIError):
    """A write that was sent, and of which nobody knows whether it was carried out."""


UNREACHABLE = "cannot be reached"
UNAVAILABLE = "not available now"

OUTCOMES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "key not accepted",
    HTTPStatus.PAYMENT_REQUIRED: "no plan",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not there",
}


def describe_outcome(error: Exception) -> str:
    """Say in a word or two what has become of a stream that cannot be read."""
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    is_page = not isinstance(error, MalformedPageError)
    if isinstance(error, RetriableAPIError) and is_page:
        return UNAVAILABLE
    return OUTCOMES.get(getattr(error, "status", 0), "not readable")


def describe_error(
    error: Exception, logger: logging.Logger, plugin: str = "tap-instantly"
) -> str:
    """Say in a sentence what has gone wrong.

    Args:
        error: An exception of the SDK or of this package, which is in words already,
            or any other, whose own text may hold anything and is not repeated.
        logger: Where the call stack of an exception of the latter kind goes, for
            debugging.
        plugin: What the user runs.
    """
    if isinstance(error, SingerSDKError):
        return str(error)
    if isinstance(error, RecursionError):
        return "something is nested too deeply; report it"
    if isinstance(error, OSError) and error.strerror:
        return (
            f"the system says: {error.strerror}; see that what the tap writes to has "
            "room and may be written to"
        )
    frames = traceback.extract_tb(error.__traceback__)
    stack = " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
    logger.debug("%s by way of %s", type(error).__name__, stack)
    return (
        f"an unexpected {type(error).__name__}, which is a fault of {plugin}; "
        f"set {plugin.replace('-', '_').upper()}_LOGLEVEL=debug to see where, "
        "and report it"
    )


def describe_attempt(error: Exception) -> str:
    """Return how an attempt has ended, in a few words for the log."""
    if isinstance(error, MalformedPageError):
        return "HTTP 200 without a page"
    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__
    return f"HTTP {response.status_code}"


DESCRIPTIONS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: (
        "{vendor.name} calls the request malformed; see whether a newer version of "
        "tap-instantly asks otherwise, and report it if not"
    ),
    HTTPStatus.UNAUTHORIZED: (
        "{vendor.name} does not accept the key; "
        "set `api_key` to a key of API v2, exactly as {vendor.name} showed it"
    ),
    HTTPStatus.PAYMENT_REQUIRED: (
        "the {vendor.account} has no paid plan that includes the API; "
        "see to its billing in {vendor.name}"
    ),
    HTTPStatus.NOT_FOUND: (
        "there is no such endpoint; see that `api_url` is right and "
        "ends in {vendor.path}"
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "the {vendor.account}'s request quota stays spent; "
        "run again when its other tools send less"
    ),
}
"""What a status means, unless the vendor has its own sentence for it."""


UNKNOWN = (
    "this tap does not know such an answer; see that `api_url` is right, "
    "and whether a newer version of tap-instantly knows it"
)

MAX_LOGGED = 40
"""Characters of a value that the log repeats."""

MAX_MESSAGE = 200
"""Characters of the API's own message that the log repeats."""

TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


TOO_LARGE = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}

ERRORS: dict[int, type[RefusedError]] = {
    HTTPStatus.BAD_REQUEST: BadRequestError,
    HTTPStatus.PAYMENT_REQUIRED: NotAllowedError,
    **dict.fromkeys(TOO_LARGE, TooLargeError),
}
"""The exceptions that tell a refusal from others, by its status."""


def api_error(
    response: requests.Response,
    path: str,
    required_scope: str,
    redact: Callable[[str], str],
    vendor: Vendor = INSTANTLY,
) -> FatalAPIError | RetriableAPIError:
    """Explain a response that is not a page.

    Instantly's errors: https://developer.instantly.ai/getting-started/authorization

    Args:
        response: The response; of its body nothing is repeated but what the API itself
            says of a status 4xx.
        path: The endpoint that was requested.
        required_scope: What the key must be allowed in order to read it.
        redact: Takes the key out of a text.
        vendor: The API.

    Returns:
        The exception to raise: retriable if the same request may succeed later.
    """
    status = response.status_code
    content = _content(response, vendor) if not response.is_redirect else None
    is_transient = status in TRANSIENT or (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR
        and status != HTTPStatus.NOT_IMPLEMENTED
    )
    # The edge before the API answers 403, too, but in HTML.
    is_scope = status == HTTPStatus.FORBIDDEN and content is not None
    if status == HTTPStatus.FORBIDDEN:
        what = _describe_forbidden(required_scope, vendor, is_scope=is_scope)
    elif response.is_redirect:
        what = "the request is redirected to another address; correct `api_url`"
    elif status in TOO_LARGE:
        what = (
            f"{vendor.name} finds that the request asks for too much; "
            "see whether a newer version of tap-instantly asks for less"
        )
    elif is_transient and status != HTTPStatus.TOO_MANY_REQUESTS:
        what = f"{vendor.name} has a fault of its own; run again later"
    else:
        common = DESCRIPTIONS.get(status, UNKNOWN)
        what = vendor.descriptions.get(status, common).format(vendor=vendor)
    msg = f"HTTP {status} from {path}: {what}"
    is_client_error = status // 100 == HTTPStatus.BAD_REQUEST // 100
    own_message = _own_message(content, redact, vendor) if is_client_error else ""
    if is_transient:
        says = f"; {vendor.name} says: {own_message}" if own_message else ""
        return RetriableAPIError(msg + says, response)
    kind = ERRORS.get(status, RefusedError)
    if is_scope:
        kind = NotAllowedError
    elif status == HTTPStatus.NOT_FOUND and _is_about_an_entity(content, vendor):
        kind = NotFoundError
    return kind(msg, status, own_message, vendor)


def truncate(value: object) -> str:
    """Return a value as one line for the log, a long one in part."""
    text = json.dumps(value)
    return text if len(text) <= MAX_LOGGED else text[:MAX_LOGGED] + "…"


def _content(response: requests.Response, vendor: Vendor) -> object:
    """Return what the API says of an error; None if it is not the API that says it."""
    body = b""
    try:
        body = next(response.iter_content(2**16), b"")
        content: object = json.loads(body)
    except (OSError, RecursionError, ValueError):
        content = body.decode("utf-8", "replace").strip()
        if content.startswith("<"):
            return None
    return content if isinstance(content, dict) or vendor.has_unknown_errors else None


def _own_message(content: object, redact: Callable[[str], str], vendor: Vendor) -> str:
    """Return what the API itself says of an error, in a line; "" if nothing."""
    depth = 3 if vendor.has_unknown_errors else 1
    message = next(_messages(content, vendor.message_fields, depth), "")
    # A key that is cut or broken up would not be recognised any more.
    printable = "".join(c if c.isprintable() else " " for c in redact(message))
    text = redact(" ".join(printable.split()))
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _messages(content: object, fields: Iterable[str], depth: int) -> Iterator[str]:
    """Generate the sentences in the body of an error, the best first.

    Args:
        content: The body, or a part of it.
        fields: Where sentences are.
        depth: How many lists and objects they may be in.
    """
    if isinstance(content, str) and content:
        yield content
    elif isinstance(content, list) and depth:
        for each in content:
            yield from _messages(each, fields, depth - 1)
    elif isinstance(content, dict) and depth:
        for name in fields:
            yield from _messages(content.get(name), fields, depth - 1)


def _is_about_an_entity(content: object, vendor: Vendor) -> bool:
    """Tell an entity that is missing from an endpoint that is missing."""
    route = vendor.missing_route
    if not isinstance(content, dict):
        return route is None
    return route is None or not str(content.get("message")).startswith(route)


def _describe_forbidden(required_scope: str, vendor: Vendor, *, is_scope: bool) -> str:
    """Tell a key that lacks a scope from a request that the edge has refused."""
    if is_scope:
        action = required_scope.rpartition(":")[2]
        return vendor.missing_permission.format(scope=required_scope, action=action)
    return (
        f"{vendor.name}'s edge refused the request before it came to the API; "
        "see that `user_agent` names your client and that your network is not blocked"
    )
