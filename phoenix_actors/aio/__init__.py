"""The client for asyncio: the same verbs with `await` and `async for`.

Example::

    async with aio.SocketClient.start_link(url="ws://localhost:4000/socket/websocket") as client:
        channel = await client.join("room:lobby", {"user": "alice"})
        reply = await channel.push("new_message", {"body": "hi"})
        async for message in channel.messages():
            ...

It is the client of `phoenix_actors`, whose processes run on threads of their own; `.sync` leads
there. Handlers, those of channel classes and those of `on`, run on actors and not on the event
loop. The loop never waits for a peer or for a thread.

Every call may be cancelled. A join or a start that is cancelled is undone; a push that is cancelled
may have been sent, and its reply goes nowhere; a message that was not returned is not lost.
"""

from __future__ import annotations

from phoenix_actors.aio.channel import Channel
from phoenix_actors.aio.client import SocketClient
from phoenix_actors.aio.messages import MessageStream

__all__ = ["Channel", "MessageStream", "SocketClient"]
