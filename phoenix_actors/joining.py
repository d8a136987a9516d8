"""Joining topics for a client: checking the arguments, and who gets the messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.actors.channel_manager import EnsureChannel
from phoenix_actors.actors.intents import WatchSubscriber
from phoenix_actors.channel import Channel
from phoenix_actors.errors import AlreadyJoined, InvalidOption
from phoenix_actors.link.topic import Topic
from phoenix_actors.message import PHX_JOIN
from supervisors import ActorRef, ChildSpec, NoProcError, NotAvailableError

if TYPE_CHECKING:
    from phoenix_actors.link.routes import Routes
    from phoenix_actors.link.session import Session

__all__ = ["Joiner"]


class Joiner:
    """The joining side of one client. Safe from any thread.

    Args:
        session: the client's table.
        routes: which class a topic gets.
        component: gives a component's actor of the moment by its id, or None.
    """

    def __init__(self, session: Session, routes: Routes, component: Callable[[str], Any]) -> None:
        self._session = session
        self._routes = routes
        self._component = component

    def join(
        self,
        topic: Any,
        params: Any,
        channel: Any,
        timeout: float | None,
        handlers: Mapping[str, Callable[[Any], object]],
        subscriber: Any,
    ) -> Channel:
        """Join and wait for the server; see `SocketClient.join`."""
        record = self.record(topic, params, channel, timeout)
        for event, fn in handlers.items():
            record.on(event, fn)
        present = self._session.want(record)
        if present is not None:
            return self._take_over(present, subscriber)
        self._subscribe(record, subscriber)
        self._ensure(record)
        record.joined_once.get()
        joined: Channel = record.facade
        return joined

    def join_listed(self) -> None:
        """Want the topics of `join_channels`, without waiting for the server (C167)."""
        options = self._session.options
        for topic, params in options.join_channels:
            record = self.record(topic, params, None, options.join_timeout)
            record.joined_once.settle(None)
            if self._session.want(record) is None:
                self._ensure(record)

    def record(self, topic: Any, params: Any, channel: Any, timeout: float | None) -> Topic:
        """Check the arguments of a join and make the topic's record.

        Raises:
            InvalidOption: an argument makes no sense.
            EncodeError: the params cannot be sent.
        """
        session = self._session
        if not isinstance(topic, str) or not topic:
            raise InvalidOption("topic", "must be a string that is not empty")
        if params is None:
            params = {}
        if not callable(params):
            if not isinstance(params, Mapping):
                raise InvalidOption("params", "must be a mapping or a function that gives one")
            params = {**session.options.default_channel_params, **params}
            session.codec.prepare(topic, PHX_JOIN, params)
        chosen = self._routes.resolve(topic) if channel is None else channel
        record = Topic(session, topic, params, _channel_spec(topic, chosen), timeout)
        record.facade = Channel(record)
        return record

    def _take_over(self, present: Topic, ref: Any) -> Channel:
        """Give the live channel to the successor of its subscriber; refuse anybody else (C53)."""
        former = present.subscribers
        if ref is None or not former or any(kept.is_alive() and kept is not ref for kept in former):
            raise AlreadyJoined(present.facade, present.name)
        self._subscribe(present, ref)
        present.joined_once.get()
        channel: Channel = present.facade
        return channel

    def _subscribe(self, record: Topic, ref: Any) -> None:
        if ref is None:
            return
        if not isinstance(ref, ActorRef):
            what = "a subscriber that is a plain Pykka actor"
            raise NotAvailableError(what)
        if record.subscribe(ref):
            intents = self._component("intents")
            if intents is not None:
                intents.cast(WatchSubscriber(record, ref))

    def _ensure(self, record: Topic) -> None:
        """Have the topic's actor started; a manager that is just restarting does so by itself."""
        manager = self._component("channel_manager")
        if manager is not None:
            try:
                manager.ask(EnsureChannel(record))
            except NoProcError:
                return


def _channel_spec(topic: str, channel: Any) -> ChildSpec:
    """Return how to start a topic's actor.

    Raises:
        InvalidOption: it is no ChannelActor class, tuple or specification.
    """
    if isinstance(channel, ChildSpec):
        start, args, kwargs = channel.start, channel.args, channel.kwargs
    elif isinstance(channel, tuple) and channel:
        start, args, kwargs = channel[0], channel[1:], {}
    else:
        start, args, kwargs = channel, (), {}
    if not (isinstance(start, type) and issubclass(start, ChannelActor)):
        problem = "must be a ChannelActor class, (class, *args) or a ChildSpec of one"
        raise InvalidOption("channel", problem)
    return ChildSpec(topic, start=start, args=args, kwargs=kwargs, restart="transient")
