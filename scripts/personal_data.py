"""Where personal data is, and the stream map that hashes or drops it.

`python -m scripts.personal_data columns` prints the table of docs/personal-data.md,
`python -m scripts.personal_data map` examples/personal_data.yml. Both follow from the
keyword `x-personal-data` in the schemas.
"""

from __future__ import annotations

import argparse
import textwrap
import typing as t

from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    Schema = dict[str, t.Any]

KEYWORD = "x-personal-data"

KINDS = {
    "address": "hashed",
    "address list": "hashed, one by one",
    "address or other": "hashed where it has an @",
    "domain": "hashed",
    "message id": "hashed",
    "name": "dropped",
    "phone": "dropped",
    "profile": "dropped",
    "device": "dropped",
    "text": "dropped",
    "details": "dropped, but for addresses in it that have a column here",
}
"""What the schemas call personal, and what the stream map does with it."""

HASHED = {"address", "domain", "message id"}

ADDED: dict[str, dict[str, str | None]] = {
    "accounts": {
        "email_domain": (
            "record['email'].strip().lower().rpartition('@')[2] "
            "if '@' in record['email'] else None"
        ),
    },
    "leads": {
        "email_domain": (
            "record.get('email') and sha256(config['salt'] + "
            "record['email'].strip().lower().rpartition('@')[2])"
        ),
    },
}
"""Columns that the map adds, for joins by the part of an address after the @."""

WRAPPER = textwrap.TextWrapper(
    width=100,
    initial_indent=" " * 14,
    subsequent_indent=" " * 14,
    break_long_words=False,
    break_on_hyphens=False,
)

HEADER = """\
# Hashes the addresses of people and drops what else is known of them: see
# docs/personal-data.md. `python -m scripts.personal_data map` writes this file.
plugins:
  extractors:
    - name: tap-instantly-hashed
      inherit_from: tap-instantly
      config:
        additional_fields: false
        stream_map_config:
          salt: $PERSONAL_DATA_SALT
        stream_maps:
"""


def schemas() -> dict[str, Schema]:
    """Return the schema of each stream, without the column `additional_fields`."""
    config = {"additional_fields": False}
    streams = TapInstantly(config=config, validate_config=False).streams
    return {name: streams[name].schema for name in sorted(streams)}


def fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield the path and the schema of each field, nested ones included."""
    for name, inner in schema.get("properties", {}).items():
        yield path + name, inner
        yield from fields(inner, f"{path}{name}.")
        yield from fields(inner.get("items") or {}, f"{path}{name}[].")


def is_personal(schema: Schema) -> bool:
    """Tell whether anything in a field is marked."""
    return any(KEYWORD in inner for _, inner in fields({"properties": {"": schema}}))


def personal_columns() -> dict[str, dict[str, str]]:
    """Return the kind of each personal column, by stream."""
    found = {
        stream: {
            path: inner[KEYWORD] for path, inner in fields(schema) if KEYWORD in inner
        }
        for stream, schema in schemas().items()
    }
    return {stream: columns for stream, columns in found.items() if columns}


def digest(text: str) -> str:
    """Return the expression for the hash of a text, in any case of letters."""
    return f"sha256(config['salt'] + {text}.strip().lower())"


def expression(
    holder: str, name: str, schema: Schema, *, is_kept: bool = True
) -> str | None:
    """Return the expression for a field without its personal data.

    Args:
        holder: The expression for the object that has the field.
        name: The name of the field.
        schema: Its JSON Schema.
        is_kept: Whether the field stays if it is not marked.

    Returns:
        The expression; None if the field is dropped.
    """
    kind = schema.get(KEYWORD)
    given, value = f"{holder}.get('{name}')", f"{holder}['{name}']"
    if kind == "address list":
        return (
            f"{given} and ','.join([{digest('each')} for each in {value}.split(',')])"
        )
    if kind == "address or other":
        return f"{given} and ({digest(value)} if '@' in {value} else {value})"
    if kind in HASHED:
        if "items" in schema:
            return f"{given} and [each and {digest('each')} for each in {value}]"
        return f"{given} and {digest(value)}"
    if not is_personal(schema):
        return given if is_kept else None
    parts = {
        inner: expression(value, inner, definition, is_kept=is_kept and kind is None)
        for inner, definition in schema.get("properties", {}).items()
    }
    kept = ", ".join(f"'{inner}': {part}" for inner, part in parts.items() if part)
    return f"{given} and {{{kept}}}" if kept else None


def stream_maps() -> dict[str, dict[str, str | None]]:
    """Return what the map makes of each column that holds personal data."""
    maps: dict[str, dict[str, str | None]] = {}
    for stream, schema in schemas().items():
        columns = {
            name: expression("record", name, definition)
            for name, definition in schema["properties"].items()
            if is_personal(definition)
        } | ADDED.get(stream, {})
        if columns:
            maps[stream] = columns
    return maps


def print_columns() -> None:
    """Print the marked columns as a table in Markdown."""
    print("| table | column | what | the map |")
    print("|---|---|---|---|")
    for stream, columns in personal_columns().items():
        for path, kind in columns.items():
            print(f"| `{stream}` | `{path}` | {kind} | {KINDS[kind]} |")


def print_map() -> None:
    """Print the stream map as a part of `meltano.yml`."""
    print(HEADER, end="")
    for stream, columns in stream_maps().items():
        print(f"          {stream}:")
        for column, definition in columns.items():
            if definition is None:
                print(f"            {column}: __NULL__")
            else:
                print(f"            {column}: >-")
                print(WRAPPER.fill(definition))


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["columns", "map"])
    if parser.parse_args().part == "columns":
        print_columns()
    else:
        print_map()


if __name__ == "__main__":
    main()
