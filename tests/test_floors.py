"""The import laws of pyproject.toml hold, and each of them catches a planted violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sources import PACKAGES, ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


class Plant(NamedTuple):
    """A line added to a file of a copy of the packages, and what the check must say."""

    path: str
    line: str
    law: str
    said: str


PLANTS = {
    "clock-in-supervision-machine": Plant(
        "supervisors/_machines/planted.py",
        "import time",
        "Machines and protocol have no clock",
        "supervisors._machines.planted -> time",
    ),
    "thread-in-client-machine": Plant(
        "phoenix_actors/machines/planted.py",
        "from threading import Lock",
        "Machines and protocol have no clock",
        "phoenix_actors.machines.planted -> threading",
    ),
    "log-in-protocol": Plant(
        "phoenix_actors/protocol/planted.py",
        "import logging",
        "Machines and protocol have no clock",
        "phoenix_actors.protocol.planted -> logging",
    ),
    "file-on-no-floor-of-supervisors": Plant(
        "supervisors/planted.py", "", "Floors of supervisors", "supervisors.planted"
    ),
    "file-on-no-floor-of-phoenix-actors": Plant(
        "phoenix_actors/planted.py", "", "Floors of phoenix_actors", "phoenix_actors.planted"
    ),
    "upwards": Plant(
        "supervisors/_machines/planted.py",
        "import supervisors._runtime",
        "Floors of supervisors",
        "supervisors._machines is not allowed to import supervisors._runtime",
    ),
    "siblings": Plant(
        "phoenix_actors/machines/planted.py",
        "import phoenix_actors.protocol",
        "Floors of phoenix_actors",
        "phoenix_actors.machines is not allowed to import phoenix_actors.protocol",
    ),
    "supervisors-knows-phoenix": Plant(
        "supervisors/_runtime/planted.py",
        "import phoenix_actors.errors",
        "supervisors knows nothing of phoenix_actors",
        "supervisors._runtime.planted -> phoenix_actors.errors",
    ),
    "pykka-outside-the-runtime": Plant(
        "phoenix_actors/actors/planted.py",
        "import pykka",
        "pykka only in",
        "phoenix_actors.actors.planted -> pykka",
    ),
    "websocket-outside-its-transport": Plant(
        "phoenix_actors/transport/planted.py",
        "import websocket",
        "websocket-client only in",
        "phoenix_actors.transport.planted -> websocket",
    ),
    "websockets-outside-testing": Plant(
        "phoenix_actors/transport/planted.py",
        "import websockets",
        "websockets only in",
        "phoenix_actors.transport.planted -> websockets",
    ),
    "structlog-outside-logs": Plant(
        "supervisors/_runtime/planted.py",
        "import structlog",
        "structlog only in",
        "supervisors._runtime.planted -> structlog",
    ),
    "testing-server-as-mirror": Plant(
        "phoenix_actors/testing/planted.py",
        "import phoenix_actors.protocol",
        "shares no decision",
        "phoenix_actors.testing.planted -> phoenix_actors.protocol",
    ),
    "cycle": Plant(
        "supervisors/_runtime/planted_cycle/one.py",
        "from supervisors._runtime.planted_cycle import two",
        "Siblings form no cycle",
        "supervisors._runtime.planted_cycle",
    ),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the check on the packages in a folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-logo", "--no-cache"],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the two packages and their laws."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_floors_hold() -> None:
    """Every import of the two packages keeps the laws."""
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_planted_violation_is_caught(copy: Path, plant: Plant) -> None:
    """An import against a law, and a file on no floor, break the check, which names both."""
    target = copy / plant.path
    target.parent.mkdir(exist_ok=True)
    for folder in target.relative_to(copy).parents[:-1]:
        (copy / folder / "__init__.py").touch()
    target.write_text(plant.line + "\n", encoding="utf-8")
    if plant.law == "Siblings form no cycle":
        back = "from supervisors._runtime.planted_cycle import one\n"
        target.with_name("two.py").write_text(back, encoding="utf-8")

    result = lint_imports(copy)

    assert result.returncode == 1, result.stdout + result.stderr
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert any(plant.law in line for line in broken), result.stdout
    assert plant.said in result.stdout, result.stdout
