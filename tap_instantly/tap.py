"""TapInstantly: the list of streams."""

from __future__ import annotations

import sys
import typing as t

from tap_instantly import streams
from tap_instantly.client import Client
from tap_instantly.command_line import CommandLineTap

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from tap_instantly.stream import InstantlyStream


class TapInstantly(CommandLineTap):
    """Singer tap for Instantly.ai, the platform for cold e-mail."""

    name = "tap-instantly"

    @override
    def discover_streams(self) -> list[InstantlyStream]:
        client = Client(self.config)
        return [
            streams.LeadLabelsStream(self, client),
            streams.LeadListsStream(self, client),
        ]
