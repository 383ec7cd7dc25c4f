"""JSON in one line that people and programs read alike."""

from __future__ import annotations

import json


def to_line(value: object) -> str:
    """Return a value as JSON, in which whatever cannot be printed is escaped.

    JSON itself allows some line breaks within a text, and half a character.
    """
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
