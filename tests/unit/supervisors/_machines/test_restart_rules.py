"""The table of restart type × exit reason, whole."""

from __future__ import annotations

import itertools

import pytest

from supervisors import (
    Abandoned,
    Crashed,
    ExitReason,
    GaveUp,
    Killed,
    NoProc,
    Normal,
    Restart,
    Shutdown,
    is_abnormal,
)
from supervisors._machines.restart_rules import Decision, decide

CLEAN: list[ExitReason] = [Normal(), Shutdown(), Shutdown("x"), GaveUp("s", 1, 1.0)]
DIRTY: list[ExitReason] = [Crashed(ValueError()), Killed(), Abandoned(), NoProc()]


@pytest.mark.contract("S41", "S42", "S43", "S44", "S45", "S46", "S47")
def test_table() -> None:
    """Permanent always, transient after an abnormal end, temporary never."""
    after = {
        Restart.PERMANENT: (Decision.RESTART, Decision.RESTART),
        Restart.TRANSIENT: (Decision.KEEP_STOPPED, Decision.RESTART),
        Restart.TEMPORARY: (Decision.REMOVE, Decision.REMOVE),
    }
    for restart, reason in itertools.product(Restart, CLEAN + DIRTY):
        assert decide(restart, reason) is after[restart][reason in DIRTY]
        assert is_abnormal(reason) == (reason in DIRTY)
