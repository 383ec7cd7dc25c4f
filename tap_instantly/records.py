"""Rows as they came into records that fit the stream's schema."""

from __future__ import annotations

import json
import re
import threading
import typing as t
from datetime import time

from singer_sdk.exceptions import FatalSyncError

from tap_instantly.errors import MisfitError
from tap_instantly.incremental import instant
from tap_instantly.pages import load

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from singer_sdk.helpers.types import Record

RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",
    re.ASCII,
)


class Fitter:
    """Makes records fit one stream's schema, or says why they cannot.

    A value of another JSON type is converted where nothing is lost. Keys that are
    absent stay absent; keys that the schema does not have are left out.
    """

    def __init__(
        self,
        schema: dict[str, t.Any],
        keys: Iterable[str],
        on_unknown: Callable[[str], None],
    ) -> None:
        """Prepare for one schema.

        Args:
            schema: The JSON Schema of the stream.
            keys: The names of its primary keys.
            on_unknown: Called once for each field that the schema does not have.
        """
        self.schema = schema
        self.properties: dict[str, dict[str, t.Any]] = schema.get("properties", {})
        self.fitting = {name: _fitting(s) for name, s in self.properties.items()}
        self.keys = tuple(keys)
        for key in self.keys:
            if key not in self.properties:
                msg = f"the catalog's schema lacks the key `{key}`; discover it again"
                raise FatalSyncError(msg)
        self.on_unknown = on_unknown
        self.unknown: set[str] = set()
        self._lock = threading.Lock()

    def fit(self, row: Record) -> Record:
        """Return the record as the schema wants it.

        Raises:
            MisfitError: If a value cannot be made to fit, or a key is missing.
        """
        record = {}
        for field, value in row.items():
            fitting = self.fitting.get(field)
            if fitting is None:
                self._skip(field)
            elif type(value) in fitting:
                record[field] = value
            else:
                record[field] = self._fit(row, field)
        for key in self.keys:
            if record.get(key) is None:
                raise MisfitError(self._name(row), f"the key `{key}`", "none")
        return record

    def dates(self, rows: list[Record], field: str) -> list[datetime | None]:
        """Return the instants that a field of some rows names, where it names one.

        Raises:
            MisfitError: If the field holds something else.
        """
        moments: list[datetime | None] = []
        try:
            for row in rows:
                value = row.get(field)
                moments.append(None if value is None else instant(value))
        except (TypeError, ValueError) as error:
            raise self._misfit(rows[len(moments)], field, "date-time") from error
        return moments

    def _fit(self, row: Record, field: str) -> object:
        schema = self.properties[field]
        try:
            return fit(row[field], schema)
        except ValueError as error:
            types = " or ".join(name for name in json_types(schema) if name != "null")
            raise self._misfit(row, field, schema.get("format", types)) from error

    def _misfit(self, row: Record, field: str, expected: str) -> MisfitError:
        where = f"{self._name(row)}, field `{field}`"
        return MisfitError(where, expected, shown(row[field]))

    def _skip(self, field: str) -> None:
        with self._lock:
            if field in self.unknown or len(self.unknown) >= MOST_UNKNOWN:
                return
            self.unknown.add(field)
        self.on_unknown(field)

    def known(self, rows: list[Record]) -> list[Record]:
        """Return rows that fit, without the fields that the schema does not have."""
        if not self.unknown:
            return rows
        known = self.properties.keys()
        return [{k: v for k, v in row.items() if k in known} for row in rows]

    def _name(self, row: Record) -> str:
        values = (str(row.get(key)) for key in self.keys)
        return "record " + "/".join(shown(value).strip('"') for value in values)


def shown(value: object) -> str:
    """Return a value for the log: in one line, and not all of a long one."""
    text = json.dumps(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def fit(value: object, schema: dict[str, t.Any]) -> object:
    """Convert a value to the type that its schema asks for.

    Args:
        value: What the API sent.
        schema: The JSON Schema of the property.

    Returns:
        The value, converted where nothing is lost by it.

    Raises:
        ValueError: If it does not fit.
    """
    if type(value) in _fitting(schema):
        return value
    if isinstance(value, dict) and "properties" in schema:
        inner = schema["properties"]
        return {k: fit(v, inner[k]) if k in inner else v for k, v in value.items()}
    if isinstance(value, list) and "items" in schema:
        return [fit(item, schema["items"]) for item in value]
    if "format" in schema:
        return _date(value) if schema["format"] == "date" else _date_time(value)
    made = _convert(value, json_types(schema))
    return fit(made, schema) if isinstance(made, list) else made


def _fitting(schema: dict[str, t.Any]) -> frozenset[type]:
    """Return the Python types whose values fit a schema without a further look."""
    fitting = {python for name in json_types(schema) for python in PYTHON_TYPES[name]}
    if "format" in schema:
        fitting.discard(str)
    if "properties" in schema:
        fitting.discard(dict)
    if "items" in schema:
        fitting.discard(list)
    return frozenset(fitting)


def json_types(schema: dict[str, t.Any]) -> list[str]:
    """Return the JSON types that a schema allows: all of them if it names none."""
    types: str | list[str] = schema.get("type", list(PYTHON_TYPES))
    return [types] if isinstance(types, str) else types


def _convert(value: object, types: list[str]) -> object:
    """Return the same value as the first other JSON type that loses nothing."""
    for name in types:
        for source, convert in CONVERSIONS.get(name, ()):
            if isinstance(value, source):
                try:
                    return convert(value)
                except (KeyError, ValueError):  # it loses something
                    continue
    raise ValueError(value)


def _date_time(text: object) -> str:
    """Return an RFC 3339 date-time; ISO 8601 in another spelling is rewritten."""
    if not isinstance(text, str):
        raise ValueError(text)  # noqa: TRY004 (every misfit is a ValueError here)
    moment = instant(text)
    if not RFC3339.fullmatch(text):
        text = moment.isoformat()
    if not RFC3339.fullmatch(text):  # its offset has seconds
        raise ValueError(text)
    return text


def _date(text: object) -> str:
    """Return a calendar day; an instant is one if it is a midnight."""
    moment = instant(_date_time(text))
    if moment.time() != time.min:
        raise ValueError(text)
    return moment.date().isoformat()


def _number(text: str) -> int | float:
    """Return the number that a text spells as JSON would."""
    number = load(text)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError(text)  # noqa: TRY004 (every misfit is a ValueError here)
    return number


def _integer(number: float) -> int:
    if not float(number).is_integer():
        raise ValueError(number)
    return int(number)


LONGEST_SHOWN = 40

MOST_UNKNOWN = 100

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}

BOOLEANS: dict[t.Any, bool] = {0: False, 1: True, "false": False, "true": True}

# What a value may be converted from, by the JSON type that is wanted. Python counts
# `bool` among the numbers, hence its own line before them.
CONVERSIONS: dict[str, list[tuple[t.Any, Callable[[t.Any], object]]]] = {
    "array": [((bool, int, float, str, dict), lambda value: [value])],
    "boolean": [((int, float, str), BOOLEANS.__getitem__)],
    "integer": [
        (bool, int),
        ((int, float), _integer),
        (str, lambda text: _integer(_number(text))),
    ],
    "number": [(bool, int), (str, _number)],
    "string": [(bool, lambda value: str(value).lower()), ((int, float), str)],
}
