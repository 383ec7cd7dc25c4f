"""What was measured, as tables in Markdown."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.measuring import Spread


FAILED = "failed"
"""Stands in a table for what did not work; stderr says why."""


@dataclass(frozen=True)
class Figure:
    """A ratio or a size, and what is wanted of it."""

    name: str
    value: Spread
    bound: float
    is_most: bool = False
    """Whether the bound is the most that is wanted rather than the least."""

    @property
    def is_met(self) -> bool:
        """Whether the median is as wanted."""
        median = self.value.median
        return median <= self.bound if self.is_most else median >= self.bound

    @property
    def row(self) -> tuple[str, ...]:
        """The figure as a table shows it."""
        sign = "at most" if self.is_most else "at least"
        met = "yes" if self.is_met else "no"
        return self.name, self.value.written(), f"{sign} {self.bound:g}", met


@dataclass
class Section:
    """What one part of the benchmark has found."""

    title: str
    says: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)
    """The names of the files."""

    def written(self) -> str:
        """Return the section in Markdown."""
        parts = [f"## {self.title}", self.says, table(self.columns, self.rows)]
        if self.figures:
            columns = ("median (least to most)", "measured", "wanted", "met")
            parts.append(table(columns, [figure.row for figure in self.figures]))
        parts += [f"![{self.title}]({name})" for name in self.plots]
        return "\n\n".join(parts)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown: text to the left, all else to the right."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    lines = [" | ".join(cells) for cells in (columns, rule, *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def head(command: str, versions: Mapping[str, str]) -> str:
    """Say when, where, how and with what was measured."""
    today = datetime.now(timezone.utc).date().isoformat()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        "# Benchmarks\n\n"
        f"{today}, {python}, {machine}; {packages}.\n\n"
        f"Made by `{command}`. The ratios tell more than the seconds."
    )


def write(
    sections: Iterable[Section],
    command: str,
    versions: Mapping[str, str],
    directory: Path,
) -> Path:
    """Write the results of a command to a file and return its path."""
    path = directory / "results.md"
    parts = [head(command, versions), *(section.written() for section in sections)]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path
