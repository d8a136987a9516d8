"""One wanted topic: what must outlive the actors that serve it.

A channel actor may be restarted, the whole lower half of the tree too; the topic keeps what the
user asked for — params, class, handlers, streams, subscribers — and the way to the present life.

Laws:

- At most one core is current; `begin_life` ends the one before.
- A push is given to the current core, or kept for the next; the order of one thread's is kept.
- `leaving` is set once and never taken back: who finds it set makes a new record. Then no actor
  attaches any more.
- `close` answers everybody who still waits for anything of the topic.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from phoenix_actors.errors import (
    ChannelClosed,
    ConnectionLost,
    JoinCancelled,
    PhoenixError,
    QueueFull,
)
from phoenix_actors.link.core import ChannelCore
from phoenix_actors.link.deeds import Deeds, do_all
from phoenix_actors.link.early import EarlyPush, EarlyPushes
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.inbound import reading_on
from phoenix_actors.link.overflow import drop, drop_push, report_full
from phoenix_actors.link.presence import Presence
from phoenix_actors.link.push_span import push_span
from phoenix_actors.link.scheduling import may_wait, without_waiting
from phoenix_actors.link.topic_record import _CLOSED, _LEAVING, TopicRecord
from phoenix_actors.machines.channel_events import (
    ChannelEvent,
    ConnectionGivenUp,
    JoinRequested,
    LeaveRequested,
    PushRequested,
    SocketOpened,
)
from phoenix_actors.machines.presence import JoinBegun
from phoenix_actors.message import PHX_LEAVE
from phoenix_actors.options import Overflow
from supervisors import ActorRef, ExitReason, Killed, Reply
from supervisors._runtime.timers import timers
from supervisors.clock import Deadline

if TYPE_CHECKING:
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.message import Frame

__all__ = ["Topic"]


class Topic(TopicRecord):
    """A wanted topic of one client. Safe from any thread.

    Args:
        session: the client's table.
        name: the topic.
        params: the join's params, or a function that gives them for each join.
        spec: how to start the channel actor; what it says of the id does not count.
        timeout: seconds for each join.
    """

    __slots__ = ()

    def take_joiner(self) -> Context | None:
        """Return the context that the next join's events belong to: only the first has one."""
        uses = self._uses
        joiner = uses.joiner
        if joiner is not None:
            uses.joiner = None
        return joiner

    # ---- the lives of its actor ----------------------------------------------------------------

    def begin_life(self, actor: ActorRef, after: Deeds) -> bool:
        """A channel actor is up: join for it. False when it is not wanted, or not any more.

        This waits for nobody and runs nothing of a user's. What may do so is added to `after`;
        first of all, that the join is written.

        Between two lives of the Socket actor there is no wire to join on. Then nothing is done: the
        manager of this actor is about to be replaced, and the actor with it.
        """
        wire, process = self.session.wire, actor.process
        if process is None or process.parent is not self.manager:
            return False
        if wire is None:
            return not self.leaving
        core = ChannelCore(self, wire, actor)
        self.not_joined()
        with self.lock:
            # Forgotten before it is left, where its last subscriber ended and a successor joins.
            if self.leaving or self.session.topic(self.name) is not self:
                return False
            deeds: Deeds = []
            if self.core is not None:
                self.note_last_join(self.core)
                deeds = self.core.orphan(Killed())
            generation, former = wire.attach(core)
            if former is not None:
                # Of a record of the same name, so with the same lock.
                deeds += former.give_way()
            # Before anybody can push to it, it must want to join and have the earlier pushes.
            if generation is None or self._uses.early is not None:
                deeds += core.take_in(self._first_news(generation), lambda: self._publish(core))
            else:
                self._publish(core)
                deeds += core.begin_join(generation)
        after.append(partial(wire.written, may_write=True))
        if self.room.awaited:
            after.append(self.room.ring)
        after += deeds
        if process.ended:
            # Before it was attached, or meanwhile; then it has told so, perhaps too early.
            after.append(partial(self.actor_ended, actor, process.reason or Killed()))
        return True

    def _publish(self, core: ChannelCore) -> None:
        self.core, self.inbound = core, core.inbound

    def _first_news(self, generation: int | None) -> Iterator[ChannelEvent]:
        """Yield what a new core is told; requires holding the lock."""
        if generation is not None:
            yield SocketOpened(generation)
        yield JoinRequested(self.timeout, None if self.joined_once.done() else self.joined_once)
        for push in self._take_early():
            yield PushRequested(push.event, push.prepared, push.reply, push.left())
        gave_up = self.session.gave_up
        if gave_up is not None and generation is None:
            yield ConnectionGivenUp(gave_up)

    def actor_ended(self, actor: ActorRef, reason: ExitReason) -> None:
        """An actor is gone; the pushes of its life fail now and not by their time-outs."""
        do_all(self._actor_ended, actor, reason, may_wait=False)

    def _actor_ended(self, after: Deeds, actor: ActorRef, reason: ExitReason) -> None:
        core = self.core
        if core is None or core.actor is not actor or core.orphaned_by is not None:
            return
        with self.lock:
            if self.core is core:
                self.core = None
                self.note_last_join(core)
                for push in core.wire.take_join(self.name, core.sent_ref):
                    closed = ChannelClosed(self.name, push.event, reason, push.ref)
                    after.append(partial(push.token.fail, closed))
            after += core.orphan(reason)
        if self.leaving:
            self._close(after, None)

    def core_ended(self, core: ChannelCore) -> None:
        """The channel closed for good: it was left, refused, or closed by the server."""
        do_all(self._core_ended, core)

    def _core_ended(self, after: Deeds, core: ChannelCore) -> None:
        with self.lock:
            if self.core is not core:
                return
            self.core = None
        self._close(after, None)

    # ---- the end ------------------------------------------------------------------------------

    def leave(self, timeout: float | None) -> Reply:
        """Want the topic no more; return a future that settles when the server has said so too."""
        left = Reply()
        do_all(self._leave, timeout, left)
        return left

    def _leave(self, after: Deeds, timeout: float | None, left: Reply) -> None:
        self.session.forget(self)
        with self.lock:
            self._end = max(self._end, _LEAVING)
            core = self.core
        if core is not None:
            # Nothing is delivered any more, and the answer may stand behind much.
            core.close_inbound()
            after.append(partial(core.wire.written, may_write=may_wait()))
            after += core.take_in((LeaveRequested(timeout, left),))
        if core is None or core.orphaned_by is not None:
            self._abandon(after, None)
            after.append(partial(left.settle, None))

    def abandon(self, error: PhoenixError | None = None) -> None:
        """Want the topic no more where no actor serves it, and have the server close its side."""
        do_all(self._abandon, error)

    def _abandon(self, after: Deeds, error: PhoenixError | None) -> None:
        with self.lock:
            if self.core is not None:
                self.note_last_join(self.core)
            if (last := self._uses.last_join) is not None:
                self._uses.last_join = None
        if last is not None and not self.closed:
            wire, generation, join_ref = last
            if generation is not None and wire.generation == generation:
                codec = self.session.codec
                prepared = codec.prepare(self.name, PHX_LEAVE, {})
                wire.outbox.put(codec.complete(prepared, join_ref, wire.next_ref()))
                after.append(partial(wire.written, may_write=False))
        self._close(after, error)

    def close(self, error: PhoenixError | None = None) -> None:
        """Be wanted no more: answer who still waits and end the streams. Harmless when repeated."""
        do_all(self._close, error)

    def _close(self, after: Deeds, error: PhoenixError | None) -> None:
        self.session.forget(self)
        with self.lock:
            self._end = _CLOSED
            self._facade = None
            early = self._take_early()
        if not self.joined_once.done():
            after.append(partial(self.joined_once.fail, error or JoinCancelled(self.name)))
        after.append(self.room.ring)
        for push in early:
            closed = ChannelClosed(self.name, push.event)
            after.append(partial(without_waiting, push.reply.fail, closed))
        if (listeners := self._uses.listeners) is not None:
            after.append(listeners.close)

    # ---- pushing ------------------------------------------------------------------------------

    def push(self, event: str, payload: Any, timeout: float | None) -> PushFuture:
        """Push to the present life; between two lives, keep it for the next.

        Raises:
            EncodeError: the payload cannot be sent.
            QueueFull: as many frames or pushes wait as the options allow.
            ChannelClosed: the topic is not wanted any more.
        """
        wire = self.session.wire
        if wire is not None:
            sent = wire.straight.push(self, event, payload, timeout)
            if sent is not None:
                return sent
        # It has no counters before it is counted as offered, in `prepare`.
        reply = PushFuture(None, self.name, event)
        try:
            try:
                self._push(wire, reply, payload, timeout)
            except PhoenixError as error:
                reply.refuse(error)
                raise
        except BaseException:
            # Nobody gets the future, but the books need an end, also where a signal's handler has
            # raised; of one that was refused they have it, unless that was interrupted.
            without_waiting(reply.fail, ConnectionLost(None, "interrupted while it was pushed"))
            raise
        return reply

    def _push(
        self, wire: Wire | None, reply: PushFuture, payload: Any, timeout: float | None
    ) -> None:
        """Push the long way, for this future."""
        session, event = self.session, reply.event
        prepared = session.codec.prepare(self.name, event, payload, reply)
        if session.traffic is not None:
            session.traffic.pushed(self.name)
        reply.span = push_span(self.name, event)
        core = self.core
        try:
            # As good as always there is room; everything else is looked at in `_offer`.
            if not (
                core is not None
                and core.orphaned_by is None
                and wire is not None
                and session.options.overflow is not Overflow.BLOCK
                and wire.has_room()
                and core.push(event, prepared, reply, timeout)
            ):
                self._offer(event, prepared, reply, timeout)
        except QueueFull as error:
            report_full(session, error, 0 if wire is None else len(wire.outbox))
            if not error.dropped:
                raise
            drop_push(session, reply, error)

    def _offer(self, event: str, prepared: Any, reply: Reply, timeout: float | None) -> None:
        """Push where there is room; with `overflow="block"`, wait for that."""
        blocking = self.session.options.overflow is Overflow.BLOCK
        wire, core = self.session.wire, self.core
        if core is not None and core.orphaned_by is None and wire is not None and wire.has_room():
            try:
                if core.push(event, prepared, reply, timeout):
                    return
            except QueueFull:
                if not blocking:
                    raise
        deadline = Deadline(timeout, timers.clock)
        waiter: Reply | None = None
        try:
            while True:
                try:
                    self._offer_once(event, prepared, reply, timeout, deadline)
                    return
                except QueueFull:
                    if not blocking or not may_wait():
                        raise
                    if waiter is not None and not waiter.done():
                        if not self.room.wait(waiter, deadline.remaining()):
                            raise
                    else:
                        # Looked at once more, for there may have been room before this waiter was.
                        waiter = self.own_room().waiter()
                    timeout = deadline.remaining()
        finally:
            if waiter is not None:
                self.room.forget(waiter)

    def _offer_once(
        self, event: str, prepared: Any, reply: Reply, timeout: float | None, deadline: Deadline
    ) -> None:
        wire = self.session.wire
        if wire is not None and not wire.has_room():
            # A peer that is itself about to write may read nothing before that was read here.
            with reading_on():
                wire.make_room(self.name, event, timeout)
            timeout = deadline.remaining()
        while True:
            core = self._core_or_keep(event, prepared, reply, timeout)
            # A life that ended just now did not take it; then the next one is to have it.
            if core is None or core.push(event, prepared, reply, timeout):
                return

    def _take_early(self) -> list[EarlyPush]:
        """Take out what was pushed between two lives; requires holding the lock."""
        if (early := self._uses.early) is None:
            return []
        self._uses.early = None
        return early.take()

    def _core_or_keep(
        self, event: str, prepared: Any, reply: Reply, timeout: float | None
    ) -> ChannelCore | None:
        """Return the present core, or keep the push for the next one and return None."""
        core = self.core
        if core is not None and core.orphaned_by is None:
            return core
        return do_all(self._keep, event, prepared, reply, timeout)

    def _keep(
        self, deeds: Deeds, event: str, prepared: Any, reply: Reply, timeout: float | None
    ) -> ChannelCore | None:
        with self.lock:
            if self.core is not None:
                return self.core
            if self.leaving:
                raise ChannelClosed(self.name, event)
            uses = self._own_uses()
            if uses.early is None:
                uses.early = EarlyPushes(self.name, self.session.options)
            for push in uses.early.add(event, prepared, reply, timeout):
                deeds.append(partial(drop, self.session, self.name, push.event, push.reply, 0))
        return None

    # ---- messages -----------------------------------------------------------------------------

    def deliver(self, frame: Frame) -> None:
        """Give a message to whoever listens; runs on the channel's actor."""
        # As presence_events, without its calls: that is done for every message.
        if frame.event in self.spec.start.presence_events:  # type: ignore[attr-defined]
            self.presence().take(frame)
        listeners = self._uses.listeners
        if listeners is not None:
            listeners.deliver(frame, self)

    def presence(self) -> Presence:
        """Return who is present, kept since the join; made when a frame tells of it, or here."""
        presence = self._uses.presence
        if presence is None:
            with self.lock:
                uses = self._own_uses()
                presence = uses.presence
                if presence is None:
                    presence = uses.presence = Presence(self.name, self.presence_events)
        return presence

    def not_joined(self) -> None:
        """The channel is not joined now: a new state of the presences is to come."""
        presence = self._uses.presence
        if presence is not None:
            presence.update(JoinBegun())
