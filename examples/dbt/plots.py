"""Draw plots from the marts in a DuckDB file, the same file for the same rows."""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes

Rows = list[tuple[Any, ...]]

STYLE: Any = {
    "svg.hashsalt": "dbt",
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLORS = {
    "positive": "#2a7f62",
    "neutral": "#c9b458",
    "negative": "#b5523b",
    "none": "#c8ccd0",
}
WIDTH = 6.5
ROW = 0.26


def stacked(
    axes: Axes,
    names: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    colors: Mapping[str, str],
) -> None:
    """Draw a row of parts, one after the other, for each name, the first at the top."""
    left = [0.0] * len(names)
    for part, widths in parts.items():
        axes.barh(range(len(names)), widths, 0.7, left, label=part, color=colors[part])
        left = [start + width for start, width in zip(left, widths, strict=True)]
    name_rows(axes, names)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Put the names, which may repeat, beside the rows, the first at the top."""
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()


def label_funnel(rows: Rows) -> Figure:
    """Of those first written to in a week, how many carry which kind of label?"""
    weeks = sorted({week for week, _, _ in rows})
    counts = {(week, sentiment): leads for week, sentiment, leads in rows}
    kinds = {
        "positive label": "positive",
        "neutral label": "neutral",
        "negative label": "negative",
        "no label": None,
    }
    figure, axes = new(len(weeks) + 2)
    stacked(
        axes,
        [f"{week:%d %b %Y}" for week in weeks],
        {
            name: [counts.get((week, sentiment), 0) for week in weeks]
            for name, sentiment in kinds.items()
        },
        dict(zip(kinds, COLORS.values(), strict=True)),
    )
    axes.set_xlabel("leads, by the week of the first e-mail to them")
    return figure


def reply_rates(rows: Rows) -> Figure:
    """Which campaigns are answered, and how many of the answers are good?"""
    figure, axes = new(len(rows))
    for place, (label, color) in enumerate(
        [("replied", COLORS["none"]), ("replied positively", COLORS["positive"])], 1
    ):
        rates = [row[place] for row in rows]
        axes.barh(range(len(rows)), rates, 0.7, label=label, color=color)
    name_rows(axes, [row[0] for row in rows])
    axes.set_xlabel("percent of the leads written to, automatic replies not counted")
    return figure


def steps(rows: Rows) -> Figure:
    """Which step and which variant is answered?"""
    variants: dict[int, dict[int, float]] = defaultdict(dict)
    for step, variant, rate in rows:
        variants[variant][step] = rate
    figure, axes = new(9)
    width = 0.8 / len(variants)
    greens = ("#2a7f62", "#7fb8a4", "#bcd9cf")
    for place, (variant, rates) in enumerate(sorted(variants.items())):
        axes.bar(
            [step + (place - (len(variants) - 1) / 2) * width for step in rates],
            list(rates.values()),
            width * 0.9,
            label=f"variant {chr(ord('A') + variant)}",
            color=greens[place % len(greens)],
        )
    numbers = sorted({step for step, _, _ in rows})
    axes.set_xticks(numbers, [f"step {number + 1}" for number in numbers])
    axes.set_ylabel("replied, percent of the leads written to")
    return figure


def mailboxes(rows: Rows) -> Figure:
    """Which mailboxes bounce, and which have a problem?"""
    figure, axes = new(len(rows))
    drawn = axes.barh(
        range(len(rows)),
        [rate for _, rate, _ in rows],
        0.7,
        color=[COLORS["negative" if problem else "none"] for _, _, problem in rows],
    )
    problems = [problem or "" for _, _, problem in rows]
    axes.bar_label(drawn, problems, padding=3, color=COLORS["negative"])
    name_rows(axes, [row[0] for row in rows])
    axes.margins(x=0.2)
    axes.set_xlabel("bounced in the last 28 days, percent of the e-mails sent")
    return figure


def lists(rows: Rows) -> Figure:
    """What are the addresses of the lists worth?"""
    colors = {
        "verified": COLORS["positive"],
        "risky or catch-all": COLORS["neutral"],
        "invalid or left the job": COLORS["negative"],
        "not verified": COLORS["none"],
    }
    figure, axes = new(len(rows))
    parts = {part: [row[place] for row in rows] for place, part in enumerate(colors, 1)}
    stacked(axes, [row[0] for row in rows], parts, colors)
    axes.set_xlabel("leads")
    return figure


def waiting(rows: Rows) -> Figure:
    """For how long have replies waited for an answer?"""
    weeks = range(max(weeks for weeks, _, _ in rows) + 1)
    counts = {(week, sentiment): replies for week, sentiment, replies in rows}
    figure, axes = new(9)
    bottom = [0.0] * len(weeks)
    for sentiment, color in COLORS.items():
        key = None if sentiment == "none" else sentiment
        heights = [counts.get((week, key), 0) for week in weeks]
        name = "no label" if key is None else sentiment
        axes.bar(weeks, heights, 0.8, bottom, label=name, color=color)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.set_xlabel("full weeks of waiting")
    axes.set_ylabel("replies without an answer")
    axes.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    return figure


def new(rows: int) -> tuple[Figure, Axes]:
    """Return an empty figure that is high enough for some rows."""
    figure = Figure(figsize=(WIDTH, 1 + ROW * rows), layout="constrained")
    return figure, figure.add_subplot()


PLOTS: dict[str, tuple[Callable[[Rows], Figure], str]] = {
    "label-funnel": (
        label_funnel,
        """
        SELECT week, sentiment, CAST(sum(leads) AS integer)
        FROM main_marts.label_funnel
        GROUP BY ALL
        ORDER BY ALL
        """,
    ),
    "reply-rates": (
        reply_rates,
        """
        SELECT
            campaign_name,
            CAST(reply_rate AS double),
            CAST(positive_reply_rate AS double)
        FROM main_marts.campaign_totals
        WHERE leads > 0
        ORDER BY reply_rate DESC, campaign_id
        """,
    ),
    "steps": (
        steps,
        """
        SELECT step, variant, 100.0 * sum(replied) / sum(leads)
        FROM main_marts.campaign_performance
        WHERE step IS NOT NULL AND subsequence_id IS NULL
        GROUP BY ALL
        HAVING sum(leads) > 0
        ORDER BY ALL
        """,
    ),
    "mailboxes": (
        mailboxes,
        """
        SELECT mailbox, CAST(coalesce(bounce_rate_28_days, 0) AS double), problem
        FROM main_marts.mailbox_health
        WHERE sent_28_days > 0 OR problem IS NOT NULL
        ORDER BY bounce_rate_28_days DESC NULLS LAST, mailbox
        """,
    ),
    "lists": (
        lists,
        """
        SELECT
            list_name,
            verified,
            risky + catch_all,
            invalid + job_change,
            pending + not_verified
        FROM main_marts.list_quality
        WHERE leads > 0
        ORDER BY verified_rate DESC, list_id
        """,
    ),
    "waiting": (
        waiting,
        """
        SELECT days_waiting // 7, sentiment, count(*)
        FROM main_marts.unanswered_replies
        GROUP BY ALL
        ORDER BY ALL
        """,
    ),
}
"""How each plot is drawn, and from what."""


def draw(database: str, directory: Path) -> None:
    """Draw all plots of which there are rows.

    Args:
        database: The DuckDB file with the marts.
        directory: Where the plots go.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # A query must not take a function of this file for the table of that name.
    config: dict[str, Any] = {"python_enable_replacements": False}
    with duckdb.connect(database, read_only=True, config=config) as connection:
        for name, (plot, query) in PLOTS.items():
            rows = connection.execute(query).fetchall()
            if not rows:
                print(f"{name}: there are no rows to draw.")  # noqa: T201 - it says so
                continue
            with mpl.rc_context(STYLE):
                figure = plot(rows)
                if figure.axes[0].get_legend_handles_labels()[0]:
                    figure.legend(loc="outside upper center", ncols=4, frameon=False)
                path = directory / f"{name}.svg"
                figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    """Draw the plots, or say in one sentence what is in the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=Path("output/plots"))
    parser.add_argument("--database", default=os.environ.get("DBT_DUCKDB_PATH"))
    arguments = parser.parse_args()
    if not arguments.database or not Path(arguments.database).is_file():
        sys.exit(f"There is no file {arguments.database}; load it first (--database).")
    try:
        draw(arguments.database, arguments.directory)
    except duckdb.CatalogException:
        sys.exit(f"{arguments.database} has no marts; run dbt:build first.")
    except duckdb.IOException as error:
        sys.exit(str(error).partition("\n")[0])


if __name__ == "__main__":
    main()
