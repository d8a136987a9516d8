"""Looking into living actors, stepped by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pykka
import pytest

from supervisors import (
    CallTimeout,
    ChildSpecError,
    DynamicSupervisor,
    Hibernate,
    Killed,
    NoProcError,
    Normal,
    NotAvailableError,
    SelfCallError,
    Shutdown,
    Stop,
    SupervisorInfo,
    introspect,
    unstopped,
)
from supervisors._runtime.current import current
from supervisors._runtime.inquiry import Inquiry
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.probe import Probe, boom, probe
from tests.unit.supervisors.stepped import Seen, SteppedTimers
from tests.unit.supervisors.trees import Worker, child, start, worker

ALL: list[Callable[..., Any]] = [
    introspect.get_state,
    introspect.get_status,
    introspect.suspend,
    introspect.resume,
    lambda ref, **keys: introspect.replace_state(ref, dict, **keys),
    lambda ref, **keys: introspect.statistics(ref, True, **keys),
    lambda ref, **keys: introspect.trace(ref, None, **keys),
]
NAMES = ["get_state", "get_status", "suspend", "resume", "replace_state", "statistics", "trace"]


# ---- what all of them have in common -----------------------------------------------------------


@pytest.mark.parametrize("request_", ALL, ids=NAMES)
def test_dead(turns: ManualDispatcher, request_: Any) -> None:
    """A dead actor is NoProcError, also one that ends before it comes to the request."""
    ref, _ = probe(turns)
    ref.stop(block=False)
    with pytest.raises(NoProcError):
        request_(ref)
    assert not ref.is_alive()
    with pytest.raises(NoProcError):
        request_(ref)


def test_statistics_of_the_dead(turns: ManualDispatcher) -> None:
    """Only looking at the statistics of a dead actor is NoProcError as well."""
    ref, _ = probe(turns)
    ref.stop()
    with pytest.raises(NoProcError):
        introspect.statistics(ref)


@pytest.mark.parametrize("request_", ALL, ids=NAMES)
def test_busy(turns: ManualDispatcher, request_: Any) -> None:
    """An actor that stays in a handler is CallTimeout; the request is withdrawn."""
    ref, _ = probe(turns)
    mailbox = ref.process.mailbox
    assert mailbox.take_slot()
    with pytest.raises(CallTimeout, match=r"within 0\.5 s"):
        request_(ref, timeout=timedelta(seconds=0.5))
    assert mailbox.give_back_slot()
    ref.process.dispatcher.schedule(ref.process)
    ref.process.actor.untouched = True
    assert ref.ask("x") == "x"
    status = introspect.get_status(ref)
    assert (status.suspended, status.counting) == (False, False)


@pytest.mark.parametrize("request_", ALL, ids=NAMES)
def test_oneself(turns: ManualDispatcher, request_: Any) -> None:
    """An actor that asks for itself is told so at once instead of waiting for itself."""
    ref, _ = probe(turns)
    with pytest.raises(SelfCallError):
        ref.ask(lambda actor: request_(actor.actor_ref))


@pytest.mark.parametrize("request_", ALL, ids=NAMES)
def test_foreign(request_: Any) -> None:
    """A plain Pykka actor is not available."""
    with pytest.raises(NotAvailableError, match="is not of a GenServer or a Supervisor"):
        request_(pykka.ActorRef.__new__(pykka.ActorRef))


@pytest.mark.parametrize("bad", [-1, "1", True], ids=repr)
def test_bad_timeout(turns: ManualDispatcher, bad: Any) -> None:
    """A time-out is seconds."""
    ref, _ = probe(turns)
    with pytest.raises((TypeError, ValueError), match="timeout must be"):
        introspect.get_state(ref, timeout=bad)


def test_killed_inside_a_request(turns: ManualDispatcher) -> None:
    """An actor that is fenced off in a request, as in a handler, answers NoProcError."""
    ref, _ = probe(turns)
    process = ref.process

    def hangs(state: dict[str, Any]) -> dict[str, Any]:
        # As if from another thread.
        mine, process._thread_id = process._thread_id, -1
        inside, current.process = current.process, None
        process.kill()
        process._thread_id, current.process = mine, inside
        return state

    inquiry = Inquiry(lambda process: process.actor._otp_replace_state(hangs))
    process.order(inquiry)
    turns.run_until_idle()
    assert isinstance(inquiry.future.exception(0), NoProcError)
    assert unstopped() == []


def test_overtakes_queued_messages(turns: ManualDispatcher) -> None:
    """A request is answered before messages that were queued earlier."""
    ref, notes = probe(turns)
    ref.tell("a")
    assert introspect.get_state(ref)["notes"] is notes
    assert notes == ["init"]


# ---- state -------------------------------------------------------------------------------------


@pytest.mark.contract("S188")
def test_state_running_and_suspended(turns: ManualDispatcher) -> None:
    """The state is the user's attributes, of a running actor and of a suspended one."""
    ref, notes = probe(turns)
    assert introspect.get_state(ref) == {"notes": notes}
    introspect.suspend(ref)
    ref.tell("a")
    assert introspect.get_state(ref) == {"notes": ["init"]}


def test_state_is_a_copy(turns: ManualDispatcher) -> None:
    """What the caller does with the dict does not reach the actor; Pykka's event is left out."""
    ref, _ = probe(turns)
    _ = ref.actor_stopped
    state = introspect.get_state(ref)
    state["notes"] = state["more"] = None
    assert introspect.get_state(ref) == {"notes": ["init"]}


def test_state_does_not_wake(turns: ManualDispatcher) -> None:
    """A hibernating actor sleeps on."""
    ref, notes = probe(turns, Hibernate())
    assert "_otp_asleep" not in introspect.get_state(ref)
    assert notes == ["init", "hibernate"]


def test_replace(turns: ManualDispatcher) -> None:
    """The attributes become what the function returned, others are gone; it is returned too."""
    ref, notes = probe(turns)
    ref.process.actor.old = 1
    new = {"notes": notes, "new": 2}
    assert introspect.replace_state(ref, lambda state: {**new, "new": state["old"] + 1}) == new
    assert introspect.get_state(ref) == new
    assert ref.ask("x") == "x"


@pytest.mark.contract("S189")
def test_replace_raises(turns: ManualDispatcher) -> None:
    """A function that raises is reported to the caller; state and actor are as before."""
    ref, notes = probe(turns)

    def fails(state: dict[str, Any]) -> dict[str, Any]:
        state.clear()
        raise KeyError("left")

    with pytest.raises(KeyError, match="left"):
        introspect.replace_state(ref, fails)
    assert introspect.get_state(ref) == {"notes": notes}
    assert (ref.ask("x"), notes) == ("x", ["init", "call"])


def test_replace_raises_an_exit(turns: ManualDispatcher) -> None:
    """A function that would end its thread ends nobody."""
    ref, _ = probe(turns)

    def leaves(_: object) -> dict[str, Any]:
        raise SystemExit

    with pytest.raises(RuntimeError, match="the function raised SystemExit"):
        introspect.replace_state(ref, leaves)
    assert ref.ask("x") == "x"


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        (None, TypeError, "must return a mapping"),
        ({1: 2}, TypeError, "must return a mapping"),
        ({"_process": None}, ValueError, "'_process' belongs to the framework"),
        ({"x": 1, "_otp_idle": None}, ValueError, "'_otp_idle' belongs to the framework"),
    ],
)
def test_replace_by_what_is_no_state(
    turns: ManualDispatcher, result: Any, error: type[Exception], text: str
) -> None:
    """What is no mapping of the user's own attribute names changes nothing."""
    ref, notes = probe(turns)
    with pytest.raises(error, match=text):
        introspect.replace_state(ref, lambda _: result)
    assert introspect.get_state(ref) == {"notes": notes}


# ---- suspend and resume ------------------------------------------------------------------------


@pytest.mark.contract("S187")
def test_suspend_and_resume(turns: ManualDispatcher) -> None:
    """A suspended actor queues calls, casts and infos, and handles them in order when resumed."""
    ref, notes = probe(turns)
    ref.tell("before")
    introspect.suspend(ref)
    reply = ref.ask("call", block=False)
    ref.tell("cast")
    ref.send_info("info")
    turns.run_until_idle()
    introspect.suspend(ref)
    assert (notes, len(ref.process.mailbox.user), reply.done()) == (["init"], 4, False)
    assert introspect.get_status(ref).suspended
    introspect.resume(ref)
    introspect.resume(ref)
    turns.run_until_idle()
    assert (notes, reply.get(timeout=0)) == (["init", "cast", "call", "cast", "info"], "call")
    assert not introspect.get_status(ref).suspended


def test_suspend_in_the_middle_of_a_batch(turns: ManualDispatcher) -> None:
    """A suspension holds from the next message on, in the batch that it comes in too."""
    ref, notes = probe(turns)
    inquiry = Inquiry(lambda process: introspect._hold(process, suspended=True))
    ref.tell(lambda actor: actor._process.order(inquiry))
    ref.tell("b")
    turns.run_until_idle()
    assert (notes, inquiry.future.done()) == (["init", "cast"], True)


@pytest.mark.contract("S190")
@pytest.mark.parametrize("trap", [True, False])
def test_suspended_obeys_its_parent(turns: ManualDispatcher, log: list[str], trap: bool) -> None:
    """A suspended child ends at once when its supervisor stops, terminate included."""
    sup = start(turns, worker(turns, "a"))
    ref = child(sup, "a")
    ref.process.actor.trap_exit = trap
    monitor = ref.monitor()
    introspect.suspend(ref)
    reply = ref.ask("queued", block=False)
    assert sup.stop()
    assert monitor.wait(0).reason == Shutdown()
    assert log == ["init a", "terminate a"]
    assert isinstance(reply.exception(0), NoProcError)


@pytest.mark.contract("S190")
def test_suspended_supervisor_stops(turns: ManualDispatcher, log: list[str]) -> None:
    """A suspended supervisor stops its children in order when it is told to stop."""
    sup = start(turns, worker(turns, "a"), worker(turns, "b"))
    introspect.suspend(sup)
    assert sup.stop()
    assert log == ["init a", "init b", "terminate b", "terminate a"]


def test_suspended_supervisor_waits_to_restart(turns: ManualDispatcher, log: list[str]) -> None:
    """A suspended supervisor restarts a child when it is resumed, not before."""
    sup = start(turns, worker(turns, "a"))
    ref = child(sup, "a")
    introspect.suspend(sup)
    ref.tell("crash")
    turns.run_until_idle()
    assert log == ["init a", "terminate a"]
    introspect.resume(sup)
    turns.run_until_idle()
    assert log[2:] == ["init a"]


@pytest.mark.parametrize("reason", [Normal(), Killed()])
def test_suspended_is_stopped(turns: ManualDispatcher, reason: Any) -> None:
    """A stop order and a kill end a suspended actor."""
    ref, _ = probe(turns)
    monitor = ref.monitor()
    introspect.suspend(ref)
    if reason == Killed():
        ref.exit(reason)
    else:
        ref.stop(reason)
    assert monitor.wait(0).reason == reason


# ---- statistics and tracing --------------------------------------------------------------------


@pytest.mark.contract("S191")
def test_statistics(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """Counting is switched on and off for one living actor; messages and times are right."""
    ref, _ = probe(turns)
    other, _ = probe(turns)
    ref.ask("before")
    ref.tell("waits")
    off = introspect.statistics(ref)
    assert off == introspect.Statistics(mailbox=1, busy=False)
    assert introspect.statistics(ref, True).messages_in == 0
    clock.clock.advance(2.0)
    turns.run_until_idle()
    ref.ask("a")
    ref.tell("b")
    on = introspect.statistics(ref)
    assert (on.mailbox, on.messages_in, on.messages_handled) == (1, 2, 2)
    assert (on.counting, on.counting_for, on.busy_for) == (True, 2.0, None)
    assert on.started_at is not None
    assert introspect.statistics(ref, False).messages_handled == 2
    assert not introspect.statistics(ref, False).counting
    assert not introspect.statistics(other).counting
    assert "_otp_receive" not in vars(ref.process.actor)


def test_statistics_of_a_busy_actor(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """Only looking waits for nobody: it tells how long the present handler has been running."""
    ref, _ = probe(turns)
    introspect.statistics(ref, True)

    def look(actor: Any) -> introspect.Statistics:
        clock.clock.advance(3.0)
        return introspect.statistics(actor.actor_ref)

    seen = ref.ask(look)
    assert (seen.busy, seen.busy_for, seen.messages_in, seen.messages_handled) == (True, 3.0, 1, 0)


def test_crash_is_counted(turns: ManualDispatcher) -> None:
    """An actor that is counted and traced crashes as any other."""
    ref, _ = probe(turns)
    events: list[introspect.TraceEvent] = []
    introspect.trace(ref, events.append)
    with pytest.raises(ValueError, match="boom"):
        ref.ask(boom)
    assert [event.error for event in events] == [None, "ValueError"]
    assert not ref.is_alive()


def test_no_tracer(turns: ManualDispatcher) -> None:
    """What cannot be called is refused where it is given."""
    tracer: Any = 3
    with pytest.raises(TypeError, match="a tracer is a function or None, not 3"):
        introspect.trace(probe(turns)[0], tracer)


@pytest.mark.contract("S191")
def test_trace(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """The tracer is called before and after each message of that actor until it is taken out."""
    ref, _ = probe(turns)
    events: list[introspect.TraceEvent] = []
    introspect.trace(ref, events.append)
    assert introspect.get_status(ref).traced
    ref.ask("a")
    ref.tell(lambda _: clock.clock.advance(1.0))
    ref.send_info("c")
    turns.run_until_idle()
    introspect.trace(ref, None)
    ref.ask("d")
    assert [str(event.step) for event in events] == ["begins", "ends"] * 3
    assert [str(event.kind) for event in events[::2]] == ["call", "cast", "info"]
    assert [event.seconds for event in events] == [None, 0.0, None, 1.0, None, 0.0]
    assert (events[0].message, events[0].ref, events[4].message) == ("a", ref, "c")
    assert not introspect.get_status(ref).traced
    assert "_otp_receive" not in vars(ref.process.actor)


def test_kinds_of_traced_messages(turns: ManualDispatcher, clock: SteppedTimers) -> None:
    """Idle time-outs, stops from inside and a supervisor's own events have kinds of their own."""
    from supervisors import Timeout

    ref, _ = probe(turns)
    kinds: list[str] = []

    def note(event: introspect.TraceEvent) -> None:
        if event.step == "begins":
            kinds.append(event.kind.value)

    introspect.trace(ref, note)
    ref.tell(lambda _: Timeout(1.0))
    turns.run_until_idle()
    clock.advance(1.0)
    turns.run_until_idle()
    ref.process.actor.stop()
    turns.run_until_idle()
    sup = start(turns, worker(turns, "a"))
    introspect.trace(sup, note)
    child(sup, "a").tell("crash")
    turns.run_until_idle()
    assert kinds == ["cast", "idle_timeout", "stop", "call", "supervision", "supervision"]


def test_tracer_that_raises(turns: ManualDispatcher, seen: Seen) -> None:
    """A tracer that raises is taken out and reported; the message is handled all the same."""
    seen.of(("supervisors", "introspect", "trace_failed"))
    ref, _ = probe(turns)
    introspect.trace(ref, boom)
    assert (ref.ask("x"), ref.ask("y")) == ("x", "y")
    [(_, _, metadata)] = seen.events
    assert metadata["error"] == "ValueError"
    assert not introspect.get_status(ref).traced


def test_trace_event_shows_no_content(turns: ManualDispatcher) -> None:
    """The repr of a trace event and of status parts names types only."""
    ref, _ = probe(turns)
    events: list[introspect.TraceEvent] = []
    introspect.trace(ref, events.append)
    ref.ask("s3cret")
    assert repr(events[0]) == "<TraceEvent call of str begins>"
    assert repr(events[1]).startswith("<TraceEvent call of str ends after 0.0")
    parts = introspect.StatusParts({"token": "s3cret"}, "s3cret")
    assert repr(parts) == "StatusParts(state=dict, message=str, reason=None)"


# ---- status ------------------------------------------------------------------------------------


class Shown(Probe):
    """Shows of itself what it was started with."""

    def init(self, shown: Any = None) -> None:
        self.shown = shown

    def format_status(self, parts: introspect.StatusParts) -> Any:
        return self.shown(parts) if callable(self.shown) else self.shown


def test_status(turns: ManualDispatcher) -> None:
    """The status tells what the actor is; of its state nothing but the type."""
    sup = start(turns, worker(turns, "a"), name="app")
    ref = child(sup, "a")
    ref.tell(Stop)
    introspect.statistics(ref, True)
    status = introspect.get_status(ref)
    assert (status.ref, status.class_name, status.path) == (ref, "Worker", "app/a")
    assert (status.parent, status.mailbox, status.trap_exit) == (sup, 1, False)
    assert (status.suspended, status.traced, status.counting) == (False, False, True)
    assert (status.state, status.error) == ("Worker", None)


def test_status_by_the_hook(turns: ManualDispatcher) -> None:
    """What format_status returns is shown; an exception in it is named and harms nobody."""
    ref = Shown.start(lambda parts: sorted(parts.state), dispatcher=turns)
    assert introspect.get_status(ref).state == ["notes", "shown"]
    broken = Shown.start(boom, dispatcher=turns)
    status = introspect.get_status(broken)
    assert (status.state, status.error) == ("Shown", "ValueError")
    assert broken.is_alive()


@pytest.mark.parametrize("dynamic", [False, True])
def test_supervisors(turns: ManualDispatcher, dynamic: bool) -> None:
    """A supervisor's state is its rules and children, of which the rules can be replaced."""
    if dynamic:
        sup = DynamicSupervisor.start_link(dispatcher=turns)
        sup.start_child(Worker.child_spec("a", id="a", dispatcher=turns))
    else:
        sup = start(turns, worker(turns, "a"))
    introspect.suspend(sup)
    info = introspect.get_state(sup)
    assert isinstance(info, SupervisorInfo)
    assert (info.dynamic, [line.restarts for _, line in info.children]) == (dynamic, [0])
    assert introspect.get_status(sup).state == info
    wanted = msgspec.structs.replace(info, max_restarts=0, max_seconds=9)
    replaced = introspect.replace_state(sup, lambda _: wanted)
    assert (replaced, introspect.get_state(sup)) == (wanted, wanted)
    introspect.resume(sup)
    sup.which_children()[0].ref.tell("crash")
    turns.run_until_idle()
    assert not sup.is_alive()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"children": ()}, ValueError, "only max_restarts, max_seconds and"),
        ({"counted": 7}, ValueError, "use the supervisor's requests"),
        ({"max_restarts": -1}, ChildSpecError, "max_restarts must be"),
        ({"strategy": "all"}, ChildSpecError, "strategy must be one of"),
        (None, TypeError, r"must return a SupervisorInfo .*, not a NoneType"),
    ],
)
def test_supervisor_rules_that_make_no_sense(
    turns: ManualDispatcher, change: dict[str, Any] | None, error: type[Exception], text: str
) -> None:
    """They are refused, and so is whatever is no rule; all stays as it was."""
    sup = start(turns, worker(turns, "a"))
    before = introspect.get_state(sup)

    def wrong(info: Any) -> Any:
        return None if change is None else msgspec.structs.replace(info, **change)

    with pytest.raises(error, match=text):
        introspect.replace_state(sup, wrong)
    assert introspect.get_state(sup) == before
    assert sup.stop()
