"""The same on the BEAM: one `beam.escript` that runs a row when it is told to.

Where there is no escript, `beam()` gives no way, and the tables have no such lines.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from harness import Way

__all__ = ["beam"]

_SCRIPT = Path(__file__).with_name("beam.escript")


def beam(row: str) -> list[Way]:
    """Return the BEAM's way of a row of `beam.escript`, or none."""
    escript = shutil.which("escript")
    if escript is None:
        return []
    return [Way("OTP", lambda count: _figure(escript, row, count), measures=True)]


@cache
def _process(escript: str) -> subprocess.Popen[str]:
    """Start the one escript; it ends with its standard input."""
    return subprocess.Popen(
        [escript, str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _figure(escript: str, row: str, count: int) -> float:
    process = _process(escript)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("beam.escript has no pipes")
    process.stdin.write(f"{{{row}, {count}}}.\n")
    process.stdin.flush()
    return float(process.stdout.readline())
