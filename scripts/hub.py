"""What MeltanoHub says of a plugin: `python -m scripts.hub tap-instantly --repo URL`.

The settings are those of the plugin itself, the SDK's included; the rest is what
`meltano.yml` declares.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import typing as t
from importlib import metadata
from pathlib import Path

import yaml
from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from tap_instantly.attention.tap import TapAttention
from tap_instantly.attention.target import TargetAttention
from tap_instantly.tap import TapInstantly
from tap_instantly.target.target import TargetInstantly

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, t.Any]

MELTANO = Path(__file__).parent.parent / "meltano.yml"

PLUGINS = {
    plugin.name: plugin
    for plugin in (TapInstantly, TargetInstantly, TapAttention, TargetAttention)
}

DOMAINS = {
    "Attention": "https://docs.attention.com",
    "Instantly": "https://developer.instantly.ai",
}
"""Where each of the services describes its API."""


def entry(name: str, repository: str, project: Json) -> Json:
    """Return the entry of a plugin, in the order in which the Hub sorts it.

    Args:
        name: The plugin's, such as `target-instantly`.
        repository: The address of this repository, whose owner is the variant.
        project: The content of `meltano.yml`.

    Raises:
        KeyError: If there is no such plugin.
    """
    kind = "extractors" if name.startswith("tap-") else "loaders"
    plugins = {each["name"]: each for each in project["plugins"][kind]}
    plugin = plugins[name]
    service = plugin["label"]
    hub = {
        "domain_url": DOMAINS[service],
        "keywords": ["meltano_sdk"],
        "logo_url": f"/assets/logos/{kind}/{service.lower()}.png",
        "maintenance_status": "active",
        "pip_url": "tap-instantly",
        "quality": "unknown",
        "repo": repository,
        "settings": sorted(_settings(_with_those_of_the_sdk(name)), key=_name),
        "settings_preamble": "",
        "supported_python_versions": _python_versions(),
        "usage": "",
        "next_steps": "",
        "variant": repository.rstrip("/").split("/")[-2].lower(),
    }
    return dict(sorted((plugin | hub).items()))


def faults(entry: Json, schemas: Path) -> list[str]:
    """Return what is wrong with an entry by the Hub's own JSON schemas.

    Args:
        entry: What `entry` returns.
        schemas: The directory `schemas` of a clone of MeltanoHub.
    """
    kind = "loaders" if entry["name"].startswith("target-") else "extractors"
    registry: Registry[t.Any] = Registry().with_resources(
        (file.as_uri(), DRAFT7.create_resource(_content(file)))
        for file in schemas.resolve().rglob("*.schema.json")
    )
    first = schemas.resolve() / "plugin_definitions" / f"{kind}.schema.json"
    validator = Draft7Validator({"$ref": first.as_uri()}, registry=registry)
    return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(entry)]


def _content(file: Path) -> Json:
    """Return a schema; its relative references are to the files beside it."""
    content: Json = json.loads(file.read_text(encoding="utf-8"))
    return content | {"$id": file.as_uri()}


def _with_those_of_the_sdk(name: str) -> Json:
    """Return the schema of all settings of a plugin."""
    schema = copy.deepcopy(PLUGINS[name].config_jsonschema)
    PLUGINS[name].append_builtin_config(schema)
    return schema


def _settings(schema: Json, prefix: str = "") -> Iterator[Json]:
    """Yield a plugin's settings; of an object with fields of its own, the fields."""
    for name, declared in schema["properties"].items():
        kind = _kind(declared)
        if declared.get("properties") and declared.get("additionalProperties") is True:
            yield from _settings(declared, f"{prefix}{name}.")
            continue
        title = declared.get("title", name.replace("_", " ").capitalize())
        setting = {
            "description": declared["description"],
            "kind": kind,
            "label": title,
            "name": prefix + name,
        }
        if kind == "options":
            values = [value for value in declared["enum"] if value is not None]
            setting["options"] = [
                {"label": each or "None", "value": each} for each in values
            ]
        if kind == "password":
            setting["sensitive"] = True
        if "default" in declared and name != "user_agent":
            setting["value"] = declared["default"]
        yield setting


def _kind(declared: Json) -> str:
    """Return what the Hub calls the type of a setting."""
    if declared.get("secret"):
        return "password"
    if "enum" in declared:
        return "options"
    if declared.get("format") == "date-time":
        return "date_iso8601"
    types = {*declared.get("type", ["string"])} - {"null"}
    [name] = types if len(types) == 1 else ["string"]
    return {"number": "decimal"}.get(name, name)


def _name(setting: Json) -> str:
    return str(setting["name"])


def _python_versions() -> list[str]:
    """Return the versions of Python that the package's classifiers name."""
    classifiers = metadata.metadata("tap-instantly").get_all("Classifier") or []
    versions = [each.rpartition(" :: ")[2] for each in classifiers]
    return [version for version in versions if version.startswith("3.")]


def main() -> None:
    """Print the entry; end with 1 if the Hub's schemas refuse it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plugin", help="tap-instantly, target-instantly and so on")
    parser.add_argument("--repo", required=True, help="address of this repository")
    parser.add_argument(
        "--schemas",
        type=Path,
        help="the directory `schemas` of a clone of MeltanoHub, to check against",
    )
    arguments = parser.parse_args()
    project = yaml.safe_load(MELTANO.read_text(encoding="utf-8"))
    made = entry(arguments.plugin, arguments.repo, project)
    yaml.safe_dump(made, sys.stdout, sort_keys=False, width=100)
    if arguments.schemas and (wrong := faults(made, arguments.schemas)):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
