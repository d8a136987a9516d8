"""The program of one tree as a machine: what signals, deadlines and ends bring about."""

from __future__ import annotations

import pytest

from supervisors import Crashed, ExitReason, GaveUp, Killed, NoProc, Normal, Shutdown
from supervisors._machines.application import (
    AbandonTree,
    ApplicationMachine,
    ApplicationState,
    Command,
    DeadlinePassed,
    Event,
    FailStart,
    Finish,
    SignalReceived,
    StopRequested,
    StopTree,
    TreeEnded,
    TreeFailed,
    exit_code,
)

INT, TERM = SignalReceived(2, 1.0), SignalReceived(15, 1.0)
AGAIN, LATER = SignalReceived(2, 1.09), SignalReceived(2, 1.1)
ENDED = TreeEnded(Shutdown())


@pytest.mark.parametrize(
    ("events", "commands"),
    [
        ([ENDED], [Finish(Shutdown(), None)]),
        ([INT, ENDED], [StopTree(2), Finish(Shutdown(), 2)]),
        ([TERM, INT, ENDED], [StopTree(15), AbandonTree(), Finish(Shutdown(), 15)]),
        ([TERM, DeadlinePassed(), ENDED], [StopTree(15), AbandonTree(), Finish(Shutdown(), 15)]),
        ([TERM, INT, INT, DeadlinePassed()], [StopTree(15), AbandonTree()]),
        ([StopRequested(), ENDED], [StopTree(None), Finish(Shutdown(), None)]),
        ([StopRequested(), INT, INT], [StopTree(None), AbandonTree()]),
        ([StopRequested(), INT, ENDED], [StopTree(None), AbandonTree(), Finish(Shutdown(), 2)]),
        ([INT, StopRequested()], [StopTree(2)]),
        ([INT, AGAIN, ENDED], [StopTree(2), Finish(Shutdown(), 2)]),
        ([INT, AGAIN, LATER], [StopTree(2), AbandonTree()]),
        ([StopRequested(), INT, AGAIN], [StopTree(None), AbandonTree()]),
        ([TreeFailed(), INT], [FailStart()]),
        ([INT, TreeFailed()], [StopTree(2), Finish(Killed(), 2)]),
        ([ENDED, INT, StopRequested(), TreeFailed(), ENDED], [Finish(Shutdown(), None)]),
    ],
)
def test_commands(events: list[Event], commands: list[Command]) -> None:
    """The first signal stops, the second abandons, and after the end nothing comes any more."""
    machine = ApplicationMachine()
    assert [command for event in events for command in machine.handle(event)] == commands


def test_states_go_one_way() -> None:
    """No event takes a program back to an earlier state."""
    events: list[Event] = [INT, StopRequested(), DeadlinePassed(), ENDED, TreeFailed()]
    for first in events:
        for second in events:
            machine = ApplicationMachine()
            before = ApplicationState.RUNNING
            for event in (first, second):
                machine.handle(event)
                assert machine.state >= before
                before = machine.state


@pytest.mark.parametrize(
    ("reason", "number", "unstopped", "code"),
    [
        (Normal(), None, 0, 0),
        (Shutdown("detail"), None, 0, 0),
        (Shutdown(), 2, 0, 130),
        (Shutdown(), 15, 0, 143),
        (Killed(), 15, 0, 143),
        (Killed(), None, 0, 1),
        (NoProc(), None, 0, 1),
        (Crashed(ValueError()), None, 0, 1),
        (GaveUp("app", 3, 5.0), None, 0, 1),
        (GaveUp("app", 3, 5.0), 2, 0, 1),
        (GaveUp("app", 3, 5.0), None, 1, 3),
        (Normal(), None, 1, 3),
        (Shutdown(), 15, 2, 3),
    ],
)
def test_exit_codes(reason: ExitReason, number: int | None, unstopped: int, code: int) -> None:
    """Something that still runs outweighs giving up, that outweighs the signal."""
    assert exit_code(reason, number, unstopped) == code
