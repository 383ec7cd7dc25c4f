"""The picture of the layers: what imports what, as pyproject.toml has it checked."""

from __future__ import annotations

import ast
import re
import textwrap
import typing as t
from html import escape
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

CONTRACT = re.compile(
    r'^name = "The tap\'s layers".+?^layers = (\[.+?^\])', re.MULTILINE | re.DOTALL
)

APART = "sandbox"
"""What stands beside the layers, and shares no code with them."""

WIDTH, SIDE, LINE, GAP, MARGIN = 720, 190, 13, 12, 16
FONT = "font-family='Helvetica, Arial, sans-serif'"


def layers(pyproject: str) -> list[list[str]]:
    """Return the modules of each layer, the topmost first."""
    (written,) = CONTRACT.findall(pyproject)
    return [layer.split(" | ") for layer in ast.literal_eval(written)]


def _purpose(module: str) -> str:
    """Return what a module or package says that it is."""
    package = ROOT / "tap_instantly" / module
    path = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def _lines(module: str, width: int) -> list[str]:
    return textwrap.wrap(_purpose(module), width // 7)


def svg() -> Iterator[str]:
    """Yield the lines of the picture."""
    boxes = []
    y = MARGIN
    for modules in layers((ROOT / "pyproject.toml").read_text(encoding="utf-8")):
        width = (WIDTH - GAP * (len(modules) - 1)) // len(modules)
        lines = max(len(_lines(module, width)) for module in modules)
        height = 28 + LINE * lines
        for place, module in enumerate(modules):
            boxes.append((module, MARGIN + place * (width + GAP), y, width, height))
        y += height + GAP
    bottom = y - GAP - MARGIN
    boxes.append((APART, WIDTH + 2 * MARGIN, MARGIN, SIDE, bottom))
    whole, high = WIDTH + SIDE + 3 * MARGIN, bottom + 2 * MARGIN
    yield (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {whole} {high}' "
        f"width='{whole}' height='{high}' role='img' {FONT}>"
    )
    yield "<title>The layers: each imports only from those below it</title>"
    yield f"<rect width='{whole}' height='{high}' fill='#ffffff'/>"
    for module, x, top, width, height in boxes:
        colour = "#2e8540" if module == APART else "#1f5fbf"
        yield (
            f"<rect x='{x}' y='{top}' width='{width}' height='{height}' rx='4' "
            f"fill='#f6f8fa' stroke='{colour}' stroke-width='1.4'/>"
            f"<text x='{x + 8}' y='{top + 18}' font-size='13' font-weight='bold' "
            f"fill='{colour}'>{escape(module)}</text>"
        )
        for number, line in enumerate(_lines(module, width)):
            yield (
                f"<text x='{x + 8}' y='{top + 34 + LINE * number}' font-size='11' "
                f"fill='#24292f'>{escape(line)}</text>"
            )
    yield "</svg>"
