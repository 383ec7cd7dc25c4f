"""The labels as dlt reads them: `with_dlt.py CONFIG lead_labels`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import orjson
from dlt.sources.rest_api import rest_api_source

PATHS = {"lead_labels": "lead-labels"}


def main(config_file: str, stream: str) -> None:
    """Write all rows of a stream."""
    config = json.loads(Path(config_file).read_text(encoding="utf-8"))
    source = rest_api_source(
        {
            "client": {
                "base_url": config["api_url"],
                "auth": {"type": "bearer", "token": config["api_key"]},
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "next_starting_after",
                    "cursor_param": "starting_after",
                },
            },
            "resources": [
                {
                    "name": stream,
                    "endpoint": {
                        "path": PATHS[stream],
                        "params": {"limit": 100},
                        "data_selector": "items",
                    },
                }
            ],
        }
    )
    write = sys.stdout.buffer.write
    for row in source.resources[stream]:
        write(
            orjson.dumps(
                {"type": "RECORD", "stream": stream, "record": row},
                option=orjson.OPT_APPEND_NEWLINE,
            )
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
