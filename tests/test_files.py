"""What every file keeps: size, docstrings, names, no trace of a machine, no sleep in unit tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.sources import PACKAGES, files, name_of, python_files

MODULE_CAP = 400
TEST_MODULE_CAP = 600
FUNCTION_CAP = 60
FORBIDDEN_NAMES = {"base", "common", "helper", "helpers", "misc", "util", "utils"}

# Written so that they do not find themselves.
HOME_FOLDER = re.compile(r"(?:/(?:home|Users)/[a-z][\w.-]*|/root)/|[A-Z]:\\Users\\")
RESOLVED_IN_LOCK = re.compile(r'"resolved"\s*:|^resolved ', re.MULTILINE)
REGISTRY_SETTING = re.compile(
    r"(?:--(?:extra-)?index-url|\b(?:extra-)?index-url|\bregistry)\s*[=:\s]\s*[\"']?https?:",
    re.IGNORECASE,
)

CODE = python_files(*PACKAGES)
TESTS = python_files("tests")
TIMELESS = python_files("tests/unit", "tests/properties")


def tree_of(path: Path) -> ast.Module:
    """Returns the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


def text_of(path: Path) -> str:
    """Returns the text of a file; what is not text reads as an empty one."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def long_functions(tree: ast.Module) -> list[str]:
    """Returns a line for each function over the cap, decorators and docstring included."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            length = (node.end_lineno or first) - first + 1
            if length > FUNCTION_CAP:
                found.append(f"{node.name} has {length} lines")
    return found


def sleeps(tree: ast.Module) -> list[int]:
    """Returns the lines that call or import something named `sleep`."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep")):
                lines.append(node.lineno)
            case ast.ImportFrom(names=names) if any(alias.name == "sleep" for alias in names):
                lines.append(node.lineno)
    return sorted(lines)


@pytest.mark.parametrize("path", [*CODE, *TESTS], ids=name_of)
def test_size(path: Path) -> None:
    """A module stays within 400 lines (a test module 600) and a function within 60."""
    cap = TEST_MODULE_CAP if path in TESTS else MODULE_CAP
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= cap
    assert long_functions(tree_of(path)) == []


@pytest.mark.parametrize("path", [*CODE, *TESTS], ids=name_of)
def test_docstring(path: Path) -> None:
    """Every module says what it is; an empty `__init__.py` of a test folder needs nothing."""
    if (
        path in TESTS
        and path.name == "__init__.py"
        and not path.read_text(encoding="utf-8").strip()
    ):
        return
    assert ast.get_docstring(tree_of(path)), "the module has no docstring"


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_behaviour_sentence(path: Path) -> None:
    """Every test says in a docstring which behaviour it shows."""
    silent = [
        node.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_names() -> None:
    """No file or folder is named for a heap of odds and ends."""
    named = [
        name_of(path)
        for path in python_files()
        if FORBIDDEN_NAMES
        & {part.removesuffix(".py").strip("_") for part in Path(name_of(path)).parts}
    ]
    assert named == []


def test_no_machine_paths() -> None:
    """No file names a home folder."""
    assert [name_of(path) for path in files() if HOME_FOLDER.search(text_of(path))] == []


def test_no_registry() -> None:
    """No lock file says where packages were fetched from, and no setting names a package index."""
    locks = [path for path in files() if re.search(r"lock\b", path.name)]
    assert [name_of(path) for path in locks if RESOLVED_IN_LOCK.search(text_of(path))] == []
    assert [name_of(path) for path in files() if REGISTRY_SETTING.search(text_of(path))] == []


@pytest.mark.parametrize("path", TIMELESS, ids=name_of)
def test_no_sleep(path: Path) -> None:
    """Unit and property tests take time by hand and never sleep."""
    assert sleeps(tree_of(path)) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param(HOME_FOLDER, "see /{}/someone/x".format("home"), id="linux"),
        pytest.param(
            HOME_FOLDER,
            "see /{}/Some/x".format("Users").lower().replace("users", "Users"),
            id="mac",
        ),
        pytest.param(RESOLVED_IN_LOCK, '{{"{}": "x"}}'.format("resolved"), id="npm"),
        pytest.param(REGISTRY_SETTING, "pip install --{} https://x".format("index-url"), id="pip"),
        pytest.param(REGISTRY_SETTING, "{}=https://x".format("registry"), id="npmrc"),
    ],
)
def test_patterns_find(pattern: re.Pattern[str], text: str) -> None:
    """The patterns above find what they are for."""
    assert pattern.search(text)


def test_long_function_and_sleep_are_found() -> None:
    """The two checks on syntax trees find what they are for."""
    body = "    pass\n" * FUNCTION_CAP
    assert long_functions(ast.parse(f"def long():\n{body}")) == [
        f"long has {FUNCTION_CAP + 1} lines"
    ]
    assert sleeps(ast.parse("import time\ntime.sleep(1)\nfrom time import sleep\nsleep(1)")) == [
        2,
        3,
        4,
    ]
