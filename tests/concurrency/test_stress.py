"""Many times the same at each microsecond: what is lost once in ten thousand times is lost here.

`make stress` sets STRESS=1 and runs the full counts; without it a fortieth of them is run.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from supervisors import (
    ActorError,
    Backoff,
    ChildNotFoundError,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Killed,
    MaxChildrenError,
    NoProcError,
    Normal,
    Registry,
    Shutdown,
    Stop,
    Supervisor,
    whereis,
)
from supervisors._runtime.pool import pool
from tests.concurrency.crew import DEADLINE, Doer, boom, together

FULL = os.environ.get("STRESS") == "1"


def times(full: int) -> int:
    """Returns how often something is done in this run."""
    return full if FULL else full // 40


WAYS: dict[str, Callable[[Any], object]] = {
    "stop": lambda ref: ref.stop(block=False),
    "shutdown": lambda ref: ref.exit(Shutdown("now")),
    "kill": lambda ref: ref.exit(Killed()),
    "crash": lambda ref: ref.cast(boom),
    "own stop": lambda ref: ref.cast(lambda actor: actor.stop()),
    "directive": lambda ref: ref.cast(lambda _: Stop(Normal())),
}


# ---- asks --------------------------------------------------------------------------------------


def outcome(reply: Any, value: object) -> str:
    """Returns how an ask ended; one that never ends is a CallTimeout, which is raised."""
    try:
        got = reply.get(timeout=DEADLINE * 3)
    except NoProcError:
        return "dead"
    assert got == value
    return "answered"


@pytest.mark.contract("S166")
@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
def test_no_ask_is_lost(dispatcher: str) -> None:
    """Each ask of an actor that is ended meanwhile gets its own reply, or NoProcError."""
    askers, each = 4, 250
    total = times(800_000 if dispatcher == "pool" else 200_000)
    chance, tally = random.Random(dispatcher), Counter[str]()
    ways = itertools.cycle(WAYS.values())
    for _ in range(total // (askers * each)):
        ref, end = Doer.start(dispatcher=dispatcher), next(ways)
        at = chance.randrange(each)
        found: list[list[str]] = [[] for _ in range(askers)]

        def run(
            mine: int,
            ref: Any = ref,
            end: Callable[[Any], object] = end,
            at: int = at,
            found: list[list[str]] = found,
        ) -> None:
            replies = []
            for number in range(each):
                if mine == 0 and number == at:
                    end(ref)
                replies.append((ref.ask((mine, number), block=False), (mine, number)))
            found[mine] += [outcome(reply, value) for reply, value in replies]

        together(*(lambda mine=mine: run(mine) for mine in range(askers)))
        for one in found:
            assert len(one) == each
            tally.update(one)
        ref.stop(timeout=DEADLINE)
    assert tally["answered"] + tally["dead"] == total
    assert tally["answered"]
    assert tally["dead"]
    print(dict(tally))  # noqa: T201  the counts of `make stress`


# ---- cycles ------------------------------------------------------------------------------------


def quiet(sup: Any) -> None:
    """Waits until the supervisor has heard of every end, and no child has one before it."""
    end, pause = time.monotonic() + DEADLINE, threading.Event()
    while not all(map(stays, sup.which_children())):
        assert time.monotonic() < end
        pause.wait(0.001)


def stays(info: Any) -> bool:
    """Whether a child is there, and was after it had handled what it was sent before.

    One that stops itself does so with a message that it sends itself meanwhile, so it is asked
    twice.
    """
    try:
        return all(info.ref.ask(lambda _: True, timeout=DEADLINE) for _ in range(2))
    except (ActorError, AttributeError):
        return False


@pytest.mark.contract("S107", "S108", "S109")
def test_no_drift() -> None:
    """After any number of starts, crashes and terminations as many fit in as at the beginning."""
    bound, threads, cycles = 16, 4, times(10_000)
    sup = DynamicSupervisor.start(max_children=bound, max_restarts=10**9)
    kinds = ("temporary", "transient", "permanent")
    tally, lock = Counter[str](), threading.Lock()

    def cycle(chance: random.Random) -> str:
        ref: Any
        try:
            ref = sup.start_child(Doer.child_spec(restart=chance.choice(kinds)))
        except MaxChildrenError:
            # Somebody's child makes room.
            ref = chance.choice(sup.which_children()).ref
            did = "full, "
        else:
            did = "started, "
        if not hasattr(ref, "cast"):
            return did + "restarting"
        match chance.randrange(4):
            case 0:
                chance.choice([*WAYS.values()])(ref)
                return did + "ended"
            case 1:
                ref.cast(boom)
                return did + "crashed"
        try:
            sup.terminate_child(ref)
        except ChildNotFoundError:
            return did + "not found"
        return did + "terminated"

    def run(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(cycles // threads):
            did = cycle(chance)
            with lock:
                tally[did] += 1
            assert sup.count_children().specs <= bound

    together(*(lambda seed=seed: run(seed) for seed in range(threads)))
    quiet(sup)
    infos, counts = sup.which_children(), sup.count_children()
    assert counts.specs == counts.active == counts.workers == len(infos)
    for info in infos:
        sup.terminate_child(info.ref)
    assert sup.count_children().specs == 0
    for _ in range(bound):
        sup.start_child(Doer.child_spec())
    with pytest.raises(MaxChildrenError):
        sup.start_child(Doer.child_spec())
    assert sup.count_children().active == bound
    sup.stop(timeout=DEADLINE)
    print(dict(tally))  # noqa: T201  the counts of `make stress`


# ---- names -------------------------------------------------------------------------------------


class Heir(GenServer):
    """Starts the successor of each one that ends, under the same name."""

    def init(self, name: Any, left: int, done: threading.Event) -> None:
        self.name, self.left, self.done = name, left, done
        self.ways = itertools.cycle(WAYS.values())
        self.go_on()

    def go_on(self) -> None:
        ref = Doer.start(name=self.name)
        self.monitor(ref)
        next(self.ways)(ref)

    def handle_info(self, message: Any) -> None:
        assert whereis(self.name) is None
        self.left -= 1
        if self.left:
            self.go_on()
        else:
            self.done.set()


@pytest.mark.contract("S128", "S155")
def test_name_is_free_at_down() -> None:
    """Whoever hears that the holder of a name is down can take the name: each of many times."""
    rounds = times(2000)
    done = [threading.Event(), threading.Event()]
    heirs = [Heir.start(name, rounds, event) for name, event in zip("ab", done, strict=True)]
    rooms = Registry.start()
    ways = itertools.cycle(WAYS.values())
    for _ in range(rounds):
        ref = Doer.start(name="c")
        rooms.register("c", owner=ref)
        watch = ref.monitor()
        next(ways)(ref)
        watch.wait(DEADLINE)
        assert whereis("c") is None
        assert rooms.lookup("c") == []
    rooms.stop(timeout=DEADLINE)
    for event, heir in zip(done, heirs, strict=True):
        assert event.wait(DEADLINE * 30 if FULL else DEADLINE)
        heir.stop(timeout=DEADLINE)


# ---- trees -------------------------------------------------------------------------------------


class Plain(pykka.ThreadingActor):
    """An actor of plain Pykka."""


class Ticking(Doer):
    """Has timers when it ends."""

    def init(self, *_: Any) -> None:
        self.send_after(3600, "late")
        self.send_after(0.0001, "soon")


def tree() -> Any:
    """Starts a tree with something of everything."""
    app = Supervisor.start(
        [
            Registry.child_spec(name="stress-rooms"),
            Ticking.child_spec(id="ticking", name="ticking"),
            Ticking.child_spec(id="own thread", dispatcher="thread"),
            Plain,
            ChildSpec("waits", Doer, backoff=Backoff(initial=3600.0, maximum=3600.0)),
            Supervisor.child_spec(
                [DynamicSupervisor.child_spec(id="pool", name="stress-pool")],
                id="inner",
                strategy="one_for_all",
            ),
        ],
        strategy="rest_for_one",
    )
    for number in range(3):
        ref = whereis("stress-pool").start_child(Ticking.child_spec())
        whereis("stress-rooms").register(number, owner=ref)
    next(info.ref for info in app.which_children() if info.id == "waits").cast(boom)
    return app


@pytest.mark.contract("S85")
def test_nothing_is_left() -> None:
    """A tree that was started and stopped leaves no thread, timer, name or registered actor."""
    before = max(2, pool.threads()[0])
    for _ in range(times(1000)):
        app = tree()
        app.stop(timeout=DEADLINE)
        assert [whereis(name) for name in ("ticking", "stress-rooms", "stress-pool")] == [None] * 3
    end, pause = time.monotonic() + DEADLINE, threading.Event()
    while pool.threads()[0] > before and time.monotonic() < end:
        pause.wait(0.01)
    assert pool.threads()[0] <= before
