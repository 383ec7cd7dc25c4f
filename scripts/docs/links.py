"""The check of the built site: `python -m scripts.docs.links site`."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterator

LINKS = {"a": "href", "img": "src", "link": "href", "script": "src"}

ERROR_PAGE = "404.html"
"""A page that is shown at any address, so that its links are absolute."""


@dataclass
class Page(HTMLParser):
    """A page of the site.

    Attributes:
        links: What it links to.
        anchors: What a link may lead to on it.
    """

    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=lambda: {"", "__top"})

    def __post_init__(self) -> None:
        """Begin to parse."""
        super().__init__()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {str(values["id"])} if "id" in values else set()
        if link := values.get(LINKS.get(tag, "")):
            self.links.append(link)


def read(site: Path) -> dict[Path, Page]:
    """Return the pages of a site by their files."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        if path.name != ERROR_PAGE:
            pages[path] = page = Page()
            page.feed(path.read_text(encoding="utf-8"))
    return pages


def faults(site: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Yield each link that leads nowhere, and each page to which none leads."""
    reached = {site / "index.html"}
    for path, page in pages.items():
        for link in page.links:
            address, anchor = urldefrag(link)
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            to = (path.parent / unquote(address)).resolve() if address else path
            to = to / "index.html" if to.is_dir() else to
            if to != path:
                reached.add(to)
            is_there = to.is_file() and to.is_relative_to(site)
            if not is_there or (to in pages and anchor not in pages[to].anchors):
                yield f"{path.relative_to(site)}: {link} leads nowhere"
    for path in pages.keys() - reached:
        yield f"{path.relative_to(site)}: no page links to it"


def main(site: Path) -> None:
    """Say how many links there are, or which of them are dead."""
    site = site.resolve()
    pages = read(site)
    dead = list(faults(site, pages))
    if dead or not pages:
        sys.exit("\n".join([*dead, f"{len(pages)} pages, {len(dead)} faults"]))
    count = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages and {count} links, none of them dead")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
