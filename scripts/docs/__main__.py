"""The command: `python -m scripts.docs`, or with `--check`, which writes nothing.

A page says between `<!-- made: NAME ARGUMENTS -->` and `<!-- end -->` what a function
returns; the rest of it is written by hand.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import click

from scripts.docs import architecture, diagram, measured, pages, sentences
from scripts.docs.markdown import fill
from scripts.docs.tables import families

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]

BLOCKS: dict[str, Callable[..., Iterator[str]]] = {
    "explained": sentences.explained,
    "families": pages.stream_families,
    "family": pages.family,
    "first loads": measured.first_loads,
    "quick start": pages.quick_start,
    "requests": measured.requests,
    "settings": pages.settings,
}
"""What makes the block of a name."""

PICTURES = {"tables.svg": diagram.svg, "architecture.svg": architecture.svg}

PLOTS = ("growth-campaigns.svg", "growth-labels.svg")
"""Plots of the benchmark, of which the site needs copies."""


def made() -> Iterator[tuple[Path, str]]:
    """Yield each file that is made, or has made blocks, and what it should hold."""
    sentences.check()
    docs = ROOT / "docs"
    new = "# {0.title}\n\n<!-- made: family {0.name} -->\n<!-- end -->\n"
    begins = {docs / "tables" / each.page: new.format(each) for each in families()}
    for path in sorted({ROOT / "README.md", *docs.rglob("*.md"), *begins}):
        text = path.read_text(encoding="utf-8") if path.exists() else begins[path]
        yield path, fill(text, BLOCKS)
    for name, picture in PICTURES.items():
        yield docs / "images" / name, "\n".join(picture()) + "\n"
    for name in PLOTS:
        yield (
            docs / "images" / name,
            (ROOT / "benchmarks" / name).read_text(encoding="utf-8"),
        )


@click.command()
@click.option(
    "--check", is_flag=True, help="Say what is out of date, and write nothing."
)
def main(*, check: bool) -> None:
    """Write the parts of README and docs that follow from the code."""
    try:
        files = dict(made())
    except sentences.UnexplainedError as error:
        sys.exit(str(error))
    stale = [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'is out of date' if check else 'written'}")
        if not check:
            path.write_text(files[path], encoding="utf-8")
    if check and stale:
        sys.exit("Run: python -m scripts.docs")


if __name__ == "__main__":
    main()
