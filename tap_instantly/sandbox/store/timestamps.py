"""Timestamps as whole microseconds since 1970 (UTC), and the ways to write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

SECOND = 1_000_000
MILLISECOND = 1_000
DAY = 86_400 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_BERLIN_SUMMER = timezone(timedelta(hours=2))
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_8601 = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)",
)


def read(value: str | datetime) -> int:
    """Read ISO 8601 text with an offset, or a datetime that knows its zone."""
    if isinstance(value, str):
        parts = _ISO_8601.fullmatch(value)
        if not parts:
            message = f"{value!r} is not an ISO 8601 time with an offset."
            raise ValueError(message)
        day, time, fraction, offset = parts.groups()
        micros = (fraction or "")[:6].ljust(6, "0")
        offset = "+00:00" if offset == "Z" else offset
        value = datetime.fromisoformat(f"{day}T{time}.{micros}{offset}")
    return (value - _EPOCH) // _MICROSECOND


def is_day(text: str) -> bool:
    """Tell whether a text is a day without a time: `2026-01-28`."""
    return bool(_DAY.fullmatch(text))


def read_bound(text: str) -> int:
    """Read a day, which means its midnight, or ISO 8601 text with an offset."""
    return read(f"{text}T00:00:00Z" if is_day(text) else text)


def write(timestamp: int) -> str:
    """Write the way Instantly does: `2026-01-28T15:48:15.722Z`."""
    return _utc(timestamp).isoformat(timespec="milliseconds")[:-6] + "Z"


def write_with_offset(timestamp: int) -> str:
    """Write with an offset in place of Z: `2026-01-28T15:48:15.722+00:00`."""
    return _utc(timestamp).isoformat(timespec="milliseconds")


def write_variously(timestamp: int, number: int) -> str:
    """Write in one of four ways, by turns as `number` counts up."""
    utc = _utc(timestamp)
    way = number % 4
    if way == 0:
        return utc.isoformat(timespec="microseconds")[:-6] + "Z"
    if way == 1:
        return utc.astimezone(_BERLIN_SUMMER).isoformat(timespec="milliseconds")
    if way == 2:  # noqa: PLR2004 - the third of four ways
        text = utc.isoformat(timespec="milliseconds")[:-6]
        return text.rstrip("0").rstrip(".") + "Z"
    return write(timestamp)


def _utc(timestamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=timestamp)
