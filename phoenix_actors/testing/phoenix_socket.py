"""One client's socket: which frame goes to which channel, as `Phoenix.Socket` decides it.

Rules that tests of clients lean on:

- A join runs here, not in its channel: while it lasts nothing else of the connection is read or
  written.
- A push or leave whose join_ref is neither null nor that of the present join is dropped without an
  answer.
- A second join of a topic ends the first channel: the reply to the new join goes out first, then
  phx_close with the join_ref of the old one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from phoenix_actors.testing.channel import Reply
from phoenix_actors.testing.channel_process import ChannelProcess, Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phoenix_actors.testing.channel import ServerChannel, SocketInfo
    from phoenix_actors.testing.hub import Hub
    from phoenix_actors.testing.wire import Serializer, WireFrame

__all__ = ["PhoenixSocket", "SocketTransport", "check_pattern", "check_routes", "matches_topic"]


class SocketTransport(Protocol):
    """The connection below a socket."""

    def send(self, data: str | bytes) -> None:
        """Sends a message, or keeps it while the connection is held."""
        ...

    def send_first(self, data: str | bytes) -> None:
        """Sends a message before those that are kept."""
        ...

    def hold(self) -> None:
        """Keeps what is sent until `release()`."""
        ...

    def release(self) -> None:
        """Sends what was kept, once nobody holds any more."""
        ...

    def close(self, code: int) -> None:
        """Closes after what was sent before."""
        ...

    async def drain(self) -> None:
        """Waits until the client has taken what was sent."""
        ...


class PhoenixSocket:
    """The channels of one connection."""

    def __init__(
        self,
        transport: SocketTransport,
        info: SocketInfo,
        serializer: Serializer,
        hub: Hub,
        route: Callable[[str], Callable[[], ServerChannel] | None],
        max_channels: int,
    ) -> None:
        self.info = info
        self.serializer = serializer
        self.hub = hub
        self._transport = transport
        self._route = route
        self._max_channels = max_channels
        self._channels: dict[str, ChannelProcess] = {}
        if info.id is not None:
            hub.add_socket(info.id, self._disconnect)

    @property
    def channels(self) -> list[ChannelProcess]:
        """The joined channels, in the order of their joins."""
        return list(self._channels.values())

    def send(self, data: str | bytes) -> None:
        """Sends what the serialiser wrote."""
        self._transport.send(data)

    async def drain(self) -> None:
        """Waits until the client has taken what was sent."""
        await self._transport.drain()

    def close(self) -> None:
        """Ends every channel; the connection is gone."""
        if self.info.id is not None:
            self.hub.remove_socket(self.info.id, self._disconnect)
        for process in self.channels:
            process.stop(Ending.DISCONNECTED)

    async def handle(self, frame: WireFrame) -> None:
        """Handles one frame from the client."""
        if frame.topic == "phoenix" and frame.event == "heartbeat":
            self._reply(None, frame, Reply.ok())
            return
        process = self._find(frame.topic)
        if process is not None and process.leaving:
            await process.settled()
            process = self._find(frame.topic)
        if frame.event == "phx_join":
            await self._join(frame, process)
        elif process is not None:
            self._hand_over(frame, process)
        elif frame.event == "phx_leave":
            self._reply(frame.join_ref, frame, Reply.ok())
        else:
            self._reply(None, frame, Reply.error({"reason": "unmatched topic"}))

    def channel_ended(self, process: ChannelProcess) -> None:
        """Forgets a channel and tells the client how it ended."""
        if self._channels.get(process.topic) is not process:
            return
        del self._channels[process.topic]
        match process.ending:
            case Ending.CLOSED:
                self._tell_end(process, "phx_close", {})
            case Ending.CRASHED | Ending.KILLED:
                self._tell_end(process, "phx_error", {"reason": "channel_crash"})
            case _:
                pass

    def _hand_over(self, frame: WireFrame, process: ChannelProcess) -> None:
        present = process.wire_join_ref
        # An integer and a string, and true and 1, are different refs.
        same = type(frame.join_ref) is type(present) and frame.join_ref == present
        if frame.join_ref is None or same:
            process.leaving = process.leaving or frame.event == "phx_leave"
            process.hand_over(frame)

    async def _join(self, frame: WireFrame, old: ChannelProcess | None) -> None:
        self._transport.hold()
        try:
            if old is not None:
                await old.replace()
                self._tell_end(old, "phx_close", {})
            channel = self._route(frame.topic) if isinstance(frame.topic, str) else None
            if channel is None:
                join_ref, reply = None, Reply.error({"reason": "unmatched topic"})
            elif len(self._channels) >= self._max_channels:
                join_ref, reply = (
                    frame.join_ref,
                    Reply.error({"reason": "too many channels joined"}),
                )
            else:
                join_ref, reply = frame.join_ref, await self._start(frame, channel())
            self._transport.send_first(
                self.serializer.reply(
                    join_ref, frame.ref, frame.topic, reply.status, reply.response
                )
            )
        finally:
            self._transport.release()

    async def _start(self, frame: WireFrame, channel: ServerChannel) -> Reply:
        process = ChannelProcess(self, channel, frame.topic, frame)
        try:
            reply = await process.joined
        except BaseException:
            process.stop(Ending.DISCONNECTED)
            raise
        if reply.status == "ok":
            self._channels[frame.topic] = process
            if process.ending is not None:
                self.channel_ended(process)
        return reply

    def answer(self, frame: WireFrame, status: str, response: Any) -> None:
        """Replies to a push that its channel has left without an answer."""
        process = self._find(frame.topic)
        join_ref = frame.join_ref if process is None else process.join_ref
        self._reply(join_ref, frame, Reply(status, response))

    def _find(self, topic: Any) -> ChannelProcess | None:
        return self._channels.get(topic) if isinstance(topic, str) else None

    def _reply(self, join_ref: Any, frame: WireFrame, reply: Reply) -> None:
        self.send(
            self.serializer.reply(join_ref, frame.ref, frame.topic, reply.status, reply.response)
        )

    def _tell_end(self, process: ChannelProcess, event: str, payload: dict[str, Any]) -> None:
        ref = process.wire_join_ref
        self.send(self.serializer.push(ref, ref, process.topic, event, payload))

    def _disconnect(self) -> None:
        self._transport.close(1001)


def matches_topic(pattern: str, topic: str) -> bool:
    """Tells whether a topic is the pattern, or begins as one that ends in `*`.

    Example:
        >>> matches_topic("room:*", "room:lobby"), matches_topic("room:a", "room:lobby")
        (True, False)
    """
    return topic == pattern or (pattern.endswith("*") and topic.startswith(pattern[:-1]))


def check_routes(routes: Mapping[str, type[ServerChannel]]) -> None:
    """Checks topic patterns: plain topics, or a prefix and one `*` at its end.

    Raises:
        ValueError: when a pattern is of another form, or what it leads to is no channel class.

    Example:
        >>> check_routes({"room:*:x": object})
        Traceback (most recent call last):
        ValueError: channels: a pattern may have one * at its end, not 'room:*:x'
    """
    for pattern, channel in routes.items():
        check_pattern("channels", pattern)
        if not (isinstance(channel, type) and callable(getattr(channel, "handle_in", None))):
            raise ValueError(
                f"channels: {pattern!r} must lead to a subclass of ServerChannel, not {channel!r}"
            )


def check_pattern(what: str, pattern: object) -> None:
    """Checks one topic pattern.

    Raises:
        ValueError: when it is of another form.
    """
    if not isinstance(pattern, str) or "*" in pattern[:-1]:
        raise ValueError(f"{what}: a pattern may have one * at its end, not {pattern!r}")
