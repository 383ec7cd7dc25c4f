"""How a listing is read: what the real API does, and what it might do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Order = Literal["newest", "oldest", "mixed"]
Cursor = Literal["timestamp", "id"]
Comparison = Literal["strict", "inclusive"]
End = Literal["present", "absent", "null", "empty"]
Encoding = Literal["z", "offset", "symbols"]
Timestamps = Literal["ms", "mixed"]

CHOICES: dict[str, tuple[str, ...]] = {
    "order": get_args(Order),
    "cursor": get_args(Cursor),
    "comparison": get_args(Comparison),
    "end": get_args(End),
    "encoding": get_args(Encoding),
    "timestamps": get_args(Timestamps),
}


@dataclass(eq=False)
class Behaviour:
    """How a listing is read; every attribute may change between two requests."""

    order: Order = "newest"
    """By time of creation, or `mixed`: by a hash that has nothing to do with it."""
    cursor: Cursor = "timestamp"
    """What the cursor names: the time of the page's last row, or its id."""
    comparison: Comparison = "strict"
    """Whether rows at the cursor itself come again (`inclusive`) or not."""
    end: End = "present"
    """What the last page with rows carries for a cursor."""
    encoding: Encoding = "z"
    """How a cursor is written: a time with Z or with +00:00; `symbols` appends
    characters to any cursor that do not survive without percent-encoding."""
    timestamps: Timestamps = "ms"
    """How rows write `timestamp_created`: always alike, or in four ways by turns."""
    short_pages: int | None = None
    """Pages of 1 to `limit` rows; the number selects which random sizes."""

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse a value that no listing knows."""
        allowed = CHOICES.get(name)
        if allowed and value not in allowed:
            message = f"{name} is one of {', '.join(allowed)}, not {value!r}."
            raise ValueError(message)
        super().__setattr__(name, value)
