"""What a release says of itself."""

from __future__ import annotations

import subprocess
import sys
import typing as t

import pytest

from scripts.release import notes, with_urls
from tests.test_meltano import REPOSITORY

if t.TYPE_CHECKING:
    from pathlib import Path

PROJECT = 'name = "x"\nversion = "1.2.0"\n\n[project.urls]\n"A" = "https://a"\n'
CHANGELOG = """# Changelog

## Unreleased

- Not yet.

## 1.2.0 - 2026-12-01

### Added

- A stream.

## 1.1.0 - 2026-11-01

- Older.
"""


def test_notes() -> None:
    """They are the section of the version, without its title."""
    assert notes("v1.2.0", PROJECT, CHANGELOG) == "### Added\n\n- A stream.\n"


@pytest.mark.parametrize("tag", ["v1.1.0", "1.2.0", "v1.2.0rc1"])
def test_a_tag_of_another_version(tag: str) -> None:
    """It is refused: the package would not be what the tag says."""
    with pytest.raises(ValueError, match="another version"):
        notes(tag, PROJECT, CHANGELOG)


def test_no_notes() -> None:
    """A version of which the changelog says nothing is not released."""
    changelog = CHANGELOG.replace("## 1.2.0 - 2026-12-01", "## 1.2.0")
    with pytest.raises(ValueError, match=r"no section '## 1.2.0 - <date>'"):
        notes("v1.2.0", PROJECT, changelog)


def test_addresses(tmp_path: Path) -> None:
    """The built package says where its repository is."""
    file = tmp_path / "pyproject.toml"
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    file.write_text(project, encoding="utf-8")
    address = "https://example.com/northwind/tap-instantly"
    script = str(REPOSITORY / "scripts" / "release.py")
    subprocess.run([sys.executable, script, "urls", address], cwd=tmp_path, check=True)
    assert file.read_text(encoding="utf-8") == with_urls(project, address)
    assert f'"Repository" = "{address}"\n' in file.read_text(encoding="utf-8")
