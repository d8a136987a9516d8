"""Messages of a channel as an asynchronous iterator."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Self

from phoenix_actors.aio.waiting import within
from phoenix_actors.link import stream
from phoenix_actors.message import Message
from supervisors import CallTimeout, Reply

__all__ = ["MessageStream"]

# Messages that wait already are taken without waiting; after so many, others get their turn.
_TURN: Final = 100


class MessageStream:
    """What `channel.messages()` returns: iterate over it with `async for`, in one task at a time.

    It keeps up to 10,000 messages that were not taken yet; beyond that the oldest are dropped, and
    `dropped` counts them. Cancelling the wait for a message, as `asyncio.wait_for(anext(messages),
    1)` does, loses none. It ends when no message comes within the timeout, and when the channel has
    ended or `close()` was called and everything is taken; dropped by its user, it closes itself.
    """

    def __init__(self, messages: stream.MessageStream) -> None:
        """Made by `Channel.messages`, on the event loop."""
        self._stream = messages
        self._loop = asyncio.get_running_loop()
        self._taken = 0

    @property
    def dropped(self) -> int:
        """How many messages were dropped because too many waited."""
        return self._stream.dropped

    def close(self) -> None:
        """Take no more messages; those that wait can still be taken. Harmless when repeated."""
        self._stream.close()

    def __del__(self) -> None:
        # Not here: the thread that collects garbage may hold the lock that closing takes.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stream.close)

    def __aiter__(self) -> Self:
        """Iterate over the messages from the moment the stream was made."""
        return self

    async def __anext__(self) -> Message:
        """Return the next message.

        Raises:
            StopAsyncIteration: none came in time, or there are no more.
        """
        self._taken += 1
        if self._taken % _TURN == 0:
            await asyncio.sleep(0)
        while True:
            message = self._stream.take()
            if message is None:
                raise StopAsyncIteration
            if not isinstance(message, Reply):
                return message
            try:
                await within(message, self._stream.timeout)
            except CallTimeout:
                raise StopAsyncIteration from None
