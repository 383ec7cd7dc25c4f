"""Attention's labels through Meltano into DuckDB, and through a pipe back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb

from tap_instantly.attention.sandbox import Sandbox
from tests.conftest import COMMAND, Json
from tests.test_meltano import clone_into, needs_old_duckdb

COMMANDS = Path(COMMAND).parent


def environment_for(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment in which both commands find the sandbox."""
    return os.environ | {
        f"{plugin}_ATTENTION_{name}": value
        for plugin in ("TAP", "TARGET")
        for name, value in {"API_KEY": sandbox.key, "API_URL": sandbox.url}.items()
    }


@needs_old_duckdb
def test_duckdb(tmp_path: Path) -> None:
    """DuckDB holds each label as it is, however often it is loaded."""
    project = clone_into(tmp_path)

    def load() -> dict[str, Json]:
        done = subprocess.run(
            [COMMANDS / "meltano", "run", "tap-attention", "target-duckdb"],
            cwd=project,
            env=environment_for(sandbox),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        file = project / "output" / "instantly_dev.duckdb"
        with duckdb.connect(str(file), read_only=True) as database:
            result = database.execute("SELECT * FROM labels")
            names = [column[0] for column in result.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        for row in rows:
            row["options"] = json.loads(row["options"])
        assert len({row["uuid"] for row in rows}) == len(rows)
        return {row["uuid"]: row for row in rows}

    with Sandbox(labels=60, shape="total-records") as sandbox:
        fields = ("name", "description", "aiFlow", "options")
        for _ in range(2):
            rows = load()
            assert len(rows) == 60
            for label in sandbox.rows:
                row = rows[label["uuid"]]
                loaded = [row[name.lower()] for name in fields]  # as the loader has it
                assert loaded == [label[name] for name in fields]
            sandbox.rows[0] |= {"name": "Renamed", "options": [{"value": "new"}]}


def test_a_pipe() -> None:
    """From the tap to the target of the same organization there is nothing to do."""
    with Sandbox(labels=30) as sandbox:
        environment = environment_for(sandbox)
        read = subprocess.run(
            [COMMANDS / "tap-attention"],
            env=environment,
            capture_output=True,
            check=True,
        )
        done = subprocess.run(
            [COMMANDS / "target-attention"],
            env=environment,
            input=read.stdout,
            capture_output=True,
            check=True,
        )
        assert not sandbox.writes
        assert b"labels: 30 unchanged; 1 requests" in done.stderr


def test_sandbox(tmp_path: Path) -> None:
    """The command runs another against a sandbox, and ends as that does."""
    script = f"{COMMANDS / 'tap-attention'} | {COMMANDS / 'target-attention'}"
    sandbox = str(COMMANDS / "attention-sandbox")
    command = [sandbox, "--labels", "5", "--shape", "same-page"]
    done = subprocess.run(
        [*command, "sh", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "labels: 5 unchanged" in done.stderr
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    assert subprocess.run([*command, *failing], check=False).returncode == 3
