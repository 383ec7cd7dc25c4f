"""The column `additional_fields`: what a row holds that no other column can."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

COLUMN = "additional_fields"

COLUMN_SCHEMA: dict[str, t.Any] = {
    "type": ["object", "null"],
    "x-personal-data": "details",
    "description": (
        "What came with the row and has no column of its own, by the name of the "
        "field and as it came: fields that the tap does not know yet, and the whole of "
        "each field with a value that does not fit its column, which is null there. "
        "Fields that sound like secrets are left out. Absent if there is nothing."
    ),
}

SECRET = re.compile(
    "passw|passphrase|secret|token|authorization|credential|cookie"
    # No secrets: keywords, keyboards, monkeys, turkeys, hockey.
    "|(?<!mon)(?<!tur)(?<!hoc)key(?!word|board)",
    re.IGNORECASE,
)

Path = tuple[str, ...]
"""Names of fields, from the outermost on; items of a list have the path of the list."""


def is_secret(name: str) -> bool:
    """Tell whether the name of a field sounds like a secret."""
    return SECRET.search(name) is not None


def prune(value: object, path: Path, is_left_out: Callable[[Path], bool]) -> object:
    """Return a value without some of the fields in it.

    Args:
        value: Any value of JSON.
        path: Where it stands.
        is_left_out: Says of a field in it whether it is left out.
    """
    if isinstance(value, dict):
        return {
            name: prune(inner, (*path, name), is_left_out)
            for name, inner in value.items()
            if not is_left_out((*path, name))
        }
    if isinstance(value, list):
        return [prune(item, path, is_left_out) for item in value]
    return value


def has_unknown(value: object, schema: dict[str, t.Any], depth: int) -> bool:
    """Tell whether an object holds a field that its schema does not have.

    Args:
        value: Any value of JSON.
        schema: The JSON Schema of its place.
        depth: Down to where it is looked for.
    """
    known = schema.get("properties")
    if not isinstance(value, dict) or known is None or depth <= 0:
        return False
    return any(
        name not in known or has_unknown(inner, known[name], depth - 1)
        for name, inner in value.items()
    )
