"""Who gets the messages of a topic: `on` handlers, `messages()` streams, subscribed actors.

They belong to the topic and not to an actor's life, so they survive restarts and rejoins.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from operator import methodcaller
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from phoenix_actors.errors import InvalidOption
from phoenix_actors.link.deeds import do_in_step
from phoenix_actors.link.hooks import HookList, Subscription
from phoenix_actors.link.shared_lock import shared_lock
from phoenix_actors.link.stream import MessageStream
from phoenix_actors.message import LIFECYCLE_EVENTS, Message
from supervisors import ActorRef, Reply

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.message import Frame

__all__ = ["Listeners"]

Handlers = Mapping[str, Callable[[Any], object]]
# The reference of an actor, which may be a plain Pykka actor's.
Ref: TypeAlias = Any
# A stream, and who waits for its next message.
Held: TypeAlias = "tuple[weakref.ref[MessageStream], list[Reply]]"


# For the listeners of all topics: held for a few steps, when one comes or goes.
_changing = shared_lock()
_is_alive: Final = methodcaller("is_alive")
_NOBODY: Final[Mapping[Any, Any]] = MappingProxyType({})


class Listeners:
    """The listeners of one topic. Safe from any thread."""

    __slots__ = (
        "_closed",
        "_handlers",
        "_on_drop",
        "_streams",
        "_subscribers",
        "_topic",
        "deserted",
    )

    def __init__(self, topic: str, on_drop: Callable[[str], object] = lambda _: None) -> None:
        """Start with none; `on_drop` takes the event of a message that a stream drops."""
        self._topic = topic
        self._on_drop = on_drop
        # Replaced as a whole under the lock, read without it.
        self._handlers: Mapping[str, HookList] = _NOBODY
        # Held by who iterates: one that nobody can read any more takes no more messages. Who waits
        # for the next message of one is held here.
        self._streams: tuple[Held, ...] = ()
        self._subscribers: Mapping[Ref, tuple[Subscription, ...]] = _NOBODY
        self._closed = False
        # The last subscriber has ended, so the topic is being left.
        self.deserted = False

    # ---- handlers and streams -----------------------------------------------------------------

    def on(self, event: str, fn: Callable[[Any], object]) -> Subscription:
        """Call `fn(payload)` for each message of this event.

        Raises:
            InvalidOption: that is no event of messages, or no function.
        """
        _check_event(event)
        with _changing:
            hooks = self._handlers.get(event)
            if hooks is None:
                hooks = HookList(f"on {event} of {self._topic}")
                self._handlers = {**self._handlers, event: hooks}
        return hooks.add(fn)

    def off(self, event: str) -> None:
        """Call nobody any more for messages of this event."""
        with _changing:
            handlers = dict(self._handlers)
            handlers.pop(event, None)
            self._handlers = handlers

    def stream(self, timeout: float | None) -> MessageStream:
        """Return an iterator over the messages from now on."""
        stream = MessageStream(timeout, self._drop, self)
        with _changing:
            closed = self._closed
            if not closed:
                self._streams = (*self._living(), (weakref.ref(stream), stream.waiting))
        if closed:
            stream.close()
        return stream

    def _living(self, but: MessageStream | None = None) -> list[Held]:
        """Return the streams that somebody holds, but for one; requires holding the lock."""
        return [held for held in self._streams if held[0]() not in (None, but)]

    def _drop(self, stream: MessageStream | None) -> None:
        """Forget a stream, and those that nobody holds any more."""
        with _changing:
            self._streams = tuple(self._living(but=stream))

    def close(self) -> None:
        """End the streams; no more messages come."""
        do_in_step([], self._close)

    def _close(self) -> None:
        with _changing:
            self._closed = True
            streams, self._streams = self._streams, ()
        for held, _ in streams:
            stream = held()
            if stream is not None:
                stream.close()

    # ---- subscribers --------------------------------------------------------------------------

    @property
    def subscribers(self) -> tuple[Ref, ...]:
        """The actors that get each message."""
        return tuple(self._subscribers)

    def subscribe(self, ref: Ref, handlers: Handlers) -> None:
        """Send messages to this actor too; the handlers are its own and go with it."""
        added = tuple(self.on(event, fn) for event, fn in handlers.items())
        with _changing:
            self._subscribers = {
                **self._subscribers,
                ref: (*self._subscribers.get(ref, ()), *added),
            }

    def take_over(self, ref: Ref, handlers: Handlers) -> bool:
        """Let an actor follow subscribers that are all dead.

        False when there is nothing to take over: somebody lives, or the topic is being left.
        """
        with _changing:
            former = self._subscribers
            if not former or self.deserted or any(map(_is_alive, former)):
                return False
            self._subscribers = {ref: ()}
        _remove(former.values())
        self.subscribe(ref, handlers)
        return True

    def unsubscribe(self, ref: Ref) -> bool:
        """Send this actor no more; True when it was the last, and the topic is to be left."""
        with _changing:
            gone = self._subscribers.get(ref)
            if gone is None:
                return False
            subscribers = dict(self._subscribers)
            del subscribers[ref]
            self._subscribers = subscribers
            self.deserted = not self._subscribers
        _remove([gone])
        return self.deserted

    # ---- messages -----------------------------------------------------------------------------

    def __bool__(self) -> bool:
        """Tell whether there is anybody."""
        streams = any(held() is not None for held, _ in self._streams)
        return bool(any(self._handlers.values()) or streams or self._subscribers)

    def deliver(self, frame: Frame, topic: Topic) -> None:
        """Give a message to all; runs on the channel's actor."""
        hooks = self._handlers.get(frame.event)
        if hooks is not None:
            hooks.run(frame.payload)
        if self._streams or self._subscribers:
            message = Message(
                self._topic, frame.event, frame.payload, frame.ref, frame.join_ref, topic.facade
            )
            for held, _ in self._streams:
                stream = held()
                if stream is None:
                    self._drop(None)
                    continue
                former = stream.put(message)
                if former is not None:
                    self._on_drop(former.event)
            for ref in self._subscribers:
                _send(ref, message)


def _check_event(event: Any) -> None:
    if not isinstance(event, str):
        raise InvalidOption("event", f"must be a string, not {type(event).__name__}")
    if event in LIFECYCLE_EVENTS:
        problem = "is no message: push() gives replies, ChannelActor.handle_close tells of an end"
        raise InvalidOption(f"event {event}", problem)


def _send(ref: Ref, message: Message) -> None:
    if isinstance(ref, ActorRef):
        ref.send_info(message)
        return
    # A plain Pykka actor. It refuses once it has ended; then it is about to be unsubscribed.
    with suppress(Exception):
        ref.tell(message)


def _remove(subscriptions: Iterable[tuple[Subscription, ...]]) -> None:
    for added in subscriptions:
        for subscription in added:
            subscription.off()
