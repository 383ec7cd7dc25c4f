"""Keeping the API key out of the log, whoever writes it."""

from __future__ import annotations

import logging

from typing_extensions import override

PIECE = 8
"""Characters of the key that are replaced wherever they stand together."""


class Redaction(logging.Filter):
    """Replaces the key, and every longer piece of it, in the messages of a log."""

    def __init__(self, key: str) -> None:
        """Take the key; one that is shorter than a piece cannot be told from words."""
        super().__init__()
        self.pieces = {key[i : i + PIECE] for i in range(len(key) - PIECE + 1)}

    def redact(self, text: str) -> str:
        """Return a text with stars in place of the key."""
        if not any(piece in text for piece in self.pieces):
            return text
        places = range(len(text) - PIECE + 1)
        secret = {
            letter
            for place in places
            if text[place : place + PIECE] in self.pieces
            for letter in range(place, place + PIECE)
        }
        return "".join(
            "*" if place in secret else letter for place, letter in enumerate(text)
        )

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        redacted = self.redact(text)
        if redacted != text:
            record.msg, record.args = redacted, ()
        return True


def redact_in_logs(key: str) -> None:
    """Redact a key from here on, instead of the one before it."""
    redaction = Redaction(key)
    for handler in logging.getLogger().handlers:
        for other in handler.filters[:]:
            if isinstance(other, Redaction):
                handler.removeFilter(other)
        handler.addFilter(redaction)
