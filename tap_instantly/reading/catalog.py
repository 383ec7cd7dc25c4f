"""The keys that a catalog gives a stream, obeyed or refused."""

from __future__ import annotations

import typing as t

from singer_sdk.exceptions import ConfigurationError
from singer_sdk.singerlib.catalog import Metadata, StreamMetadata

from tap_instantly.api.errors import truncate

WORKSPACE = "workspace_id"
"""A setting, and the column of every stream that the setting adds."""

if t.TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from singer_sdk.singerlib import CatalogEntry


def get_keys(entry: CatalogEntry, own: Sequence[str]) -> Sequence[str]:
    """Return the keys that a catalog chooses, in the metadata or beside it.

    Args:
        entry: The stream's entry.
        own: The keys of the entity, which every choice must hold.

    Raises:
        ConfigurationError: If a loader could not merge rows by the keys.
    """
    root = _get_root(entry)
    chosen = own
    for place, keys in (
        ("key_properties", entry.key_properties),
        ("table-key-properties", root.table_key_properties),
    ):
        if keys is None:
            continue
        if not isinstance(keys, list | tuple):
            _refuse(entry, f"`{place}` is not a list of fields")
        for key in own:
            if key not in keys:
                _refuse(
                    entry,
                    f"`{place}` lacks `{key}`, without which rows cannot be told apart",
                )
        if [*keys] != [*own]:
            chosen = keys
    for key in chosen:
        if not isinstance(key, str) or key not in (entry.schema.properties or {}):
            _refuse(entry, f"schema lacks the key field {truncate(key)}")
    return tuple(dict.fromkeys(chosen))


def check_workspace(
    entry: CatalogEntry, keys: Sequence[str], own: Container[str]
) -> None:
    """See that no key is the column that only the setting `workspace_id` adds.

    Args:
        entry: The stream's entry.
        keys: The keys that it chooses.
        own: The stream's own columns.

    Raises:
        ConfigurationError: If rows would come without a part of their key.
    """
    if WORKSPACE in keys and WORKSPACE not in own:
        _refuse(
            entry,
            f"key has `{WORKSPACE}`, which rows lack without the setting of that name; "
            "set it, or discover the catalog again",
        )


def check_replication_keys(entry: CatalogEntry, own: str | None) -> None:
    """See that a catalog gives a stream no other replication key than its own.

    Args:
        entry: The stream's entry.
        own: The stream's replication key, if it has one.

    Raises:
        ConfigurationError: If the stream cannot be incremental on the key given.
    """
    root = _get_root(entry)
    valid: t.Any = root.valid_replication_keys
    for place, keys in (
        ("replication_key", [entry.replication_key]),
        ("replication-key", [root.replication_key]),
        ("valid-replication-keys", valid if isinstance(valid, list) else [valid]),
    ):
        for key in keys:
            if key not in (None, own):
                ability = (
                    f"the stream is incremental on `{own}` only"
                    if own
                    else "the stream always comes whole"
                )
                _refuse(entry, f"`{place}` names {truncate(key)}, but {ability}")


def keep_selected(entry: CatalogEntry, fields: Sequence[str | None]) -> None:
    """Select some fields, whatever the catalog says."""
    for field in fields:
        metadata = entry.metadata.get(("properties", str(field)))
        if metadata is not None:
            metadata.inclusion = Metadata.InclusionType.AUTOMATIC


def _get_root(entry: CatalogEntry) -> StreamMetadata:
    return t.cast("StreamMetadata", entry.metadata.get((), StreamMetadata()))


def _refuse(entry: CatalogEntry, fault: str) -> t.NoReturn:
    msg = f"{entry.tap_stream_id}: the catalog's {fault}"
    raise ConfigurationError(msg)
