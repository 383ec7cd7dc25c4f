"""The shell loop over the members of a group."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from tests.orchestration.conftest import (
    Interruption,
    accepted,
    check_tables,
    environment,
    killed,
    readable,
    unpaid,
)

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox

SCRIPT = "examples/workspaces/workspaces.sh"


def test_all_members(installed: Path, group: Sandbox, database: str) -> None:
    """Each is loaded by a run of its own; what fails fails alone, and is named.

    A run that is killed is begun again, and nothing is lost or doubled.
    """
    variables = environment(group, TARGET_POSTGRES_SQLALCHEMY_URL=database)
    done = subprocess.run(
        [SCRIPT, "all"],
        cwd=installed,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 123, done.stderr
    failed = [line for line in done.stderr.splitlines() if "failed: see" in line]
    assert len(failed) == 1
    assert f"Workspace {unpaid(group)} failed: see " in failed[0]
    log = Path(failed[0].split("failed: see ")[1]).read_text(encoding="utf-8")
    assert f"HTTP 402 from /lead-labels of workspace {unpaid(group)}" in log
    asked = {request.workspace for request in group.requests}
    assert asked == {"", *accepted(group)}
    check_tables(group, database)

    workspace = readable(group)[3]
    for stream in ("lead_labels", "leads"):
        group.group.tables(workspace)[stream].add_many(150)
    interruption = Interruption(group, workspace)
    load = [SCRIPT, "load", workspace]
    with subprocess.Popen(load, cwd=installed, env=variables) as process:
        assert interruption.reached.wait(120)
        with killed(process, workspace):
            assert process.wait() == 1
            interruption.end()
            subprocess.run(load, cwd=installed, env=variables, check=True)
    check_tables(group, database)


def test_a_wrong_key(installed: Path, group: Sandbox) -> None:
    """There is no list then, and not an empty one, after which all would be well."""
    variables = environment(group, TAP_INSTANTLY_API_KEY="bm9ib2R5OnNlY3JldA==")
    done = subprocess.run(
        [SCRIPT, "list"], cwd=installed, env=variables, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"401" in done.stderr
