"""TapInstantly: settings and streams."""

from __future__ import annotations

import typing as t

from tap_instantly.settings import SETTINGS
from tap_instantly.streams import STREAMS
from tap_instantly.tap_base import EndpointTap

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_instantly.reading.stream import EndpointStream


class TapInstantly(EndpointTap):
    """Singer tap for Instantly.ai, the platform for cold e-mail."""

    name = "tap-instantly"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = SETTINGS.to_dict()
    stream_classes: t.ClassVar[Sequence[type[EndpointStream]]] = STREAMS
