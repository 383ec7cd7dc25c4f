"""Ids as places in a list that comes by id ascending.

The place of an id is the number that its bits make, but for those that say which
version and variant of UUID it is. An id of version 7 begins with the milliseconds at
which it was made, an id of version 4 is random.
"""

from __future__ import annotations

import re
import typing as t

BITS = 122
"""Bits of a place."""

END = 1 << BITS
"""The place after the last id."""

TIME_SHIFT = 74
"""Bits after the milliseconds, in a place of version 7."""

Version: t.TypeAlias = t.Literal["4", "7"]

_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


def place_of(given: str) -> int:
    """Return the place of an id; 0 if it is no UUID in small letters."""
    if not _UUID.fullmatch(given):
        return 0
    bits = int(given.replace("-", ""), 16)
    return bits >> 80 << TIME_SHIFT | (bits >> 64 & 0xFFF) << 62 | bits & (1 << 62) - 1


def id_at(place: int, version: str) -> str:
    """Return the id at a place."""
    digits = f"{place >> TIME_SHIFT:012x}{version}{place >> 62 & 0xFFF:03x}"
    digits += f"{2 << 62 | place & (1 << 62) - 1:016x}"
    return "-".join(
        (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    )


def id_before(given: str) -> str | None:
    """Return the id just before another, or None if there is none."""
    place = place_of(given)
    return id_at(place - 1, given[14]) if place else None
