"""The Airflow DAG with a mapped task for each member of a group."""

from __future__ import annotations

import json
import subprocess
import typing as t

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
    from pathlib import Path

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
RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
[dag] = DagBag(sys.argv[1]).dags.values()
run = dag.test()
states = {f"{ti.task_id} {ti.map_index}": ti.state for ti in run.get_task_instances()}
print(json.dumps([run.state, states]))
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


def run(airflow: str, code: str, folder: Path, variables: dict[str, str]) -> t.Any:
    """Run some code in Airflow's environment, and return what it prints last."""
    command = [airflow, "-c", code, str(folder)]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


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
    assert run(airflow, STRUCTURE, folder, variables) == EXPECTED


@pytest.mark.nightly
def test_a_task_for_each_member(
    installed: Path,
    airflow: str,
    variables: dict[str, str],
    group: Sandbox,
    database: str,
) -> None:
    """Airflow runs one after the other here; the one without a plan fails alone."""
    folder = installed / "examples" / "workspaces" / "airflow"
    migrate = [airflow, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=variables, check=True)
    state, tasks = run(airflow, RUN, folder, variables)
    assert state == "failed"
    failed = accepted(group).index(unpaid(group))
    names = [f"load {number}" for number in range(len(accepted(group)))]
    assert tasks == {
        name: "failed" if name == f"load {failed}" else "success"
        for name in ("tables -1", "members -1", *names)
    }
    check_tables(group, database)
