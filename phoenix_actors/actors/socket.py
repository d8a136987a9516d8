"""`socket`: the shell of the connection's machine. Reconnecting is its daily work.

The connection and its threads belong to this actor by a monitor: however it ends, they are closed
before its supervisor hears of it, and so before a successor can open another.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from phoenix_actors.errors import ConnectError, ConnectionLost, PhoenixError
from phoenix_actors.link.reader import Reader
from phoenix_actors.link.wire import Wire
from phoenix_actors.machines import connection_events as events
from phoenix_actors.machines.connection import ConnectionMachine
from phoenix_actors.machines.reconnect import ReconnectPolicy
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import HEARTBEAT, PHOENIX_TOPIC, ConnectionStatus
from phoenix_actors.telemetry import (
    HEARTBEAT_SENT,
    HEARTBEAT_TIMEOUT,
    RECONNECTION_ATTEMPT,
    SOCKET_CONNECT_FAILED,
    SOCKET_CONNECTED,
    SOCKET_DISCONNECTED,
    SOCKET_STATUS,
    emit,
)
from phoenix_actors.transport.websocket import WebSocketTransport
from supervisors import Down, ExitReason, GenServer, Timer
from supervisors._runtime.timers import timers

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session
    from phoenix_actors.transport.interface import TransportHandle

__all__ = ["Connect", "Disconnect", "Socket"]

# Seconds that queued frames may take to be written before a close.
_FLUSH_TIMEOUT = 1.0
_TRANSPORT_EVENTS = (
    events.TransportConnected,
    events.TransportClosed,
    events.ConnectFailed,
    events.HeartbeatReplied,
    TimerFired,
)


class Connect(msgspec.Struct, frozen=True):
    """Connect now, and count from the beginning."""


class Disconnect(msgspec.Struct, frozen=True):
    """Close the connection and stay disconnected."""


class Socket(GenServer):
    """Owns the one connection of a client; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Publish a new wire and connect if the options say so."""
        self.session = session
        options = session.options
        me = self.actor_ref
        wire = Wire(session, lambda ref: me.cast(events.HeartbeatReplied(ref)))
        self.wire = wire
        self.machine = ConnectionMachine(
            ReconnectPolicy.of(options),
            next_ref=wire.next_ref,
            random=random.random,
            heartbeat_interval=options.heartbeat_interval,
            heartbeat_timeout=options.heartbeat_timeout,
        )
        self.armed: dict[str, Timer] = {}
        self.handles: dict[int, TransportHandle] = {}
        me.monitor(lambda down: _close_with(session, wire, down))
        session.wire = wire
        if session.wants_connection:
            self._feed(events.ConnectRequested())

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Take Connect, Disconnect and `"stats"`."""
        match request:
            case Connect():
                self.session.wants_connection = True
                self._feed(events.ConnectRequested())
            case Disconnect():
                self.session.wants_connection = False
                self._feed(events.DisconnectRequested())
            case "stats":
                counters = self.session.counters
                return {
                    "status": str(self.machine.status),
                    "generation": self.machine.generation,
                    "attempt": self.machine.attempt,
                    "frames_sent": counters["frames_sent"],
                    "frames_received": counters["frames_received"],
                    "bytes_sent": counters["bytes_sent"],
                    "bytes_received": counters["bytes_received"],
                    "queued_frames": len(self.wire.outbox),
                }
            case _:
                return super().handle_call(request, sender)
        return None

    def handle_cast(self, message: Any) -> None:
        """Take what the connection's threads and timers tell."""
        if isinstance(message, _TRANSPORT_EVENTS):
            self._feed(message)
            if isinstance(message, events.ConnectFailed | events.TransportClosed):
                self.handles.pop(message.generation, None)
        else:
            super().handle_cast(message)

    def terminate(self, reason: ExitReason) -> None:
        """Close the connection politely where there is time for that; see the monitor too."""
        handle = self.handles.get(self.machine.generation)
        if handle is not None and self.machine.status is ConnectionStatus.CONNECTED:
            self.wire.outbox.help(_FLUSH_TIMEOUT)
            handle.close()

    # ---- carrying out -------------------------------------------------------------------------

    def _feed(self, event: events.ConnectionEvent) -> None:
        for command in self.machine.handle(event, timers.clock.now()):
            self._carry_out(command)

    def _carry_out(self, command: events.ConnectionCommand) -> None:
        session = self.session
        match command:
            case events.OpenTransport(generation):
                self._open(generation)
            case events.CloseTransport(generation, code, reason):
                self._close(generation, code, reason)
            case events.AbortTransport(generation):
                handle = self.handles.pop(generation, None)
                if handle is not None:
                    handle.abort()
            case events.SendHeartbeat(ref):
                prepared = session.codec.prepare(PHOENIX_TOPIC, HEARTBEAT, {})
                self.wire.send(session.codec.complete(prepared, None, ref), may_write=False)
                emit(HEARTBEAT_SENT, ref=ref)
            case ArmTimer(timer, serial, delay):
                self._arm(timer, serial, delay)
            case CancelTimer(timer):
                self._cancel(timer)
            case events.AnnounceStatus(old, new):
                session.set_status(new)
                emit(SOCKET_STATUS, old_status=str(old), new_status=str(new))
            case events.AnnounceOpen(generation):
                self.wire.opened(generation, self.handles[generation])
                emit(SOCKET_CONNECTED, generation=generation)
                session.hooks.open.run()
            case events.AnnounceLost():
                self._announce_lost(command)
            case events.GiveUp(error):
                self.wire.given_up(error)
                session.set_gave_up(error)
            case events.ReportFailure(error):
                session.last_error = error
                emit(SOCKET_CONNECT_FAILED, error=type(error).__name__)
                session.hooks.error.run(error)
            case events.ReportAttempt(number, delay):
                emit(RECONNECTION_ATTEMPT, {"delay_seconds": delay}, attempt=number)
            case events.ReportHeartbeat(round_trip):
                session.heartbeat_rtt = round_trip
            case events.ReportHeartbeatTimeout(timeout):
                emit(HEARTBEAT_TIMEOUT, {"timeout_seconds": timeout})

    def _announce_lost(self, command: events.AnnounceLost) -> None:
        reason = command.reason
        self.handles.pop(command.generation, None)
        self.wire.lost(command.generation, reason)
        code = reason.code if isinstance(reason, ConnectionLost) else None
        text = reason.reason if isinstance(reason, ConnectionLost) else "heartbeat timeout"
        emit(SOCKET_DISCONNECTED, code=code, reason=type(reason).__name__, clean=command.clean)
        self.session.hooks.close.run(code, text, command.clean)

    def _arm(self, timer: str, serial: int, delay: float) -> None:
        self._cancel(timer)
        self.armed[timer] = armed = timers.after(
            delay, lambda: self.actor_ref.cast(TimerFired(timer, serial))
        )
        self._process.keep_timer(armed)

    def _cancel(self, timer: str) -> None:
        armed = self.armed.pop(timer, None)
        if armed is not None:
            armed.cancel()

    def _close(self, generation: int, code: int, reason: str) -> None:
        """Write what waits, then close; on a thread of its own, for a peer may be slow to take."""
        handle = self.handles.get(generation)
        if handle is None:
            return
        wire = self.wire

        def close() -> None:
            wire.outbox.help(_FLUSH_TIMEOUT)
            handle.close(code, reason)

        threading.Thread(target=close, name="phoenix-closer", daemon=True).start()

    # ---- opening ------------------------------------------------------------------------------

    def _open(self, generation: int) -> None:
        """Open a connection on a thread of its own: params, DNS and TLS may all take their time."""
        attempt = _Attempt(self, generation)
        threading.Thread(
            target=attempt.run, name=f"phoenix-connect-{generation}", daemon=True
        ).start()

    def _opened(self, generation: int, handle: TransportHandle) -> None:
        """Keep the handle; called on the connecting thread before the news reaches the actor."""
        self.handles[generation] = handle


class _Attempt:
    """One attempt to connect, on its own thread; it tells the actor by messages only."""

    def __init__(self, socket: Socket, generation: int) -> None:
        self._socket = socket
        self._generation = generation
        self._me = socket.actor_ref
        self._wire = socket.wire
        # Both the handle and the news that it is open must be there; either may come first.
        self._missing = ["handle", "connected"]
        self._lock = threading.Lock()

    def run(self) -> None:
        options = self._socket.session.options
        transport = options.transport or WebSocketTransport()
        reader = Reader(self._wire, self._generation, self._connected, self._closed)
        try:
            url = options.connect_url()
            chosen = msgspec.structs.replace(options.connect_options(), announce=self._announce)
            handle = transport.open(url, chosen, reader)
        except PhoenixError as error:
            self._me.cast(events.ConnectFailed(self._generation, error))
        except Exception as error:  # noqa: BLE001  a foreign transport may raise anything
            failure = ConnectError(f"the transport raised {type(error).__name__}")
            failure.__cause__ = error
            self._me.cast(events.ConnectFailed(self._generation, failure))
        else:
            self._announce(handle)
            self._arrived("handle")

    def _announce(self, handle: TransportHandle) -> None:
        """Make the handle abortable, by the actor and by the actor's end."""
        self._socket._opened(self._generation, handle)
        if not self._wire.hold(handle):
            handle.abort()

    def _connected(self) -> None:
        self._arrived("connected")

    def _arrived(self, what: str) -> None:
        with self._lock:
            if what in self._missing:
                self._missing.remove(what)
            complete = not self._missing
        if complete:
            self._me.cast(events.TransportConnected(self._generation))

    def _closed(self, code: int | None, reason: str, clean: bool) -> None:
        self._me.cast(events.TransportClosed(self._generation, code, reason, clean))


def _close_with(session: Session, wire: Wire, down: Down) -> None:
    """The actor is gone: its connection goes with it, at once."""
    if session.wire is wire:
        session.wire = None
    reason = type(down.reason).__name__
    wire.shut(ConnectionLost(None, f"the socket's actor ended ({reason})"))
    session.set_status(ConnectionStatus.DISCONNECTED)
