"""Client: one request, and the page that answers it."""

from __future__ import annotations

import logging
import math
import re
import typing as t
from functools import partial
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address

import backoff
import requests
import urllib3
from requests.adapters import HTTPAdapter
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_instantly.api.errors import (
    RefusedError,
    UncertainWriteError,
    UnreachableError,
    api_error,
    describe_attempt,
)
from tap_instantly.api.pages import Page
from tap_instantly.api.rate_limit import PrioritySemaphore, RateLimiter
from tap_instantly.api.redaction import Redaction
from tap_instantly.api.retry import (
    RETRIABLE,
    UNSENT,
    backoff_delays,
    is_broken_response,
    is_unsent,
)
from tap_instantly.api.vendor import INSTANTLY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backoff.types import Details
    from singer_sdk.helpers.types import Record

    from tap_instantly.api.pages import Request
    from tap_instantly.api.vendor import Vendor

    OnLimit: t.TypeAlias = Callable[[str, Callable[[], float]], object]

_T = t.TypeVar("_T")

# It logs headers that make no sense, and how it came to read them.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0

MAX_PAGE_BYTES = 16 * 2**20
"""Bytes beyond which a response is no page of a hundred rows. Parsed into Python
objects it may take thirty times as much memory."""

HIGHEST_PORT = 65535

MIN_SECRET_LENGTH = 12
"""Characters of a key that do not occur in a response by chance."""


URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:/[\w.~%/-]*)?",
    re.ASCII | re.IGNORECASE,
)
"""An address without a user name, a query or a fragment."""


def is_plain_address(url: str) -> bool:
    """Tell whether a text is an address that leaves no doubt which host it names."""
    match = URL.fullmatch(url)
    return match is not None and int(match["port"] or 0) <= HIGHEST_PORT


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine itself."""
    match = URL.fullmatch(url)
    host = match["host"].strip("[]").lower() if match else ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def keeps_secrets(url: str) -> bool:
    """Tell whether nobody on the way to an address can read what is sent there."""
    return url.lower().startswith("https://") or is_loopback(url)


class KeyAuth(requests.auth.AuthBase):
    """Sends the API key; with it, `requests` takes none from a .netrc file."""

    def __init__(self, key: str, prefix: str) -> None:
        """Take the key, and what goes before it, if anything does."""
        self._value = f"{prefix} {key}" if prefix else key

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class _Session(requests.Session):
    """A session that follows no redirect.

    Even if told not to, `requests` reads the whole body of a redirect and looks where
    it leads.
    """

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target."""


class Client:
    """The API, as all streams of a run share it: one pool of connections, one budget.

    https://developer.instantly.ai/getting-started/authorization
    """

    def __init__(
        self,
        config: Mapping[str, t.Any],
        vendor: Vendor = INSTANTLY,
        *,
        patience: float = math.inf,
    ) -> None:
        """Prepare for one run; nothing is sent before the first page is fetched.

        Args:
            config: The settings by name, defaults included.
            vendor: The API.
            patience: Seconds that may go by without any response to a request.
        """
        self._vendor = vendor
        self._key = vendor.clean_key(config["api_key"])
        self._redact = Redaction(self._key).redact
        # An attempt begins within the first two thirds, and lasts a third.
        self._patience = patience * 2 / 3
        self._connect_timeout = min(CONNECT_TIMEOUT, patience / 3)
        self._read_timeout = min(READ_TIMEOUT, patience)
        self._url = str(config["api_url"]).rstrip("/")
        self._rate_limiter = RateLimiter(config["max_requests_per_minute"])
        self._in_flight = PrioritySemaphore(config["max_concurrency"])
        self._connections = HTTPAdapter(pool_maxsize=config["max_concurrency"])
        self._session = session = _Session()
        session.auth = KeyAuth(self._key, config.get("auth_prefix", "Bearer"))
        session.headers["User-Agent"] = config["user_agent"]
        # What is on this machine is not reached through a proxy.
        session.trust_env = not is_loopback(self._url)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.mount(self._url, self._connections)
        # Proxies and certificates, which a session would look up for each request.
        self._environment: Mapping[str, t.Any] = session.merge_environment_settings(
            self._url, {}, stream=True, verify=None, cert=None
        )

    def fetch(
        self,
        request: Request,
        *,
        priority: tuple[int, int] = (0, 0),
        on_retry: Callable[[Details], None],
        on_limit: OnLimit = lambda _, wait: wait(),
    ) -> Page:
        """Fetch a page, with retries where they may help.

        Args:
            request: What is requested.
            priority: Which request goes first of those that wait: the least.
            on_retry: Called before each delay, with its seconds and the exception.
            on_limit: Called with the words for a limit and what waits for it.

        Raises:
            SyncError: If there is no page to be had; the text says why.
        """
        return self._repeat(
            partial(self._fetch_once, request, priority, on_limit),
            RETRIABLE,
            on_retry=on_retry,
        )

    def write(
        self,
        request: Request,
        *,
        on_send: Callable[[], None],
        on_retry: Callable[[Details], None],
    ) -> list[Record]:
        """Send a write, and send it again only if it has certainly not arrived.

        Args:
            request: What is to be written.
            on_send: Called when nothing is waited for any more, before each attempt.
            on_retry: Called before each delay, with its seconds and the exception.

        Returns:
            What the API answers: mostly the row as it is now.

        Raises:
            UncertainWriteError: If nobody knows whether it was carried out.
            RefusedError: If the API refuses it.
            SyncError: If it could not be sent at all; the text says why.
        """
        return self._repeat(
            partial(self._write_once, request, on_send), UNSENT, on_retry=on_retry
        )

    def _repeat(
        self,
        attempt: Callable[[], _T],
        retriable: tuple[type[Exception], ...],
        *,
        on_retry: Callable[[Details], None],
    ) -> _T:
        """Attempt something until it works, or further attempts are not worth while."""
        retry = backoff.on_exception(
            backoff_delays,
            retriable,
            on_backoff=on_retry,
            jitter=None,
            logger=None,
            patience=self._patience,
            max_attempts=self._vendor.max_attempts,
        )
        try:
            return retry(attempt)()
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Its own text would be long, and might repeat parts of the request.
            reason = type(error).__name__
            if is_broken_response(error):
                what = f"{self._url}'s answers arrive broken"
                msg = f"{what} ({reason}); check the network"
                raise FatalAPIError(msg) from error
            msg = f"{self._url} cannot be reached ({reason}); check the network"
            raise UnreachableError(msg) from error

    def _write_once(
        self, request: Request, on_send: Callable[[], None]
    ) -> list[Record]:
        self._rate_limiter.wait()
        on_send()
        try:
            body = self._send(request, is_success=_is_success)
            return Page.parse(body, request.data_selector).rows
        except RefusedError as error:
            if error.status // 100 == HTTPStatus.BAD_REQUEST // 100:
                raise
            reason = f"HTTP {error.status}"
            raise UncertainWriteError(reason) from error
        except (*RETRIABLE, FatalAPIError, urllib3.exceptions.HTTPError) as error:
            if is_unsent(error):
                raise
            raise UncertainWriteError(describe_attempt(error)) from error

    def _fetch_once(
        self, request: Request, priority: tuple[int, int], on_limit: OnLimit
    ) -> Page:
        limits = self._rate_limiter.limits_of(request.path)
        workspace_limit = limits.pop("")
        for path, words in limits.items():
            on_limit(words, partial(self._rate_limiter.wait, path))
        with self._in_flight.acquire(priority):
            on_limit(workspace_limit, self._rate_limiter.wait)
            body = self._send(request)
        page = Page.parse(body, request.data_selector)
        if request.secret_fields:
            page = page.without(request.secret_fields)
        is_suspect = len(self._key) >= MIN_SECRET_LENGTH and self._key.encode() in body
        if is_suspect and page.contains(self._key):
            msg = "the answer repeats the API key, so it is not passed on; report it"
            raise FatalAPIError(msg)
        return page

    def _send(
        self, request: Request, is_success: Callable[[int], bool] = HTTPStatus.OK.__eq__
    ) -> bytes:
        is_get = request.http_method == "GET"
        has_no_body = request.http_method == "DELETE" and not request.params
        prepared = requests.Request(
            request.http_method,
            self._url + request.path.format_map(request.path_params),
            self._session.headers,
            params=request.params if is_get else None,
            # Of an empty body Instantly asks that it does not claim to be JSON.
            json=None if is_get or has_no_body else request.params,
            auth=self._session.auth,
        ).prepare()
        with self._session.send(
            prepared,
            **self._environment,
            timeout=(self._connect_timeout, self._read_timeout),
            allow_redirects=False,
        ) as response:
            if not is_success(response.status_code):
                raise api_error(
                    response,
                    request.path,
                    request.required_scope,
                    self._redact,
                    self._vendor,
                )
            return _body(response)

    def close(self) -> None:
        """Close the connections; a further request opens one again."""
        # An exception may refer to a pool, and urllib3 closes none that is referred to.
        pools = self._connections.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 (it is no mapping to iterate over)
            pools[key].close()
        self._session.close()


def _is_success(status: int) -> bool:
    return status // 100 == HTTPStatus.OK // 100


def _body(response: requests.Response) -> bytes:
    body = bytearray()
    try:
        for chunk in response.iter_content(2**16):
            body += chunk
            if len(body) > MAX_PAGE_BYTES:
                msg = (
                    f"the answer has more than {MAX_PAGE_BYTES} bytes, so it is no page"
                )
                raise FatalAPIError(msg)
    except ValueError as error:  # a chunk of negative size
        raise requests.exceptions.ChunkedEncodingError from error
    return bytes(body)
