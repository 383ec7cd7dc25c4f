"""What every command does alike: settings, input files and failures in words."""

from __future__ import annotations

import json
import logging
import os
import sys
import typing as t
from pathlib import Path

import click
from dotenv import find_dotenv, load_dotenv
from jsonschema.exceptions import SchemaError
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import PluginBase
from typing_extensions import override

from tap_instantly.api.errors import truncate
from tap_instantly.api.redaction import redact_in_logs
from tap_instantly.api.vendor import INSTANTLY
from tap_instantly.validation import (
    environment_errors,
    unknown_variables,
    validation_errors,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.plugin_base import _ConfigInput

    from tap_instantly.api.vendor import Vendor

_T = t.TypeVar("_T")

LOG_LEVELS = ["debug", "info", "warning", "error"]

MALFORMED = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
"""What is raised by reading a file of JSON that holds something else."""

WANTED = {
    "--catalog": "a catalog in JSON; make one with --discover",
    "--config": "an object of settings in JSON",
    "--state": "a state in JSON; give the value of a run's last STATE, or run without",
}


class CommandLine(PluginBase):
    """A plugin whose user is told in a sentence what is wrong, never by a traceback.

    Without `--config` it takes its settings from the environment.

    Attributes:
        vendor: The API that it speaks to.
    """

    vendor: t.ClassVar[Vendor] = INSTANTLY

    @override
    def __init__(self, *, parse_env_config: bool = False, **options: t.Any) -> None:
        self._environment_errors: dict[str, str] = {}
        if parse_env_config:
            # The SDK looks for .env beside its own code only.
            load_dotenv(find_dotenv(usecwd=True))
            self.append_builtin_config(self.config_jsonschema)
            self._environment_errors = environment_errors(
                self.config_jsonschema, self._env_var_prefix
            )
            for name in unknown_variables(self.config_jsonschema, self._env_var_prefix):
                self.logger.warning("%s in the environment is no setting", name)
        # The SDK would stop at these before it looks at the others.
        unreadable = {name: os.environ.pop(name) for name in self._environment_errors}
        try:
            super().__init__(parse_env_config=parse_env_config, **options)
        finally:
            os.environ.update(unreadable)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self._config = {k: v for k, v in self._config.items() if v is not None}
        redact_in_logs(str(self._config.get("api_key", "")))
        self.append_builtin_config(self.config_jsonschema)
        found = [*self._environment_errors.values(), *self._setting_errors()]
        if found and raise_errors:
            msg = "Config validation failed"
            raise ConfigValidationError(msg, errors=found)
        # The SDK fills in the defaults while it validates.
        return found or super()._validate_config(raise_errors=raise_errors)

    def _setting_errors(self) -> Iterator[str]:
        """Say in a sentence each what is wrong with the settings."""
        yield from validation_errors(
            self._config, self.config_jsonschema, self._env_var_prefix, self.vendor
        )

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        command, variable = super().get_singer_command(), cls._log_level_variable()
        command.params.append(
            click.Option(
                ["--log-level"],
                type=click.Choice(LOG_LEVELS, case_sensitive=False),
                help=f"How much is logged; {variable} says it as well.",
                expose_value=False,
                callback=cls.cb_log_level,
            )
        )
        return command

    @classmethod
    def cb_log_level(
        cls, _ctx: click.Context, _param: click.Option, level: str | None
    ) -> None:
        """Set the level of the whole log."""
        if level:
            logging.getLogger().setLevel(level.upper())
            os.environ[cls._log_level_variable()] = level  # which the metrics go by

    @classmethod
    def _log_level_variable(cls) -> str:
        return f"{cls.name}_loglevel".replace("-", "_").upper()

    @override
    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        for path in value:
            if path != "ENV":
                try:
                    with Path(path).open(encoding="utf-8") as file:
                        cls._load("--config", file, dict)
                except OSError as error:  # the path may be the settings themselves
                    name = "the file" if "{" in path else truncate(path)
                    cls._stop(f"--config: {name} cannot be read ({error.strerror})")
        return super().cb_config(ctx, param, value or ("ENV",))

    @classmethod
    def _load(cls, option: str, file: t.IO[str], parse: Callable[..., _T]) -> _T:
        """Read an input file of JSON, or stop with a sentence."""
        try:
            return parse(json.load(file) | {})  # of an object: a list has no union
        except (*MALFORMED, SchemaError):
            cls._stop(f"{option}: the file is not {WANTED[option]}")

    @classmethod
    def _stop(cls, *sentences: str) -> t.NoReturn:
        for sentence in sentences:
            cls.logger.error(sentence)
        sys.exit(1)
