"""Rows a second where nothing has to be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import contenders, plotting
from benchmarks.contenders import expecting
from benchmarks.measuring import FailedError, alternate, ratio, spread
from benchmarks.reporting import FAILED, Figure, Section
from benchmarks.serving import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measuring import Run
    from benchmarks.plan import Plan

OURS = "tap-instantly"
WANTED = {"lead_labels": {"plain": 2.5, "bare": 0.6}, "campaigns": {"plain": 4.0}}
"""How many times as fast as another contender the tap is to be."""
_OTHERS = {"airbyte": contenders.airbyte, "dlt": contenders.dlt}


def section(plan: Plan) -> Section:
    """Let all contenders read the labels, and some the campaigns."""
    result = Section(
        "Processing",
        "Rows read over loopback and written to a pipe. Rows a second are those of the "
        "whole process, from its start to its end; each ratio is that of one round, in "
        "which all contenders take turns. `plain` is the tap that the SDK's template "
        "gives, `bare` a loop of `requests` and `orjson` without an SDK.",
        (
            "contender",
            "rows/s",
            "wall, s",
            "CPU, s",
            "peak memory, MiB",
            "wall, times ours",
        ),
    )
    for stream, rows in (("lead_labels", plan.rows), ("campaigns", plan.share(2))):
        _read(plan, stream, rows, result)
    return result


def _read(plan: Plan, stream: str, rows: int, result: Section) -> None:
    """Let the contenders read one stream, and add what that took."""
    size = "labels" if stream == "lead_labels" else stream
    with Served(
        **{"campaigns": 1, "lists": 1, "leads": 1, "emails": 0, size: rows}
    ) as api:
        running, failures = _contenders(plan, api, stream, rows)
        runs, failed = alternate(running, plan.rounds, plan.say)
    failures |= dict.fromkeys(failed, FAILED)
    for name, why in failures.items():
        result.rows.append((f"{name}, {stream}", why, "", "", "", ""))
    ours = runs.get(OURS)
    speeds: dict[str, float] = {}
    for name, those in runs.items():
        speeds[name] = rows / spread(those, lambda run: run.wall).median
        times = ratio(those, ours, lambda run: run.wall) if ours else None
        result.rows.append(
            (
                f"{name}, {stream}",
                f"{speeds[name]:,.0f}",
                spread(those, lambda run: run.wall).written(),
                spread(those, lambda run: run.cpu).written(),
                spread(those, lambda run: run.memory).written(".0f"),
                times.written() if times else "",
            )
        )
        bound = WANTED[stream].get(name)
        if times and bound:
            label = f"{stream}: times as fast as {name}"
            result.figures.append(Figure(label, times, bound))
    if speeds:
        file = f"processing-{stream}.svg"
        plotting.bars(plan.out / file, f"{stream}: rows a second", speeds)
        result.plots.append(file)


def _contenders(
    plan: Plan, api: Served, stream: str, rows: int
) -> tuple[dict[str, Callable[[], Run]], dict[str, str]]:
    """Return what runs each contender, and why some cannot be run."""
    config = api.config()
    running = {
        OURS: expecting(rows, contenders.tap(plan, config, only=(stream,))),
        "plain": expecting(rows, contenders.plain(plan, config, stream)),
        "bare": expecting(rows, contenders.bare(plan, config, stream)),
    }
    failures: dict[str, str] = {}
    for name, command in _OTHERS.items():
        if stream != "lead_labels":
            continue
        try:
            python = contenders.environment(plan, name)
        except FailedError as error:
            failures[name] = str(error)
        else:
            running[name] = expecting(rows, command(plan, config, python))
    return running, failures
