"""The Dagster project with a partition for each member of a group."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from pathlib import Path

import psycopg

from tests.orchestration.conftest import (
    Interruption,
    accepted,
    check_tables,
    environment,
    killed,
    python_with,
    readable,
    unpaid,
)

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_instantly.sandbox import Sandbox

DRIVER = Path(__file__).with_name("drive_dagster.py")
RETRIES = 2


def test_a_partition_for_each_member(
    installed: Path, group: Sandbox, database: str, tmp_path: Path
) -> None:
    """A killed run is retried and loses nothing; one that fails leaves the others."""
    project = installed / "examples" / "workspaces" / "dagster"
    home, outcome = tmp_path / "home", tmp_path / "outcome.json"
    home.mkdir()
    shutil.copy(project / "dagster.yaml", home)
    variables = environment(
        group,
        DAGSTER_HOME=str(home),
        MELTANO_DATABASE_URI=database.replace("postgresql:", "postgresql+psycopg:"),
        PYTHONPATH=str(project),
        RETRY_DELAY="0",
        TARGET_POSTGRES_SQLALCHEMY_URL=database,
    )
    workspace = readable(group)[3]
    interruption = Interruption(group, workspace)
    with (
        python_with("dagster~=1.13.0") as python,
        subprocess.Popen([python, DRIVER, outcome], env=variables) as process,
    ):
        while not interruption.reached.wait(1):
            assert process.poll() is None, "Dagster has ended too early"
        with killed(process, workspace):
            interruption.end()
            assert process.wait() == 0
    assert json.loads(outcome.read_text(encoding="utf-8")) == {
        member: member != unpaid(group) for member in accepted(group)
    }
    check_tables(group, database)
    runs = runs_of_meltano(database)
    assert len(runs) == len(accepted(group)) + RETRIES + 1
    begins = [begin for _, begin, _ in runs]
    together = [sum(b <= moment <= e for _, b, e in runs) for moment in begins]
    # Without the daemon's queue the pool has let through up to twice its limit.
    assert 1 < max(together) < len(accepted(group)), runs


def runs_of_meltano(database: str) -> list[tuple[str, datetime, datetime]]:
    """Return when each load began and gave its last sign, also one that was killed."""
    query = "SELECT job_name, started_at, last_heartbeat_at FROM runs"
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchall()
