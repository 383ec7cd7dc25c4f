"""The recipes of a page: its commands, run as they stand there, and what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

from tests.conftest import clean_environment
from tests.test_meltano import REPOSITORY, clone_into

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

Blocks = list[tuple[str, str]]


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


def check_recipes(
    page: str, directory: Path, ends: Mapping[str, Sequence[int]]
) -> None:
    """Run the recipes of a page one after the other, in a clone of the repository.

    Args:
        page: The page.
        directory: Where the clone goes.
        ends: How the blocks of a recipe end, where not all of them succeed.
    """
    project = clone_into(directory)
    for heading, blocks in recipes(page).items():
        expected_ends = ends.get(heading, [0] * len(blocks))
        for (commands, expected), end in zip(blocks, expected_ends, strict=True):
            code, log = run(project, commands)
            assert code == end, f"{heading}: {commands}\n{log[-3000:]}"
            for line in expected.splitlines():
                assert words(line) in words(log), f"{line}\n{log[-3000:]}"
