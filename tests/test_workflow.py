"""The workflow of a public host: it parses, and what its steps call is there."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
import yaml

from tests.sources import ROOT

TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
# From the word make to what ends a command; variables may stand before it.
MAKE = re.compile(r"(?:^|&&|;|\|)\s*(?:\w+=\S*\s+)*make\s+([^&|;\n]*)", re.MULTILINE)
TARGET = re.compile(r"^(?P<name>[a-z0-9]+):", re.MULTILINE)


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Returns (job, step) for each step."""
    return [(name, step) for name, job in JOBS.items() for step in job["steps"]]


def test_the_matrix() -> None:
    """Three systems, all Pythons from 3.11 on, and the free-threaded builds."""
    matrix = JOBS["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14", "3.14t"]


@pytest.mark.parametrize("name", JOBS)
def test_jobs_are_whole(name: str) -> None:
    """Each job has a system, a limit of time and steps that either use an action or run."""
    job = JOBS[name]
    assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
    assert set(job) <= {"name", "runs-on", "timeout-minutes", "strategy", "env", "steps"}
    allowed = {"name", "if", "uses", "with", "run", "working-directory", "env"}
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert set(step) <= allowed
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_triggers_and_rights() -> None:
    """It runs for pushes and proposals, and may read only."""
    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request"} <= set(WORKFLOW[True])
    assert WORKFLOW["permissions"] == {"contents": "read"}


def targets_of(commands: str) -> set[str]:
    """Returns the targets that these lines of a shell have made, wherever in a line."""
    return {
        word
        for words in MAKE.findall(commands)
        for word in words.split()
        if "=" not in word and not word.startswith("-")
    }


def missing_targets(commands: str) -> set[str]:
    """Returns those that the Makefile does not have."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return targets_of(commands) - set(TARGET.findall(text))


def test_make_targets_exist() -> None:
    """Every target that a step makes is one of the Makefile's."""
    commands = "\n".join(step.get("run", "") for _, step in steps())
    called = targets_of(commands)
    assert {"test", "style", "types", "floors", "docs", "package", "build", "e2e"} <= called
    assert missing_targets(commands) == set()


@pytest.mark.parametrize(
    "line",
    [
        "make nowhere",
        "make style nowhere PYTHON=python",
        "cd tests && make nowhere",
        "echo; make -j2 nowhere | cat",
        "python x.py\nmake nowhere",
        "FOO=1 make nowhere",
    ],
)
def test_a_target_that_does_not_exist_is_found(line: str) -> None:
    """However it is called."""
    assert missing_targets(line) == {"nowhere"}


def test_what_steps_name_is_there() -> None:
    """Folders that steps work in, and files of the project that they call."""
    for _, step in steps():
        assert (ROOT / step.get("working-directory", ".")).is_dir()
        for path in re.findall(r"\b(?:tools|tests)/[\w./]+", step.get("run", "")):
            assert (ROOT / path).exists() or path.endswith(".log"), path


@pytest.mark.parametrize("name", JOBS)
def test_expressions_name_what_is_there(name: str) -> None:
    """`matrix.…` in a job is a key of its matrix."""
    matrix = JOBS[name].get("strategy", {}).get("matrix", {})
    keys = set(matrix) | {key for row in matrix.get("include", []) for key in row}
    for expression in EXPRESSION.findall(str(JOBS[name])):
        assert set(re.findall(r"matrix\.(\w+)", expression)) <= keys


def test_a_real_phoenix_is_spoken_to() -> None:
    """One job starts the reference application and runs the end-to-end suite against it."""
    commands = "\n".join(step.get("run", "") for step in JOBS["phoenix"]["steps"])
    assert "mix setup" in commands
    assert 'make e2e PHOENIX_URL="ws://localhost:${PORT}/socket"' in commands


@pytest.mark.parametrize("folder", ["phoenix_actors", "supervisors", "tests"])
def test_windows_can_import_every_module(folder: str) -> None:
    """Where modules are imported, nothing is that Python has on POSIX systems only."""
    lacking = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
    for path in sorted((ROOT / folder).rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not lacking & set(names), path
