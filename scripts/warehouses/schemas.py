"""Print the SCHEMA message of each stream, flattened with `--flattened`."""

from __future__ import annotations

import json
import sys

from tap_instantly.settings import MAX_COLUMN_NAME
from tap_instantly.tap import TapInstantly

FLATTENED = {
    "flattening_enabled": True,
    "flattening_max_depth": 9,
    "flattening_max_key_length": MAX_COLUMN_NAME,
}


def main() -> None:
    """Print the messages."""
    config = FLATTENED if "--flattened" in sys.argv else {}
    for stream in TapInstantly(config=config, validate_config=False).streams.values():
        stream.selected = True
        [stream_map] = stream.stream_maps
        message = {
            "type": "SCHEMA",
            "stream": stream.name,
            "schema": stream_map.transformed_schema,
            "key_properties": [*stream.primary_keys],
        }
        print(json.dumps(message))


if __name__ == "__main__":
    main()
