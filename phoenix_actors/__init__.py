"""A Phoenix Channels client whose processes run under a supervision tree.

Start it, join a topic, push:

    client = SocketClient.start_link(url="ws://localhost:4000/socket/websocket")
    channel = client.join("room:lobby", {"user": "alice"})
    reply = channel.push("new_message", {"body": "hi"}).get(timeout=5)

Derive from `ChannelActor` to handle a topic's messages in an actor of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phoenix_actors import logs as _logs
from phoenix_actors import observing as _observing
from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.channel import Channel
from phoenix_actors.client import SocketClient
from phoenix_actors.errors import (
    AlreadyJoined,
    AuthTokenIgnored,
    ChannelClosed,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    DecodeError,
    EncodeError,
    HandshakeRefused,
    InvalidOption,
    InvalidURL,
    JoinCancelled,
    JoinError,
    JoinRejected,
    JoinTimeout,
    NotConnected,
    NotJoined,
    PhoenixError,
    ProtocolError,
    PushError,
    PushRejected,
    PushTimeout,
    QueueFull,
    TLSError,
    WouldDeadlock,
)
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.hooks import Subscription
from phoenix_actors.link.message_hooks import DROP, Dropped, MessageHandler
from phoenix_actors.link.pool import EncodedPayload
from phoenix_actors.link.presence import Presence
from phoenix_actors.link.stream import MessageStream
from phoenix_actors.message import (
    ChannelState,
    ClientStopped,
    CloseReason,
    ConnectionStatus,
    HeartbeatTimeout,
    JoinTimedOut,
    Left,
    Message,
    PushReply,
    ServerClosed,
    ServerError,
)
from phoenix_actors.options import (
    ProxyOptions,
    SocketOptions,
    SSLOptions,
    TCPOptions,
    TransportOptions,
)
from phoenix_actors.transport import Transport, TransportEvents, TransportHandle

if TYPE_CHECKING:
    from phoenix_actors.transport.long_poll import LongPollTransport

    __version__: str

__all__ = [
    "DROP",
    "AlreadyJoined",
    "AuthTokenIgnored",
    "Channel",
    "ChannelActor",
    "ChannelClosed",
    "ChannelState",
    "ClientStopped",
    "CloseReason",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "ConnectionStatus",
    "DecodeError",
    "Dropped",
    "EncodeError",
    "EncodedPayload",
    "HandshakeRefused",
    "HeartbeatTimeout",
    "InvalidOption",
    "InvalidURL",
    "JoinCancelled",
    "JoinError",
    "JoinRejected",
    "JoinTimedOut",
    "JoinTimeout",
    "Left",
    "LongPollTransport",
    "Message",
    "MessageHandler",
    "MessageStream",
    "NotConnected",
    "NotJoined",
    "PhoenixError",
    "Presence",
    "ProtocolError",
    "ProxyOptions",
    "PushError",
    "PushFuture",
    "PushRejected",
    "PushReply",
    "PushTimeout",
    "QueueFull",
    "SSLOptions",
    "ServerClosed",
    "ServerError",
    "SocketClient",
    "SocketOptions",
    "Subscription",
    "TCPOptions",
    "TLSError",
    "Transport",
    "TransportEvents",
    "TransportHandle",
    "TransportOptions",
    "WouldDeadlock",
]

_logs.install()
_observing.install()

if not TYPE_CHECKING:  # a type checker that saw it would take every name for one that is there

    def __getattr__(name: str) -> Any:
        """Import what takes long and many programs do without when it is asked for."""
        if name == "__version__":
            from importlib import metadata

            return metadata.version("phoenix-actors")
        from importlib import import_module

        if name == "aio":
            return import_module("phoenix_actors.aio")
        if name == "LongPollTransport":
            value = import_module("phoenix_actors.transport.long_poll").LongPollTransport
            globals()[name] = value
            return value
        msg = f"module 'phoenix_actors' has no attribute {name!r}"
        raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
