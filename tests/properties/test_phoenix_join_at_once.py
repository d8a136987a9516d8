"""A join in one step leaves a channel's machine as the events do that it stands for."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phoenix_actors.errors import ConnectionLost
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.join_at_once import begin_join, finish_join
from phoenix_actors.machines.timers import CancelTimer, TimerFired
from phoenix_actors.message import Frame

TOPIC = "room:lobby"
REFS = st.sampled_from([None, "1", "2", "9"])
PAYLOADS = st.sampled_from(
    [
        {"status": "ok", "response": {"a": 1}},
        {"status": "ok"},
        {"status": "error", "response": {}},
        {"status": 1},
        ["ok"],
        None,
    ]
)
ANSWERS = st.builds(
    Frame, REFS, REFS, st.just(TOPIC), st.sampled_from(["phx_reply", "phx_close", "said"]), PAYLOADS
)
MEANWHILE = st.lists(
    st.sampled_from(["push", "lost", "opened", "timer", "rejoin", "leave"]), max_size=3
)


def machine_of() -> ChannelMachine:
    """A new one, with refs that count."""
    refs = iter(map(str, range(1, 100)))
    return ChannelMachine(TOPIC, next_ref=lambda: next(refs))


def state(machine: ChannelMachine) -> Any:
    """All that the next event depends on."""
    names = ("phase", "open", "generation", "join_ref", "join_count", "_timeout", "_armed")
    passing = {name: getattr(machine, f"_{name}") for name in type(machine._passing).__slots__}
    known = {**passing, "buffer": machine._buffer is not None, "reason": repr(machine._reason)}
    return [getattr(machine, name) for name in names], known, machine._serial, machine.packed()


def happen(machine: ChannelMachine, what: str, generation: int) -> list[Any]:
    """Let something happen while it joins."""
    event: Any = {
        "push": events.PushRequested("shout", "{}", "pusher", 5.0),
        "lost": events.SocketLost(generation, ConnectionLost()),
        "opened": events.SocketOpened(generation + 1),
        "timer": TimerFired(events.ChannelTimer.JOIN, 1),
        "rejoin": TimerFired(events.ChannelTimer.REJOIN, 2),
        "leave": events.LeaveRequested(5.0),
    }[what]
    return list(map(repr, machine.handle(event, 1.0)))


@given(
    st.sampled_from([None, 10.0]),
    st.sampled_from([None, "caller"]),
    MEANWHILE,
    ANSWERS,
    st.sampled_from([1, 2]),
)
def test_in_one_step_or_by_events(
    timeout: float | None, token: Any, meanwhile: list[str], answer: Frame, generation: int
) -> None:
    """Both say the same and are in the same state, whatever comes in between."""
    long, short = machine_of(), machine_of()
    said = long.handle(events.SocketOpened(1), 0.0)
    said += long.handle(events.JoinRequested(timeout, token), 0.0)
    timer = begin_join(short, 1, timeout, token)
    join = events.SendJoin(short.join_ref or "")
    assert said == [join, *([] if timer is None else [timer])]
    assert state(long) == state(short)
    for what in meanwhile:
        assert happen(long, what, long.generation) == happen(short, what, short.generation)
    before = state(short)
    done = finish_join(short, answer, generation)
    if done is None:
        assert state(short) == before
        return
    response, waiting, cancelled = done
    expected: list[Any] = [*cancelled]
    assert all(isinstance(timer, CancelTimer) for timer in cancelled)
    if waiting is not None:
        expected.append(events.SettleJoin(waiting, response))
    expected.append(events.TellJoined(response, short.join_count))
    assert long.handle(events.FrameArrived(answer, generation), 2.0) == expected
    assert state(long) == state(short)


def test_what_is_done_at_once() -> None:
    """The server's ok, once; nothing else, and nothing where a push waits."""
    answer = Frame("1", "1", TOPIC, "phx_reply", {"status": "ok", "response": 7})
    machine = machine_of()
    begin_join(machine, 1, None, "caller")
    assert finish_join(machine, answer, 2) is None
    assert finish_join(machine, answer, 1) == (7, "caller", [])
    assert finish_join(machine, answer, 1) is None
    machine = machine_of()
    begin_join(machine, 1, None, "caller")
    happen(machine, "push", 1)
    assert finish_join(machine, answer, 1) is None
