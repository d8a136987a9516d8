"""The environment that `make` builds: what goes in, when it is built anew, by which Python."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.sources import ROOT
from tools import environment

FIND_PYTHON = ROOT / "tools" / "find_python.sh"


def test_groups_are_flattened() -> None:
    """A group brings the requirements of the groups that it includes."""
    groups: dict[str, list[Any]] = {
        "a": ["one", {"include-group": "b"}],
        "b": ["two", {"include-group": "c"}],
        "c": ["three"],
    }
    assert environment.group_requirements(groups, "a") == ["one", "two", "three"]


def test_group_of_the_project_holds_the_tools() -> None:
    """The group that make installs has a requirement for every tool that the Makefile runs."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "dependency-groups"
    ]
    requirements = environment.group_requirements(groups, environment.GROUP)
    tools = {requirement.partition(">")[0] for requirement in requirements}
    assert {
        "pytest",
        "coverage",
        "hypothesis",
        "ruff",
        "mypy",
        "import-linter",
        "hatchling",
    } <= tools


@pytest.mark.parametrize(
    ("pyproject", "python", "root"),
    [(b"changed", "3.11", "/a"), (b"same", "3.12", "/a"), (b"same", "3.11", "/b")],
    ids=["pyproject.toml", "python", "folder"],
)
def test_stamp_changes(pyproject: bytes, python: str, root: str) -> None:
    """Another pyproject.toml, Python version or folder asks for a new environment."""
    same = environment.checksum(b"same", "3.11", Path("/a"))
    assert same == environment.checksum(b"same", "3.11", Path("/a"))
    assert same != environment.checksum(pyproject, python, Path(root))


def find_python(path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the search for a Python with a given PATH."""
    variables = {"PATH": path, **variables}
    return subprocess.run(
        ["/bin/sh", str(FIND_PYTHON)], env=variables, capture_output=True, text=True, check=False
    )


def stand_in(folder: Path, name: str, body: str) -> None:
    """Writes a program that stands in for a Python."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="make and sh are not at home on Windows")
class TestFindPython:
    """Which interpreter builds the environment."""

    def test_python_too_old_is_passed_over(self, tmp_path: Path) -> None:
        """An old python3 and a broken python3.14 are passed over for a python3.11 that works."""
        stand_in(tmp_path, "python3", "exit 1")
        stand_in(tmp_path, "python3.14", "exit 127")
        stand_in(tmp_path, "python3.11", "exit 0")
        result = find_python(str(tmp_path))
        assert result.stdout.strip() == str(tmp_path / "python3.11")

    def test_none(self, tmp_path: Path) -> None:
        """Without a Python the error says what is needed."""
        result = find_python(str(tmp_path))
        assert result.returncode == 1
        assert "no Python 3.11 or newer found" in result.stderr

    def test_without_venv(self, tmp_path: Path) -> None:
        """A Python without venv, as Debian packages it, is named together with the remedy."""
        stand_in(tmp_path, "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
        result = find_python(str(tmp_path))
        assert result.returncode == 1
        assert "python3-venv" in result.stderr

    def test_named(self, tmp_path: Path) -> None:
        """PYTHON= overrides the search, and one that does not run is an error, not a hint."""
        assert find_python(str(tmp_path), PYTHON=sys.executable).stdout.strip() == sys.executable
        result = find_python(os.environ["PATH"], PYTHON="nonesuch")
        assert result.returncode == 1
        assert "PYTHON=nonesuch" in result.stderr
