"""One life of the Socket actor as everybody else sees it: refs, pending pushes, channels, way out.

A new Socket actor makes a new wire; the old one is closed at the end of the old actor, however
that ended, before its successor can open anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from phoenix_actors.errors import ConnectionLost, NotConnected, PushTimeout, QueueFull
from phoenix_actors.link.attempt import Attempt, AttemptNews
from phoenix_actors.link.connection_news import ConnectionNews
from phoenix_actors.link.deeds import Deeds, do_all
from phoenix_actors.link.fallback import probe
from phoenix_actors.link.opened import tell_opened
from phoenix_actors.link.outbox import Outbox
from phoenix_actors.link.overflow import drop_oldest
from phoenix_actors.link.routes import RouteCounts
from phoenix_actors.link.schedules import Policies
from phoenix_actors.link.scheduling import may_wait, no_waiting_here, without_waiting
from phoenix_actors.link.straight import Straight
from phoenix_actors.machines.channel_events import ConnectionGivenUp, SocketLost
from phoenix_actors.machines.push import PendingPush, PendingPushes, push_failure
from phoenix_actors.message import HEARTBEAT, PHOENIX_TOPIC
from phoenix_actors.options import Overflow
from phoenix_actors.telemetry import (
    FAULT,
    MESSAGE_SENT,
    SOCKET_CONNECTED,
    SOCKET_DISCONNECTED,
    emit,
)
from supervisors import Reply
from supervisors._locks import new_lock
from supervisors._runtime.timers import Timer, timers
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from phoenix_actors.errors import PhoenixError
    from phoenix_actors.link.core import ChannelCore
    from phoenix_actors.link.session import Session
    from phoenix_actors.message import LossReason
    from phoenix_actors.transport.interface import TransportHandle

__all__ = ["Wire"]


class Wire:
    """The shared side of one Socket actor. Safe from any thread.

    `_pushes_lock`, which is that of the counters, guards the pending pushes and the refs,
    `_cores_lock` the table of channels, the attempts, and which generation is open. Neither is held
    while anything of the user's runs, or a frame is written.
    """

    def __init__(
        self,
        session: Session,
        on_heartbeat: Callable[[str | None], None],
        on_reading: Callable[[int, bool], None] = lambda *_: None,
    ) -> None:
        """Begin with no connection; the functions take a heartbeat's ref, and pauses of reading."""
        self.session = session
        self.on_heartbeat = on_heartbeat
        self.on_reading = on_reading
        self.policies = Policies(session, self.next_ref)  # of all channels
        name = f"phoenix-writer-{session.options.name or 'client'}"
        self.outbox = Outbox(name, self._sent, self._broken)
        self._pushes = PendingPushes()
        self._pushes_lock = session.counters.lock
        self._push_timer: Timer | None = None
        self.push_timer_at = math.inf
        self.straight = Straight(self, self._pushes)
        self._counts = session.route_counts
        self._cores: dict[str, ChannelCore] = {}
        self._cores_lock = new_lock()
        self._attempts: dict[int, Attempt] = {}
        self._generation: int | None = None
        # The open connection, where it lets a caller read that waits for an answer.
        self._lender: Any = None
        self._closed = False
        # When a frame last came or went, on the clock of the timers.
        self.last_active = timers.clock.now()
        self.news = ConnectionNews(session.options.shown_url(), session.transport, session.counters)

    # ---- the connection -----------------------------------------------------------------------

    @property
    def generation(self) -> int | None:
        """The generation that is open, or None."""
        return self._generation

    def attempt(self, generation: int) -> Attempt | None:
        """Return an attempt, or the connection that came of it, that has not ended."""
        return self._attempts.get(generation)

    def begin(self, generation: int, *tell: Callable[[AttemptNews], object]) -> None:
        """Begin an attempt, unless this wire is closed; `tell` are the two ways to tell there."""
        attempt = Attempt(self, generation, self.session.attempts(), *tell)
        with self._cores_lock:
            if self._closed:
                return
            self._attempts[generation] = attempt
        self.session.note_attempt(attempt)
        self.news.attempted(generation, timers.clock.now())
        attempt.start()

    def finished(self, generation: int) -> None:
        """Forget an attempt, or a connection, of which nothing more will be heard."""
        with self._cores_lock:
            self._attempts.pop(generation, None)

    def opened(self, generation: int) -> None:
        """Write to this connection, and let every channel join, in creation order (C61)."""
        attempt = self._attempts.get(generation)
        if attempt is None:
            return
        self.outbox.open(attempt.handle)
        self._lender = attempt.handle if hasattr(type(attempt.handle), "read_until") else None
        with self._cores_lock:
            self._generation = generation
            cores = list(self._cores.values())
        self.news.opened(generation, timers.clock.now())
        emit(SOCKET_CONNECTED, generation=generation)
        # First of all, for a slow join would hold up the answer.
        probe(self, attempt)
        tell_opened(cores, self.outbox, generation)

    def lost(
        self, generation: int, reason: LossReason, *, clean: bool, requested: bool = False
    ) -> None:
        """Drop what waits to be written and tell every channel; in-flight pushes fail (C80)."""
        do_all(self._lost, generation, reason, clean, requested)

    def _lost(
        self, after: Deeds, generation: int, reason: LossReason, clean: bool, requested: bool
    ) -> None:
        with self._cores_lock:
            if self._generation != generation:
                return
            self._generation = None
            attempt = self._attempts.get(generation)
            cores = list(self._cores.values())
        self.lend_no_more()
        writer = self.outbox.close()
        if attempt is not None:
            attempt.keep(writer)
        code = reason.code if isinstance(reason, ConnectionLost) else None
        name = type(reason).__name__
        told = {"code": code, "reason": name, "clean": clean, "requested": requested}
        after.append(partial(emit, SOCKET_DISCONNECTED, **told))
        self.news.lost(name, timers.clock.now())
        for ping in self.take_join(PHOENIX_TOPIC, None):
            after.append(partial(without_waiting, ping.token.fail, push_failure(ping, reason)))
        after += [partial(core.feed, SocketLost(generation, reason)) for core in cores]

    def given_up(self, error: PhoenixError) -> None:
        """Tell every channel that no connection will come (C116)."""
        for core in self.cores():
            core.feed(ConnectionGivenUp(error))

    def shut(self, reason: LossReason) -> bool:
        """The Socket actor is gone: drop what is open and fail what is in flight.

        Return whether a connection was open.
        """
        with self._cores_lock:
            self._closed = True
            attempts, generation = list(self._attempts.values()), self._generation
        for attempt in attempts:
            attempt.abort()
        self.news.failed("Aborted", timers.clock.now())
        if generation is not None:
            self.lost(generation, reason, clean=False)
        with self._cores_lock:
            # What becomes of this table now is no eviction any more: all of it is gone.
            self._counts.evictions += len(self._cores)
            self._counts = RouteCounts()
        with self._pushes_lock:
            timer, self._push_timer = self._push_timer, None
        if timer is not None:
            timer.cancel()
        return generation is not None

    # ---- channels -----------------------------------------------------------------------------

    def attach(self, core: ChannelCore) -> tuple[int | None, ChannelCore | None]:
        """Give the channel the frames of its topic.

        Return the open generation, if one is, and who had these frames, which gets no more.
        """
        with self._cores_lock:
            former = self._cores.get(core.topic.name)
            self._cores[core.topic.name] = core
            self._counts.insertions += 1
            self._counts.evictions += former is not None
            return self._generation, former

    def detach(self, core: ChannelCore) -> None:
        """Give the channel no frames any more."""
        with self._cores_lock:
            if self._cores.get(core.topic.name) is core:
                del self._cores[core.topic.name]
                self._counts.evictions += 1

    def core(self, topic: str, frames: int = 1) -> ChannelCore | None:
        """Return the channel of a topic: one dictionary look-up, which counts for so many frames.

        Only for the reader, as is `found`.
        """
        core = self._cores.get(topic)
        if core is None:
            self._counts.misses += frames
        else:
            self._counts.hits += frames
        return core

    def found(self, frames: int) -> None:
        """Count frames whose channel was found by one look-up for all of them."""
        self._counts.hits += frames

    def cores(self) -> list[ChannelCore]:
        """Return all channels in creation order."""
        with self._cores_lock:
            return list(self._cores.values())

    # ---- refs and pending pushes ---------------------------------------------------------------

    def next_ref(self) -> str:
        """Return the next ref of this socket (C41)."""
        with self._pushes_lock:
            return self._pushes.next_ref()

    def pending(self) -> int:
        """Return how many pushes wait for their reply."""
        with self._pushes_lock:
            return len(self._pushes)

    def expect(self, push: PendingPush) -> None:
        """Note a push that is about to be sent, and see to its deadline."""
        with self._pushes_lock:
            self._pushes.add(push)
            self.arm(push.deadline)

    def enter(
        self, topic: str, join_ref: str, event: str, token: Any, timeout: float | None, now: float
    ) -> PendingPush:
        """Draw a ref and note the push that is about to be sent under it, in one step."""
        deadline = None if timeout is None else now + timeout
        with self._pushes_lock:
            push = self._pushes.enter(topic, join_ref, event, token, deadline, timeout)
            if deadline is not None and deadline < self.push_timer_at:
                self.arm(deadline)
        return push

    def discard(self, push: PendingPush) -> None:
        """Take out a push that is not to be sent."""
        with self._pushes_lock:
            self._pushes.discard(push.topic, push.ref)

    def take_join(self, topic: str, join_ref: str | None) -> list[PendingPush]:
        """Take out and return the pushes of one join of a topic; pings have no join_ref."""
        with self._pushes_lock:
            return self._pushes.take_join(topic, join_ref)

    def arm(self, deadline: float | None) -> None:
        """Have the earliest deadline looked at in time; requires holding the pushes' lock."""
        if deadline is None or self._closed or deadline >= self.push_timer_at:
            return
        if self._push_timer is not None:
            self._push_timer.cancel()
        # What a signal's handler raises in between has the next push arm it.
        self.push_timer_at = math.inf
        self._push_timer = timers.after(max(0.0, deadline - timers.clock.now()), self._expire)
        self.push_timer_at = deadline

    def _expire(self) -> None:
        with self._pushes_lock:
            expired = self._pushes.expire(timers.clock.now())
            self.push_timer_at = math.inf
            self.arm(self._pushes.next_deadline())
        with no_waiting_here():
            for push in expired:
                push.token.fail(PushTimeout(push.topic, push.event, push.timeout, push.ref))

    def tick(self) -> bool:
        """Tell whether a push that was made since the last tick was answered."""
        with self._pushes_lock:
            return self._pushes.tick()

    def ping(self, timeout: float | None, *, may_write: bool = True) -> Reply:
        """Send a heartbeat of the caller's own; return a future of its answer.

        Raises:
            NotConnected: no connection is open.
        """
        generation = self._generation
        if generation is None:
            raise NotConnected
        ref, reply = self.next_ref(), Reply()
        deadline = None if timeout is None else timers.clock.now() + timeout
        self.expect(PendingPush(PHOENIX_TOPIC, ref, None, HEARTBEAT, reply, deadline, timeout))
        codec = self.session.codec
        prepared = codec.prepare(PHOENIX_TOPIC, HEARTBEAT, {})
        self.send(codec.complete(prepared, None, ref), may_write=may_write)
        if self._generation != generation:
            # Lost meanwhile, perhaps before anybody could know of this ping.
            for ping in self.take_join(PHOENIX_TOPIC, None):
                ping.token.fail(ConnectionLost(None, "the connection was lost"))
        return reply

    def read_for(self, reply: Reply, timeout: float | None) -> float | None:
        """Read in this thread, which waits for a reply, if the transport lends that.

        Return the seconds that are left. Where a hook sees messages, the reader thread runs it.
        """
        handle, onlookers = self._lender, self.session.onlookers
        if handle is None or (onlookers.none_beside is None and onlookers.hooked):
            return timeout
        cell = reply._cell
        if timeout is None:
            handle.read_until(cell.__len__, None)  # as done(), for a reply without sources
            return None
        deadline = timers.clock.now() + timeout
        handle.read_until(cell.__len__, timeout)
        return timeout if cell else max(0.0, deadline - timers.clock.now())

    def lend_no_more(self) -> None:
        """Have nobody who waits for an answer read it."""
        self._lender = None

    def stop_reading(self) -> None:
        """A reply is settled: whoever reads until then is to look."""
        handle = self._lender
        if handle is not None:
            handle.stop_reading()

    # ---- the way out --------------------------------------------------------------------------

    def send(self, frame: str | bytes, *, may_write: bool) -> None:
        """Queue a frame and see to it that it is written; wait only where that is allowed."""
        self.outbox.put(frame)
        self.written(may_write=may_write)

    def written(self, *, may_write: bool) -> None:
        """See to it that what is queued is written; where it may not, only what goes at once."""
        outbox = self.outbox
        if outbox and may_write:
            (outbox.flush if may_wait() else outbox.ring)()
        elif outbox:
            outbox.flush_now()

    def has_room(self) -> bool:
        """Tell whether one more frame may wait to be written."""
        options = self.session.options
        return self.outbox.below(options.max_pending_messages, options.max_pending_bytes)

    def make_room(self, topic: str, event: str, timeout: float | None) -> None:
        """Make room for one more frame where the bound is met, as `overflow` says.

        Raises:
            QueueFull: there is none within the timeout; or this push is to be dropped (`.dropped`).
        """
        options = self.session.options
        limit, size = options.max_pending_messages, options.max_pending_bytes
        if options.overflow in (Overflow.ERROR, Overflow.BLOCK):
            if not self.outbox.wait_below(limit, timeout, size):
                raise QueueFull(limit, topic, event)
            return
        if self.outbox.wait_unless_stuck(limit, timeout, size):
            return
        while options.overflow is Overflow.DROP_OLDEST and not self.has_room():
            if not do_all(drop_oldest, self):
                # Nothing but joins, leaves and heartbeats waits: those are never dropped.
                break
        if not self.has_room():
            raise QueueFull(limit, topic, event, dropped=True)

    def _sent(self, sizes: Sequence[int], pushes: int) -> None:
        self.last_active = timers.clock.now()
        self.session.counters.add_sent(len(sizes), sum(sizes), pushes)
        for size in sizes if wanted(MESSAGE_SENT) else ():
            emit(MESSAGE_SENT, {"payload_bytes": size})

    def received(self, count: int, size: int, decoded: int = 0) -> None:
        """Count frames that came together, their bytes, and of them what no codec has counted."""
        self.last_active = timers.clock.now()
        self.session.counters.add_frames(count, size, decoded)

    def _broken(self, handle: TransportHandle, error: BaseException) -> None:
        """A send failed: the connection is of no use; its reader tells everybody else."""
        self.session.counters.add("send_errors")
        emit(FAULT, component="transport", event="send", error=type(error).__name__)
        attempt = self._attempts.get(self._generation or 0)
        owner = attempt if attempt is not None and attempt.handle is handle else handle
        owner.abort()
