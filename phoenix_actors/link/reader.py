"""What a transport's reader thread does with each message.

A reply to a push is settled right here: no actor stands between the frame and the waiting caller.
Everything else goes to the channel of its topic. Calls that would wait are refused on this thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoenix_actors.errors import DecodeError
from phoenix_actors.link.message_hooks import DROP
from phoenix_actors.link.scheduling import no_waiting_here
from phoenix_actors.machines.channel_events import FrameArrived, TopicUnmatched
from phoenix_actors.machines.push import is_unmatched_topic
from phoenix_actors.message import PHOENIX_TOPIC, PHX_REPLY, Frame, Message, read_reply
from phoenix_actors.telemetry import FRAME_DROPPED, MESSAGE_RECEIVED, emit
from supervisors._runtime.timers import timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.link.inbound import Inbound
    from phoenix_actors.link.wire import Wire

__all__ = ["Reader"]


class Reader:
    """The events of one transport: those of `TransportEvents`, for one generation."""

    __slots__ = ("_generation", "_on_closed", "_on_connected", "_paused_by", "_released", "_wire")

    def __init__(
        self,
        wire: Wire,
        generation: int,
        on_connected: Callable[[], None],
        on_closed: Callable[[int | None, str, bool], None],
    ) -> None:
        """Serve this generation; the two functions hand the news to the socket's actor."""
        self._wire = wire
        self._generation = generation
        self._on_connected = on_connected
        self._on_closed = on_closed
        self._released = False
        self._paused_by: Inbound | None = None

    def release(self) -> None:
        """Pause no more, for the connection is about to end."""
        self._released = True
        inbound = self._paused_by
        if inbound is not None:
            inbound.wake()

    def connected(self) -> None:
        """The upgrade is through."""
        self._on_connected()

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """The connection is gone."""
        self._on_closed(code, reason, clean)

    def text(self, data: str | bytes) -> None:
        """Take a text message."""
        with no_waiting_here():
            try:
                frame = self._wire.session.codec.decode_text(data)
            except DecodeError as error:
                self._wire.report_bad_frame(error)
            else:
                self._dispatch(frame, len(data))

    def binary(self, data: bytes) -> None:
        """Take a binary message."""
        with no_waiting_here():
            try:
                frame = self._wire.session.codec.decode_binary(data)
            except DecodeError as error:
                self._wire.report_bad_frame(error)
            else:
                self._dispatch(frame, len(data))

    def _dispatch(self, frame: Frame, size: int) -> None:
        wire = self._wire
        counters = wire.session.counters
        counters.add("frames_received")
        counters.add("bytes_received", size)
        wire.last_active = timers.clock.now()
        emit(MESSAGE_RECEIVED, {"payload_bytes": size}, topic=frame.topic, event=frame.event)
        hooks = wire.session.hooks.message
        if hooks:
            hooks.run(Message(frame.topic, frame.event, frame.payload, frame.ref, frame.join_ref))
        if frame.topic == PHOENIX_TOPIC:
            # A ping of the user's, or the heartbeat, whose ref the Socket actor compares.
            if not self._settle(frame):
                wire.on_heartbeat(frame.ref)
            return
        if wire.session.message_hooks:
            passed = self._pass_hooks(frame)
            if passed is None:
                return
            frame = passed
        if frame.event == PHX_REPLY and frame.ref != frame.join_ref and self._settle(frame):
            return
        core = wire.core(frame.topic)
        if core is None:
            counters.add("unknown_topic")
            return
        counters.add("routed")
        core.touched()
        core.feed(FrameArrived(frame, self._generation, size), may_write=False)
        if core.inbound.must_pause and not self._released:
            self._pause(core.inbound)

    def _pause(self, inbound: Inbound) -> None:
        """Read nothing until the channel took enough of what it has (C82)."""
        wire = self._wire
        wire.session.counters.add("reading_paused")
        wire.on_reading(self._generation, True)
        self._paused_by = inbound
        inbound.wait(lambda: self._released)
        self._paused_by = None
        wire.on_reading(self._generation, False)

    def _pass_hooks(self, frame: Frame) -> Frame | None:
        """Return the frame as the message hooks pass it on, or None (C150).

        They get no answers to heartbeats: a hook that dropped those would end the connection.
        """
        session = self._wire.session
        record = session.topic(frame.topic)
        message = Message(
            frame.topic,
            frame.event,
            frame.payload,
            frame.ref,
            frame.join_ref,
            None if record is None else record.facade,
        )
        passed = session.message_hooks.run(message, session.client)
        if passed is DROP:
            session.counters.add("frames_dropped_hook")
            emit(FRAME_DROPPED, topic=frame.topic, event=frame.event, cause="hook")
            return None
        if passed is message:
            return frame
        return Frame(frame.join_ref, frame.ref, frame.topic, passed.event, passed.payload)

    def _settle(self, frame: Frame) -> bool:
        """Settle the push that a reply answers; tell whether there was one."""
        push = self._wire.take_answered(frame)
        if push is None:
            return False
        reply = read_reply(frame.payload)
        if is_unmatched_topic(reply):
            core = self._wire.core(frame.topic)
            if core is not None:
                core.feed(TopicUnmatched(push.join_ref), may_write=False)
        if push.deadline is not None and push.timeout is not None:
            # The timeout runs from the call, so that is when the push was made.
            took = timers.clock.now() - (push.deadline - push.timeout)
            self._wire.session.response_times.add(took)
        push.token.settle(reply)
        return True
