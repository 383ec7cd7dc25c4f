"""Plots, which are the same file for the same figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_STYLE: Any = {
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


STYLES = ("o-", "x--")
"""Of the lines of a plot, which may lie on one another."""


def lines(
    path: Path, of: str, series: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Draw seconds against a number of something, both axes logarithmic."""
    import matplotlib as mpl  # noqa: PLC0415 - slow, and not needed by all sections
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.5, 3), layout="constrained")
        axes = figure.add_subplot()
        for style, (name, points) in zip(STYLES, series.items(), strict=False):
            counts, seconds = zip(*points, strict=True)
            axes.loglog(counts, seconds, style, markersize=4, label=name)
        counts, seconds = zip(*next(iter(series.values())), strict=True)
        proportional = [seconds[-1] * count / counts[-1] for count in counts]
        axes.loglog(counts, proportional, ":", color="gray", label="proportional")
        axes.set_xlabel(of)
        axes.set_ylabel("seconds")
        axes.grid(visible=True, linewidth=0.3)
        axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def bars(path: Path, of: str, values: Mapping[str, float]) -> None:
    """Draw a bar for each of some values, the first at the top."""
    import matplotlib as mpl  # noqa: PLC0415 - slow, and not needed by all sections
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.5, 0.5 + 0.3 * len(values)), layout="constrained")
        axes = figure.add_subplot()
        drawn = axes.barh(list(values), list(values.values()), height=0.6)
        axes.bar_label(drawn, fmt="{:,.0f}", padding=3)
        axes.invert_yaxis()
        axes.set_xlabel(of)
        axes.set_xticks([])
        axes.margins(x=0.15)
        figure.savefig(path, format="svg", metadata={"Date": None})
