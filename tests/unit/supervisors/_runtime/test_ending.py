"""The end of a whole tree at once."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import ChildSpec, DynamicSupervisor, GenServer, Killed
from supervisors._runtime import ending
from supervisors._runtime.current import current
from supervisors._runtime.ending import kill_tree
from supervisors._runtime.process import Process
from supervisors.testing import ManualDispatcher


class Idle(GenServer):
    """Does nothing."""


def _tree(turns: ManualDispatcher) -> tuple[Any, list[Any]]:
    """Return a supervisor of one child and one supervisor of two, and monitors of all of them."""
    current.host = turns
    top = DynamicSupervisor.start_link(dispatcher=turns)
    spec = ChildSpec("idle", start=Idle, kwargs={"dispatcher": turns}, restart="temporary")
    below = ChildSpec("below", start=DynamicSupervisor, kwargs={"dispatcher": turns})
    first, middle = top.start_child(spec), top.start_child(below)
    refs = [top, first, middle, middle.start_child(spec), middle.start_child(spec)]
    return top.process, [ref.monitor() for ref in refs]


@pytest.mark.parametrize("count", range(1, 6))
def test_a_kill_that_is_interrupted_is_ended_by_another_thread(
    turns: ManualDispatcher, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Whom a supervisor was taken from its hands is killed, wherever Ctrl-C meets that."""
    process, monitors = _tree(turns)
    begun: list[tuple[Any, Any]] = []
    monkeypatch.setattr(ending, "start_new_thread", lambda *what: begun.append(what))
    kills: list[Process] = []
    kill = Process.kill

    def interrupted(victim: Process) -> None:
        kills.append(victim)
        if len(kills) == count:
            raise KeyboardInterrupt
        kill(victim)

    monkeypatch.setattr(Process, "kill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kill_tree(process)
    assert begun
    while begun:
        act, arguments = begun.pop()
        act(*arguments)
    assert [type(monitor.wait(0).reason) for monitor in monitors] == [Killed] * len(monitors)
