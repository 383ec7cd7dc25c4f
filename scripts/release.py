"""What the release workflow needs to know of a version, and writes into it.

`notes v1.2.3` prints what the changelog says of that version; `urls ADDRESS` puts the
address of the repository into `pyproject.toml`, where the package's page finds it.
"""

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Sequence

ARGUMENTS = 2


def notes(tag: str, project: str, changelog: str) -> str:
    """Return what the changelog says of a version.

    Args:
        tag: The version after a `v`.
        project: The content of `pyproject.toml`.
        changelog: That of `CHANGELOG.md`, with a section `## 1.2.3 - 2026-01-31`.

    Raises:
        ValueError: If the project has another version, or the changelog has none.
    """
    version = tag.removeprefix("v")
    declared = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    if declared is None or f"v{declared[1]}" != tag:
        message = f"The tag is {tag}, but pyproject.toml has another version."
        raise ValueError(message)
    for section in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        if re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", title):
            return text.strip() + "\n"
    message = f"CHANGELOG.md has no section '## {version} - <date>'."
    raise ValueError(message)


def with_urls(project: str, address: str) -> str:
    """Return `pyproject.toml` with what is to be found in the repository.

    Args:
        project: The content of `pyproject.toml`.
        address: Where the repository is.

    Raises:
        ValueError: If the project has no table of addresses.
    """
    table = "[project.urls]\n"
    if table not in project:
        message = "pyproject.toml has no table [project.urls]."
        raise ValueError(message)
    pages = {
        "Repository": "",
        "Documentation": "/tree/main/docs",
        "Changelog": "/blob/main/CHANGELOG.md",
        "Issues": "/issues",
    }
    lines = [f'"{name}" = "{address}{path}"\n' for name, path in pages.items()]
    return project.replace(table, table + "".join(lines))


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    """Do one of the two."""
    if len(arguments) != ARGUMENTS or arguments[0] not in {"notes", "urls"}:
        sys.exit("Usage: python -m scripts.release notes TAG | urls ADDRESS")
    command, value = arguments
    file = Path("pyproject.toml")
    project = file.read_text(encoding="utf-8")
    try:
        if command == "notes":
            changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
            print(notes(value, project, changelog), end="")
        else:
            file.write_text(with_urls(project, value), encoding="utf-8")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
