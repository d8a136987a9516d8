"""`socket`: the shell of the connection's machine. Reconnecting is its daily work.

The connection and its threads belong to this actor: however it ends, they are closed before its
supervisor hears of it, and so before a successor can open another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from phoenix_actors.actors.part import Part
from phoenix_actors.errors import ConnectionLost
from phoenix_actors.link.fallback import forget_fallback
from phoenix_actors.link.schedules import guarded
from phoenix_actors.link.scheduling import without_waiting
from phoenix_actors.link.wire import Wire
from phoenix_actors.machines import connection_events as events
from phoenix_actors.machines.connection import ConnectionMachine
from phoenix_actors.machines.reconnect import RECONNECT_STEPS, ReconnectPolicy
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import HEARTBEAT, PHOENIX_TOPIC, ConnectionStatus
from phoenix_actors.telemetry import (
    CLIENT_STRAY,
    HEARTBEAT_REPLY,
    HEARTBEAT_SENT,
    HEARTBEAT_TIMEOUT,
    RECONNECTION_ATTEMPT,
    SOCKET_CONNECT_FAILED,
    SOCKET_CONNECTED,
    SOCKET_STATUS,
    TRANSPORT_CLOSE,
    emit,
)
from supervisors import ActorRef, ExitReason, Timer
from supervisors._runtime.in_place import take_turn
from supervisors._runtime.timers import timers
from supervisors.clock import chance
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session
    from phoenix_actors.message import LossReason

__all__ = ["Connect", "Disconnect", "Socket"]

# To itself: look whether anybody can reach the client. Seconds until then, with heartbeats off.
_LOOK: Final = "look"
_LOOK_INTERVAL: Final = 30.0
# Seconds that the peer has to answer the close, when the actor ends in order.
_CLOSE_PATIENCE = 1.0
_TRANSPORT_EVENTS = (
    events.TransportConnected,
    events.TransportClosed,
    events.ConnectFailed,
    events.HeartbeatReplied,
    events.ReadingChanged,
    TimerFired,
)


class Connect(msgspec.Struct, frozen=True):
    """Connect now, and count from the beginning."""


class Disconnect(msgspec.Struct, frozen=True):
    """Close the connection and stay disconnected."""


class Socket(Part):
    """Owns the one connection of a client; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Publish a new wire and connect if the user wants that."""
        self.session = session
        options = session.options
        me = self.actor_ref
        wire = Wire(
            session,
            lambda ref: me.cast(events.HeartbeatReplied(ref)),
            lambda generation, paused: me.cast(events.ReadingChanged(generation, paused)),
        )
        self.wire = wire
        self.machine = ConnectionMachine(
            _policy(session),
            next_ref=wire.next_ref,
            random=chance,
            heartbeat_interval=options.heartbeat_interval,
            heartbeat_timeout=options.heartbeat_timeout,
        )
        self.spares_heartbeats = options.heartbeat_when_idle
        # Where no heartbeat is sent, that is when it is looked whether the client is stray.
        self.look_interval = options.heartbeat_interval or _LOOK_INTERVAL
        self.looks = False
        self.armed: dict[str, Timer] = {}
        # Told once what it speaks of is done, so that who waits for it finds it so.
        self.unsaid: events.AnnounceStatus | None = None
        session.wire = wire
        if self._process.ended:
            # Killed before the wire stood there.
            session.close_wire(wire)
        if session.wants_connection:
            self._feed(events.ConnectRequested())

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Take Connect, Disconnect and `"stats"`.

        `frames_sent` and `frames_received` count all connections of the client, `messages_sent`,
        `bytes_received` and their like the one that is open; see `ConnectionNews.stats`.
        """
        match request:
            case Connect() | Disconnect():
                self._want(request)
            case "stats":
                counters = self.session.counters
                return {
                    "status": str(self.machine.status),
                    "generation": self.machine.generation,
                    "attempt": self.machine.attempt,
                    "frames_sent": counters["frames_sent"],
                    "frames_received": counters["frames_received"],
                    "queued_frames": len(self.wire.outbox),
                    **self.wire.news.stats(self.wire.last_active),
                }
            case _:
                return super().handle_call(request, sender)
        return None

    def handle_cast(self, message: Any) -> None:
        """Take Connect, and what the connection's threads and timers tell."""
        if isinstance(message, _TRANSPORT_EVENTS):
            if self.spares_heartbeats and _is_heartbeat(message) and self.wire.tick():
                self._feed(events.TrafficAnswered(self.machine.generation))
            self._feed(message)
            if isinstance(message, events.TransportConnected):
                self._look_later(heartbeat=message.heartbeat)
            if isinstance(message, events.ConnectFailed | events.TransportClosed):
                self.wire.finished(message.generation)
        elif isinstance(message, Connect):
            self._want(message)
        else:
            super().handle_cast(message)

    def handle_info(self, message: Any) -> None:
        """Look whether anybody can reach the client."""
        if message != _LOOK:
            super().handle_info(message)
            return
        self._stop_if_stray()
        self.send_after(self.look_interval, _LOOK)

    def _look_later(self, *, heartbeat: bool) -> None:
        """Begin to look now and then, once, where no heartbeat does so."""
        if not self.looks and not (heartbeat and self.session.options.heartbeat_interval):
            self.looks = True
            self.send_after(self.look_interval, _LOOK)

    def _want(self, request: Connect | Disconnect) -> None:
        connect = isinstance(request, Connect)
        self.session.wants_connection = connect
        if connect and self.machine.status is ConnectionStatus.DISCONNECTED:
            forget_fallback(self.session)
        self._feed(events.ConnectRequested() if connect else events.DisconnectRequested())

    def terminate(self, reason: ExitReason) -> None:
        """Close the connection politely and wait a moment for that; see `_otp_after_end` too."""
        attempt = self.wire.attempt(self.machine.generation)
        self._feed(events.DisconnectRequested())
        if attempt is None:
            return
        if not attempt.wait_ended(_CLOSE_PATIENCE):
            attempt.abort()
        code, text, clean = attempt.ending
        self._feed(events.TransportClosed(self.machine.generation, code, text, clean))
        attempt.join(time.monotonic() + _CLOSE_PATIENCE)

    def _otp_after_end(self, reason: ExitReason) -> None:
        """Have its connection go with it, at once."""
        super()._otp_after_end(reason)
        wire: Wire | None = getattr(self, "wire", None)
        if wire is None:
            return  # its init has not run
        session = self.session
        session.close_wire(wire)
        name = type(reason).__name__
        lost = ConnectionLost(None, f"the socket's actor ended ({name})")
        if wire.shut(lost):
            _notify_close(session, lost, clean=False)

    # ---- carrying out -------------------------------------------------------------------------

    def _stop_if_stray(self) -> None:
        """End a client that nobody can reach, instead of keeping its connection for ever (C158)."""
        if self.session.stray:
            emit(CLIENT_STRAY, url=self.session.options.shown_url())
            self.session.client.stop(block=False)

    def _feed(self, event: events.ConnectionEvent) -> None:
        for command in self.machine.handle(event, timers.clock.now()):
            _CARRIED_OUT[type(command)](self, command)
        self._say(None)

    def _open(self, command: events.OpenTransport) -> None:
        self._stop_if_stray()
        here = partial(_take_here, self.actor_ref)
        self.wire.begin(command.generation, self.actor_ref.cast, here)

    def _close(self, command: events.CloseTransport) -> None:
        generation, code = command.generation, command.code
        attempt = self.wire.attempt(generation)
        if attempt is not None:
            emit(TRANSPORT_CLOSE, generation=generation, code=code)
            attempt.close(code, command.reason)

    def _abort(self, command: events.AbortTransport) -> None:
        generation, wire = command.generation, self.wire
        if generation == self.machine.generation:
            wire.news.failed("Aborted", timers.clock.now())
        attempt = wire.attempt(generation)
        if attempt is not None:
            attempt.abort()

    def _send_heartbeat(self, command: events.SendHeartbeat) -> None:
        self._stop_if_stray()
        codec, ref = self.session.codec, command.ref
        prepared = codec.prepare(PHOENIX_TOPIC, HEARTBEAT, {})
        self.wire.send(codec.complete(prepared, None, ref), may_write=False)
        emit(HEARTBEAT_SENT, ref=ref)

    def _opened(self, command: events.AnnounceOpen) -> None:
        session = self.session
        session.last_error = None
        self.wire.opened(command.generation)
        self._say(None)
        session.notify(session.hooks.open)

    def _lost(self, command: events.AnnounceLost) -> None:
        reason, clean = command.reason, command.clean
        self.wire.lost(command.generation, reason, clean=clean, requested=command.requested)
        self._say(None)
        _notify_close(self.session, reason, clean=clean)

    def _give_up(self, command: events.GiveUp) -> None:
        self.session.set_gave_up(command.error)
        self.wire.given_up(command.error)

    def _failed(self, command: events.ReportFailure) -> None:
        session, error = self.session, command.error
        session.last_error = error
        self.wire.news.failed(type(error).__name__, timers.clock.now())
        emit(SOCKET_CONNECT_FAILED, error=type(error).__name__)
        session.notify(session.hooks.error, error)

    def _heartbeat_answered(self, command: events.ReportHeartbeat) -> None:
        session, round_trip = self.session, command.round_trip
        session.heartbeat_rtt = round_trip
        session.heartbeat_times.add(round_trip)
        emit(HEARTBEAT_REPLY, {"round_trip_seconds": round_trip})

    def _say(self, following: events.AnnounceStatus | None) -> None:
        """Tell the status that waits to be told, and keep the following one."""
        unsaid, self.unsaid = self.unsaid, following
        if unsaid is not None:
            self.session.set_status(unsaid.new, self.wire)
            emit(SOCKET_STATUS, old_status=str(unsaid.old), new_status=str(unsaid.new))

    def _arm(self, command: ArmTimer) -> None:
        timer, fired = command.timer, TimerFired(command.timer, command.serial)
        self._cancel(command)
        self.armed[timer] = armed = timers.after(command.delay, lambda: self.actor_ref.cast(fired))
        self._process.keep_timer(armed)

    def _cancel(self, command: ArmTimer | CancelTimer) -> None:
        armed = self.armed.pop(command.timer, None)
        if armed is not None:
            armed.cancel()


def _report_attempt(_: Socket, command: events.ReportAttempt) -> None:
    emit(RECONNECTION_ATTEMPT, {"delay_seconds": command.delay}, attempt=command.number)


def _report_silence(_: Socket, command: events.ReportHeartbeatTimeout) -> None:
    emit(HEARTBEAT_TIMEOUT, {"timeout_seconds": command.timeout})


# How each command is carried out: one look-up, where a chain of cases costs some for each.
_CARRIED_OUT: Final[Mapping[type, Callable[[Socket, Any], None]]] = {
    events.OpenTransport: Socket._open,
    events.CloseTransport: Socket._close,
    events.AbortTransport: Socket._abort,
    events.SendHeartbeat: Socket._send_heartbeat,
    ArmTimer: Socket._arm,
    CancelTimer: Socket._cancel,
    events.AnnounceStatus: Socket._say,
    events.AnnounceOpen: Socket._opened,
    events.AnnounceLost: Socket._lost,
    events.GiveUp: Socket._give_up,
    events.ReportFailure: Socket._failed,
    events.ReportAttempt: _report_attempt,
    events.ReportHeartbeat: Socket._heartbeat_answered,
    events.ReportHeartbeatTimeout: _report_silence,
}


def _take_here(socket: ActorRef, news: Any) -> None:
    """Have the actor take news of the transport in this thread if it is idle, else by a message.

    This thread is to read: who listens to the events may wait for what it would have to read.
    """
    process = None if wanted(SOCKET_CONNECTED) or wanted(SOCKET_STATUS) else socket.process

    def take() -> None:
        if process is not None:
            process.handling = news
            if not process.ended:
                process.actor._otp_receive(news)

    if process is None or not without_waiting(take_turn, process, take):
        socket.cast(news)


def _is_heartbeat(message: Any) -> bool:
    """Tell whether a heartbeat is due."""
    return isinstance(message, TimerFired) and message.timer == events.ConnectionTimer.HEARTBEAT


def _policy(session: Session) -> ReconnectPolicy:
    """Return the options' policy, safe from what the user's functions may raise."""
    policy = ReconnectPolicy.of(session.options)
    own = {
        name: guarded(name, schedule, RECONNECT_STEPS)
        for name, schedule in (
            ("backoff", policy.backoff),
            ("refusal_backoff", policy.refusal_backoff),
        )
        if schedule is not None
    }
    return msgspec.structs.replace(policy, **own)


def _notify_close(session: Session, reason: LossReason, *, clean: bool) -> None:
    """Have the on_close hooks run."""
    code = reason.code if isinstance(reason, ConnectionLost) else None
    text = reason.reason if isinstance(reason, ConnectionLost) else "heartbeat timeout"
    session.notify(session.hooks.close, code, text, clean)
