"""A task for each member workspace of a group, done by `workspaces.sh`."""

import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import dag, task

SCRIPT = Path(__file__).parent.parent / "workspaces.sh"
RUNS_AT_A_TIME = int(os.getenv("RUNS_AT_A_TIME", "4"))
RETRY_DELAY = timedelta(seconds=float(os.getenv("RETRY_DELAY", "60")))


@dag(
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": RETRY_DELAY},
)
def workspaces() -> None:
    """Make the tables, list the members, and load as many at a time as may run."""

    @task.bash
    def tables() -> str:
        return f"{SCRIPT} tables"

    @task
    def members() -> list[str]:
        listed = subprocess.run([SCRIPT, "list"], check=True, stdout=subprocess.PIPE)
        return listed.stdout.decode().split()

    @task.bash(
        max_active_tis_per_dag=RUNS_AT_A_TIME, map_index_template="{{ workspace }}"
    )
    def load(workspace: str) -> str:
        return f"{SCRIPT} load {workspace}"

    listed = members()
    tables() >> listed
    load.expand(workspace=listed)


workspaces()
