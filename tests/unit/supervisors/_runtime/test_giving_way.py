"""Who gives way to an asker, when, and for how long; by a clock of the test's own."""

from __future__ import annotations

import queue
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from supervisors import NO_REPLY, CallTimeout, GenServer
from supervisors._runtime import giving_way, inlet, own_thread, ref
from supervisors._runtime import pool as pools
from supervisors._runtime.current import current
from supervisors._runtime.giving_way import PASSED, Gate, answered, asked, give_way
from supervisors._runtime.pool import PoolDispatcher
from supervisors.testing import ManualDispatcher


class Naps:
    """A clock that a sleep moves on, and how often somebody slept."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.count = 0

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.count += 1


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    """Has all times of giving way be the test's."""
    naps = Naps()
    for name in ("asked", "answered"):
        lane: deque[Gate] = deque(maxlen=64)
        for module in (giving_way, ref, inlet, pools, own_thread):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lane)
        monkeypatch.setitem(globals(), name, lane)
    monkeypatch.setattr(giving_way, "_now", lambda: naps.time)
    monkeypatch.setattr(giving_way, "_sleep", naps.sleep)
    monkeypatch.setattr(current.here, "even", 0.0)
    return naps


LATE = "late"


class Echo(GenServer):
    """Answers the request, LATE only with the next one, and calls a cast."""

    late: Any = None

    def handle_call(self, request: Any, sender: Any) -> Any:
        if request == LATE:
            self.late = sender
            return NO_REPLY
        if self.late is not None:
            self.late.reply(None)
        return request

    def handle_cast(self, message: Any) -> None:
        if callable(message):
            message()


def test_nobody_sleeps_while_nobody_asks(naps: Naps) -> None:
    """Without a gate there is nobody to give way to."""
    give_way(asked)
    assert naps.count == 0


def test_who_has_asked_is_given_way_until_its_gate_is_void(naps: Naps) -> None:
    """One millisecond after the ask the gate no longer counts, and is taken out."""
    Gate().expect()
    give_way(asked)
    assert naps.count == 1
    naps.time += 0.0011
    give_way(asked)
    assert naps.count == 1
    assert not asked


def test_who_has_gone_on_is_given_way_no_more(naps: Naps) -> None:
    """A gate that its asker has passed is taken out; the next one counts."""
    gate = Gate()
    gate.expect()
    gate.release()
    gate.until = PASSED
    for gates in (asked, answered):
        give_way(gates)
        assert not gates
    assert naps.count == 0


def test_a_gate_behind_one_that_was_passed_counts(naps: Naps) -> None:
    """One asker that has gone on does not hide the next."""
    first, second = Gate(), Gate()
    first.expect()
    second.expect()
    first.until = PASSED
    give_way(asked)
    assert naps.count == 1
    assert list(asked) == [second]


def test_an_answer_opens_the_gate_and_counts_anew(naps: Naps) -> None:
    """However long the handler took, who waits for its answer is given way once it is there."""
    gate = Gate()
    gate.expect()
    naps.time += 5
    give_way(asked)
    assert naps.count == 0
    assert not gate.acquire(False)
    gate.release()
    assert gate.acquire(False)
    give_way(asked)
    give_way(answered)
    assert naps.count == 2


def test_an_answer_within_the_time_is_no_second_entry(naps: Naps) -> None:
    """The gate is among those that were asked already."""
    gate = Gate()
    gate.expect()
    gate.release()
    assert list(asked) == list(answered) == [gate]


def test_an_answer_that_comes_too_late_counts_not(naps: Naps) -> None:
    """Its asker has gone on without it."""
    gate = Gate()
    gate.until = PASSED
    gate.release()
    assert not asked
    assert not answered
    assert gate.acquire(False)


def test_a_thread_sleeps_away_a_share_of_its_time_at_most(naps: Naps) -> None:
    """Asked without a pause, it gives a quarter of its time, counting 0.1 ms for each sleep."""
    began = naps.time
    while naps.time < began + 1:
        naps.time += 0.00001
        Gate().expect()
        give_way(asked)
    assert 2_400 <= naps.count <= 2_520


def test_a_worker_in_a_handler_gives_way_to_answers_alone(
    naps: Naps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the one who is to run the actor that was asked."""
    monkeypatch.setattr(current.here, "host", PoolDispatcher())
    gate = Gate()
    gate.expect()
    give_way(asked)
    assert naps.count == 0
    gate.release()
    give_way(asked)
    assert naps.count == 1


def test_without_the_gil_nobody_gives_way() -> None:
    """Threads run at the same time there, so no gate is kept; with it the newest 64 are."""
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    assert {giving_way.asked.maxlen, giving_way.answered.maxlen} == {64 if has_gil else 0}


SENDS: dict[str, Callable[[Any], object]] = {
    "tell": lambda ref: ref.tell(0),
    "cast": lambda ref: ref.cast(0),
    "cast_all": lambda ref: ref.cast_all([0]),
    "send_info": lambda ref: ref.send_info(0),
    "ask": lambda ref: ref.ask(0, block=False),
}


@pytest.mark.parametrize("way", SENDS)
def test_who_sends_to_a_busy_actor_gives_way(
    naps: Naps, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Who sends to an idle one has it run first, and who has nobody to give way to goes on."""
    gave: list[Any] = []
    for module in (ref, inlet):
        monkeypatch.setattr(module, "give_way", gave.append)
    actor = Echo.start(dispatcher=ManualDispatcher())
    asked.append(Gate())
    SENDS[way](actor)
    assert not gave
    SENDS[way](actor)
    assert gave == [asked]
    asked.clear()
    SENDS[way](actor)
    assert len(gave) == 1
    assert actor.stop()


def test_who_asks_an_idle_actor_has_others_give_way(naps: Naps) -> None:
    """Until its answer is there, and not once it has gone on."""
    actor = Echo.start(dispatcher=ManualDispatcher())
    counted: list[bool] = []
    actor.tell(lambda: counted.append(bool(asked)))
    assert actor.ask(1) == 1
    # That actor was busy, so the ask waits for others of its messages first.
    assert counted == [False]
    assert [gate.until for gate in asked] == [PASSED]
    asked.clear()
    assert actor.ask(2) == 2
    assert [gate.until for gate in asked] == [PASSED]
    assert actor.stop()


def test_who_asks_and_does_not_wait_has_nobody_give_way(naps: Naps) -> None:
    """It is to find many answers at once."""
    actor = Echo.start(dispatcher=ManualDispatcher())
    reply = actor.ask(1, block=False)
    assert reply.get() == 1
    assert not asked
    assert not answered
    assert actor.stop()


def test_who_is_thrown_out_of_its_wait_has_nobody_give_way(naps: Naps) -> None:
    """Neither then nor when the answer comes."""
    actor = Echo.start(dispatcher=ManualDispatcher())
    with pytest.raises(CallTimeout):
        actor.ask(LATE, timeout=0)
    assert [gate.until for gate in asked] == [PASSED]
    assert actor.ask(1) == 1
    assert all(gate.until == PASSED for gate in (*asked, *answered))
    assert actor.stop()


class Busy:
    """A process whose every turn leaves something to do, until its last one."""

    steady = False
    user = ()

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.ended = False

    def take_turn(self, budget: int, here: Any) -> bool:
        self.turns -= 1
        return self.turns > 0


def test_a_worker_gives_way_between_turns_while_it_has_more_to_do(
    naps: Naps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with nothing left waits, and so lets the GIL go anyway."""
    dispatcher = PoolDispatcher()
    monkeypatch.setattr(current.here, "host", None)
    monkeypatch.setattr(dispatcher, "_park", lambda gate: None)
    gate = Gate()
    gate.release()
    dispatcher._queue.append(Busy(3))  # type: ignore[arg-type]
    dispatcher._work()
    assert naps.count == 2


def test_an_own_thread_gives_way_between_turns(naps: Naps) -> None:
    """As a worker of the pool does."""
    gate = Gate()
    gate.release()
    busy: Any = Busy(3)
    bell: Any = queue.SimpleQueue()
    bell.put(busy)
    own_thread.ThreadDispatcher()._work(busy, bell)
    assert naps.count == 2
