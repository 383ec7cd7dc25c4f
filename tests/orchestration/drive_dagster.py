"""Do once what Dagster's daemon does: list the members, and load each of them.

It runs in the environment of Dagster, and writes to a file which partitions succeed.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
from workspaces import defs, each_member, members

instance = dg.DagsterInstance.get()
defs.resolve_job_def("list_members").execute_in_process(instance=instance)
event = instance.get_latest_materialization_event(members.key)
requests = [*each_member(dg.build_sensor_context(instance=instance), event)]
load = defs.resolve_job_def("load_workspace")


def run(request: dg.RunRequest) -> bool:
    """Load one workspace."""
    result = load.execute_in_process(
        instance=instance,
        partition_key=request.partition_key,
        raise_on_error=False,
    )
    return bool(result.success)


with ThreadPoolExecutor(len(requests)) as pool:
    successes = [*pool.map(run, requests)]
outcome = {
    request.partition_key: success
    for request, success in zip(requests, successes, strict=True)
}
Path(sys.argv[1]).write_text(json.dumps(outcome), encoding="utf-8")
