"""The wheel as a user installs it, in an environment that has nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tests.conftest import Output, environment_for
from tests.test_meltano import REPOSITORY

UV = str(Path(sys.executable).with_name("uv"))

Run = t.Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment into which the built wheel has been installed."""
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*build, "-w", str(directory), str(REPOSITORY)], check=True)
    [wheel] = directory.glob("tap_instantly-*.whl")
    environment = directory / "venv"
    create = ["venv", "--quiet", "--python", sys.executable, str(environment)]
    subprocess.run([UV, *create], check=True)
    install = ["pip", "install", "--quiet", "--python", str(environment), str(wheel)]
    subprocess.run([UV, *install], check=True)
    return environment


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Run:
    """Return a function that runs a command of that environment, in a directory."""

    def run(command: str, *arguments: str, **more: t.Any) -> t.Any:
        return subprocess.run(
            [environment / "bin" / command, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            **more,
        )

    return run


def test_it_reads(run: Run) -> None:
    """The tap needs no extra: it discovers its streams and reads them."""
    catalog = json.loads(run("tap-instantly", "--discover").stdout)
    assert len(catalog["streams"]) == len(STREAMS)
    with Sandbox(labels=3, lists=2, leads=5, emails=5, strict=True) as sandbox:
        done = run("tap-instantly", env=environment_for(sandbox))
    assert done.returncode == 0, done.stderr
    assert len(Output(done.stdout).records("lead_labels")) == 3


@pytest.mark.parametrize("name", ["target-instantly", "tap-attention"])
def test_the_others_start(run: Run, name: str) -> None:
    """So do the other plugins."""
    done = run(name, "--about", "--format", "json")
    assert json.loads(done.stdout)["name"] == name


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("attention-sandbox", "sandbox"),
        ("instantly-sandbox", "sandbox"),
        ("source-instantly", "airbyte"),
    ],
)
def test_an_extra_that_is_missing(run: Run, command: str, extra: str) -> None:
    """What needs more packages says which extra brings them."""
    arguments = ["serve"] if command == "instantly-sandbox" else ["spec"]
    done = run(command, *arguments)
    assert done.returncode == 1
    assert f"pip install 'tap-instantly[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_is_typed(environment: Path) -> None:
    """A type checker reads the hints of the installed package."""
    assert list(environment.rglob("site-packages/tap_instantly/py.typed"))
    metadata = next(environment.rglob("tap_instantly-*/METADATA")).read_text("utf-8")
    assert "Classifier: Typing :: Typed" in metadata
