"""Markdown: tables, and the blocks of a page that a function makes."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

BLOCK = re.compile(r"<!-- made: (.+?) -->\n.*?<!-- end -->", re.DOTALL)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    names = list(header)
    yield _line(names)
    yield "|" + "---|" * len(names)
    yield from map(_line, rows)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def fill(text: str, makers: Mapping[str, Callable[..., Iterator[str]]]) -> str:
    """Return a page with its blocks made anew.

    Args:
        text: The page.
        makers: What makes a block, by the name that its first line has; the words
            after the name are the arguments.
    """

    def make(match: re.Match[str]) -> str:
        words = match[1]
        name = max(filter(words.startswith, makers), key=len)
        lines = makers[name](*words[len(name) :].split())
        return "\n".join([f"<!-- made: {words} -->", "", *lines, "", "<!-- end -->"])

    return BLOCK.sub(make, text)
