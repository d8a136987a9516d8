"""`ChannelActor`: one per joined topic; derive from it to handle a channel's messages.

>>> class ChatChannel(ChannelActor):
...     def init(self):
...         self.lines = []
...     def handle_message(self, event, payload):
...         self.lines.append(payload["body"])
...     def handle_call(self, request, sender):
...         return self.lines
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from msgspec import UNSET, UnsetType

from phoenix_actors.link.deeds import Deeds, carry_out
from phoenix_actors.link.future import PushFuture
from phoenix_actors.link.inbound import Taken, Ticket
from phoenix_actors.link.news import Closed, Ended, Joined, JoinFailed
from phoenix_actors.link.presence import PRESENCE_EVENTS
from phoenix_actors.message import ClientStopped, CloseReason, Frame, Left, ServerClosed
from supervisors import (
    ActorRef,
    AlreadyRegisteredError,
    ChildSpec,
    ExitReason,
    GenServer,
    NoProcError,
    Normal,
    RegistryRef,
    Stop,
    UnknownRegistryError,
)
from supervisors._runtime.launching import start_parts
from supervisors._runtime.names import NameBook

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic

__all__ = ["ChannelActor"]


class ChannelActor(GenServer):
    """The actor of one topic: a GenServer whose messages come from the server as well.

    All handlers run in the actor, one at a time, in wire order. One that raises ends the actor; its
    supervisor starts it anew, with fresh state, and it joins again. `ask` and `tell` from other
    actors reach `handle_call` and `handle_cast`, as in every GenServer. `init` gets the arguments
    of `(class, *args)`; set state up there and not in `__init__`. A server that names its presence
    events otherwise is matched by the class attribute `presence_events = ("state", "diff")`.
    """

    # The server's words for the state and the diffs of presences.
    presence_events: ClassVar[tuple[str, str]] = PRESENCE_EVENTS

    # The server's messages have bounds of their own, and the news of the channel must arrive.
    _otp_unbounded = (Frame, Ticket, Joined, JoinFailed, Closed, Ended)

    _phx_topic: Topic
    _phx_ticketed: Frame
    _phx_over: bool = False
    # How the actors of topics with the class alone are started, once one was.
    _phx_spec: ClassVar[ChildSpec]

    # ---- what a user overrides ----------------------------------------------------------------

    def handle_join(self, response: Any) -> Any:
        """The server said ok: to the first join and to every rejoin (`self.join_count`)."""

    def handle_join_error(self, response: Any) -> Any:
        """The server refused the join."""

    def handle_message(self, event: str, payload: Any) -> Any:
        """A message of the server, never phx_reply, phx_error or phx_close."""

    def handle_close(self, reason: CloseReason) -> Any:
        """The channel is not joined any more.

        After `Left()`, `ServerClosed()` and `ClientStopped()` the actor ends; after
        `ServerError(payload)`, `ConnectionLost(code, reason)`, `HeartbeatTimeout()` and
        `JoinTimedOut()` it waits to rejoin.
        """

    # ---- what a user calls --------------------------------------------------------------------

    @property
    def topic(self) -> str:
        """The topic."""
        return self._phx_topic.name

    @property
    def params(self) -> Any:
        """The params of the join, or the function that gives them."""
        return self._phx_topic.params

    @property
    def client(self) -> Any:
        """The client this channel belongs to."""
        return self._phx_topic.session.client

    @property
    def join_count(self) -> int:
        """How many times the server has said ok, over all lives of this actor."""
        return self._phx_topic.join_count

    def push(
        self,
        event: str,
        payload: Any = None,
        *,
        timeout: float | timedelta | UnsetType | None = UNSET,
    ) -> PushFuture:
        """Send an event and return a future of the reply; `.get()` works in handlers too.

        Takes and raises what `Channel.push` does.
        """
        future: PushFuture = self._phx_topic.facade.push(event, payload, timeout=timeout)
        return future

    def stash(self) -> None:
        """Put the message that is being handled aside, one of the server's too; see GenServer."""
        process = self._otp_own_turn("stash")
        match process.handling:
            case Frame() as frame:
                process.handling = Taken(frame)
            case Ticket():
                process.handling = Taken(self._phx_ticketed)
        super().stash()

    # ---- how the runtime calls it -------------------------------------------------------------

    # Both are looked at anew each time: a class may get methods later, mocks for one.

    @classmethod
    def _phx_starts_plainly(cls) -> bool:
        """Tell whether a start, as one of the pool's, runs nothing of a user's and cannot fail."""
        return bool(start_parts(cls) == _PLAIN_START)

    @classmethod
    def _phx_hears_joins(cls) -> bool:
        """Tell whether it has something to do when it is joined."""
        return cls.handle_join is not ChannelActor.handle_join

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not hasattr(self, "_phx_topic"):
            name = type(self).__name__
            msg = (
                f"{name} is a ChannelActor, which a client starts: client.join(topic, "
                f"channel={name}), or topic_channel_map={{topic: {name}}}"
            )
            raise TypeError(msg)
        return super()._otp_begin(args, kwargs)

    def _otp_after_start(self) -> None:
        topic = self._phx_topic
        deeds: Deeds = []
        attached = self._phx_begin_life(deeds)
        carry_out(deeds)
        if not attached:
            if topic.leaving:
                topic.abandon()
            self._process.end(Normal())
            return
        # After phx_join is on its way, so that handle_continue may push and wait.
        super()._otp_after_start()

    def _phx_begin_life(self, after: Deeds) -> bool:
        """Be found by the topic, and join for it; False when it is not wanted any more.

        It waits for nobody and runs nothing of a user's; what may do so is added to `after`.
        """
        topic = self._phx_topic
        registry = topic.session.registry()
        keeper = None if registry is None else registry.process
        book = None if keeper is None else keeper.name_book
        # Without a link: it stands below the registry, so it is stopped when that ends.
        if book is not None and NameBook.claim(book, topic.name, self._process) is not None:
            after.append(partial(_register, registry, topic.name, self.actor_ref))
        return topic.begin_life(self.actor_ref, after)

    def _otp_receive(self, item: Any) -> None:
        kind = type(item)
        if kind is Frame or kind is Ticket:
            topic = self._phx_topic
            frame = topic.inbound.take(item)
            if frame is None:
                return
            if kind is Ticket:
                self._phx_ticketed = frame
            if self._process.unusual:
                self._otp_rouse(kind)
            topic.deliver(frame)
            result = self.handle_message(frame.event, frame.payload)
            if result is not None:
                self._otp_follow(result, None)
        elif kind in (Joined, JoinFailed, Closed, Ended):
            if self._process.unusual:
                self._otp_rouse(kind)
            self._otp_follow(self._phx_follow(item), None)
        elif kind is Taken:
            # Everybody else got it when it came.
            self._otp_follow(self.handle_message(item.frame.event, item.frame.payload), None)
        else:
            super()._otp_receive(item)

    def _phx_follow(self, news: Any) -> Any:
        """Call the handler of the news; it may answer with a directive, as handlers do."""
        match news:
            case Joined(response):
                return self.handle_join(response)
            case JoinFailed(response):
                return self.handle_join_error(response)
            case Closed(reason):
                self._phx_topic.not_joined()
                self._phx_over = isinstance(reason, Left | ServerClosed | ClientStopped)
                return self.handle_close(reason)
            case _:
                return Stop(Normal())

    def _otp_rouse(self, kind: type) -> None:
        """Count as in use, whoever sent the message that wakes it."""
        self._phx_topic.idle_since = None
        super()._otp_rouse(kind)

    def _otp_after_end(self, reason: ExitReason) -> None:
        """Let the topic know, however this life ended."""
        super()._otp_after_end(reason)
        topic = getattr(self, "_phx_topic", None)
        if topic is not None:
            topic.actor_ended(self.actor_ref, reason)

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        """Say good-bye when it is the whole client that stops."""
        if self._phx_topic.session.stopping and not self._phx_over:
            self._phx_over = True
            self.handle_close(ClientStopped())
        super()._otp_stop_ordered(reason)


_PLAIN_START: Final = start_parts(ChannelActor)


def _register(registry: RegistryRef, topic: str, ref: ActorRef) -> None:
    """Let the client's registry find the actor by its topic.

    A former actor of the topic, which was left and is still handling that, gives way. A topic that
    is called as a component is, such as "socket", is not found there.
    """
    while ref.is_alive():
        try:
            registry.register(topic, owner=ref)
            return
        except AlreadyRegisteredError as taken:
            if not issubclass(taken.ref.actor_class, ChannelActor):
                # A component of the client, which is found under this name.
                return
            # It may end at this very moment; then its names are free already.
            with contextlib.suppress(NoProcError):
                registry.unregister(topic, owner=taken.ref)
        except (NoProcError, UnknownRegistryError):
            # The registry is just ending, and takes this actor with it.
            return
