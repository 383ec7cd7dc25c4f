"""A new stream in five steps, as the page on contributing has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("benchmarks")  # no part of the source distribution

REPOSITORY = Path(__file__).parents[1]

BLOCK = re.compile(
    r"(?:^Write `(?P<file>.+)`:\n\n)?^```(?P<kind>json|diff|sh)\n(?P<text>.+?)^```$",
    re.MULTILINE | re.DOTALL,
)


def steps() -> Iterator[re.Match[str]]:
    """Yield the code blocks of the steps."""
    page = (REPOSITORY / "docs" / "contributing.md").read_text(encoding="utf-8")
    section = page.partition("\n## A new stream in five steps\n")[2]
    return BLOCK.finditer(section.partition("\n## ")[0])


def run(command: list[str], clone: Path, text: str | None = None) -> str:
    """Run a command in the clone, which it imports from; return its output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=clone,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(clone)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_stream(tmp_path: Path) -> None:
    """Who does what the page says has a stream that is read and tested."""
    clone = tmp_path / "tap-instantly"
    tracked = run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        REPOSITORY,
    )
    for name in filter(None, tracked.split("\0")):
        if (REPOSITORY / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, clone / name)
    outputs = []
    for step in steps():
        text = step["text"]
        if step["kind"] == "json":
            (clone / step["file"]).write_text(text, encoding="utf-8")
        elif step["kind"] == "diff":
            run(["git", "apply", "--recount", "-"], clone, text)
        else:
            outputs.append(run(["sh", "-ec", text], clone))
    written, read = outputs
    assert "docs/tables/workspace.md written" in written
    assert re.search(r"\b\d\d passed", read)
    assert read.splitlines()[-1] == "12"
    page = (clone / "docs" / "tables" / "workspace.md").read_text(encoding="utf-8")
    assert "\n## workspace_notes\n" in page
    run([sys.executable, "-m", "scripts.docs", "--check"], clone)
