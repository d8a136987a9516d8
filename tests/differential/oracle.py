"""Real OTP: one escript process that answers scenario after scenario with its event log."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Self

from tests.differential.scenario import Scenario

SCRIPT = Path(__file__).with_name("supervision.escript")
ESCRIPT = shutil.which("escript")


class Oracle:
    """A running escript."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [ESCRIPT or "escript", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=20)

    def run(self, scenario: Scenario) -> list[str]:
        """Returns the event log of OTP."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the oracle has no pipes")
        stdin.write(f"{scenario.term()}.\n")
        stdin.flush()
        log: list[str] = []
        for line in stdout:
            if line == "end\n":
                return log
            log.append(line.rstrip("\n"))
        raise RuntimeError(f"the oracle ended while it ran {scenario.term()}")
