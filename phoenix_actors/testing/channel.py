"""Channels written in Python: the class to derive from, and what its handlers answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from phoenix_actors.testing.hub import Hub

__all__ = ["ChannelHost", "JoinRefused", "Reply", "ServerChannel", "SocketInfo", "Stop"]


class JoinRefused(Exception):
    """Raised by `ServerChannel.join` to refuse; `response` is what the client gets."""

    def __init__(self, response: Any) -> None:
        super().__init__("the channel refused the join")
        self.response = response


class Reply(msgspec.Struct, frozen=True):
    """The answer to a push: a status and any JSON value, or bytes.

    Example:
        >>> Reply.ok({"n": 1}).status, Reply.error().response
        ('ok', {})
    """

    status: str
    response: Any = {}

    @classmethod
    def ok(cls, response: Any = msgspec.UNSET) -> Reply:
        """Returns a reply with status ok; left out, the response is `{}`."""
        return cls("ok", {} if response is msgspec.UNSET else response)

    @classmethod
    def error(cls, response: Any = msgspec.UNSET) -> Reply:
        """Returns a reply with status error; left out, the response is `{}`."""
        return cls("error", {} if response is msgspec.UNSET else response)


class Stop(msgspec.Struct, frozen=True):
    """Ends the channel normally, after `reply` if there is one: the client gets phx_close."""

    reply: Reply | None = None


class SocketInfo(msgspec.Struct, frozen=True):
    """The connection that a channel belongs to.

    `id` is `user:X` when the client connected with `user_id=X`, else None; `params` are the connect
    params, `auth_token` the client's where the server takes one. Its text form shows neither.
    """

    id: str | None
    params: dict[str, Any]
    vsn: str
    transport: str = "websocket"
    auth_token: str | None = None

    def __repr__(self) -> str:
        return f"<SocketInfo id={self.id!r} vsn={self.vsn} transport={self.transport}>"


class ChannelHost(Protocol):
    """What a channel needs from the server around it."""

    @property
    def topic(self) -> str:
        """The topic that was joined."""
        ...

    @property
    def join_ref(self) -> Any:
        """The join_ref of the present join."""
        ...

    @property
    def socket(self) -> SocketInfo:
        """The connection."""
        ...

    @property
    def hub(self) -> Hub:
        """What all connections share."""
        ...

    def push(self, event: str, payload: Any) -> None:
        """Sends an event to this client."""
        ...

    def broadcast(self, event: str, payload: Any, *, others_only: bool) -> None:
        """Sends an event to the clients of the topic."""
        ...

    async def drain(self) -> None:
        """Waits until the client has taken what was sent."""
        ...


class ServerChannel:
    """One client in one topic, on the server's side: derive from it and override its coroutines.

    The server makes an object per join, calls without arguments, and runs its handlers one at a
    time on the server's event loop: they must not block the thread. An exception in `join` answers
    "join crashed", in any other handler it crashes the channel: the client gets phx_error.

    Example:
        >>> class Doubler(ServerChannel):
        ...     async def join(self, params):
        ...         if params.get("password") != "swordfish":
        ...             raise JoinRefused({"reason": "unauthorized"})
        ...     async def handle_in(self, event, payload):
        ...         return Reply.ok({"twice": payload["n"] * 2})
    """

    _host: ChannelHost

    def attach(self, host: ChannelHost) -> None:
        """Connects the channel to its server; called once, before `join`."""
        self._host = host

    # -- to override

    async def join(self, params: Any) -> Any:
        """Lets the client in and returns the response (None is `{}`), or raises `JoinRefused`.

        The whole connection waits for it, heartbeats included, as on a real server.
        """
        del params

    async def after_join(self) -> None:
        """Runs once the join has been answered; may push."""

    async def handle_in(self, event: str, payload: Any) -> Reply | Stop | None:
        """Answers a push from the client; None sends no reply."""
        del payload
        raise LookupError(f"{type(self).__name__} has no handler for the event {event!r}")

    async def terminate(self) -> None:
        """Runs when the channel ends for any reason but a kill or a second join."""

    # -- to call

    @property
    def topic(self) -> str:
        """The topic that was joined."""
        return self._host.topic

    @property
    def join_ref(self) -> Any:
        """The join_ref of the present join, or the join's ref when the client sent none."""
        return self._host.join_ref

    @property
    def socket(self) -> SocketInfo:
        """The connection that the channel belongs to."""
        return self._host.socket

    @property
    def hub(self) -> Hub:
        """What all connections share: presence, ledger, broadcasting to any topic."""
        return self._host.hub

    def push(self, event: str, payload: Any) -> None:
        """Sends an event to this client only."""
        self._host.push(event, payload)

    def broadcast(self, event: str, payload: Any) -> None:
        """Sends an event to every client of the topic, this one included."""
        self._host.broadcast(event, payload, others_only=False)

    def broadcast_from(self, event: str, payload: Any) -> None:
        """Sends an event to every other client of the topic."""
        self._host.broadcast(event, payload, others_only=True)

    async def drain(self) -> None:
        """Waits until the client has taken most of what was sent; for channels that push much."""
        await self._host.drain()

    # Presences are keyed by the channel process, as in Phoenix.

    def track(self, key: str, meta: dict[str, Any]) -> None:
        """Makes `key` present in the topic until the channel ends."""
        self.hub.presence.track(self._host, self.topic, key, meta)

    def update_presence(self, key: str, meta: dict[str, Any]) -> None:
        """Replaces the meta of `key`."""
        self.hub.presence.update(self._host, self.topic, key, meta)

    def untrack(self, key: str) -> None:
        """Makes `key` absent, as far as this channel tracked it."""
        self.hub.presence.untrack(self._host, self.topic, key)
