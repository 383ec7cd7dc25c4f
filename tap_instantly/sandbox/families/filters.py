"""Filters of lists: each tells whether a row passes, given the value asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.api import Row

Filter = Callable[["Row", str], bool]


def equals(name: str) -> Filter:
    """Let the rows through whose field says exactly this."""
    return lambda row, value: str(row.get(name)) == value


def among(name: str) -> Filter:
    """Let the rows through whose field says one of the values of a comma list."""
    return lambda row, value: str(row.get(name)) in value.split(",")


def contains(*names: str) -> Filter:
    """Let the rows through of which one field contains a text in any case."""
    return lambda row, value: any(
        value.casefold() in str(row.get(name, "")).casefold() for name in names
    )


def is_true(name: str) -> Filter:
    """Let the rows through whose flag is as asked for; null and absent are false."""
    return lambda row, value: bool(row.get(name)) == (value == "true")
