"""Ends with real threads: once, told once, in the right order, and truthfully."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from supervisors import (
    Abandoned,
    AlreadyRegisteredError,
    CallTimeout,
    Crashed,
    Down,
    Exit,
    Killed,
    NoProc,
    NoProcError,
    Normal,
    Registry,
    Shutdown,
    UnknownRegistryError,
    unstopped,
    whereis,
)
from tests.concurrency.crew import DEADLINE, Doer, Noting, boom, stop, together, waits

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])


@pytest.mark.contract("S171", "S151")
@DISPATCHERS
def test_terminate_runs_once(dispatcher: str) -> None:
    """Stops, exits and a crash at the same moment: one terminate, one Down, one reason."""

    def once() -> None:
        ref = Noting.start(dispatcher=dispatcher)
        ends = ref.process.actor.ends
        downs: list[Down] = []
        ref.monitor(downs.append)
        monitor = ref.monitor()
        together(
            lambda: ref.stop(Shutdown("stop"), timeout=DEADLINE),
            lambda: ref.exit(Shutdown("exit")),
            lambda: ref.cast(boom),
            lambda: ref.stop(timeout=DEADLINE),
        )
        reason = monitor.wait(DEADLINE).reason
        assert ends == [reason]
        assert [down.reason for down in downs] == [reason]

    for _ in range(100 if dispatcher == "pool" else 30):
        once()


@pytest.mark.contract("S172")
@DISPATCHERS
def test_stop_that_takes_too_long(dispatcher: str) -> None:
    """A stop with a timeout gives up waiting; the actor goes on stopping, and does."""
    entered, gate = threading.Event(), threading.Event()
    ref = Noting.start(dispatcher=dispatcher)
    ends = ref.process.actor.ends
    ref.tell(waits(entered.set, gate))
    assert entered.wait(DEADLINE)
    with pytest.raises(CallTimeout):
        ref.stop(Shutdown("late"), timeout=0.02)
    assert ref.is_alive()
    monitor = ref.monitor()
    gate.set()
    assert monitor.wait(DEADLINE).reason == Shutdown("late")
    assert ends == [Shutdown("late")]
    assert ref.stop() is False


@pytest.mark.contract("S149", "S151", "S171")
def test_kills_racing_everything() -> None:
    """A kill at any moment: one Down, terminate at most once, nothing unstopped in the end."""

    def once() -> None:
        ref = Noting.start()
        ends = ref.process.actor.ends
        downs: list[Down] = []
        ref.monitor(downs.append)
        reply = ref.ask("x", block=False)
        together(
            lambda: ref.exit(Killed()),
            lambda: ref.stop(timeout=DEADLINE),
            lambda: [ref.cast(lambda _: None) for _ in range(20)],
            lambda: ref.exit(Killed()),
        )
        assert reply.exception(DEADLINE) is None or isinstance(reply.exception(), NoProcError)
        assert len(downs) == 1
        assert isinstance(downs[0].reason, Killed | Abandoned | Normal)
        assert len(ends) <= 1

    for _ in range(150):
        once()


@pytest.mark.contract("S149")
@DISPATCHERS
def test_kill_between_messages(dispatcher: str) -> None:
    """Who has seen the reply kills an actor that is idle: always Killed, never Abandoned."""
    for _ in range(200 if dispatcher == "pool" else 40):
        ref = Doer.start(dispatcher=dispatcher)
        ref.call("x", timeout=DEADLINE)
        monitor = ref.monitor()
        ref.exit(Killed())
        assert monitor.wait(DEADLINE).reason == Killed()
        assert not ref.is_alive()


@pytest.mark.contract("S77", "S149", "S155")
@DISPATCHERS
def test_kill_inside_a_handler(dispatcher: str) -> None:
    """It is fenced at once: Abandoned, name free, askers told, and listed until it is back."""
    entered, gate, back = threading.Event(), threading.Event(), threading.Event()
    refused: list[bool] = []

    def stuck(actor: Any) -> str:
        entered.set()
        gate.wait(DEADLINE)
        refused.append(actor.sender.reply("too late"))
        back.set()
        return "too late"

    ref = Noting.start(name="stuck", dispatcher=dispatcher)
    ends = ref.process.actor.ends
    asked, queued = ref.ask(stuck, block=False), ref.ask("queued", block=False)
    assert entered.wait(DEADLINE)
    monitor = ref.monitor()
    ref.exit(Killed())
    assert monitor.wait(0).reason == Abandoned()
    assert (whereis("stuck"), ref.is_alive()) == (None, False)
    for reply in (asked, queued):
        error = reply.exception(0)
        assert isinstance(error, NoProcError)
        assert error.reason == Abandoned()
    [entry] = unstopped()
    assert entry.path == "stuck"
    assert entry.thread.startswith("supervisors-")
    assert any("gate.wait" in line for line in entry.stack)
    assert entry.seconds >= 0
    gate.set()
    assert back.wait(DEADLINE)
    assert refused == [False]
    assert ends == []


@pytest.mark.contract("S151")
def test_monitors_made_at_the_end() -> None:
    """A monitor made while its actor ends fires exactly once, whichever came first."""

    def once() -> None:
        ref = Doer.start()
        downs: list[Down] = []
        together(
            lambda: ref.stop(timeout=DEADLINE),
            lambda: [ref.monitor(downs.append) for _ in range(10)],
        )
        assert len(downs) == 10
        assert {type(down.reason) for down in downs} <= {Normal, NoProc}

    for _ in range(150):
        once()


@pytest.mark.contract("S152")
def test_demonitor_at_the_end() -> None:
    """Once demonitor has returned, no Down of that monitor is handled."""
    watcher = Noting.start()

    def once() -> None:
        target, started = Doer.start(), threading.Event()

        def cancel(actor: Any) -> None:
            monitor = actor.monitor(target)
            started.set()
            actor.demonitor(monitor)
            actor.notes.append("cancelled")

        together(
            lambda: watcher.ask(cancel, timeout=DEADLINE),
            lambda: (
                started.wait(DEADLINE),
                target.stop(timeout=DEADLINE),
            ),
        )

    for _ in range(100):
        once()
    notes = watcher.ask(lambda actor: list(actor.notes), timeout=DEADLINE)
    assert notes == ["cancelled"] * 100
    stop([watcher])


@pytest.mark.contract("S128", "S155")
def test_names_are_free_before_the_down() -> None:
    """2,000 times: the name can be taken again as soon as the Down is there."""
    for _ in range(2000):
        ref = Doer.start(name="again")
        monitor = ref.monitor()
        ref.stop(block=False)
        monitor.wait(DEADLINE)
    again = Doer.start(name="again")
    stop([again])


@pytest.mark.contract("S153")
def test_messages_come_before_the_down() -> None:
    """What an actor sends before it ends is handled before the notice of its end."""
    watcher = Noting.start()

    def flood(_: object) -> None:
        for number in range(100):
            watcher.send_info(number)
        boom()

    for _ in range(50):
        target = Doer.start()
        watcher.ask(lambda actor, target=target: actor.monitor(target), timeout=DEADLINE)
        monitor = target.monitor()
        target.tell(flood)
        monitor.wait(DEADLINE)
        taken = watcher.ask(
            lambda actor: [actor.notes.pop(0) for _ in list(actor.notes)], timeout=DEADLINE
        )
        if len(taken) == 100:
            # The Down is behind this very request.
            taken += watcher.ask(
                lambda actor: [actor.notes.pop(0) for _ in list(actor.notes)], timeout=DEADLINE
            )
        assert taken[:100] == list(range(100))
        assert isinstance(taken[100], Down)
    stop([watcher])


# ---- links -------------------------------------------------------------------------------------


@pytest.mark.contract("S147", "S148")
@DISPATCHERS
def test_crash_through_links(dispatcher: str) -> None:
    """A crash runs through all linked actors and stops at one that traps exits."""
    refs = [Doer.start(dispatcher=dispatcher) for _ in range(10)]
    trapping = Noting.start(True, dispatcher=dispatcher)
    for one, two in zip(refs, [*refs[1:], trapping], strict=True):
        one.ask(lambda actor, two=two: actor.link(two), timeout=DEADLINE)
    monitors = [ref.monitor() for ref in refs]
    refs[0].tell(boom)
    reasons = [monitor.wait(DEADLINE).reason for monitor in monitors]
    assert isinstance(reasons[0], Crashed)
    assert len(set(reasons)) == 1
    notes: list[Any] = []
    while not notes:
        notes = trapping.ask(lambda actor: list(actor.notes), timeout=DEADLINE)
    assert notes == [Exit(refs[-1], reasons[0])]
    stop([trapping])


@pytest.mark.contract("S147")
def test_link_at_the_end() -> None:
    """A link made while the other ends gives exactly one Exit, whichever came first."""

    def once() -> None:
        one, two = Noting.start(True), Doer.start()
        together(
            lambda: one.ask(lambda actor: actor.link(two), timeout=DEADLINE),
            lambda: two.stop(Shutdown("x"), timeout=DEADLINE),
        )
        notes = one.ask(lambda actor: list(actor.notes), timeout=DEADLINE)
        assert len(notes) == 1
        assert notes[0].reason in (Shutdown("x"), NoProc())
        assert not one.process._links
        stop([one])

    for _ in range(150):
        once()


@pytest.mark.contract("S156")
def test_unlink_at_the_end() -> None:
    """Once unlink has returned, no new exit of that actor is queued."""

    def once() -> None:
        one, two = Noting.start(True), Doer.start()
        one.ask(lambda actor, two=two: actor.link(two), timeout=DEADLINE)

        def unlink(actor: Any) -> None:
            actor.unlink(two)
            actor.actor_ref.send_info("unlinked")

        together(
            lambda: one.ask(unlink, timeout=DEADLINE),
            lambda: two.stop(Shutdown("x"), timeout=DEADLINE),
        )
        notes = one.ask(lambda actor: list(actor.notes), timeout=DEADLINE)
        assert notes[-1] == "unlinked"
        assert len(notes) <= 2
        stop([one])

    for _ in range(150):
        once()


@pytest.mark.contract("S150", "S154")
def test_exits_of_parent_and_strangers() -> None:
    """A trapping actor hears of a stranger's exit, and stops at its parent's."""
    parent = Doer.start()
    ref = parent.ask(lambda _: Noting.start_link(True), timeout=DEADLINE)
    ends, notes = ref.process.actor.ends, ref.process.actor.notes
    ref.exit(Shutdown("stranger"))
    ref.exit(Normal())
    assert ref.ask("alive", timeout=DEADLINE) == "alive"
    assert notes == [Exit(None, Shutdown("stranger")), Exit(None, Normal())]
    monitor = ref.monitor()
    parent.stop(Shutdown("parent"), timeout=DEADLINE)
    assert monitor.wait(DEADLINE).reason == Shutdown("parent")
    assert ends == [Shutdown("parent")]


# ---- registries --------------------------------------------------------------------------------


@pytest.mark.contract("S131", "S144")
def test_one_holder_of_a_key() -> None:
    """Of many that register a key at once one gets it, and the others leave nothing behind."""
    registry = Registry.start_link()
    refs = [Doer.start() for _ in range(4)]

    def once(number: int) -> None:
        won: list[Any] = []
        lost: list[Any] = []

        def register(ref: Any) -> None:
            try:
                registry.register(number, owner=ref)
                won.append(ref)
            except AlreadyRegisteredError as error:
                lost.append(error.ref)

        together(*(partial(register, ref) for ref in refs))
        assert len(won) == 1
        assert lost == won * 3
        assert registry.lookup(number) == [(won[0], None)]

    for number in range(100):
        once(number)
    assert registry.count() == 100 == sum(len(registry.keys(ref)) for ref in refs)
    stop([*refs, registry])


@pytest.mark.contract("S134", "S135")
def test_keys_are_free_after_the_end() -> None:
    """Whatever way an actor ends while it registers, none of its keys stays."""
    registry = Registry.start_link()

    def once(round_: int) -> None:
        ref = Doer.start()

        def register() -> None:
            for key in range(20):
                try:
                    registry.register(key, owner=ref)
                except NoProcError:
                    return

        together(register, lambda: ref.exit((Killed(), Shutdown())[round_ % 2]))
        monitor = ref.monitor()
        monitor.wait(DEADLINE)
        assert (registry.count(), registry.entries()) == (0, [])

    for round_ in range(60):
        once(round_)
    # Links are told after monitors.
    pause = threading.Event()
    for _ in range(1000):
        if not registry.process._links:
            break
        pause.wait(0.005)
    assert not registry.process._links
    stop([registry])


@pytest.mark.contract("S138")
def test_registry_ends_while_actors_register() -> None:
    """Whoever got a key of it is taken along, whoever did not lives."""

    def once() -> None:
        registry = Registry.start(name="mortal")
        refs = [Doer.start() for _ in range(4)]
        got: list[Any] = []

        def register() -> None:
            for number, ref in enumerate(refs):
                try:
                    registry.register(number, owner=ref)
                    got.append(ref)
                except (UnknownRegistryError, NoProcError):
                    return

        together(register, lambda: registry.exit(Killed()))
        for ref in refs:
            if ref in got:
                ref.monitor().wait(DEADLINE)
            else:
                stop([ref])

    for _ in range(40):
        once()
