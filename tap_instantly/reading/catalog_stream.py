"""CatalogStream: what catalogs, stream maps and flattening make of a stream."""

from __future__ import annotations

import typing as t
from functools import cached_property

from singer_sdk import Stream
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from typing_extensions import override

from tap_instantly.reading.additional_fields import (
    COLUMN,
    has_unknown,
    is_secret,
    prune,
)
from tap_instantly.reading.catalog import (
    WORKSPACE,
    check_replication_keys,
    check_workspace,
    get_keys,
    keep_selected,
)

if t.TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers._flattening import FlatteningOptions
    from singer_sdk.helpers.types import Record
    from singer_sdk.mapper import StreamMap
    from singer_sdk.singerlib import Catalog, RecordMessage


class CatalogStream(Stream):
    """A stream that obeys its catalog, and whose records fit the schema when flattened.

    The SDK ignores some of what a catalog says, sets up stream maps for streams that
    are not read, and flattens records into columns that the schema lacks.
    """

    def __init__(self, tap: Tap) -> None:
        """Belong to a tap."""
        super().__init__(tap)
        self._kept_nested: set[str] = set()
        self.primary_keys = self.table_keys

    @cached_property
    def key_fields(self) -> Sequence[str]:
        """The keys of the entity, whatever a catalog says."""
        return t.cast("Sequence[str]", type(self).primary_keys)

    @property
    def table_keys(self) -> Sequence[str]:
        """The keys of a table that may hold rows of several workspaces."""
        if not self.config.get(WORKSPACE):
            return self.key_fields
        return tuple(dict.fromkeys((WORKSPACE, *self.key_fields)))

    @cached_property
    def bookmark_key(self) -> str | None:
        """The field that the bookmark is about, whatever a catalog says."""
        key: object = type(self).replication_key
        return key if isinstance(key, str) else None  # the SDK's own is a property

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Take from a catalog what it says of the stream.

        The SDK takes no notice of keys in the metadata if there are others beside it,
        and takes a catalog that names none at its word.

        Raises:
            ConfigurationError: If the catalog has keys that the stream cannot go by.
        """
        super().apply_catalog(catalog)
        self.primary_keys, self.replication_key = self.table_keys, self.bookmark_key
        entry = catalog.get_stream(self.name)
        if entry is not None and entry.metadata.resolve_selection().get((), True):
            self.primary_keys = get_keys(entry, self.table_keys)
            check_workspace(entry, self.primary_keys, self.schema["properties"])
            check_replication_keys(entry, self.bookmark_key)
            keep_selected(entry, (*self.primary_keys, self.bookmark_key))

    @cached_property
    def deselected_paths(self) -> set[tuple[str, ...]]:
        """The paths of the fields that the catalog deselects, nested ones included."""
        return {
            breadcrumb[1::2]
            for breadcrumb, is_selected in self.mask.items()
            if not is_selected
        }

    @property
    @override
    def stream_maps(self) -> list[StreamMap]:
        """The stream maps, which the tap sets up only for the streams it reads.

        The SDK would set up those of all streams, but trips over a stream that is not
        selected: https://github.com/meltano/sdk/issues/1942

        Raises:
            ConfigurationError: If two flattened fields would have the same name.
        """
        if not self._stream_maps:
            schema = get_selected_schema(self.name, self.effective_schema, self.mask)
            try:
                self._tap.mapper.register_raw_stream_schema(
                    self.name, schema, self.primary_keys
                )
            except ValueError as error:
                msg = f"{self.name} cannot be flattened: {error}"
                raise ConfigurationError(msg) from error
        return super().stream_maps

    @property
    def can_write_raw(self) -> bool:
        """Whether records are written as they are, without the SDK's help."""
        if not self.selected or self.ABORT_AT_RECORD_COUNT is not None:
            return False  # before two threads set up the maps of a stream that is tried
        return (
            not self.get_batch_config(self.config)
            and not self.is_mapped
            and not self.stream_maps[0].flattening_enabled
            and all(self.mask.values())
        )

    @property
    def is_mapped(self) -> bool:
        """Whether stream maps decide what is written, and under which name."""
        (first_map, *more_maps) = self.stream_maps
        return type(first_map) is not SameRecordTransform or bool(more_maps)

    @cached_property
    def written_keys(self) -> dict[str, Sequence[str]]:
        """The fields of the key, by the name with which records are written."""
        return {
            each.stream_alias: each.transformed_key_properties or ()
            for each in self.stream_maps
            if not isinstance(each, RemoveRecordTransform)
        }

    def _keep_nested(self, record: Record, depth: int) -> None:
        """Keep the values that hold a field for which flattening has no column."""
        properties = self.effective_schema["properties"]
        if COLUMN not in properties:
            return
        kept: Record = record.get(COLUMN) or {}
        for field, schema in properties.items():
            if field in kept or not has_unknown(record.get(field), schema, depth):
                continue
            kept[field] = prune(record[field], (field,), self._is_left_out)
            record[COLUMN] = kept
            if field not in self._kept_nested:
                self._kept_nested.add(field)
                self.logger.warning(
                    "%s: kept the field `%s` in `%s`, because it holds a field that "
                    "the schema does not have and flattening has no column for",
                    self.name,
                    field,
                    COLUMN,
                )

    def _is_left_out(self, path: tuple[str, ...]) -> bool:
        return is_secret(path[-1]) or path in self.deselected_paths

    @override
    def _generate_record_messages(
        self, record: Record
    ) -> Generator[RecordMessage, None, None]:
        """Leave out what flattening adds beyond the flattened schema.

        The SDK makes a column of an object that is null, and of each field in an object
        that the schema does not have. A value with such a field is kept as it came.
        """
        columns: dict[str, Record] = {}
        for each in self.stream_maps:
            if each.flattening_enabled:
                columns[each.stream_alias] = each.transformed_schema["properties"]
                options = t.cast("FlatteningOptions", each.flattening_options)
                self._keep_nested(record, options.max_level)
        for message in super()._generate_record_messages(record):
            if message.stream in columns:
                known = columns[message.stream]
                message.record = {k: v for k, v in message.record.items() if k in known}
            yield message
