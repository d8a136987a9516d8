"""Builds the virtual environment `.venv` of the checkout, once per content of pyproject.toml.

Run by `make` before every target, with the standard library only. The environment holds the project
itself (editable), its run-time dependencies, the extra `testing` and the dependency group `dev`.
The groups are read here because pip knows them only since 25.1 and Python 3.11 brings an older one.

A stamp in `.venv`, named by a checksum, says that the environment is complete. The checksum covers
pyproject.toml, the Python version and the folder, since scripts in an environment hold absolute
paths. While it stands nothing is installed and the network is not touched.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
EXTRA = "testing"
GROUP = "dev"


def group_requirements(groups: dict[str, list[Any]], name: str) -> list[str]:
    """Returns the requirements of a dependency group, with the groups that it includes."""
    requirements: list[str] = []
    for entry in groups[name]:
        if isinstance(entry, str):
            requirements.append(entry)
        else:
            requirements.extend(group_requirements(groups, entry["include-group"]))
    return requirements


def checksum(pyproject: bytes, python: str, root: Path) -> str:
    """Returns the name of the stamp: it changes whenever the environment has to be built anew."""
    content = b"\0".join([pyproject, python.encode(), str(root).encode()])
    return hashlib.sha256(content).hexdigest()[:16]


def environment_python() -> str:
    """Returns the path of the environment's Python."""
    windows = ENVIRONMENT / "Scripts" / "python.exe"
    return str(windows if sys.platform == "win32" else ENVIRONMENT / "bin" / "python")


def build(pyproject: bytes) -> None:
    """Makes the environment anew; raises `CalledProcessError` when a step fails."""
    groups = tomllib.loads(pyproject.decode())["dependency-groups"]
    # The interpreter below an active environment: an environment cannot rebuild itself.
    base = getattr(sys, "_base_executable", sys.executable)
    print("building .venv: needs the network, this once", flush=True)
    subprocess.run([base, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
    install = [
        environment_python(),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    project = ["--editable", f"{ROOT}[{EXTRA}]"]
    subprocess.run([*install, *project, *group_requirements(groups, GROUP)], check=True, cwd=ROOT)


def main() -> int:
    """Builds the environment unless its stamp stands; returns the exit code."""
    pyproject = (ROOT / "pyproject.toml").read_bytes()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stamp = ENVIRONMENT / f"stamp-{checksum(pyproject, python, ROOT)}"
    if stamp.exists():
        return 0
    try:
        build(pyproject)
    except subprocess.CalledProcessError as error:
        print(f"error: .venv could not be built: {error}", file=sys.stderr)
        return 1
    stamp.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
