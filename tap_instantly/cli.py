"""From the tap's command line to its exit code: catalog, state, failures."""

from __future__ import annotations

import abc
import copy
import os
import signal
import sys
import typing as t

from jsonschema import Draft7Validator
from singer_sdk import Tap
from singer_sdk.exceptions import (
    ConfigurationError,
    ConfigValidationError,
    FatalSyncError,
    SingerSDKError,
)
from singer_sdk.singerlib import Catalog
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_instantly.api.errors import describe_error
from tap_instantly.command_line import CommandLine
from tap_instantly.signals import UninterruptedWriter, end_in_time

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    import click
    from singer_sdk.plugin_base import _ConfigInput

    from tap_instantly.stats import SyncStats

NOTHING_SELECTED = "No stream is selected; select one in the catalog"

BOOKMARK = {"replication_key", "replication_key_value", "version", "workspace_id"}
"""What the state holds of a stream between two runs."""


def read_catalog(content: dict[str, t.Any]) -> Catalog:
    """Read a catalog; what its user chose in the metadata outdoes what was discovered.

    The SDK knows one of the two spellings, and lets the discovered method win.
    """
    for stream in content.get("streams", ()):
        is_selected = True
        for entry in stream.get("metadata", ()):
            if not entry["breadcrumb"]:
                is_default = entry["metadata"].get("selected-by-default", True)
                is_selected = entry["metadata"].get("selected", is_default)
                for key in ("forced-replication-method", "replication-method"):
                    if chosen := entry["metadata"].get(key):
                        stream["replication_method"] = chosen
        if is_selected:
            Draft7Validator.check_schema(stream.get("schema", {}))
    return Catalog.from_dict(content)


class CommandLineTap(CommandLine, Tap):
    """A tap that reads its catalog and state with care, and ends in words."""

    message_writer_class = UninterruptedWriter

    @override
    def __init__(self, **options: t.Any) -> None:
        catalog = options.get("catalog")
        if isinstance(catalog, dict) and not isinstance(catalog, Catalog):
            options["catalog"] = read_catalog(copy.deepcopy(catalog))
        super().__init__(**options)

    @override
    def setup_mapper(self) -> None:
        """Set up the stream maps of the streams that are selected, and of no others."""
        super(Tap, self).setup_mapper()
        for stream in self.streams.values():
            if stream.selected:
                stream.stream_maps  # noqa: B018 (what is wrong with them shows here)

    @override
    def load_state(self, state: dict[str, t.Any]) -> None:
        bookmarks = state.get("bookmarks") if state else {}
        if not isinstance(bookmarks, dict) or not all(
            isinstance(bookmark, dict) for bookmark in bookmarks.values()
        ):
            msg = "The state is not one that this tap has written; run without it once"
            raise ConfigurationError(msg)
        foreign = ", ".join(sorted(bookmarks.keys() - self.streams.keys()))
        if bookmarks and not bookmarks.keys() & self.streams.keys():
            msg = f"The state is of another tap, with the streams {foreign}"
            raise ConfigurationError(msg)
        if foreign:
            self.logger.warning(
                "The state has bookmarks of unknown streams: %s", foreign
            )
        # What else the SDK may have left there belongs to a run that is over.
        kept = {
            stream: {key: bookmark[key] for key in BOOKMARK & bookmark.keys()}
            for stream, bookmark in bookmarks.items()
        }
        super().load_state({"bookmarks": kept})

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        for param in command.params:
            if param.name == "catalog":
                param.is_eager = True  # so that it is there when `--test` begins
        return command

    @override
    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        try:
            catalog = ctx.params.get("catalog")
            is_schema = value == CliTestOptionValue.Schema.value
            if value == CliTestOptionValue.Disabled.value or (
                is_schema and not catalog
            ):
                super().cb_test(ctx, param, value)
                return
            # The SDK would try all streams; these are what a run reads.
            given = ctx.params["config"]
            tap = cls(
                config=given.config,
                parse_env_config=given.parse_env,
                catalog=catalog and cls._load("--catalog", catalog, read_catalog),
            )
            chosen = [stream for stream in tap.streams.values() if stream.selected]
            if not chosen:
                cls._stop(NOTHING_SELECTED)
            if is_schema:
                for stream in chosen:
                    stream._write_schema_message()  # noqa: SLF001 (as the SDK does)
            else:
                tap.run_sync_dry_run(streams=chosen)
            ctx.exit()
        except ConfigValidationError as error:
            cls._stop(*error.errors)
        except SingerSDKError as error:
            cls._stop(describe_error(error, cls.logger, cls.name))

    @override
    @classmethod
    def invoke(  # type: ignore[override]  # as the SDK's own Tap.invoke, which adds parameters
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput,
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
    ) -> None:
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        given = catalog and cls._load("--catalog", catalog, read_catalog)
        try:
            tap = cls(
                config=config.config,
                parse_env_config=config.parse_env,
                state=state and cls._load("--state", state, dict),
                catalog=given,
            )
        except ConfigValidationError as error:
            cls._stop(*error.errors)
        except Exception as error:  # noqa: BLE001 (a user can cause the strangest)
            cls._stop(describe_error(error, cls.logger, cls.name))
        for stream in (given or {}).keys() - tap.streams.keys():
            cls.logger.warning("The catalog has an unknown stream: %s", stream)
        if not tap.stats:
            cls._stop(NOTHING_SELECTED)
        end_in_time()
        try:
            tap.sync_all()
        except SystemExit:  # a signal
            tap.state_writer.write_state(tap.state)
            raise
        except BrokenPipeError:
            # Python would meet the closed pipe again when it flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            cls._stop("The target has closed its input; its own log says why")
        except ConfigurationError as error:  # of a file that cannot be written
            cls._stop(describe_error(error, cls.logger, cls.name))
        finally:
            tap.log_summary()
        if any(stats.failure for stats in tap.stats.values()):
            sys.exit(1)

    @property
    @abc.abstractmethod
    def stats(self) -> dict[str, SyncStats]:
        """What each selected stream has done."""

    def log_summary(self) -> None:
        """Log a line for each stream."""
        for name, stats in self.stats.items():
            self.logger.info("%s: %s", name, stats)

    def log_verdict(self, tried: Mapping[str, SyncStats]) -> bool:
        """Log for each stream that was tried whether it can be read.

        Args:
            tried: The streams.

        Returns:
            True.

        Raises:
            FatalSyncError: If one of them cannot be read.
        """
        for name, stats in tried.items():
            if stats.failure is None:
                self.logger.info("%s: %s", name, stats.outcome)
            else:
                self.logger.error("%s: %s: %s", name, stats.outcome, stats.failure)
        failed = sum(stats.failure is not None for stats in tried.values())
        if failed:
            msg = f"{failed} of {len(tried)} streams cannot be read"
            raise FatalSyncError(msg)
        self.logger.info("All %d streams can be read", len(tried))
        return True

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Write the state and end; with the SDK's exit code it would look a success."""
        # One is enough. Python complains of SIG_IGN if another is on its way.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        t.cast("UninterruptedWriter", self.message_writer).end(128 + signum)
