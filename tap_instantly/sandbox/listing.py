"""One list endpoint: its rows, their order, the cursor and the page."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING
from uuid import UUID

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.behaviour import Behaviour
from tap_instantly.sandbox.data import NEWEST, Draw, Maker, Row
from tap_instantly.sandbox.endpoints import BadRequestError
from tap_instantly.sandbox.order import Entry, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

SYMBOLS = "&a+b=c/d e"
DEFAULT_LIMIT = 10
MAXIMUM_LIMIT = 100

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Listing(Behaviour):
    """The rows of one list endpoint, which tests may add to, edit and delete.

    Attributes:
        version: Another number after every change.
    """

    def __init__(
        self,
        maker: Maker,
        filters: Mapping[str, tuple[str, ...]],
        moments: Iterable[int],
    ) -> None:
        """Hold one row for each of `moments`, given newest first.

        Args:
            maker: Invents the rows.
            filters: The server's filters and the values each takes (none: any).
            moments: The instants of creation.
        """
        super().__init__()
        self._maker = maker
        self._filters = filters
        self.version = 0
        self._lock = threading.RLock()
        moments = list(moments)
        self._made = len(moments)
        self._newest = [
            Entry(self._made - age, instant)
            for age, instant in enumerate(moments, start=1)
        ]
        self._views = {"newest": View("newest", self._newest, self._id)}
        self._ids: dict[str, Entry] | None = None
        self._gone: dict[str, Entry] = {}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._newest)

    @property
    def rows(self) -> list[Row]:
        """Copies of all rows as the API shows them, newest first."""
        with self._lock:
            return [self._row(entry) for entry in self._newest]

    def get(self, identity: str) -> Row | None:
        """Return a copy of one row, or None where no row has this id."""
        with self._lock:
            entry = self._by_id.get(identity)
            return self._row(entry) if entry else None

    def add(
        self, count: int = 1, at: str | datetime | None = None, **fields: object
    ) -> list[Row]:
        """Make rows and return copies of them in the order of creation.

        Args:
            count: How many.
            at: The instant that all of them share; by default they follow the
                newest row, minutes apart.
            fields: What the rows show in place of the invented values, whatever
                its type; `...` leaves the key out.
        """
        with self._lock:
            self.version += 1
            latest = self._newest[0].instant if self._newest else NEWEST
            added = []
            for _ in range(count):
                latest += Draw("gap", self._made).below(600_000) * instants.MILLISECOND
                latest += 60 * instants.SECOND
                instant = latest if at is None else instants.read(at)
                entry = Entry(self._made, instant, dict(fields))
                if isinstance(identity := fields.get("id"), str):
                    entry.identity = identity
                self._made += 1
                added.append(entry)
                if self._ids is not None:
                    self._ids[self._id(entry)] = entry
                for view in self._views.values():
                    view.insert(entry)
            return [self._row(entry) for entry in added]

    def edit(self, identity: str, **fields: object) -> Row:
        """Change what a row shows and return a copy; it keeps its place."""
        with self._lock:
            entry = self._by_id[identity]
            self.version += 1
            entry.changes.update(fields)
            entry.style = ""
            return self._row(entry)

    def delete(self, identity: str) -> None:
        """Take a row away. A cursor that names it still knows where it was."""
        with self._lock:
            entry = self._by_id.pop(identity)
            self.version += 1
            self._gone[identity] = entry
            for view in self._views.values():
                view.remove(entry)

    def render(self) -> None:
        """Render all rows now, so that no answer has to wait for it."""
        for entry in self._newest:
            self._body(entry)

    def page(self, query: Mapping[str, str], *, strict: bool = False) -> bytes:
        """Return the JSON body that answers a list request.

        Args:
            query: The query parameters.
            strict: Whether to refuse parameters that the API does not document
                rather than ignore them.

        Raises:
            BadRequestError: If the query is refused.
        """
        if strict:
            self._check(query)
        limit = _limit(query.get("limit", ""))
        if limit > MAXIMUM_LIMIT:
            return b'{"items":[]}'
        with self._lock:
            text = query.get("starting_after", "")
            start, repeated = self._start(text) if text else (0, 0)
            if self.short_pages is not None:
                size = 1 + Draw(self.short_pages, text).below(limit)
                limit = min(limit, size + repeated)
            entries, more = self._take(start, limit, query)
            if not entries:
                return b'{"items":[]}'
            style = self.timestamps
            bodies = b",".join(
                [
                    entry.body if entry.style == style else self._body(entry)
                    for entry in entries
                ]
            )
            return b"".join(
                (b'{"items":[', bodies, b"]", self._next(entries[-1], more=more), b"}")
            )

    def _check(self, query: Mapping[str, str]) -> None:
        for name, value in query.items():
            if name == "limit":
                if not value.isdecimal() or not 1 <= int(value) <= MAXIMUM_LIMIT:
                    message = "querystring/limit must be an integer from 1 to 100"
                    raise BadRequestError(message)
            elif name in self._filters:
                allowed = self._filters[name]
                if allowed and value not in allowed:
                    message = (
                        f"querystring/{name} must be equal to one of the allowed values"
                    )
                    raise BadRequestError(message)
            elif name != "starting_after":
                message = f"querystring must NOT have additional property {name}"
                raise BadRequestError(message)

    def _start(self, text: str) -> tuple[int, int]:
        """Return the page's first position and how many of its rows repeat."""
        if self.encoding == "symbols":
            if not text.endswith(SYMBOLS):
                message = "querystring/starting_after is not a cursor of this list"
                raise BadRequestError(message)
            text = text[: -len(SYMBOLS)]
        view = self._view
        if self.cursor == "id":
            entry = self._by_id.get(text) or self._gone.get(text)
            if entry is None:
                message = "querystring/starting_after is not the id of a row"
                raise BadRequestError(message)
            first, after = view.around(entry)
        else:
            try:
                instant = instants.read(text)
            except ValueError:
                message = 'querystring/starting_after must match format "date-time"'
                raise BadRequestError(message) from None
            if self.order == "mixed":
                instant = self._nearest(instant)
            first, after = view.at(instant)
        return (first, after - first) if self.comparison == "inclusive" else (after, 0)

    def _nearest(self, instant: int) -> int:
        """Return the instant of the row, present or deleted, nearest to this one.

        In a mixed order only the instants of rows have a place.
        """
        position, _ = self._views["newest"].at(instant)
        beside = self._newest[max(0, position - 1) : position + 1]
        known = [entry.instant for entry in (*beside, *self._gone.values())]
        return min(known, key=lambda other: abs(other - instant), default=instant)

    def _take(
        self, start: int, limit: int, query: Mapping[str, str]
    ) -> tuple[list[Entry], bool]:
        """Return the page's entries and whether any follow them."""
        entries = self._view.entries
        wanted = {
            name: query[name]
            for name, allowed in self._filters.items()
            if query.get(name) and (not allowed or query[name] in allowed)
        }
        if not wanted:
            return entries[start : start + limit], start + limit < len(entries)
        found: list[Entry] = []
        for position in range(start, len(entries)):
            row = self._row(entries[position])
            if all(self._maker.matches(row, *item) for item in wanted.items()):
                if len(found) == limit:
                    return found, True
                found.append(entries[position])
        return found, False

    def _next(self, last: Entry, *, more: bool) -> bytes:
        """Return the cursor's part of the JSON body."""
        if more or self.end == "present":
            if self.cursor == "id":
                text = self._id(last)
            elif self.encoding == "offset":
                text = instants.write_with_offset(last.instant)
            else:
                text = instants.write(last.instant)
            if self.encoding == "symbols":
                text += SYMBOLS
            return b',"next_starting_after":' + json.dumps(text).encode()
        if self.end == "null":
            return b',"next_starting_after":null'
        if self.end == "empty":
            return b',"next_starting_after":""'
        return b""

    @property
    def _view(self) -> View:
        """The rows in the order of the moment, which is built on first use."""
        view = self._views.get(self.order)
        if view is None:
            view = self._views[self.order] = View(self.order, self._newest, self._id)
        return view

    @property
    def _by_id(self) -> dict[str, Entry]:
        if self._ids is None:
            self._ids = {self._id(entry): entry for entry in self._newest}
        return self._ids

    def _id(self, entry: Entry) -> str:
        return entry.identity or self._maker.id(entry.number, entry.instant)

    def _row(self, entry: Entry) -> Row:
        if self.timestamps == "mixed":
            created = instants.write_variously(entry.instant, entry.number)
        else:
            created = instants.write(entry.instant)
        row = self._maker.row(entry.number, entry.instant, created)
        if not entry.changes:
            return row
        row.update(entry.changes)
        return {key: value for key, value in row.items() if value is not ...}

    def _body(self, entry: Entry) -> bytes:
        if entry.style != self.timestamps:
            entry.body, entry.style = render(self._row(entry)), self.timestamps
        return entry.body


def render(value: object) -> bytes:
    """Write a value as JSON in UTF-8."""
    return _JSON.encode(value).encode()


def _limit(text: str) -> int:
    """Read the page size; what is no positive number counts as not given."""
    return (int(text) if text.isdecimal() else 0) or DEFAULT_LIMIT


def is_uuid(text: str) -> bool:
    """Tell whether `text` is a UUID in the usual notation."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
