"""`Channel`: what `join` returns. It follows the topic, whatever happens to the actors below."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec import UNSET, UnsetType

from phoenix_actors.errors import InvalidOption
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.inbound import reading_on
from phoenix_actors.link.scheduling import refuse_waiting
from phoenix_actors.message import ChannelState, PushReply
from supervisors import NoProcError, whereis
from supervisors.clock import as_seconds

if TYPE_CHECKING:
    from phoenix_actors.link.hooks import Subscription
    from phoenix_actors.link.stream import MessageStream
    from phoenix_actors.link.topic import Topic
    from supervisors import ActorRef, Monitor

__all__ = ["Channel", "Seconds", "checked_timeout"]


Seconds: TypeAlias = float | timedelta | UnsetType | None


def checked_timeout(value: Seconds, default: float | None) -> float | None:
    """Return seconds from a public timeout argument; left out, the option's.

    Raises:
        InvalidOption: for what is no duration.
    """
    if isinstance(value, UnsetType):
        return default
    try:
        return as_seconds(value, "timeout")
    except (TypeError, ValueError) as error:
        problem = "must be 0 or more seconds, a timedelta or None"
        raise InvalidOption("timeout", problem) from error


class PushFunction(Protocol):
    """`Channel.push`: send an event on a channel, wait, and get the reply."""

    def __call__(
        self, channel: Channel, event: str, payload: Any = None, *, timeout: Seconds = UNSET
    ) -> PushReply:
        """See `Channel.send`; raises what its future raises."""
        ...


def _push_and_wait(
    channel: Channel, event: str, payload: Any = None, *, timeout: Seconds = UNSET
) -> PushReply:
    """Push on a channel and wait for the reply."""
    return channel.send(event, payload, timeout=timeout).get()


class _OneWord(type):
    """One word, two uses: `Channel.push` waits for the reply, the method gives a future.

    A property of the class's class is found first there, and not at all by an instance.
    """

    @property
    def push(cls) -> PushFunction:
        """The seed's function."""
        return _push_and_wait


class Channel(metaclass=_OneWord):
    """A joined topic. Safe from any thread and from inside any actor.

    `push`, `ask`, `tell` reach the channel actor of the moment; `on` handlers and `messages()`
    survive its restarts and every rejoin.
    """

    __slots__ = ("__weakref__", "_topic")

    def __init__(self, topic: Topic) -> None:
        """Made by `join`."""
        self._topic = topic

    def __repr__(self) -> str:
        """Tell topic and state."""
        return f"<Channel {self._topic.name!r} {self.state}>"

    @property
    def topic(self) -> str:
        """The topic."""
        return self._topic.name

    @property
    def state(self) -> ChannelState:
        """closed, joining, joined, leaving or errored (which rejoins)."""
        return self._topic.state

    @property
    def response(self) -> Any:
        """The server's answer to the last join."""
        return self._topic.response

    @property
    def join_count(self) -> int:
        """How many times the server has said ok."""
        return self._topic.join_count

    @property
    def ref(self) -> ActorRef | None:
        """The channel actor of the moment, or None between two lives."""
        core = self._topic.core
        return None if core is None else core.actor

    def send(self, event: str, payload: Any = None, *, timeout: Seconds = UNSET) -> PushFuture:
        """Send an event; return a future of the server's `PushReply`. `push` is the same method.

        Ignore the future and it is fire and forget. While the channel joins, the push waits for
        that, in order; its timeout runs from now.

        Args:
            event: the event's name.
            payload: any JSON value, or bytes; None is sent as {}.
            timeout: seconds for the reply; None for ever; by default the option push_timeout.

        Raises:
            EncodeError: the payload cannot be sent; nothing was.
            QueueFull: too many frames wait to be written.
            ChannelClosed: the topic was left, or closed by the server.

        The future raises PushTimeout, ConnectionLost or ChannelClosed, and the error of the last
        attempt when the client has given up; an error reply is a value.
        """
        topic = self._topic
        default = topic.session.options.push_timeout
        seconds = default if timeout is UNSET else checked_timeout(timeout, default)
        return topic.push(event, payload, seconds)

    push = send

    def on(self, event: str, fn: Callable[[Any], object]) -> Subscription:
        """Call `fn(payload)` on the channel's actor for each message of this event, in order.

        What `fn` raises is reported and stops nothing. `.off()` of the result removes it.
        """
        return self._topic.listeners.on(event, fn)

    def off(self, event: str, subscription: Subscription | None = None) -> None:
        """Remove every handler of this event, or the one that `on` gave this subscription for.

        A dispatch under way is not changed (C147).
        """
        if subscription is None:
            self._topic.listeners.off(event)
        else:
            subscription.off()

    def messages(self, timeout: float | timedelta | None = None) -> MessageStream:
        """Iterate over the channel's messages from now on.

        Args:
            timeout: seconds to wait for each; the iteration ends when none comes. None waits.
        """
        return self._topic.listeners.stream(checked_timeout(timeout, None))

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Ask the channel actor; see `ActorRef.ask`."""
        if block:
            refuse_waiting("ask()")
        return self._actor().ask(message, block=block, timeout=timeout)

    def call(self, request: Any, timeout: float | None = 5.0) -> Any:
        """Ask the channel actor and wait up to `timeout` seconds."""
        refuse_waiting("call()")
        return self._actor().call(request, timeout)

    def tell(self, message: Any) -> None:
        """Send the channel actor a message; see `ActorRef.tell`."""
        self._actor().tell(message)

    def monitor(self) -> Monitor:
        """Watch the channel actor of the moment."""
        return self._actor().monitor()

    def leave(self, timeout: Seconds = UNSET) -> None:
        """Leave the topic and wait for the server, or for the timeout; then it is closed here.

        Leaving a channel that is closed is harmless.

        Raises:
            WouldDeadlock: on the reader thread.
        """
        refuse_waiting("leave()")
        topic = self._topic
        seconds = checked_timeout(timeout, topic.session.options.push_timeout)
        with reading_on():
            topic.leave(seconds).get()

    def _actor(self) -> ActorRef:
        ref = self.ref
        if ref is None:
            raise NoProcError(f"the actor of topic {self.topic!r}")
        return ref

    # ---- the seed's functions, on the class ----------------------------------------------------

    @staticmethod
    def join(
        client: Any, topic: str, params: Any = None, channel: Any = None
    ) -> tuple[Any, Channel]:
        """Join a topic of a client, given as ref or name; return (response, channel)."""
        ref = whereis(client)
        if ref is None:
            raise NoProcError(client)
        joined: Channel = ref.join(topic, {} if params is None else params, channel=channel)
        return joined.response, joined

    @staticmethod
    def push_async(channel: Channel, event: str, payload: Any = None) -> None:
        """Push and do not wait for a reply."""
        channel.push(event, payload)
