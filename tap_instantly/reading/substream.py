"""SubstreamStream: one request for every campaign, list, mailbox ..."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from urllib.parse import quote

from typing_extensions import override

from tap_instantly.api.errors import TooLargeError
from tap_instantly.incremental import DAY, TimeWindow, midnight
from tap_instantly.reading.partition import Partition
from tap_instantly.reading.stream import InstantlyStream

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_instantly.reading.parents import ParentKeys
    from tap_instantly.reading.stream import ParentKeysByStream

BEGINNING = datetime(2021, 1, 1, tzinfo=timezone.utc)
"""No figures are older: it is the year in which Instantly began."""


@dataclass(frozen=True)
class ParentStreamConfig:
    """How the rows of another stream become partitions.

    Attributes:
        stream: The parent stream.
        partition_field: The field of each record that names its parent row; also the
            path parameter, if the path has one.
        key: The field of the parent row that it is named by.
        types: The types of parent rows that have child rows; all if there are none.
        request_param: The parameter that names the parent row, if the path does not.
        group_size: How many parent rows one request may be about. If more than one,
            Instantly itself says of each record which of them it belongs to.
        extra_fields: What else each record gets, unless Instantly sends it.
    """

    stream: type[InstantlyStream]
    partition_field: str
    key: str = "id"
    types: frozenset[str] = frozenset()
    request_param: str | None = None
    group_size: int = 1
    extra_fields: Mapping[str, t.Any] = field(default_factory=dict)

    def keys(self, parents: ParentKeys) -> Iterator[str]:
        """Yield the keys of the parent rows that have child rows, each once."""
        seen = set()
        for row in parents.wait():
            key = str(row.get(self.key) or "")
            row_type = str(row.get("type")).removesuffix(".0")
            has_children = not self.types or row_type in self.types
            # Dots alone would lead to another endpoint.
            if key in seen or not key.strip(".") or not has_children:
                continue
            seen.add(key)
            yield key

    def partition(self, window: TimeWindow, keys: Sequence[str]) -> Partition:
        """Return the partition of one parent row, or of several."""
        partition = Partition(window, tuple(keys))
        if self.group_size > 1:
            return replace(partition, params={str(self.request_param): list(keys)})
        (key,) = keys
        return replace(
            partition,
            params={self.request_param: key} if self.request_param else {},
            path_params={self.partition_field: quote(key, safe="")},
            fields={self.partition_field: key},
            default_fields=self.extra_fields,
        )


class SubstreamStream(InstantlyStream):
    """A stream that Instantly gives only for one row of another stream at a time.

    Attributes:
        parents: How the rows of other streams become partitions.
    """

    parents: t.ClassVar[tuple[ParentStreamConfig, ...]]
    selected_by_default = False

    @override
    @classmethod
    def parent_streams(cls) -> list[type[InstantlyStream]]:
        return [parent.stream for parent in cls.parents]

    @override
    def generate_partitions(
        self, window: TimeWindow, parent_keys: ParentKeysByStream
    ) -> Iterator[Partition]:
        keys = [
            (parent, list(parent.keys(parent_keys[parent.stream])))
            for parent in self.parents
        ]
        windows = [window]
        if self.datetime_filter is not None:
            if window.since is None and self.is_daily:
                # Without a beginning Instantly would choose one.
                window = replace(window, since=BEGINNING)
            windows = list(self.datetime_filter.slices(window, now=self.run_begin))
        for part in windows:
            for parent, known in keys:
                for first in range(0, len(known), parent.group_size):
                    group = known[first : first + parent.group_size]
                    yield parent.partition(part, group)

    @override
    def split(self, partition: Partition, error: Exception) -> list[Partition]:
        (parent, *_) = self.parents
        keys, is_too_large = partition.parent_keys, isinstance(error, TooLargeError)
        if not keys:
            raise error
        if middle := len(keys) // 2:
            halves = keys[:middle], keys[middle:]
            return [parent.partition(partition.window, half) for half in halves]
        if is_too_large and (windows := _halve(partition.window)):
            return [replace(partition, window=window) for window in windows]
        if is_too_large:
            raise error
        self.logger.info(
            "%s: skipped %s %s, for which there is nothing",
            self.name,
            parent.partition_field,
            keys[0],
        )
        return []


def _halve(window: TimeWindow) -> list[TimeWindow]:
    """Return the two halves of a window of whole days; nothing for a single day."""
    since, until = window.since, window.until
    if since is None or until is None or until - since <= DAY:
        return []
    middle = midnight(since + (until - since) / 2 + DAY / 2)
    return [TimeWindow(since, middle), TimeWindow(middle, until)]
