"""Links, monitors, exit signals, stepped by hand."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import Any

import pytest

from supervisors import (
    Crashed,
    Down,
    Exit,
    GenServer,
    Killed,
    NoProc,
    Normal,
    NotAvailableError,
    Shutdown,
    monitor,
)
from supervisors._runtime.signals import link
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen


class Node(GenServer):
    """Notes what handle_info gets."""

    def init(self, trap: bool = False) -> None:
        self.trap_exit = trap
        self.notes: list[Any] = []

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request(self)

    def handle_cast(self, message: Any) -> Any:
        return message(self)

    def handle_info(self, message: Any) -> None:
        self.notes.append(message)


def node(turns: ManualDispatcher, *, trap: bool = False) -> tuple[Any, list[Any]]:
    """Starts a node and returns its reference and its notes."""
    ref = Node.start(trap, dispatcher=turns)
    return ref, ref.process.actor.notes


def boom(_: object = None) -> None:
    """Raises."""
    raise ValueError("boom")


# ---- links -------------------------------------------------------------------------------------


@pytest.mark.contract("S147")
@pytest.mark.parametrize("direction", ["linker dies", "linked dies"])
def test_crash_ends_the_partner(turns: ManualDispatcher, direction: str) -> None:
    """It ends with the same reason, whichever of the two crashed."""
    (one, _), (two, _) = node(turns), node(turns)
    one.call(lambda actor: actor.link(two))
    victim, partner = (one, two) if direction == "linker dies" else (two, one)
    watch, first = partner.monitor(), victim.monitor()
    victim.tell(boom)
    turns.run_until_idle()
    assert watch.wait(0).reason == first.wait(0).reason
    assert isinstance(watch.wait(0).reason, Crashed)


@pytest.mark.contract("S147")
def test_normal_end_leaves_the_partner(turns: ManualDispatcher) -> None:
    """A normal end ends nobody, neither a partner nor an actor that was started linked."""
    (one, _), (two, _) = node(turns), node(turns)
    one.call(lambda actor: actor.link(two))
    started = one.call(lambda actor: Node.start_link(dispatcher=turns))
    one.stop()
    turns.run_until_idle()
    assert two.is_alive()
    assert started.is_alive()
    assert not two.process._links


@pytest.mark.contract("S147")
def test_chain(turns: ManualDispatcher) -> None:
    """A crash runs through a chain of links."""
    refs = [node(turns)[0] for _ in range(5)]
    for one, two in itertools.pairwise(refs):
        one.call(lambda actor, two=two: actor.link(two))
    refs[2].tell(boom)
    turns.run_until_idle()
    assert not any(ref.is_alive() for ref in refs)


@pytest.mark.contract("S148")
@pytest.mark.parametrize("normal", [True, False])
def test_trapping_partner(turns: ManualDispatcher, normal: bool) -> None:
    """It gets sender and reason as a message, of a normal end too, and lives."""
    (one, notes), (two, _) = node(turns, trap=True), node(turns)
    one.call(lambda actor: actor.link(two))
    if normal:
        two.stop()
    else:
        two.tell(boom)
    turns.run_until_idle()
    [exit_] = notes
    assert isinstance(exit_, Exit)
    assert exit_.ref is two
    assert isinstance(exit_.reason, Normal if normal else Crashed)
    assert one.is_alive()


@pytest.mark.contract("S149")
def test_kill_and_partners(turns: ManualDispatcher) -> None:
    """A kill is not trapped; a trapping partner of the killed one gets Killed and lives."""
    (one, notes), (two, _) = node(turns, trap=True), node(turns, trap=True)
    one.call(lambda actor: actor.link(two))
    two.exit(Killed())
    turns.run_until_idle()
    assert notes == [Exit(two, Killed())]
    assert (one.is_alive(), two.is_alive()) == (True, False)


@pytest.mark.contract("S150")
def test_exit_normal_is_ignored(turns: ManualDispatcher) -> None:
    """Sending Normal does nothing to an actor that does not trap; one that does gets it."""
    (one, notes), (two, trapped) = node(turns), node(turns, trap=True)
    one.exit(Normal())
    two.exit(Normal())
    turns.run_until_idle()
    assert (one.is_alive(), notes, trapped) == (True, [], [Exit(None, Normal())])


@pytest.mark.contract("S147", "S148")
def test_exit_with_a_reason(turns: ManualDispatcher) -> None:
    """Exit ends who does not trap; who does gets the sender and the reason."""
    (one, _), (two, notes), (sender, _) = node(turns), node(turns, trap=True), node(turns)
    watch = one.monitor()
    error = ValueError()
    sender.call(lambda actor: one.exit(Shutdown("x")))
    sender.call(lambda actor: two.exit(error))
    turns.run_until_idle()
    assert watch.wait(0).reason == Shutdown("x")
    assert notes == [Exit(sender, Crashed(error))]


@pytest.mark.contract("S154")
@pytest.mark.parametrize("reason", [Normal(), Shutdown()], ids=repr)
def test_exit_of_the_parent(turns: ManualDispatcher, reason: Any) -> None:
    """A trapping actor stops when its parent does, with that reason, instead of hearing of it."""
    parent, _ = node(turns)
    ref = parent.call(lambda actor: Node.start_link(True, dispatcher=turns))
    watch, notes = ref.monitor(), ref.process.actor.notes
    parent.stop(reason)
    turns.run_until_idle()
    assert watch.wait(0).reason == reason
    assert notes == []


@pytest.mark.contract("S156")
def test_unlink(turns: ManualDispatcher) -> None:
    """After unlink no exit arrives; one that is queued already stays."""
    (one, notes), (two, _), (three, _) = node(turns, trap=True), node(turns), node(turns)
    for ref in (two, three):
        one.call(lambda actor, ref=ref: actor.link(ref))
    one.call(lambda actor: actor.unlink(two))
    two.tell(boom)
    turns.run_until_idle()
    assert notes == []
    three.process.kill()
    one.process.actor.unlink(three)
    turns.run_until_idle()
    assert notes == [Exit(three, Killed())]


@pytest.mark.contract("S156")
def test_unlink_while_the_end_is_told(turns: ManualDispatcher) -> None:
    """A partner that unties itself before its turn comes is not signalled."""
    (one, notes), (two, _), (first, _) = node(turns, trap=True), node(turns), node(turns)
    two.process.add_link(first.process)
    one.call(lambda actor: actor.link(two))
    watch = two.process._undone
    process = two.process

    def untie() -> Any:
        undone = watch()
        one.process.actor.unlink(two)
        return undone

    class Slow(type(process)):  # type: ignore[misc]
        __slots__ = ()

        def _undone(self) -> Any:
            return untie()

    process.__class__ = Slow
    watch = super(Slow, process)._undone
    process.kill()
    turns.run_until_idle()
    assert notes == []


@pytest.mark.contract("S147", "S151")
def test_link_to_a_dead_actor(turns: ManualDispatcher) -> None:
    """It is as if it ended now, with NoProc."""
    (one, notes), (dead, _) = node(turns, trap=True), node(turns)
    dead.stop()
    one.call(lambda actor: actor.link(dead))
    turns.run_until_idle()
    assert notes == [Exit(dead, NoProc())]
    other, _ = node(turns)
    watch = other.monitor()
    other.call(lambda actor: actor.link(dead))
    turns.run_until_idle()
    assert watch.wait(0).reason == NoProc()


def test_link_with_an_ending_process(turns: ManualDispatcher) -> None:
    """Whichever side has ended meanwhile, the other one is told, once."""
    for dying in (0, 1):
        pair = [node(turns, trap=True), node(turns, trap=True)]
        processes = [ref.process for ref, _ in pair]
        processes[dying].kill()
        link(processes[0], processes[1])
        turns.run_until_idle()
        _, notes = pair[1 - dying]
        assert len(notes) == 1
        assert notes[0].reason in (NoProc(), Killed())


@pytest.mark.parametrize("verb", ["link", "unlink", "monitor"])
def test_references_of_plain_pykka(turns: ManualDispatcher, verb: str) -> None:
    """They cannot be tied or watched in this version, and it is said so."""
    one, _ = node(turns)

    class PlainRef:
        pass

    with pytest.raises(NotAvailableError, match=f"{verb} with a PlainRef"):
        getattr(one.process.actor, verb)(PlainRef())
    with pytest.raises(NotAvailableError, match="monitor with a PlainRef"):
        monitor(PlainRef())


def test_link_to_oneself(turns: ManualDispatcher) -> None:
    """It does nothing."""
    one, _ = node(turns)
    one.call(lambda actor: actor.link(one))
    assert one.stop()


# ---- monitors ----------------------------------------------------------------------------------


@pytest.mark.contract("S151")
def test_monitor_fires_once(turns: ManualDispatcher) -> None:
    """In an actor the Down arrives in handle_info, with the real reason; elsewhere by wait()."""
    (one, notes), (two, _) = node(turns), node(turns)
    watch = one.call(lambda actor: actor.monitor(two))
    outside = monitor(two)
    assert "over" not in repr(outside)
    two.tell(boom)
    turns.run_until_idle()
    [down] = notes
    assert down == Down(watch, two, down.reason)
    assert isinstance(down.reason, Crashed)
    assert outside.wait(0) == outside.wait(0) == Down(outside, two, down.reason)


@pytest.mark.contract("S151")
def test_monitor_of_a_dead_actor(turns: ManualDispatcher) -> None:
    """It fires at once with NoProc."""
    (one, notes), (dead, _) = node(turns), node(turns)
    dead.stop()
    assert dead.monitor().wait(0).reason == NoProc()
    one.call(lambda actor: actor.monitor(dead))
    turns.run_until_idle()
    assert [down.reason for down in notes] == [NoProc()]


@pytest.mark.contract("S152")
def test_monitors_are_independent(turns: ManualDispatcher) -> None:
    """Two monitors give two notices; one that is cancelled gives none, not even a queued one."""
    (one, notes), (two, _) = node(turns), node(turns)
    watches = [one.call(lambda actor: actor.monitor(two)) for _ in range(3)]
    assert one.call(lambda actor: actor.demonitor(watches[0]))
    two.process.kill()
    assert watches[1].cancel()
    assert not watches[1].cancel()
    turns.run_until_idle()
    assert [down.monitor for down in notes] == [watches[2]]
    assert "over" in repr(watches[0])


@pytest.mark.contract("S153")
def test_messages_come_before_the_down(turns: ManualDispatcher) -> None:
    """What an actor sent before its end arrives before the notice of it."""
    (one, notes), (two, _) = node(turns), node(turns)
    one.call(lambda actor: actor.monitor(two))

    def flood(_: object) -> None:
        for number in range(200):
            one.send_info(number)
        boom()

    two.tell(flood)
    turns.run_until_idle()
    assert notes[:-1] == list(range(200))
    assert isinstance(notes[-1], Down)


@pytest.mark.contract("S128", "S155")
def test_down_comes_last(turns: ManualDispatcher) -> None:
    """When a monitor fires the actor is dead, terminate has run and the name is free."""
    from supervisors import whereis

    found: list[Any] = []

    class Named(Node):
        def terminate(self, reason: Any) -> None:
            found.append("terminate")

    ref = Named.start(dispatcher=turns, name="named")
    ref.monitor(lambda down: found.append((ref.is_alive(), whereis("named"))))
    ref.stop()
    assert found == ["terminate", (False, None)]


def test_monitor_with_a_function(turns: ManualDispatcher) -> None:
    """It is called once, at once for a dead actor; what it raises is reported; cancel holds."""
    seen = Seen().of(("supervisors", "future", "callback_failed"))
    got: list[Any] = []
    (one, _), (two, _) = node(turns), node(turns)
    one.monitor(got.append)
    one.monitor(boom)
    one.monitor(got.append).cancel()
    one.stop()
    one.monitor(got.append)
    seen.close()
    assert [down.reason for down in got] == [Normal(), NoProc()]
    assert len(seen.events) == 1
    assert two.is_alive()


def test_nothing_is_kept_of_dead_watchers_and_partners(turns: ManualDispatcher) -> None:
    """A long-lived actor does not keep those alive that watched it, were linked or asked it."""
    long, _ = node(turns)
    left = []
    for _ in range(3):
        ref, _ = node(turns)
        left.append(weakref.ref(ref.process.actor))
        ref.call(lambda actor: actor.monitor(long))
        ref.call(lambda actor: actor.link(long))
        ref.call(lambda actor: long.ask(lambda _: 1, block=False))
        ref.stop()
    turns.run_until_idle()
    gc.collect()
    assert [actor() for actor in left[:-1]] == [None, None]
    assert (long.process._monitors, set(long.process._links)) == ({}, set())


def test_nothing_is_kept_of_fired_monitors(turns: ManualDispatcher) -> None:
    """A watcher does not grow with the actors that it saw end."""
    one, notes = node(turns)
    for _ in range(5):
        target, _ = node(turns)
        one.call(lambda actor, target=target: actor.monitor(target))
        target.stop()
    turns.run_until_idle()
    assert len(notes) == 5
    assert one.process._watches == set()
