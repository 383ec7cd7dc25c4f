"""RecordConformer: rows as they came into records that fit the stream's schema."""

from __future__ import annotations

import threading
import typing as t

import msgspec
from singer_sdk.exceptions import FatalSyncError

from tap_instantly.api.errors import truncate
from tap_instantly.incremental import parse_timestamp
from tap_instantly.reading.additional_fields import COLUMN, is_secret, prune
from tap_instantly.reading.conversions import (
    Misfit,
    convert_parts,
    exact_types,
    json_types,
)
from tap_instantly.reading.exact_types import exact_rows, takes_name

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_instantly.reading.additional_fields import Path

MAX_WARNINGS = 100
"""Fields that are warned about, each once, and unknown fields on the fast path."""

BLANK_KEY = "unknown"
"""What is written for a blank key: a key is never null, and some loaders take "" for
null."""

UNREADABLE = (ArithmeticError, TypeError, ValueError)


class SchemaMismatchError(FatalSyncError):
    """A key or a timestamp that does not fit the schema and cannot be converted."""

    def __init__(self, where: str, expected: str, found: str) -> None:
        """Lead to the value."""
        super().__init__(
            f"{where}: expected {expected}, found {found}; "
            "report it, so that a newer version of tap-instantly can read it"
        )


class RecordConformer:
    """Makes rows fit the schema of one stream.

    A value of another JSON type is converted where nothing is lost. What still does not
    fit, and every field that the schema does not have, goes as it came into the column
    `additional_fields`. Fields that are absent stay absent.

    Most pages fit as they are. `fits` tells so of a whole page, much faster than Python
    could look at each value: it says yes to less than what fits, never to more.
    """

    def __init__(
        self,
        schema: dict[str, t.Any],
        keys: Iterable[str],
        warn: Callable[[str], None],
        *,
        strict: Iterable[str | None] = (),
        deselected: Collection[Path] = (),
    ) -> None:
        """Prepare for one stream.

        Args:
            schema: The JSON Schema of its records.
            keys: The names of its primary keys.
            warn: Logs a sentence.
            strict: Other fields that must be readable, or the stream stops.
            deselected: The paths of fields that are not to be written.

        Raises:
            FatalSyncError: If the schema lacks a key.
        """
        self._properties: dict[str, dict[str, t.Any]] = {**schema.get("properties", {})}
        has_column = self._properties.pop(COLUMN, None) is not None
        self._has_column = has_column and (COLUMN,) not in deselected
        self._exact_types = {k: exact_types(v) for k, v in self._properties.items()}
        self._keys = tuple(keys)
        for key in self._keys:
            if key not in self._properties:
                msg = f"the catalog's schema lacks the key `{key}`; discover it again"
                raise FatalSyncError(msg)
        self._strict = {*self._keys, *strict}
        self._required = frozenset(schema.get("required", ()))
        self._deselected = frozenset(deselected)
        self._warn = warn
        self._warned: set[Path] = set()
        self._met: set[str] = set()
        self._unknown: set[str] = set()
        self._lock = threading.Lock()
        self._exact_rows: t.Any = None  # until a page needs them
        self._is_exact_current = False

    def fits(self, rows: list[Record]) -> bool:
        """Tell whether rows fit as they are, but for unknown fields already met."""
        if not self._is_exact_current:
            self._renew_exact_rows()
        try:
            msgspec.convert(rows, self._exact_rows)
        except (msgspec.ValidationError, RecursionError, UnicodeEncodeError):
            return False
        return True

    def _renew_exact_rows(self) -> None:
        with self._lock:
            if self._is_exact_current:
                return
            self._exact_rows = exact_rows(self._properties, self._keys, self._unknown)
            self._is_exact_current = True

    def conform(self, row: Record) -> Record:
        """Return a row as the schema wants it.

        Raises:
            SchemaMismatchError: If a key is missing, or a field that is required to be
                readable is not.
        """
        record: Record = {}
        kept: Record = {}
        for field, value in row.items():
            types = self._exact_types.get(field)
            if types is None:
                self._keep_unknown(row, field, kept)
            elif type(value) in types:
                record[field] = value
            else:
                self._convert(row, field, record, kept)
        for key in self._keys:
            if record.get(key) is None:
                raise SchemaMismatchError(self._name(row), f"the key `{key}`", "none")
        if kept:
            record[COLUMN] = kept
        return record

    def move_unknown(self, rows: list[Record]) -> list[Record]:
        """Return rows that fit, with the fields that the schema does not have moved."""
        return [self._move_unknown(row) for row in rows] if self._unknown else rows

    def _move_unknown(self, row: Record) -> Record:
        if self._unknown.isdisjoint(row):
            return row
        known = self._properties
        record = {name: value for name, value in row.items() if name in known}
        kept: Record = {}
        for field in row:
            if field not in known:
                self._keep_unknown(row, field, kept)
        if kept:
            record[COLUMN] = kept
        return record

    @staticmethod
    def timestamps(rows: list[Record], field: str | None) -> list[datetime | None]:
        """Return the timestamps in a field of some rows.

        It is None where the row has none, or none that can be read: then `conform` says
        what becomes of it.
        """
        if field is None:
            return [None] * len(rows)
        return [_timestamp(row.get(field)) for row in rows]

    def name_blank_keys(self, rows: list[Record], *, optional: Sequence[str]) -> None:
        """Give a name to the keys that are null or "", if they are text.

        Args:
            rows: The rows, which are changed.
            optional: Keys that may even be absent.
        """
        for key in self._keys:
            schema = self._properties[key]
            if "string" not in json_types(schema) or "format" in schema:
                continue
            for row in rows:
                absent = None if key in optional else BLANK_KEY
                if row.get(key, absent) in (None, ""):
                    row[key] = BLANK_KEY
                    if self._keys == (key,):
                        self.warn_once(
                            (key,),
                            f"the key `{key}` is blank in some rows, which are written "
                            f"as `{BLANK_KEY}` and cannot be told from each other",
                        )

    def warn_once(self, path: Path, sentence: str) -> None:
        """Log a sentence about a field, unless one about it has been logged."""
        if path in self._warned:
            return
        with self._lock:
            if path in self._warned or len(self._warned) >= MAX_WARNINGS:
                return
            self._warned.add(path)
        self._warn(sentence)

    def _convert(self, row: Record, field: str, record: Record, kept: Record) -> None:
        """Put the value of a field into a record, and into what is kept if need be."""
        schema = self._properties[field]
        record[field], misfits = convert_parts(row[field], schema, (field,))
        if not misfits:
            return
        if record[field] is None and "null" not in json_types(schema):
            del record[field]
        if field in self._strict or field in self._required - record.keys():
            raise self._mismatch(row, misfits[0])
        ending = f", and kept in `{COLUMN}`" if self._has_column else ""
        for misfit in misfits:
            found = truncate(misfit.value)
            if any(map(is_secret, misfit.path)):
                found = "something else"
            self.warn_once(
                misfit.path,
                f"{self._where(row, misfit)}: expected {misfit.expected}, "
                f"found {found}; such values are written as null{ending}",
            )
        self._keep(field, row[field], kept)

    def _keep_unknown(self, row: Record, field: str, kept: Record) -> None:
        """Keep a field that the schema does not have, and say so the first time."""
        if field in self._strict:  # the catalog lacks it
            self._check_timestamp(row, field)
        elif field not in self._met:
            self._meet(field)
        if not self._has_column:
            self.warn_once(
                (field,),
                f"left out the field `{_quote(field)}`, which the schema does not have",
            )
        elif not self._is_left_out((field,)):
            self.warn_once(
                (field,),
                f"kept the field `{_quote(field)}`, which the schema does not have, "
                f"in `{COLUMN}`",
            )
            self._keep(field, row[field], kept)

    def _keep(self, field: str, value: object, kept: Record) -> None:
        """Keep the value of a field as it came, but for secrets in it."""
        if not self._has_column or self._is_left_out((field,)):
            return
        if type(value) in {dict, list}:
            try:
                value = prune(value, (field,), self._is_left_out)
            except RecursionError:
                self.warn_once(
                    (field, ""),
                    f"left out the field `{_quote(field)}`, which is nested too deeply",
                )
                return
        kept[field] = value

    def _is_left_out(self, path: Path) -> bool:
        if is_secret(path[-1]):
            name = _quote(".".join(path))
            self.warn_once(
                path,
                f"left out the field `{name}`, whose name sounds like a secret",
            )
            return True
        return path in self._deselected

    def _meet(self, field: str) -> None:
        """Let pages with an unknown field be found to fit as a whole."""
        with self._lock:
            if len(self._met) >= MAX_WARNINGS:
                return
            self._met.add(field)
            if takes_name(field):
                self._unknown.add(field)
                self._is_exact_current = False

    def _check_timestamp(self, row: Record, field: str) -> None:
        value = row[field]
        if value not in (None, "") and _timestamp(value) is None:
            raise self._mismatch(row, Misfit((field,), "date-time", value))

    def _mismatch(self, row: Record, misfit: Misfit) -> SchemaMismatchError:
        return SchemaMismatchError(
            self._where(row, misfit), misfit.expected, truncate(misfit.value)
        )

    def _where(self, row: Record, misfit: Misfit) -> str:
        return f"{self._name(row)}, field `{'.'.join(misfit.path)}`"

    def _name(self, row: Record) -> str:
        values = (str(row.get(key)) for key in self._keys)
        return "record " + "/".join(truncate(value).strip('"') for value in values)


def _timestamp(value: t.Any) -> datetime | None:  # noqa: ANN401 (JSON holds anything)
    if value is None or value == "":
        return None
    try:
        return parse_timestamp(value)
    except UNREADABLE:
        return None


def _quote(name: str) -> str:
    return truncate(name)[1:-1]
