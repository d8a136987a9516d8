"""Messages, replies, the reasons a channel closes for, and the states of connection and channel.

These are the words that the wire, the machines and the users of a client share. A repr names
topics, events and refs and never shows a payload.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Final, Self, TypeAlias

import msgspec

from phoenix_actors.advice import CRASHED
from phoenix_actors.errors import ConnectionLost, PushRejected

__all__ = [
    "HEARTBEAT",
    "LIFECYCLE_EVENTS",
    "PHOENIX_TOPIC",
    "PHX_CLOSE",
    "PHX_ERROR",
    "PHX_JOIN",
    "PHX_LEAVE",
    "PHX_REPLY",
    "ChannelState",
    "ClientStopped",
    "CloseReason",
    "ConnectionStatus",
    "Frame",
    "HeartbeatTimeout",
    "JoinTimedOut",
    "Left",
    "LossReason",
    "Message",
    "PushReply",
    "ServerClosed",
    "ServerError",
    "read_reply",
]

PHX_JOIN: Final = "phx_join"
PHX_LEAVE: Final = "phx_leave"
PHX_REPLY: Final = "phx_reply"
PHX_ERROR: Final = "phx_error"
PHX_CLOSE: Final = "phx_close"
PHOENIX_TOPIC: Final = "phoenix"
HEARTBEAT: Final = "heartbeat"

# What the server says about a channel and not in it; no handler of the user gets these.
LIFECYCLE_EVENTS: Final = frozenset({PHX_REPLY, PHX_ERROR, PHX_CLOSE})


class _ClosedSet(StrEnum):
    """A closed set of words: the plain string is as good, a slip is an error with the choices."""

    @classmethod
    def _missing_(cls, value: object) -> None:
        choices = ", ".join(repr(choice.value) for choice in cls)
        msg = f"{value!r} is no {cls.__name__}: choose one of {choices}"
        raise ValueError(msg)


class ConnectionStatus(_ClosedSet):
    """The state of the connection. A client that waits to reconnect is disconnected.

    Example:
        >>> ConnectionStatus("connected") is ConnectionStatus.CONNECTED
        True
        >>> ConnectionStatus("open")
        Traceback (most recent call last):
        ValueError: 'open' is no ConnectionStatus: choose one of 'disconnected', 'connecting', \
'connected', 'closing'
    """

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSING = "closing"


class ChannelState(_ClosedSet):
    """The state of a channel, in the words of phoenix.js (C50).

    Example:
        >>> ChannelState("joined") == "joined"
        True
    """

    CLOSED = "closed"
    JOINING = "joining"
    JOINED = "joined"
    LEAVING = "leaving"
    ERRORED = "errored"


class Message(msgspec.Struct, frozen=True):
    """One message of a channel, inbound or outbound.

    Attributes:
        topic: such as "room:lobby".
        event: such as "new_message".
        payload: any JSON value, or bytes.
        ref: the number of a frame that asks for a reply, as a string; None for what the server
            sends by itself.
        join_ref: the ref of the join it belongs to; None for a broadcast.
        channel: the channel it came through, where there is one.

    Example:
        >>> Message.push("room:lobby", "shout", {"body": "secret"})
        Message(topic='room:lobby', event='shout', ref=None, join_ref=None)
    """

    topic: str
    event: str
    payload: Any
    ref: str | None = None
    join_ref: str | None = None
    channel: Any = None

    @classmethod
    def join(cls, topic: str, params: Any = None) -> Self:
        """Return the message that joins `topic` with `params` ({} when left out)."""
        return cls(topic, PHX_JOIN, {} if params is None else params)

    @classmethod
    def leave(cls, topic: str) -> Self:
        """Return the message that leaves `topic`."""
        return cls(topic, PHX_LEAVE, {})

    @classmethod
    def push(cls, topic: str, event: str, payload: Any = None) -> Self:
        """Return the message that pushes `event` with `payload` ({} when left out)."""
        return cls(topic, event, {} if payload is None else payload)

    def __repr__(self) -> str:
        return (
            f"Message(topic={self.topic!r}, event={self.event!r}, ref={self.ref!r}, "
            f"join_ref={self.join_ref!r})"
        )


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One frame as it came off the wire, whatever the version of the protocol.

    Made for each frame, so it has no more than the five places of the wire, in their order. The
    wire has more of them in later versions: further elements are accepted (C18). The garbage
    collector does not look at it, for no code of the user's gets hold of one to put it in a cycle.

    Example:
        >>> Frame("1", None, "room:lobby", "shout", {"body": "secret"})
        Frame(join_ref='1', ref=None, topic='room:lobby', event='shout')
    """

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: Any

    def __repr__(self) -> str:
        return (
            f"Frame(join_ref={self.join_ref!r}, ref={self.ref!r}, topic={self.topic!r}, "
            f"event={self.event!r})"
        )


class PushReply(msgspec.Struct, frozen=True, eq=False):
    """The server's answer to a push: an error is a value too (C74).

    Attributes:
        status: "ok", "error", or whatever else the server says.
        response: any JSON value, or bytes.
        topic, event, ref: of the push, where the status is not "ok"; of no matter for equality.

    Example:
        >>> PushReply("ok", {"id": 1}).unwrap()
        {'id': 1}
        >>> PushReply("error", {"reason": "full"})
        PushReply(status='error')
    """

    status: str
    response: Any
    topic: str | None = None
    event: str | None = None
    ref: str | None = None

    def unwrap(self) -> Any:
        """Return the response of an "ok".

        Raises:
            PushRejected: for every other status; it carries status and response, and topic, event
                and ref of the push.
        """
        if self.status == "ok":
            return self.response
        raise PushRejected(self.status, self.response, self.topic, self.event, self.ref)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PushReply):
            return NotImplemented
        return (self.status, self.response) == (other.status, other.response)

    def __hash__(self) -> int:
        return hash((self.status, self.response))

    def __repr__(self) -> str:
        return f"PushReply(status={self.status!r})"


def read_reply(payload: Any) -> PushReply:
    """Return the reply that the payload of a `phx_reply` is, whatever its shape.

    Status and response come in any order (C24), the response may be any JSON value (C22). A payload
    that is no reply at all becomes one with the status "malformed" and the payload as response, so
    that whoever waits learns of it.

    Example:
        >>> reply = read_reply({"response": [1], "status": "ok"})
        >>> reply.status, reply.response
        ('ok', [1])
        >>> read_reply([1, 2]).status
        'malformed'
    """
    if isinstance(payload, dict):
        status = payload.get("status")
        if isinstance(status, str):
            return PushReply(status, payload.get("response", {}))
    return PushReply("malformed", payload)


# ---- why a channel closed -----------------------------------------------------------------------
# `handle_close` gets one of these. Left, ServerClosed and ClientStopped are the end of the channel;
# after ServerError, ConnectionLost, HeartbeatTimeout and JoinTimedOut it waits to rejoin (C94).
# ConnectionLost is the error of that name, which compares by value like the others.


class Left(msgspec.Struct, frozen=True):
    """leave() was called: the end of the channel."""


class ServerClosed(msgspec.Struct, frozen=True):
    """The server stopped its channel and said phx_close: the end of the channel (C90)."""


class ClientStopped(msgspec.Struct, frozen=True):
    """The client stops, and every channel with it."""


class ServerError(msgspec.Struct, frozen=True):
    """The server's channel crashed (phx_error); this one rejoins (C91).

    Attributes:
        payload: what the server said, `{"reason": "channel_crash"}` or `{}`.
    """

    # What the error of a push says of it.
    _advice: ClassVar[str] = CRASHED

    payload: Any = None

    def __repr__(self) -> str:
        return "ServerError()"


class HeartbeatTimeout(msgspec.Struct, frozen=True):
    """The server did not answer a heartbeat in time, so the connection was given up (C98)."""


class JoinTimedOut(msgspec.Struct, frozen=True):
    """The server did not answer the join in time; the channel tries again (C59)."""


CloseReason: TypeAlias = (
    Left
    | ServerClosed
    | ClientStopped
    | ServerError
    | ConnectionLost
    | HeartbeatTimeout
    | JoinTimedOut
)
LossReason: TypeAlias = ConnectionLost | HeartbeatTimeout
