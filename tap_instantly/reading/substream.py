"""SubstreamStream: one request for every campaign, list, mailbox ..."""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from typing_extensions import override

from tap_instantly.api.errors import NotFoundError, TooLargeError
from tap_instantly.incremental import midnight, parse_timestamp
from tap_instantly.reading.partition import Partition
from tap_instantly.reading.stream import InstantlyStream

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Record

    from tap_instantly.incremental import TimeWindow
    from tap_instantly.reading.parents import ParentKeys
    from tap_instantly.reading.stream import EndpointStream, ParentKeysByStream


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

    stream: type[EndpointStream]
    partition_field: str
    key: str = "id"
    types: frozenset[str] = frozenset()
    request_param: str | None = None
    group_size: int = 1
    extra_fields: Mapping[str, t.Any] = field(default_factory=dict)

    def beginnings(self, parents: ParentKeys) -> dict[str, datetime | None]:
        """Return since which day the parent rows that have child rows have existed.

        Returns:
            The days by the keys of the parent rows, in their order; None where a row
            does not say it.
        """
        found: dict[str, datetime | None] = {}
        for row in parents.wait():
            key = str(row.get(self.key) or "")
            row_type = str(row.get("type")).removesuffix(".0")
            has_children = not self.types or row_type in self.types
            # Dots alone would lead to another endpoint.
            if key in found or not key.strip(".") or not has_children:
                continue
            found[key] = _find_beginning(row)
        return found

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
    def parent_streams(cls) -> list[type[EndpointStream]]:
        return [parent.stream for parent in cls.parents]

    @override
    def generate_partitions(
        self, window: TimeWindow, parent_keys: ParentKeysByStream
    ) -> Iterator[Partition]:
        known = [
            (parent, parent.beginnings(parent_keys[parent.stream]))
            for parent in self.parents
        ]
        for part in self.slice_window(window):
            for parent, beginnings in known:
                keys = list(beginnings)
                if self.datetime_filter is not None:
                    # Nothing is requested from before its parent row existed.
                    keys = [k for k in keys if not _is_later(beginnings[k], part)]
                for first in range(0, len(keys), parent.group_size):
                    group = keys[first : first + parent.group_size]
                    days = [beginnings[key] for key in group]
                    yield parent.partition(self._clip(part, days), group)

    def _clip(
        self, window: TimeWindow, days: Collection[datetime | None]
    ) -> TimeWindow:
        """Return the part of a window in which any of some parent rows existed."""
        known = [day for day in days if day is not None]
        is_short = self.datetime_filter is not None and self.datetime_filter.step
        if not is_short or len(known) < len(days):
            return window
        return replace(window, since=max(filter(None, [window.since, min(known)])))

    @override
    def split(self, partition: Partition, error: Exception) -> list[Partition]:
        keys = partition.parent_keys
        middle = len(keys) // 2
        if middle and isinstance(error, NotFoundError | TooLargeError):
            (parent,) = self.parents
            halves = keys[:middle], keys[middle:]
            return [parent.partition(partition.window, half) for half in halves]
        if not keys or not isinstance(error, NotFoundError):
            return super().split(partition, error)
        if not self.optional_404:
            field = next(iter(partition.fields), "row of its parent")
            self.stats.skip(f"{field} not found (HTTP 404)")
        name = " ".join([*partition.fields, keys[0]])
        self.logger.info("%s: skipped %s, for which there is nothing", self.name, name)
        return []


def _find_beginning(row: Record) -> datetime | None:
    """Return the day on which a parent row came to exist; None if that is unknown.

    A mailbox that was removed and connected again is created anew, but has figures from
    before. One that warmed up, sent or was edited before its creation is such a
    mailbox.
    """
    days = {}
    for name, value in row.items():
        if name.startswith("timestamp_") and isinstance(value, str):
            with suppress(ValueError):
                days[name] = midnight(parse_timestamp(value))
    created = days.get("timestamp_created")
    return created if created == min(days.values(), default=None) else None


def _is_later(day: datetime | None, window: TimeWindow) -> bool:
    """Tell whether a day comes after a window."""
    return day is not None and window.until is not None and day >= window.until
