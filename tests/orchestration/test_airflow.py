"""The Airflow DAG with a mapped task for each member of a group."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import typing as t
from contextlib import closing
from pathlib import Path

import pytest

from tests.orchestration.conftest import (
    accepted,
    check_tables,
    environment,
    python_with,
    unpaid,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox import Sandbox

AIRFLOW = "apache-airflow~=3.3.0"
STRUCTURE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
[dag] = bag.dags.values()
load = dag.get_task("load")
print(json.dumps({
    "errors": bag.import_errors,
    "upstream": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
    "is_mapped": load.is_mapped,
    "retries": load.retries,
    "limit": load.max_active_tis_per_dag,
    "runs": dag.max_active_runs,
}))
"""
EXPECTED = {
    "errors": {},
    "upstream": {"load": ["members"], "members": ["tables"], "tables": []},
    "is_mapped": True,
    "retries": 2,
    "limit": 4,
    "runs": 1,
}


@pytest.fixture(scope="module")
def airflow() -> Iterator[str]:
    """Return the Python of an environment with Airflow."""
    with python_with(AIRFLOW) as python:
        yield python


@pytest.fixture
def variables(group: Sandbox, database: str, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which Airflow has a place of its own."""
    return environment(
        group,
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW_HOME=str(tmp_path / "airflow"),
        RETRY_DELAY="0",
        TARGET_POSTGRES_SQLALCHEMY_URL=database,
    )


def test_structure(clone: Path, airflow: str, variables: dict[str, str]) -> None:
    """Airflow imports the DAG, and finds the mapped task with its limits."""
    folder = clone / "examples" / "workspaces" / "airflow"
    command = [airflow, "-c", STRUCTURE, str(folder)]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == EXPECTED


@pytest.mark.nightly
def test_a_task_for_each_member(
    installed: Path,
    airflow: str,
    variables: dict[str, str],
    group: Sandbox,
) -> None:
    """Airflow runs one after the other here; the one without a plan fails alone."""
    folder = installed / "examples" / "workspaces" / "airflow"
    variables["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
    command = [airflow, "-m", "airflow"]
    subprocess.run([*command, "db", "migrate"], env=variables, check=True)
    test = [*command, "dags", "test", "workspaces"]
    subprocess.run(test, env=variables, check=False)
    with closing(
        sqlite3.connect(Path(variables["AIRFLOW_HOME"], "airflow.db"))
    ) as metadata:
        query = "SELECT task_id, map_index, state FROM task_instance"
        states = {
            (name, place): state for name, place, state in metadata.execute(query)
        }
    failed = ("load", accepted(group).index(unpaid(group)))
    loads = [("load", place) for place in range(len(accepted(group)))]
    assert states == {
        task: "failed" if task == failed else "success"
        for task in (("tables", -1), ("members", -1), *loads)
    }
    check_tables(group, variables["TARGET_POSTGRES_SQLALCHEMY_URL"])
