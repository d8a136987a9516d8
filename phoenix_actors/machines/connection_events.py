"""The words between the connection's machine and the shell around it.

Events are past tense and tell what happened, commands imperative and say what to do. The shell
carries out the commands of one event in their order, before it hands in the next event. A
`generation` is the number of one attempt to connect, and of the connection that came of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from phoenix_actors.errors import PhoenixError
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import ConnectionStatus, LossReason

__all__ = [
    "AbortTransport",
    "AnnounceLost",
    "AnnounceOpen",
    "AnnounceStatus",
    "CloseTransport",
    "ConnectFailed",
    "ConnectRequested",
    "ConnectionCommand",
    "ConnectionEvent",
    "ConnectionTimer",
    "DisconnectRequested",
    "GiveUp",
    "HeartbeatReplied",
    "OpenTransport",
    "ReadingChanged",
    "ReportAttempt",
    "ReportFailure",
    "ReportHeartbeat",
    "ReportHeartbeatTimeout",
    "SendHeartbeat",
    "TrafficAnswered",
    "TransportClosed",
    "TransportConnected",
]


class ConnectionTimer(StrEnum):
    """The timers of a connection."""

    RECONNECT = "reconnect"
    HEARTBEAT = "heartbeat"
    HEARTBEAT_TIMEOUT = "heartbeat_timeout"
    CLOSE = "close"


# ---- events -------------------------------------------------------------------------------------


class ConnectRequested(msgspec.Struct, frozen=True):
    """connect() was called, or the client starts with auto_connect."""


class DisconnectRequested(msgspec.Struct, frozen=True):
    """disconnect() was called."""

    code: int = 1000
    reason: str = ""


class TransportConnected(msgspec.Struct, frozen=True):
    """`Transport.open` of this generation returned its handle, and `connected()` was called.

    `heartbeat` is false for a transport that notices a peer that is gone by itself.
    """

    generation: int
    heartbeat: bool = True


class ConnectFailed(msgspec.Struct, frozen=True):
    """`Transport.open`, or what was evaluated for it, raised `error`."""

    generation: int
    error: PhoenixError


class TransportClosed(msgspec.Struct, frozen=True):
    """`closed(code, reason, clean)` was called for this generation."""

    generation: int
    code: int | None
    reason: str
    clean: bool


class HeartbeatReplied(msgspec.Struct, frozen=True):
    """A phx_reply came on topic phoenix."""

    ref: str | None


class ReadingChanged(msgspec.Struct, frozen=True):
    """The reader stopped reading, for a channel takes no more (C82), or it reads on."""

    generation: int
    paused: bool


class TrafficAnswered(msgspec.Struct, frozen=True):
    """The server answered what was sent since the last heartbeat was due."""

    generation: int


ConnectionEvent: TypeAlias = (
    ConnectRequested
    | DisconnectRequested
    | TransportConnected
    | ConnectFailed
    | TransportClosed
    | HeartbeatReplied
    | ReadingChanged
    | TrafficAnswered
    | TimerFired
)

# ---- commands -----------------------------------------------------------------------------------


class OpenTransport(msgspec.Struct, frozen=True):
    """Evaluate params and headers anew and open a transport, on a thread that may wait."""

    generation: int


class CloseTransport(msgspec.Struct, frozen=True):
    """Write what is queued, then begin the closing handshake."""

    generation: int
    code: int
    reason: str


class AbortTransport(msgspec.Struct, frozen=True):
    """Drop the connection, or the attempt, at once; whatever it still says is ignored here."""

    generation: int


class SendHeartbeat(msgspec.Struct, frozen=True):
    """Send `[null, ref, "phoenix", "heartbeat", {}]` (C95)."""

    ref: str


class AnnounceStatus(msgspec.Struct, frozen=True):
    """Tell the world that the status changed."""

    old: ConnectionStatus
    new: ConnectionStatus


class AnnounceOpen(msgspec.Struct, frozen=True):
    """Tell every channel `SocketOpened(generation)`, in creation order, and run on_open hooks."""

    generation: int


class AnnounceLost(msgspec.Struct, frozen=True):
    """Tell every channel `SocketLost(generation, reason)`, and run on_close hooks.

    `requested`: the user disconnected, or the client ends.
    """

    generation: int
    reason: LossReason
    clean: bool
    requested: bool = False


class GiveUp(msgspec.Struct, frozen=True):
    """Tell every channel `ConnectionGivenUp(error)` and raise `error` in wait_connected()."""

    error: PhoenixError


class ReportAttempt(msgspec.Struct, frozen=True):
    """Report that reconnecting attempt `number` comes in `delay` seconds (C187)."""

    number: int
    delay: float


class ReportFailure(msgspec.Struct, frozen=True):
    """Report an attempt that failed, to hooks and as the last error of wait_connected()."""

    error: PhoenixError


class ReportHeartbeat(msgspec.Struct, frozen=True):
    """Report the seconds that a heartbeat took to be answered."""

    round_trip: float


class ReportHeartbeatTimeout(msgspec.Struct, frozen=True):
    """Report that a heartbeat was not answered within `timeout` seconds."""

    timeout: float


ConnectionCommand: TypeAlias = (
    OpenTransport
    | CloseTransport
    | AbortTransport
    | SendHeartbeat
    | ArmTimer
    | CancelTimer
    | AnnounceStatus
    | AnnounceOpen
    | AnnounceLost
    | GiveUp
    | ReportAttempt
    | ReportFailure
    | ReportHeartbeat
    | ReportHeartbeatTimeout
)
