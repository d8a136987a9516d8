"""The words between a channel's machine and the shell around it.

Events are past tense and tell what happened, commands imperative and say what to do. The shell
carries out the commands of one event in their order, before it hands in the next event.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from phoenix_actors.errors import PhoenixError, QueueFull
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import CloseReason, Frame, LossReason

__all__ = [
    "ChannelCommand",
    "ChannelEvent",
    "ChannelTimer",
    "ClientStopping",
    "ConnectionGivenUp",
    "DeliverMessage",
    "DropCause",
    "DropPush",
    "FailInFlight",
    "FailJoin",
    "FailPush",
    "Forget",
    "FrameArrived",
    "JoinRequested",
    "JoinUnsent",
    "LeaveRequested",
    "PushRequested",
    "ReportDrop",
    "SendJoin",
    "SendLeave",
    "SendPush",
    "SettleJoin",
    "SettleLeave",
    "SocketLost",
    "SocketOpened",
    "TellClosed",
    "TellJoinError",
    "TellJoined",
    "TopicUnmatched",
]


class ChannelTimer(StrEnum):
    """The timers of a channel."""

    JOIN = "join"
    REJOIN = "rejoin"
    LEAVE = "leave"
    BUFFERED_PUSH = "buffered_push"


class DropCause(StrEnum):
    """Why an inbound frame was not delivered."""

    STALE = "stale"  # its join_ref, or its connection, is not the present one (C45)
    UNMATCHED = "unmatched"  # a reply that nobody waits for (C48)
    NOT_JOINED = "not_joined"  # the channel is not, or no longer, joined (C89)


# ---- events -------------------------------------------------------------------------------------


class JoinRequested(msgspec.Struct, frozen=True):
    """The topic is wanted. Once in the life of a machine.

    `token` comes back in `SettleJoin` or `FailJoin`. With None nobody waits, and a refusal is that
    of a rejoin: for topics of `join_channels`, and for a channel that its supervisor restarted.
    """

    timeout: float | None
    token: Any = None


class SocketOpened(msgspec.Struct, frozen=True):
    """A connection is open; each has a higher `generation` than the one before."""

    generation: int


class SocketLost(msgspec.Struct, frozen=True):
    """The connection of this generation is gone, or disconnect() was called."""

    generation: int
    reason: LossReason


class ConnectionGivenUp(msgspec.Struct, frozen=True):
    """The socket does not try to connect any more (C116)."""

    error: PhoenixError


class FrameArrived(msgspec.Struct, frozen=True):
    """A frame of this topic, but for replies that `PendingPushes` resolved."""

    frame: Frame
    generation: int
    size: int = 0  # bytes


class TopicUnmatched(msgspec.Struct, frozen=True):
    """A push with this join_ref was answered "unmatched topic" (C84)."""

    join_ref: str | None


class PushRequested(msgspec.Struct, frozen=True):
    """A push; `token` comes back in `SendPush` or `FailPush`, `timeout` runs from now."""

    event: str
    payload: Any
    token: Any
    timeout: float | None
    size: int = 0  # bytes

    def __repr__(self) -> str:
        return f"PushRequested(event={self.event!r}, timeout={self.timeout!r})"


class LeaveRequested(msgspec.Struct, frozen=True):
    """The topic is not wanted; `token` comes back in `SettleLeave`, within `timeout` seconds."""

    timeout: float | None
    token: Any = None


class JoinUnsent(msgspec.Struct, frozen=True):
    """The join of `SendJoin` could not be made: its params raised, or do not encode."""

    join_ref: str
    error: PhoenixError


class ClientStopping(msgspec.Struct, frozen=True):
    """The client stops."""


ChannelEvent: TypeAlias = (
    JoinRequested
    | SocketOpened
    | SocketLost
    | ConnectionGivenUp
    | FrameArrived
    | TopicUnmatched
    | PushRequested
    | LeaveRequested
    | JoinUnsent
    | ClientStopping
    | TimerFired
)

# ---- commands -----------------------------------------------------------------------------------


class SendJoin(msgspec.Struct, frozen=True):
    """Evaluate the params (C55) and send phx_join; ref and join_ref are the same (C42)."""

    join_ref: str


class SendLeave(msgspec.Struct, frozen=True):
    """Send phx_leave."""

    join_ref: str
    ref: str


class SendPush(msgspec.Struct, frozen=True):
    """Enter the push into `PendingPushes`, then send it."""

    join_ref: str
    ref: str
    event: str
    payload: Any
    token: Any
    timeout: float | None
    deadline: float | None

    def __repr__(self) -> str:
        return f"SendPush(join_ref={self.join_ref!r}, ref={self.ref!r}, event={self.event!r})"


class SettleJoin(msgspec.Struct, frozen=True):
    """Hand the server's answer to whoever waits for the join."""

    token: Any
    response: Any

    def __repr__(self) -> str:
        return f"SettleJoin(token={self.token!r})"


class FailJoin(msgspec.Struct, frozen=True):
    """Raise `error` at whoever waits for the join."""

    token: Any
    error: PhoenixError


class SettleLeave(msgspec.Struct, frozen=True):
    """Tell whoever waits for the leave that the channel is closed."""

    token: Any


class FailPush(msgspec.Struct, frozen=True):
    """Raise `error` at the caller of a push that was not sent."""

    token: Any
    error: PhoenixError


class DropPush(msgspec.Struct, frozen=True):
    """Drop a push that was not sent, to keep the bound; tell, and raise `error` at its caller."""

    token: Any
    error: QueueFull


class FailInFlight(msgspec.Struct, frozen=True):
    """Take the topic's `PendingPushes` out; fail each with `push_failure(push, reason)`."""

    reason: CloseReason


class DeliverMessage(msgspec.Struct, frozen=True):
    """Give the frame's event and payload to the user's handlers."""

    frame: Frame
    size: int = 0


class TellJoined(msgspec.Struct, frozen=True):
    """Call `handle_join(response)`; `join_count` is 1 for the first join (C66)."""

    response: Any
    join_count: int

    def __repr__(self) -> str:
        return f"TellJoined(join_count={self.join_count})"


class TellJoinError(msgspec.Struct, frozen=True):
    """Call `handle_join_error(response)`."""

    response: Any

    def __repr__(self) -> str:
        return "TellJoinError()"


class TellClosed(msgspec.Struct, frozen=True):
    """Call `handle_close(reason)`; when it is the end of the channel, `Forget` follows."""

    reason: CloseReason


class ReportDrop(msgspec.Struct, frozen=True):
    """Report, at debug level, that an inbound frame was dropped; the machine has counted it."""

    cause: DropCause
    event: str


class Forget(msgspec.Struct, frozen=True):
    """Take the channel out of the socket; no command comes after this one."""


ChannelCommand: TypeAlias = (
    SendJoin
    | SendLeave
    | SendPush
    | ArmTimer
    | CancelTimer
    | SettleJoin
    | FailJoin
    | SettleLeave
    | FailPush
    | DropPush
    | FailInFlight
    | DeliverMessage
    | TellJoined
    | TellJoinError
    | TellClosed
    | ReportDrop
    | Forget
)
