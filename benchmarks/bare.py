"""A list of the API in RECORD messages, without an SDK: `bare.py CONFIG STREAM`."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

import orjson
import requests

PATHS = {"lead_labels": "/lead-labels", "campaigns": "/campaigns"}


def main(config_file: str, stream: str) -> None:
    """Write all rows of a stream."""
    config = json.loads(Path(config_file).read_text(encoding="utf-8"))
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {config['api_key']}"
    params = {"limit": "100"}
    while True:
        response = session.get(config["api_url"] + PATHS[stream], params=params)
        response.raise_for_status()
        page = orjson.loads(response.content)
        now = datetime.now(timezone.utc).isoformat()
        lines = [
            orjson.dumps(
                {
                    "type": "RECORD",
                    "stream": stream,
                    "record": row,
                    "time_extracted": now,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for row in page["items"]
        ]
        sys.stdout.buffer.write(b"".join(lines))
        cursor = page.get("next_starting_after")
        if not cursor:
            return
        params["starting_after"] = cursor


if __name__ == "__main__":
    main(*sys.argv[1:])
