"""GenServer's contract, stepped by hand: init, calls, replies, crashes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import pykka
import pytest

from supervisors import (
    IGNORE,
    NO_REPLY,
    AlreadyStartedError,
    CallTimeout,
    Continue,
    Crashed,
    GenServer,
    Killed,
    NoProcError,
    Normal,
    SelfCallError,
    Shutdown,
    StartError,
    StartTimeout,
    Stop,
    UnhandledMessageError,
    registered,
    whereis,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.probe import Probe, boom, probe
from tests.unit.supervisors.stepped import Seen, SteppedTimers

# ---- init --------------------------------------------------------------------------------------


@pytest.mark.contract("S158")
def test_start_returns_after_init(turns: ManualDispatcher) -> None:
    """The reference is there when init has run, and not before."""
    ref, notes = probe(turns)
    assert notes == ["init"]
    assert ref.is_alive()


@pytest.mark.contract("S158", "S159")
@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_init_raises(turns: ManualDispatcher, error: BaseException) -> None:
    """What init raises is the start's error; nothing is left and terminate does not run."""
    kept: list[Any] = []

    class Bad(GenServer):
        def init(self) -> None:
            kept.append(self)
            raise error

        def terminate(self, reason: Any) -> None:
            kept.append(reason)

    with pytest.raises(StartError, match=f"Bad did not start: {type(error).__name__}") as caught:
        Bad.start(dispatcher=turns, name="bad")
    assert caught.value.reason == Crashed(error)
    assert caught.value.reason.trace[-1].function == "init"
    assert caught.value.__cause__ is error
    assert len(kept) == 1
    assert kept[0].actor_ref not in pykka.ActorRegistry.get_all()
    assert whereis("bad") is None


@pytest.mark.contract("S159")
@pytest.mark.parametrize(
    "result", ["ready", "ignored", "deferred", 0, object(), (1, 2), NO_REPLY], ids=repr
)
def test_init_returns_something_else(turns: ManualDispatcher, result: Any) -> None:
    """Whatever is no answer fails the start and is named by its type."""
    with pytest.raises(StartError) as caught:
        probe(turns, lambda: result)
    assert f"returned a {type(result).__name__}" in str(caught.value.__cause__)


@pytest.mark.contract("S159")
def test_init_returns_what_cannot_be_compared(turns: ManualDispatcher) -> None:
    """A value whose comparison raises fails the start like any other."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(StartError):
        probe(turns, Odd)


@pytest.mark.contract("S127", "S159")
def test_init_ignores(turns: ManualDispatcher) -> None:
    """IGNORE: start returns None, nothing lives, the name is free, terminate did not run."""
    assert Probe.start(IGNORE, dispatcher=turns, name="ignored") is None
    assert "ignored" not in registered()
    assert Probe.start(None, dispatcher=turns, name="ignored") is whereis("ignored")


@pytest.mark.contract("S127", "S159")
@pytest.mark.parametrize("reason", [Normal(), Shutdown("no")], ids=repr)
def test_init_stops(turns: ManualDispatcher, reason: Any) -> None:
    """Stop in init fails the start with its reason."""
    with pytest.raises(StartError) as caught:
        probe(turns, Stop(reason), name="stopped")
    assert caught.value.reason == reason
    assert whereis("stopped") is None


@pytest.mark.contract("S161")
def test_continue_comes_before_any_message(turns: ManualDispatcher) -> None:
    """What was queued while init ran is handled after handle_continue."""

    def early(actor: Probe | None = None) -> Any:
        ref = whereis("early")
        ref.cast("x")
        ref.send_info("info")
        return Continue("go on")

    ref, notes = probe(turns, early, name="early")
    turns.run_until_idle()
    assert notes == ["init", "continue", "cast", "info"]
    assert ref.stop()


@pytest.mark.contract("S126")
def test_name_is_there_during_init(turns: ManualDispatcher) -> None:
    """An actor finds itself under its name in init."""
    found: list[Any] = []
    ref, _ = probe(turns, lambda: found.append(whereis("self")), name="self")
    assert found == [ref]


@pytest.mark.contract("S125")
def test_name_is_taken(turns: ManualDispatcher) -> None:
    """The holder is named and left alone; neither init nor __init__ runs."""
    made: list[int] = []

    class Other(Probe):
        def __init__(self) -> None:
            made.append(1)
            super().__init__()

    holder, notes = probe(turns, name="taken")
    with pytest.raises(AlreadyStartedError) as caught:
        Other.start(dispatcher=turns, name="taken")
    assert caught.value.ref is holder
    assert (made, notes, whereis("taken")) == ([], ["init"], holder)


@pytest.mark.contract("S160")
def test_start_timeout(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """An init that takes longer than start_timeout is ended, and the start says so."""
    with pytest.raises(StartTimeout) as caught:
        probe(turns, lambda: clock.advance(3.1), start_timeout=3.0, name="late")
    assert (caught.value.reason, whereis("late")) == (Killed(), None)
    ref, notes = probe(turns, lambda: clock.advance(2.9), start_timeout=timedelta(seconds=3))
    clock.advance(5.0)
    turns.run_until_idle()
    assert (ref.is_alive(), notes, len(clock)) == (True, ["init"], 0)


def test_constructor_arguments(turns: ManualDispatcher) -> None:
    """An overriding __init__ gets the arguments too; what it raises is the error."""
    ref, _ = probe(turns)
    assert ref.stop()

    class Plain(GenServer):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.size = 10 // size

        def init(self, size: int) -> None:
            self.size += size

    ref = Plain.start(2, dispatcher=turns)
    assert ref.process.actor.size == 7
    with pytest.raises(StartError, match="ZeroDivisionError"):
        Plain.start(0, dispatcher=turns)


def test_constructor_without_super(turns: ManualDispatcher) -> None:
    """An __init__ that forgets super().__init__() is told so."""

    class Forgetful(GenServer):
        def __init__(self) -> None:
            pass

    with pytest.raises(StartError, match=r"must call super\(\).__init__\(\)"):
        Forgetful.start(dispatcher=turns)


def test_unknown_dispatcher() -> None:
    """A dispatcher's word is one of two."""
    with pytest.raises(ValueError, match="must be one of 'pool', 'thread' or a Dispatcher"):
        Probe.start(dispatcher="threads")


# ---- calls and replies -------------------------------------------------------------------------


@pytest.mark.contract("S163")
def test_reply_is_what_is_returned(turns: ManualDispatcher) -> None:
    """Any value but a directive, None included."""
    ref, _ = probe(turns)
    for value in (None, 1, "x", [IGNORE]):
        assert ref.call(value) == value
        assert ref.ask(value) == value


class Raced(list[Any]):
    """The outcome of a call, to which another one comes first at the last moment."""

    def append(self, outcome: Any) -> None:
        if not self:
            super().append((True, "first"))
        super().append(outcome)


@pytest.mark.contract("S164", "S165")
def test_reply_beside_the_handlers(turns: ManualDispatcher) -> None:
    """Of two replies the first counts, and the future keeps nothing of the other."""
    ref, _ = probe(turns)
    call = ref.ask("second", block=False)
    call._cell = Raced()
    turns.run_until_idle()
    assert call.get() == "first"
    assert len(call._cell) == 1


@pytest.mark.contract("S163")
def test_call_to_oneself(turns: ManualDispatcher) -> None:
    """It raises at once instead of waiting for ever; so does a stop that waits."""
    ref, _ = probe(turns)
    with pytest.raises(SelfCallError):
        ref.call(lambda actor: actor.actor_ref.call("x"))
    other, _ = probe(turns)
    with pytest.raises(SelfCallError):
        other.call(lambda actor: actor.actor_ref.stop())


@pytest.mark.contract("S163")
def test_future_of_a_call_to_oneself(turns: ManualDispatcher) -> None:
    """To wait for it raises in the actor itself, which goes on; others get the answer."""
    waits: dict[str, Any] = {
        "get": lambda own: own.ask("x", block=False).get(),
        "exception": lambda own: own.ask("x", block=False).exception(timeout=1),
        "map": lambda own: own.ask("x", block=False).map(str).get(),
        "proxy": lambda own: own.proxy().trap_exit.get(),
        "monitor": lambda own: own.monitor().wait(),
    }
    for wait in waits.values():
        ref, _ = probe(turns)
        with pytest.raises(SelfCallError):
            ref.call(lambda actor, wait=wait: wait(actor.actor_ref))
    ref, _ = probe(turns)
    future = ref.call(lambda actor: [actor.actor_ref.ask("x", block=False)])[0]
    assert future.get() == "x"


@pytest.mark.contract("S163", "S167")
def test_dead_target(turns: ManualDispatcher) -> None:
    """ask, call, tell and proxy raise; cast and send_info never do; stop tells it was dead."""
    ref, _ = probe(turns)
    assert ref.stop()
    for attempt in (ref.ask, ref.call, ref.tell):
        with pytest.raises(NoProcError):
            attempt("x")
    with pytest.raises(NoProcError):
        ref.proxy()
    assert isinstance(ref.ask("x", block=False).exception(1), NoProcError)
    ref.cast("x")
    ref.send_info("x")
    ref.exit(Shutdown())
    assert ref.stop() is False
    assert ref.stop(block=False).get() is False


@pytest.mark.contract("S164")
def test_timeout_and_late_reply(turns: ManualDispatcher) -> None:
    """A timeout leaves the actor alone, and a reply that comes later goes nowhere."""
    ref, notes = probe(turns)
    with pytest.raises(CallTimeout):
        ref.call(lambda actor: NO_REPLY, timeout=0.0)
    assert ref.process.actor.sender.reply("late")
    assert not ref.process.actor.sender.reply("later")
    assert ref.call("next") == "next"
    assert notes == ["init", "call", "call"]


@pytest.mark.contract("S165")
def test_no_reply(turns: ManualDispatcher) -> None:
    """The asker waits until somebody answers."""
    ref, _ = probe(turns)
    reply = ref.ask(lambda actor: NO_REPLY, block=False)
    turns.run_until_idle()
    assert not reply.done()
    ref.process.actor.sender.reply(7)
    assert reply.get() == 7


@pytest.mark.contract("S166")
@pytest.mark.parametrize("how", ["stop", "crash", "kill"])
def test_open_calls_learn_of_the_end(turns: ManualDispatcher, how: str) -> None:
    """Who still waits for a later reply gets NoProcError with the reason at once."""
    ref, _ = probe(turns)
    reply = ref.ask(lambda actor: NO_REPLY, block=False)
    turns.run_until_idle()
    match how:
        case "stop":
            ref.stop(Shutdown("x"))
        case "crash":
            ref.tell(boom)
        case "kill":
            ref.exit(Killed())
    turns.run_until_idle()
    error = reply.exception(1)
    assert isinstance(error, NoProcError)
    assert type(error.reason) is {"stop": Shutdown, "crash": Crashed, "kill": Killed}[how]


@pytest.mark.contract("S166", "S168")
def test_crash_in_ask(turns: ManualDispatcher) -> None:
    """The asker gets the exception itself, after terminate; the actor has ended by it."""
    ref, notes = probe(turns)
    monitor = ref.monitor()
    queued = ref.ask("queued", block=False)
    with pytest.raises(NoProcError):
        reply = ref.ask(boom, block=False)
        behind = ref.ask("behind", block=False)
        turns.run_until_idle()
        behind.get()
    assert queued.get() == "queued"
    error = reply.exception()
    assert isinstance(error, ValueError)
    assert notes[-1] == Crashed(error) == monitor.wait(0).reason
    assert [entry.function for entry in notes[-1].trace][-1] == "boom"
    assert not ref.is_alive()


@pytest.mark.contract("S168")
@pytest.mark.parametrize("entry", ["tell", "send_info", "continue"])
def test_crash_elsewhere(turns: ManualDispatcher, entry: str) -> None:
    """An exception in any handler ends the actor, terminate first."""
    ref, notes = probe(turns)
    match entry:
        case "continue":
            ref.tell(lambda actor: Continue(boom))
        case _:
            getattr(ref, entry)(boom)
    turns.run_until_idle()
    assert not ref.is_alive()
    assert isinstance(notes[-1], Crashed)


@pytest.mark.contract("S163", "S168", "S169")
@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_base_exceptions_are_contained(turns: ManualDispatcher, error: BaseException) -> None:
    """They end that actor alone; the asker is told of the end, not given the exception."""

    def leave(_: object) -> None:
        raise error

    ref, notes = probe(turns)
    other, _ = probe(turns)
    with pytest.raises(NoProcError) as caught:
        ref.call(leave)
    assert caught.value.reason == Crashed(error) == notes[-1]
    assert other.call("alive") == "alive"


def test_reply_exceptions(turns: ManualDispatcher) -> None:
    """Exceptions that are named as answers are answered, and the actor lives."""

    class Careful(Probe):
        reply_exceptions: ClassVar = (KeyError,)

    def missing(_: object) -> None:
        raise KeyError("x")

    ref = Careful.start(dispatcher=turns)
    with pytest.raises(KeyError):
        ref.call(missing)
    assert ref.is_alive()
    with pytest.raises(ValueError, match="boom"):
        ref.call(boom)
    assert not ref.is_alive()


@pytest.mark.contract("S174")
def test_messages_without_a_handler(turns: ManualDispatcher, seen: Seen) -> None:
    """An unknown call or cast is fatal, any other message is logged and dropped."""
    seen.of(("supervisors", "actor", "unexpected_message"))
    ref = GenServer.start(dispatcher=turns)
    ref.send_info("what")
    turns.run_until_idle()
    assert seen.events[0][2]["message_type"] == "str"
    assert ref.is_alive()
    with pytest.raises(UnhandledMessageError, match=r"does not override handle_call\(\)"):
        ref.call("x")
    ref = GenServer.start(dispatcher=turns)
    ref.tell("x")
    turns.run_until_idle()
    assert not ref.is_alive()
