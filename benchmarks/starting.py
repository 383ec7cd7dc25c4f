"""What the tap takes before it does anything."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks import contenders
from benchmarks.measuring import alternate, measure, ratio, spread
from benchmarks.reporting import FAILED, Figure, Section
from benchmarks.serving import Served

if TYPE_CHECKING:
    from benchmarks.measuring import Command
    from benchmarks.plan import Plan

MOST = 1.3
_IMPORT = "import singer_sdk"


def section(plan: Plan) -> Section:
    """Run what is over at once, in turns with the import of the SDK."""
    result = Section(
        "Start",
        "Seconds of a whole process, and how many times as long that is as the import "
        "of the SDK in the same round.",
        ("command", "wall, s", "CPU, s", "times the import", "peak memory, MiB"),
    )
    tap = contenders.program(plan)
    with Served(labels=0, lists=0, campaigns=1, leads=1, emails=0) as api:
        commands: dict[str, Command] = {
            _IMPORT: (plan.python, "-c", _IMPORT),
            "--version": (tap, "--version"),
            "--about": (tap, "--about"),
            "--discover": (tap, "--discover"),
            "a run without rows": contenders.tap(
                plan, api.config(), only=("lead_labels",)
            ),
        }
        running = {name: partial(measure, each) for name, each in commands.items()}
        runs, failures = alternate(running, plan.short_rounds, plan.say)
    for name, those in runs.items():
        times = ratio(those, runs[_IMPORT], lambda run: run.wall)
        result.rows.append(
            (
                name,
                spread(those, lambda run: run.wall).written(),
                spread(those, lambda run: run.cpu).written(),
                times.written(),
                spread(those, lambda run: run.memory).written(".0f"),
            )
        )
        if name != _IMPORT:
            label = f"{name}: times the import"
            result.figures.append(Figure(label, times, MOST, is_most=True))
    result.rows += [(name, FAILED, "", "", "") for name in failures]
    return result
