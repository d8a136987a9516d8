"""The files of the checkout, for the tests that look at the source itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("phoenix_actors", "supervisors")
# What tools make; .gitignore lists the same.
MADE = {
    ".git",
    ".venv",
    ".cache",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "build",
    "dist",
}
MADE_ANYWHERE = {"__pycache__", "node_modules", ".import_linter_cache"}


def files(*suffixes: str) -> Iterator[Path]:
    """Yields the files of the project that end in one of the suffixes, or all, sorted."""
    for folder, folders, names in os.walk(ROOT):
        top = Path(folder) == ROOT
        folders[:] = sorted(
            name for name in folders if name not in (MADE_ANYWHERE | (MADE if top else set()))
        )
        for name in sorted(names):
            if not suffixes or name.endswith(suffixes):
                yield Path(folder, name)


def python_files(*folders: str) -> list[Path]:
    """Returns the Python files below the folders of the checkout, or all of them."""
    return [
        path
        for path in files(".py")
        if not folders or any(path.is_relative_to(ROOT / folder) for folder in folders)
    ]


def name_of(path: Path) -> str:
    """Returns the path as seen from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()
