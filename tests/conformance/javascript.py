"""Runs the checks of the official JavaScript client, where Node.js and its modules are there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("js")
OLDEST_NODE = 18
# Seconds for all checks together.
DEADLINE = 100.0


def unavailable() -> str | None:
    """Returns why the checks cannot run here, None when they can."""
    node = shutil.which("node")
    version = ""
    if node is not None:
        version = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < OLDEST_NODE:
        return f"Node.js >= {OLDEST_NODE} not found: the official JavaScript client is not compared"
    if not all((FOLDER / "node_modules" / name).is_dir() for name in ("phoenix", "ws")):
        return "phoenix.js is not installed: run make test, or npm ci in tests/conformance/js"
    return None


def run_checks(url: str, *more: str) -> tuple[dict[str, dict[str, Any]], str]:
    """Runs every check; returns the results by name, and what Node wrote to its standard error.

    `more` are further arguments of the script, such as the transport.
    """
    done = subprocess.run(
        ["node", "checks.mjs", url, *more],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["check"]: line for line in lines}, done.stderr
