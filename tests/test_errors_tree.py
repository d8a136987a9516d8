"""The error tree drawn in each `errors.py` is the class hierarchy.

Drawn as lines of box characters; what follows the name on a line is free text:

    PhoenixError
    ├── ConnectError
    │   └── HandshakeRefused   status, headers, body
    └── JoinError
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING

import pytest

from tests.sources import PACKAGES

if TYPE_CHECKING:
    from types import ModuleType

BRANCH = re.compile(r"^(?P<indent>[\s│]*)(?:├─+|└─+)\s*(?P<name>\w+)")
ROOT_NAME = re.compile(r"^\s*(?P<name>\w+)")


def drawn_parents(docstring: str) -> dict[str, str | None]:
    """Returns name → name of the parent, as the docstring draws it; None for a root."""
    parents: dict[str, str | None] = {}
    path: list[tuple[int, str]] = []
    above = ""
    for line in docstring.splitlines():
        if branch := BRANCH.match(line):
            depth = len(branch["indent"])
            if not path:
                root = ROOT_NAME.match(above)
                assert root, f"no root above the line {line!r}"
                parents[root["name"]] = None
                path = [(-1, root["name"])]
            while path[-1][0] >= depth:
                path.pop()
            parents[branch["name"]] = path[-1][1]
            path.append((depth, branch["name"]))
        elif line.strip(" │"):
            path = []
        above = line
    return parents


def error_classes(module: ModuleType) -> dict[str, type[BaseException]]:
    """Returns the exceptions that a module defines; those with an underscore only share code."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and inspect.isclass(value)
        and issubclass(value, BaseException)
        and value.__module__ in {module.__name__, module.__name__.partition(".")[0]}
    }


def own_bases(error: type, classes: dict[str, type[BaseException]]) -> set[str]:
    """Returns the nearest of the module's exceptions above one of them."""
    found: set[str] = set()
    for base in error.__bases__:
        found |= {base.__name__} if base.__name__ in classes else own_bases(base, classes)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_drawn_tree_is_the_hierarchy(package: str) -> None:
    """Every error is drawn once, below one of its own bases."""
    module = importlib.import_module(f"{package}.errors")
    parents = drawn_parents(inspect.getdoc(module) or "")
    classes = error_classes(module)
    assert sorted(parents) == sorted(classes)
    roots = [name for name, parent in parents.items() if parent is None]
    assert len(roots) == 1
    for name, parent in parents.items():
        assert own_bases(classes[name], classes) >= ({parent} if parent else set()), name
    assert own_bases(classes[roots[0]], classes) == set()


def test_drawing_is_read() -> None:
    """The reader follows depth, skips remarks and keeps apart what is not a tree."""
    drawing = """
    Some words.

    Root
    ├── One        fields
    │   ├── Two
    │   │   └── Three
    │   └── Four
    └── Five
    """
    expected = {
        "Root": None,
        "One": "Root",
        "Two": "One",
        "Three": "Two",
        "Four": "One",
        "Five": "Root",
    }
    assert drawn_parents(drawing) == expected
