"""InstantlyStream: one page of one endpoint, and from pages to records."""

from __future__ import annotations

import sys
import typing as t
from datetime import datetime, timedelta, timezone
from functools import cached_property
from http import HTTPStatus

import requests
from singer_sdk import RESTStream, SchemaDirectory, StreamSchema
from singer_sdk.exceptions import FatalAPIError, SyncError
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_instantly import schemas
from tap_instantly.errors import api_error
from tap_instantly.incremental import Bookmark, Window, instant
from tap_instantly.pagination import PAGE_SIZE, Walk
from tap_instantly.records import Fitter, Page

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from backoff.types import Details
    from singer_sdk.helpers.types import Context, Record

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0


class BearerAuth(requests.auth.AuthBase):
    """Sends the API key; with it, `requests` takes none from a .netrc file."""

    def __init__(self, key: str) -> None:
        """Take the key as it is written."""
        self._key = key

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class InstantlyStream(RESTStream[str]):
    """A list of the Instantly API, read page by page.

    Attributes:
        scope: What the key must be allowed, unless it has `all:read`.
        dated_by: The field with the instant at which a record was made: the settings
            `start_date` and `end_date` and the order of the list refer to it.
        failure: Why the stream stopped early, in words; None while all is well.
    """

    scope: t.ClassVar[str]
    dated_by: t.ClassVar[str] = "timestamp_created"
    schema = StreamSchema(SchemaDirectory(schemas))
    failure: str | None = None

    _version_to_activate: int | None = None

    # One page

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["api_url"]).rstrip("/")

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, t.Any]:
        return {"limit": PAGE_SIZE, "starting_after": next_page_token}

    def fetch(self, cursor: str | None) -> Page:
        """Get the page after a cursor, trying again where that may help.

        Args:
            cursor: What an earlier page has handed out; None for the first page.

        Raises:
            SyncError: If the API does not give the page; the text says why.
        """
        try:
            return self.request_decorator(self._get)(cursor)
        except requests.RequestException as error:
            # Its own text would be long, and might hold parts of the request.
            reason = type(error).__name__
            msg = f"{self.url_base} cannot be reached ({reason}); check the network"
            raise FatalAPIError(msg) from error

    def _get(self, cursor: str | None) -> Page:
        response = self.requests_session.request(
            self.http_method,
            self.get_url(None),
            params=self.get_url_params(None, cursor),
            headers={"User-Agent": self.user_agent},
            auth=BearerAuth(self.config["api_key"]),
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            allow_redirects=False,
        )
        self.validate_response(response)
        return Page.read(response.content)

    @override
    def validate_response(self, response: requests.Response) -> None:
        if response.status_code != HTTPStatus.OK:
            raise api_error(response, self.path, self.scope)

    @override
    def backoff_handler(self, details: Details) -> None:
        self.logger.warning(
            "%s: try %d failed, the next is in %.1f s: %s",
            self.name,
            details["tries"],
            details["wait"],
            details["exception"],
        )

    # From pages to records

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        bookmark = self._bookmark()
        window = self._window(bookmark)
        if window is None:
            self.logger.info("%s: the bookmark is past `end_date`", self.name)
            return
        if bookmark.is_ahead:
            self.logger.warning(
                "%s: the bookmark %s lies ahead of this machine's clock; "
                "everything is read again",
                self.name,
                bookmark.text,
            )
            bookmark = Bookmark(limit=bookmark.limit)
            window = self._window(bookmark)
        walk = Walk(self.fetch, self._identify, self._date, self._warn_unreachable)
        for rows in walk:
            moment = None
            for row in rows:
                moment = self._date(row)
                if moment in window:
                    yield self._fitter.fit(row)
                    if moment is not None:
                        bookmark.advance(row[self.dated_by], moment)
            if walk.is_newest_first and window.begins_after(moment):
                break
        self._complete(bookmark)

    @cached_property
    def _fitter(self) -> Fitter:
        return Fitter(self.effective_schema, self.primary_keys, self._warn_unknown)

    def _identify(self, row: Record) -> tuple[object, ...]:
        return tuple(str(row.get(key)) for key in self.primary_keys)

    def _date(self, row: Record) -> datetime | None:
        return self._fitter.date(row, self.dated_by)

    def _warn_unknown(self, field: str) -> None:
        self.logger.warning(
            "%s: left out the field `%s`, which the schema does not have",
            self.name,
            field,
        )

    def _warn_unreachable(self, moment: datetime) -> None:
        self.logger.warning(
            "%s: rows may be missing at %s: more of them share that instant than "
            "Instantly's cursor can reach",
            self.name,
            moment.isoformat(timespec="milliseconds"),
        )

    # Where the run starts, and what it leaves behind

    @property
    def _is_incremental(self) -> bool:
        return self.replication_method == REPLICATION_INCREMENTAL

    def _bookmark(self) -> Bookmark:
        state = self.stream_state if self._is_incremental else {}
        is_ours = state.get("replication_key") == self.replication_key
        value = state.get("replication_key_value") if is_ours else None
        begin = datetime.fromtimestamp(self._tap.initialized_at / 1000, timezone.utc)
        return Bookmark.read(value, limit=begin)

    def _window(self, bookmark: Bookmark) -> Window | None:
        start, end = (
            instant(self.config[name]) if self.config.get(name) else None
            for name in ("start_date", "end_date")
        )
        lookback = timedelta(days=self.config.get("lookback_days") or 0)
        return bookmark.window(start, end, lookback)

    def _complete(self, bookmark: Bookmark) -> None:
        """Leave the bookmark and the new version of the table behind."""
        if self._is_incremental and bookmark.text is not None:
            self.stream_state["replication_key"] = self.replication_key
            self.stream_state["replication_key_value"] = bookmark.text
        if self._version_to_activate is not None:
            super()._write_activate_version_message(self._version_to_activate)
            self.stream_state["version"] = self._version_to_activate

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Hold the message back until all records are written.

        The SDK writes it before the first, and a run that fails after that would leave
        a target that honours it with next to nothing.
        """
        if self.config.get("end_date"):
            self.logger.warning(
                "%s: no version is activated, because `end_date` leaves rows out",
                self.name,
            )
        elif self.get_batch_config(self.config):
            super()._write_activate_version_message(full_table_version)
        else:
            self._version_to_activate = full_table_version

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Do without the SDK's own limit, which it compares as text."""

    @override
    def compare_start_date(self, value: str, start_date_value: str) -> str:
        """Return the value, which the SDK only logs; `Bookmark` does the comparing."""
        return value

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Leave the state alone until the stream is complete.

        The SDK would compare bookmarks as text.
        """

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, t.Any], t.Any, t.Any]:
        """Note why the stream fails, and let the others run all the same."""
        try:
            yield from super()._sync_records(context, write_messages=write_messages)
        except SyncError as error:
            if self.ABORT_AT_RECORD_COUNT is not None:  # --test stops at once
                raise
            self.failure = str(error)
            self.logger.error("%s: %s", self.name, error)  # noqa: TRY400 (in one line)
