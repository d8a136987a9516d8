"""Pushes that go straight to the wire, and their answers: the usual case, in few steps.

A push on a joined channel while nothing else is on its way out needs no queue: whoever pushes has
the way out, enters the push, sends, and gives the way back. An answer "ok" is settled by whoever
reads it. Everything else takes the long way, by `Topic.push` and `Reader`, and comes to the same.

Laws:

- Order: the way out is taken while the topic's lock is held, and only where nothing waits; what
  others queue meanwhile stands behind it, and is written by this thread, or left to the writer.
- A push is entered before it is sent, for its answer may come at once; it counts from then on.
- What was not sent as a whole counts as waiting again, as if it had been taken from the queue.
- An exception of a signal's handler while something is being sent ends the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phoenix_actors.errors import ConnectionLost
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.lane import LONG
from phoenix_actors.link.overflow import octets
from phoenix_actors.link.scheduling import without_waiting
from phoenix_actors.machines.channel_rules import Phase
from phoenix_actors.message import PHOENIX_TOPIC, PHX_REPLY, PushReply
from phoenix_actors.transport.own_lock import is_mine
from supervisors import telemetry
from supervisors._runtime.timers import timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from phoenix_actors.link.core import ChannelCore
    from phoenix_actors.link.lane import Lane
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.machines.push import PendingPush, PendingPushes
    from phoenix_actors.message import Frame

__all__ = ["Answered", "Straight"]

_JOINED = Phase.JOINED

Answered = tuple["PendingPush | None", "PushReply | None", "float | None"]
"""The push that a frame answers, its reply if that is "ok" and counted, and its seconds."""


class Straight:
    """The short ways of one wire. Safe from any thread."""

    __slots__ = (
        "_counters",
        "_lock",
        "_onlookers",
        "_outbox",
        "_pushes",
        "_session",
        "_times",
        "_wire",
    )

    def __init__(self, wire: Wire, pushes: PendingPushes) -> None:
        """Serve this wire, whose pending pushes are guarded by the lock of the counters."""
        session = wire.session
        self._wire = wire
        self._session = session
        self._counters = session.counters
        self._lock = session.counters.lock
        self._times = session.response_times
        self._onlookers = session.onlookers
        self._outbox = wire.outbox
        self._pushes = pushes

    # ---- out ----------------------------------------------------------------------------------

    def push(
        self, topic: Topic, event: str, payload: Any, timeout: float | None
    ) -> PushFuture | None:
        """Push and return the future; None, with nothing done, where it has to go the long way."""
        core, lane = topic.core, self._outbox.lane
        onlookers = self._onlookers
        if (
            core is None
            or core.wire is not self._wire
            or lane is None
            or lane.sending
            or lane.send_now is None
            # As is_mine; a signal's handler, in the middle of what has the way out.
            or lane.writing._is_owned()
            or (onlookers.none_beside is not telemetry._table and not onlookers.none())
        ):
            return None
        text = self._session.codec.plain(topic.name, event, payload)
        if text is None or len(text) > LONG:
            return None
        reply = PushFuture(self._counters, topic.name, event, self._wire)
        try:
            return reply if self._send(topic, core, lane, reply, text, timeout) else None
        finally:
            try:  # noqa: SIM105  see own_lock
                lane.writing.release()
            except RuntimeError:
                pass  # another thread writes
            if lane.queue or lane.unfinished is not None:
                # Of others, who have found the way taken; or what could not be sent at once.
                self._outbox.flush()

    def _send(
        self,
        topic: Topic,
        core: ChannelCore,
        lane: Lane,
        reply: PushFuture,
        text: str,
        timeout: float | None,
    ) -> bool:
        """Take the way out, which `push` gives back, and send a push; False: none was entered."""
        writing, counters, pushes = lane.writing, self._counters, self._pushes
        frame, entered = "", False
        now = timers.clock.now()
        deadline = None if timeout is None else now + timeout
        try:
            with topic.lock:
                machine, join = core._machine, core.sent_ref
                if (
                    (type(machine) is not int and machine.phase is not _JOINED)  # type: ignore[union-attr]
                    or join is None
                    or not writing.acquire(blocking=False)
                    or lane.queue
                    or lane.sending
                    or lane.closed
                ):
                    return False
                topic.idle_since = None
                with self._lock:
                    try:
                        push = pushes.enter(topic.name, join, reply.event, reply, deadline, timeout)
                        frame = f'["{join}","{push.ref}",{text}'
                        if deadline is not None and deadline < self._wire.push_timer_at:
                            self._wire.arm(deadline)
                        counters.straight_bytes += len(frame)
                        # One step: a signal's handler raises behind a call, and there is none.
                        counters.straight_pushes += 1
                        lane.sending = 1
                        entered = True
                    except BaseException:
                        pushes.withdraw(topic.name, reply)
                        raise
            gone: bool | None = lane.send_now((frame,))
            if gone:
                lane.sending = 0
                self._wire.last_active = now
                if self._outbox.waiters:
                    self._outbox.wake()
            else:
                self._not_sent(lane, frame, push, gone)
        except BaseException as error:
            # It may be sent, behind the user's Ctrl-C. If another thread has closed the lane, it is
            # emptied, and its loss ends the push.
            if not (is_mine(writing) and (lane.sending or (entered and lane.closed))):
                raise
            self._outbox.give_up(lane, error)
            if not isinstance(error, Exception):
                raise
            self._uncount(frame)
        return True

    def _not_sent(self, lane: Lane, frame: str, push: PendingPush, gone: bool | None) -> None:
        """Leave a frame to the writer: nothing of it was taken, or a part (False)."""
        self._uncount(frame)
        size = octets(frame)
        with lane.lock:
            # Unless the lane was closed, and emptied, meanwhile.
            if lane.sending:
                lane.octets += size
                lane.unfinished = [(frame, push, size)], [] if gone is False else [frame]

    def _uncount(self, frame: str) -> None:
        """A frame was counted as sent, and is not."""
        counters = self._counters
        counters.add_sent(-1, -len(frame), -1)

    # ---- in -----------------------------------------------------------------------------------

    def take(self, data: bytes) -> Frame | None:
        """Settle the push that a text answers; return its frame where that takes more.

        Raises:
            DecodeError: it is no frame.
        """
        frame = self._session.codec.decode_text(data)
        payload, topic = frame.payload, frame.topic
        onlookers = self._onlookers
        if (
            frame.event != PHX_REPLY
            # One to a join is for the channel, as the reader's `_dispatch` says.
            or frame.ref == frame.join_ref
            or type(payload) is not dict
            or payload.get("status") != "ok"
            or topic == PHOENIX_TOPIC
            or (onlookers.none_beside is not telemetry._table and not onlookers.none())
        ):
            return frame
        reply = PushReply("ok", payload.get("response", {}))
        now = timers.clock.now()
        counters = self._counters
        push, counted = None, False
        try:
            with self._lock:
                push = self._pushes.resolve(topic, frame.ref, frame.join_ref)
                if push is None:
                    # Looked for once more by who is asked next.
                    self._pushes.unmatched -= 1
                    return frame
                timeout = push.timeout
                if timeout is not None and push.deadline is not None:
                    self._times.note(now - push.deadline + timeout)
                counters.answer_bytes += len(data)
                # One step, as in `_send`.
                counters.answers += 1
                counted = True
            self._wire.last_active = now
            token = push.token
            if type(token) is PushFuture:
                token.settle_counted(reply)
            else:
                self.settle(push, reply)
        except BaseException:
            if push is not None:
                self.lose([(push, reply if counted else None, None)])
            raise
        return None

    def settle_by(self, frame: Frame, give: Callable[[Frame, PendingPush], object]) -> bool:
        """Take out the push that a frame answers and `give` it that; False where there is none."""
        push = None
        try:
            with self._lock:
                push = self._pushes.resolve(frame.topic, frame.ref, frame.join_ref)
            if push is not None:
                give(frame, push)
        except BaseException:
            self.lose([(push, None, None)])
            raise
        return push is not None

    def answers(self, frames: list[Frame], size: int, decoded: int) -> list[Answered]:
        """Take out the pushes that several frames answer, and count them; settle none of them.

        None of the frames is of the phoenix topic; `decoded` of them no codec has counted.
        """
        self._wire.last_active = now = timers.clock.now()
        answered: list[Answered] = []
        note, resolve = self._times.note, self._pushes.resolve
        replied, push, counted = 0, None, False
        try:
            with self._lock:
                for frame in frames:
                    push = resolve(frame.topic, frame.ref, frame.join_ref)
                    reply = took = None
                    if push is not None:
                        if push.deadline is not None and push.timeout is not None:
                            took = now - (push.deadline - push.timeout)
                            note(took)
                        payload = frame.payload
                        if type(payload) is dict and payload.get("status") == "ok":
                            reply = PushReply("ok", payload.get("response", {}))
                            replied += 1
                    answered.append((push, reply, took))
                push = None
                self._counters.note_answers(len(frames), size, replied, decoded)
                counted = True
        except BaseException:
            if not counted:
                answered = [(taken, None, None) for taken, _, _ in [*answered, (push, None, None)]]
            self.lose(answered)
            raise
        return answered

    def lose(self, answered: list[Answered]) -> None:
        """Fail those that are not settled: a signal's handler raised where they were to be.

        They are taken out, so nobody else would; and the connection is about to end. One with its
        reply was counted as replied.
        """
        for push, reply, _ in answered:
            if push is not None:
                if reply is not None and not push.token.done():
                    self._counters.add("push_replied", -1)
                error = ConnectionLost(None, "interrupted while its answer was read")
                # One that has its answer tells so whom the interrupted one has not told.
                without_waiting(push.token.fail, error)

    def settle(self, push: PendingPush, reply: PushReply) -> None:
        """Settle one of them, whose reply is "ok"."""
        token = push.token
        if type(token) is PushFuture:
            token.settle_counted(reply)
        else:
            # No push of the user's, so it is not counted.
            self._counters.add("push_replied", -1)
            without_waiting(token.settle, reply)
