"""The recipes of the pages about backfills and operation, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from benchmarks.scheduled import selections
from tap_instantly.streams import STREAMS
from tests.conftest import clean_environment
from tests.test_meltano import NOT_COPIED, REPOSITORY, needs_old_duckdb

BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

ENDS = {
    "A long first load of e-mails, killed": [-signal.SIGKILL, 0],
    "The check": [0, 1],
    "Rotating the key": [1, 0],
}
"""How the blocks of a recipe end, where not all of them succeed."""

Blocks = list[tuple[str, str]]
Page = tuple[str, Path]


def recipes(page: str) -> dict[str, Blocks]:
    """Return the commands of a page, each with what it prints, by their heading."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    found: dict[str, Blocks] = {}
    for section in text.split("\n## ")[1:]:
        blocks: Blocks = []
        for kind, content in BLOCK.findall(section):
            if kind == "sh":
                blocks.append((content, ""))
            else:
                blocks[-1] = blocks[-1][0], content
        if blocks:
            found[section.partition("\n")[0]] = blocks
    return found


PAGES = ("backfills.md", "operating.md")
RECIPES = {page: recipes(page) for page in PAGES}


@pytest.fixture(scope="module", params=PAGES)
def page(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Page:
    """Return a page, and a copy of the repository, as a clone would be."""
    copy = tmp_path_factory.mktemp("clone") / "tap-instantly"
    shutil.copytree(REPOSITORY, copy, ignore=NOT_COPIED)
    return request.param, copy


def words(text: str) -> str:
    """Return a text with one blank where there are several."""
    return " ".join(text.split())


def run(project: Path, commands: str) -> tuple[int, str]:
    """Run a block of commands in a shell of its own; return its exit code and log."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-ec", commands],
        cwd=project,
        env=clean_environment() | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
        start_new_session=True,
    )
    return done.returncode, done.stdout


@needs_old_duckdb
def test_recipes(page: Page) -> None:
    """Each block ends and prints as the page says, one recipe after the other."""
    name, project = page
    for heading, blocks in RECIPES[name].items():
        ends = ENDS.get(heading, [0] * len(blocks))
        for (commands, expected), end in zip(blocks, ends, strict=True):
            code, log = run(project, commands)
            assert code == end, f"{heading}: {commands}\n{log[-3000:]}"
            for line in expected.splitlines():
                assert words(line) in words(log), f"{line}\n{log[-3000:]}"


def test_recipes_are_those_that_are_wanted() -> None:
    """A heading that changes takes no recipe away."""
    headings = {heading for page in RECIPES.values() for heading in page}
    assert headings == {
        "One quarter, into a state of its own",
        "One stream",
        "A window, into a scratch schema",
        "A long first load of e-mails, killed",
        "Jobs",
        "The check",
        "Everything again, after a change of schema",
        "Rotating the key",
    }
    assert headings > ENDS.keys()


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
