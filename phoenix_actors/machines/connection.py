"""The connection of one client, as a pure machine: events and the time in, commands out.

Phases, and the `ConnectionStatus` that each shows:

| phase | status | meaning |
| --- | --- | --- |
| disconnected | disconnected | nothing happens until connect() |
| connecting | connecting | one attempt is under way |
| connected | connected | open; the heartbeat runs |
| closing | closing | disconnect() was called; waits for the peer, no longer than `close_timeout` |
| waiting | disconnected | the reconnect timer runs |

Laws:

- At most one transport lives: the one of the newest generation. News of another changes nothing,
  and one that opens late is aborted (C105, C117, C125).
- `AnnounceOpen` and `AnnounceLost` alternate, and carry the same generation.
- The reconnect timer runs in waiting and nowhere else (C109, C117); heartbeat timers run in
  connected and nowhere else (C103), and only over a transport that needs them (C144).
- Where traffic may stand for heartbeats, one is left out when a push of the same interval was
  answered, so that every interval has an answer (C102).
- Only the reply with the pending ref acknowledges a heartbeat (C97); none in time is a loss (C98).
- While the reader pauses no reply can come: heartbeats go out, their deadline stands still (C101).
- disconnect() ends everything, connect() begins everything anew, counters included (C119–C121).
  connect() while closing waits for the end of the old connection, so that two never overlap.
- After `GiveUp` nothing is tried until connect().
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from phoenix_actors.errors import ConnectError, ConnectionLost, InvalidURL, TLSError
from phoenix_actors.machines import connection_events as events
from phoenix_actors.machines.connection_events import ConnectionTimer
from phoenix_actors.machines.reconnect import ReconnectPolicy
from phoenix_actors.machines.timers import TimerFired, Timers
from phoenix_actors.message import ConnectionStatus, HeartbeatTimeout, LossReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["RULES", "ConnectionMachine", "ConnectionPhase"]

Commands: TypeAlias = list[events.ConnectionCommand]

_NORMAL: Final = 1000
# Seconds that the peer has to answer a close frame.
_CLOSE_TIMEOUT: Final = 1.0


class ConnectionPhase(StrEnum):
    """Where the connection is; see the table at the top of this file."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSING = "closing"
    WAITING = "waiting"


_STATUSES: Final = {
    ConnectionPhase.DISCONNECTED: ConnectionStatus.DISCONNECTED,
    ConnectionPhase.CONNECTING: ConnectionStatus.CONNECTING,
    ConnectionPhase.CONNECTED: ConnectionStatus.CONNECTED,
    ConnectionPhase.CLOSING: ConnectionStatus.CLOSING,
    ConnectionPhase.WAITING: ConnectionStatus.DISCONNECTED,
}


class ConnectionMachine:
    """The connection. Not thread-safe: its shell hands in one event at a time.

    Args:
        policy: whether and when to connect again.
        next_ref: gives the next ref of the socket, for heartbeats.
        random: gives a sample of chance from 0 to 1, for the jitter.
        heartbeat_interval: seconds between heartbeats; None for none.
        heartbeat_timeout: seconds that an answer may take; None for any time.
        close_timeout: seconds that the peer has to answer a close.

    Example:
        >>> connection = ConnectionMachine(
        ...     ReconnectPolicy(), next_ref=lambda: "1", random=lambda: 0.5
        ... )
        >>> connection.handle(events.ConnectRequested(), now=0.0)[-1]
        OpenTransport(generation=1)
        >>> commands = connection.handle(events.TransportConnected(1), now=0.1)
        >>> commands[1:]
        [AnnounceOpen(generation=1), \
ArmTimer(timer=<ConnectionTimer.HEARTBEAT: 'heartbeat'>, serial=1, delay=30.0)]
        >>> connection
        <ConnectionMachine connected generation=1 attempt=0>
    """

    def __init__(
        self,
        policy: ReconnectPolicy,
        *,
        next_ref: Callable[[], str],
        random: Callable[[], float],
        heartbeat_interval: float | None = 30.0,
        heartbeat_timeout: float | None = 10.0,
        close_timeout: float = _CLOSE_TIMEOUT,
    ) -> None:
        self.phase = ConnectionPhase.DISCONNECTED
        self.generation = 0
        self.attempt = 0  # reconnecting attempts since the last connection that lasted
        self.timers = Timers()
        self._policy = policy
        self._next_ref = next_ref
        self._random = random
        self._heartbeat_interval = heartbeat_interval
        self._heartbeat_timeout = heartbeat_timeout
        self._close_timeout = close_timeout
        self._failures = 0  # reconnecting attempts in a row that did not open
        self._retrying = False  # whether the attempt under way is a reconnecting one
        self._opened_at = 0.0
        self._pending: tuple[str, float] | None = None  # ref and moment of the heartbeat out
        self._paused = False  # whether the reader does not read
        self._measured = True  # whether the reader read all the time since the pending heartbeat
        self._reply_due = 0.0  # when its answer is due; while paused, in how many seconds
        self._reopen = False  # connect() came while closing
        self._answered = False  # whether traffic stands for the next heartbeat

    @property
    def status(self) -> ConnectionStatus:
        """The status that users see."""
        return _STATUSES[self.phase]

    @property
    def pending_heartbeat(self) -> str | None:
        """The ref of the heartbeat that waits for its answer."""
        return None if self._pending is None else self._pending[0]

    def handle(self, event: events.ConnectionEvent, now: float) -> Commands:
        """Take in one event at the moment `now`, in seconds; return what to do, in order."""
        match event:
            case (
                events.TransportConnected(generation=generation)
                | events.TransportClosed(generation=generation)
                | events.ConnectFailed(generation=generation)
                | events.ReadingChanged(generation=generation)
                | events.TrafficAnswered(generation=generation)
            ):
                if generation != self.generation or self.phase not in _LIVE:
                    late = isinstance(event, events.TransportConnected)
                    return [events.AbortTransport(generation)] if late else []
            case TimerFired():
                if not self.timers.take(event):
                    return []
        rule: Callable[[Any, float], Commands] = getattr(self, RULES[self.phase][type(event)])
        return rule(event, now)

    # ---- connecting ----

    def _connect(self, _: events.ConnectRequested, __: float) -> Commands:
        """Try now, and count from the beginning (C121)."""
        self.attempt = self._failures = 0
        self._retrying = False
        return [*self.timers.cancel_all(), *self._open()]

    def _retry(self, _: TimerFired, __: float) -> Commands:
        self._retrying = True
        return self._open()

    def _open(self) -> Commands:
        """Begin an attempt."""
        self.generation += 1
        return [
            *self._go(ConnectionPhase.CONNECTING),
            events.OpenTransport(self.generation),
        ]

    def _failed(self, event: events.ConnectFailed, _: float) -> Commands:
        """Give up when no attempt could do better, or enough were made; wait otherwise."""
        error = event.error
        self._failures += self._retrying
        limit = self._policy.max_attempts
        report = events.ReportFailure(error)
        terminal = isinstance(error, TLSError | InvalidURL) or not self._policy.reconnect
        if terminal or (limit is not None and self._failures >= limit):
            return [*self._go(ConnectionPhase.DISCONNECTED), report, events.GiveUp(error)]
        self.attempt += 1
        delay = self._policy.after_failure(self.attempt, error, self._random())
        return [*self._go(ConnectionPhase.WAITING), report, *self._wait(delay)]

    def _closed_early(self, event: events.TransportClosed, now: float) -> Commands:
        """Take a transport that closes before it was open for an attempt that failed."""
        error = ConnectError(f"the connection closed with code {event.code} before it was open")
        return self._failed(events.ConnectFailed(event.generation, error), now)

    def _wait(self, delay: float) -> Commands:
        """Wait for the next attempt."""
        armed = self.timers.arm(ConnectionTimer.RECONNECT, delay)
        return [armed, events.ReportAttempt(self.attempt, delay)]

    # ---- connected ----

    def _connected(self, event: events.TransportConnected, now: float) -> Commands:
        self._failures = 0
        self._opened_at = now
        self._pending = None
        self._paused = self._answered = False
        commands = self._go(ConnectionPhase.CONNECTED)
        commands.append(events.AnnounceOpen(event.generation))
        return commands + (self._next_heartbeat() if event.heartbeat else [])

    def _next_heartbeat(self) -> Commands:
        """Arm the timer of the next heartbeat, unless heartbeats are off."""
        if self._heartbeat_interval is None:
            return []
        return [self.timers.arm(ConnectionTimer.HEARTBEAT, self._heartbeat_interval)]

    def _heartbeat_due(self, event: TimerFired, now: float) -> Commands:
        """Send the next heartbeat, or give a connection up whose last one was not answered."""
        if event.timer == ConnectionTimer.HEARTBEAT_TIMEOUT:
            report = events.ReportHeartbeatTimeout(self._heartbeat_timeout or 0.0)
            abort = events.AbortTransport(self.generation)
            return [report, abort, *self._lose(HeartbeatTimeout(), now, clean=False)]
        commands = self._next_heartbeat()
        timeout = self._heartbeat_timeout
        answered, self._answered = self._answered, False
        if answered and self._pending is None:
            return commands
        if self._pending is not None and timeout is not None and not self._paused:
            return commands  # the timeout is longer than the interval: one at a time
        self._pending = (self._next_ref(), now)
        self._measured = not self._paused
        commands.append(events.SendHeartbeat(self._pending[0]))
        if timeout is not None:
            self._reply_due = timeout if self._paused else now + timeout
            if not self._paused:
                commands.append(self.timers.arm(ConnectionTimer.HEARTBEAT_TIMEOUT, timeout))
        return commands

    def _traffic_answered(self, _: events.TrafficAnswered, __: float) -> Commands:
        self._answered = True
        return []

    def _reading_changed(self, event: events.ReadingChanged, now: float) -> Commands:
        """Stop the clock of the pending heartbeat while nobody reads its answer (C82, C101)."""
        if event.paused is self._paused:
            return []
        self._paused = event.paused
        if self._pending is None or self._heartbeat_timeout is None:
            return []
        self._measured = False
        if event.paused:
            self._reply_due = max(0.0, self._reply_due - now)
            return [*self.timers.cancel(ConnectionTimer.HEARTBEAT_TIMEOUT)]
        left, self._reply_due = self._reply_due, now + self._reply_due
        return [self.timers.arm(ConnectionTimer.HEARTBEAT_TIMEOUT, left)]

    def _acknowledged(self, event: events.HeartbeatReplied, now: float) -> Commands:
        """Take the answer to the pending heartbeat, and no other (C97)."""
        if self._pending is None or event.ref != self._pending[0]:
            return []
        (_, sent_at), self._pending = self._pending, None
        commands: Commands = [*self.timers.cancel(ConnectionTimer.HEARTBEAT_TIMEOUT)]
        if self._measured:
            commands.append(events.ReportHeartbeat(now - sent_at))
        return commands

    def _dropped(self, event: events.TransportClosed, now: float) -> Commands:
        """Follow a loss, or a close that the server asked for (C110, C111)."""
        return self._lose(ConnectionLost(event.code, event.reason), now, event.clean)

    def _lose(self, reason: LossReason, now: float, clean: bool) -> Commands:
        """Announce a loss, and connect again unless told not to."""
        commands: Commands = [*self.timers.cancel_all()]
        self._pending = None
        if now - self._opened_at >= self._policy.stable_time:
            self.attempt = 0
        normal = isinstance(reason, ConnectionLost) and reason.code == _NORMAL
        again = self._policy.reconnect and (self._policy.after_normal_close or not normal)
        again = again and self._policy.max_attempts != 0
        following = ConnectionPhase.WAITING if again else ConnectionPhase.DISCONNECTED
        commands += self._go(following)
        commands.append(events.AnnounceLost(self.generation, reason, clean))
        if again:
            self.attempt += 1
            delay = self._policy.after_loss(self.attempt, self._random())
            return commands + self._wait(delay)
        silent = ConnectionLost(None, "no answer to the heartbeat")
        lost = reason if isinstance(reason, ConnectionLost) else silent
        return [*commands, events.GiveUp(lost)]

    # ---- disconnecting ----

    def _close(self, event: events.DisconnectRequested, _: float) -> Commands:
        """Begin the closing handshake; every timer but its own stops (C103, C117)."""
        self._reopen = False
        self._pending = None
        return [
            *self.timers.cancel_all(),
            *self._go(ConnectionPhase.CLOSING),
            events.CloseTransport(self.generation, event.code, event.reason),
            self.timers.arm(ConnectionTimer.CLOSE, self._close_timeout),
        ]

    def _abandon(self, _: events.DisconnectRequested, __: float) -> Commands:
        """Stop an attempt, or the wait for one (C117)."""
        commands: Commands = [*self.timers.cancel_all()]
        if self.phase is ConnectionPhase.CONNECTING:
            commands.append(events.AbortTransport(self.generation))
        return commands + self._go(ConnectionPhase.DISCONNECTED)

    def _stay_closed(self, _: events.DisconnectRequested, __: float) -> Commands:
        self._reopen = False
        return []

    def _reopen_after(self, _: events.ConnectRequested, __: float) -> Commands:
        self._reopen = True
        return []

    def _closed(self, event: events.TransportClosed | TimerFired, now: float) -> Commands:
        """End the closing handshake, answered or not."""
        commands: Commands = [*self.timers.cancel_all()]
        if isinstance(event, TimerFired):
            lost, clean = ConnectionLost(1006, "the peer did not answer the close"), False
            commands.append(events.AbortTransport(self.generation))
        else:
            lost, clean = ConnectionLost(event.code, event.reason), event.clean
        commands += self._go(ConnectionPhase.DISCONNECTED)
        commands.append(events.AnnounceLost(self.generation, lost, clean, requested=True))
        if not self._reopen:
            return commands
        self._reopen = False
        return commands + self._connect(events.ConnectRequested(), now)

    # ---- in any phase ----

    def _go(self, phase: ConnectionPhase) -> Commands:
        """Change the phase; announce the status if that changes with it."""
        old, self.phase = self.status, phase
        return [] if self.status == old else [events.AnnounceStatus(old, self.status)]

    def _nothing(self, _: Any, __: float) -> Commands:
        return []

    def __repr__(self) -> str:
        numbers = f"generation={self.generation} attempt={self.attempt}"
        return f"<ConnectionMachine {self.phase} {numbers}>"


# The phases in which the transport of the present generation lives.
_LIVE: Final = frozenset(
    {ConnectionPhase.CONNECTING, ConnectionPhase.CONNECTED, ConnectionPhase.CLOSING}
)

# Phase, event → the method that follows. News of a transport or a timer that is not the present
# one never gets here, so disconnected and waiting meet no transport, and disconnected and
# connecting no timer.
RULES: Final[Mapping[ConnectionPhase, Mapping[type[events.ConnectionEvent], str]]] = {
    ConnectionPhase.DISCONNECTED: {
        events.ConnectRequested: "_connect",
        events.DisconnectRequested: "_nothing",
        events.HeartbeatReplied: "_nothing",
    },
    ConnectionPhase.CONNECTING: {
        events.ConnectRequested: "_nothing",
        events.DisconnectRequested: "_abandon",
        events.TransportConnected: "_connected",
        events.ConnectFailed: "_failed",
        events.TransportClosed: "_closed_early",
        events.ReadingChanged: "_nothing",
        events.TrafficAnswered: "_nothing",
        events.HeartbeatReplied: "_nothing",
    },
    ConnectionPhase.CONNECTED: {
        events.ConnectRequested: "_nothing",
        events.DisconnectRequested: "_close",
        events.TransportConnected: "_nothing",
        events.ConnectFailed: "_nothing",
        events.TransportClosed: "_dropped",
        events.HeartbeatReplied: "_acknowledged",
        events.ReadingChanged: "_reading_changed",
        events.TrafficAnswered: "_traffic_answered",
        TimerFired: "_heartbeat_due",
    },
    ConnectionPhase.CLOSING: {
        events.ConnectRequested: "_reopen_after",
        events.DisconnectRequested: "_stay_closed",
        events.TransportConnected: "_nothing",
        events.ConnectFailed: "_nothing",
        events.TransportClosed: "_closed",
        events.ReadingChanged: "_nothing",
        events.TrafficAnswered: "_nothing",
        events.HeartbeatReplied: "_nothing",
        TimerFired: "_closed",
    },
    ConnectionPhase.WAITING: {
        events.ConnectRequested: "_connect",
        events.DisconnectRequested: "_abandon",
        events.HeartbeatReplied: "_nothing",
        TimerFired: "_retry",
    },
}
