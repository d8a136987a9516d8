"""One wanted topic: what must outlive the actors that serve it.

A channel actor may be restarted, the whole lower half of the tree too; the topic keeps what the
user asked for — params, class, handlers, streams, subscribers — and the way to the present life.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from phoenix_actors.errors import ChannelClosed, JoinCancelled, PhoenixError, QueueFull
from phoenix_actors.link.core import ChannelCore
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.hooks import HookList, Subscription
from phoenix_actors.link.stream import MessageStream
from phoenix_actors.machines.channel_events import ClientStopping, JoinRequested, SocketOpened
from phoenix_actors.message import PHX_LEAVE, ChannelState, Frame, Message
from supervisors import ActorRef, ChildSpec, Down, Reply
from supervisors._runtime.timers import timers

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session

__all__ = ["EarlyPush", "Topic"]


class EarlyPush(msgspec.Struct, frozen=True):
    """A push made between two lives of the channel actor."""

    event: str
    prepared: Any
    reply: Reply
    timeout: float | None


class Topic:
    """A wanted topic of one client. Safe from any thread.

    Args:
        session: the client's table.
        name: the topic.
        params: the join's params, or a function that gives them for each join.
        spec: how to start the channel actor.
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
        self.spec = spec
        self.timeout = timeout
        # The answer to the first join, for whoever called join(); settled once.
        self.joined_once = Reply()
        self.response: Any = None
        self.join_count = 0
        self.last_join_ref: str | None = None
        self.last_active = timers.clock.now()
        # The life that pushes go to, and the present one, which is not asked to join yet at first.
        self.core: ChannelCore | None = None
        self._life: ChannelCore | None = None
        self.closed = False
        # Which ChannelManager has started it, so that none starts it twice.
        self.manager: Any = None
        self.facade: Any = None
        self._lock = threading.Lock()
        self._early: list[EarlyPush] = []
        # Replaced as a whole under the lock, read without it.
        self._handlers: dict[str, HookList] = {}
        self._streams: tuple[MessageStream, ...] = ()
        self.subscribers: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        """Tell name and state."""
        return f"<Topic {self.name!r} {self.state} joins={self.join_count}>"

    @property
    def state(self) -> ChannelState:
        """The channel's state; closed while no actor serves it."""
        core = self.core
        return ChannelState.CLOSED if core is None else core.machine.state

    # ---- the lives of its actor ----------------------------------------------------------------

    def attach(self, actor: ActorRef) -> None:
        """A channel actor is up: join for it."""
        wire = self.session.live_wire()
        core = ChannelCore(self, wire, actor)
        with self._lock:
            self._life = core
        actor.monitor(lambda down: self._actor_ended(core, down))
        generation = wire.attach(core)
        if generation is not None:
            core.feed(SocketOpened(generation))
        waiter = None if self.joined_once.done() else self.joined_once
        core.feed(JoinRequested(self.timeout, waiter))
        # Pushes made meanwhile go first; the core is published once none is left, so that none of
        # a later push overtakes them, or meets a channel that was not asked to join yet.
        while True:
            with self._lock:
                early, self._early = self._early, []
                if not early:
                    if self._life is core:
                        self.core = core
                    return
            for push in early:
                core.push(push.event, push.prepared, push.reply, push.timeout)

    def _actor_ended(self, core: ChannelCore, down: Down) -> None:
        """The actor of this life is gone; its pushes fail now and not by their time-outs."""
        for push in core.wire.take_topic(self.name):
            push.token.fail(ChannelClosed(self.name, push.event, down.reason, push.ref))
        with self._lock:
            if self._life is core:
                self.core = self._life = None
        core.feed(ClientStopping(), may_write=False)

    def core_ended(self, core: ChannelCore) -> None:
        """The channel closed for good (left, refused or closed by the server), or its life did."""
        with self._lock:
            if self._life is not core:
                return
            self.core = self._life = None
        self.close()

    def close(self, error: PhoenixError | None = None) -> None:
        """Be wanted no more: answer who still waits and end the streams. Harmless when repeated."""
        self.session.forget(self)
        with self._lock:
            self.closed = True
            early, self._early = self._early, []
            streams, self._streams = self._streams, ()
        self.joined_once.fail(error or JoinCancelled(self.name))
        for push in early:
            push.reply.fail(ChannelClosed(self.name, push.event))
        for stream in streams:
            stream.close()

    def leave_server(self) -> None:
        """Tell the server that nobody listens any more; for a topic whose actor was given up."""
        wire, join_ref = self.session.wire, self.last_join_ref
        if wire is not None and join_ref is not None:
            codec = self.session.codec
            prepared = codec.prepare(self.name, PHX_LEAVE, {})
            wire.send(codec.complete(prepared, join_ref, wire.next_ref()), may_write=False)

    # ---- pushing ------------------------------------------------------------------------------

    def push(self, event: str, payload: Any, timeout: float | None) -> PushFuture:
        """Push to the present life; between two lives, keep it for the next.

        Raises:
            EncodeError: the payload cannot be sent.
            QueueFull: as many frames or pushes wait as the options allow.
            ChannelClosed: the topic is not wanted any more.
        """
        prepared = self.session.codec.prepare(self.name, event, payload)
        wire = self.session.wire
        if wire is not None:
            wire.room(self.name, event, timeout)
        reply = PushFuture()
        core = self.core
        if core is None:
            core = self._keep_early(EarlyPush(event, prepared, reply, timeout))
        if core is not None:
            core.push(event, prepared, reply, timeout)
        self.session.counters.add("pushes")
        if reply.done():
            # Refused at once (C83): the caller learns it from the call.
            error = reply.exception()
            if isinstance(error, QueueFull | ChannelClosed):
                raise error
        return reply

    def _keep_early(self, push: EarlyPush) -> ChannelCore | None:
        limit = self.session.options.max_pending_messages
        with self._lock:
            if self.core is not None:
                return self.core
            if self.closed:
                raise ChannelClosed(self.name, push.event)
            if len(self._early) >= limit:
                raise QueueFull(limit, self.name, push.event)
            self._early.append(push)
        return None

    # ---- listening ----------------------------------------------------------------------------

    def on(self, event: str, fn: Callable[[Any], object]) -> Subscription:
        """Call `fn(payload)` for each message of this event."""
        with self._lock:
            hooks = self._handlers.get(event)
            if hooks is None:
                hooks = HookList(f"on {event} of {self.name}")
                self._handlers = {**self._handlers, event: hooks}
        return hooks.add(fn)

    def stream(self, timeout: float | None) -> MessageStream:
        """Return an iterator over the messages from now on."""
        stream = MessageStream(timeout, self._drop_stream)
        with self._lock:
            closed = self.closed
            if not closed:
                self._streams = (*self._streams, stream)
        if closed:
            stream.close()
        return stream

    def _drop_stream(self, stream: MessageStream) -> None:
        with self._lock:
            self._streams = tuple(kept for kept in self._streams if kept is not stream)

    def subscribe(self, ref: Any) -> bool:
        """Send messages to this actor too; False when it gets them already."""
        with self._lock:
            if ref in self.subscribers:
                return False
            self.subscribers = (*self.subscribers, ref)
            return True

    def unsubscribe(self, ref: Any) -> bool:
        """Send this actor no more; tell whether it was the last of any."""
        with self._lock:
            had = bool(self.subscribers)
            self.subscribers = tuple(kept for kept in self.subscribers if kept is not ref)
            return had and not self.subscribers

    def deliver(self, frame: Frame) -> None:
        """Give a message to handlers, streams and subscribers; runs on the channel's actor."""
        hooks = self._handlers.get(frame.event)
        if hooks is not None:
            hooks.run(frame.payload)
        if self._streams or self.subscribers:
            message = Message(
                self.name, frame.event, frame.payload, frame.ref, frame.join_ref, self.facade
            )
            for stream in self._streams:
                stream.put(message)
            for ref in self.subscribers:
                if isinstance(ref, ActorRef):
                    ref.send_info(message)
