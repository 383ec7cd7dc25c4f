"""Write what the dbt project knows of the tap's tables, from the tap's schemas."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIRECTORY = Path(__file__).parent.parent / "examples" / "dbt" / "models" / "sources"
NOTICE = "Written by `python -m scripts.dbt_sources` from the tap's schemas."

_HEAD = f"""\
# {NOTICE}
version: 2

sources:
  - name: instantly
    description: The tables that the tap's streams become.
    schema: "{{{{ var('tap_schema', target.schema) }}}}"
    tables:
"""


def kind(definition: Mapping[str, t.Any]) -> str:
    """Return what a column holds, in the words of the macro `tap_table`."""
    types = definition["type"]
    [json_type] = {types} if isinstance(types, str) else {*types} - {"null"}
    if json_type == "string":
        return {"date-time": "timestamp", "date": "date"}.get(
            definition.get("format", ""), "text"
        )
    return "json" if json_type in ("array", "object") else str(json_type)


def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    sources, blocks = [_HEAD], [f"<!-- {NOTICE} -->\n"]
    for lines, text in map(_table, _schemas(), _schemas().values()):
        sources += lines
        blocks += text
    return {"sources.yml": "".join(sources), "columns.md": "".join(blocks)}


def _schemas() -> dict[str, dict[str, t.Any]]:
    """Return the schema of each stream, in the order of their names."""
    streams = TapInstantly(config={}, validate_config=False).streams
    return {name: streams[name].schema for name in sorted(streams)}


def _table(name: str, schema: Mapping[str, t.Any]) -> tuple[Iterator[str], ...]:
    """Return the lines about a table, and its descriptions as blocks for dbt."""
    columns = schema["properties"]

    def lines() -> Iterator[str]:
        yield f"      - name: {name}\n"
        yield f"        description: \"{{{{ doc('{name}') }}}}\"\n"
        yield "        columns:\n"
        for column, definition in columns.items():
            yield f"          - name: {json.dumps(column)}\n"
            yield f"            data_type: {kind(definition)}\n"
            yield f"            description: \"{{{{ doc('{name}__{column}') }}}}\"\n"

    def blocks() -> Iterator[str]:
        for block, text in (
            (name, schema["description"]),
            *(
                (f"{name}__{column}", definition["description"])
                for column, definition in columns.items()
            ),
        ):
            yield f"\n{{% docs {block} %}}\n{text}\n{{% enddocs %}}\n"

    return lines(), blocks()


def main() -> None:
    """Write the files."""
    for name, text in files().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
