"""What is measured and how much of it: everything follows from a few numbers."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LONG_ROUNDS = 3


@dataclass(frozen=True)
class Plan:
    """How large the workspaces are, and how often each thing is run."""

    directory: Path
    """Holds the files that the contenders are given."""
    out: Path
    """Where the plots go."""
    python: Path = Path(sys.executable)
    """The interpreter beside which the tap is installed."""
    rounds: int = 5
    rows: int = 100_000
    """Labels, and leads; all other sizes are in proportion."""
    latency: float = 0.1
    """Seconds that an answer takes where waiting is measured."""
    cache: Path | None = None
    """Holds the environments of Airbyte and dlt; None: without these two."""
    streams: tuple[str, ...] = ()
    """The streams that are selected where all would be; none: all."""
    say: Callable[[str], object] = field(default=print)

    @property
    def long_rounds(self) -> int:
        """How often things are run that take minutes."""
        return min(self.rounds, _LONG_ROUNDS)

    @property
    def short_rounds(self) -> int:
        """How often things are run that take less than a second."""
        return 3 * self.rounds - 2

    def share(self, part: int) -> int:
        """Return one row in so many, but a few at least."""
        return max(2, self.rows // part)

    def workspace(self) -> dict[str, Any]:
        """Return the sizes of a large workspace."""
        return {
            "labels": self.share(100),
            "lists": self.share(2_000),
            "campaigns": self.share(500),
            "accounts": self.share(200),
            "leads": self.rows,
            "emails": self.share(500),
            "strict": True,
        }

    def file(self, name: str, content: object) -> Path:
        """Write JSON to a file and return its path."""
        path = self.directory / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path
