"""A joined channel as a task of its own, with a mailbox: what a channel process is in Phoenix."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from phoenix_actors.testing.channel import JoinRefused, Reply, ServerChannel, SocketInfo, Stop

if TYPE_CHECKING:
    from phoenix_actors.testing.hub import Hub
    from phoenix_actors.testing.wire import Serializer, WireFrame

__all__ = ["ChannelOwner", "ChannelProcess", "Ending"]

_logger = logging.getLogger("phoenix_actors.testing")

# What a channel's handler may fail with; `sys.exit()` in one must not end the server's loop.
_FAILURES = (Exception, SystemExit)

# Seconds that a channel which is leaving has until the next frame for its topic is looked at.
_SETTLE = 0.25
# Seconds that a channel which is replaced has to go, as in Phoenix.
_REPLACE = 5.0


class Ending(StrEnum):
    """How a channel ended."""

    REFUSED = "refused"
    CLOSED = "closed"
    CRASHED = "crashed"
    KILLED = "killed"
    REPLACED = "replaced"
    DISCONNECTED = "disconnected"


class ChannelOwner(Protocol):
    """The socket that a channel was joined on."""

    @property
    def serializer(self) -> Serializer:
        """The serialiser of the connection."""
        ...

    @property
    def info(self) -> SocketInfo:
        """The connection, as channels see it."""
        ...

    @property
    def hub(self) -> Hub:
        """What all connections share."""
        ...

    def send(self, data: str | bytes) -> None:
        """Sends what the serialiser wrote."""
        ...

    async def drain(self) -> None:
        """Waits until the client has taken what was sent."""
        ...

    def channel_ended(self, process: ChannelProcess) -> None:
        """Learns that the channel has ended; `process.ending` says how."""
        ...


class ChannelProcess:
    """Runs one `ServerChannel`: its join, then its messages one at a time, then its end.

    `wire_join_ref` is the join_ref of the phx_join, null included: the transport compares it and
    puts it on phx_close and phx_error. `join_ref` is what the channel's own frames carry: the ref
    of the join when there was no join_ref.
    """

    def __init__(
        self, owner: ChannelOwner, channel: ServerChannel, topic: str, join: WireFrame
    ) -> None:
        self.topic = topic
        self.wire_join_ref = join.join_ref
        self.join_ref = join.ref if join.join_ref is None else join.join_ref
        self.leaving = False
        self.ending: Ending | None = None
        self.joined: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._channel = channel
        self._mailbox: asyncio.Queue[WireFrame] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._cancelled_as = Ending.KILLED
        channel.attach(self)
        self._task = asyncio.create_task(self._run(join.payload), name=f"channel {topic}")
        self._task.add_done_callback(self._on_done)

    # -- for the channel

    @property
    def socket(self) -> SocketInfo:
        """The connection."""
        return self._owner.info

    @property
    def hub(self) -> Hub:
        """What all connections share."""
        return self._owner.hub

    @property
    def serializer(self) -> Serializer:
        """The serialiser of the connection."""
        return self._owner.serializer

    def deliver(self, data: str | bytes) -> None:
        """Passes a broadcast on."""
        self._owner.send(data)

    def push(self, event: str, payload: Any) -> None:
        """Sends an event to this client."""
        self._owner.send(self.serializer.push(self.join_ref, None, self.topic, event, payload))

    def broadcast(self, event: str, payload: Any, *, others_only: bool) -> None:
        """Sends an event to the clients of the topic."""
        exclude = self if others_only else None
        self.hub.pubsub.broadcast(self.topic, event, payload, exclude=exclude)

    async def drain(self) -> None:
        """Waits until the client has taken what was sent."""
        await self._owner.drain()

    # -- for the socket

    def hand_over(self, frame: WireFrame) -> None:
        """Puts a frame into the mailbox."""
        self._mailbox.put_nowait(frame)

    async def settled(self) -> None:
        """Waits a moment for a channel that is leaving, unless it is busy for longer."""
        try:
            async with asyncio.timeout(_SETTLE):
                await self._ended.wait()
        except TimeoutError:
            return

    def stop(self, ending: Ending) -> None:
        """Ends the channel at once, in the middle of a handler if need be."""
        self._cancelled_as = ending
        self._task.cancel()

    async def replace(self) -> None:
        """Ends the channel for another join of its topic and waits for that."""
        self.stop(Ending.REPLACED)
        await asyncio.wait({self._task}, timeout=_REPLACE)

    # -- the task

    async def _run(self, params: Any) -> None:
        try:
            ending = await self._live(params)
        except asyncio.CancelledError:
            ending = self._cancelled_as
        except _FAILURES as error:
            self._report("crashed", error)
            ending = Ending.CRASHED
        if ending is Ending.CRASHED:
            await self._terminate()
        self._finish(ending)
        if ending in {Ending.CLOSED, Ending.DISCONNECTED}:
            await self._terminate()

    async def _live(self, params: Any) -> Ending:
        try:
            response = await self._channel.join(params)
        except JoinRefused as refusal:
            self.joined.set_result(Reply.error(refusal.response))
            return Ending.REFUSED
        except _FAILURES as error:
            self._report("crashed in its join", error)
            self.joined.set_result(Reply.error({"reason": "join crashed"}))
            return Ending.REFUSED
        self.hub.pubsub.subscribe(self.topic, self)
        self.joined.set_result(Reply.ok({} if response is None else response))
        await self._channel.after_join()
        while await self._handle(await self._mailbox.get()):
            pass
        return Ending.CLOSED

    async def _handle(self, frame: WireFrame) -> bool:
        """Handles one frame and tells whether the channel goes on."""
        if frame.event == "phx_leave":
            self._reply(frame.ref, Reply.ok())
            return False
        result = await self._channel.handle_in(frame.event, frame.payload)
        match result:
            case None:
                return True
            case Reply():
                self._reply(frame.ref, result)
                return True
            case Stop(reply):
                if reply is not None:
                    self._reply(frame.ref, reply)
                return False
            case _:
                raise TypeError(
                    f"handle_in must return Reply, Stop or None, not {type(result).__name__}"
                )

    def _reply(self, ref: Any, reply: Reply) -> None:
        self._owner.send(
            self.serializer.reply(self.join_ref, ref, self.topic, reply.status, reply.response)
        )

    async def _terminate(self) -> None:
        try:
            await self._channel.terminate()
        except asyncio.CancelledError:
            return
        except _FAILURES as error:
            self._report("crashed in terminate", error)

    def _finish(self, ending: Ending) -> None:
        if self.ending is None:
            self.ending = ending
            if not self.joined.done():
                self.joined.set_result(Reply.error({"reason": "join crashed"}))
            self.hub.pubsub.unsubscribe(self.topic, self)
            self._owner.channel_ended(self)
            self.hub.presence.untrack(self, self.topic)
            self._ended.set()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        # A task that was cancelled before its first step never ran.
        del task
        self._finish(self._cancelled_as)

    def _report(self, what: str, error: BaseException) -> None:
        # The message may hold what the client sent, so it is for the debug level only.
        _logger.error("channel %s %s: %s", self.topic, what, type(error).__name__)
        _logger.debug("channel %s", self.topic, exc_info=error)
