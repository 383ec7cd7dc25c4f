"""The entries for MeltanoHub, as far as they can be checked without its schemas."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from importlib import resources

import pytest
import yaml
from jsonschema import Draft7Validator

from scripts.hub import PLUGINS, entry, faults
from tests.test_meltano import REPOSITORY

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Json

URL = "https://example.com/Northwind/tap-instantly"
PROJECT = yaml.safe_load((REPOSITORY / "meltano.yml").read_text(encoding="utf-8"))
COMMAND = [sys.executable, "-m", "scripts.hub"]
MELTANO_SCHEMA = json.loads(
    (resources.files("meltano") / "schemas" / "meltano.schema.json").read_text()
)

every_plugin = pytest.mark.parametrize("name", PLUGINS)


@every_plugin
def test_all_settings(name: str) -> None:
    """The entry has each setting that Meltano may set; secrets are passwords."""
    made = entry(name, URL, PROJECT)
    settings = {setting["name"]: setting for setting in made["settings"]}
    assert list(settings) == sorted(settings)
    declared = PLUGINS[name].config_jsonschema["properties"]
    assert declared.keys() <= {each.partition(".")[0] for each in settings}
    assert "stream_maps" in settings
    for setting in settings.values():
        assert setting["description"]
        assert (setting["kind"] == "password") == setting.get("sensitive", False)
        assert (setting["name"] == "api_key") == (setting["kind"] == "password")


@every_plugin
def test_meltano_takes_it(name: str) -> None:
    """A project that has the entry as a plugin is right by Meltano's own schema."""
    made = entry(name, URL, PROJECT)
    kind = "extractors" if name.startswith("tap-") else "loaders"
    of_the_hub = {"domain_url", "maintenance_status", "quality", "keywords", "usage"}
    of_the_hub |= {"next_steps", "settings_preamble", "supported_python_versions"}
    plugin = {k: v for k, v in made.items() if k not in of_the_hub}
    project = {"version": 1, "plugins": {kind: [plugin]}}
    assert not list(Draft7Validator(MELTANO_SCHEMA).iter_errors(project))
    plugin["name"] = 1
    assert list(Draft7Validator(MELTANO_SCHEMA).iter_errors(project))


def test_the_variant_is_the_owner() -> None:
    """The Hub names a variant after the owner of the repository."""
    assert entry("tap-instantly", f"{URL}/", PROJECT)["variant"] == "northwind"


def test_schemas_are_obeyed(tmp_path: Path) -> None:
    """What the Hub's schemas refuse is an error, also through a reference."""
    made: Json = entry("tap-instantly", URL, PROJECT)
    for path, schema in {
        "plugin_definitions/extractors.schema.json": {
            "$id": "extractors.schema.json",
            "allOf": [{"$ref": "../common/common.schema.json"}],
        },
        "common/common.schema.json": {
            "$id": "common/common.schema.json",
            "properties": {"quality": {"enum": ["gold"]}},
        },
    }.items():
        file = tmp_path / path
        file.parent.mkdir()
        file.write_text(json.dumps(schema), encoding="utf-8")
    assert faults(made | {"quality": "gold"}, tmp_path) == []
    assert faults(made, tmp_path) == ["$.quality: 'unknown' is not one of ['gold']"]
    done = subprocess.run(
        [*COMMAND, "tap-instantly", "--repo", URL, "--schemas", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert yaml.safe_load(done.stdout) == made
    assert "$.quality" in done.stderr
