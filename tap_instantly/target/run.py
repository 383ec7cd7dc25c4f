"""One run: read what is there, plan, keep the limits, write, report."""

from __future__ import annotations

import typing as t

import click
from singer_sdk.exceptions import SingerSDKError

from tap_instantly.target.plan import Planner, Step, exceeds_limit
from tap_instantly.target.preview import describe_plan
from tap_instantly.target.settings import make_policy
from tap_instantly.target.workspace import Workspace
from tap_instantly.target.writer import StreamStoppedError, Writer

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_instantly.target.entities import Entity
    from tap_instantly.target.staging import Staging
    from tap_instantly.target.writer import Tools

MAX_REJECTS_LOGGED = 10
"""Rejected records of a stream that the log explains; it counts the others."""


class Run:
    """Makes a workspace agree with the records that were staged.

    Attributes:
        failure: Why the run is no success, in words; empty if it is one.
    """

    def __init__(
        self, config: Mapping[str, t.Any], staging: Staging, tools: Tools
    ) -> None:
        """Take the parts of a run.

        Args:
            config: The settings by name, defaults included.
            staging: What is wanted.
            tools: What the streams of the run share.
        """
        self.failure = ""
        self._config, self._staging, self._tools = config, staging, tools
        self._report, self._logger = tools.report, tools.logger
        self._policy = make_policy(config)
        self._workspaces: dict[str, Workspace] = {}
        self._pending: dict[str, list[Step]] = {}
        self._stop_reason = ""

    def execute(self, entities: Iterable[Entity], complete: set[str]) -> None:
        """Write some entities, one after the other.

        Args:
            entities: What is written, in this order.
            complete: The streams whose records are all that there shall be.

        Raises:
            SystemExit: If a signal ends the run.
        """
        chosen = list(entities)
        try:
            for entity in chosen:
                if self._staging.wanted(entity.stream) and self._read(entity):
                    self._plan(entity, is_complete=entity.stream in complete)
            for entity in chosen:
                if not self._config["dry_run"]:
                    self._write(entity)
        finally:
            for entity in chosen:
                self._finish(entity.stream)
        lost = self._report.count("uncertain", "not attempted")
        refused = self._report.count("refused", "rejected")
        if self._config["on_reject"] == "skip":
            refused = 0
        if lost or refused:
            self.failure = self.failure or f"{lost + refused} records are not settled"

    def _read(self, entity: Entity) -> bool:
        """Read what Instantly holds of an entity; tell whether that was possible."""
        stream, staging = entity.stream, self._staging
        workspace = Workspace(self._tools.client, entity, self._logger)
        self._workspaces[stream] = workspace
        try:
            for rows in workspace.rows():
                staging.add_rows(stream, rows)
        except SingerSDKError as error:
            self._fail(f"{stream}: cannot be read, so nothing is written: {error}")
            for record in staging.wanted(stream):
                step = Step(record.position, record.values.get(entity.key.name))
                step.outcome = "not attempted"
                step.reason = "the list cannot be read"
                self._report.add(stream, step)
            return False
        return True

    def _plan(self, entity: Entity, *, is_complete: bool) -> None:
        """Plan what becomes of each record, and see that it keeps the limits."""
        stream = entity.stream
        wanted, held = self._staging.wanted(stream), self._staging.held(stream)
        planner = Planner(entity, wanted, held, self._policy)
        pending: list[Step] = []
        rejected: list[Step] = []
        for step in planner.steps(is_complete=is_complete):
            if step.outcome:
                self._report.add(stream, step)
            else:
                pending.append(step)
            if step.outcome == "rejected":
                rejected.append(step)
        self._pending[stream] = pending
        self._log_rejects(stream, rejected)
        changes = sum(step.is_change for step in pending)
        if exceeds_limit(changes, len(held), self._policy):
            self._stop(
                f"{stream}: {changes} of {len(held)} rows would be changed or deleted, "
                f"more than `max_change_percent` ({self._policy.max_change_percent} %) "
                "allows; look at the plan with --dry-run, and raise it if that is right"
            )
        if rejected and self._config["on_reject"] == "fail_fast":
            self._stop(
                f"{stream}: {len(rejected)} records are rejected, "
                "and `on_reject` is `fail_fast`"
            )
        if self._config["dry_run"]:
            for line in describe_plan(entity, len(held), pending, rejected):
                click.echo(line, err=True)

    def _log_rejects(self, stream: str, rejected: list[Step]) -> None:
        for step in rejected[:MAX_REJECTS_LOGGED]:
            what = f"record {step.position}" if step.position else "a row"
            self._logger.warning("%s: %s is rejected: %s", stream, what, step.reason)
        if len(rejected) > MAX_REJECTS_LOGGED:
            self._logger.warning(
                "%s: %d more are rejected; the report (`report_path`) explains each",
                stream,
                len(rejected) - MAX_REJECTS_LOGGED,
            )

    def _write(self, entity: Entity) -> None:
        stream = entity.stream
        if self._stop_reason or not self._pending.get(stream):
            return
        workspace = self._workspaces[stream]
        writer = Writer(entity, workspace, self._tools, self._config)
        try:
            writer.apply(self._pending[stream])
        except StreamStoppedError as error:
            self._fail(f"{stream}: stopped: {error}")
            if self._config["on_reject"] == "fail_fast":
                self._stop_reason = str(error)

    def _finish(self, stream: str) -> None:
        """Report what was not attempted of a stream, and sum it up."""
        for step in self._pending.get(stream, ()):
            if not step.outcome:
                is_planned = self._config["dry_run"]
                step.outcome = "planned" if is_planned else "not attempted"
                step.reason = "" if is_planned else "the run had to stop before it"
                self._report.add(stream, step)
        workspace = self._workspaces.get(stream)
        self._logger.info(
            "%s: %s; %d requests",
            stream,
            self._report.summary(stream),
            workspace.requests if workspace else 0,
        )

    def _fail(self, reason: str) -> None:
        self._logger.error(reason)
        self.failure = self.failure or reason

    def _stop(self, reason: str) -> None:
        """Let nothing be written at all."""
        self._fail(reason)
        self._stop_reason = self._stop_reason or reason
