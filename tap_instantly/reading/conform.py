"""RecordConformer: rows as they came into records that fit the stream's schema."""

from __future__ import annotations

import threading
import typing as t
from contextlib import suppress

import msgspec
from singer_sdk.exceptions import FatalSyncError

from tap_instantly.api.errors import truncate
from tap_instantly.incremental import parse_timestamp
from tap_instantly.reading.conversions import (
    PYTHON_TYPES,
    convert,
    exact_types,
    json_types,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from singer_sdk.helpers.types import Record

MAX_UNKNOWN_FIELDS = 100
"""Unknown fields that are warned about, each once."""

DAY_PATTERN = (
    "(?!0000)[0-9]{4}-"
    "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)"
    "|(?:0[13578]|1[02])-31)"
)
"""A day of the calendar; the 29th of February is left to the closer look."""

TIME_PATTERN = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)

DATE = rf"^{DAY_PATTERN}\Z"

DATE_TIME = rf"^{DAY_PATTERN}T{TIME_PATTERN}\Z"


class SchemaMismatchError(FatalSyncError):
    """A value that does not fit the schema and cannot be converted."""

    def __init__(self, where: str, expected: str, found: str) -> None:
        """Lead to the value."""
        super().__init__(
            f"{where}: expected {expected}, found {found}; "
            "report it, so that a newer version of tap-instantly can read it"
        )


class RecordConformer:
    """Makes records fit the schema of one stream, or says why they cannot.

    A value of another JSON type is converted where nothing is lost. Fields that are
    absent stay absent; fields that the schema does not have are dropped.

    Most pages fit as they are. `fits` tells so of a whole page, much faster than Python
    could look at each value: it says yes to less than what fits, never to more.
    """

    def __init__(
        self,
        schema: dict[str, t.Any],
        keys: Iterable[str],
        on_unknown: Callable[[str], None],
    ) -> None:
        """Prepare for one stream.

        Args:
            schema: The JSON Schema of its records.
            keys: The names of its primary keys.
            on_unknown: Called once for each field that the schema does not have.

        Raises:
            FatalSyncError: If the schema lacks a key.
        """
        self._properties: dict[str, dict[str, t.Any]] = schema.get("properties", {})
        self._exact_types = {k: exact_types(v) for k, v in self._properties.items()}
        self._keys = tuple(keys)
        for key in self._keys:
            if key not in self._properties:
                msg = f"the catalog's schema lacks the key `{key}`; discover it again"
                raise FatalSyncError(msg)
        self._on_unknown = on_unknown
        self._unknown: set[str] = set()
        self._exact_rows = self._make_exact_rows()
        self._lock = threading.Lock()

    def fits(self, rows: list[Record]) -> bool:
        """Tell whether rows fit as they are, but for unknown fields already met."""
        try:
            msgspec.convert(rows, self._exact_rows)
        except (msgspec.ValidationError, RecursionError, UnicodeEncodeError):
            return False
        return True

    def conform(self, row: Record) -> Record:
        """Return a row as the schema wants it.

        Raises:
            SchemaMismatchError: If a value cannot be converted, or a key is missing.
        """
        record = {}
        for field, value in row.items():
            types = self._exact_types.get(field)
            if types is None:
                self._note_unknown(field)
            elif type(value) in types:
                record[field] = value
            else:
                record[field] = self._convert(row, field)
        for key in self._keys:
            if record.get(key) is None:
                raise SchemaMismatchError(self._name(row), f"the key `{key}`", "none")
        return record

    def drop_unknown(self, rows: list[Record]) -> list[Record]:
        """Return rows that fit without the fields that the schema does not have."""
        if not self._unknown:
            return rows
        known = self._properties.keys()
        return [{k: v for k, v in row.items() if k in known} for row in rows]

    def timestamps(
        self, rows: list[Record], field: str | None
    ) -> list[datetime | None]:
        """Return the timestamps in a field of some rows, None where it has none.

        Raises:
            SchemaMismatchError: If the field holds something else.
        """
        if field is None:
            return [None] * len(rows)
        timestamps: list[datetime | None] = []
        try:
            for row in rows:
                value = row.get(field)
                timestamps.append(None if value is None else parse_timestamp(value))
        except (TypeError, ValueError) as error:
            row = rows[len(timestamps)]
            raise self._mismatch(row, field, "date-time") from error
        return timestamps

    def _convert(self, row: Record, field: str) -> object:
        schema = self._properties[field]
        try:
            return convert(row[field], schema)
        except ValueError as error:
            types = " or ".join(name for name in json_types(schema) if name != "null")
            raise self._mismatch(row, field, schema.get("format", types)) from error

    def _mismatch(self, row: Record, field: str, expected: str) -> SchemaMismatchError:
        where = f"{self._name(row)}, field `{field}`"
        return SchemaMismatchError(where, expected, truncate(row[field]))

    def _name(self, row: Record) -> str:
        values = (str(row.get(key)) for key in self._keys)
        return "record " + "/".join(truncate(value).strip('"') for value in values)

    def _note_unknown(self, field: str) -> None:
        with self._lock:
            if field in self._unknown or len(self._unknown) >= MAX_UNKNOWN_FIELDS:
                return
            self._unknown.add(field)
            with suppress(ValueError):  # a name that msgspec does not take
                self._exact_rows = self._make_exact_rows()
        self._on_unknown(field)

    def _make_exact_rows(self) -> t.Any:  # noqa: ANN401 (a type)
        """Return the type of rows that fit as they are, ready for use by any thread."""
        fields = {name: _exact(schema) for name, schema in self._properties.items()}
        for key in self._keys:
            schema = self._properties[key]
            types = [name for name in json_types(schema) if name != "null"]
            fields[key] = _exact({**schema, "type": types})
        fields |= dict.fromkeys(self._unknown, t.Any)
        rows: t.Any = list[_struct(fields, self._keys, is_closed=True)]  # type: ignore[misc]  # made here
        # On its first use msgspec completes a type, and two threads at once crash it.
        msgspec.convert([], rows)
        return rows


def _exact(schema: dict[str, t.Any]) -> t.Any:  # noqa: ANN401 (a type)
    """Return the type of what fits a schema as it is."""
    types: dict[str, t.Any]
    types = {
        name: t.Union[PYTHON_TYPES[name]]  # noqa: UP007 (of one or two)
        for name in json_types(schema)
    }
    if "properties" in schema and "object" in types:
        inner = {name: _exact(each) for name, each in schema["properties"].items()}
        types["object"] = _struct(inner)
    if "items" in schema and "array" in types:
        types["array"] = list[_exact(schema["items"])]  # type: ignore[misc]  # made here
    if "format" in schema and "string" in types:
        pattern = DATE if schema["format"] == "date" else DATE_TIME
        types["string"] = t.Annotated[str, msgspec.Meta(pattern=pattern)]
    if not types:
        return msgspec.UnsetType  # nothing fits
    return t.Union[tuple(types.values())]  # noqa: UP007 (of as many as there are)


def _struct(
    fields: dict[str, t.Any], keys: Iterable[str] = (), *, is_closed: bool = False
) -> t.Any:  # noqa: ANN401 (a type)
    """Return the type of objects that have some of these fields.

    Args:
        fields: Their types by their names, which may be no names of Python.
        keys: Fields that must be there.
        is_closed: Whether there must be no others.
    """
    names = {f"field_{number}": name for number, name in enumerate(fields)}
    return msgspec.defstruct(
        "Fields",
        [
            (python, fields[name])
            if name in keys
            else (python, t.Union[fields[name], msgspec.UnsetType], msgspec.UNSET)  # noqa: UP007 (made here)
            for python, name in names.items()
        ],
        rename=names,
        forbid_unknown_fields=is_closed,
        kw_only=True,
        gc=False,
    )
