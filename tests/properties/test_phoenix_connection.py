"""A connection and a network that does what it likes: laws that hold after every step."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phoenix_actors.errors import ConnectError, HandshakeRefused, PhoenixError, TLSError
from phoenix_actors.machines import connection_events as events
from phoenix_actors.machines.connection import ConnectionMachine, ConnectionPhase
from phoenix_actors.machines.reconnect import ReconnectPolicy
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import ConnectionStatus

ERRORS: list[PhoenixError] = [
    ConnectError("refused"),
    HandshakeRefused(403),
    HandshakeRefused(503, retry_after=7.0),
    TLSError("expired"),
]


class Connection(RuleBasedStateMachine):
    """Events in any order, of the present transport and of former ones."""

    def __init__(self) -> None:
        super().__init__()
        self.last_ref = 0
        self.machine = ConnectionMachine(
            ReconnectPolicy(max_attempts=4), next_ref=self.next_ref, random=lambda: 0.5
        )
        self.now = 0.0
        self.timers: dict[str, tuple[float, ArmTimer]] = {}
        self.status = ConnectionStatus.DISCONNECTED
        self.opened = 0  # the newest generation that was opened
        self.alive: set[int] = set()  # transports, or attempts, that were not ended
        self.announced: int | None = None  # the generation that is announced as open
        self.wanted = False

    def next_ref(self) -> str:
        self.last_ref += 1
        return str(self.last_ref)

    def handle(self, event: events.ConnectionEvent) -> None:
        """Hand in an event and check each command against the laws."""
        for command in self.machine.handle(event, self.now):
            self.follow(command)

    def follow(self, command: events.ConnectionCommand) -> None:
        """Check one command, and note what it does."""
        match command:
            case ArmTimer(timer=timer, delay=delay):
                assert delay >= 0
                self.timers[timer] = (self.now + delay, command)
            case CancelTimer(timer=timer):
                del self.timers[timer]
            case events.OpenTransport(generation=generation):
                assert self.wanted
                assert generation == self.opened + 1
                assert not self.alive, "two transports at once"
                self.opened = generation
                self.alive.add(generation)
            case events.AbortTransport(generation=generation):
                self.alive.discard(generation)
            case events.AnnounceOpen(generation=generation):
                assert self.announced is None
                assert generation == self.opened
                self.announced = generation
            case events.AnnounceLost(generation=generation):
                assert generation == self.announced
                self.announced = None
            case events.AnnounceStatus(old=old, new=new):
                assert old == self.status != new
                self.status = new
            case events.SendHeartbeat() | events.ReportHeartbeat():
                assert self.announced is not None
            case events.GiveUp():
                self.wanted = False

    @rule()
    def connect(self) -> None:
        self.wanted = True
        self.handle(events.ConnectRequested())

    @rule()
    def disconnect(self) -> None:
        self.wanted = False
        self.handle(events.DisconnectRequested())

    @rule(old=st.sampled_from([0, 0, 0, 1]))
    def transport_opens(self, old: int) -> None:
        self.handle(events.TransportConnected(self.opened - old))

    @rule(error=st.sampled_from(ERRORS), old=st.sampled_from([0, 0, 0, 1]))
    def attempt_fails(self, error: PhoenixError, old: int) -> None:
        if self.machine.phase is ConnectionPhase.CONNECTING or old:
            self.alive.discard(self.opened - old)
            self.handle(events.ConnectFailed(self.opened - old, error))

    @rule(code=st.sampled_from([1000, 1001, 1006]), old=st.sampled_from([0, 0, 0, 1]))
    def transport_closes(self, code: int, old: int) -> None:
        self.alive.discard(self.opened - old)
        self.handle(events.TransportClosed(self.opened - old, code, "", clean=code != 1006))

    @rule(right=st.booleans())
    def heartbeat_is_answered(self, right: bool) -> None:
        ref = self.machine.pending_heartbeat if right else "0"
        self.handle(events.HeartbeatReplied(ref))

    @rule(seconds=st.sampled_from([0.1, 1.0, 9.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(50):
            due = sorted((at, name) for name, (at, _) in self.timers.items() if at <= end)
            if not due:
                break
            self.now, name = due[0]
            _, armed = self.timers.pop(name)
            self.handle(TimerFired(armed.timer, armed.serial))
        self.now = end

    @invariant()
    def timers_belong_to_phases(self) -> None:
        """A reconnect timer in waiting and nowhere else, heartbeats in connected."""
        assert set(self.timers) == self.machine.timers.armed
        armed = set(self.timers)
        match self.machine.phase:
            case ConnectionPhase.WAITING:
                assert armed == {"reconnect"}
            case ConnectionPhase.CONNECTED:
                assert "heartbeat" in armed <= {"heartbeat", "heartbeat_timeout"}
            case ConnectionPhase.CLOSING:
                assert armed == {"close"}
            case _:
                assert not armed

    @invariant()
    def states_agree(self) -> None:
        """What was announced is what is; a client that is not wanted comes to rest."""
        assert self.status == self.machine.status
        open_phases = (ConnectionPhase.CONNECTED, ConnectionPhase.CLOSING)
        assert (self.announced is not None) == (self.machine.phase in open_phases)
        if not self.wanted:
            assert self.machine.phase in (ConnectionPhase.DISCONNECTED, ConnectionPhase.CLOSING)


TestConnection = pytest.mark.contract("C105", "C109", "C117", "C125")(Connection.TestCase)
TestConnection.settings = settings(deadline=None, stateful_step_count=40)
