"""Reading messages, none of which is ever repeated in the log."""

from __future__ import annotations

import typing as t
from functools import partial

from singer_sdk.exceptions import ConfigurationError, SingerSDKError
from singer_sdk.io_base import SingerReader
from singer_sdk.singerlib.json import deserialize_json
from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Message: t.TypeAlias = dict[str, t.Any]


class MessageError(ConfigurationError):
    """An input that is not what a tap writes."""


class MessageReader(SingerReader):
    """Reads messages, and says of those that make no sense which line they are.

    The SDK would repeat the line, which holds records.
    """

    def __init__(self) -> None:
        """Begin before the first line."""
        super().__init__()
        self._line = 0

    @override
    def process_lines(
        self,
        file_input: t.IO[str] | None,
        callbacks: dict[str, Callable[[Message], None]],
    ) -> t.Counter[str]:
        return super().process_lines(
            file_input,
            {kind: partial(self._process, call) for kind, call in callbacks.items()},
        )

    @override
    def deserialize_json(self, line: str) -> Message:
        self._line += 1
        try:
            message: Message = deserialize_json(line) | {}  # a list has no union
        except (RecursionError, TypeError, ValueError) as error:
            what = "is not an object of JSON"
            raise self._error(what) from error
        if not isinstance(message.get("type"), str):
            what = "has no type of message"
            raise self._error(what)
        return message

    @override
    def _process_unknown_message(self, message_dict: Message) -> None:
        what = "is of no known type of message"
        raise self._error(what)

    def _process(self, callback: Callable[[Message], None], message: Message) -> None:
        if message["type"] == "RECORD" and not isinstance(message.get("record"), dict):
            what = "has no record"
            raise self._error(what)
        try:
            callback(message)
        except SingerSDKError:
            raise
        except Exception as error:
            what = (
                f"cannot be taken in as {message['type']} ({type(error).__name__}), "
                "or a stream map does not fit it"
            )
            raise self._error(what) from error

    def _error(self, what: str) -> MessageError:
        return MessageError(
            f"Line {self._line} of the input {what}; see what the tap has written"
        )
