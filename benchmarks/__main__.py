"""The command `python -m benchmarks`."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks import (
    growth,
    memory,
    processing,
    reporting,
    requested,
    scheduled,
    starting,
    waiting,
)
from benchmarks.contenders import environment, versions
from benchmarks.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.reporting import Section

SECTIONS: dict[str, Callable[[Plan], Section]] = {
    "processing": processing.section,
    "waiting": waiting.section,
    "requests": requested.section,
    "schedules": scheduled.section,
    "start": starting.section,
    "memory": memory.section,
    "growth": growth.section,
}
DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--rows",
    default=100_000,
    show_default=True,
    type=click.IntRange(min=20),
    help="Labels and leads; all other sizes are in proportion.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(SECTIONS)),
    help="A part to measure; may be given several times. All by default.",
)
@click.option(
    "--out",
    default=Path("output") / "benchmarks",
    show_default=True,
    type=DIRECTORY,
    help="Where results.md and the plots go.",
)
@click.option(
    "--cache",
    default=Path(tempfile.gettempdir()) / "tap-instantly-benchmarks",
    type=DIRECTORY,
    help="Where contenders are installed; a temporary directory by default.",
)
@click.option(
    "--install/--no-install",
    default=True,
    help="Whether to install the contenders, each in an environment of its own. "
    "Otherwise the tap runs in this one, and Airbyte and dlt do not run.",
)
def main(  # noqa: PLR0913 - the options
    *,
    rounds: int,
    rows: int,
    only: tuple[str, ...],
    out: Path,
    cache: Path,
    install: bool,
) -> None:
    """Measure the tap beside others and write results.md and its plots.

    It takes half an hour; --rows 1000 --rounds 1 gives an impression in minutes.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        plan = Plan(
            Path(directory),
            out,
            rounds=rounds,
            rows=rows,
            cache=cache if install else None,
            say=lambda text: click.echo(text, err=True),
        )
        if install:
            plan = replace(plan, python=environment(plan, "ours"))
        sections = []
        for name in only or SECTIONS:
            plan.say(f"== {name}")
            try:
                sections.append(SECTIONS[name](plan))
            except Exception as error:  # noqa: BLE001 - the other parts are worth having
                plan.say(f"{name} failed: {error!r}")
                continue
            click.echo(f"{sections[-1].written()}\n")
        command = f"python -m benchmarks --rounds {rounds} --rows {rows}"
        path = reporting.write(sections, command, versions(plan), out)
    plan.say(f"written: {path}")
    if len(sections) < len(only or SECTIONS):
        sys.exit(1)


if __name__ == "__main__":
    main()
