"""The writer: carries a plan out, and finds out what has become of each write."""

from __future__ import annotations

import typing as t
from http import HTTPStatus

from singer_sdk.exceptions import SingerSDKError

from tap_instantly.api.errors import RefusedError, UncertainWriteError

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers.types import Record

    from tap_instantly.api.client import Client
    from tap_instantly.target.entities import Entity
    from tap_instantly.target.plan import Step
    from tap_instantly.target.report import Report
    from tap_instantly.target.staging import Row
    from tap_instantly.target.termination import Termination
    from tap_instantly.target.workspace import Workspace

FINAL = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.PAYMENT_REQUIRED,
    HTTPStatus.FORBIDDEN,
}
"""Refusals that hold for all that follows."""

DONE = {"create": "created", "update": "updated", "delete": "deleted"}


class StreamStoppedError(Exception):
    """Nothing more of a stream can be written."""


class Tools(t.NamedTuple):
    """What the streams of a run share.

    Attributes:
        client: Sends the requests.
        report: What is told of every record.
        termination: The signal that ends the run.
        logger: The log.
    """

    client: Client
    report: Report
    termination: Termination
    logger: logging.Logger


class Writer:
    """Writes one stream."""

    def __init__(
        self,
        entity: Entity,
        workspace: Workspace,
        tools: Tools,
        config: t.Mapping[str, t.Any],
    ) -> None:
        """Prepare to write.

        Args:
            entity: What is written.
            workspace: Where it is written.
            tools: What the streams of the run share.
            config: The settings by name, defaults included.
        """
        self._entity, self._workspace = entity, workspace
        _, self._report, self._termination, self._logger = tools
        self._settle_seconds: float = config["settle_seconds"]
        self._reassigned_status: int | None = config.get("reassigned_status")
        self._stops_at_refusal = config["on_reject"] == "fail_fast"
        self._batch: list[Step] = []
        self._sent: list[Step] = []
        workspace.before_write = self._begin

    def apply(self, steps: Iterable[Step]) -> None:
        """Carry steps out; those that come to no outcome were not attempted.

        Raises:
            StreamStoppedError: If nothing more of the stream can be written.
            SystemExit: After the write under way, if a signal has come.
        """
        for batch in self._batches(steps):
            begin = self._workspace.requests
            with self._termination.held():
                try:
                    self._carry_out(batch)
                except SystemExit:
                    for step in self._sent:
                        if not step.outcome:
                            step.outcome = "uncertain"
                            step.reason = "the run was told to end meanwhile"
                    raise
                finally:
                    for step in batch:
                        if step.outcome:
                            step.requests = self._workspace.requests - begin
                            self._report.add(self._entity.stream, step)
            if self._stops_at_refusal and any(s.outcome == "refused" for s in batch):
                msg = "a record was refused, and `on_reject` is `fail_fast`"
                raise StreamStoppedError(msg)

    def _begin(self) -> None:
        """Note that a write is about to leave, unless a signal has come before it."""
        self._termination.hold()
        self._sent = self._batch

    def _batches(self, steps: Iterable[Step]) -> Iterator[list[Step]]:
        """Generate what is written at once: what is there last is what is deleted."""
        size = self._entity.bulk.size if self._entity.bulk else 1
        given = list(steps)
        for is_deletion in (False, True):
            chosen = [s for s in given if (s.action == "delete") == is_deletion]
            for begin in range(0, len(chosen), size):
                yield chosen[begin : begin + size]

    def _carry_out(self, batch: list[Step]) -> None:
        try:
            self._send(batch)
        except RefusedError as error:
            self._take_refusal(batch, error)
        except UncertainWriteError as error:
            self._settle(batch, str(error))

    def _send(self, batch: list[Step]) -> None:
        """Send a write once, and take in what is answered.

        Raises:
            RefusedError: If Instantly refuses it.
            UncertainWriteError: If nobody knows what has become of it.
            StreamStoppedError: If it could not be sent.
        """
        self._batch = batch
        try:
            if self._entity.bulk:
                self._send_many(batch)
            else:
                self._send_one(batch[0])
        except (RefusedError, UncertainWriteError):
            raise
        except SingerSDKError as error:
            raise StreamStoppedError(str(error)) from error

    def _send_one(self, step: Step) -> None:
        workspace = self._workspace
        if step.action == "create":
            answer = workspace.create(step.values)
        elif step.action == "update":
            answer = workspace.update(step.id or "", step.values)
        else:
            answer = workspace.delete(step.id or "", self._reassigned_status)
        self._finish(step, answer)

    def _send_many(self, batch: list[Step]) -> None:
        key, workspace = self._entity.key.name, self._workspace
        if batch[0].action == "delete":
            deleted = workspace.delete_many([step.id or "" for step in batch])
            for step in batch:
                step.outcome = "deleted" if step.id in deleted else ""
            if not all(step.outcome for step in batch):
                msg = "an answer that does not name all that was to be deleted"
                raise UncertainWriteError(msg)
            return
        answer = workspace.create_many([step.values[key] for step in batch])
        items = answer.get("items")
        rows = items if isinstance(items, list) else []
        created = {
            self._entity.key_of(row): row for row in rows if isinstance(row, dict)
        }
        missing = []
        for step in batch:
            if row := created.get(self._entity.key_of(step.values)):
                self._finish(step, row)
            else:
                missing.append(step)
        invalid = answer.get("invalid_count")
        if missing and invalid != len(missing):
            msg = "an answer that does not add up"
            raise UncertainWriteError(msg)
        for step in missing:
            step.outcome = "refused"
            step.reason = "Instantly counts it as invalid"

    def _take_refusal(self, batch: list[Step], error: RefusedError) -> None:
        is_gone = error.status == HTTPStatus.NOT_FOUND
        is_divisible = error.status not in FINAL and not self._stops_at_refusal
        if len(batch) > 1 and is_divisible:
            # One of them may be to blame, and the answer does not say which.
            middle = len(batch) // 2
            self._carry_out(batch[:middle])
            self._carry_out(batch[middle:])
            return
        for step in batch:
            if is_gone and step.action == "delete":
                step.outcome = "deleted"
                continue
            step.outcome = "refused"
            vendor = self._entity.vendor.name
            step.reason = f"{vendor} refuses it (HTTP {error.status})"
            step.detail = error.own_message
        if error.status in FINAL:
            raise StreamStoppedError(error.message) from error

    def _finish(self, step: Step, answer: Record) -> None:
        """Take in the row that answers a write."""
        entity = self._entity
        step.outcome = DONE[step.action]
        step.id = step.id or answer.get(entity.id_field)
        if step.action == "delete":
            return
        differing = [name for name, _ in self._differences(step.values, answer)]
        if differing:
            step.reason = (
                f"{entity.vendor.name} has stored another value of "
                f"{', '.join(differing)}"
            )
            self._logger.warning("%s: %s", entity.stream, step.reason)
        if (
            entity.rename_effect
            and step.action == "update"
            and entity.key.name in step.values
        ):
            self._logger.warning(
                "%s: record %s: renamed, which also changes %s",
                entity.stream,
                step.position,
                entity.rename_effect,
            )
        number = answer.get(entity.watched, step.number)
        if step.action == "update" and number != step.number:
            step.reason = f"its `{entity.watched}` has changed, to which leads point"
            step.detail = f"from {step.number} to {number}"
            self._logger.warning(
                "%s: record %s: %s", entity.stream, step.position, step.reason
            )

    def _differences(
        self, values: t.Mapping[str, t.Any], answer: t.Mapping[str, t.Any]
    ) -> Iterator[tuple[str, t.Any]]:
        for field in self._entity.fields:
            if field.name in values:
                stored = field.normalize(answer.get(field.name))
                if stored != field.normalize(values[field.name]):
                    yield field.name, stored

    def _settle(self, batch: list[Step], reason: str) -> None:
        """Find out what has become of an uncertain write, and send it once more.

        A refusal proves nothing then: the first write may be the reason for it.

        Raises:
            StreamStoppedError: If that cannot be read, or nothing more can be written.
        """
        self._logger.warning(
            "%s: a write is uncertain (%s); looking for it",
            self._entity.stream,
            reason,
        )
        pending = self._look_for(batch)
        refusal: RefusedError | None = None
        if pending and not self._termination.is_requested:
            try:
                self._send(pending)
            except UncertainWriteError as error:
                reason = str(error)
            except RefusedError as error:
                reason, refusal = f"the second time HTTP {error.status}", error
            pending = self._look_for(pending)
        for step in pending:
            step.outcome = "uncertain"
            step.reason = step.reason or f"nobody knows whether it arrived ({reason})"
            step.detail = step.detail or (refusal.own_message if refusal else "")
        if refusal and refusal.status in FINAL:
            raise StreamStoppedError(refusal.message) from refusal

    def _look_for(self, batch: list[Step]) -> list[Step]:
        """Look for writes until they are there, or for so long that they should be.

        Returns:
            Those that are not there.
        """
        pending = [step for step in batch if not step.outcome]
        waited, delay = 0.0, 1.0
        while pending:
            try:
                self._look(pending)
            except SingerSDKError as error:
                for step in pending:
                    step.outcome = "uncertain"
                    step.reason = "nobody knows whether it arrived, nor can it be read"
                raise StreamStoppedError(str(error)) from error
            pending = [step for step in pending if not step.outcome]
            left = self._settle_seconds - waited
            if not pending or left <= 0 or self._termination.is_requested:
                break
            seconds = min(delay, left)
            self._termination.sleep(seconds)
            waited, delay = waited + seconds, delay * 2
        return pending

    def _look(self, steps: list[Step]) -> None:
        """Give an outcome to each step that can be seen to be done."""
        if self._entity.bulk or steps[0].action == "create":
            self._look_in_list(steps)
            return
        step = steps[0]
        row = self._workspace.find(step.id or "")
        if step.action == "delete" and row is None:
            step.outcome = "deleted"
        elif row is None:
            step.outcome, step.reason = "refused", "its row is gone"
        elif step.action == "update":
            self._recognize(step, row)

    def _look_in_list(self, steps: list[Step]) -> None:
        ids = {step.id for step in steps if step.action == "delete"}
        keys = {self._entity.key_of(s.values) for s in steps if s.action == "create"}
        found: dict[t.Any, list[Row]] = {}
        for rows in self._workspace.rows():
            for row in rows:
                if row.id in ids or row.key in keys:
                    found.setdefault(row.id if row.id in ids else row.key, []).append(
                        row
                    )
        for step in steps:
            if step.action == "delete":
                step.outcome = "" if step.id in found else "deleted"
                continue
            rows = found.get(self._entity.key_of(step.values), [])
            if len(rows) == 1:
                self._recognize(step, rows[0])
            if len(rows) > 1 or (rows and not step.outcome):
                step.outcome = "uncertain"
                step.reason = "rows of this name are there now, but not as it was sent"
                step.detail = ", ".join(row.id for row in rows)

    def _recognize(self, step: Step, row: Row) -> None:
        """Take a row for what was written, if it is what was sent."""
        if not any(self._differences(step.values, row.values)):
            self._finish(step, {self._entity.id_field: row.id, **row.values})
