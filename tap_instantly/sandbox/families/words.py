"""The words that rows are made of, and an answer that hardly changes."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

WORDS: dict[str, Any] = json.loads(
    files(__package__).joinpath("words.json").read_text(encoding="utf-8")
)
