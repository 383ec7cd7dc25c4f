"""What clients may write to a list: rows created, edited and deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_instantly.sandbox.store.api import (
    BadRequestError,
    Call,
    Change,
    Endpoint,
    Parameter,
    Row,
)

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.switches import Switches
    from tap_instantly.sandbox.store.tables import Table

Complete = Callable[[Row, Row | None], Row]


class Writer:
    """The endpoints that create, edit and delete the rows of a table."""

    def __init__(  # noqa: PLR0913 - each is one property of what is written
        self,
        table: Table,
        path: str,
        fields: Mapping[str, Parameter],
        *,
        switches: Switches,
        key: Parameter | None = None,
        complete: Complete | None = None,
    ) -> None:
        """Write to `table`.

        Args:
            table: What is written to.
            path: The path of the list.
            fields: What can be written of a row; a null takes the field away.
            switches: What holds for all lists of the workspace.
            key: What the placeholder `id` must be, if not any text.
            complete: Returns what is stored, given what a client has sent and the
                row before, if there is one; or refuses it.
        """
        self._table = table
        self._path = path
        self._fields = fields
        self._switches = switches
        self._placeholders = {"id": key} if key else {}
        self._complete = complete or (lambda fields, _: fields)
        table.nullable = tuple(name for name in fields if fields[name].nullable)

    @property
    def endpoints(self) -> list[Endpoint]:
        """The endpoints that create a row, and edit and delete one by its id."""
        return [self.create_endpoint, self.patch_endpoint, self.delete_endpoint()]

    @property
    def create_endpoint(self) -> Endpoint:
        """The endpoint that creates a row."""
        return self.endpoint(
            "POST", "", lambda call: self.create(call, call.body), **self._fields
        )

    @property
    def patch_endpoint(self) -> Endpoint:
        """The endpoint that changes some fields of a row."""
        fields = {
            name: replace(field, required=False) for name, field in self._fields.items()
        }
        return self.endpoint("PATCH", "/{id}", self._patch, **fields)

    def delete_endpoint(
        self,
        before: Callable[[Call], None] = lambda _: None,
        /,
        **body: Parameter,
    ) -> Endpoint:
        """Return the endpoint that deletes a row.

        Args:
            before: Does what else is to be done, unless it refuses.
            body: The fields of the body, if there may be one.
        """

        def answer(call: Call) -> Row:
            self._table.found(call.path["id"])
            before(call)
            return self.delete(call, call.path["id"])

        return self.endpoint("DELETE", "/{id}", answer, **body)

    def endpoint(
        self,
        method: str,
        below: str,
        answer: Callable[[Call], object],
        /,
        **body: Parameter,
    ) -> Endpoint:
        """Return an endpoint that writes, whose path is the list's and `below`."""
        placeholders = self._placeholders if "{id}" in below else {}
        path = self._path + below
        return Endpoint(
            method, path, answer, body=body, placeholders=placeholders, writes=True
        )

    def create(self, call: Call, fields: Mapping[str, object]) -> Row:
        """Create a row that says no more than `fields` and what goes without saying."""
        unsaid = dict.fromkeys(self._fields, ...)
        stored = _without_nulls(self._complete({**fields}, None))
        row = self._table.create(**unsaid | stored)
        call.changes.append(Change(self._table.name, row["id"], None, row))
        return row

    def delete(self, call: Call, key: str) -> Row:
        """Delete a row."""
        row = self._table.found(key)
        self._table.delete(key)
        call.changes.append(Change(self._table.name, key, row, None))
        return row

    def _patch(self, call: Call) -> Row:
        if not call.body and not self._switches.empty_patches:
            message = "body must NOT have fewer than 1 properties"
            raise BadRequestError(message)
        key = call.path["id"]
        before = self._table.found(key)
        if not call.body:
            return before
        stored = _without_nulls(self._complete({**call.body}, before))
        after = self._table.edit(key, **stored)
        call.changes.append(Change(self._table.name, key, before, after))
        return after


def is_taken(
    table: Table, name_of: Callable[[Row], str], fields: Row, before: Row | None
) -> bool:
    """Tell whether another row has the name that a row is to have.

    Args:
        table: The rows.
        name_of: Returns the name of a row.
        fields: What is to be stored of the row.
        before: The row before; None if it is new.
    """
    others = table.having(name_of, name_of({**(before or {}), **fields}))
    return any(before is None or other["id"] != before["id"] for other in others)


def _without_nulls(fields: Row) -> Row:
    return {name: ... if value is None else value for name, value in fields.items()}
