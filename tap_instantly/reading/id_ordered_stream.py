"""IdOrderedStream: a list that comes by id, read in many places at once."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import partial

from typing_extensions import override

from tap_instantly.reading.id_range import WIDTH
from tap_instantly.reading.id_range_planner import IdRangePlanner
from tap_instantly.reading.lanes import Lanes
from tap_instantly.reading.paginators import Paginator
from tap_instantly.reading.partition import Partition
from tap_instantly.reading.stream import InstantlyStream

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.incremental import TimeWindow
    from tap_instantly.reading.keyed_page import FetchPage, KeyedPage
    from tap_instantly.reading.stream import ParentKeysByStream


@dataclass(frozen=True, kw_only=True)
class LanePartition(Partition):
    """What one lane brings of a list.

    Attributes:
        lanes: All lanes of the list, made for one run.
        lane: Which of them it is.
    """

    lanes: Lanes
    lane: int


class LanePaginator(Paginator):
    """Reads one lane of a list; its pages may be without rows."""

    has_begun = False

    def __init__(self, partition: LanePartition, fetch_page: FetchPage) -> None:
        """Begin before the first page."""
        super().__init__(fetch_page)
        self._pages = partition.lanes.read(partition.lane, fetch_page)

    @override
    def read_page(self) -> KeyedPage | None:
        page = next(self._pages, None)
        self.has_begun = True
        return page

    @override
    def close(self) -> None:
        self._pages.close()


class IdOrderedStream(InstantlyStream):
    """A list that comes by its key ascending, and whose keys are UUIDs.

    Where the server takes any id as a cursor, reading begins at many places at once.
    """

    @override
    def generate_partitions(
        self, window: TimeWindow, parent_keys: ParentKeysByStream
    ) -> Iterator[Partition]:
        (id_field,) = self.primary_keys
        lanes = Lanes(
            IdRangePlanner(
                id_field,
                round(self.run_begin.timestamp() * 1000),
                partial(self.logger.warning, "%s: %s", self.name),
            )
        )
        try:
            for lane in range(WIDTH):
                yield LanePartition(window, lanes=lanes, lane=lane)
        except GeneratorExit:  # a lane that never begins would hold up the others
            lanes.cancel(-1)
            raise

    @override
    def make_paginator(self, partition: Partition, fetch_page: FetchPage) -> Paginator:
        return LanePaginator(t.cast("LanePartition", partition), fetch_page)
