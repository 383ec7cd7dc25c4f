r"""The standard tests of Airbyte's CDK, for source-instantly as a command.

In an environment with `airbyte` and `pytest`:

    instantly-sandbox run --emails 5 -- \
        <python> -m pytest -c /dev/null --rootdir . -k 'not docker' scripts/airbyte

`--source` names the command.
"""

from __future__ import annotations

import json
import os
import subprocess
import types
import typing as t
from pathlib import Path

import pytest
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase
from typing_extensions import override

RIGHT = {
    "api_key": os.environ["TAP_INSTANTLY_API_KEY"],
    "api_url": os.environ["TAP_INSTANTLY_API_URL"],
}

SCENARIOS = {
    "succeed": (RIGHT, ("spec", "connection", "discovery", "basic_read")),
    "failed": ({**RIGHT, "api_key": "unknown-to-Instantly"}, ("connection",)),
}
"""Settings, and the tests that they are for, by what is to come of a check."""


class TestSourceInstantly(SourceTestSuiteBase):  # type: ignore[misc]  # not installed
    """The tests that need neither an image nor a class of the CDK."""

    @override
    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return Path(__file__).parent

    @override
    @classmethod
    def create_connector(cls, scenario: object) -> object:
        return types.SimpleNamespace(spec=cls.create_connector)

    @pytest.fixture(autouse=True)
    def _command(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Run the command where the CDK would call a class."""
        command = request.config.getoption("--source")

        def run(args: list[str], **_: t.Any) -> entrypoint_wrapper.EntrypointOutput:
            done = subprocess.run(
                [command, *args], capture_output=True, text=True, check=False
            )
            error = None
            if done.returncode:
                error = subprocess.CalledProcessError(done.returncode, command)
            return entrypoint_wrapper.EntrypointOutput(
                messages=done.stdout.splitlines(), uncaught_exception=error
            )

        monkeypatch.setattr(entrypoint_wrapper, "_run_command", run)

    @pytest.fixture(params=SCENARIOS)
    def scenario(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> ConnectorTestScenario:
        """Return settings, and what is to come of them."""
        config, sections = SCENARIOS[request.param]
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        return ConnectorTestScenario(
            config_path=file, status=request.param, sections=sections
        )
