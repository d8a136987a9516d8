"""Every phase of a connection and every event: where it leads."""

from __future__ import annotations

from typing import get_args

import pytest

from phoenix_actors.machines import connection_events as events
from phoenix_actors.machines.connection import RULES, ConnectionMachine, ConnectionPhase
from phoenix_actors.machines.timers import TimerFired
from tests.unit.phoenix_actors.machines.connection_bench import Bench

D, CG, CD, CL, W = ConnectionPhase

ALL_EVENTS = get_args(events.ConnectionEvent)
TRANSPORT = {
    events.TransportConnected,
    events.TransportClosed,
    events.ConnectFailed,
    events.ReadingChanged,
    events.TrafficAnswered,
}

NEXT: dict[str, list[ConnectionPhase]] = {
    # event              disconnected connecting connected closing waiting
    "connect":           [CG,         CG,        CD,       CL,     CG],
    "disconnect":        [D,          D,         CL,       CL,     D],
    "opened":            [D,          CD,        CD,       CL,     W],
    "failed":            [D,          W,         CD,       CL,     W],
    "dropped":           [D,          W,         W,        D,      W],
    "reply":             [D,          CG,        CD,       CL,     W],
    "reconnect":         [D,          CG,        CD,       CL,     CG],
    "heartbeat":         [D,          CG,        CD,       CL,     W],
    "close":             [D,          CG,        CD,       D,      W],
    "paused":           [D,          CG,        CD,       CL,     W],
    "answered":         [D,          CG,        CD,       CL,     W],
    "stale timer":       [D,          CG,        CD,       CL,     W],
}  # fmt: skip


def bench_in(phase: ConnectionPhase) -> Bench:
    """Return a connection that is in a phase."""
    bench = Bench()
    if phase is not D:
        bench.connect()
    if phase in (CD, CL):
        bench.opened()
    if phase is CL:
        bench.disconnect()
    if phase is W:
        bench.failed()
    assert bench.machine.phase is phase
    return bench


def apply(bench: Bench, event: str) -> None:
    """Let one event happen to the connection as it is."""
    match event:
        case "connect" | "disconnect" | "opened" | "failed" | "dropped":
            getattr(bench, event)()
        case "reply":
            bench.handle(events.HeartbeatReplied(bench.machine.pending_heartbeat))
        case "paused":
            bench.handle(events.ReadingChanged(bench.machine.generation, paused=True))
        case "answered":
            bench.handle(events.TrafficAnswered(bench.machine.generation))
        case "stale timer":
            bench.handle(TimerFired("reconnect", 999))
        case timer if timer in bench.timers:
            bench.fire(timer)


@pytest.mark.contract("C105", "C117", "C119")
@pytest.mark.parametrize("phase", list(ConnectionPhase))
@pytest.mark.parametrize("event", NEXT)
def test_where_each_event_leads(phase: ConnectionPhase, event: str) -> None:
    """Every pair of phase and event has one outcome."""
    bench = bench_in(phase)
    apply(bench, event)
    assert bench.machine.phase is NEXT[event][list(ConnectionPhase).index(phase)]


@pytest.mark.parametrize("phase", list(ConnectionPhase))
def test_the_table_is_complete(phase: ConnectionPhase) -> None:
    """Each phase has a rule for each event that can come, and each rule is a method."""
    impossible: set[type] = set()
    if phase in (D, W):
        impossible |= TRANSPORT
    if phase in (D, CG):
        impossible |= {TimerFired}
    assert set(RULES[phase]) == set(ALL_EVENTS) - impossible
    assert all(callable(getattr(ConnectionMachine, name)) for name in RULES[phase].values())


@pytest.mark.contract("C103", "C109", "C117")
@pytest.mark.parametrize("phase", list(ConnectionPhase))
@pytest.mark.parametrize("event", NEXT)
def test_timers_belong_to_phases(phase: ConnectionPhase, event: str) -> None:
    """After any event: the reconnect timer in waiting alone, heartbeats in connected alone."""
    bench = bench_in(phase)
    apply(bench, event)
    assert set(bench.timers) == bench.machine.timers.armed
    allowed: dict[ConnectionPhase, list[set[str]]] = {
        D: [set()],
        CG: [set()],
        CD: [{"heartbeat"}, {"heartbeat", "heartbeat_timeout"}],
        CL: [{"close"}],
        W: [{"reconnect"}],
    }
    assert set(bench.timers) in allowed[bench.machine.phase]
