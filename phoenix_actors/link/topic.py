"""One wanted topic: what must outlive the actors that serve it.

A channel actor may be restarted, the whole lower half of the tree too; the topic keeps what the
user asked for — params, class, handlers, streams, subscribers — and the way to the present life.

Laws:

- At most one core is current; `attach` ends the one before.
- A push is given to the current core, or kept for the next; the order of one thread's is kept.
- `leaving` is set once and never taken back: who finds it set makes a new record. Then no actor
  attaches any more.
- `close` answers everybody who still waits for anything of the topic.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from phoenix_actors.errors import ChannelClosed, JoinCancelled, PhoenixError, QueueFull
from phoenix_actors.link.core import ChannelCore
from phoenix_actors.link.early import EarlyPushes
from phoenix_actors.link.future import PUSH_REFUSED, PushFuture
from phoenix_actors.link.inbound import Inbound
from phoenix_actors.link.listeners import Listeners
from phoenix_actors.link.overflow import RoomBell, drop_push, report_full
from phoenix_actors.link.presence import Presence, checked_events
from phoenix_actors.link.scheduling import may_wait, no_waiting_here
from phoenix_actors.machines.channel_events import (
    ChannelEvent,
    ConnectionGivenUp,
    JoinRequested,
    LeaveRequested,
    PushRequested,
    SocketOpened,
)
from phoenix_actors.machines.presence import JoinBegun
from phoenix_actors.message import PHX_LEAVE, ChannelState
from phoenix_actors.options import Overflow
from phoenix_actors.telemetry import FRAME_DROPPED, emit
from supervisors import ActorRef, ChildSpec, Down, Killed, Reply
from supervisors._runtime.timers import timers
from supervisors.clock import Deadline

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.machines.push import PendingPush
    from phoenix_actors.message import Frame

__all__ = ["Topic"]


class Topic:
    """A wanted topic of one client. Safe from any thread.

    Args:
        session: the client's table.
        name: the topic.
        params: the join's params, or a function that gives them for each join.
        spec: how to start the channel actor; its id becomes this topic.
        timeout: seconds for each join.
    """

    def __init__(
        self,
        session: Session,
        name: str,
        params: Mapping[str, Any] | Callable[[], Any],
        spec: ChildSpec,
        timeout: float | None,
    ) -> None:
        """Begin wanted, with no actor yet."""
        self.session = session
        self.name = name
        self.params = params
        self.timeout = timeout
        # The answer to the first join, for whoever called join(); settled once.
        self.joined_once = Reply()
        self.response: Any = None
        self.join_count = 0
        # The last phx_join that was sent: wire, generation and join_ref.
        self.last_join: tuple[Wire, int | None, str] | None = None
        self.last_active = timers.clock.now()
        self.core: ChannelCore | None = None
        # What waits for the actor; each life has its own.
        self.inbound = Inbound(session.options)
        self.leaving = False
        self.closed = False
        # Which ChannelManager has started it, so that none starts it twice.
        self.manager: Any = None
        # What users hold; made anew when nobody holds one, so that it tells whether they do.
        self.make_facade: Callable[[Topic], Any] = lambda topic: topic
        self._facade: weakref.ref[Any] | None = None
        self._facade_lock = threading.Lock()
        # Served by an actor without code of the user's.
        self.plain = False
        self.listeners = Listeners(name, self._stream_dropped)
        self._lock = threading.Lock()
        self._early = EarlyPushes(name, session.options)
        start: Any = spec.start
        self._presence: Presence | None = None
        self.presence_events = checked_events(start.presence_events)
        # Rings when pushes that wait for the join may have gone.
        self.room = RoomBell()
        self.spec = spec.with_(id=self)

    def __repr__(self) -> str:
        """Tell name and state."""
        return f"<Topic {self.name!r} {self.state} joins={self.join_count}>"

    def __str__(self) -> str:
        """Be shown by name, as the id of a child."""
        return self.name

    @property
    def facade(self) -> Any:
        """What users hold of the topic; the same one as long as somebody holds it."""
        held = None if self._facade is None else self._facade()
        if held is None:
            with self._facade_lock:
                held = None if self._facade is None else self._facade()
                if held is None:
                    held = self.make_facade(self)
                    self._facade = weakref.ref(held)
        return held

    @property
    def stray(self) -> bool:
        """Whether no code of the user's can reach it, or be reached from it."""
        held = self._facade is not None and self._facade() is not None
        return self.plain and not held and not self.listeners

    @property
    def state(self) -> ChannelState:
        """The channel's state; closed while no actor serves it."""
        core = self.core
        return ChannelState.CLOSED if core is None else core.machine.state

    # ---- the lives of its actor ----------------------------------------------------------------

    def attach(self, actor: ActorRef) -> bool:
        """A channel actor is up: join for it. False when it is not wanted, or not any more.

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
        with self._lock:
            if self.leaving:
                return False
            deeds = [] if self.core is None else self.core.orphan(Killed())
            generation, former = wire.attach(core)
            if former is not None:
                deeds += former.give_way()
            # Before anybody can push to it, it must want to join and have the earlier pushes.
            deeds += core.take_in(self._first_news(generation), lambda: self._publish(core))
        core.wire.written(may_write=True)
        self.room.ring()
        for deed in deeds:
            deed()
        actor.monitor(lambda down: self._actor_ended(core, down))
        return True

    def _publish(self, core: ChannelCore) -> None:
        self.core, self.inbound = core, core.inbound

    def _first_news(self, generation: int | None) -> Iterator[ChannelEvent]:
        """Yield what a new core is told; requires holding the lock."""
        if generation is not None:
            yield SocketOpened(generation)
        yield JoinRequested(self.timeout, None if self.joined_once.done() else self.joined_once)
        gave_up = self.session.gave_up
        if gave_up is not None and generation is None:
            yield ConnectionGivenUp(gave_up)
        for push in self._early.take():
            yield PushRequested(push.event, push.prepared, push.reply, push.left())

    def _actor_ended(self, core: ChannelCore, down: Down) -> None:
        """The actor of this life is gone; its pushes fail now and not by their time-outs."""
        pushes: list[PendingPush] = []
        with self._lock:
            if self.core is core:
                self.core = None
                pushes = core.wire.take_topic(self.name)
            deeds = core.orphan(down.reason)
        with no_waiting_here():
            for push in pushes:
                push.token.fail(ChannelClosed(self.name, push.event, down.reason, push.ref))
            for deed in deeds:
                deed()
        if self.leaving:
            self.close()

    def core_ended(self, core: ChannelCore) -> None:
        """The channel closed for good: it was left, refused, or closed by the server."""
        with self._lock:
            if self.core is not core:
                return
            self.core = None
        self.close()

    # ---- the end ------------------------------------------------------------------------------

    def leave(self, timeout: float | None, *, may_write: bool = True) -> Reply:
        """Want the topic no more; return a future that settles when the server has said so too."""
        left = Reply()
        self.session.forget(self)
        with self._lock:
            self.leaving = True
            core = self.core
        if core is not None:
            # Nothing is delivered any more, and the answer may stand behind much.
            core.inbound.close()
            core.feed(LeaveRequested(timeout, left), may_write=may_write)
        if core is None or core.orphaned_by is not None:
            self.abandon()
            left.settle(None)
        return left

    def abandon(self, error: PhoenixError | None = None) -> None:
        """Want the topic no more where no actor serves it, and have the server close its side."""
        with self._lock:
            last, self.last_join = self.last_join, None
        if last is not None and not self.closed:
            wire, generation, join_ref = last
            if generation is not None and wire.generation == generation:
                codec = self.session.codec
                prepared = codec.prepare(self.name, PHX_LEAVE, {})
                wire.send(codec.complete(prepared, join_ref, wire.next_ref()), may_write=False)
        self.close(error)

    def close(self, error: PhoenixError | None = None) -> None:
        """Be wanted no more: answer who still waits and end the streams. Harmless when repeated."""
        self.session.forget(self)
        with self._lock:
            self.leaving = self.closed = True
            early = self._early.take()
        self.joined_once.fail(error or JoinCancelled(self.name))
        self.room.ring()
        with no_waiting_here():
            for push in early:
                push.reply.fail(ChannelClosed(self.name, push.event))
        self.listeners.close()

    # ---- pushing ------------------------------------------------------------------------------

    def push(self, event: str, payload: Any, timeout: float | None) -> PushFuture:
        """Push to the present life; between two lives, keep it for the next.

        Raises:
            EncodeError: the payload cannot be sent.
            QueueFull: as many frames or pushes wait as the options allow.
            ChannelClosed: the topic is not wanted any more.
        """
        session = self.session
        prepared = session.codec.prepare(self.name, event, payload)
        session.counters.add("pushes")
        reply = PushFuture(session.counters, self.name, event)
        try:
            self._offer(event, prepared, reply, timeout)
        except PhoenixError as error:
            if isinstance(error, QueueFull):
                wire = session.wire
                report_full(session, error, 0 if wire is None else len(wire.outbox))
                if error.dropped:
                    drop_push(session, reply, error)
                    return reply
            session.counters.add(PUSH_REFUSED)
            raise
        return reply

    def _offer(self, event: str, prepared: Any, reply: Reply, timeout: float | None) -> None:
        """Push where there is room; with `overflow="block"`, wait for that."""
        blocking = self.session.options.overflow is Overflow.BLOCK
        wire, core = self.session.wire, self.core
        if core is not None and core.orphaned_by is None and wire is not None and wire.has_room():
            # As good as always; everything else is looked at below.
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
                        waiter = self.room.waiter()
                    timeout = deadline.remaining()
        finally:
            if waiter is not None:
                self.room.forget(waiter)

    def _offer_once(
        self, event: str, prepared: Any, reply: Reply, timeout: float | None, deadline: Deadline
    ) -> None:
        wire = self.session.wire
        if wire is not None and not wire.has_room():
            wire.make_room(self.name, event, timeout)
            timeout = deadline.remaining()
        while True:
            core = self._core_or_keep(event, prepared, reply, timeout)
            # A life that ended just now did not take it; then the next one is to have it.
            if core is None or core.push(event, prepared, reply, timeout):
                return

    def _core_or_keep(
        self, event: str, prepared: Any, reply: Reply, timeout: float | None
    ) -> ChannelCore | None:
        """Return the present core, or keep the push for the next one and return None."""
        core = self.core
        if core is not None and core.orphaned_by is None:
            return core
        with self._lock:
            if self.core is not None:
                return self.core
            if self.leaving:
                raise ChannelClosed(self.name, event)
            dropped = self._early.add(event, prepared, reply, timeout)
        for push in dropped:
            limit = self.session.options.max_pending_messages
            error = QueueFull(limit, self.name, push.event, dropped=True)
            report_full(self.session, error, 0)
            drop_push(self.session, push.reply, error)
        return None

    # ---- messages -----------------------------------------------------------------------------

    def deliver(self, frame: Frame) -> None:
        """Give a message to whoever listens; runs on the channel's actor."""
        if frame.event in self.presence_events:
            self.presence().take(frame)
        self.listeners.deliver(frame, self)

    def _stream_dropped(self, event: str) -> None:
        """Count and tell that a stream, whose user takes nothing, dropped its oldest message."""
        self.session.counters.add("frames_dropped_stream")
        emit(FRAME_DROPPED, topic=self.name, event=event, cause="stream")

    def presence(self) -> Presence:
        """Return who is present, kept since the join; made when a frame tells of it, or here."""
        presence = self._presence
        if presence is None:
            with self._lock:
                presence = self._presence
                if presence is None:
                    presence = self._presence = Presence(self.name, self.presence_events)
        return presence

    def not_joined(self) -> None:
        """The channel is not joined now: a new state of the presences is to come."""
        if self._presence is not None:
            self._presence.update(JoinBegun())
