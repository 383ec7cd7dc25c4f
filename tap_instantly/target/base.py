"""PlanningTarget: the command, and what it does with each message."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import click
from singer_sdk import Sink, Target
from singer_sdk.exceptions import ConfigurationError, ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities
from typing_extensions import override

from tap_instantly.api.client import Client
from tap_instantly.api.errors import describe_error
from tap_instantly.command_line import CommandLine
from tap_instantly.signals import end_in_time
from tap_instantly.target.entities import DELETION_MARKER
from tap_instantly.target.reader import MessageReader
from tap_instantly.target.report import Report
from tap_instantly.target.run import Run
from tap_instantly.target.settings import policy_errors
from tap_instantly.target.staging import Staging
from tap_instantly.target.termination import Termination
from tap_instantly.target.writer import Tools

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput
    from singer_sdk.sinks.core import BaseJSONSchemaValidator

    from tap_instantly.target.entities import Entity


class StagingSink(Sink):
    """Hands records over to the target, which writes them when all are there.

    The SDK would take markers of deletion away, and end the run at the first record
    that is not valid.
    """

    include_sdc_metadata_properties = True
    is_full = False  # a property of the SDK's, which never holds here

    def __init__(self, target: PlanningTarget, **options: t.Any) -> None:
        """Take the target that the records are for."""
        super().__init__(target, **options)
        self._target = target

    @override
    def get_validator(self) -> BaseJSONSchemaValidator | None:
        return None

    @override
    def _add_sdc_metadata_to_record(self, *_: t.Any) -> None:
        pass

    @override
    def _parse_timestamps_in_record(self, *_: t.Any, **__: t.Any) -> None:
        pass

    @override
    def _singer_validate_message(self, record: dict[str, t.Any]) -> None:
        pass

    @override
    def process_record(
        self, record: dict[str, t.Any], context: dict[str, t.Any]
    ) -> None:
        self._target.stage(self.stream_name, record)

    @override
    def process_batch(self, context: dict[str, t.Any]) -> None:
        for record in context.get("records", ()):  # of a BATCH message
            self._target.stage(self.stream_name, record)

    @override
    def activate_version(self, new_version: int) -> None:
        self._target.complete.add(self.stream_name)


class PlanningTarget(CommandLine, Target):
    """A target that writes to an API by a plan, when all records are there.

    Attributes:
        entities: What can be written, in this order.
    """

    package_name = "tap-instantly"
    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    default_sink_class = StagingSink
    message_reader_class = MessageReader
    entities: t.ClassVar[Sequence[Entity]]
    _MAX_RECORD_AGE_IN_MINUTES = float("inf")  # nothing is written before the end

    @override
    def __init__(self, **options: t.Any) -> None:
        self.complete = set[str]()
        self._by_stream = {entity.stream: entity for entity in self.entities}
        self._unknown: dict[str, set[str]] = {}
        self._staging = Staging()
        self._termination = Termination()
        super().__init__(**options)
        self._report = self._new_report()

    def _new_report(self) -> Report:
        path = self.config.get("report_path")
        try:
            return Report(
                Path(path) if path else None,
                has_values=bool(self.config.get("report_values")),
            )
        except OSError as error:
            msg = f"`report_path`: the file cannot be written ({error.strerror})"
            raise ConfigurationError(msg) from error

    @override
    def _setting_errors(self) -> Iterator[str]:
        found = list(super()._setting_errors())
        yield from found or policy_errors(self._config, self._by_stream)

    @override
    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, t.Any]) -> None:
        """Add the settings of stream maps alone; the SDK's others have no effect."""
        super(Target, cls).append_builtin_config(config_jsonschema)

    @override
    def get_sink_class(self, stream_name: str) -> type[Sink]:
        entity = self._by_stream.get(stream_name)
        if entity is None:
            known = ", ".join(self._by_stream)
            msg = (
                f"The stream {stream_name} cannot be written to {self.vendor.name}; "
                f"known are {known}. Deselect it, or rename it with a stream map"
            )
            raise ConfigurationError(msg)
        may_delete = self.config["delete"] != "never"
        if (
            entity.reassigned_by
            and may_delete
            and "reassigned_status" not in self.config
        ):
            msg = (
                f"{stream_name} may lose rows, because `delete` is "
                f"`{self.config['delete']}`; set `reassigned_status` to the interest "
                "status that their leads get"
            )
            raise ConfigurationError(msg)
        return StagingSink

    def stage(self, stream: str, record: Mapping[str, t.Any]) -> None:
        """Take in a record, which is written when all are there."""
        entity = self._by_stream[stream]
        fields = {each.name for each in entity.fields}
        known = fields | {entity.id_field, DELETION_MARKER}
        unknown = self._unknown.setdefault(stream, set())
        for name in record.keys() - known - entity.read_only - unknown:
            if not name.startswith("_sdc_"):
                unknown.add(name)
                self.logger.warning(
                    "%s: the field %s is unknown, and left out", stream, name
                )
        if self.config["match_by"] == entity.id_field:
            value = record.get(entity.id_field)
            identity = value if isinstance(value, str) and value else None
        else:
            identity = entity.key_of(record)
        self.complete.discard(stream)
        values = {name: value for name, value in record.items() if name in known}
        self._staging.add_record(stream, identity, values)

    @override
    def process_endofpipe(self) -> None:
        """Write what was staged, and pass the state on if all of it is settled.

        Raises:
            SystemExit: If not all is settled.
        """
        # The SDK has nothing to write, but counters to close.
        state, self._latest_state = self._latest_state, None
        super().process_endofpipe()
        client = Client({**self.config, "max_concurrency": 1}, self.vendor)
        tools = Tools(client, self._report, self._termination, self.logger)
        run = Run(self.config, self._staging, tools)
        written = [e for e in self.entities if e.stream in self._sinks_active]
        try:
            run.execute(written, self.complete)
        finally:
            client.close()
            self._report.close()
            self._staging.close()
        if run.failure:
            sys.exit(1)
        if state and not self.config["dry_run"]:
            self._write_state_message(state)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End; the SDK would write what is staged, and call it a success."""
        self._termination.handle(signum, frame)

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        command.params.append(
            click.Option(
                ["--dry-run"], is_flag=True, help="Print the plan, and write nothing."
            )
        )
        return command

    @override
    @classmethod
    def invoke(  # type: ignore[override]  # as the SDK's own Target.invoke, which adds parameters
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput,
        file_input: t.IO[str] | None = None,
        dry_run: bool = False,
    ) -> None:
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        try:
            target = cls(config=config.config, parse_env_config=config.parse_env)
            if dry_run:
                target._config["dry_run"] = True
            end_in_time()
            target.listen(file_input)
        except ConfigValidationError as error:
            cls._stop(*error.errors)
        except Exception as error:  # noqa: BLE001 (an input can cause the strangest)
            cls._stop(describe_error(error, cls.logger, cls.name))
