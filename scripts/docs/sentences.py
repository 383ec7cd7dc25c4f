"""The sentences that the tap says of what goes wrong, as its code has them."""

from __future__ import annotations

import ast
import itertools
import re
import typing as t
from functools import cache
from pathlib import Path

import yaml
from singer_sdk import mapper

from scripts.docs.markdown import table
from tap_instantly.api.vendor import INSTANTLY

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CODE = Path(__file__).parents[2] / "tap_instantly"

OTHER_COMMANDS = {"attention", "sandbox", "target"}
"""Packages whose sentences no run of the tap ends with."""

REMEDIES = Path(__file__).with_name("remedies.yml")

PROSE = re.compile(r"[\w}.\u2026][`',;:]? [`'({\w]")
"""What tells words for people from names: two of them, one after the other."""

FOR_PEOPLE_BEFORE = ("description", "title", "help")
"""Arguments whose text is shown before anything goes wrong."""

LEVELS = ("warning", "error", "critical")

ELLIPSIS = "\u2026"


class UnexplainedError(Exception):
    """A sentence without cause and remedy, or the other way round."""


def sentences(code: Path = CODE) -> dict[str, str]:
    """Return each text for people in the code, and where it stands.

    What differs from case to case is an ellipsis in it.

    Args:
        code: The package.
    """
    found: dict[str, str] = {}
    for path in sorted(code.rglob("*.py")):
        where = path.relative_to(code)
        if where.parts[0] not in OTHER_COMMANDS:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for text, line in _texts(tree):
                found.setdefault(text, f"{where}:{line}")
    return found


def sentences_of_sdk() -> dict[str, str]:
    """Return what the SDK says of stream maps, and where."""
    found = {}
    tree = ast.parse(Path(mapper.__file__).read_text(encoding="utf-8"))
    blocks = [
        block
        for node in ast.walk(tree)
        for name in ("body", "orelse")
        if isinstance(block := getattr(node, name, None), list)
    ]
    for said, raised in itertools.chain.from_iterable(map(itertools.pairwise, blocks)):
        is_raised = isinstance(raised, ast.Raise) and ast.unparse(raised).startswith(
            ("raise MapExpressionError", "raise StreamMapConfigError")
        )
        if is_raised and isinstance(said, ast.Assign):
            found[_text(said.value)] = f"{mapper.__name__}:{said.lineno}"
    return found


def _texts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the texts below a node, which end nothing before the run."""
    for node in ast.iter_child_nodes(tree):
        is_docstring = isinstance(node, ast.Expr) and isinstance(
            node.value, ast.Constant
        )
        is_shown_before = isinstance(node, ast.keyword) and (
            node.arg in FOR_PEOPLE_BEFORE
        )
        if is_docstring or is_shown_before or _is_quiet(node):
            continue
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            text = _text(node)
            if PROSE.search(text):
                yield re.sub("%[sd.0-9f]+|{[^}]*}", ELLIPSIS, text), node.lineno
        else:
            yield from _texts(node)


def _is_quiet(node: ast.AST) -> bool:
    """Tell a line of the log that says of nothing that it is wrong."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value).endswith(("logger", "logging"))
        and node.func.attr not in LEVELS
    )


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.FormattedValue):
        return _of_vendor(ast.unparse(node.value))
    text = str(t.cast("ast.Constant", node).value)
    return re.sub(r"\{(vendor\.\w+)\}", lambda match: _of_vendor(match[1]), text)


def _of_vendor(expression: str) -> str:
    """Return what an expression is for Instantly, if it is about the vendor."""
    _, _, name = expression.partition("vendor.")
    return str(getattr(INSTANTLY, name, ELLIPSIS)) if name else ELLIPSIS


def explained(section: str) -> Iterator[str]:
    """Yield the table of a section: sentences with cause and remedy."""
    rows = [
        (entry["says"], entry["cause"], entry["remedy"])
        for entry in remedies()["sections"][section]
    ]
    return table(("the log says", "cause", "what to do"), rows)


def check(code: Path = CODE) -> None:
    """See that each sentence is explained, and each explanation needed.

    Raises:
        UnexplainedError: If not.
    """
    found, given = sentences(code) | sentences_of_sdk(), remedies()
    known = {
        entry["says"] for section in given["sections"].values() for entry in section
    }
    known |= {*given["pieces"]}
    for text, where in found.items():
        if text not in known:
            msg = f"{where} says what {REMEDIES.name} does not explain: {text}"
            raise UnexplainedError(msg)
    for text in sorted(known - found.keys()):
        msg = f"{REMEDIES.name} explains what no code says: {text}"
        raise UnexplainedError(msg)


@cache
def remedies() -> dict[str, t.Any]:
    """Return the sections with their sentences, and the pieces of sentences."""
    content: dict[str, t.Any] = yaml.safe_load(REMEDIES.read_text(encoding="utf-8"))
    return content
