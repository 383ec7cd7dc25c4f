"""How many requests each schedule of meltano.yml takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.reporting import Section
from benchmarks.requested import describe_sizes, read_all_twice
from benchmarks.serving import Served

if TYPE_CHECKING:
    from benchmarks.plan import Plan

DEFINITION = Path(__file__).parent.parent / "meltano.yml"
BASE = "tap-instantly"


def selections() -> dict[str, tuple[str, ...]]:
    """Return the streams that each schedule reads."""
    project: dict[str, Any] = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    extractors = {each["name"]: each for each in project["plugins"]["extractors"]}
    jobs = {each["name"]: each for each in project["jobs"]}
    selected = {}
    for schedule in project["schedules"]:
        extractor = jobs[schedule["job"]]["tasks"][0].split()[0]
        rules = extractors[extractor].get("select", extractors[BASE]["select"])
        left_out = list(schedule.get("env", {}).values())
        selected[schedule["name"]] = tuple(
            stream
            for stream in (rule.removesuffix(".*") for rule in rules)
            if not any(f'"!{stream}"' in value for value in left_out)
        )
    return selected


def section(plan: Plan) -> Section:
    """Run the streams of each schedule, and again with the state that this gave."""
    sizes = plan.workspace()
    result = Section(
        "Schedules",
        f"The schedules of meltano.yml: {describe_sizes(sizes)}. The later run is "
        "given the state of the first, and nothing has changed; a refresh takes what a "
        "first run does.",
        ("schedule", "first run", "later run", "records", "records again"),
    )
    with Served(**sizes) as api:
        result.rows.extend(read_all_twice(plan, api, selections()))
    return result
