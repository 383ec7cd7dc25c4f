"""Checks of schemas, and of records against the schema that comes before them."""

from __future__ import annotations

import typing as t

from jsonschema import Draft202012Validator, FormatChecker

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.conftest import Json

FORMATS = ["date", "date-time"]


class RecordValidator:
    """Validates each RECORD with the last SCHEMA of its stream, formats included."""

    def __init__(self) -> None:
        """Begin before the first message."""
        # A checker that lacks a format passes over it in silence.
        assert {*FORMATS} <= FormatChecker.checkers.keys()
        self._validators: dict[str, Draft202012Validator] = {}

    def check(self, message: Json) -> None:
        """Check the next message of a run.

        Raises:
            jsonschema.ValidationError: If it is a RECORD that its schema forbids.
        """
        if message["type"] == "SCHEMA":
            Draft202012Validator.check_schema(message["schema"])
            self._validators[message["stream"]] = Draft202012Validator(
                message["schema"], format_checker=FormatChecker(FORMATS)
            )
        elif message["type"] == "RECORD":
            self._validators[message["stream"]].validate(message["record"])


def check_records(messages: Iterable[Json]) -> None:
    """Validate all records of a run."""
    validator = RecordValidator()
    for message in messages:
        validator.check(message)


def descriptions(schema: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the description of each property, nested ones included."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner.get("description", "")
        yield from descriptions(inner, f"{path}.{name}")
    if "items" in schema:
        yield from descriptions(schema["items"], f"{path}[]")
