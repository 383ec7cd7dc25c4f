"""Singer messages as lines of JSON on stdout."""

from __future__ import annotations

import json
import select
import sys
import typing as t
from datetime import datetime, timezone

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook, encoder
from typing_extensions import override

if t.TYPE_CHECKING:
    from singer_sdk.singerlib import Message


PIPE_BUF = getattr(select, "PIPE_BUF", 512)
"""Bytes that a pipe takes at once; 512 at least, says POSIX."""

LINE_ENDS = [character.encode() for character in "\x85\u2028\u2029"]
"""Characters that Unicode ends lines at, and so do some readers; JSON does not."""


class LineWriter(MsgSpecWriter):
    """Writes messages to stdout, a line each."""

    @override
    def write_message(self, message: Message) -> None:
        self.write(encode_messages([message.to_dict()]))

    def encode_records(
        self, stream: str, records: list[dict[str, t.Any]], version: int | None
    ) -> bytes:
        """Return the messages of some records; any thread may."""
        message: dict[str, t.Any] = {"version": version} if version else {}
        message["time_extracted"] = datetime.now(timezone.utc)
        head = {"type": "RECORD", "stream": stream}
        return encode_messages(
            [{**head, "record": record, **message} for record in records]
        )

    def write_records(self, lines: bytes, count: int) -> None:
        """Write so many encoded records."""
        del count
        self.write(lines)

    def write(self, lines: bytes) -> None:
        """Write encoded messages.

        They are written in pieces that a pipe takes as a whole or not at all, so that
        it holds whole lines even if this process is killed.
        """
        begin = 0
        while begin < len(lines):
            end = lines.rfind(b"\n", begin, begin + PIPE_BUF) + 1
            if not end:  # a line that is longer
                end = lines.find(b"\n", begin) + 1
            sys.stdout.buffer.write(lines[begin:end])
            sys.stdout.buffer.flush()
            begin = end


def encode_messages(messages: list[dict[str, t.Any]]) -> bytes:
    """Encode messages, a line each."""
    try:
        lines = encoder.encode_lines(messages)
    except UnicodeEncodeError:  # a lone surrogate, which JSON can write but not UTF-8
        lines = b"".join(map(_encode_message, messages))
    for character in [] if lines.isascii() else LINE_ENDS:
        if character in lines:
            code = ord(character.decode())
            lines = lines.replace(character, f"\\u{code:04x}".encode())
    return lines


def _encode_message(message: dict[str, t.Any]) -> bytes:
    try:
        return encoder.encode_lines([message])
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(message, enc_hook=enc_hook)
        return json.dumps(plain, separators=(",", ":")).encode() + b"\n"
