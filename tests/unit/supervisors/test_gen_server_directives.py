"""GenServer's contract, stepped by hand: directives, terminate, stops, timers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisors import (
    IDLE_TIMEOUT,
    Continue,
    Crashed,
    Exit,
    GenServer,
    Hibernate,
    Killed,
    NoProcError,
    Normal,
    Shutdown,
    Stop,
    Timeout,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.probe import Probe, boom, probe
from tests.unit.supervisors.stepped import Seen, SteppedTimers

# ---- directives --------------------------------------------------------------------------------


@pytest.mark.contract("S170")
def test_stop_with_reply(turns: ManualDispatcher) -> None:
    """Terminate runs, then the asker gets its reply, then monitors fire."""
    ref, notes = probe(turns)
    monitor = ref.monitor()
    reply = ref.ask(lambda actor: Stop(Shutdown("x"), reply=5), block=False)
    order: list[Any] = []
    reply.add_done_callback(lambda r: order.append((r.get(), list(notes), monitor._reply.done())))
    turns.run_until_idle()
    assert order == [(5, ["init", "call", Shutdown("x")], False)]
    assert monitor.wait(0).reason == Shutdown("x")


@pytest.mark.contract("S166", "S170")
def test_stop_without_reply(turns: ManualDispatcher) -> None:
    """The asker gets the exit error at once."""
    ref, _ = probe(turns)
    with pytest.raises(NoProcError) as caught:
        ref.call(lambda actor: Stop(Shutdown("x")))
    assert caught.value.reason == Shutdown("x")


def test_stop_with_an_exception(turns: ManualDispatcher) -> None:
    """An exception given as reason is a crash; what is no reason is one too."""
    error = ValueError()
    ref, notes = probe(turns)
    ref.tell(lambda actor: Stop(error))
    turns.run_until_idle()
    assert notes[-1] == Crashed(error)
    ref, notes = probe(turns)
    ref.tell(lambda actor: Stop("normal"))
    turns.run_until_idle()
    assert isinstance(notes[-1].exception, TypeError)


@pytest.mark.contract("S161")
@pytest.mark.parametrize("reply", [True, False])
def test_continue_with_and_without_reply(turns: ManualDispatcher, reply: bool) -> None:
    """The reply is sent first; without one the asker waits as with NO_REPLY."""
    ref, notes = probe(turns)
    directive = Continue("x", reply=3) if reply else Continue("x")
    asked = ref.ask(lambda actor: directive, block=False)
    behind = ref.ask("behind", block=False)
    turns.run_until_idle()
    assert asked.done() == reply
    assert behind.get() == "behind"
    assert notes == ["init", "call", "continue", "call"]


@pytest.mark.contract("S161")
def test_continue_may_go_on_or_stop(turns: ManualDispatcher) -> None:
    """What handle_continue returns is followed too."""
    ref, notes = probe(turns)
    ref.tell(lambda actor: Continue(lambda actor: Continue(Stop(Shutdown("done")))))
    turns.run_until_idle()
    assert notes == ["init", "cast", "continue", "continue", Shutdown("done")]


@pytest.mark.contract("S162")
def test_timeout_directive(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """IDLE_TIMEOUT comes after the seconds, unless any message came first."""
    ref, notes = probe(turns)
    assert ref.call(lambda actor: Timeout(2.0, reply="ok")) == "ok"
    clock.advance(1.9)
    turns.run_until_idle()
    assert IDLE_TIMEOUT not in notes
    clock.advance(0.2)
    turns.run_until_idle()
    assert notes.count(IDLE_TIMEOUT) == 1
    for send in (ref.tell, ref.send_info, ref.call):
        ref.call(lambda actor: Timeout(2.0, reply="ok"))
        send("message")
        turns.run_until_idle()
        clock.advance(5.0)
        turns.run_until_idle()
    assert notes.count(IDLE_TIMEOUT) == 1
    assert len(clock) == 0


@pytest.mark.contract("S162")
def test_timeout_that_a_message_overtakes(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """A message in the queue before the timeout makes it void."""
    ref, notes = probe(turns)
    ref.call(lambda actor: Timeout(timedelta(seconds=1), reply="ok"))
    ref.tell("first")
    clock.advance(2.0)
    turns.run_until_idle()
    assert notes == ["init", "call", "cast"]


@pytest.mark.contract("S162")
def test_timeout_of_none(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """None waits for ever, and ends an earlier wait as any message does."""
    ref, notes = probe(turns)
    ref.call(lambda actor: Timeout(1, reply="ok"))
    assert ref.call(lambda actor: Timeout(None, reply="ok")) == "ok"
    assert len(clock) == 0
    clock.advance(1e9)
    turns.run_until_idle()
    assert IDLE_TIMEOUT not in notes


@pytest.mark.contract("S162")
def test_timeout_from_init(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """Init may return Timeout."""
    _, notes = probe(turns, Timeout(1))
    clock.advance(1.0)
    turns.run_until_idle()
    assert notes == ["init", IDLE_TIMEOUT]


@pytest.mark.contract("S175")
def test_hibernate(turns: ManualDispatcher) -> None:
    """The next message is handled as usual, after on_wake."""
    ref, notes = probe(turns, Hibernate())
    assert notes == ["init", "hibernate"]
    assert ref.call("x") == "x"
    assert ref.call(lambda actor: Hibernate(reply="asleep")) == "asleep"
    ref.send_info("info")
    turns.run_until_idle()
    assert notes[2:] == ["wake", "call", "call", "hibernate", "wake", "info"]


def test_proxied_values_are_no_directives(turns: ManualDispatcher) -> None:
    """A proxied method may return anything, directives included."""

    class Box(Probe):
        size = 3

        def stop_it(self) -> Any:
            return Stop()

        def fail(self) -> None:
            raise ValueError("boom")

    ref = Box.start(dispatcher=turns)
    proxy = ref.proxy()
    assert isinstance(proxy.stop_it().get(), Stop)
    assert proxy.size.get() == 3
    proxy.size = 4
    assert proxy.size.get() == 4
    assert ref.is_alive()
    for name in ("stop", "handle_call", "terminate", "init"):
        with pytest.raises(AttributeError, match="belongs to the framework"):
            getattr(proxy, name)().get()
    proxy.stop.defer()
    turns.run_until_idle()
    assert ref.is_alive()
    with pytest.raises(ValueError, match="boom"):
        proxy.fail().get()
    assert not ref.is_alive()


def test_on_receive(turns: ManualDispatcher) -> None:
    """A class that overrides Pykka's on_receive gets every user message there."""

    class Old(Probe):
        def on_receive(self, message: Any) -> Any:
            self.notes.append(("received", message))
            return Stop(reply="bye") if message == "stop" else message

    ref = Old.start(dispatcher=turns)
    notes = ref.process.actor.notes
    assert ref.ask("a") == "a"
    ref.tell("b")
    ref.send_info("c")
    turns.run_until_idle()
    assert notes == ["init", ("received", "a"), ("received", "b"), "c"]
    assert ref.ask("stop") == "bye"


# ---- the end -----------------------------------------------------------------------------------


@pytest.mark.contract("S171")
@pytest.mark.parametrize("trapping", [True, False])
@pytest.mark.parametrize(
    "how", ["stop", "own stop", "directive", "crash", "parent's exit", "foreign exit"]
)
def test_terminate_runs_once(turns: ManualDispatcher, how: str, trapping: bool) -> None:
    """Whatever ends the actor, trapping exits or not, terminate runs exactly once."""

    def start(actor: Any) -> Any:
        return Probe.start_link(dispatcher=turns)

    parent, _ = probe(turns)
    ref = parent.call(start)
    ref.process.actor.trap_exit = trapping
    notes = ref.process.actor.notes
    match how:
        case "stop":
            assert ref.stop()
        case "own stop":
            ref.tell(lambda actor: actor.stop())
        case "directive":
            ref.tell(Stop())
        case "crash":
            ref.tell(boom)
        case "parent's exit":
            parent.call(lambda actor: ref.exit(Shutdown("parent")))
        case "foreign exit":
            ref.exit(Shutdown("stranger"))
    turns.run_until_idle()
    ends = [note for note in notes if isinstance(note, Normal | Shutdown | Crashed)]
    if how == "foreign exit" and trapping:
        assert (ends, notes[-1]) == ([], Exit(None, Shutdown("stranger")))
    else:
        assert len(ends) == 1
        assert not ref.is_alive()


@pytest.mark.contract("S78", "S149", "S171")
def test_terminate_does_not_run_for_a_kill(turns: ManualDispatcher) -> None:
    """A kill between messages ends the actor at once with Killed, trapping or not."""
    ref, notes = probe(turns)
    ref.process.actor.trap_exit = True
    queued = ref.ask("queued", block=False)
    monitor = ref.monitor()
    ref.exit(Killed())
    assert monitor.wait(0).reason == Killed()
    assert isinstance(queued.exception(0), NoProcError)
    turns.run_until_idle()
    assert notes == ["init"]


@pytest.mark.contract("S149", "S171")
@pytest.mark.parametrize("then", ["returns", "crashes", "stops"])
def test_actor_that_kills_itself(turns: ManualDispatcher, then: str) -> None:
    """It ends with Killed when its handler is over, however that ends, and without terminate."""

    def kill(actor: Any) -> Any:
        actor.actor_ref.exit(Killed())
        if then == "crashes":
            boom()
        return Stop() if then == "stops" else None

    ref, notes = probe(turns)
    monitor = ref.monitor()
    ref.tell(kill)
    ref.tell("behind")
    turns.run_until_idle()
    assert monitor.wait(0).reason == Killed()
    assert notes == ["init", "cast"]


@pytest.mark.contract("S173", "S168")
def test_crash_in_terminate(turns: ManualDispatcher) -> None:
    """It changes the reason and is contained; stop still returns."""

    class Bad(GenServer):
        def terminate(self, reason: Any) -> None:
            boom()

    ref = Bad.start(dispatcher=turns)
    monitor = ref.monitor()
    assert ref.stop()
    assert isinstance(monitor.wait(0).reason.exception, ValueError)


def test_stop(turns: ManualDispatcher) -> None:
    """Stop waits for the end, tells whether the actor was alive, and gives its reason."""
    ref, notes = probe(turns)
    first, second = (ref.stop(Shutdown(n), block=False) for n in (1, 2))
    turns.run_until_idle()
    assert (first.get(), second.get(), ref.stop()) == (True, True, False)
    assert notes[-1] == Shutdown(1)


def test_stop_overtakes(turns: ManualDispatcher) -> None:
    """Queued asks get NoProcError, queued tells become dead letters."""
    ref, notes = probe(turns)
    letters = Seen().of(("supervisors", "dead_letter"))
    ask = ref.ask("x", block=False)
    ref.tell({"token": "s3cret"})
    ref.send_info("info")
    assert ref.stop()
    letters.close()
    assert isinstance(ask.exception(0), NoProcError)
    assert notes == ["init", Normal()]
    types = [metadata["message_type"] for _, _, metadata in letters.events]
    assert types == ["dict", "str"]
    assert "s3cret" not in repr(letters.events)


def test_own_stop_comes_in_its_turn(turns: ManualDispatcher) -> None:
    """self.stop() handles what was queued before it, and nothing after it."""
    ref, notes = probe(turns)
    ref.tell(lambda actor: actor.stop())
    ref.tell("before")
    turns.step()
    assert notes == ["init", "cast", "cast", Normal()]
    ref, notes = probe(turns)
    ref.process.actor.stop()
    ref.process.post("after")
    turns.run_until_idle()
    assert notes == ["init", Normal()]


def test_cancelled(turns: ManualDispatcher) -> None:
    """A long handler sees that a stop waits."""
    flags: list[bool] = []

    def long(actor: Any) -> None:
        flags.append(actor.cancelled)
        actor.actor_ref.stop(block=False)
        flags.append(actor.cancelled)

    ref, _ = probe(turns)
    ref.tell(long)
    turns.run_until_idle()
    assert flags == [False, True]


def test_pykkas_hooks(turns: ManualDispatcher) -> None:
    """on_start runs before init; on_stop or on_failure after terminate."""

    class Hooked(Probe):
        def on_start(self) -> None:
            self.notes.append("on_start")

        def on_stop(self) -> None:
            self.notes.append("on_stop")

        def on_failure(self, kind: Any, value: Any, trace: Any) -> None:
            self.notes.append(("on_failure", kind, trace is not None))

    ref = Hooked.start(dispatcher=turns)
    notes = ref.process.actor.notes
    ref.stop()
    assert notes == ["on_start", "init", Normal(), "on_stop"]
    ref = Hooked.start(dispatcher=turns)
    notes = ref.process.actor.notes
    ref.tell(boom)
    turns.run_until_idle()
    assert notes[-1] == ("on_failure", ValueError, True)


def test_reports_of_ends(turns: ManualDispatcher, seen: Seen) -> None:
    """A clean end is silent; a crash is reported once, by types, with the trace."""
    seen.of(("supervisors", "actor", "crashed"))
    for reason in (Normal(), Shutdown(), Shutdown("x")):
        probe(turns)[0].stop(reason)
    assert seen.events == []
    ref, _ = probe(turns)
    ref.tell(boom)
    turns.run_until_idle()
    [(_, _, metadata)] = seen.events
    assert metadata["error"] == "ValueError"
    assert (metadata["message_type"], metadata["state_type"]) == ("function", "Probe")
    assert metadata["trace"][-1].function == "boom"
    assert "boom" not in repr(metadata["trace"][-1].file)


# ---- timers ------------------------------------------------------------------------------------


def test_send_after(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """The message arrives in handle_info after the delay, unless it was cancelled."""
    ref, notes = probe(turns)
    actor = ref.process.actor
    timer, other = actor.send_after(1, "a"), actor.send_after(timedelta(seconds=2), "b")
    assert timer.waiting
    clock.advance(1.0)
    turns.run_until_idle()
    assert (notes, timer.waiting, timer.cancel()) == (["init", "a"], False, False)
    assert other.cancel()
    clock.advance(5.0)
    turns.run_until_idle()
    assert notes == ["init", "a"]


def test_timers_end_with_their_actor(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """No timer of a dead actor waits."""
    ref, _ = probe(turns)
    for delay in range(1, 40):
        ref.process.actor.send_after(delay, "x")
    ref.stop()
    assert len(clock) == 0


def test_timers_that_are_over_are_not_kept(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """An actor that sends itself many messages keeps few timers, at a constant cost each."""
    ref, _ = probe(turns)
    for _ in range(1000):
        ref.process.actor.send_after(1, "x")
        clock.advance(1.0)
    assert len(ref.process._timers) <= 32


@pytest.mark.parametrize("bad", [-1, "1", True, None], ids=repr)
def test_bad_delay(turns: ManualDispatcher, bad: Any) -> None:
    """A delay is seconds."""
    ref, _ = probe(turns)
    with pytest.raises((TypeError, ValueError), match="delay must be"):
        ref.process.actor.send_after(bad, "x")
