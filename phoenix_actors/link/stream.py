"""Messages of a channel as an iterator, for plain threads and for actors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from phoenix_actors.advice import NOT_ITS_OWN
from phoenix_actors.errors import WouldDeadlock
from phoenix_actors.link.deeds import do_in_step
from phoenix_actors.link.scheduling import feeds_below
from supervisors import CallTimeout, Reply
from supervisors._locks import new_lock

if TYPE_CHECKING:
    from phoenix_actors.link.listeners import Listeners
    from phoenix_actors.message import Message

__all__ = ["MAX_WAITING", "MessageStream"]

MAX_WAITING: Final = 10_000


class MessageStream:
    """What `channel.messages()` returns: iterate over it; it survives restarts and rejoins.

    It keeps up to 10,000 messages that were not taken yet; beyond that the oldest are dropped, and
    `dropped` counts them. Iteration ends when no message comes within the timeout, and when the
    channel has ended or `close()` was called and everything is taken. For one thread at a time.
    Dropped by its user, as after a `break`, it takes no more messages.
    """

    def __init__(
        self,
        timeout: float | None,
        on_close: Callable[[MessageStream], None],
        listeners: Listeners | None = None,
    ) -> None:
        """Wait up to `timeout` seconds for each message; None waits for ever.

        Made by a topic's `listeners`, which put the messages in.
        """
        self.dropped = 0
        self.timeout = timeout
        self._on_close = on_close
        self._listeners = listeners
        self._lock = new_lock()
        self._messages: deque[Message] = deque()
        # Who waits for the next message, if somebody does. The topic keeps this list, and so what
        # nobody else may keep: a task that waits, and by that this stream.
        self.waiting: list[Reply] = []
        self._closed = False

    def __repr__(self) -> str:
        """Tell how many messages wait."""
        state = "closed" if self._closed else "open"
        return f"<MessageStream {state} waiting={len(self._messages)} dropped={self.dropped}>"

    def put(self, message: Message) -> Message | None:
        """Add a message; return one that is dropped for it. Called by the channel's actor."""
        former = None
        with self._lock:
            if self._closed:
                return None
            if len(self._messages) >= MAX_WAITING:
                former = self._messages.popleft()
                self.dropped += 1
            self._messages.append(message)
            waiting = self._take_waiting()
        for waiter in waiting:
            waiter.settle(None)
        return former

    def close(self) -> None:
        """Take no more messages; those that wait can still be taken. Harmless when repeated."""
        do_in_step([], self._close)

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            waiting = self._take_waiting()
        for waiter in waiting:
            waiter.settle(None)
        self._on_close(self)

    def _take_waiting(self) -> list[Reply]:
        """Take out who waits; requires holding the lock."""
        waiting = self.waiting[:]
        self.waiting.clear()
        return waiting

    def take(self) -> Message | Reply | None:
        """Return the next message, a future that settles when to look again, or None at the end."""
        with self._lock:
            if self._messages:
                return self._messages.popleft()
            if self._closed:
                return None
            waiter = Reply()
            self.waiting[:] = [waiter]
            return waiter

    def __iter__(self) -> Self:
        """Iterate over the messages from the moment the stream was made."""
        return self

    def __next__(self) -> Message:
        """Return the next message.

        Raises:
            StopIteration: none came in time, or there are no more.
            WouldDeadlock: on the reader thread; and without a timeout in a handler of the channel
                itself, behind which the next message comes.
        """
        while True:
            message = self.take()
            if message is None:
                raise StopIteration
            if not isinstance(message, Reply):
                return message
            if self.timeout is None and feeds_below(self._listeners):
                raise WouldDeadlock("messages() in a handler of the channel itself", NOT_ITS_OWN)
            try:
                message.get(timeout=self.timeout)
            except CallTimeout:
                raise StopIteration from None
            except WouldDeadlock:
                raise WouldDeadlock("messages()") from None
