"""Every phase of a channel and every event: where it leads."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from phoenix_actors.errors import ConnectError, ConnectionLost, NotConnected, ProtocolError
from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.channel_rules import RULES, Phase
from phoenix_actors.machines.timers import TimerFired
from phoenix_actors.message import Frame
from tests.unit.phoenix_actors.machines.channel_bench import TOPIC, Bench

F, JG, JD, E, L, END = Phase

ALL_EVENTS = get_args(events.ChannelEvent)

# No such pair occurs: a loss comes before the next opening, and these phases have no timers.
IMPOSSIBLE = {
    (Phase.JOINED, events.SocketOpened),
    (Phase.LEAVING, events.SocketOpened),
    (Phase.FRESH, TimerFired),
    (Phase.JOINED, TimerFired),
    (Phase.ENDED, TimerFired),
}

# The phase after each event, by the phase before. None: not allowed, raises, nothing changes.
NEXT: dict[str, list[Phase | None]] = {
    # event               fresh  joining joined  errored leaving ended
    "join requested":     [JG,   None,   None,   None,   None,   None],
    "opened":             [F,    JG,     JG,     JG,     END,    END],
    "lost":               [F,    E,      E,      E,      END,    END],
    "given up":           [F,    END,    JD,     E,      L,      END],
    "reply ok":           [F,    JD,     JD,     E,      L,      END],
    "reply error":        [F,    END,    JD,     E,      L,      END],
    "leave reply":        [F,    JG,     JD,     E,      END,    END],
    "phx_error":          [F,    E,      E,      E,      END,    END],
    "phx_close":          [F,    END,    END,    E,      END,    END],
    "broadcast":          [F,    JG,     JD,     E,      L,      END],
    "stale phx_error":    [F,    JG,     JD,     E,      L,      END],
    "unmatched":          [F,    JG,     E,      E,      L,      END],
    "push requested":     [F,    JG,     JD,     E,      L,      END],
    "leave requested":    [END,  L,      L,      END,    L,      END],
    "join unsent":        [F,    END,    JD,     E,      L,      END],
    "client stopping":    [END,  END,    END,    END,    END,    END],
    "join timer":         [F,    E,      JD,     E,      L,      END],
    "rejoin timer":       [F,    JG,     JD,     JG,     L,      END],
    "leave timer":        [F,    JG,     JD,     E,      END,    END],
    "stale timer":        [F,    JG,     JD,     E,      L,      END],
}  # fmt: skip


def bench_in(phase: Phase) -> Bench:
    """Return a channel that is in a phase, with a socket that is open."""
    bench = Bench()
    bench.open()
    if phase is Phase.FRESH:
        return bench
    bench.join()
    if phase in (Phase.JOINED, Phase.LEAVING, Phase.ENDED, Phase.ERRORED):
        bench.answer()
    if phase is Phase.ERRORED:
        bench.frame("phx_error", join_ref=bench.machine.join_ref)
    if phase is Phase.LEAVING:
        bench.leave()
    if phase is Phase.ENDED:
        bench.frame("phx_close", join_ref=bench.machine.join_ref)
    assert bench.machine.phase is phase
    return bench


def apply(bench: Bench, event: str) -> None:
    """Let one event happen to the channel as it is."""
    join_ref = bench.machine.join_ref
    match event.split():
        case ["opened"]:
            bench.open()
        case ["lost"]:
            bench.lose(ConnectionLost(1006))
        case ["given", "up"]:
            bench.give_up(ConnectError("gone"))
        case ["reply", status]:
            reply = {"status": status, "response": {}}
            bench.frame("phx_reply", reply, join_ref=join_ref, ref=join_ref or "x")
        case ["leave", "reply"]:
            bench.frame("phx_reply", {"status": "ok"}, join_ref=join_ref, ref="2")
        case ["stale", "phx_error"]:
            bench.frame("phx_error", join_ref="0")
        case ["broadcast"]:
            bench.frame("shout", join_ref=None)
        case ["phx_error" | "phx_close" as name]:
            bench.frame(name, join_ref=join_ref)
        case ["stale", "timer"]:
            bench.handle(TimerFired("rejoin", 999))
        case [timer, "timer"]:
            if timer in bench.timers:
                bench.fire(timer)
        case _:
            bench.handle(requested(event, join_ref))


def requested(event: str, join_ref: str | None) -> events.ChannelEvent:
    """Return the event of that name."""
    made: dict[str, Any] = {
        "join requested": events.JoinRequested(10.0, "second"),
        "unmatched": events.TopicUnmatched(join_ref),
        "push requested": events.PushRequested("e", {}, "token", 10.0),
        "leave requested": events.LeaveRequested(10.0, "token"),
        "join unsent": events.JoinUnsent(join_ref or "x", NotConnected()),
        "client stopping": events.ClientStopping(),
    }
    found: events.ChannelEvent = made[event]
    return found


@pytest.mark.contract("C50", "C62")
@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("event", NEXT)
def test_where_each_event_leads(phase: Phase, event: str) -> None:
    """Every pair has one outcome; what is not allowed raises and changes nothing."""
    bench = bench_in(phase)
    expected = NEXT[event][list(Phase).index(phase)]
    if expected is None:
        with pytest.raises(ProtocolError):
            apply(bench, event)
        assert bench.machine.phase is phase
    else:
        apply(bench, event)
        assert bench.machine.phase is expected


@pytest.mark.parametrize("phase", list(Phase))
def test_the_table_is_complete(phase: Phase) -> None:
    """Each phase has a rule for each event that can come, and each rule is a method."""
    impossible = {event for before, event in IMPOSSIBLE if before is phase}
    assert set(RULES[phase]) == set(ALL_EVENTS) - impossible
    assert all(callable(getattr(ChannelMachine, name)) for name in RULES[phase].values())


@pytest.mark.contract("C62", "C93")
@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("event", NEXT)
def test_timers_belong_to_phases(phase: Phase, event: str) -> None:
    """After any event: no timer in fresh, joined and ended; a rejoin timer in errored, alone."""
    bench = bench_in(phase)
    if NEXT[event][list(Phase).index(phase)] is None:
        return
    apply(bench, event)
    assert set(bench.timers) == bench.machine.timers.armed
    allowed = {
        Phase.FRESH: set(),
        Phase.JOINING: {"join"},
        Phase.JOINED: set(),
        Phase.ERRORED: {"rejoin", "buffered_push"},
        Phase.LEAVING: {"leave"},
        Phase.ENDED: set(),
    }
    also = {"buffered_push"} if event == "push requested" else set()
    if phase is Phase.JOINING:
        also |= {"join"}  # the caller's time, which runs on in errored
    if bench.machine.phase not in (Phase.FRESH, Phase.JOINED, Phase.ENDED):
        allowed[bench.machine.phase] |= also
    assert set(bench.timers) <= allowed[bench.machine.phase]
    if bench.machine.phase is Phase.ERRORED and event != "lost":
        assert "rejoin" in bench.timers


def test_an_ended_channel_is_shown_as_closed_or_refused() -> None:
    """The sixth phase is no sixth state."""
    assert bench_in(Phase.ENDED).state == "closed"
    assert bench_in(Phase.FRESH).state == "closed"
    frame = Frame("1", "1", TOPIC, "phx_reply", {"status": "error", "response": {}})
    bench = bench_in(Phase.JOINING)
    bench.handle(events.FrameArrived(frame, bench.generation))
    assert bench.state == "errored"
