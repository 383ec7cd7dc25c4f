"""The recipes of the page about backfills."""

from __future__ import annotations

import signal
import typing as t

from tests.recipes import check_recipes, recipes
from tests.test_meltano import needs_old_duckdb

if t.TYPE_CHECKING:
    from pathlib import Path

KILLED = "A long first load of e-mails, killed"


@needs_old_duckdb
def test_recipes(tmp_path: Path) -> None:
    """Each block ends and prints as the page says."""
    check_recipes("backfills.md", tmp_path, {KILLED: [-signal.SIGKILL, 0]})


def test_headings() -> None:
    """A heading that changes takes no recipe away."""
    assert list(recipes("backfills.md")) == [
        "One quarter, into a state of its own",
        "One stream",
        "A window, into a scratch schema",
        KILLED,
    ]
