"""The command `instantly-sandbox`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from click.testing import CliRunner

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.requesting import Row

CLI = [sys.executable, "-m", "tap_instantly.sandbox.cli"]


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `instantly-sandbox`; what is left of it at the end is killed."""
    with subprocess.Popen(
        [*CLI, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `instantly-sandbox` in an environment without a key."""
    return subprocess.run(
        [*CLI, *arguments],
        env=clean_environment() | env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        input="from stdin",
    )


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what the CLI looks at or sets."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAP_INSTANTLY_", "MELTANO_"))
    }


PRINT_PAGE = """
import os, urllib.request
request = urllib.request.Request(
    os.environ["TAP_INSTANTLY_API_URL"] + "/lead-labels?limit=100",
    headers={
        "Authorization": "Bearer " + os.environ["TAP_INSTANTLY_API_KEY"],
        "User-Agent": "test",
    },
)
print(urllib.request.urlopen(request).read().decode())
"""
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
EXIT_ON_SIGNAL = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: sys.exit(40 + number))
print("ready", flush=True)
sys.stdin.read()
"""


class TestCommand:
    def test_run_gives_the_command_a_sandbox(self) -> None:
        done = run("run", "--", sys.executable, "-c", PRINT_PAGE)
        assert len(json.loads(done.stdout)["items"]) == 40
        assert (done.returncode, done.stderr) == (0, "")

    def test_options_stand_on_either_side(self) -> None:
        command = ["--", sys.executable, "-c", PRINT_PAGE]
        before = run("--labels", "3", "--seed=9", "--order", "oldest", "run", *command)
        after = run("run", "--labels=3", "--seed", "9", "--order=oldest", *command)
        both = run(
            "--labels=7", "--seed=9", "run", "--labels=3", "--order=oldest", *command
        )
        rows = Sandbox(seed=9, labels=3).labels.rows[::-1]
        for done in (before, after, both):
            assert json.loads(done.stdout)["items"] == rows

    def test_every_option_arrives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started: list[Sandbox] = []

        def start(sandbox: Sandbox) -> None:
            started.append(sandbox)

        monkeypatch.setattr(Sandbox, "start", start)
        monkeypatch.setattr(Sandbox, "stop", lambda _: None)
        values: Row = {
            "order": "oldest",
            "cursor": "id",
            "comparison": "inclusive",
            "end": "null",
            "encoding": "symbols",
            "timestamps": "mixed",
            "unknown_id": "empty",
            "short_pages": 3,
            "duplicate_entries": "kept",
            "hidden_reads": 2,
            "hidden_seconds": 1.5,
            "latency": 0.5,
            "requests_per_second": 8,
            "requests_per_minute": 9,
            "emails_per_minute": 20,
            "retry_after": "10",
            "port": 4321,
        }
        options = [f"--{name.replace('_', '-')}={values[name]}" for name in values]
        data = ["--seed=5", "--labels=6", "--lists=7", "--ties=2", "--strict"]
        data += ["--no-duplicate-names", "--no-trimmed-tags", "--no-omits-nulls"]
        data += ["--renumber-labels", "--reassignment-required", "--empty-patches"]
        sizes = (
            *("campaigns", "accounts", "leads", "emails"),
            *("tags", "subsequences", "blocked"),
        )
        data += [f"--{name}={number}" for number, name in enumerate(sizes, start=3)]
        arguments = [*options, *data, "run", "--", "true"]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        (sandbox,) = started
        assert {name: getattr(sandbox, name) for name in values} == values
        assert sandbox.strict
        switched_off = ("duplicate_names", "trimmed_tags", "omits_nulls")
        assert not any(getattr(sandbox, name) for name in switched_off)
        switched_on = ("renumber_labels", "reassignment_required", "empty_patches")
        assert all(getattr(sandbox, name) for name in switched_on)
        sandbox.omits_nulls = True
        twin = Sandbox(seed=5, labels=6, lists=7, ties=2, timestamps="mixed")
        assert sandbox.labels.rows == twin.labels.rows
        assert sandbox.lists.rows == twin.lists.rows
        names = (*sizes[:4], "custom_tags", "subsequences", "block_list_entries")
        assert [len(sandbox.tables[name]) for name in names] == [*range(3, 10)]

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_fault(self, where: str) -> None:
        fault = ["--fault", "lead-lists:500", "--fault", "lead-labels:402"]
        command = ["--", sys.executable, "-c", PRINT_PAGE]
        done = (
            run(*fault, "run", *command)
            if where == "before"
            else run("run", *fault, *command)
        )
        assert "HTTP Error 402" in done.stderr

    def test_environment(self) -> None:
        command = ["--", sys.executable, "-c", PRINT_ENVIRONMENT]
        given = json.loads(run("run", *command, TAP_INSTANTLY_API_KEY="own").stdout)
        assert given["MELTANO_ENVIRONMENT"] == "sandbox"
        assert given["TAP_INSTANTLY_API_URL"].startswith("http://127.0.0.1:")
        assert given["TAP_INSTANTLY_API_KEY"] == Sandbox().key
        chosen = json.loads(run("run", *command, MELTANO_ENVIRONMENT="mine").stdout)
        assert chosen["MELTANO_ENVIRONMENT"] == "mine"

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            (None, "own"),
            ("TAP_INSTANTLY_API_KEY=own\n", ""),
            ('A=1\nexport TAP_INSTANTLY_API_KEY = "own"\n', ""),
        ],
    )
    def test_unless_key_with_a_key(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        text: str | None,
        key: str,
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        monkeypatch.chdir(tmp_path)
        if text:
            (tmp_path / ".env").write_text(text)
        command = [sys.executable, "-c", PRINT_ENVIRONMENT + "; raise SystemExit(5)"]
        done = run("run", "--unless-key", "--", *command, TAP_INSTANTLY_API_KEY=key)
        given = json.loads(done.stdout)
        assert given["TAP_INSTANTLY_API_KEY"] == key
        assert not {"TAP_INSTANTLY_API_URL", "MELTANO_ENVIRONMENT"} & set(given)
        assert done.stderr.count("\n") == 1
        assert (".env" if text else "environment") in done.stderr
        assert "own" not in done.stderr
        assert done.returncode == 5

    @pytest.mark.parametrize(
        "text",
        [
            None,
            "TAP_INSTANTLY_API_KEY=\nA=1\n",
            "TAP_INSTANTLY_API_KEY=''\n",
            "# TAP_INSTANTLY_API_KEY=own\n",
        ],
    )
    def test_unless_key_without_a_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        monkeypatch.chdir(tmp_path)
        if text:
            (tmp_path / ".env").write_text(text)
        done = run("run", "--unless-key", "--", sys.executable, "-c", PRINT_ENVIRONMENT)
        assert json.loads(done.stdout)["TAP_INSTANTLY_API_KEY"] == Sandbox().key
        assert "sandbox" in done.stderr
        assert done.stderr.count("\n") == 1

    def test_standard_streams_and_exit_code_are_the_commands(self) -> None:
        code = "import sys; print(sys.stdin.read()); sys.stderr.write('e'); exit(7)"
        done = run("run", "--", sys.executable, "-c", code)
        assert (done.stdout, done.stderr) == ("from stdin\n", "e")
        assert done.returncode == 7

    def test_the_command_may_stand_without_dashes(self) -> None:
        assert run("run", sys.executable, "-c", "raise SystemExit(8)").returncode == 8

    def test_death_by_a_signal(self) -> None:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        assert run("run", "--", sys.executable, "-c", code).returncode == 137

    def test_a_command_that_does_not_exist(self) -> None:
        done = run("run", "--", "no-such-command")
        assert done.returncode == 127
        assert done.stderr == "Error: The command no-such-command does not exist.\n"

    def test_a_command_that_cannot_run(self, tmp_path: Path) -> None:
        done = run("run", "--", str(tmp_path))
        assert done.returncode == 126
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals_are_passed_on(self, number: signal.Signals) -> None:
        with started("run", "--", sys.executable, "-c", EXIT_ON_SIGNAL) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.wait(10) == 40 + number

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("subcommand", [["serve"], []])
    def test_serve(self, number: signal.Signals, subcommand: list[str]) -> None:
        with started(*subcommand, "--labels=2") as process:
            assert process.stdout
            url, key = (
                process.stdout.readline().strip().partition("=")[2] for _ in range(2)
            )
            headers = {"Authorization": f"Bearer {key}"}
            body = requests.get(
                url + "/lead-labels", headers=headers, timeout=10
            ).json()
            assert body["items"] == Sandbox(labels=2).labels.rows
            process.send_signal(number)
            assert process.wait(10) == 0
            assert process.stdout.read() == ""

    @pytest.mark.skipif(sys.platform != "linux", reason="threads have ids of processes")
    def test_serve_when_another_thread_is_struck(self) -> None:
        with started("serve", "--labels=2") as process:
            assert process.stdout
            assert process.stdout.readline()
            tasks = Path(f"/proc/{process.pid}/task")
            other = max(int(task.name) for task in tasks.iterdir())
            assert other != process.pid
            os.kill(other, signal.SIGTERM)
            assert process.wait(10) == 0

    def test_port(self, sandbox: Sandbox) -> None:
        for command in (["serve"], ["run", "--", "true"]):
            done = run("--port", str(sandbox.port), *command)
            assert done.returncode == 1
            reason = f"Cannot listen on port {sandbox.port}: Address already in use."
            assert done.stderr == f"Error: {reason}\n"

    @pytest.mark.parametrize("text", ["nonsense", "lead-labels:nonsense"])
    def test_bad_fault(self, text: str) -> None:
        done = run("run", "--fault", text, "--", "true")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "--fault" in done.stderr

    def test_without_aiohttp(self) -> None:
        code = (
            "import sys; sys.modules['aiohttp'] = None; sys.argv = ['x', 'serve'];"
            "from tap_instantly.sandbox.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "pip install 'tap-instantly[sandbox]'" in done.stderr
        assert done.stderr.count("\n") == 1
