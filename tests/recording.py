"""The answers of a run for one stream, to be played again with one value changed."""

from __future__ import annotations

import copy
import functools
import json
import typing as t
from dataclasses import replace

import pytest

from tap_instantly.api.client import Client
from tap_instantly.api.errors import NotFoundError
from tap_instantly.api.pages import Page
from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tests.conftest import Json, Output, catalog_of, remove_waits, sync
from tests.schema_checks import check_records

if t.TYPE_CHECKING:
    from tap_instantly.api.pages import Request


COLUMN = "additional_fields"


class Recording:
    """A run of one stream, to be repeated with another value at one place."""

    def __init__(self, stream: str) -> None:
        """Read the stream once."""
        self.stream = stream
        self.pages: dict[str, Page] = {}
        self.missing: dict[str, NotFoundError] = {}
        self._own = next(s for s in STREAMS if s.name == stream)
        self.keys: tuple[str, ...] = tuple(self._own.primary_keys)
        self.replication_key = vars(self._own).get("replication_key")
        fetch = Client.fetch

        def note(client: Client, request: Request, **options: t.Any) -> Page:
            try:
                page = fetch(client, request, **options)
            except NotFoundError as error:
                self.missing[self._name(request)] = error
                raise
            self.pages[self._name(request)] = copy.deepcopy(page)
            return page

        with (
            Sandbox(
                labels=3, lists=2, campaigns=3, accounts=3, leads=20, emails=120
            ) as sandbox,
            pytest.MonkeyPatch.context() as patch,
        ):
            remove_waits(patch)
            patch.setattr(Client, "fetch", note)
            self.output = sync(sandbox, catalog=catalog_of(stream))
            self._sandbox = sandbox
        [message] = self.output.of("SCHEMA")
        self.properties: Json = message["schema"]["properties"]

    @staticmethod
    def _name(request: Request) -> str:
        return json.dumps([request.path, request.path_params, request.params])

    @functools.cached_property
    def _place(self) -> str:
        """The first of the stream's own pages that has rows."""
        path = json.dumps(self._own.path)
        return next(
            name
            for name, page in self.pages.items()
            if name.startswith(f"[{path}") and page.rows
        )

    def row_of(self, page: Page) -> Json:
        """Return the part of a page that becomes the first record."""
        row: Json = page.rows[0]
        if self.stream == "warmup_analytics":
            days: Json = next(filter(None, row["email_date_data"].values()))
            row = next(iter(days.values()))
        return row

    @property
    def row(self) -> Json:
        """What becomes the first record."""
        return copy.deepcopy(self.row_of(self.pages[self._place]))

    @property
    def fields(self) -> list[str]:
        """The fields of a row that are no keys, and come from Instantly."""
        excluded = {*self.keys, self.replication_key, COLUMN}
        for parent in getattr(self._own, "parents", ()):
            excluded |= {parent.partition_field}
        if self.stream == "warmup_analytics":
            excluded |= {"health_score", "health_score_label"}
        return sorted(self.properties.keys() - excluded)

    def run(self, path: list[str | int], value: object, **options: t.Any) -> Output:
        """Run again, with a value at a place in the first row."""

        def answer(_: Client, request: Request, **__: t.Any) -> Page:
            name = self._name(request)
            if name in self.missing:
                raise self.missing[name]
            page = copy.deepcopy(self.pages[name])
            if name != self._place:
                return page
            holder: t.Any = self.row_of(page)
            for step in path[:-1]:
                holder = holder[step]
            if path:
                holder[path[-1]] = value
            else:
                holder |= value
            parsed = Page.parse(json.dumps({"items": page.rows}).encode())
            return replace(page, rows=parsed.rows, repaired=parsed.repaired)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Client, "fetch", answer)
            return sync(self._sandbox, catalog=catalog_of(self.stream), **options)

    def replay(self, path: list[str | int], value: object, **options: t.Any) -> Json:
        """Run again, and return the record that the odd row has become."""
        output = self.run(path, value, **options)
        check_records(output.messages)
        assert output.tap is not None
        assert output.tap.stats[self.stream].failure is None
        records = output.records(self.stream)
        assert len(records) == len(self.output.records(self.stream))
        return records[self._position]

    @functools.cached_property
    def _position(self) -> int:
        """Which record the odd row becomes: partitions need not come in their order."""
        marked = self.run(["novel"], "marker").records(self.stream)
        usual = self.output.records(self.stream)
        (position,) = [n for n, record in enumerate(marked) if record != usual[n]]
        return position


@functools.cache
def recording_of(stream: str) -> Recording:
    """Return a recording of a stream."""
    return Recording(stream)
