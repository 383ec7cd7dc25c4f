"""source-instantly: the tap behind Airbyte's protocol.

https://docs.airbyte.com/platform/understanding-airbyte/airbyte-protocol
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import threading
import time
import typing as t
from dataclasses import asdict
from functools import partial
from pathlib import Path

import msgspec
from airbyte_protocol_dataclasses import models
from airbyte_protocol_dataclasses.models import (
    AirbyteStreamStatus,
    FailureType,
    Level,
    StreamDescriptor,
    SyncMode,
    Type,
)
from singer_sdk.exceptions import (
    ConfigurationError,
    ConfigValidationError,
    FatalSyncError,
)
from singer_sdk.singerlib import SchemaMessage, StateMessage
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_instantly.api.errors import OUTCOMES, UNAVAILABLE, UNREACHABLE, describe_error
from tap_instantly.api.redaction import Redaction
from tap_instantly.cli import BOOKMARK, NOTHING_SELECTED
from tap_instantly.command_line import MALFORMED
from tap_instantly.messages import LineWriter, encode_messages
from tap_instantly.settings import SETTINGS
from tap_instantly.signals import UninterruptedWriter, end_in_time
from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_sdk.singerlib import Message

    from tap_instantly.reading.stream import InstantlyStream

_T = t.TypeVar("_T")

CHECKED_STREAM = "workspace"

ONLY_SINGER = {
    "emit_activate_version_messages",
    "flattening_max_key_length",
    "report_path",
}
"""Settings about what Airbyte does itself."""

METHODS = {
    SyncMode.full_refresh: REPLICATION_FULL_TABLE,
    SyncMode.incremental: REPLICATION_INCREMENTAL,
}

LEVELS = {
    logging.CRITICAL: Level.FATAL,
    logging.ERROR: Level.ERROR,
    logging.WARNING: Level.WARN,
    logging.INFO: Level.INFO,
}

FAILURE_TYPES = {
    **dict.fromkeys(OUTCOMES.values(), FailureType.config_error),
    UNAVAILABLE: FailureType.transient_error,
    UNREACHABLE: FailureType.transient_error,
}
"""Who can mend it, by the outcome of a stream; any other is a fault of the tap."""

WANTED = {
    "--catalog": "a configured catalog of Airbyte's",
    "--config": "an object of settings in JSON",
    "--state": "a list of Airbyte's states of streams; run without it once",
}


class AirbyteWriter(UninterruptedWriter):
    """Writes Airbyte's messages in place of Singer's.

    The streams come one after the other: the SCHEMA of one ends the one before it. Log
    lines may come in between, from any thread.
    """

    def __init__(self) -> None:
        """Write to stdout."""
        super().__init__()
        self.redact: Callable[[str], str] = str
        self.streams: Mapping[str, InstantlyStream] = {}  # until it is being read
        self._lock = threading.Lock()
        self._stream: InstantlyStream | None = None
        self._state: dict[str, t.Any] | None = None
        self._count, self._is_running = 0, False

    @override
    def write(self, lines: bytes) -> None:
        with self._lock:
            if threading.current_thread() is threading.main_thread():
                super().write(lines)
            else:  # which no signal interrupts, and which must not end the run
                LineWriter.write(self, lines)

    def send(self, kind: Type, **content: t.Any) -> None:
        """Write a message of one type."""
        message = models.AirbyteMessage(kind, **content)
        self.write(encode_messages([asdict(message, dict_factory=_without_none)]))

    @override
    def write_message(self, message: Message) -> None:
        if isinstance(message, SchemaMessage) and message.stream in self.streams:
            self.finish()
            self._stream, self._state = self.streams[message.stream], None
            self._count, self._is_running = 0, False
            self._send_status(message.stream, AirbyteStreamStatus.STARTED)
        elif isinstance(message, StateMessage):
            self._send_state()

    @override
    def encode_records(
        self, stream: str, records: list[dict[str, t.Any]], version: int | None
    ) -> bytes:
        # An AirbyteRecordMessage for each would take longer than all else.
        now = int(time.time() * 1000)
        rows = [{"stream": stream, "data": row, "emitted_at": now} for row in records]
        return encode_messages([{"type": "RECORD", "record": row} for row in rows])

    @override
    def write_records(self, lines: bytes, count: int) -> None:
        if count and not self._is_running and self._stream is not None:
            self._is_running = True
            self._send_status(self._stream.name, AirbyteStreamStatus.RUNNING)
        self._count += count  # before a signal takes effect
        self.write(lines)

    def finish(self, *, is_interrupted: bool = False) -> None:
        """Say how the stream has ended that was read last, if there was one."""
        if self._stream is None:
            return
        name, stats = self._stream.name, self._stream.stats
        is_complete = stats.failure is None and not is_interrupted
        self._send_state()
        if stats.failure is not None:
            kind = FAILURE_TYPES.get(stats.outcome, FailureType.system_error)
            self.fail(stats.failure, kind, name)
        self._stream = None
        if is_complete:
            self._send_status(name, AirbyteStreamStatus.COMPLETE)
        else:
            self._send_status(name, AirbyteStreamStatus.INCOMPLETE)

    def refuse(self, stream: str, sentence: str) -> None:
        """Say why a stream is not read at all."""
        self.fail(sentence, FailureType.config_error, stream)
        self._send_status(stream, AirbyteStreamStatus.INCOMPLETE)

    def fail(self, sentence: str, kind: FailureType, stream: str | None = None) -> None:
        """Say what has gone wrong, with a stream or with the run."""
        error = models.AirbyteErrorTraceMessage(
            self.redact(sentence),
            failure_type=kind,
            stream_descriptor=StreamDescriptor(stream) if stream else None,
        )
        self._send_trace(models.TraceType.ERROR, error=error)

    def _send_state(self) -> None:
        """Write the state of the stream that is being read, unless that is known."""
        # None is being read when the run begins.
        if self._stream is None or self._stream.stats.failure is not None:
            return
        state: dict[str, t.Any] = {}
        if self._stream.replication_method == REPLICATION_INCREMENTAL:
            found = self._stream.stream_state
            state = {key: found[key] for key in sorted(BOOKMARK & found.keys())}
        if state == self._state and not self._count:
            return
        count, self._count, self._state = self._count, 0, state
        message = models.AirbyteStateMessage(
            models.AirbyteStateType.STREAM,
            models.AirbyteStreamState(
                StreamDescriptor(self._stream.name),
                t.cast("models.AirbyteStateBlob", state),  # a class without fields
            ),
            sourceStats=models.AirbyteStateStats(float(count)),
        )
        self.send(Type.STATE, state=message)

    def _send_status(self, stream: str, status: AirbyteStreamStatus) -> None:
        message = models.AirbyteStreamStatusTraceMessage(
            StreamDescriptor(stream), status
        )
        self._send_trace(models.TraceType.STREAM_STATUS, stream_status=message)

    def _send_trace(self, kind: models.TraceType, **content: t.Any) -> None:
        trace = models.AirbyteTraceMessage(kind, time.time() * 1000, **content)
        self.send(Type.TRACE, trace=trace)


class LogHandler(logging.Handler):
    """Writes the log as messages."""

    def __init__(self, writer: AirbyteWriter) -> None:
        """Take what writes them."""
        super().__init__()
        self._writer = writer

    @override
    def emit(self, record: logging.LogRecord) -> None:
        level = LEVELS.get(record.levelno, Level.DEBUG)
        message = models.AirbyteLogMessage(level, record.getMessage())
        with contextlib.suppress(BrokenPipeError):  # the next record meets it, too
            self._writer.send(Type.LOG, log=message)


class SourceInstantly(TapInstantly):
    """The tap, as Airbyte calls it."""

    config_jsonschema: t.ClassVar[dict[str, t.Any]] = SETTINGS.to_dict()

    def __init__(self, writer: AirbyteWriter, config: dict[str, t.Any]) -> None:
        """Take the settings; Airbyte may keep some that are no longer there."""
        known = self.config_jsonschema["properties"].keys() - ONLY_SINGER
        for name in sorted(config.keys() - known):
            self.logger.warning("Setting `%s` is unknown", name)
        kept = {name: config[name] for name in known & config.keys()}
        writer.redact = Redaction(str(kept.get("api_key", ""))).redact
        super().__init__(config=kept, message_writer=writer)
        self._writer = writer
        self._by_name = t.cast("dict[str, InstantlyStream]", self.streams)

    @override
    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, t.Any]) -> None:
        """Do without stream maps, flattening and batches."""

    @classmethod
    def specify(cls) -> models.ConnectorSpecification:
        """Return what Airbyte asks of its user."""
        schema = cls.config_jsonschema
        fields: dict[str, t.Any] = {}
        for name in [name for name in schema["properties"] if name not in ONLY_SINGER]:
            field = {**schema["properties"][name], "order": len(fields)}
            (field["type"],) = (kind for kind in field["type"] if kind != "null")
            if field.pop("secret", False):
                field["airbyte_secret"] = field.pop("writeOnly")
            fields[name] = field
        schema = {**schema, "properties": fields, "additionalProperties": True}
        schema["$schema"] = "http://json-schema.org/draft-07/schema#"
        return models.ConnectorSpecification(schema, supportsIncremental=True)

    def check(self) -> str | None:
        """Return why the workspace cannot be read, or None."""
        stream = self._by_name[CHECKED_STREAM]
        with contextlib.suppress(FatalSyncError):
            self.run_sync_dry_run(streams=[stream])
        return stream.stats.failure

    def describe_streams(self) -> models.AirbyteCatalog:
        """Return what can be read."""
        found = []
        for stream in self._by_name.values():
            key = _cursor(stream)
            found.append(
                models.AirbyteStream(
                    stream.name,
                    json_schema=stream.schema,
                    supported_sync_modes=[*METHODS] if key else [SyncMode.full_refresh],
                    source_defined_cursor=bool(key),
                    default_cursor_field=[key] if key else None,
                    source_defined_primary_key=[[name] for name in stream.key_fields],
                )
            )
        return models.AirbyteCatalog(found)

    def read(self, catalog: models.ConfiguredAirbyteCatalog) -> bool:
        """Read the streams of a catalog, and tell whether all of them are complete.

        Raises:
            ConfigurationError: If there is none.
        """
        chosen = {each.stream.name: each.sync_mode for each in catalog.streams}
        for name, stream in self._by_name.items():
            stream.selected = name in chosen
            if stream.selected and _cursor(stream):
                stream.forced_replication_method = METHODS[chosen[name]]
        self._writer.streams = self._by_name
        unknown = sorted(chosen.keys() - self._by_name.keys())
        for name in unknown:
            self._writer.refuse(name, f"There is no stream {name}; discover them again")
        if not chosen:
            raise ConfigurationError(NOTHING_SELECTED)
        end_in_time()
        is_interrupted = True
        try:
            self.sync_all()
            is_interrupted = False
        finally:
            with contextlib.suppress(BrokenPipeError):  # which is on its way already
                self._writer.finish(is_interrupted=is_interrupted)
            self.log_summary()
        return not unknown and all(
            stats.failure is None for stats in self.stats.values()
        )


def main() -> None:
    """Do what Airbyte's command line says."""
    parser = argparse.ArgumentParser("source-instantly", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("spec", "check", "discover", "read"):
        command = commands.add_parser(name)
        command.add_argument("--debug", action="store_true", help="log all there is")
        if name != "spec":
            command.add_argument("--config", type=Path, required=True)
        if name == "read":
            command.add_argument("--catalog", type=Path, required=True)
            command.add_argument("--state", type=Path)
    options = parser.parse_args()
    writer = AirbyteWriter()
    level = logging.DEBUG if options.debug else logging.INFO
    logging.basicConfig(handlers=[LogHandler(writer)], level=level, force=True)
    try:
        is_done = _run(options, writer)
    except BrokenPipeError:
        # Python would meet the closed pipe again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        is_done = False
    except Exception as error:  # noqa: BLE001 (a user can cause the strangest)
        is_done = _explain(error, options.command, writer)
    sys.exit(0 if is_done else 1)


def _run(options: argparse.Namespace, writer: AirbyteWriter) -> bool:
    """Do what a command says, and tell whether it is done."""
    if options.command == "spec":
        writer.send(Type.SPEC, spec=SourceInstantly.specify())
        return True
    source = SourceInstantly(writer, _load("--config", options.config, dict.copy))
    if options.command == "check":
        _send_verdict(source.check(), writer)
        return True
    if options.command == "discover":
        writer.send(Type.CATALOG, catalog=source.describe_streams())
        return True
    parse = partial(msgspec.convert, type=models.ConfiguredAirbyteCatalog)
    catalog = _load("--catalog", options.catalog, parse)
    if options.state is not None:
        source.load_state(_load("--state", options.state, _parse_state))
    return source.read(catalog)


def _explain(error: Exception, command: str, writer: AirbyteWriter) -> bool:
    """Say in words what has gone wrong; a check that fails is done all the same."""
    is_config = isinstance(error, ConfigurationError)
    kind = FailureType.config_error if is_config else FailureType.system_error
    sentence = describe_error(error, SourceInstantly.logger)
    if isinstance(error, ConfigValidationError):
        sentence = " ".join(error.errors)
    if command == "check":
        _send_verdict(sentence, writer)
    else:
        writer.fail(sentence, kind)
    return command == "check"


def _send_verdict(fault: str | None, writer: AirbyteWriter) -> None:
    status = models.Status.FAILED if fault else models.Status.SUCCEEDED
    message = writer.redact(fault) if fault else None
    verdict = models.AirbyteConnectionStatus(status, message)
    writer.send(Type.CONNECTION_STATUS, connectionStatus=verdict)


def _cursor(stream: InstantlyStream) -> str | None:
    """Return the field by which a stream is read incrementally, if no edit is lost."""
    return None if stream.full_table_by_default else stream.bookmark_key


def _load(option: str, path: Path, parse: Callable[[t.Any], _T]) -> _T:
    """Read a file of JSON.

    Raises:
        ConfigurationError: If it cannot be read, or holds something else.
    """
    try:
        return parse(json.loads(path.read_bytes()))
    except OSError as error:
        msg = f"{option}: the file cannot be read ({error.strerror})"
    except MALFORMED:
        msg = f"{option}: the file is not {WANTED[option]}"
    raise ConfigurationError(msg)


def _parse_state(content: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return the tap's own state."""
    states = [entry["stream"] for entry in content]
    return {
        "bookmarks": {
            state["stream_descriptor"]["name"]: state.get("stream_state") or {}
            for state in states
        }
    }


def _without_none(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    return {name: value for name, value in pairs if value is not None}
