"""Do once what Dagster's daemon does: list the members, and load each of them.

It runs in the environment of Dagster, and writes to a file which partitions succeed.
"""

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import dagster as dg
from workspaces import defs, each_member

POOL = "instantly"


def requested() -> list[str]:
    """List the members, and return the partitions that the sensor wants to be run."""
    with dg.DagsterInstance.get() as instance:
        listing = defs.resolve_job_def("list_members")
        listing.execute_in_process(instance=instance)
        # Before the first run, as the daemon does: runs that do it at once make more
        # places than the limit has.
        instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        with (
            dg.partition_loading_context(dynamic_partitions_store=instance),
            dg.build_sensor_context(
                instance=instance, repository_def=defs.get_repository_def()
            ) as context,
        ):
            requests = each_member.evaluate_tick(context).run_requests
    return [request.partition_key for request in requests]


def load(partition: str) -> bool:
    """Load one workspace."""
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("load_workspace").execute_in_process(
            instance=instance, partition_key=partition, raise_on_error=False
        )
    return bool(result.success)


if __name__ == "__main__":
    partitions = requested()
    context = multiprocessing.get_context("fork")  # which spares them the imports
    with ProcessPoolExecutor(len(partitions), context) as pool:
        outcome = dict(zip(partitions, pool.map(load, partitions), strict=True))
    Path(sys.argv[1]).write_text(json.dumps(outcome), encoding="utf-8")
