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
from phoenix_actors.message import PHOENIX_TOPIC, PushReply
from phoenix_actors.telemetry import MESSAGE_RECEIVED, MESSAGE_SENT, PUSH_START, PUSH_STOP
from phoenix_actors.transport.own_lock import is_mine
from supervisors._runtime.timers import timers
from supervisors.telemetry import unheard

if TYPE_CHECKING:
    from phoenix_actors.link.core import ChannelCore
    from phoenix_actors.link.lane import Lane
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.machines.push import PendingPush, PendingPushes
    from phoenix_actors.message import Frame

__all__ = ["Answered", "Straight"]

_JOINED = Phase.JOINED
_pushed_unheard = unheard(MESSAGE_SENT, PUSH_START, PUSH_STOP)
_answered_unheard = unheard(MESSAGE_RECEIVED)

Answered = tuple["PendingPush | None", "PushReply | None", "float | None"]
"""The push that a frame answers, its reply if that is "ok" and counted, and its seconds."""


class Straight:
    """The short ways of one wire. Safe from any thread."""

    __slots__ = ("_counters", "_lock", "_outbox", "_pushes", "_session", "_times", "_wire")

    def __init__(self, wire: Wire, pushes: PendingPushes) -> None:
        """Serve this wire, whose pending pushes are guarded by the lock of the counters."""
        session = wire.session
        self._wire = wire
        self._session = session
        self._counters = session.counters
        self._lock = session.counters.lock
        self._times = session.response_times
        self._outbox = wire.outbox
        self._pushes = pushes

    # ---- out ----------------------------------------------------------------------------------

    def push(
        self, topic: Topic, event: str, payload: Any, timeout: float | None
    ) -> PushFuture | None:
        """Push and return the future; None, with nothing done, where it has to go the long way."""
        core, session, lane = topic.core, self._session, self._outbox.lane
        if (
            core is None
            or core.wire is not self._wire
            or lane is None
            or lane.queue
            or lane.sending
            or lane.send_now is None
            # As is_mine; a signal's handler, in the middle of what has the way out.
            or lane.writing._is_owned()
            or session.traffic is not None
            or not _pushed_unheard()
        ):
            return None
        text = session.codec.plain(topic.name, event, payload)
        if text is None or len(text) > LONG:
            return None
        reply = PushFuture(self._counters, topic.name, event, self._wire)
        return reply if self._send(topic, core, lane, reply, text, timeout) else None

    def _send(
        self,
        topic: Topic,
        core: ChannelCore,
        lane: Lane,
        reply: PushFuture,
        text: str,
        timeout: float | None,
    ) -> bool:
        """Enter a push and send it; False, with nothing done, where that cannot be."""
        writing, push = lane.writing, None
        now = timers.clock.now()
        deadline = None if timeout is None else now + timeout
        try:
            with topic.lock:
                machine = core._machine
                if type(machine) is int:
                    join_ref: str | None = core.sent_ref
                else:
                    join_ref = machine.join_ref if machine.phase is _JOINED else None  # type: ignore[union-attr]
                if (
                    join_ref is None
                    or not writing.acquire(blocking=False)
                    or lane.queue
                    or lane.unfinished is not None
                    or lane.closed
                ):
                    return False
                topic.idle_since = None
                counters = self._counters
                with self._lock:
                    push = self._pushes.enter(
                        topic.name, join_ref, reply.event, reply, deadline, timeout
                    )
                    frame = f'["{join_ref}","{push.ref}",{text}'
                    counters.straight_pushes += 1
                    counters.straight_bytes += len(frame)
                    if deadline is not None and deadline < self._wire.push_timer_at:
                        self._wire.arm(deadline)
                lane.sending = 1
            if self._written(lane, frame, push):
                lane.sending = 0
                self._wire.last_active = now
                if self._outbox.waiters:
                    self._outbox.wake()
        except BaseException as error:
            # The user's Ctrl-C, for one: the frame may be sent.
            if push is not None and lane.sending and is_mine(writing):
                self._outbox.give_up(lane, error)
            raise
        finally:
            try:  # noqa: SIM105  see own_lock
                writing.release()
            except RuntimeError:
                pass  # another thread writes
            if lane.queue or lane.unfinished is not None:
                # Of others, who have found the way taken; or what could not be sent at once.
                self._outbox.flush()
        return True

    def _written(self, lane: Lane, frame: str, push: PendingPush) -> bool:
        """Send a frame; False where somebody else has to, or nobody can."""
        try:
            gone: bool | None = lane.send_now((frame,))
        except Exception as error:  # noqa: BLE001  a foreign transport may raise anything
            self._uncount(frame)
            self._outbox.give_up(lane, error)
            return False
        if gone:
            return True
        self._uncount(frame)
        size = octets(frame)
        with lane.lock:
            # Unless the lane was closed, and emptied, meanwhile.
            if lane.sending:
                lane.octets += size
                lane.unfinished = [(frame, push, size)], [] if gone is False else [frame]
        return False

    def _uncount(self, frame: str) -> None:
        """A frame was counted as sent, and is not."""
        counters = self._counters
        counters.add_sent(-1, -len(frame), -1)

    # ---- in -----------------------------------------------------------------------------------

    def answer(self, frame: Frame, size: int) -> bool:
        """Settle the push that this answers; False, with nothing done, where that takes more."""
        session, payload, topic = self._session, frame.payload, frame.topic
        if (
            type(payload) is not dict
            or payload.get("status") != "ok"
            or topic == PHOENIX_TOPIC
            or session.traffic is not None
            or session.hooks.message.functions
            or session.message_hooks.hooks
            or not _answered_unheard()
        ):
            return False
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
                    return False
                timeout = push.timeout
                if timeout is not None and push.deadline is not None:
                    self._times.note(now - push.deadline + timeout)
                counters.answers += 1
                counters.answer_bytes += size
                counted = True
            self._wire.last_active = now
            token = push.token
            if type(token) is PushFuture and token.counters is counters:
                token.settle_counted(reply)
            else:
                self.settle(push, reply)
        except BaseException:
            if push is not None:
                self.lose([(push, reply if counted else None, None)])
            raise
        return True

    def answers(self, frames: list[Frame], size: int, decoded: int) -> list[Answered]:
        """Take out the pushes that several frames answer, and count them; settle none of them.

        None of the frames is of the phoenix topic; `decoded` of them no codec has counted.
        """
        self._wire.last_active = now = timers.clock.now()
        answered: list[Answered] = []
        note, resolve = self._times.note, self._pushes.resolve
        replied, push = 0, None
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
                self._counters.note_answers(len(frames), size, replied, decoded)
        except BaseException:
            # None of them is counted.
            self.lose([(taken, None, None) for taken in (*(entry[0] for entry in answered), push)])
            raise
        return answered

    def lose(self, answered: list[Answered]) -> None:
        """Fail those that are not settled: a signal's handler raised where they were to be.

        They are taken out, so nobody else would; and the connection is about to end. One with its
        reply was counted as replied.
        """
        for push, reply, _ in answered:
            if push is not None and not push.token.done():
                if reply is not None:
                    self._counters.add("push_replied", -1)
                error = ConnectionLost(None, "interrupted while its answer was read")
                without_waiting(push.token.fail, error)

    def settle(self, push: PendingPush, reply: PushReply) -> None:
        """Settle one of them, whose reply is "ok"."""
        token = push.token
        if type(token) is PushFuture and token.counters is self._counters:
            token.settle_counted(reply)
        else:
            # No push of the user's; or not one that is counted.
            self._counters.add("push_replied", -1)
            without_waiting(token.settle, reply)
