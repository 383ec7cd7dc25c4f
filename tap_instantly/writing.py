"""Writing messages: a page of records at once, wherever nothing asks for more."""

from __future__ import annotations

import json
import select
import sys
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property

import msgspec
from singer_sdk import Stream
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook, encoder
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Message


PIPE_BUF = getattr(select, "PIPE_BUF", 512)
"""Bytes that a pipe takes at once; 512 at least, says POSIX."""


LINE_ENDS = [character.encode() for character in "\x85\u2028\u2029"]
"""Characters that Unicode ends lines at, and so do some readers; JSON does not."""


class LineWriter(MsgSpecWriter):
    """Writes messages to stdout, a line each."""

    @override
    def write_message(self, message: Message) -> None:
        self.write(in_lines([message.to_dict()]))

    def write(self, lines: bytes) -> None:
        """Write lines that are messages already.

        They go in pieces that a pipe takes as a whole or not at all, so that what is
        in it are whole lines, whatever becomes of this process.
        """
        begin = 0
        while begin < len(lines):
            end = lines.rfind(b"\n", begin, begin + PIPE_BUF) + 1
            if not end:  # a line that is longer
                end = lines.find(b"\n", begin) + 1
            sys.stdout.buffer.write(lines[begin:end])
            sys.stdout.buffer.flush()
            begin = end


def in_lines(messages: list[dict[str, t.Any]]) -> bytes:
    """Return messages as lines of JSON."""
    try:
        lines = encoder.encode_lines(messages)
    except UnicodeEncodeError:  # a lone surrogate, which JSON can write but not UTF-8
        lines = b"".join(map(_in_line, messages))
    for character in [] if lines.isascii() else LINE_ENDS:
        if character in lines:
            code = ord(character.decode())
            lines = lines.replace(character, f"\\u{code:04x}".encode())
    return lines


def _in_line(message: dict[str, t.Any]) -> bytes:
    try:
        return encoder.encode_lines([message])
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(message, enc_hook=enc_hook)
        return json.dumps(plain, separators=(",", ":")).encode() + b"\n"


@dataclass(frozen=True)
class Stretch:
    """Some records of a stream, ready to be written.

    Attributes:
        records: The records; empty if they are in lines.
        lines: RECORD messages; empty if the SDK is to make them.
        count: How many records there are.
        newest: The latest value of the replication key, as it came and as instant.
        is_settled: Whether no record is to come that is older than these by much.
        size: About how many bytes they take while they wait.
        has_more: Whether more is asked for after them.
    """

    records: list[Record]
    lines: bytes
    count: int
    newest: tuple[str, datetime] | None
    is_settled: bool
    size: int
    has_more: bool


class PageStream(Stream):
    """A stream that writes a page of records at once.

    The SDK handles records one by one, so that they can be mapped, flattened, cut and
    put into batches. Where nothing of that is asked for, this writes the same messages
    at a fraction of the cost.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # they conform already
    STATE_MSG_FREQUENCY = sys.maxsize  # the state changes when the stream is complete

    def read(self) -> Iterator[Stretch]:
        """Yield what this run reads; each when the one before it is written."""
        raise NotImplementedError

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        for stretch in self.read():
            yield from stretch.records

    @cached_property
    def is_plain(self) -> bool:
        """Whether records are written as they are."""
        (first_map, *more_maps) = self.stream_maps
        return (
            self.selected
            and self.ABORT_AT_RECORD_COUNT is None
            and not self.get_batch_config(self.config)
            and type(first_map) is SameRecordTransform
            and not first_map.flattening_enabled
            and not more_maps
            and all(self.mask.values())
        )

    def in_lines(self, records: list[Record]) -> bytes:
        """Return the RECORD messages of some records."""
        message: dict[str, t.Any] = {"version": self._version} if self._version else {}
        message["time_extracted"] = datetime.now(timezone.utc)
        head = {"type": "RECORD", "stream": self.name}
        return in_lines([{**head, "record": record, **message} for record in records])

    @cached_property
    def _version(self) -> int | None:
        """The version of the table, which the SDK sets when it is the stream's turn."""
        if (
            self.emit_activate_version_messages
            and self.replication_method == REPLICATION_FULL_TABLE
        ):
            return self._tap.initialized_at
        return None

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, t.Any], t.Any, t.Any]:
        if not (write_messages and self.is_plain):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        writer = t.cast("LineWriter", self._tap.message_writer)
        self._write_starting_replication_value(context)
        with self.get_record_counter() as counter, self.get_sync_timer():
            for stretch in self.read():
                writer.write(stretch.lines)
                self.state_manager.is_flushed = False
                counter.increment(stretch.count)
        self._finalize_state(self.stream_state)
        self._write_state_message()
