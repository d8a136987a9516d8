"""A step, and what it leaves to be done: all of that is done, whatever comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from phoenix_actors.link.deeds import Deeds, carry_out, do_in_step, make_good
from phoenix_actors.link.scheduling import may_wait
from supervisors._runtime.shield import _state


def in_a_thread(act: Callable[[], Any]) -> Any:
    """What comes of this in a thread that is not the main one."""
    came: list[Any] = []
    thread = threading.Thread(target=lambda: came.append(act()))
    thread.start()
    thread.join(10)
    return came[0]


@pytest.mark.parametrize("waits", [True, False])
def test_a_step_and_its_deeds(waits: bool) -> None:
    """Signals are put off in the step, not in the deeds, which may wait or may not."""
    seen: list[Any] = []

    def act(deeds: Deeds, what: str) -> str:
        seen.append(("act", _state.up))
        deeds.append(lambda: seen.append(("deed", _state.up, may_wait())))
        return what

    def run() -> str:
        deeds: Deeds = [lambda: seen.append("before")]
        return do_in_step(deeds, act, deeds, "done", may_wait=waits)

    assert run() == "done"
    assert seen == [("act", True), "before", ("deed", False, waits)]
    seen.clear()
    assert in_a_thread(run) == "done"
    assert seen == [("act", False), "before", ("deed", False, waits)]
    assert may_wait()


@pytest.mark.parametrize("waits", [True, False])
def test_what_a_step_raises(waits: bool) -> None:
    """It comes out when the deeds that the step has left are done."""
    done: list[Any] = []

    def act(deeds: Deeds) -> None:
        deeds.append(lambda: done.append(may_wait()))
        raise LookupError

    deeds: Deeds = []
    with pytest.raises(LookupError):
        do_in_step(deeds, act, deeds, may_wait=waits)
    assert (done, deeds) == ([waits], [])


def test_what_a_deed_raises() -> None:
    """Those behind it are done all the same; one that was interrupted is done once more."""
    done: list[str] = []
    strikes = iter([KeyboardInterrupt()])

    def struck() -> None:
        for strike in strikes:
            raise strike
        done.append("struck")

    def fails() -> None:
        done.append("fails")
        raise ValueError

    with pytest.raises(KeyboardInterrupt):
        do_in_step([struck, fails, lambda: done.append("last")], bool)
    assert done == ["struck", "fails", "last"]


def test_carry_out_keeps_what_was_not_done() -> None:
    """For `make_good`, which knows what to do with it."""
    deeds: Deeds = [bool, lambda: 1 / 0, bool]
    with pytest.raises(ZeroDivisionError):
        carry_out(deeds)
    assert len(deeds) == 2
    make_good(deeds)
    assert deeds == []
