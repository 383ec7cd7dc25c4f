"""README and docs say what the code does."""

from __future__ import annotations

import io
import re
import shutil
import typing as t
from pathlib import Path

import pytest
import requests

pytest.importorskip("benchmarks")  # no part of the source distribution

from scripts.docs import links, sentences
from scripts.docs.__main__ import made
from scripts.docs.diagram import COLUMNS, NOT_DRAWN, svg
from scripts.docs.measured import first_loads
from scripts.docs.tables import columns, families, joins, tables
from tap_instantly.api.errors import api_error
from tap_instantly.settings import SETTINGS
from tap_instantly.tap import TapInstantly
from tap_instantly.validation import validation_errors

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
TROUBLESHOOTING = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)")

MAX_LINES = 200


EXPLAINED = [
    re.compile(re.escape(cell.replace("\\|", "|")).replace("…", ".+"))
    for cell in re.findall(r"^\| (.+?) \| .+ \| .+ \|$", TROUBLESHOOTING, re.MULTILINE)
]
"""A pattern for each sentence in the tables of the page."""


def is_explained(sentence: str) -> bool:
    """Tell whether a sentence that the tap has said is on the page."""
    return any(pattern.fullmatch(sentence) for pattern in EXPLAINED)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


def test_nothing_is_out_of_date() -> None:
    """`python -m scripts.docs` would change nothing."""
    for path, text in made():
        assert path.read_text(encoding="utf-8") == text, path


def test_the_readme_is_short() -> None:
    """A newcomer reads it to its end."""
    assert len(README.splitlines()) <= MAX_LINES


def test_the_readme_has_every_setting() -> None:
    """Those of `--about`, but for the SDK's own."""
    named = re.findall(
        r"^\| `(\w+)` \|", README.partition("## Settings")[2], re.MULTILINE
    )
    declared = TapInstantly.config_jsonschema["properties"]
    assert named == list(SETTINGS.to_dict()["properties"])
    assert {*named} <= {*declared}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_into_the_docs(name: str) -> None:
    """They lead to files, and to headings on them; the site's own are checked by CI."""
    for address, anchor in LINK.findall((REPOSITORY / name).read_text("utf-8")):
        to = REPOSITORY / (address or name)
        assert to.exists(), address
        assert not anchor or anchor in anchors_of(to), f"{address}#{anchor}"


def test_every_page_is_in_the_navigation() -> None:
    """And every entry of the navigation has its page."""
    navigation = (REPOSITORY / "zensical.toml").read_text(encoding="utf-8")
    named = re.findall(r'= "([\w/-]+\.md)"', navigation)
    assert sorted(named) == sorted(
        str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")
    )


def test_every_page_of_tables_has_a_family() -> None:
    """A family that is gone leaves no page behind."""
    pages = {path.name for path in (DOCS / "tables").glob("*.md")}
    assert pages == {"index.md", *(family.page for family in families())}


def test_the_diagram() -> None:
    """It has thirty tables, all that are read by default, and each join among them."""
    names = [name for column in COLUMNS for name in column]
    assert len({*names}) == len(names) == 30
    assert {s.name for s in tables().values() if s.selected_by_default} <= {*names}
    drawn = [
        join
        for join in joins()
        if join.table in names and join.to_table in {*names} - {*NOT_DRAWN}
    ]
    assert "\n".join(svg()).count("<polyline") == len(drawn) > 40


def test_columns() -> None:
    """Nested fields have a row each, and personal data is called so."""
    phone = {"type": ["string", "null"], "description": "A number."}
    people = {
        "type": "array",
        "items": {"type": "object", "properties": {"tel": phone}},
    }
    marked = phone | {"x-personal-data": "phone"}
    assert [*columns({"people": people, "tel": marked})] == [
        ("people", "array of objects", ""),
        ("people[].tel", "string", "A number."),
        (
            "tel",
            "string",
            "A number. [Personal data](../personal-data.md): phone.",
        ),
    ]


def test_the_hours_of_a_million_emails() -> None:
    """What prose says of them is what the limits make of them."""
    [row] = [line for line in first_loads() if line.startswith("| 1,000,000 `emails`")]
    hours = row.split(" | ")[-1].removesuffix(" |")
    page = (DOCS / "cost.md").read_text(encoding="utf-8")
    assert f"\n### A million e-mails take {hours}\n" in page
    assert f"a first load of a million e-mails: {hours}" in " ".join(README.split())


def test_every_sentence_is_explained() -> None:
    """All that the code has for people is on the page, or a part of what is."""
    pieces = sentences.remedies()["pieces"]
    said = sentences.sentences() | sentences.sentences_of_sdk()
    assert len(said) > 100
    for text, where in said.items():
        cell = text.replace("|", "\\|")
        assert text in pieces or f"| {cell} |" in TROUBLESHOOTING, where


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("No stream is selected", "No stream at all is selected"),
        ("sys.exit(1)", 'sys.exit(f"{1} of the streams has failed")'),
        ('info("%s: %s", name, stats)', 'warning("%s is slow today", name)'),
    ],
)
def test_a_sentence_without_a_remedy(tmp_path: Path, old: str, new: str) -> None:
    """A sentence that the page lacks stops its maker, and so does one that is gone."""
    code = tmp_path / "tap_instantly"
    shutil.copytree(sentences.CODE, code, ignore=shutil.ignore_patterns("*.json"))
    sentences.check(code)
    text = (code / "cli.py").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (code / "cli.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(sentences.UnexplainedError, match="does not explain"):
        sentences.check(code)
    (code / "cli.py").unlink()
    with pytest.raises(sentences.UnexplainedError, match="no code says"):
        sentences.check(code)


@pytest.mark.parametrize("body", [b'{"message": "No."}', b"<html>"])
def test_what_is_said_of_a_status(body: bytes) -> None:
    """Whatever Instantly refuses with, the sentence is on the page."""
    said = set()
    for status in range(300, 600):
        response = requests.Response()
        response.status_code, response.raw = status, io.BytesIO(body)
        text = str(api_error(response, "/leads/list", "leads:read", str))
        said.add(text.partition("/leads/list: ")[2].partition("; Instantly says")[0])
    assert len(said) > 5
    assert not [sentence for sentence in said if not is_explained(sentence)]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"api_key": ""},
        {"api_key": "k", "api_kye": "k"},
        {"api_key": "k", "start_date": "soon"},
        {"api_key": "k", "api_url": "nowhere"},
        {"api_key": "k", "api_url": "http://example.com/api/v2"},
        {"api_key": "k", "max_concurrency": 0},
        {"api_key": "k", "max_concurrency": 65},
        {"api_key": "k", "max_concurrency": "8"},
        {"api_key": "k", "max_requests_per_minute": 6001},
        {"api_key": "k", "user_agent": " "},
        {"api_key": "k", "workspace_id": "?"},
        {"api_key": "k", "start_date": "2026-02-01", "end_date": "2026-01-01"},
    ],
    ids=str,
)
def test_what_is_said_of_settings(config: dict[str, t.Any]) -> None:
    """Whatever is wrong with a setting, the sentence is on the page."""
    found = list(validation_errors(config, SETTINGS.to_dict(), "TAP_INSTANTLY_"))
    assert found
    for sentence in found:
        what = re.sub(r"^Setting `\w+` (.+)\.$", r"\1", sentence)
        assert is_explained(sentence) or is_explained(what), sentence


def test_dead_links_are_found(tmp_path: Path) -> None:
    """Pages, anchors and pictures that are not there, and pages without a link."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "index.html").write_text("<h1 id='here'>Here</h1>")
    (tmp_path / "alone.html").write_text("<p>Nobody knows me.</p>")
    (tmp_path / "index.html").write_text(
        "<a href='there/#here'></a><a href='there/#nowhere'></a><a href='gone/'></a>"
        "<img src='gone.svg'><a href='https://example.com/gone'></a>"
    )
    found = list(links.faults(tmp_path, links.read(tmp_path)))
    assert found == [
        "index.html: there/#nowhere leads nowhere",
        "index.html: gone/ leads nowhere",
        "index.html: gone.svg leads nowhere",
        "alone.html: no page links to it",
    ]
