"""The plan: what is to be written, computed from what is wanted and what is there."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_instantly.target.entities import DELETION_MARKER

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_instantly.target.entities import Entity
    from tap_instantly.target.staging import Row, StagedRecord

    Action: t.TypeAlias = t.Literal["create", "update", "delete", "none"]

MIN_ROWS = 10
"""Rows that there must be for a share of them to say anything."""


class WantedRecords(t.Protocol):
    """The records of a stream."""

    def __iter__(self) -> Iterator[StagedRecord]:
        """Generate them in the input's order."""

    def has(self, identity: str | None) -> bool:
        """Tell whether a record has an identity; with None, whether one has none."""


class HeldRows(t.Protocol):
    """The rows of a stream that Instantly holds."""

    def __iter__(self) -> Iterator[Row]:
        """Generate them in the order of the list."""

    def __len__(self) -> int:
        """Return how many they are."""

    def named(self, key: str | None) -> list[Row]:
        """Return those with a natural key."""

    def with_id(self, identity: str | None) -> list[Row]:
        """Return those with an id: one or none."""


@dataclass(frozen=True)
class Policy:
    """What the settings allow; see their descriptions."""

    mode: str = "upsert"
    match_by: str = "name"
    renames: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    nulls: str = "keep"
    delete: str = "never"
    reassigned_status: int | None = None
    max_change_percent: int = 30
    allow_enrichment: bool = False


@dataclass
class Step:
    """What becomes of one record, or of one row that no record names.

    Attributes:
        position: The number of the record in the input; None without a record.
        key: The natural key, as it came in.
        action: What is to be done.
        outcome: What has become of it; "" as long as that is open.
        id: The id of the row; None as long as there is none.
        old_key: The natural key of the row, if it is another.
        values: The fields that are sent.
        before: The same fields as Instantly holds them.
        number: The row's number that leads point to.
        reason: Why, in words that repeat no value.
        detail: What the reason leaves out, for the report alone.
        requests: How many requests it took.
    """

    position: int | None
    key: t.Any
    action: Action = "none"
    outcome: str = ""
    id: str | None = None
    old_key: t.Any = None
    values: dict[str, t.Any] = field(default_factory=dict)
    before: dict[str, t.Any] = field(default_factory=dict)
    number: t.Any = None
    reason: str = ""
    detail: str = ""
    requests: int = 0

    @property
    def is_change(self) -> bool:
        """Whether it changes or deletes something that Instantly holds."""
        return not self.outcome and self.action in ("update", "delete")


class RejectedError(Exception):
    """A record that cannot be written as it is."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Say why, in words that repeat no value, and what else the report says."""
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Planner:
    """Plans one stream; it reads what it is given, and changes nothing."""

    def __init__(
        self, entity: Entity, wanted: WantedRecords, held: HeldRows, policy: Policy
    ) -> None:
        """Take what is wanted, what is there, and what is allowed."""
        self._entity, self._wanted, self._held = entity, wanted, held
        self._policy = policy
        self._old_keys: dict[t.Any, list[str]] = {}
        for old, new in policy.renames.get(entity.stream, {}).items():
            old_key, new_key = map(entity.key.normalize, (old, new))
            if old_key != new_key:
                self._old_keys.setdefault(new_key, []).append(old_key)
        self._is_by_id = policy.match_by == entity.id_field
        self._renamed_ids = set[str]()
        self._new_keys = set[str | None]()
        self._has_records = False
        self._may_mirror = False

    def steps(self, *, is_complete: bool) -> Iterator[Step]:
        """Generate a step for each record, then those for rows that nobody wants.

        Args:
            is_complete: Whether the records are all that there shall be.
        """
        # A record without an identity may be about any row.
        self._may_mirror = is_complete and not self._wanted.has(None)
        for record in self._wanted:
            yield self._step(record)
        if self._policy.delete == "mirror" and self._may_mirror and self._has_records:
            yield from self._deletions()

    def _step(self, record: StagedRecord) -> Step:
        step = Step(record.position, record.values.get(self._entity.key.name))
        is_marked = record.values.get(DELETION_MARKER) is not None
        self._has_records |= not is_marked
        if record.is_superseded:
            step.outcome = "superseded"
            step.reason = "a later record is about the same row"
            return step
        try:
            rows = self._find(record, is_marked=is_marked)
            if rows:
                self._take_over(step, rows[0])
            if is_marked:
                self._mark(step, rows)
            elif rows:
                self._update(step, record, rows[0])
            else:
                self._create(step, record)
        except RejectedError as error:
            step.action, step.outcome = "none", "rejected"
            step.values, step.before = {}, {}
            step.reason, step.detail = error.reason, error.detail
        return step

    def _take_over(self, step: Step, row: Row) -> None:
        entity = self._entity
        step.id = row.id
        step.old_key = row.values.get(entity.key.name)
        step.number = row.values.get(entity.watched)

    def _find(self, record: StagedRecord, *, is_marked: bool) -> list[Row]:
        """Return the row that a record is about, if there is one."""
        if record.identity is None:
            entity = self._entity
            name = entity.id_field if self._is_by_id else entity.key.name
            msg = f"it has no `{name}`"
            raise RejectedError(msg)
        if self._is_by_id:
            rows = self._held.with_id(record.identity)
            if not rows and not is_marked:
                account = self._entity.vendor.account
                msg = f"the {account} has no row with this id; it may have been deleted"
                raise RejectedError(msg)
            return rows
        rows = self._held.named(record.identity)
        if len(rows) > 1:
            raise self._ambiguous(rows)
        return rows if is_marked else self._renamed(record, rows)

    def _renamed(self, record: StagedRecord, rows: list[Row]) -> list[Row]:
        """Return the row of a record's own name, or of the name it had before."""
        old_keys = self._old_keys.get(record.identity, [])
        old_rows = [row for old in old_keys for row in self._held.named(old)]
        self._renamed_ids.update(row.id for row in old_rows)
        if any(map(self._wanted.has, old_keys)):
            msg = "the input has both the old name and the new one"
            raise RejectedError(msg)
        if not old_rows:
            return rows
        if rows:
            vendor = self._entity.vendor.name
            msg = f"{vendor} has both the old name and the new one"
            raise RejectedError(msg, ", ".join(row.id for row in [*old_rows, *rows]))
        if len(old_rows) > 1:
            raise self._ambiguous(old_rows)
        return old_rows

    def _ambiguous(self, rows: Iterable[Row]) -> RejectedError:
        ids = ", ".join(row.id for row in rows)
        vendor = self._entity.vendor.name
        return RejectedError(f"{vendor} has several rows with this name", ids)

    def _mark(self, step: Step, rows: list[Row]) -> None:
        """Plan what becomes of a record that is marked as deleted."""
        if self._policy.delete == "never":
            step.outcome = "skipped"
            step.reason = "it is marked as deleted, and `delete` is `never`"
        elif not rows:
            step.outcome = "unchanged"
        elif self._policy.delete == "mirror" and not self._may_mirror:
            step.outcome = "skipped"
            step.reason = "it is marked as deleted, but the table may not be complete"
        else:
            self._delete(step)

    def _delete(self, step: Step) -> None:
        step.action = "delete"
        status = self._policy.reassigned_status
        if self._entity.reassigned_by and step.number == status:
            msg = "leads of deleted rows are to go to this one (`reassigned_status`)"
            raise RejectedError(msg)

    def _values(self, record: StagedRecord) -> dict[str, t.Any]:
        """Return what a record says of the fields that can be written."""
        values = {}
        for each in self._entity.fields:
            if each.name not in record.values:
                continue
            value = record.values[each.name]
            if value is None and self._policy.nulls == "keep":
                continue
            value = each.convert(value)
            if objection := each.objection(value):
                raise RejectedError(objection)
            values[each.name] = value
        return values

    def _create(self, step: Step, record: StagedRecord) -> None:
        values = self._values(record)
        if self._policy.mode == "update":
            step.outcome = "skipped"
            step.reason = "it is new, and `mode` is `update`"
            return
        for each in self._entity.fields:
            if each.is_required and each.name not in values:
                msg = f"a new {self._entity.noun} needs `{each.name}`"
                raise RejectedError(msg)
        self._check_costs(values)
        key = self._entity.key
        step.action = "create"
        step.values = values | {key.name: trim_key(key.normalize, values[key.name])}

    def _update(self, step: Step, record: StagedRecord, row: Row) -> None:
        values = self._values(record)
        fields = {each.name: each for each in self._entity.fields}
        changed = {
            name: value
            for name, value in values.items()
            if fields[name].normalize(value)
            != fields[name].normalize(row.values.get(name))
        }
        if not changed:
            step.outcome = "unchanged"
            return
        if self._policy.mode == "create":
            step.outcome = "skipped"
            step.reason = "it is there already, and `mode` is `create`"
            return
        self._check_costs(changed)
        if self._entity.key.name in changed:
            self._check_name(values, row)
        step.action, step.values = "update", changed
        step.before = {name: row.values.get(name) for name in changed}

    def _check_costs(self, values: Mapping[str, t.Any]) -> None:
        for each in self._entity.fields:
            is_costly = each.costs_credits and values.get(each.name) is True
            if is_costly and not self._policy.allow_enrichment:
                msg = (
                    f"`{each.name}` costs credits for each lead that is added; "
                    "set `allow_enrichment` if that is wanted"
                )
                raise RejectedError(msg)

    def _check_name(self, values: Mapping[str, t.Any], row: Row) -> None:
        """Make sure that a row does not get a name that another one has, or will."""
        key = self._entity.key_of(values)
        if self._entity.rename_effect and row.key not in self._old_keys.get(key, ()):
            msg = (
                "its row has another name, and a rename also changes "
                f"{self._entity.rename_effect}; if that is wanted, add it to `renames`"
            )
            raise RejectedError(msg)
        if not self._entity.is_renamable:
            msg = f"the `{self._entity.key.name}` of an entry cannot be changed"
            raise RejectedError(msg)
        if others := self._held.named(key):
            msg = "another row has this name already"
            raise RejectedError(msg, ", ".join(row.id for row in others))
        if key in self._new_keys:
            msg = "another row of the input gets this name"
            raise RejectedError(msg)
        self._new_keys.add(key)

    def _deletions(self) -> Iterator[Step]:
        for row in self._held:
            identity = row.id if self._is_by_id else row.key
            is_wanted = identity is None or self._wanted.has(identity)
            if not is_wanted and row.id not in self._renamed_ids:
                step = Step(None, row.values.get(self._entity.key.name))
                self._take_over(step, row)
                try:
                    self._delete(step)
                except RejectedError as error:
                    step.action, step.outcome = "none", "rejected"
                    step.reason = error.reason
                yield step


def trim_key(normalize: t.Callable[[t.Any], t.Any], key: str) -> str:
    """Return a natural key as a new row gets it.

    Where the API ignores blanks around it, it is sent without them; its case stays.
    """
    return key.strip() if normalize(f" {key}") == normalize(key) else key


def exceeds_limit(changes: int, held: int, policy: Policy) -> bool:
    """Tell whether more of a stream is to be changed than the settings allow."""
    return held >= MIN_ROWS and changes * 100 > held * policy.max_change_percent
