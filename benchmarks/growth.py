"""Time against rows, and against the campaigns of which each takes a request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks import contenders, plotting
from benchmarks.contenders import expecting
from benchmarks.measuring import FailedError, Spread, spread
from benchmarks.reporting import FAILED, Figure, Section
from benchmarks.serving import Served

if TYPE_CHECKING:
    from benchmarks.plan import Plan

LARGEST_POWER = 1.1
"""What seconds may grow with, as a power of the number: 1 is in proportion."""
_STREAMS = {"labels": "lead_labels", "campaigns": "campaign_sending_status"}


def section(plan: Plan) -> Section:
    """Read more and more labels, and the status of more and more campaigns."""
    result = Section(
        "Growth",
        "Labels read in pages of 100, and the sending status of campaigns, for each of "
        "which there is one request. The power is that between the two largest.",
        ("what is read", "number", "wall, s", "CPU, s"),
    )
    numbers = {
        "labels": [plan.share(100), plan.share(10), plan.rows, 10 * plan.rows],
        "campaigns": [plan.share(part) for part in (10_000, 1_000, 100, 10)],
    }
    for size, counts in numbers.items():
        found = {
            count: (wall, cpu)
            for count in dict.fromkeys(counts)
            for wall, cpu in _grow(plan, size, count, result)
        }
        wall = [(count, each[0]) for count, each in found.items()]
        cpu = [(count, each[1]) for count, each in found.items()]
        if not wall:
            continue
        file = f"growth-{size}.svg"
        plotting.lines(plan.out / file, size, {"wall": wall, "CPU": cpu})
        result.plots.append(file)
        if len(wall) > 1:
            (few, short), (many, long) = wall[-2:]
            power = math.log(long / short) / math.log(many / few)
            label = f"{size}: power with which the wall grows"
            figure = Figure(label, Spread.of([power]), LARGEST_POWER, is_most=True)
            result.figures.append(figure)
    return result


def _grow(
    plan: Plan, size: str, count: int, result: Section
) -> list[tuple[float, float]]:
    """Add what a number of something takes; return wall and CPU, if it works."""
    stream = _STREAMS[size]
    sizes = {"labels": 0, "lists": 0, "campaigns": 0, "leads": 1, "emails": 0}
    with Served(**{**sizes, size: count}) as api:
        run = expecting(count, contenders.tap(plan, api.config(), only=(stream,)))
        try:
            runs = [run() for _ in range(plan.long_rounds + 1)][1:]
        except FailedError as error:
            plan.say(f"{count} {size}: {error}")
            result.rows.append((stream, f"{count:,}", FAILED, ""))
            return []
    wall = spread(runs, lambda run: run.wall)
    cpu = spread(runs, lambda run: run.cpu)
    plan.say(f"{count} {size}: {wall.written()} s")
    result.rows.append((stream, f"{count:,}", wall.written(), cpu.written()))
    return [(wall.median, cpu.median)]
