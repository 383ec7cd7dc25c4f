"""Client: one request, and the page that answers it."""

from __future__ import annotations

import logging
import sys
import typing as t
from functools import cached_property
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy

import backoff
import requests
import urllib3
from requests.adapters import HTTPAdapter
from singer_sdk.exceptions import FatalAPIError

from tap_instantly.api.addresses import is_loopback
from tap_instantly.errors import api_error
from tap_instantly.pacing import Gate, Pacer
from tap_instantly.pages import Page
from tap_instantly.retrying import RETRIABLE, is_broken, waits

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backoff.types import Details

    from tap_instantly.pages import Request

# It logs headers that make no sense, and how it came to read them.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0

LARGEST_PAGE = 16 * 2**20
"""Bytes beyond which an answer is no page of a hundred rows. Read into Python it may
take thirty times as much memory."""


SHORTEST_SECRET = 12
"""Characters of a key that do not come about in an answer by chance."""


class BearerAuth(requests.auth.AuthBase):
    """Sends the API key; with it, `requests` takes none from a .netrc file."""

    def __init__(self, key: str) -> None:
        """Take the key as it is written."""
        self._key = key

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _Session(requests.Session):
    """Sessions look where a redirect leads, and read all of it, even if told not to."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Lead nowhere."""


class Client:
    """The API, as all streams of a run share it: one pool of connections, one budget.

    https://developer.instantly.ai/getting-started/authorization
    """

    def __init__(self, config: Mapping[str, t.Any]) -> None:
        """Keep the settings; nothing is sent before the first page is asked for."""
        self._config = config

    def read(self, request: Request, *, on_retry: Callable[[Details], None]) -> Page:
        """Get a page, trying again where that may help.

        Args:
            request: What is asked for.
            on_retry: Called before each wait, with its seconds and the exception.

        Raises:
            SyncError: If there is no page to be had; the text says why.
        """
        retry = backoff.on_exception(
            waits, RETRIABLE, on_backoff=on_retry, jitter=None, logger=None
        )
        try:
            return retry(self._read)(request)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Its own text would be long, and might repeat parts of the request.
            reason = type(error).__name__
            what = (
                "'s answers arrive broken" if is_broken(error) else " cannot be reached"
            )
            msg = f"{self._url}{what} ({reason}); check the network"
            raise FatalAPIError(msg) from error

    def _read(self, request: Request) -> Page:
        body = self._ask(request)
        page = Page.read(body, request.answer)
        if request.never_emitted:
            page = page.without(request.never_emitted)
        key = self._config["api_key"]
        if len(key) >= SHORTEST_SECRET and key.encode() in body and page.holds(key):
            msg = "the answer repeats the API key, so it is not passed on; report it"
            raise FatalAPIError(msg)
        return page

    def _ask(self, request: Request) -> bytes:
        self._pacer.wait(request.path)
        with self._gate.passed(request.place):
            self._pacer.wait()
            return self._send(request)

    def _send(self, request: Request) -> bytes:
        is_read = request.method == "GET"
        prepared = requests.Request(
            request.method,
            self._url + request.path.format_map(request.places),
            self._session.headers,
            params=request.parameters if is_read else None,
            json=None if is_read else request.parameters,
            auth=self._session.auth,
        ).prepare()
        with self._session.send(
            prepared,
            **self._environment,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            allow_redirects=False,
        ) as response:
            if response.status_code != HTTPStatus.OK:
                raise api_error(response, request.path, request.scope)
            return _body(response)

    def open(self) -> None:
        """Make ready for requests from several threads."""
        _ = self._environment, self._pacer, self._gate

    @cached_property
    def _url(self) -> str:
        return str(self._config["api_url"]).rstrip("/")

    @cached_property
    def _session(self) -> requests.Session:
        session = _Session()
        session.auth = BearerAuth(self._config["api_key"])
        session.headers["User-Agent"] = self._config["user_agent"]
        # What is on this machine is not reached through a proxy.
        session.trust_env = not is_loopback(self._url)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.mount(self._url, self._connections)
        return session

    @cached_property
    def _connections(self) -> HTTPAdapter:
        return HTTPAdapter(pool_maxsize=self._config["max_concurrency"])

    @cached_property
    def _environment(self) -> Mapping[str, t.Any]:
        """Proxies and certificates, which a session would look up for each request."""
        return self._session.merge_environment_settings(
            self._url, {}, stream=True, verify=None, cert=None
        )

    @cached_property
    def _gate(self) -> Gate:
        return Gate(self._config["max_concurrency"])

    @cached_property
    def _pacer(self) -> Pacer:
        return Pacer(self._config["max_requests_per_minute"])

    def close(self) -> None:
        """Close the connections; a further request opens one again."""
        # An exception may refer to a pool, and urllib3 closes none that is referred to.
        pools = self._connections.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 (it is no mapping to iterate over)
            pools[key].close()
        self._session.close()


def _body(response: requests.Response) -> bytes:
    body = bytearray()
    try:
        for chunk in response.iter_content(2**16):
            body += chunk
            if len(body) > LARGEST_PAGE:
                msg = f"the answer has more than {LARGEST_PAGE} bytes, so it is no page"
                raise FatalAPIError(msg)
    except ValueError as error:  # a chunk of negative size
        raise requests.exceptions.ChunkedEncodingError from error
    return bytes(body)
