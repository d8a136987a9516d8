"""Checks a built site: every internal link and anchor leads somewhere, and nothing is remote.

Run by `make docs` after the build: `tools/check_site.py FOLDER`. Links to other sites are left
alone, so no network is needed; but no page may load a script, a style, a font or a picture from
elsewhere.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["main", "problems"]

# What a page loads by itself, by tag and attribute.
_LOADS = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("img", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("video", "src"),
}
# Links of <link> that a browser does not load.
_NAMED_ONLY = {"canonical", "index", "next", "prev", "search", "genindex", "author", "license"}
_REMOTE_STYLE = re.compile(r"(?:@import\s+|url\(\s*)[\"']?(?:https?:)?//")


class _Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "top"}
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        named_only = tag == "link" and set(values.get("rel", "").split()) <= _NAMED_ONLY
        for name, value in values.items():
            if (tag, name) in _LOADS and not named_only:
                self.loads.append(value)


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _remote(target: str) -> bool:
    parts = urlsplit(target)
    return bool(parts.netloc) or parts.scheme in {"http", "https"}


def problems(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere and each thing that is loaded from afar."""
    pages = {path.resolve(): _read(path) for path in site.rglob("*.html")}
    found = [] if pages else [f"{site}: there is no page"]
    for path, page in pages.items():
        shown = path.relative_to(site.resolve())
        found += [f"{shown}: loads {load} from elsewhere" for load in page.loads if _remote(load)]
        local = [load for load in page.loads if not load.startswith("data:")]
        for target in [*page.links, *local]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not goal.is_file():
                found.append(f"{shown}: {target} leads nowhere")
            elif goal in pages and unquote(parts.fragment) not in pages[goal].anchors:
                found.append(f"{shown}: {target} has no such anchor")
    for path in site.rglob("*.css"):
        if _REMOTE_STYLE.search(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(site)}: loads a style or font from elsewhere")
    return found


def main() -> int:
    """Check the folder that the command line names; return the exit code."""
    if len(sys.argv) != 2:
        print("usage: check_site.py FOLDER", file=sys.stderr)
        return 2
    site = Path(sys.argv[1])
    found = problems(site)
    print(*found, sep="\n" if found else "", end="\n" if found else "", file=sys.stderr)
    if not found:
        print(f"{site}: {len(list(site.rglob('*.html')))} pages, every link leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
