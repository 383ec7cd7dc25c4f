"""TapInstantly: the list of streams."""

from __future__ import annotations

import sys
import typing as t
from functools import cached_property

from tap_instantly.client import Client
from tap_instantly.command_line import CommandLineTap
from tap_instantly.streams import STREAMS

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from singer_sdk import Stream

    from tap_instantly.stream import InstantlyStream


class TapInstantly(CommandLineTap):
    """Singer tap for Instantly.ai, the platform for cold e-mail."""

    name = "tap-instantly"

    @override
    def discover_streams(self) -> list[InstantlyStream]:
        return [stream(self) for stream in STREAMS]

    @cached_property
    def client(self) -> Client:
        """The API, as all streams of a run share it."""
        return Client(self.config)

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """The streams, parents before those that ask about their rows.

        The SDK sorts them by name.
        """
        if self._streams is None:
            found = {type(stream): stream for stream in super().streams.values()}
            self._streams = {found[kind].name: found[kind] for kind in STREAMS}
        return self._streams
