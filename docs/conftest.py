# ruff: noqa: INP001  docs is no package
"""Which pages have examples that cannot run everywhere."""

from __future__ import annotations

import sys

# Python has no Unix sockets on Windows.
collect_ignore = ["observer.md"] if sys.platform == "win32" else []
