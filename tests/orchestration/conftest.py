"""What the tests share: a copy of the project, and an environment for its runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.conftest import clean_environment

REPOSITORY = Path(__file__).parent.parent.parent
NOT_COPIED = shutil.ignore_patterns(".*", "*.duckdb", "__pycache__", "*.egg-info")
STREAMS = ("lead_labels", "lead_lists", "leads", "campaigns")
COMMANDS = Path(sys.executable).parent

Project = t.Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository, as a clone would be."""
    copy = tmp_path_factory.mktemp("clone") / "tap-instantly"
    shutil.copytree(REPOSITORY, copy, ignore=NOT_COPIED)
    return copy


def environment(**more: str) -> dict[str, str]:
    """Return an environment that selects few streams, and finds the commands here."""
    return (
        clean_environment()
        | {
            "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}",
            "TAP_INSTANTLY__SELECT": str([f"{name}.*" for name in STREAMS]).replace(
                "'", '"'
            ),
        }
        | more
    )
