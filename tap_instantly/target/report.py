"""The report: a line for every record, and the sums for the log."""

from __future__ import annotations

import typing as t
from collections import Counter

from tap_instantly.target.one_line import to_line

if t.TYPE_CHECKING:
    from pathlib import Path

    from tap_instantly.target.plan import Step

OUTCOMES = (
    "created",
    "updated",
    "deleted",
    "planned",
    "unchanged",
    "skipped",
    "superseded",
    "rejected",
    "refused",
    "uncertain",
    "not attempted",
)
"""What can become of a record, in the order of the summary."""


class Report:
    """What has become of each record; in a file, if one is wanted.

    Attributes:
        outcomes: How many records of each stream came to which outcome.
    """

    def __init__(self, path: Path | None, *, has_values: bool) -> None:
        """Begin a new file.

        Args:
            path: Where it is; None writes none.
            has_values: Whether it says what the fields were and are, too.

        Raises:
            OSError: If it cannot be written.
        """
        self.outcomes: dict[str, Counter[str]] = {}
        self._has_values = has_values
        self._file = path.open("w", encoding="utf-8") if path else None

    def add(self, stream: str, step: Step) -> None:
        """Write the line of a step whose outcome is known."""
        self.outcomes.setdefault(stream, Counter())[step.outcome] += 1
        if self._file:
            line = {
                "stream": stream,
                "key": step.key,
                "id": step.id,
                "action": step.action,
                "outcome": step.outcome,
                "fields": self._fields(step),
                "reason": ": ".join(filter(None, (step.reason, step.detail))) or None,
                "requests": step.requests,
            }
            self._file.write(to_line(line) + "\n")
            self._file.flush()

    def _fields(self, step: Step) -> object:
        if not self._has_values:
            return [*step.values]
        return {
            name: {"from": step.before.get(name), "to": value}
            for name, value in step.values.items()
        }

    def count(self, *outcomes: str) -> int:
        """Return how many records came to any of some outcomes."""
        return sum(
            counter[each] for counter in self.outcomes.values() for each in outcomes
        )

    def summary(self, stream: str) -> str:
        """Return the sums of a stream in words."""
        counter = self.outcomes.get(stream, Counter())
        parts = [f"{counter[each]} {each}" for each in OUTCOMES if counter[each]]
        return ", ".join(parts) or "no records"

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
