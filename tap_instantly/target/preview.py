"""The plan as a dry run prints it: with names of rows and fields, without values."""

from __future__ import annotations

import typing as t
from collections import Counter

from tap_instantly.target.one_line import to_line

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_instantly.target.entities import Entity
    from tap_instantly.target.plan import Step

SIGNS = {"create": "+", "update": "~", "delete": "-"}


def describe_plan(
    entity: Entity, held: int, pending: Iterable[Step], rejected: Iterable[Step]
) -> Iterator[str]:
    """Generate the lines that show what would become of an entity.

    Args:
        entity: What is planned.
        held: How many rows Instantly holds.
        pending: What would be written.
        rejected: What would not, because it cannot be right.
    """
    steps, refused = list(pending), list(rejected)
    count = Counter(step.action for step in steps)
    yield (
        f"{entity.stream}: {held} rows; {count['create']} to create, "
        f"{count['update']} to update, {count['delete']} to delete, "
        f"{len(refused)} rejected"
    )
    # In the order in which they would be written.
    for step in sorted(steps, key=lambda step: step.action == "delete"):
        name = to_line(step.key)
        if entity.key.name in step.before:
            name = f"{to_line(step.old_key)} -> {name}"
        fields = f": {', '.join(step.values)}" if step.values else ""
        yield f"  {SIGNS[step.action]} {name}{fields}"
    for step in refused:
        name = to_line(step.key)
        yield f"  ! {name}: {step.reason}"
