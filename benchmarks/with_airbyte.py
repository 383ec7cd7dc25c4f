"""The labels as an Airbyte connector reads them: `read --config ... --catalog ...`."""

from __future__ import annotations

import sys
from pathlib import Path

from airbyte_cdk.entrypoint import AirbyteEntrypoint, launch
from airbyte_cdk.sources.declarative.yaml_declarative_source import (
    YamlDeclarativeSource,
)

MANIFEST = Path(__file__).with_name("airbyte.yaml")


def main(arguments: list[str]) -> None:
    """Do what the arguments say."""
    source = YamlDeclarativeSource(
        path_to_yaml=str(MANIFEST),
        catalog=YamlDeclarativeSource.read_catalog(
            AirbyteEntrypoint.extract_catalog(arguments)
        ),
        config=YamlDeclarativeSource.read_config(
            AirbyteEntrypoint.extract_config(arguments)
        ),
    )
    launch(source, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
