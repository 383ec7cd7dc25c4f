"""The commands that are measured: the tap, and what it is measured beside."""

from __future__ import annotations

import json
import subprocess
import venv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import FailedError, measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measuring import Command, Feed, Run
    from benchmarks.plan import Plan

Json = dict[str, Any]

HERE = Path(__file__).parent
REQUIREMENTS = {
    "ours": ("--editable", str(HERE.parent), "orjson"),
    "airbyte": ("airbyte-cdk~=7.39",),
    "dlt": ("dlt~=1.31", "orjson"),
}
"""What each environment holds; the SDK is quicker to import where there is no NumPy."""
PACKAGES = {
    "ours": ("tap-instantly", "singer-sdk", "requests", "orjson"),
    "airbyte": ("airbyte-cdk",),
    "dlt": ("dlt",),
}
"""What is to be told of the versions in each."""
NOT_INSTALLED = "not installed"
_LONGEST_INSTALLATION = 900
_VERSIONS = """
import importlib.metadata, sys
for name in sys.argv[1:]:
    print(name, importlib.metadata.version(name))
"""


@cache
def _discovered(command: tuple[str, ...]) -> str:
    return subprocess.run(  # noqa: S603 - the benchmark's own commands
        [*command, "--discover"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


def catalog(
    command: Command,
    config: Path,
    *,
    only: tuple[str, ...] = (),
    but: tuple[str, ...] = (),
) -> Json:
    """Return a tap's catalog with some of its streams, which are selected."""
    arguments = (*map(str, command), "--config", str(config))
    found = json.loads(_discovered(arguments))["streams"]
    streams = [
        one
        for one in found
        if (not only or one["tap_stream_id"] in only)
        and one["tap_stream_id"] not in but
    ]
    for stream in streams:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = True
    return {"streams": streams}


def program(plan: Plan) -> Path:
    """Return the installed command."""
    return plan.python.with_name("tap-instantly")


def tap(
    plan: Plan,
    config: Json,
    *,
    only: tuple[str, ...] = (),
    but: tuple[str, ...] = (),
    state: Json | None = None,
) -> list[str | Path]:
    """Return the command that runs the tap."""
    config_file = plan.file("tap-config.json", config)
    chosen = catalog([program(plan)], config_file, only=only or plan.streams, but=but)
    files = {"config": config_file, "catalog": plan.file("tap-catalog.json", chosen)}
    if state is not None:
        files["state"] = plan.file("tap-state.json", state)
    command: list[str | Path] = [program(plan)]
    for name, file in files.items():
        command += [f"--{name}", file]
    return command


def plain(plan: Plan, config: Json, stream: str) -> list[str | Path]:
    """Return the command of the tap that the SDK's template gives."""
    own = {name: config[name] for name in ("api_url", "api_key")}
    command = [plan.python, HERE / "plain.py"]
    config_file = plan.file("plain-config.json", own)
    chosen = catalog(command, config_file, only=(stream,))
    catalog_file = plan.file("plain-catalog.json", chosen)
    return [*command, "--config", config_file, "--catalog", catalog_file]


def bare(plan: Plan, config: Json, stream: str) -> list[str | Path]:
    """Return the command of the loop without an SDK."""
    file = plan.file("bare-config.json", config)
    return [plan.python, HERE / "bare.py", file, stream]


def airbyte(plan: Plan, config: Json, python: Path) -> list[str | Path]:
    """Return the command of the Airbyte connector, which reads the labels."""
    own = {name: config[name] for name in ("api_url", "api_key")}
    stream = {
        "name": "lead_labels",
        "json_schema": {},
        "supported_sync_modes": ["full_refresh"],
    }
    entry = {
        "stream": stream,
        "sync_mode": "full_refresh",
        "destination_sync_mode": "append",
    }
    config_file = plan.file("airbyte-config.json", own)
    catalog_file = plan.file("airbyte-catalog.json", {"streams": [entry]})
    command: list[str | Path] = [python, HERE / "with_airbyte.py", "read"]
    return [*command, "--config", config_file, "--catalog", catalog_file]


def dlt(plan: Plan, config: Json, python: Path) -> list[str | Path]:
    """Return the command of the dlt source, which reads the labels."""
    file = plan.file("dlt-config.json", config)
    return [python, HERE / "with_dlt.py", file, "lead_labels"]


def environment(plan: Plan, name: str) -> Path:
    """Return the Python of a contender's own environment, made if there is none.

    Raises:
        FailedError: If it cannot be made.
    """
    if plan.cache is None:
        raise FailedError(NOT_INSTALLED)
    directory = plan.cache / name
    python = directory / "bin" / "python"
    plan.say(f"installing {name}")
    try:
        if not python.exists():
            venv.create(directory, with_pip=True)
        subprocess.run(  # noqa: S603 - the benchmark's own commands
            [python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]],
            check=True,
            capture_output=True,
            timeout=_LONGEST_INSTALLATION,
        )
    except (OSError, subprocess.SubprocessError):
        raise FailedError(NOT_INSTALLED) from None
    return python


def versions(plan: Plan) -> dict[str, str]:
    """Return the versions of what was measured, where it is installed."""
    found: dict[str, str] = {}
    for name, packages in PACKAGES.items():
        python = plan.python
        if name != "ours":
            python = (plan.cache or plan.directory) / name / "bin" / "python"
        if python.exists():
            done = subprocess.run(  # noqa: S603 - the benchmark's own commands
                [python, "-c", _VERSIONS, *packages],
                check=False,
                capture_output=True,
                text=True,
            )
            found |= dict(line.split() for line in done.stdout.splitlines())
    return found


def expecting(
    records: int, command: Command, feed: Feed | None = None
) -> Callable[[], Run]:
    """Return what runs a command that must write so many records."""

    def run() -> Run:
        done = measure(command, feed=feed)
        if done.records != records:
            message = f"{done.records} records, not {records}"
            raise FailedError(message)
        return done

    return run
