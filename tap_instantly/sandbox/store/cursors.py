"""How a cursor names a row: by its time of creation, by its key, or by both."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from tap_instantly.sandbox.store import timestamps

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.switches import Behaviour

SYMBOLS = "&a+b=c/d e"


def write_cursor(behaviour: Behaviour, timestamp: int, key: str) -> str:
    """Write the cursor that names a row."""
    kind, encoding = behaviour.cursor, behaviour.encoding
    if encoding == "offset":
        time = timestamps.write_with_offset(timestamp)
    else:
        time = timestamps.write(timestamp)
    both = f"{time}&{key}"
    text = {
        "id": key,
        "timestamp": time,
        "timestamp-and-id": both,
        "id-and-timestamp": f"{key}:{time}",
        "opaque": base64.b64encode(both.encode()).decode(),
    }[kind]
    return text + SYMBOLS if encoding == "symbols" else text


def read_cursor(behaviour: Behaviour, text: str) -> tuple[int | None, str]:
    """Return the timestamp and the key that a cursor names; "" where it has no key.

    Raises:
        ValueError: If no list with this behaviour hands out such a cursor.
    """
    kind = behaviour.cursor
    if behaviour.encoding == "symbols":
        if not text.endswith(SYMBOLS):
            raise ValueError(text)
        text = text[: -len(SYMBOLS)]
    if kind == "id":
        return None, text
    if kind == "id-and-timestamp":
        key, _, time = text.partition(":")
        return timestamps.read(time), key
    if kind == "opaque":
        try:
            text = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError(text) from None
    time, _, key = text.partition("&")
    return timestamps.read(time), key
