"""A joined topic for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec import UNSET

import phoenix_actors.channel as threaded
from phoenix_actors.aio.messages import MessageStream
from phoenix_actors.aio.waiting import within
from phoenix_actors.channel import Seconds, checked_timeout
from phoenix_actors.errors import QueueFull, WouldDeadlock
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.hooks import Subscription
from phoenix_actors.link.scheduling import without_waiting
from phoenix_actors.message import ChannelState, PushReply

__all__ = ["Channel"]


class Channel:
    """A joined topic; `.sync` is the `phoenix_actors.Channel` that it stands for."""

    __slots__ = ("sync",)

    def __init__(self, channel: threaded.Channel) -> None:
        """Made by `SocketClient.join`, or from a channel that was joined elsewhere."""
        self.sync = channel

    def __repr__(self) -> str:
        """Tell topic and state."""
        return f"<aio.Channel {self.topic!r} {self.state}>"

    @property
    def topic(self) -> str:
        """The topic."""
        return self.sync.topic

    @property
    def state(self) -> ChannelState:
        """closed, joining, joined, leaving or errored (which rejoins)."""
        return self.sync.state

    @property
    def response(self) -> Any:
        """The server's answer to the last join."""
        return self.sync.response

    @property
    def join_count(self) -> int:
        """How many times the server has said ok."""
        return self.sync.join_count

    async def push(self, event: str, payload: Any = None, *, timeout: Seconds = UNSET) -> PushReply:
        """Send an event and return the server's reply; an error reply is a value.

        Takes what `phoenix_actors.Channel.send` takes.

        Raises:
            PushTimeout, ConnectionLost, ChannelClosed: there will be no reply.
            EncodeError, QueueFull: nothing was sent.
        """
        reply: PushReply = await (await self.send(event, payload, timeout=timeout))
        return reply

    async def send(
        self, event: str, payload: Any = None, *, timeout: Seconds = UNSET
    ) -> PushFuture:
        """Send an event and return a future of the reply, to be awaited or ignored.

        Where too many frames wait to be written, it waits for room, up to the push's timeout.
        """
        try:
            return without_waiting(self.sync.send, event, payload, timeout=timeout)
        except (QueueFull, WouldDeadlock):
            return await asyncio.to_thread(self.sync.send, event, payload, timeout=timeout)

    def on(self, event: str, fn: Callable[[Any], object]) -> Subscription:
        """Call `fn(payload)` on the channel's actor, not on the loop; see `messages` for the loop.

        `.off()` of the result removes it.
        """
        return self.sync.on(event, fn)

    def off(self, event: str, subscription: Subscription | None = None) -> None:
        """Remove every handler of this event, or the one that `on` gave this subscription for."""
        self.sync.off(event, subscription)

    def messages(self, timeout: float | timedelta | None = None) -> MessageStream:
        """Iterate over the channel's messages from now on, with `async for`.

        Args:
            timeout: seconds to wait for each; the iteration ends when none comes. None waits.
        """
        return MessageStream(self.sync.messages(timeout))

    async def ask(self, message: Any, *, timeout: float | None = None) -> Any:
        """Ask the channel actor and return its answer.

        Raises:
            CallTimeout: not within `timeout` seconds.
            NoProcError: there is no actor at this moment, or it ended before it answered.
            BaseException: what its handler raised.
        """
        return await within(self.sync.ask(message, block=False), timeout)

    def tell(self, message: Any) -> None:
        """Send the channel actor a message."""
        self.sync.tell(message)

    async def leave(self, timeout: Seconds = UNSET) -> None:
        """Leave the topic and wait for the server, or for the timeout; then it is closed here.

        Leaving a channel that is closed is harmless; cancelled, it is left all the same.
        """
        topic = self.sync._topic
        seconds = checked_timeout(timeout, topic.session.options.push_timeout)
        await without_waiting(topic.leave, seconds)
