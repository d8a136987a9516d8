"""A client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Self

from msgspec import UNSET

import phoenix_actors.client as threaded
from phoenix_actors.aio.channel import Channel
from phoenix_actors.aio.starting import Starting
from phoenix_actors.aio.waiting import within
from phoenix_actors.channel import Seconds, checked_timeout
from phoenix_actors.errors import (
    AlreadyJoined,
    ConnectTimeout,
    JoinTimeout,
    NotJoined,
    PhoenixError,
)
from phoenix_actors.link.hooks import Subscription
from phoenix_actors.link.message_hooks import MessageHook
from phoenix_actors.link.presence import Presence
from phoenix_actors.link.scheduling import without_waiting
from phoenix_actors.message import ConnectionStatus, Message
from supervisors import CallTimeout, NoProcError, whereis
from supervisors._runtime.timers import timers

__all__ = ["SocketClient"]


class SocketClient:
    """A client for asyncio; `.sync` is the `phoenix_actors.SocketClient` that it stands for.

    Example:
        >>> async def main():
        ...     url = "ws://127.0.0.1:1/socket"
        ...     async with SocketClient.start_link(url=url, auto_connect=False) as client:
        ...         return client.status, client.connected
        >>> asyncio.run(main())
        (<ConnectionStatus.DISCONNECTED: 'disconnected'>, False)
    """

    __slots__ = ("sync",)

    def __init__(self, client: Any) -> None:
        """Use a client that runs already.

        Args:
            client: a `phoenix_actors.SocketClient`, or its name.

        Raises:
            NoProcError: nobody has that name.
        """
        found = whereis(client)
        if not isinstance(found, threaded.SocketClient):
            raise NoProcError(client)
        self.sync = found

    def __repr__(self) -> str:
        """Tell name and status."""
        return f"<aio.{repr(self.sync)[1:-1]}>"

    @classmethod
    def start_link(cls, **options: Any) -> Starting[Self]:
        """Start a client: `await` it, or use it with `async with`, which stops the client too.

        It connects in the background when `auto_connect` is True, the default, and runs under the
        process's root, whatever actor the event loop may run in.

        Args:
            **options: see `SocketOptions`; `url` is required.

        Raises:
            InvalidOption, InvalidURL: an option is unknown, wrong, or not available.
            AlreadyStartedError: the name is held.
        """
        return Starting(cls, options)

    async def __aenter__(self) -> Self:
        """Stop the client when the block is left."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the client."""
        await self.stop()

    # ---- the connection -----------------------------------------------------------------------

    @property
    def status(self) -> ConnectionStatus:
        """Disconnected (also while it waits to reconnect), connecting, connected or closing."""
        return self.sync.status

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""
        return self.sync.connected

    async def connect(self) -> None:
        """Connect, in the background; harmless when connected, immediate during a back-off."""
        # Waits until the Socket actor has begun, so that wait_connected() sees no former failure.
        await asyncio.to_thread(self.sync.connect)

    async def disconnect(self) -> None:
        """Close the connection and stay disconnected; wanted topics are kept for connect()."""
        await asyncio.to_thread(self.sync.disconnect)

    async def wait_connected(self, timeout: float | timedelta | None = 5.0) -> None:
        """Wait until a connection is open, through retries.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            ConnectError, ConnectionLost: the client has given up.
            TimeoutError: not connected in time; its cause is the last attempt's error.
            NoProcError: the client was stopped.
        """
        session = self.sync.session
        seconds = checked_timeout(timeout, None)
        ready = session.when(
            lambda: session.status is ConnectionStatus.CONNECTED or session.gave_up is not None
        )
        try:
            await within(ready, seconds)
        except CallTimeout:
            url = session.options.shown_url()
            raise ConnectTimeout(seconds or 0.0, url=url) from session.last_error
        finally:
            session.unwatch(ready)
        if session.status is not ConnectionStatus.CONNECTED and session.gave_up is not None:
            raise session.gave_up

    async def ping(self, timeout: float | timedelta | None = 5.0) -> float:
        """Return the seconds a round trip to the server takes.

        Raises:
            NotConnected: no connection is open.
            PushTimeout: no answer in time.
        """
        seconds = checked_timeout(timeout, None)
        began = timers.clock.now()
        answer = without_waiting(self.sync.session.live_wire().ping, seconds)
        await answer
        return timers.clock.now() - began

    async def stop(self) -> bool:
        """Stop the client and wait until nothing of it is left; False when it was dead.

        Cancelled, it is stopped all the same.
        """
        stopped: bool = await asyncio.to_thread(self.sync.stop)
        return stopped

    # ---- topics -------------------------------------------------------------------------------

    async def join(
        self,
        topic: str,
        params: Mapping[str, Any] | Callable[[], Any] | None = None,
        *,
        channel: Any = None,
        timeout: Seconds = UNSET,
        subscriber: Any = None,
        on: Mapping[str, Callable[[Any], object]] | None = None,
    ) -> Channel:
        """Join a topic, wait for the server's answer, and return the channel.

        Takes and raises what `phoenix_actors.SocketClient.join` does. Cancelled, the topic is left.
        """
        seconds = checked_timeout(timeout, self.sync.session.options.join_timeout)
        joiner = self.sync._joiner()
        try:
            record = without_waiting(
                joiner.begin, topic, params, channel, seconds, on or {}, subscriber
            )
        except AlreadyJoined as already:
            raise AlreadyJoined(Channel(already.channel), topic) from None
        try:
            await within(record.joined_once, joiner.patience(seconds))
        except (CallTimeout, JoinTimeout):
            late = joiner.late(topic, seconds)
            raise late from late.__cause__
        except asyncio.CancelledError:
            patience = record.session.options.push_timeout
            without_waiting(record.leave, patience)
            raise
        return Channel(record.facade)

    def channel(self, topic: str) -> Channel | None:
        """Return the live channel of a topic, a joining one too, or None."""
        channel = self.sync.channel(topic)
        return None if channel is None else Channel(channel)

    async def push(self, message: Message) -> Message:
        """Send a message on a joined topic and do not wait for a reply; return the message.

        Raises:
            NotJoined: the topic is not joined.
            EncodeError, QueueFull, ChannelClosed: as `Channel.push`.
        """
        channel = self.channel(message.topic)
        if channel is None:
            raise NotJoined(message.topic, message.event)
        await channel.send(message.event, message.payload)
        return message

    def presence(self, topic: str) -> Presence:
        """Return who is present; its functions run on the channel's actor, not on the loop.

        Raises:
            NotJoined: the topic is not joined.
        """
        return self.sync.presence(topic)

    # ---- state --------------------------------------------------------------------------------

    def get_state(self, key: str | None = None) -> Any:
        """Return everything known as a dict, or one value; see the client of `.sync`."""
        return self.sync.get_state(key)

    def put_state(self, key: str, value: Any) -> None:
        """Keep a value of the application's with the client."""
        self.sync.put_state(key, value)

    def joined_channels(self) -> dict[str, dict[str, Any]]:
        """Return topic → {"status", "params"} of all wanted topics."""
        return self.sync.joined_channels()

    # ---- hooks --------------------------------------------------------------------------------
    #
    # None runs on the loop: to get there, a hook calls loop.call_soon_threadsafe().

    def on_open(self, fn: Callable[[], object]) -> Subscription:
        """Call `fn()` whenever a connection is open, on the thread of the hooks."""
        return self.sync.on_open(fn)

    def on_close(self, fn: Callable[[int | None, str, bool], object]) -> Subscription:
        """Call `fn(code, reason, clean)` whenever one was lost or closed, on that thread too."""
        return self.sync.on_close(fn)

    def on_error(self, fn: Callable[[PhoenixError], object]) -> Subscription:
        """Call `fn(error)` whenever an attempt to connect failed, on that thread too."""
        return self.sync.on_error(fn)

    def on_message(self, fn: Callable[[Message], object]) -> Subscription:
        """Call `fn(message)` for every inbound frame, on the reader thread: it must not wait."""
        return self.sync.on_message(fn)

    def register_message_hook(self, hook: MessageHook) -> Subscription:
        """Let messages pass through a hook on the reader thread; see the client of `.sync`.

        Raises:
            InvalidOption: the hook is neither a function nor an object with `handle_message`.
        """
        return self.sync.register_message_hook(hook)
