"""LoadReport: what a run has read and written, for whoever checks the tables."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from pathlib import Path

import msgspec
from singer_sdk.exceptions import ConfigurationError

from tap_instantly.counting import LoadCount
from tap_instantly.reading.catalog import WORKSPACE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_instantly.reading.stream import EndpointStream


class LoadReport:
    """A file that gets a line of JSON for each stream at the end of a run.

    It is empty until then, so that no run is taken for the one before.
    """

    def __init__(self, path: str) -> None:
        """Begin a new file.

        Raises:
            ConfigurationError: If it cannot be written.
        """
        self._path = Path(path)
        self._put(b"")

    def _put(self, content: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(content)
        except OSError as error:
            msg = f"`report_path`: the file cannot be written ({error.strerror})"
            raise ConfigurationError(msg) from error

    def write(
        self, streams: Iterable[EndpointStream], config: Mapping[str, t.Any]
    ) -> None:
        """Write the lines.

        Args:
            streams: The streams of the run.
            config: The settings of the tap.

        Raises:
            ConfigurationError: If the file cannot be written any more.
        """
        ended = datetime.now(timezone.utc)
        lines = [
            {
                "stream": stream.name,
                "workspace_id": config.get(WORKSPACE),
                "started_at": stream.run_begin,
                "ended_at": ended,
                **describe(stream),
            }
            for stream in streams
        ]
        self._put(msgspec.json.Encoder().encode_lines(lines))


def describe(stream: EndpointStream) -> dict[str, t.Any]:
    """Return the line of a stream, without what is the same for all."""
    stats = stream.stats
    load = stats.load or LoadCount()  # none if the run ends before it reads
    is_complete = stats.is_complete and stats.failure is None
    is_whole = is_complete and not stats.skipped and load.is_whole
    listed = load.listed.count()
    written = {name: load.written[name] for name in stream.written_keys}
    return {
        "method": stream.replication_method,
        "bookmark": stats.end_value,
        "complete": is_complete,
        "failure": stats.failure,
        "left_out": stats.describe_skipped() or None,
        "listed": listed if is_whole else None,
        "scope": stream.scope_of_list,
        "mapped": stream.is_mapped,
        "activated": stats.is_activated,
        "written": [
            {
                "stream": name,
                "rows": count.total,
                "keys": min(count.total, listed) if load.writes_all else count.count(),
            }
            for name, count in written.items()
        ],
    }
