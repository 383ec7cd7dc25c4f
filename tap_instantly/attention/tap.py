"""TapAttention: Attention's labels, read."""

from __future__ import annotations

import typing as t

from singer_sdk import SchemaDirectory

from tap_instantly.attention import schemas
from tap_instantly.attention.paginator import PageNumberPaginator
from tap_instantly.attention.settings import TAP_SETTINGS
from tap_instantly.attention.vendor import ATTENTION, LIST
from tap_instantly.reading.stream import EndpointStream, SchemaWithColumn
from tap_instantly.tap_base import EndpointTap

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_instantly.api.pages import RecordSelector
    from tap_instantly.api.vendor import Vendor
    from tap_instantly.reading.paginators import Paginator


class LabelsStream(EndpointStream):
    """Labels, which change and vanish without a date, so that they come whole."""

    name = "labels"
    path = "/labels"
    required_scope = ""
    primary_keys = ("uuid",)
    data_selector: t.ClassVar[RecordSelector] = LIST
    paginator_class: t.ClassVar[type[Paginator]] = PageNumberPaginator
    schema = SchemaWithColumn(SchemaDirectory(schemas))


class TapAttention(EndpointTap):
    """Singer tap for Attention, which records and analyses sales conversations."""

    name = "tap-attention"
    package_name = "tap-instantly"
    vendor: t.ClassVar[Vendor] = ATTENTION
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = TAP_SETTINGS.to_dict()
    stream_classes: t.ClassVar[Sequence[type[EndpointStream]]] = (LabelsStream,)


def main() -> None:
    """Run the tap."""
    TapAttention.cli()
