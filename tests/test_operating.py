"""The page about operation: its recipes, and the jobs of `meltano.yml`."""

from __future__ import annotations

import re
import typing as t

import yaml

from benchmarks.scheduled import selections
from tap_instantly.streams import STREAMS
from tests.recipes import check_recipes, recipes
from tests.test_meltano import REPOSITORY, needs_old_duckdb

if t.TYPE_CHECKING:
    from pathlib import Path


@needs_old_duckdb
def test_recipes(tmp_path: Path) -> None:
    """Each block ends and prints as the page says."""
    ends = {"The check": [0, 1], "Rotating the key": [1, 0]}
    check_recipes("operating.md", tmp_path, ends)


def test_headings() -> None:
    """A heading that changes takes no recipe away."""
    assert list(recipes("operating.md")) == [
        "Jobs",
        "The check",
        "Everything again, after a change of schema",
        "Rotating the key",
    ]


def test_costs_are_those_measured() -> None:
    """The page has the numbers of the benchmarks; a refresh always is a first run."""
    results = (REPOSITORY / "benchmarks" / "results.md").read_text(encoding="utf-8")
    page = (REPOSITORY / "docs" / "operating.md").read_text(encoding="utf-8")
    measured = results.partition("\n## Schedules\n")[2].partition("\n## ")[0]
    shown = page.partition("\n## What a schedule costs\n")[2].partition("\n## ")[0]
    for schedule in selections():
        [row] = re.findall(rf"^\| {schedule} \|(.*)\|$", measured, re.MULTILINE)
        [cells] = re.findall(rf"^\| `{schedule}` \|(.*)\|$", shown, re.MULTILINE)
        first, later, rows, again = (cell.strip() for cell in row.split("|"))
        if schedule == "weekly-refresh":
            later, again = first, rows
        assert [cell.strip() for cell in cells.split("|")][:4] == [
            first,
            later,
            rows,
            again,
        ]


DEFINITION: dict[str, t.Any] = yaml.safe_load(
    (REPOSITORY / "meltano.yml").read_text(encoding="utf-8")
)
PLUGINS = {
    plugin["name"]: plugin
    for plugins in DEFINITION["plugins"].values()
    for plugin in plugins
}


def test_jobs_are_valid() -> None:
    """Their plugins and commands exist, and their loads are checked."""
    for job in DEFINITION["jobs"]:
        for task in " ".join(job["tasks"]).split():
            plugin, _, command = task.partition(":")
            assert plugin in PLUGINS
            assert not command or command in PLUGINS[plugin]["commands"]
        if "target-duckdb" in job["tasks"][0]:
            extractor = job["tasks"][0].split()[0]
            utility, command = job["tasks"][-1].split(":")
            args = PLUGINS[utility]["commands"][command]["args"]
            assert f"output/{extractor}_" in args
    jobs = {job["name"] for job in DEFINITION["jobs"]}
    assert {schedule["job"] for schedule in DEFINITION["schedules"]} <= jobs


def test_every_stream_is_in_one_job() -> None:
    """So it has one bookmark; the weekly refresh leaves out nothing but e-mails."""
    by_schedule = selections()
    refreshed = set(by_schedule.pop("weekly-refresh"))
    default = {stream.name for stream in STREAMS if stream.selected_by_default}
    streams = [stream for each in by_schedule.values() for stream in each]
    assert len(streams) == len(set(streams))
    assert set(streams) == default
    assert refreshed == default - {"emails"}
