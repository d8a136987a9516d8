"""Groups that are restarted in rows: whatever meets one, it ends as one that is started singly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from supervisors import (
    IGNORE,
    ChildSpec,
    GenServer,
    Killed,
    NoProcError,
    Registry,
    Supervisor,
    introspect,
    telemetry,
    unstopped,
    via,
)
from tests.concurrency.crew import DEADLINE

SIZE = 40
MIDDLE = 21
RESTARTED = ("supervisors", "child", "restarted")


class Member(GenServer):
    """Notes its start; the one in the middle does then what it is told to do in there."""

    def init(self, world: World, number: int) -> Any:
        world.inits.append(number)
        if number == SIZE - 1:
            world.done.set()
        if number == MIDDLE and world.is_over:
            world.is_over = False
            return world.act()
        return None

    def handle_cast(self, request: Any) -> None:
        raise RuntimeError(request)


class World:
    """A supervisor of many members, the first start of which is over."""

    def __init__(
        self, act: Callable[[], Any] | None, *others: Any, strategy: str = "one_for_all"
    ) -> None:
        self.act = act or self.block
        self.done = threading.Event()
        self.inits: list[int] = []
        self.is_over = False
        self.free = threading.Event()
        self.inside = threading.Event()
        children: list[Any] = [Member.child_spec(self, number, id=number) for number in range(SIZE)]
        for number, other in enumerate(others):
            children[MIDDLE + 1 + number] = other
        self.sup = Supervisor.start_link(
            children, strategy=strategy, max_restarts=9, max_seconds=60.0
        )
        self.first = self.refs()
        self.inits.clear()
        self.is_over = True

    def block(self) -> None:
        """What the one in the middle may do: wait until it is let go."""
        self.inside.set()
        assert self.free.wait(DEADLINE)

    def refs(self) -> dict[Any, Any]:
        """Returns id → reference, in start order."""
        return {info.id: info.ref for info in reversed(self.sup.which_children())}

    def crash(self, number: int = 3, *, waits: bool = True) -> None:
        """Ends one of them, and with it all; waits for the start of the last one or the middle."""
        self.done.clear()
        self.first[number].cast("boom")
        assert (self.done if waits else self.inside).wait(DEADLINE)

    def restarts(self) -> set[int]:
        """Returns how many restarts the members have behind them."""
        return {info.restarts for info in self.sup.which_children()}

    def check(self) -> None:
        """All run anew and answer, and the first instances are gone."""
        refs = self.refs()
        assert list(refs) == list(self.first)
        assert all(ref.is_alive() for ref in refs.values() if ref is not None)
        for child_id, ref in self.first.items():
            assert ref is None or (ref is not refs[child_id] and not ref.is_alive())


def in_order(world: World) -> None:
    """Each was started once, in order, though the rows take 16."""
    world.check()
    assert world.inits == list(range(SIZE))
    assert world.restarts() == {1}


@pytest.mark.contract("S30")
def test_all() -> None:
    """All come up once each, in order, with the next restart as well."""
    with (world := World(lambda: None)).sup:
        world.crash()
        in_order(world)
        world.first = world.refs()
        world.inits.clear()
        world.crash(SIZE - 1)
        world.check()
        assert world.inits == list(range(SIZE))
        assert world.restarts() == {2}


@pytest.mark.contract("S31")
def test_rest() -> None:
    """Under rest_for_one those before the dead one stay."""
    with (world := World(lambda: None, strategy="rest_for_one")).sup:
        world.crash(3)
        refs = world.refs()
        assert world.inits == list(range(3, SIZE))
        assert [refs[number] is world.first[number] for number in range(4)] == [*[True] * 3, False]


@pytest.mark.contract("S66")
def test_one_fails() -> None:
    """One that fails in the middle is tried again, when those before it were stopped."""

    def fail() -> None:
        msg = "not now"
        raise ValueError(msg)

    with (world := World(fail)).sup:
        world.crash()
        world.check()
        assert world.inits == [*range(MIDDLE + 1), *range(SIZE)]


def test_one_is_ignored() -> None:
    """One that answers IGNORE has no process; those behind it are started."""
    with (world := World(lambda: IGNORE)).sup:
        world.crash()
        refs = world.refs()
        assert world.inits == list(range(SIZE))
        assert [number for number, ref in refs.items() if ref is None] == [MIDDLE]


@pytest.mark.contract("S35")
def test_one_that_is_up_ends_meanwhile() -> None:
    """The end of one that came up before costs a restart of its own, of all."""

    def end_another() -> None:
        # One of the same row, of which the supervisor has not heard yet.
        refs = [ref for ref in pykka.ActorRegistry.get_by_class(Member) if ref.is_alive()]
        refs[-2].cast("boom")  # type: ignore[attr-defined]

    with (world := World(end_another)).sup:
        world.crash()
        pause = threading.Event()
        for _ in range(int(DEADLINE / 0.005)):
            if len(world.inits) == 2 * SIZE:
                break
            pause.wait(0.005)
        world.check()
        assert world.inits == [*range(SIZE), *range(SIZE)]
        assert world.restarts() == {2}


def test_what_is_known_meanwhile() -> None:
    """Who looks into the supervisor while one starts finds those before it up, and no other."""
    world = World(None)
    with world.sup:
        world.crash(waits=False)
        info = introspect.get_state(world.sup)
        up = [child_id for child_id, child in info.children if child.ref is not None]
        world.free.set()
        assert up == list(range(MIDDLE))
        assert world.done.wait(DEADLINE)
        in_order(world)


def test_suspended_meanwhile() -> None:
    """A supervisor that is suspended while one starts starts no other before it goes on."""
    world = World(None)
    with world.sup:
        world.crash(waits=False)
        introspect.suspend(world.sup)
        world.free.set()
        pause = threading.Event()
        pause.wait(0.02)
        assert world.inits == list(range(MIDDLE + 1))
        introspect.resume(world.sup)
        assert world.done.wait(DEADLINE)
        in_order(world)


def test_traced_meanwhile() -> None:
    """Who looks at what a supervisor gets is told of each start from then on."""
    world = World(None)
    seen: list[Any] = []
    with world.sup:
        world.crash(waits=False)
        introspect.trace(world.sup, seen.append)
        world.free.set()
        assert world.done.wait(DEADLINE)
        in_order(world)
        introspect.trace(world.sup, None)
    assert len(seen) >= 2 * (SIZE - MIDDLE)


@pytest.mark.contract("S86")
def test_killed_meanwhile() -> None:
    """A supervisor that is killed while one starts has no other started, and all of them end."""
    world = World(None)
    world.crash(waits=False)
    up = [ref for ref in pykka.ActorRegistry.get_by_class(Member) if ref.is_alive()]
    world.sup.exit(Killed())
    world.free.set()
    for ref in up:
        ref.actor_stopped.wait(DEADLINE)
    with pytest.raises(NoProcError):
        world.refs()
    assert world.inits == list(range(MIDDLE + 1))


@pytest.mark.contract("S88")
def test_stopped_meanwhile() -> None:
    """Told to stop within a time, it ends those that are up, and does not wait for the init."""
    world = World(None)
    world.crash(waits=False)
    left = world.sup.stop_within(0.2)
    assert [entry.path.endswith(f"/{MIDDLE}") for entry in left] == [True]
    assert world.inits == list(range(MIDDLE + 1))
    world.free.set()
    pause = threading.Event()
    while unstopped():
        pause.wait(0.005)


def test_listened_to_meanwhile() -> None:
    """Who begins to listen while one starts hears of each member once, in order."""
    heard: list[int] = []

    def hear(_event: Any, _measured: Any, about: Any, _config: Any) -> None:
        heard.append(about["child"])

    world = World(lambda: telemetry.attach("rows", RESTARTED, hear))
    with world.sup:
        try:
            world.crash()
            in_order(world)
        finally:
            telemetry.detach("rows")
    # Of those of earlier rows nobody wanted to hear.
    assert heard == list(range(heard[0], SIZE))
    assert heard[0] <= MIDDLE


class Plain(pykka.ThreadingActor):
    """An actor of Pykka alone."""


def test_others_among_them() -> None:
    """Children of every kind in the middle of a row are started in their places."""
    started: list[str] = []

    class Named(GenServer):
        def init(self) -> None:
            started.append("named")

    class Threaded(GenServer):
        dispatcher = "thread"

        def init(self) -> None:
            started.append("threaded")

    def call() -> Any:
        started.append("called")
        return Member.start(world_of[0], -1)

    world_of: list[Any] = []
    names = Registry.start_link(name="row names")
    others = (
        Named.child_spec(id="named", name=via("row names", "one")),
        Threaded.child_spec(id="threaded"),
        ChildSpec("plain", start=Plain),
        Supervisor.child_spec([], strategy="one_for_one", id="sup"),
        Threaded.child_spec(id="threaded too"),
    )
    with (world := World(lambda: None, *others)).sup:
        world_of.append(world)
        started.clear()
        world.crash()
        world.check()
        assert started == ["named", "threaded", "threaded"]
        assert world.inits == [*range(MIDDLE + 1), *range(MIDDLE + 1 + len(others), SIZE)]
        world.sup.start_child(ChildSpec("called", start=call))
        world.sup.start_child(Member.child_spec(world, SIZE - 1, id="last"))
        world.first = world.refs()
        started.clear()
        world.crash(3)
        world.check()
        assert started == ["named", "threaded", "threaded", "called"]
    names.stop()


def test_cut_while_one_is_made() -> None:
    """What a finalizer asks of the supervisor while one is made costs that one its place alone."""
    with (world := World(lambda: None)).sup:
        actor = world.sup.process.actor
        make, cut = type(actor)._otp_make, []

        def make_and_cut(*args: Any) -> Any:
            process = make(actor, *args)
            row = actor._otp_row
            if row is not None and row.members and args[2].id == MIDDLE:
                row.end()
                cut.append(process)
            return process

        actor._otp_make = make_and_cut
        world.crash()
        in_order(world)
        assert len(cut) == 1
        assert cut[0].ended
        assert cut[0] is not world.refs()[MIDDLE].process
