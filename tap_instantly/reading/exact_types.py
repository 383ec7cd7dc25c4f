"""Types of msgspec for rows that fit a schema as they are."""

from __future__ import annotations

import typing as t

import msgspec

from tap_instantly.reading.conversions import PYTHON_TYPES, json_types

if t.TYPE_CHECKING:
    from collections.abc import Iterable

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


def exact_rows(
    properties: dict[str, dict[str, t.Any]], keys: Iterable[str], unknown: set[str]
) -> t.Any:  # noqa: ANN401 (a type)
    """Return the type of rows that fit as they are, ready for use by any thread.

    Args:
        properties: The schemas of the fields.
        keys: Fields that must be there, and are never null.
        unknown: Fields that may hold anything.

    Raises:
        ValueError: If msgspec does not take the name of a field.
    """
    fields = {name: _exact(schema) for name, schema in properties.items()}
    for key in keys:
        schema = properties[key]
        types = [name for name in json_types(schema) if name != "null"]
        fields[key] = _exact({**schema, "type": types})
    fields |= dict.fromkeys(sorted(unknown), t.Any)
    rows: t.Any = list[_struct(fields, keys, is_closed=True)]  # type: ignore[misc]  # made here
    # On its first use msgspec completes a type, and two threads at once crash it.
    msgspec.convert([], rows)
    return rows


def takes_name(name: str) -> bool:
    """Tell whether msgspec takes a name of a field."""
    try:
        _struct({name: t.Any})
    except ValueError:
        return False
    return True


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
