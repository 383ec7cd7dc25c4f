"""Values as the API sent them, converted to the JSON type that a schema wants."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import time

from tap_instantly.api.pages import load_json
from tap_instantly.incremental import parse_timestamp

if t.TYPE_CHECKING:
    from collections.abc import Callable

RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",
    re.ASCII,
)

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def json_types(schema: dict[str, t.Any]) -> list[str]:
    """Return the JSON types that a schema allows: all of them if it names none."""
    types: str | list[str] = schema.get("type", list(PYTHON_TYPES))
    return [types] if isinstance(types, str) else types


def exact_types(schema: dict[str, t.Any]) -> frozenset[type]:
    """Return the Python types whose values fit a schema without a closer look."""
    types = {python for name in json_types(schema) for python in PYTHON_TYPES[name]}
    if "format" in schema:
        types.discard(str)
    if "properties" in schema:
        types.discard(dict)
    if "items" in schema:
        types.discard(list)
    return frozenset(types)


@dataclass(frozen=True)
class Misfit:
    """A value that does not fit its place, and cannot be converted.

    Attributes:
        path: The names of the fields that lead to it, from the outermost on.
        expected: What its schema wants.
        value: What the API sent.
    """

    path: tuple[str, ...]
    expected: str
    value: object


class NotNullableError(ValueError):
    """A value that does not fit, where null does not fit either."""


def convert(value: object, schema: dict[str, t.Any]) -> object:
    """Convert a value to the type that its schema wants, only where nothing is lost.

    Raises:
        ValueError: If it does not fit.
    """
    converted, misfits = convert_parts(value, schema, ())
    if misfits:
        raise ValueError(value)
    return converted


def convert_parts(
    value: object, schema: dict[str, t.Any], path: tuple[str, ...]
) -> tuple[object, list[Misfit]]:
    """Convert what can be converted of a value.

    "" is null where it is no text: so does Instantly say that there is nothing.

    Args:
        value: What the API sent.
        schema: The JSON Schema of the property.
        path: The names of the fields that lead to it.

    Returns:
        The value, converted only where nothing is lost, with null in the place of each
        value that does not fit, and those values.
    """
    misfits: list[Misfit] = []
    try:
        converted = _convert(value, schema, path, misfits)
    except NotNullableError:
        converted = None
    return converted, misfits


def _convert(
    value: t.Any,  # noqa: ANN401 (JSON holds anything)
    schema: dict[str, t.Any],
    path: tuple[str, ...],
    misfits: list[Misfit],
) -> object:
    """Return the converted value, and add what does not fit to a list.

    Raises:
        NotNullableError: If it does not fit, and null does not either.
    """
    types = json_types(schema)
    if type(value) in exact_types(schema):
        return value
    if value == "" and "null" in types:
        return None
    try:
        if isinstance(value, dict) and "properties" in schema and "object" in types:
            inner = schema["properties"]
            return {
                k: _convert(v, inner[k], (*path, k), misfits) if k in inner else v
                for k, v in value.items()
            }
        if isinstance(value, list) and "items" in schema and "array" in types:
            items = schema["items"]
            return [_convert(item, items, path, misfits) for item in value]
        return _convert_scalar(value, schema)
    except NotNullableError:  # of a value inside, which is noted already
        pass
    except ValueError:
        misfits.append(Misfit(path, _describe(schema), value))
    if "null" in types:
        return None
    raise NotNullableError


def _convert_scalar(value: object, schema: dict[str, t.Any]) -> object:
    """Return a value as another JSON type, or in another spelling.

    Raises:
        ValueError: If it loses something.
    """
    if "format" in schema:
        return _date(value) if schema["format"] == "date" else _date_time(value)
    converted = _to_another_type(value, json_types(schema))
    if isinstance(converted, list):
        converted = convert(converted, schema)
    return converted


def _describe(schema: dict[str, t.Any]) -> str:
    """Return what a schema wants, in a word or two."""
    types = " or ".join(name for name in json_types(schema) if name != "null")
    return str(schema.get("format", types))


def _to_another_type(value: object, types: list[str]) -> object:
    """Return the value as the first other JSON type that loses nothing."""
    for name in types:
        for source, conversion in CONVERSIONS.get(name, ()):
            if isinstance(value, source):
                try:
                    return conversion(value)
                except (ArithmeticError, KeyError, RecursionError, ValueError):
                    continue  # it loses something
    raise ValueError(value)


def _date_time(text: object) -> str:
    """Return an RFC 3339 date-time; ISO 8601 in another spelling is rewritten."""
    if not isinstance(text, str):
        raise ValueError(text)  # noqa: TRY004 (every mismatch is a ValueError here)
    timestamp = parse_timestamp(text)
    if not RFC3339.fullmatch(text):
        text = timestamp.isoformat()
    if not RFC3339.fullmatch(text):  # its offset has seconds
        raise ValueError(text)
    return text


def _date(text: object) -> str:
    """Return a calendar day; a date-time is one if it is a midnight."""
    timestamp = parse_timestamp(_date_time(text))
    if timestamp.time() != time.min:
        raise ValueError(text)
    return timestamp.date().isoformat()


def _number(text: str) -> int | float:
    """Return the number that a text spells as JSON would."""
    number = load_json(text)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError(text)  # noqa: TRY004 (every mismatch is a ValueError here)
    return number


def _integer(number: float) -> int:
    if not float(number).is_integer():
        raise ValueError(number)
    return int(number)


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
