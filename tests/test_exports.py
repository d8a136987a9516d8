"""The public names are those pinned in tests/data, sorted, importable and documented.

After a deliberate change: `.venv/bin/python tools/pin_exports.py`.
"""

from __future__ import annotations

import importlib
import inspect

import pytest

from tests.sources import PACKAGES, ROOT


def order(name: str) -> tuple[int, str]:
    """Returns the sort key of the linter (RUF022): constants, then classes, then the rest."""
    if name.isupper():
        return 0, name
    return (1 if name[:1].isupper() else 2), name


def own_docstring(value: object) -> str | None:
    """Returns the docstring that a class or function has itself; for a value, that of its type."""
    if inspect.isclass(value):
        return value.__dict__.get("__doc__")
    return inspect.getdoc(value)


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_pinned(package: str) -> None:
    """The public surface changes only together with the pinned list."""
    pinned = (
        (ROOT / "tests" / "data" / f"exports_{package}.txt").read_text(encoding="utf-8").split()
    )
    assert sorted(importlib.import_module(package).__all__) == pinned


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_sorted(package: str) -> None:
    """`__all__` is sorted (constants, classes, functions) and names nothing twice."""
    names = list(importlib.import_module(package).__all__)
    assert names == sorted(set(names), key=order)


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_there_and_documented(package: str) -> None:
    """Every public name can be imported and says what it is."""
    module = importlib.import_module(package)
    assert module.__doc__
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []
    silent = [name for name in module.__all__ if not own_docstring(getattr(module, name))]
    assert silent == []
