"""Writes the public names of both packages to tests/data, for tests/test_exports.py.

Run after the public surface has changed on purpose: `.venv/bin/python tools/pin_exports.py`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Writes one file per package; returns the exit code."""
    for package in ("phoenix_actors", "supervisors"):
        names = sorted(importlib.import_module(package).__all__)
        target = ROOT / "tests" / "data" / f"exports_{package}.txt"
        target.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        print(f"{target.relative_to(ROOT)}: {len(names)} names")
    return 0


if __name__ == "__main__":
    sys.exit(main())
