"""Peak memory: of many streams at once, and of few rows and many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import contenders
from benchmarks.measuring import FailedError, Spread, measure
from benchmarks.reporting import FAILED, Figure, Section
from benchmarks.serving import Served

if TYPE_CHECKING:
    from benchmarks.measuring import Command
    from benchmarks.plan import Plan

MOST = 80
MOST_GROWTH = 10
AT_ONCE = {"max_concurrency": 16}


def section(plan: Plan) -> Section:
    """Run the tap on workspaces of different kinds and sizes."""
    result = Section(
        "Memory",
        "Peak resident memory of the process.",
        ("what is read", "records", "peak memory, MiB"),
    )
    with Served(**plan.workspace()) as api:
        large: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
            ("every stream but emails", {}, ("emails",)),
            ("every stream but emails, 16 at once", AT_ONCE, ("emails",)),
            ("every stream, 16 at once", AT_ONCE, ()),
        )
        for name, settings, but in large:
            command = contenders.tap(plan, api.config(**settings), but=but)
            _measure(plan, name, command, result)
    found = []
    for rows in (plan.share(100), plan.rows, 10 * plan.rows):
        with Served(labels=rows, lists=0, campaigns=1, leads=1, emails=0) as api:
            command = contenders.tap(plan, api.config(), only=("lead_labels",))
            found += _measure(plan, f"{rows:,} labels", command, result)
    if found:
        growth = Spread.of([max(found) - min(found)])
        label = "labels: the largest less the smallest, MiB"
        result.figures.append(Figure(label, growth, MOST_GROWTH, is_most=True))
    return result


def _measure(plan: Plan, name: str, command: Command, result: Section) -> list[float]:
    """Add what a command takes, several times over; return the medians, if any."""
    try:
        runs = [measure(command) for _ in range(plan.long_rounds)]
    except FailedError as error:
        plan.say(f"{name}: {error}")
        result.rows.append((name, FAILED, ""))
        return []
    memory = Spread.of([run.memory for run in runs])
    plan.say(f"{name}: {memory.written('.1f')} MiB")
    result.rows.append((name, f"{runs[0].records:,}", memory.written(".1f")))
    result.figures.append(Figure(f"{name}, MiB", memory, MOST, is_most=True))
    return [memory.median]
