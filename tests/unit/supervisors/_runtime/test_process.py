"""The life of a process where a race is forced by hand."""

from __future__ import annotations

import pickle
from typing import Any

import pykka
import pytest

from supervisors import (
    Abandoned,
    GenServer,
    Killed,
    NoProcError,
    Normal,
    Shutdown,
    StartError,
    registered,
    unstopped,
    whereis,
)
from supervisors._runtime.actor_list import enlist
from supervisors._runtime.current import current
from supervisors._runtime.first_turn import confirm
from supervisors._runtime.items import Forwarded
from supervisors._runtime.outcomes import StartFailed
from supervisors._runtime.reply import Reply
from supervisors._runtime.root import root
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen


class Probe(GenServer):
    """Does what it is told."""

    def init(self, act: Any = None) -> Any:
        return act() if act else None

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request(self) if callable(request) else request

    def handle_cast(self, message: Any) -> Any:
        return message(self)


def elsewhere(process: Any, act: Any) -> None:
    """Acts as if in a thread other than the one that the process runs in."""
    mine, process._thread_id = process._thread_id, -1
    inside, current.process = current.process, None
    try:
        act()
    finally:
        process._thread_id, current.process = mine, inside


def kill(process: Any) -> None:
    """Kills as another thread would."""
    elsewhere(process, process.kill)


class Attaching(ManualDispatcher):
    """Acts before it takes a process."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act

    def attach(self, process: Any) -> None:
        self.act(process)
        super().attach(process)


# ---- kills at odd moments ----------------------------------------------------------------------


@pytest.mark.contract("S127", "S158")
def test_kill_before_the_launch(turns: ManualDispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds a starting actor by its name may kill it; the start fails, nothing is left."""
    register = enlist

    def register_and_kill(ref: Any) -> None:
        register(ref)
        whereis("early").process.kill()

    monkeypatch.setattr("supervisors._runtime.spawn.enlist", register_and_kill)
    with pytest.raises(StartError) as caught:
        Probe.start(dispatcher=turns, name="early")
    assert caught.value.reason == Killed()
    assert whereis("early") is None
    assert [ref for ref in pykka.ActorRegistry.get_all() if "early" in str(ref)] == []


def test_kill_before_it_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor that ends before it is registered is not registered afterwards."""
    register = enlist

    def kill_and_register(ref: Any) -> None:
        ref.process.kill()
        register(ref)

    monkeypatch.setattr("supervisors._runtime.spawn.enlist", kill_and_register)
    with pytest.raises(StartError):
        Probe.start_link(dispatcher=ManualDispatcher(), name="early")
    assert [ref for ref in pykka.ActorRegistry.get_all() if "early" in str(ref)] == []
    assert [p for p in root.members() if p.actor_ref.name == "early"] == []


def test_kill_before_the_first_turn() -> None:
    """An actor that is killed while it waits for its first turn never runs its init."""
    ran: list[int] = []
    turns = Attaching(kill)
    with pytest.raises(StartError):
        Probe.start(lambda: ran.append(1), dispatcher=turns)
    assert ran == []
    assert turns.run_until_idle() <= 1


def test_kill_during_init(turns: ManualDispatcher) -> None:
    """The start fails with Abandoned; the rest of init runs in vain, terminate does not."""
    notes: list[Any] = []

    class Slow(Probe):
        def init(self) -> None:  # type: ignore[override]
            kill(self._process)
            notes.append([entry.path for entry in unstopped()])

        def terminate(self, reason: Any) -> None:
            notes.append(reason)

    with pytest.raises(StartError) as caught:
        Slow.start(dispatcher=turns, name="slow")
    assert caught.value.reason == Abandoned()
    assert notes == [["slow"]]
    assert unstopped() == []


@pytest.mark.contract("S77", "S155")
def test_kill_inside_a_handler(turns: ManualDispatcher) -> None:
    """The actor is fenced at once: Abandoned, its name free, its askers told, its reply refused."""
    seen = Seen().of(
        ("supervisors", "actor", "abandoned"), ("supervisors", "actor", "abandoned_returned")
    )
    ref = Probe.start(dispatcher=turns, name="stuck")
    monitor = ref.monitor()
    queued: list[Reply] = []
    found: list[Any] = []

    def stuck(actor: Any) -> str:
        queued.append(ref.ask("queued", block=False))
        kill(actor._process)
        found.append((monitor._reply.done(), whereis("stuck"), ref.is_alive(), reply.done()))
        found.append(seen.names())
        [entry] = unstopped()
        found.append((entry.path, str(entry).split(" [")[0]))
        return "too late"

    reply = ref.ask(stuck, block=False)
    turns.run_until_idle()
    assert found == [(True, None, False, True), ["abandoned"], ("stuck", "stuck")]
    assert monitor.wait(0).reason == Abandoned()
    for answer in (reply, queued[0]):
        error = answer.exception(0)
        assert isinstance(error, NoProcError)
        assert error.reason == Abandoned()
    assert unstopped() == []
    assert seen.names() == ["abandoned", "abandoned_returned"]
    seen.close()


def test_kill_after_the_reply(turns: ManualDispatcher) -> None:
    """Who has its reply has seen the handler end: a kill from then on is one between messages."""
    ref = Probe.start(dispatcher=turns)
    monitor = ref.monitor()
    process = ref.process
    reply = ref.ask("x", block=False)
    reply.add_done_callback(lambda _: kill(process))
    turns.run_until_idle()
    assert (reply.get(), monitor.wait(0).reason) == ("x", Killed())
    assert unstopped() == []


def test_kill_after_the_start(turns: ManualDispatcher) -> None:
    """Who has the reference has seen init end, and a parent hears of the start before the end."""
    outcome: list[Any] = []
    actor = Probe()
    process = actor._process
    parent = Probe.start(dispatcher=turns).process
    ended: list[Any] = []
    parent.actor._otp_child_ended = lambda incarnation, reason: ended.append(reason)
    process.adopt(parent, 7)

    def on_started(result: Any) -> None:
        kill(process)
        outcome.append((result, list(ended)))

    process.expect_start(on_started)

    def boot(process: Any, _: object) -> bool:
        confirm(process)
        return False

    process.launch(turns, boot)
    turns.run_until_idle()
    assert [type(result).__name__ for result, _ in outcome] == ["Started"]
    assert ended == [Killed()]


def test_kill_between_two_messages(turns: ManualDispatcher) -> None:
    """A kill that comes when a message was taken out and not begun ends the actor all the same."""
    ref = Probe.start(dispatcher=turns)
    process = ref.process
    monitor = ref.monitor()

    class Killing(list[Any]):
        def popleft(self) -> Any:
            item = self.pop()
            kill(process)
            return item

    ran: list[int] = []
    reply = Reply()
    process.mailbox.user = Killing(
        [Forwarded.of(lambda _: ran.append(1), process).passing_on(reply)]
    )
    process.post("behind")
    process.mailbox.user.remove("behind")
    turns.run_until_idle()
    assert (ran, monitor.wait(0).reason) == ([], Killed())
    assert isinstance(reply.exception(0), NoProcError)


@pytest.mark.parametrize("by", ["kill", "finish"])
def test_who_has_ended_is_looked_at_before_each_message(turns: ManualDispatcher, by: str) -> None:
    """The short way, on which it is not, ends with it; that an observer comes or goes is no way."""
    ref = Probe.start(dispatcher=turns)
    process = ref.process
    assert process is not None
    assert process.direct
    if by == "kill":
        process.kill()
    else:
        process.finish(Killed())
    assert not process.direct
    process.actor._otp_look_again()
    assert not process.direct


def test_abandoned_terminate(turns: ManualDispatcher) -> None:
    """A crash whose terminate hangs: the asker is told when the actor is fenced."""
    told: list[Any] = []

    class Hanging(Probe):
        def terminate(self, reason: Any) -> None:
            kill(self._process)
            told.append(reply.exception(0))

    ref = Hanging.start(dispatcher=turns)
    reply = ref.ask(lambda _: 1 / 0, block=False)
    monitor = ref.monitor()
    turns.run_until_idle()
    assert isinstance(told[0], NoProcError)
    assert monitor.wait(0).reason == Abandoned()


def test_partner_of_an_abandoned_actor_is_no_abandoned_one(turns: ManualDispatcher) -> None:
    """Its reason is Abandoned too, and yet it has stopped in order."""
    seen = Seen().of(("supervisors", "actor", "abandoned_returned"))
    one, two = Probe.start(dispatcher=turns), Probe.start(dispatcher=turns)
    one.call(lambda actor: actor.link(two))
    one.tell(lambda actor: kill(actor._process))
    turns.run_until_idle()
    seen.close()
    assert not two.is_alive()
    assert len(seen.events) == 1


def test_what_a_fenced_actor_ties_comes_undone(turns: ManualDispatcher) -> None:
    """Timers, names, monitors and links made after the fence are refused or undone at once."""
    other = Probe.start(dispatcher=turns)
    found: list[Any] = []

    def go_on(actor: Any) -> None:
        from supervisors import register_name

        process = actor._process
        kill(process)
        found.append(actor.send_after(5, "x").waiting)
        register_name("zombie", actor.actor_ref)
        found.append("zombie" in registered())
        found.append(actor.monitor(other).active)
        actor.link(other)

    ref = Probe.start(dispatcher=turns)
    watch = other.monitor()
    ref.tell(go_on)
    turns.run_until_idle()
    assert found == [False, False, False]
    assert other.process is None
    assert watch.wait(0).reason == Abandoned()


# ---- stops -------------------------------------------------------------------------------------


def test_stop_returns_when_everybody_was_told(turns: ManualDispatcher) -> None:
    """A stop that finds the actor ending waits for the end as well."""
    ref = Probe.start(dispatcher=turns, name="ending")
    process = ref.process
    second = Reply()
    order: list[Any] = []
    second.add_done_callback(lambda r: order.append(("stopped", r.get())))

    def told(_: object) -> None:
        process.await_end(second)
        order.append(("down", second.done()))

    ref.monitor(told)
    assert ref.stop()
    assert order == [("down", False), ("stopped", True)]
    late = Reply()
    process.await_end(late)
    assert late.get() is True


def test_stop_before_the_first_turn() -> None:
    """A stop that comes before init lets init run, then terminate."""
    notes: list[Any] = []

    class Noting(Probe):
        def init(self) -> None:  # type: ignore[override]
            notes.append("init")

        def terminate(self, reason: Any) -> None:
            notes.append(reason)

    turns = Attaching(lambda process: process.actor_ref.stop(Shutdown("early"), block=False))
    ref = Noting.start(dispatcher=turns)
    turns.run_until_idle()
    assert notes == ["init", Shutdown("early")]
    assert not ref.is_alive()


def test_dispatcher_that_refuses() -> None:
    """A thread that cannot be had, or any error of a dispatcher, is a start error."""

    class Refusing(ManualDispatcher):
        def attach(self, process: Any) -> None:
            raise RuntimeError("can't start new thread")

    with pytest.raises(StartError) as caught:
        Probe.start(dispatcher=Refusing(), name="threadless")
    assert isinstance(caught.value.reason.exception, RuntimeError)
    assert whereis("threadless") is None


def test_outcome_is_told_once(turns: ManualDispatcher) -> None:
    """A start that was answered is not answered again by the end."""
    outcomes: list[Any] = []
    process = Probe()._process
    process.expect_start(outcomes.append)
    failure = StartFailed(Normal(), RuntimeError())
    process.fail_start(failure, process.kill)
    process.fail_start(failure, process.kill)
    process.expect_start(lambda outcome: outcomes.append(type(outcome)))
    assert outcomes == [failure, StartFailed]


# ---- references --------------------------------------------------------------------------------


def test_references(turns: ManualDispatcher) -> None:
    """They compare by identity, pickle by URN, and name class and name."""
    ref = Probe.start(dispatcher=turns, name="n")
    assert pickle.loads(pickle.dumps(ref)) is ref  # noqa: S301  our own bytes
    assert (str(ref), repr(ref)) == ("Probe ('n')", "<ActorRef for Probe ('n')>")
    assert ref.actor_urn.startswith("urn:uuid:")
    assert str(ref.process.actor) == str(ref)
    assert ref.actor_class is Probe
    event = ref.actor_stopped
    assert not event.is_set()
    assert ref.actor_inbox.empty()
    ref.stop()
    assert event.is_set()
    assert ref.actor_stopped.is_set()
    assert pickle.loads(pickle.dumps(ref)) is None  # noqa: S301  likewise
    with pytest.raises(NoProcError):
        _ = ref.actor_inbox


def test_pykkas_inbox(turns: ManualDispatcher) -> None:
    """What is put into the inbox in Pykka's envelopes is a call or a cast."""
    from pykka._envelope import Envelope

    ref = Probe.start(dispatcher=turns)
    reply, got = Reply(), []
    ref.actor_inbox.put(Envelope("x", reply_to=reply))
    ref.actor_inbox.put(Envelope(lambda _: got.append(1)))
    assert not ref.actor_inbox.empty()
    turns.run_until_idle()
    assert (reply.get(), got) == ("x", [1])
    with pytest.raises(NotImplementedError):
        ref.actor_inbox.get()


def test_pykkas_registry(turns: ManualDispatcher) -> None:
    """Living actors are in ActorRegistry, dead ones are not; its stop ends them."""

    class Listed(Probe):
        pass

    ref = Listed.start(dispatcher=turns)
    assert pykka.ActorRegistry.get_by_class(Listed) == [ref]
    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is ref
    pykka.ActorRegistry.broadcast(lambda actor: actor.stop(), target_class=Listed)
    turns.run_until_idle()
    assert pykka.ActorRegistry.get_by_class(Listed) == []


def test_nobody_is_current_afterwards(turns: ManualDispatcher) -> None:
    """In a handler the actor is the current one; before and after it is not."""
    ref = Probe.start(dispatcher=turns)
    assert ref.call(lambda actor: current.process is actor._process)
    assert current.process is None
    other = Probe.start(dispatcher=turns)
    assert ref.call(lambda _: other.call(lambda actor: current.process is actor._process))
    assert ref.call(lambda actor: (other.call("x"), current.process is actor._process)[1])


def test_ties_of_the_root(turns: ManualDispatcher) -> None:
    """start_link outside an actor puts it under the root, from which its end takes it."""
    ref = Probe.start_link(dispatcher=turns)
    process = ref.process
    assert process in root.members()
    ref.stop()
    assert process not in root.members()
    assert Probe.start(dispatcher=turns).process not in root.members()
