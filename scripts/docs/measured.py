"""What the benchmark has measured, and what follows from the limits."""

from __future__ import annotations

import re
import typing as t
from functools import cache
from pathlib import Path

from scripts.docs.markdown import table
from scripts.docs.tables import cost, families
from tap_instantly.api.rate_limit import ENDPOINT_LIMITS, MARGIN
from tap_instantly.settings import MAX_REQUESTS_PER_MINUTE

if t.TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results.md"

ROW = re.compile(
    r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \| [\d,]+ \| [\d,]+ \|$", re.MULTILINE
)

NOT_MEASURED = ("not yet counted", "not yet counted")


@cache
def _requests() -> dict[str, tuple[str, str]]:
    text = RESULTS.read_text(encoding="utf-8").partition("\n## Requests\n")[2]
    return {name: (first, again) for name, first, again in ROW.findall(text)}


def requests_of(stream: str) -> tuple[str, str]:
    """Return how many requests a first run took, and the run after it."""
    return _requests().get(stream, NOT_MEASURED)


def requests() -> Iterator[str]:
    """Yield a table of what a request brings, and how many were counted."""
    rows = [
        (
            f"[`{stream.name}`](tables/{family.page}#{stream.name})",
            cost(stream),
            *requests_of(stream.name),
        )
        for family in families()
        for stream in family.streams
    ]
    return table(("stream", "a request brings", "first run", "next run"), rows)


PAGE = 100
"""Rows of a page."""

HOUR = 60
"""Minutes of an hour."""

FIRST_LOADS = (
    ("1,000 `emails`", "/emails", 1_000 // PAGE),
    ("100,000 `emails`", "/emails", 100_000 // PAGE),
    ("1,000,000 `emails`", "/emails", 1_000_000 // PAGE),
    ("100,000 `leads`", "", 100_000 // PAGE + 40),
    ("1,000,000 `leads`", "", 1_000_000 // PAGE + 40),
    ("a year of `account_analytics_daily`, 500 mailboxes", "", 3 * 13),
    ("a year of `campaign_analytics_daily`, 200 campaigns", "", 200 * 13),
    ("`account_campaign_mappings`, 500 mailboxes", "", 500),
)
"""What is loaded, the endpoint whose limit decides, and the requests that it takes."""


def first_loads() -> Iterator[str]:
    """Yield a table of how long some first loads take at least."""
    default: t.Any = MAX_REQUESTS_PER_MINUTE.default
    rows = []
    for what, path, count in FIRST_LOADS:
        per_minute = ENDPOINT_LIMITS.get(path, default) * MARGIN
        at_least = _duration(count / per_minute)
        rows.append((what, f"{count:,}", _number(per_minute), at_least))
    header = ("first load", "requests", "requests a minute", "at least")
    return table(header, rows)


def _duration(minutes: float) -> str:
    if minutes < 1:
        return f"{minutes * 60:.0f} s"
    if minutes < HOUR:
        return f"{_number(minutes)} minutes"
    return f"{_number(minutes / HOUR)} hours"


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
