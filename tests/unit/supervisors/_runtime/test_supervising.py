"""Turns of a supervisor that begin with the end of a child."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisors import ChildSpec, GenServer, Shutdown, Supervisor, telemetry
from supervisors._machines.vocabulary import ChildExited
from supervisors._runtime import supervising
from supervisors._runtime.current import current
from supervisors._runtime.handover import flush
from supervisors._runtime.items import Info, StopOrder
from supervisors._runtime.pool import pool
from supervisors.exits import Abandoned, Crashed
from tests.concurrency.crew import wait_for

BOOM = Crashed(RuntimeError("boom"))


class Child(GenServer):
    """Says that it is there, and crashes when it is told anything."""

    def init(self, there: queue.SimpleQueue[Any]) -> None:
        there.put(self.actor_ref)

    def handle_cast(self, message: Any) -> None:
        raise RuntimeError(message)


class World:
    """A supervisor of some children that are up."""

    def __init__(self, count: int, **rules: Any) -> None:
        self.there: queue.SimpleQueue[Any] = queue.SimpleQueue()
        children: list[ChildSpec] = [
            Child.child_spec(self.there, id=number) for number in range(count)
        ]
        self.sup = Supervisor.start_link(children, strategy="one_for_one", **rules)
        self.process = self.sup.process
        self.refs = [self.there.get(timeout=10) for _ in range(count)]
        self.rest()

    def rest(self) -> None:
        """Waits until the supervisor has nothing to do: it answers, and gives its slot back."""
        self.sup.which_children()
        wait_for(lambda: self.process.slot)

    def hear(self, *orders: Any) -> bool:
        """Has the turn that the end of the first child leads to, with these orders before it."""
        assert self.process.take_slot()
        for order in orders:
            assert not self.process.put_control(order)
        exited = ChildExited(self.refs[0].process.incarnation, BOOM)
        return supervising._hear_first(exited, self.process, current.here)


@pytest.fixture
def world() -> Iterator[World]:
    """One with two children."""
    made = World(2)
    yield made
    for ref in made.refs:
        ref.stop()
    made.sup.stop()


def test_who_has_ended_is_started_again(world: World) -> None:
    """In the one call both the supervisor and the new child have had their turns."""
    assert not world.hear()
    new = world.there.get_nowait()
    assert new is not world.refs[0]
    assert [info.ref for info in world.sup.which_children()] == [world.refs[1], new]
    assert world.process.slot == [world.process]


def test_orders_come_first(world: World) -> None:
    """A supervisor that was told to stop before it could hear of the end restarts nobody."""
    watch = world.sup.monitor()
    world.hear(StopOrder(Shutdown()))
    assert watch.wait(10).reason == Shutdown()
    assert world.there.empty()


def test_a_suspended_one_hears_of_it_later(world: World) -> None:
    """Nothing is restarted before it goes on."""
    world.process.suspended = True
    world.hear()
    assert [type(item) for item in world.process.user] == [ChildExited]
    assert not world.process.steady
    assert world.there.empty()
    assert world.process.take_slot()
    world.process.suspended = False
    pool.schedule(world.process)
    assert world.there.get(timeout=10) is not world.refs[0]


def test_who_looks_at_what_comes_sees_it(world: World) -> None:
    """It comes as a message then."""
    actor, seen = world.process.actor, queue.SimpleQueue[Any]()
    receive = actor._otp_receive

    def look(item: Any) -> None:
        seen.put(item)
        receive(item)

    actor._otp_receive = look
    world.hear()
    assert isinstance(seen.get_nowait(), ChildExited)
    assert world.there.get(timeout=10) is not world.refs[0]
    del actor._otp_receive


def in_a_worker(act: Callable[[Any], object]) -> None:
    """Does so in a thread that passes for one of the pool's, in no turn of anybody's."""

    def run() -> None:
        here = current.here
        here.host = pool
        act(here)
        flush()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "what", ["nothing", "user", "control", "not steady", "helping", "next", "abandoned", "busy"]
)
def test_what_stands_against_it(world: World, what: str) -> None:
    """Then no turn begins with the end: it comes as a message, behind others."""
    process, other = world.process, GenServer.start().process
    begun: list[Any] = []
    # As after its first message.
    process.control_lane()
    process.steady = True

    def tell(here: Any) -> None:
        reason = Abandoned() if what == "abandoned" else BOOM
        if what == "user":
            # Who has put it there has not looked at the slot yet.
            process.lane().append(Info(None))
        elif what == "control":
            process.control_lane().append(StopOrder(Shutdown()))
        elif what == "not steady":
            process.steady = False
        elif what == "busy":
            assert process.take_slot()
        elif what == "next":
            assert other.take_slot()
            here.next = other
        here.helping = what == "helping"
        process.actor._otp_child_ended(world.refs[0].process.incarnation, reason)
        here.helping = False
        begun.append(process._boot)
        if what == "busy":
            pool.schedule(process)

    in_a_worker(tell)
    assert (begun[0] is None) == (what != "nothing")


def test_crash_after_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle supervisor hears so of each end but its first one, and each is told of in order."""
    heard: list[Any] = []
    told: list[str] = []
    hear = supervising._hear_first

    def noted(*given: Any) -> bool:
        heard.append(given)
        return hear(*given)

    monkeypatch.setattr(supervising, "_hear_first", noted)
    words = ("terminated", "restarted")
    events = [("supervisors", "child", word) for word in words]
    world = World(1, max_restarts=20)
    for _ in range(5):
        world.refs[0].tell("boom")
        world.refs = [world.there.get(timeout=10)]
        world.rest()
    telemetry.attach_many("told", events, lambda event, *_: told.append(event[2]))
    world.refs[0].tell("boom")
    world.refs = [world.there.get(timeout=10)]
    world.rest()
    telemetry.detach("told")
    world.sup.stop()
    assert len(heard) == 5
    assert told == list(words)
