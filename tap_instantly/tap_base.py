"""EndpointTap: what joins client, scheduler and streams for a run."""

from __future__ import annotations

import contextlib
import math
import typing as t
from functools import partial
from graphlib import TopologicalSorter

from typing_extensions import override

from tap_instantly.api.client import Client
from tap_instantly.api.errors import UNREACHABLE, describe_attempt
from tap_instantly.cli import CommandLineTap
from tap_instantly.counting import LoadCount
from tap_instantly.load_report import LoadReport
from tap_instantly.reading.additional_fields import COLUMN
from tap_instantly.reading.concurrency import PartitionScheduler
from tap_instantly.reading.parents import ParentKeys
from tap_instantly.reading.source import StreamSource
from tap_instantly.stats import ProgressLog, SyncStats

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from backoff.types import Details
    from singer_sdk import Stream
    from singer_sdk.singerlib import Catalog

    from tap_instantly.api.pages import Page, Request
    from tap_instantly.reading.partition import Fetch, Priority, Source
    from tap_instantly.reading.stream import EndpointStream


TEST_PATIENCE = 15.0
"""Seconds after which `--test` gives up a host that does not answer."""


class EndpointTap(CommandLineTap):
    """A tap whose streams are endpoints of one API, read side by side.

    Attributes:
        stream_classes: Its streams.
        scheduler: Reads the streams of the latest run; absent before the first.
    """

    stream_classes: t.ClassVar[Sequence[type[EndpointStream]]]
    scheduler: PartitionScheduler
    _has_report = False

    @override
    def discover_streams(self) -> list[EndpointStream]:
        return [stream(self) for stream in self.stream_classes]

    @property
    @override
    def input_catalog(self) -> Catalog | None:
        """The catalog as given, without the column that a setting takes away."""
        catalog = super().input_catalog
        if catalog is not None and not self.config.get(COLUMN, True):
            for entry in catalog.values():
                (entry.schema.properties or {}).pop(COLUMN, None)
                entry.metadata.pop(("properties", COLUMN), None)
        return catalog

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """The streams, parents before their children and rate-limited ones last.

        The SDK sorts them by name.
        """
        if self._streams is None:
            streams = t.cast("Iterable[EndpointStream]", super().streams.values())
            by_class = {type(stream): stream for stream in streams}
            parents = {
                stream: stream.parent_streams() for stream in self.stream_classes
            }
            order = [
                by_class[name] for name in TopologicalSorter(parents).static_order()
            ]
            order.sort(key=lambda stream: stream.is_rate_limited)
            self._streams = {stream.name: stream for stream in order}
        return self._streams

    @property
    def selected_streams(self) -> list[EndpointStream]:
        """The streams that a run reads, in their order."""
        streams = t.cast("Iterable[EndpointStream]", self.streams.values())
        return [stream for stream in streams if stream.selected]

    @property
    @override
    def stats(self) -> dict[str, SyncStats]:
        return {stream.name: stream.stats for stream in self.selected_streams}

    @override  # type: ignore[misc]  # final, but the SDK has no hook around a run
    def sync_all(self) -> None:
        """Read the streams side by side, and write them one after the other."""
        with self._reporting(), self._reading(self.selected_streams):
            super().sync_all()

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Count what is read and written if a report is wanted, and write it."""
        path = self.config.get("report_path")
        self._has_report = bool(path)
        if not path:
            yield
            return
        report = LoadReport(path)
        try:
            yield
        finally:
            report.write(self.selected_streams, self.config)

    @override  # type: ignore[misc]  # as `sync_all`
    def run_sync_dry_run(
        self,
        dry_run_record_limit: int | None = 1,
        streams: Iterable[Stream] | None = None,
    ) -> bool:
        """Read the first records of some streams, one stream after the other.

        Raises:
            FatalSyncError: If any of them cannot be read.
        """
        given = self.streams.values() if streams is None else streams
        chosen = t.cast("list[EndpointStream]", list(given))
        stats = SyncStats()
        tried: dict[str, SyncStats] = {}
        for stream in chosen:
            stream.selected = True
            stream.ABORT_AT_RECORD_COUNT = dry_run_record_limit
            if stats.outcome == UNREACHABLE:  # nor are the others reached
                stats = SyncStats(failure=stats.failure, outcome=UNREACHABLE)
            else:
                with self._reading([stream], patience=TEST_PATIENCE):
                    super().run_sync_dry_run(dry_run_record_limit, [stream])
                stats = stream.stats  # which are made anew when its children are tried
            tried[stream.name] = stats
        return self.log_verdict(tried)

    @contextlib.contextmanager
    def _reading(
        self, streams: Iterable[EndpointStream], *, patience: float = math.inf
    ) -> Iterator[None]:
        """Read some streams in the background, and hand each of them its batches."""
        client = Client(self.config, self.vendor, patience=patience)
        sources = self._make_sources(streams)
        self.scheduler = PartitionScheduler(
            list(sources.values()),
            partial(self._make_fetch, client),
            self.config["max_concurrency"],
        )
        for stream, source in sources.items():
            stream.stats = SyncStats(load=LoadCount() if self._has_report else None)
            stream.batches = partial(self.scheduler.batches, source)
        progress = ProgressLog(
            {stream.name: stream.stats for stream in sources}, self.logger
        )
        self.scheduler.start()
        progress.start()
        try:
            yield
        finally:
            self.scheduler.cancel()
            client.close()
            progress.finish()

    def _make_sources(
        self, streams: Iterable[EndpointStream]
    ) -> dict[EndpointStream, StreamSource]:
        """Return what is read for some streams: themselves, and their parents' keys."""
        all_streams = t.cast("Iterable[EndpointStream]", self.streams.values())
        by_class = {type(stream): stream for stream in all_streams}
        keys: dict[type[EndpointStream], ParentKeys] = {}
        written = set(streams)
        pending, wanted = list(written), set(written)
        while pending:
            for parent in pending.pop().parent_streams():
                if parent not in keys:
                    stream = by_class[parent]
                    timestamps = (stream.created_field, stream.bookmark_key)
                    fields = (
                        *stream.key_fields,
                        *timestamps,
                        *stream.activity_fields,
                        "type",
                    )
                    keys[parent] = ParentKeys(stream.name, filter(None, fields))
                    pending.append(stream)
                    wanted.add(stream)
        return {
            stream: StreamSource(
                stream, keys.get(type(stream)), keys, is_written=stream in written
            )
            for stream in by_class.values()
            if stream in wanted
        }

    def _make_fetch(
        self,
        client: Client,
        source: Source,
        priority: Priority,
        raise_if_cancelled: Callable[[], None],
    ) -> Fetch:
        """Return what fetches the pages of a partition, and counts its requests."""
        stats = t.cast("EndpointStream", self.streams[source.name]).stats

        def fetch(request: Request) -> Page:
            raise_if_cancelled()
            stats.count_request()
            with stats.reading(), contextlib.ExitStack() as delay:

                def on_retry(details: Details) -> None:
                    raise_if_cancelled()
                    attempt = describe_attempt(details["exception"])
                    stats.count_retry(details["wait"])
                    delay.close()
                    what = f"another try after {attempt}"
                    stats.begin_wait(what)
                    delay.callback(stats.end_wait, what)
                    self.logger.warning(
                        "%s: %s; try %d follows in %.1f s",
                        source.name,
                        attempt,
                        details["tries"] + 1,
                        details["wait"],
                    )

                def on_limit(what: str, wait: Callable[[], float]) -> None:
                    delay.close()
                    stats.wait_for(what, wait)

                page = client.fetch(
                    request, priority=priority, on_retry=on_retry, on_limit=on_limit
                )
            stats.count_rows(len(page.rows))
            return page

        return fetch
