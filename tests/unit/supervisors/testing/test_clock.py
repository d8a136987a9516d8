"""`manual_time` puts all timers on a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import GenServer
from supervisors.testing import ManualClock, ManualDispatcher, manual_time
from tests.unit.supervisors.stepped import SteppedTimers


class Ticker(GenServer):
    """Ticks every second, and notes when."""

    def init(self, time: ManualClock, ticks: list[float]) -> None:
        self.time, self.ticks = time, ticks
        self.began = time.now()
        self.send_after(1, "tick")

    def handle_info(self, message: Any) -> None:
        self.ticks.append(self.time.now() - self.began)
        self.send_after(1, "tick")


def test_what_one_timer_leads_to_is_due_in_its_time(turns: ManualDispatcher) -> None:
    """At each moment the actors handle what is due before time goes on."""
    ticks: list[float] = []
    with manual_time() as time:
        Ticker.start(time, ticks, dispatcher=turns)
        time.advance(3.5)
        assert ticks == pytest.approx([1, 2, 3])
        time.advance(0.5)
        assert ticks == pytest.approx([1, 2, 3, 4])


def test_timers_keep_what_they_have_left(clock: SteppedTimers) -> None:
    """A timer from before the block is due after the time it had left; so is one from inside."""
    fired: list[str] = []
    clock.after(10, lambda: fired.append("before"))
    clock.advance(4)
    with manual_time() as time:
        clock.after(30, lambda: fired.append("inside"))
        time.advance(5.5)
        assert fired == []
        time.advance(0.5)
        assert fired == ["before"]
    clock.advance(23.5)
    assert fired == ["before"]
    clock.advance(0.5)
    assert fired == ["before", "inside"]


def test_blocks_do_not_nest() -> None:
    """Time is in one test's hands only."""
    with manual_time(), pytest.raises(RuntimeError, match="another block"), manual_time():
        pytest.fail("not reached")


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_time_does_not_go_back(seconds: float) -> None:
    """Neither a negative step nor NaN is a time."""
    with pytest.raises(ValueError, match="does not go back"):
        ManualClock().advance(seconds)
    with manual_time() as time, pytest.raises(ValueError, match="does not go back"):
        time.advance(seconds)
