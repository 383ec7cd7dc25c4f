"""A partition for each member workspace of a group, loaded by `workspaces.sh`."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

SCRIPT = Path(__file__).parent.parent / "workspaces.sh"

workspaces = dg.DynamicPartitionsDefinition(name="workspaces")
retries = dg.RetryPolicy(max_retries=2, delay=float(os.getenv("RETRY_DELAY", "60")))


@dg.asset(retry_policy=retries)
def members(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The members that have accepted are the partitions, and their tables exist."""
    subprocess.run([SCRIPT, "tables"], check=True)
    done = subprocess.run([SCRIPT, "list"], check=True, stdout=subprocess.PIPE)
    listed = set(done.stdout.decode().split())
    known = set(context.instance.get_dynamic_partitions(workspaces.name))
    context.instance.add_dynamic_partitions(workspaces.name, sorted(listed - known))
    for gone in known - listed:
        context.instance.delete_dynamic_partition(workspaces.name, gone)
    return dg.MaterializeResult(metadata={"members": len(listed)})


@dg.asset(
    deps=[members], partitions_def=workspaces, pool="instantly", retry_policy=retries
)
def workspace(context: dg.AssetExecutionContext) -> None:
    """The rows of one workspace."""
    subprocess.run([SCRIPT, "load", context.partition_key], check=True)


list_members = dg.define_asset_job("list_members", [members])
load_workspace = dg.define_asset_job("load_workspace", [workspace])


@dg.asset_sensor(asset_key=members.key, job=load_workspace)
def each_member(
    context: dg.SensorEvaluationContext, event: dg.EventLogEntry
) -> Iterator[dg.RunRequest]:
    """Load every member whenever the list has been brought up to date."""
    for member in context.instance.get_dynamic_partitions(workspaces.name):
        yield dg.RunRequest(f"{event.run_id}-{member}", partition_key=member)


defs = dg.Definitions(
    assets=[members, workspace],
    jobs=[list_members, load_workspace],
    schedules=[dg.ScheduleDefinition(job=list_members, cron_schedule="0 3 * * *")],
    sensors=[each_member],
)
