"""EndpointStream: an endpoint of an API, declared."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_instantly import schemas
from tap_instantly.api.errors import (
    BadRequestError,
    NotAllowedError,
    NotFoundError,
    TooLargeError,
)
from tap_instantly.api.pages import PAGED, Page, Request
from tap_instantly.api.rate_limit import ENDPOINT_LIMITS
from tap_instantly.incremental import BEGINNING
from tap_instantly.reading.additional_fields import COLUMN, COLUMN_SCHEMA
from tap_instantly.reading.catalog import WORKSPACE
from tap_instantly.reading.paginators import CursorPaginator
from tap_instantly.reading.partition import Partition
from tap_instantly.reading.sdk_stream import SDKStream

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_instantly.api.pages import RecordSelector
    from tap_instantly.incremental import DatetimeFilter, TimeWindow
    from tap_instantly.reading.keyed_page import FetchPage
    from tap_instantly.reading.paginators import Paginator
    from tap_instantly.reading.parents import ParentKeys

    ParentKeysByStream: t.TypeAlias = Mapping[type["EndpointStream"], ParentKeys]


REFUSALS = (BadRequestError, TooLargeError)
"""How an API answers if it is asked for too long a window."""

SPLITTABLE = (*REFUSALS, NotAllowedError, NotFoundError)
"""Answers after which a partition may be read in parts, or not at all."""


WORKSPACE_SCHEMA: dict[str, t.Any] = {
    "type": "string",
    "description": "Workspace that the row is of; the first part of every key.",
}


class SchemaWithColumn(StreamSchema[str]):
    """The schema in a file, with the columns that settings ask for."""

    @override
    def get_stream_schema(self, stream: t.Any, stream_class: t.Any) -> dict[str, t.Any]:
        schema = super().get_stream_schema(stream, stream_class)
        properties, required = schema["properties"], schema.get("required", [])
        if stream.config.get(COLUMN, True):
            properties = properties | {COLUMN: COLUMN_SCHEMA}
        if stream.config.get(WORKSPACE):
            properties = {WORKSPACE: WORKSPACE_SCHEMA} | properties
            properties[WORKSPACE] = WORKSPACE_SCHEMA
            required = [*dict.fromkeys((WORKSPACE, *required))]
        return {**schema, "properties": properties, "required": required}


class EndpointStream(SDKStream):
    """A list of an API, whose schema lies in a directory of schemas.

    Attributes:
        path: Its endpoint.
        required_scope: What the key must be allowed, unless it has `all:read`.
        http_method: GET, or POST where the API takes the parameters in a body.
        params: What is sent with every request.
        data_selector: Where the records are in a response.
        paginator_class: How the next page is asked for.
        datetime_filter: How the server itself selects an interval of time.
        optional_404: Whether a 404 means only that the workspace, or a parent row, does
            not have this entity. Otherwise a 404 is about the parent row.
        newest_update_first: Parameters by which the list comes in the order of the
            replication key, for streams that are created by another date. They are sent
            only by a run that begins at a bookmark: in that order a row that changes
            during the run moves, and would be missed by one that reads everything.
        activity_fields: Fields that say when an entity did something. Substreams ask
            for no figures from before its first timestamp.
        secret_fields: Fields with secrets, which are dropped at once.
        blank_keys: Key fields that the API may even leave out where it does not know
            them; a blank key is written as `unknown`.
    """

    path: t.ClassVar[str]
    required_scope: t.ClassVar[str]
    http_method: t.ClassVar[str] = "GET"
    params: t.ClassVar[tuple[tuple[str, str], ...]] = ()
    data_selector: t.ClassVar[RecordSelector] = PAGED
    paginator_class: t.ClassVar[type[Paginator]] = CursorPaginator
    datetime_filter: t.ClassVar[DatetimeFilter | None] = None
    optional_404: t.ClassVar[bool] = False
    newest_update_first: t.ClassVar[tuple[tuple[str, str], ...]] = ()
    activity_fields: t.ClassVar[tuple[str, ...]] = ()
    secret_fields: t.ClassVar[tuple[str, ...]] = ()
    blank_keys: t.ClassVar[tuple[str, ...]] = ()

    @property
    def is_rate_limited(self) -> bool:
        """Whether the endpoint has a rate limit of its own."""
        return self.path in ENDPOINT_LIMITS

    @classmethod
    def parent_streams(cls) -> list[type[EndpointStream]]:
        """Return the streams whose keys this stream's partitions are made from."""
        return []

    def generate_partitions(
        self, window: TimeWindow, parent_keys: ParentKeysByStream
    ) -> Iterator[Partition]:
        """Yield the partitions in which to read the rows created in a window.

        Args:
            window: When the rows were created.
            parent_keys: The rows of each parent stream.

        Raises:
            SyncError: If a parent cannot be listed; the text says why.
        """
        del parent_keys
        for part in self.slice_window(window):
            yield Partition(part)

    def slice_window(self, window: TimeWindow) -> Iterator[TimeWindow]:
        """Yield the windows, oldest first, in which a window is requested."""
        if self.datetime_filter is None:
            yield window
            return
        if self.is_daily and (window.since is None or window.since < BEGINNING):
            # Without a beginning the API would choose one.
            window = replace(window, since=BEGINNING)
        yield from self.datetime_filter.slices(window, now=self.run_begin)

    def request(self, partition: Partition, cursor: str | None) -> Request:
        """Return the request for the page after a cursor; for None, the first."""
        params = {**dict(self.params), **partition.params}
        if self.datetime_filter is not None:
            params |= self.datetime_filter.params(partition.window)
        if self.data_selector.is_paged:
            params |= self.paginator_class.page_params(cursor)
        return Request(
            self.path,
            self.required_scope,
            self.http_method,
            partition.path_params,
            params,
            self.data_selector,
            self.secret_fields,
        )

    def transform_page(
        self, page: Page, partition: Partition, cursor: str | None
    ) -> Page:
        """Return a page with its rows as the stream has them."""
        del cursor
        defaults, fields = partition.default_fields, partition.fields
        if not fields:
            return page
        rows = [{**fields, **defaults, **row, **fields} for row in page.rows]
        return replace(page, rows=rows)

    def make_paginator(self, partition: Partition, fetch_page: FetchPage) -> Paginator:
        """Return what reads a partition page by page."""
        del partition
        return self.paginator_class(fetch_page)

    def split(self, partition: Partition, error: Exception) -> list[Partition]:
        """Return smaller partitions to read instead of one that cannot be read.

        Args:
            partition: The partition.
            error: What its first page was answered with: one of `SPLITTABLE`.

        Returns:
            The partitions; none if there is nothing to read.

        Raises:
            SyncError: The same error, if smaller partitions would not help.
        """
        if self.optional_404 and isinstance(error, NotFoundError):
            return []
        window, is_refused = partition.window, isinstance(error, REFUSALS)
        if is_refused and self.datetime_filter and not window.is_unbounded:
            halves = window.halves(self.run_begin)
            if halves:
                return [replace(partition, window=half) for half in halves]
        raise error


class InstantlyStream(EndpointStream):
    """A list of the Instantly API."""

    schema = SchemaWithColumn(SchemaDirectory(schemas))
