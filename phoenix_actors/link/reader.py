"""What a transport's reader thread does with each message.

A reply to a push is settled right here: no actor stands between the frame and the waiting caller.
Everything else goes to the channel of its topic. Calls that would wait are refused on this thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from phoenix_actors.errors import DecodeError
from phoenix_actors.link.message_hooks import DROP
from phoenix_actors.link.scheduling import no_waiting_here, without_waiting
from phoenix_actors.machines.channel_events import TopicUnmatched
from phoenix_actors.machines.push import is_unmatched_topic, reply_to
from phoenix_actors.message import (
    LIFECYCLE_EVENTS,
    PHOENIX_TOPIC,
    PHX_REPLY,
    Frame,
    Message,
    read_reply,
)
from phoenix_actors.telemetry import FAULT, FRAME_DROPPED, FRAME_UNREADABLE, MESSAGE_RECEIVED, emit
from supervisors._runtime.timers import timers
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.link.inbound import Inbound
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.machines.push import PendingPush

__all__ = ["Reader"]

# More messages at once are no answer to a lone caller, and for the reader thread, unless all of
# them look like answers: to pushes of a caller that has several in flight.
_FEW: Final = 16
_ANSWER: Final = b'"phx_reply"'

# Messages, and the size of each; and such by topic.
Run: TypeAlias = tuple[list[Frame], list[int]]
Runs: TypeAlias = dict[str, Run]


class Reader:
    """The events of one transport: those of `TransportEvents`, for one generation."""

    __slots__ = (
        "_generation",
        "_lent",
        "_on_closed",
        "_on_connected",
        "_overdue",
        "_paused_by",
        "_released",
        "_straight",
        "_wire",
    )

    def __init__(
        self,
        wire: Wire,
        generation: int,
        on_connected: Callable[[], None],
        on_closed: Callable[[int | None, str, bool], None],
    ) -> None:
        """Serve this generation; the two functions hand the news to the socket's actor."""
        self._wire = wire
        self._straight = wire.straight
        self._generation = generation
        self._on_connected = on_connected
        self._on_closed = on_closed
        self._released = False
        self._paused_by: Inbound | None = None
        # Whether a caller reads for a moment, and the channel for which that one had to end.
        self._lent = False
        self._overdue: Inbound | None = None

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
        without_waiting(self._take_in, self._wire.session.codec.decode_text, data)

    def binary(self, data: bytes) -> None:
        """Take a binary message."""
        without_waiting(self._take_in, self._wire.session.codec.decode_binary, data)

    def _take_alone(self, data: bytes, *, lent: bool = False) -> bool:
        """Take a text message; tell whether it was an answer, which is taken in the fewest steps.

        It is `lent` to a caller's thread, or read on the reader thread.
        """
        try:
            frame = self._straight.take(data)
        except DecodeError:
            # To be told where nothing waits.
            self.text(data)
            return False
        if frame is None:
            return True
        try:
            self._lent = lent
            without_waiting(self._take_decoded, frame, len(data))
        finally:
            self._lent = False
        return False

    def _take_decoded(self, frame: Frame, size: int) -> None:
        self._wire.received(1, size, decoded=1)
        self._dispatch(frame, size)

    def _take_in(self, decode: Callable[[Any], Frame], data: str | bytes) -> None:
        try:
            frame = decode(data)
        except DecodeError as error:
            self._report_bad(error)
        else:
            self._take_decoded(frame, len(data))

    def _report_bad(self, error: DecodeError) -> None:
        """Count and tell a frame that is none; the connection goes on (C18, C27, C37)."""
        self._wire.session.counters.add("decode_errors")
        emit(FRAME_UNREADABLE, problem=error.problem)
        emit(FAULT, component="message_processor", event="decode", error="DecodeError")

    def texts(self, messages: list[bytes]) -> None:
        """Take text messages that were read together: as `text` does with each, in their order.

        Those of one channel that stand between two frames of another kind go to it in one step.
        """
        if self._overdue is not None:
            inbound, self._overdue = self._overdue, None
            if inbound.must_pause and not self._released:
                self._pause(inbound)
        if len(messages) == 1:
            self._take_alone(messages[0])
            return
        with no_waiting_here():
            frames = self._wire.session.codec.decode_texts(messages)
            plain = self._is_plain()
            runs: Runs = {}
            answers: Run | None = None
            for frame, data in zip(frames, messages, strict=True):
                if plain and type(frame) is Frame:
                    if answers is None and frame.event not in LIFECYCLE_EVENTS:
                        run = runs.get(frame.topic)
                        if run is None:
                            run = runs[frame.topic] = ([], [])
                        run[0].append(frame)
                        run[1].append(len(data))
                        continue
                    if not runs and _may_answer(frame):
                        if answers is None:
                            answers = ([], [])
                        answers[0].append(frame)
                        answers[1].append(len(data))
                        continue
                if runs:
                    self._deliver(runs)
                    runs = {}
                if answers is not None:
                    self._answer(answers)
                    answers = None
                if isinstance(frame, DecodeError):
                    self._report_bad(frame)
                else:
                    self._wire.received(1, len(data))
                    self._dispatch(frame, len(data))
                # That may have run code of the user's.
                plain = self._is_plain()
            if answers is not None:
                self._answer(answers)
            if runs:
                self._deliver(runs)

    def _answer(self, answers: Run, decoded: int = 0) -> None:
        """Settle the pushes of answers that came one behind the other."""
        straight, traffic, (frames, sizes) = self._straight, self._wire.session.traffic, answers
        answered = straight.answers(frames, sum(sizes), decoded)
        try:
            for frame, size, (push, reply, took) in zip(frames, sizes, answered, strict=True):
                if push is None:
                    # Nobody waits for it any more.
                    self._pass_on(frame, size)
                elif reply is None:
                    self._give(frame, push, took)
                else:
                    if traffic is not None:
                        traffic.answered(frame.topic, took)
                    straight.settle(push, reply)
        except BaseException:
            straight.lose(answered)
            raise

    def lone_text(self, data: bytes) -> bool:
        """Do as `some_texts` with one; False where the reader thread has to go on."""
        return self._take_alone(data, lent=True) or self._overdue is None

    def some_texts(self, messages: list[bytes]) -> list[bytes] | None:
        """Take text messages in a caller's thread, which must not pause; return what is left.

        The reader thread has to go on with what is left, even if that is empty.
        """
        if len(messages) == 1:
            return None if self.lone_text(messages[0]) else []
        answers = all(_ANSWER in data for data in messages)
        if answers and self._take_answers(messages):
            return None
        if len(messages) > _FEW and not answers:
            return messages
        for number, data in enumerate(messages, 1):
            if not self._take_alone(data, lent=True) and self._overdue is not None:
                return messages[number:]
        return None

    def _take_answers(self, messages: list[bytes]) -> bool:
        """Take messages that look like answers to pushes; False, with nothing done, if one is none.

        An answer that nobody waits for any more is dropped, so a caller does not have to pause.
        """
        if not self._is_plain():
            return False
        frames = self._wire.session.codec.load_texts(messages)
        answers = [frame for frame in frames if type(frame) is Frame and _may_answer(frame)]
        if len(answers) < len(messages):
            return False
        without_waiting(self._answer, (answers, [*map(len, messages)]), len(answers))
        return True

    def _is_plain(self) -> bool:
        """Tell whether nobody wants to see each message before its channel does."""
        return not (self._wire.session.onlookers.hooked or wanted(MESSAGE_RECEIVED))

    def _deliver(self, runs: Runs) -> None:
        """Hand messages on to their channels; count them before anybody can see them."""
        wire, count = self._wire, self._wire.received
        for topic, (frames, sizes) in runs.items():
            begin, total = 0, sum(sizes)
            while begin < len(frames):
                # Looked up anew after a pause: another life of the channel may be there now.
                core = None if topic == PHOENIX_TOPIC else wire.core(topic, 0)
                count(len(frames) - begin, total)
                if core is None:
                    for frame, size in zip(frames[begin:], sizes[begin:], strict=True):
                        self._dispatch(frame, size)
                    break
                wire.found(len(frames) - begin)
                taken = core.deliver(
                    frames[begin:], sizes[begin:], self._generation, unbounded=self._released
                )
                begin += taken
                if wire.session.traffic is not None:
                    wire.session.traffic.received(topic, taken)
                if begin < len(frames):
                    # The rest is received when it is taken in.
                    total = sum(sizes[begin:])
                    count(begin - len(frames), -total)
                    wire.found(begin - len(frames))
                if core.inbound.must_pause and not self._released:
                    self._pause(core.inbound)

    def _dispatch(self, frame: Frame, size: int) -> None:
        wire = self._wire
        session = wire.session
        if wanted(MESSAGE_RECEIVED):
            emit(MESSAGE_RECEIVED, {"payload_bytes": size}, topic=frame.topic, event=frame.event)
        hooks = session.hooks.message
        if hooks:
            hooks.run(Message(frame.topic, frame.event, frame.payload, frame.ref, frame.join_ref))
        if frame.topic == PHOENIX_TOPIC:
            # A ping of the user's, or the heartbeat, whose ref the Socket actor compares.
            if not self._settle(frame):
                wire.on_heartbeat(frame.ref)
            return
        if session.message_hooks:
            passed = self._pass_hooks(frame)
            if passed is None:
                return
            frame = passed
        if frame.event == PHX_REPLY and frame.ref != frame.join_ref and self._settle(frame):
            return
        self._pass_on(frame, size)

    def _pass_on(self, frame: Frame, size: int) -> None:
        """Give a frame that answers no push to the channel of its topic."""
        wire = self._wire
        session = wire.session
        core = wire.core(frame.topic)
        if core is None:
            session.counters.add("unknown_topic")
            return
        if session.traffic is not None:
            session.traffic.received(frame.topic, 1)
        core.deliver_one(frame, size, self._generation)
        if core.inbound.must_pause and not self._released:
            self._pause(core.inbound)

    def _pause(self, inbound: Inbound) -> None:
        """Read nothing until the channel took enough of what it has (C82)."""
        if self._lent:
            self._overdue = inbound
            return
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
        return self._straight.settle_by(frame, self._take_time_and_give)

    def _take_time_and_give(self, frame: Frame, push: PendingPush) -> None:
        took = push.seconds_to(timers.clock.now())
        # Not for a ping, which tells its caller how long it took.
        if frame.topic != PHOENIX_TOPIC and took is not None:
            self._wire.session.response_times.add(took)
        self._give(frame, push, took)

    def _give(self, frame: Frame, push: PendingPush, took: float | None) -> None:
        """Settle a push by its answer, which came after so many seconds and is counted."""
        wire = self._wire
        reply = read_reply(frame.payload)
        if reply.status != "ok":
            if is_unmatched_topic(reply):
                core = wire.core(frame.topic)
                if core is not None:
                    core.feed(TopicUnmatched(push.join_ref))
            reply = reply_to(push, reply)
        traffic = wire.session.traffic
        if traffic is not None and frame.topic != PHOENIX_TOPIC:
            traffic.answered(frame.topic, took)
        push.token.settle(reply)


def _may_answer(frame: Frame) -> bool:
    """Tell whether a frame answers a push on a topic, unless nobody waits for that any more."""
    answers = frame.event == PHX_REPLY and frame.ref != frame.join_ref
    return answers and frame.topic != PHOENIX_TOPIC
