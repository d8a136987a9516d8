"""The pages of docs/ are true: links lead somewhere, examples run, defaults are the real ones.

`make docs` builds the site and checks the links of that, the reference included.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from phoenix_actors import SocketOptions, TransportOptions
from tests.sources import PACKAGES, ROOT
from tools import check_site

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
FENCED = re.DOTALL | re.MULTILINE
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
EXAMPLE = re.compile(r"^(?P<before>.*)\n```python\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
# `name` and `default`, the last two columns of a row.
ROW = re.compile(r"^\|.*\| `(?P<name>\w+)`[^|]*\| `(?P<default>[^`|]+)` \|$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub and the site give the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=FENCED)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in HEADING.findall(text)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the project finds it, and the heading if it names one."""
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            assert link.startswith("https://"), link
            continue
        goal = (page.parent / path).resolve() if path else page
        assert goal.is_file(), f"{page.name}: {link} leads nowhere"
        assert not anchor or anchor in anchors(goal), f"{page.name}: {link} has no such heading"


@pytest.mark.parametrize("page", PAGES[2:], ids=lambda page: page.name)
def test_examples_are_run(page: Path) -> None:
    """Every Python example of docs/ is a doctest, or a file that a test of the page runs."""
    for example in EXAMPLE.finditer(page.read_text(encoding="utf-8")):
        run = example["text"].startswith(">>> ") or "<!-- file: " in example["before"]
        assert run, f"{page.name} has an example that nothing runs:\n{example['text']}"


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM to handle")
def test_the_whole_program_runs(tmp_path: Path) -> None:
    """The program of "Supervision in ten minutes" starts, and ends by SIGTERM as it says."""
    text = (ROOT / "docs" / "supervision.md").read_text(encoding="utf-8")
    program = tmp_path / "app.py"
    program.write_text(text.partition("<!-- file: app.py -->\n```python\n")[2].partition("```")[0])
    with subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "counting\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143


@pytest.mark.parametrize("name", ["from_phoenix_js", "from_elixir", "reconnection"])
def test_defaults_are_the_real_ones(name: str) -> None:
    """The tables of options name options that there are, with the defaults that they have."""
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    if name == "reconnection":
        text = re.sub(r"^(\| `\w+` \| `[^`]+` \|).*$", r"| \1", text, flags=re.MULTILINE)
    real = {
        field.name: field.default_factory()
        if field.default_factory is not msgspec.NODEFAULT
        else field.default
        for field in msgspec.structs.fields(SocketOptions)
    }
    rows = list(ROW.finditer(text))
    assert len(rows) >= 8
    for row in rows:
        assert real[row["name"]] == ast.literal_eval(row["default"]), row["name"]


def test_the_transports_defaults_are_the_real_ones() -> None:
    """What the pages say of transport_opts is so."""
    options = TransportOptions()
    assert (options.connect_timeout, options.longpoll_timeout) == (10.0, 20.0)
    assert options.compression is False


def test_every_page_is_in_the_contents() -> None:
    """The start page has each page in its tables of contents."""
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text(encoding="utf-8")
    pages = {page.relative_to(docs).with_suffix("").as_posix() for page in docs.rglob("*.md")}
    assert set(re.findall(r"^(?:api/)?\w+$", index, re.MULTILINE)) == pages - {"index"}


def site(folder: Path, **pages: str) -> list[str]:
    """Returns the problems of a site of these pages."""
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return check_site.problems(folder)


def test_the_checker_finds_dead_links(tmp_path: Path) -> None:
    """A missing page and a missing anchor are told; those that are there are not."""
    good = '<a href="b.html#here">b</a><a href="#top">up</a><a href="https://example.org">out</a>'
    assert site(tmp_path, a=good, b='<p id="here"></p>') == []
    bad = '<a href="c.html">c</a><a href="b.html#there">b</a><img src="no.png">'
    assert site(tmp_path, a=bad) == [
        "a.html: c.html leads nowhere",
        "a.html: b.html#there has no such anchor",
        "a.html: no.png leads nowhere",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<img src="http://example.org/a.png">',
    ],
)
def test_the_checker_finds_what_is_remote(tmp_path: Path, text: str) -> None:
    """A page that loads something from another host is told."""
    [problem] = site(tmp_path, a=text)
    assert "from elsewhere" in problem


def test_the_checker_finds_remote_styles(tmp_path: Path) -> None:
    """A style sheet that loads a font from another host is told; an empty site is one, too."""
    assert check_site.problems(tmp_path) == [f"{tmp_path}: there is no page"]
    (tmp_path / "a.css").write_text("@font-face { src: url('https://example.org/a.woff') }")
    [problem] = site(tmp_path, a="<p>")
    assert problem == "a.css: loads a style or font from elsewhere"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_reference_has_every_public_name(package: str) -> None:
    """Each public name of a package stands in its reference, once; modules by themselves."""
    module = importlib.import_module(package)
    text = (ROOT / "docs" / "api" / f"{package}.md").read_text(encoding="utf-8")
    written = re.findall(
        r"^\.\. auto(?:class|data|exception|function):: (\w+)$", text, re.MULTILINE
    )
    modules = {name for name in module.__all__ if inspect.ismodule(getattr(module, name))}
    assert sorted(written) == sorted(set(module.__all__) - modules)
    for name in modules:
        assert f".. automodule:: {package}.{name}\n" in text
