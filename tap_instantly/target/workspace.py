"""The workspace: what it holds of an entity, and the requests that change it."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError

from tap_instantly.api.errors import (
    RefusedError,
    UncertainWriteError,
    describe_attempt,
)
from tap_instantly.api.pages import ARRAY, Request
from tap_instantly.incremental import parse_timestamp
from tap_instantly.reading.keyed_page import KeyedPage
from tap_instantly.target.staging import Row

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from backoff.types import Details
    from singer_sdk.helpers.types import Record

    from tap_instantly.api.client import Client
    from tap_instantly.api.pages import Page
    from tap_instantly.target.entities import Entity


class Workspace:
    """A workspace of Instantly, as far as one entity goes.

    Attributes:
        requests: How many requests were sent.
        before_write: Called before each attempt at a write; it may prevent it.
    """

    def __init__(self, client: Client, entity: Entity, logger: logging.Logger) -> None:
        """Take the client that sends the requests."""
        self.requests = 0
        self.before_write: Callable[[], None] = lambda: None
        self._client, self._entity, self._logger = client, entity, logger

    def rows(self) -> Iterator[list[Row]]:
        """Generate all rows, page by page.

        Raises:
            SyncError: If they cannot be read to the end.
        """
        paginator = self._entity.paginator_class(self._fetch_page)
        while page := paginator.read_page():
            yield [self.row(record) for record in page.rows]
        if paginator.unreachable is not None:
            msg = (
                "so many rows share one millisecond that the list cannot be read as a "
                "whole; report it"
            )
            raise FatalAPIError(msg)

    def find(self, identity: str) -> Row | None:
        """Return the row with an id, or None if there is none.

        Raises:
            SyncError: If it cannot be read.
        """
        try:
            page = self._fetch(self._request("GET", self._row_path(), identity))
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None
        return self.row(page.rows[0]) if page.rows else None

    def row(self, record: Record) -> Row:
        """Return what matters of a row.

        Raises:
            FatalAPIError: If it has no id.
        """
        entity = self._entity
        names = [*(each.name for each in entity.fields), entity.watched]
        values = {name: record[name] for name in names if name in record}
        if entity.bulk:  # the key says all, and there may be a million
            values = {entity.key.name: record.get(entity.key.name)}
        return Row(self._id_of(record), entity.key_of(record), values)

    def _id_of(self, record: Record) -> str:
        field = self._entity.id_field
        identity = record.get(field)
        if isinstance(identity, str) and identity:
            return identity
        msg = (
            f"a row has no `{field}`, so that it cannot be told from others; report it"
        )
        raise FatalAPIError(msg)

    def create(self, values: dict[str, t.Any]) -> Record:
        """Create a row, and return it as Instantly answers."""
        return self._write_row("POST", self._entity.path, params=values)

    def update(self, identity: str, values: dict[str, t.Any]) -> Record:
        """Change some fields of a row, and return it as Instantly answers."""
        return self._write_row("PATCH", self._row_path(), identity, values)

    def delete(self, identity: str, reassigned_status: int | None) -> Record:
        """Delete a row, and return it as Instantly answers.

        Args:
            identity: Its id.
            reassigned_status: Where leads go that point to it, if any can.
        """
        field = self._entity.reassigned_by
        params = {field: reassigned_status} if field else {}
        return self._write_row("DELETE", self._row_path(), identity, params)

    def create_many(self, keys: list[str]) -> Record:
        """Create rows by their natural keys, and return what Instantly answers."""
        bulk = self._entity.bulk
        assert bulk is not None  # noqa: S101 (for the type checker)
        request = self._request("POST", bulk.create, params={bulk.values: keys})
        return self._write(request)[0]

    def delete_many(self, ids: list[str]) -> set[str]:
        """Delete rows by their ids, and return those that Instantly answers with."""
        bulk = self._entity.bulk
        assert bulk is not None  # noqa: S101 (for the type checker)
        request = self._request("POST", bulk.delete, params={bulk.ids: ids})
        request = replace(
            request,
            required_scope=f"{self._entity.scope}:delete",
            data_selector=ARRAY,
        )
        return {str(row.get(self._entity.id_field)) for row in self._write(request)}

    def _write_row(
        self,
        method: str,
        path: str,
        identity: str = "",
        params: dict[str, t.Any] | None = None,
    ) -> Record:
        """Write a row, and return it as Instantly answers.

        Raises:
            UncertainWriteError: If what is answered is not the row, among others.
        """
        rows = self._write(self._request(method, path, identity, params))
        answered = rows[0].get(self._entity.id_field) if rows else None
        if not isinstance(answered, str) or answered != (identity or answered):
            msg = "an answer that is not the row"
            raise UncertainWriteError(msg)
        return rows[0]

    def _write(self, request: Request) -> list[Record]:
        return self._client.write(
            request, on_send=self._on_send, on_retry=self._log_retry
        )

    def _on_send(self) -> None:
        self.before_write()
        self.requests += 1

    def _fetch(self, request: Request) -> Page:
        self.requests += 1
        return self._client.fetch(request, on_retry=self._on_retry)

    def _fetch_page(self, cursor: str | None) -> KeyedPage:
        entity = self._entity
        page = self._fetch(
            Request(
                entity.path,
                f"{entity.scope}:read",
                params=entity.paginator_class.page_params(cursor),
                data_selector=entity.list_selector,
            )
        )
        return KeyedPage(
            page.rows,
            [(self._id_of(record),) for record in page.rows],
            [_created(record) for record in page.rows],
            page.cursor,
            page.size,
            page.content_hash,
            page.meta,
        )

    def _row_path(self) -> str:
        return f"{self._entity.path}/{{id}}"

    def _request(
        self,
        method: str,
        path: str,
        identity: str = "",
        params: dict[str, t.Any] | None = None,
    ) -> Request:
        return Request(
            path,
            f"{self._entity.scope}:{SCOPES[method]}",
            method,
            {"id": quote(identity, safe="")},
            params or {},
            self._entity.answer_selector,
        )

    def _on_retry(self, details: Details) -> None:
        self.requests += 1
        self._log_retry(details)

    def _log_retry(self, details: Details) -> None:
        self._logger.warning(
            "%s: %s; try %d follows in %.1f s",
            self._entity.stream,
            describe_attempt(details["exception"]),
            details["tries"] + 1,
            details["wait"],
        )


SCOPES = {"GET": "read", "POST": "create", "PATCH": "update", "DELETE": "delete"}


def _created(record: Record) -> datetime | None:
    try:
        return parse_timestamp(record["timestamp_created"])
    except (KeyError, TypeError, ValueError):
        return None
