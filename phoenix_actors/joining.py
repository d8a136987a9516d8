"""Joining topics for a client: checking the arguments, and who gets the messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.actors.channel_manager import EnsureChannel
from phoenix_actors.actors.channel_start import start_channel_here
from phoenix_actors.actors.intents import WatchSubscriber
from phoenix_actors.advice import AFTER_INIT
from phoenix_actors.channel import Channel
from phoenix_actors.errors import AlreadyJoined, InvalidOption, JoinTimeout, WouldDeadlock
from phoenix_actors.link.inbound import reading_on
from phoenix_actors.link.presence import checked_events
from phoenix_actors.link.scheduling import in_init_below
from phoenix_actors.link.topic import Topic
from phoenix_actors.message import PHOENIX_TOPIC, PHX_JOIN, ConnectionStatus
from phoenix_actors.telemetry import CHANNEL_JOIN_START
from supervisors import CallTimeout, ChildSpec, NotAvailableError, via, whereis
from supervisors._runtime.current import current
from supervisors._runtime.foreign import any_process_of
from supervisors.telemetry import wanted

if TYPE_CHECKING:
    from phoenix_actors.link.routes import Routes
    from phoenix_actors.link.session import Session

__all__ = ["Joiner", "channel_spec"]

# What join() waits beyond its timeout, which runs where the join is sent: for restarts on the way.
_SLACK = 1.0

Handlers = Mapping[str, Callable[[Any], object]]


class Joiner:
    """The joining side of one client. Safe from any thread.

    Args:
        session: the client's table.
        routes: which class a topic gets.
    """

    def __init__(self, session: Session, routes: Routes) -> None:
        self.session = session
        session.make_facade, session.plain_channel = Channel, ChannelActor
        self._routes = routes

    def join(
        self,
        topic: Any,
        params: Any,
        channel: Any,
        timeout: float | None,
        handlers: Handlers,
        subscriber: Any,
    ) -> Channel:
        """Join and wait for the server; see `SocketClient.join`."""
        record = self.begin(topic, params, channel, timeout, handlers, subscriber)
        joined_once, patience = record.joined_once, self.patience(timeout)
        here = current.here
        try:
            if here.host is None and here.process is None:
                joined_once.read_and_get(self.session.wire, patience)
            else:
                with reading_on():
                    joined_once.get(timeout=patience)
        except (CallTimeout, JoinTimeout):
            late = self.late(topic, timeout)
            raise late from late.__cause__
        joined: Channel = record.facade
        return joined

    @staticmethod
    def patience(timeout: float | None) -> float | None:
        """Return the seconds to wait for a join of this timeout."""
        return None if timeout is None else timeout + _SLACK

    def begin(
        self,
        topic: Any,
        params: Any,
        channel: Any,
        timeout: float | None,
        handlers: Handlers,
        subscriber: Any,
    ) -> Topic:
        """Do all of a join but waiting: return the topic, whose `joined_once` is to be awaited."""
        record = self._record(topic, params, channel, timeout)
        if wanted(CHANNEL_JOIN_START):
            record.joiner = copy_context()
        if subscriber is not None:
            _check_actor("subscriber", subscriber)
        if not isinstance(handlers, Mapping):
            raise InvalidOption("on", "must be a mapping of events and functions")
        manager = self.session.manager
        if manager is not None and in_init_below(manager):
            # Its manager starts one channel at a time, and this one has not started yet.
            operation = "join() in init or terminate of a channel actor"
            raise WouldDeadlock(operation, AFTER_INIT)
        made = record
        try:
            record = self._want(record, subscriber, handlers)
            if subscriber is not None:
                intents = whereis(via(self.session.registry_name, "intents"))
                if intents is not None:
                    intents.cast(WatchSubscriber(subscriber))
            self._ensure(record)
        except BaseException:
            # What a signal's handler raises, for one: whoever called has no channel to leave, so a
            # topic that has no actor yet is not to stay wanted.
            if made.manager is None and self.session.topic(made.name) is made:
                made.leave(None)
            raise
        return record

    def late(self, topic: str, timeout: float | None) -> JoinTimeout:
        """Return the error of a join that got no answer in time.

        A server that cannot be reached is its cause; a connected one that does not answer is none.
        """
        session = self.session
        error = JoinTimeout(topic, timeout)
        if session.status is not ConnectionStatus.CONNECTED:
            error.__cause__ = session.last_error
        return error

    def join_listed(self) -> None:
        """Want the topics of `join_channels`, without waiting for the server (C167)."""
        options = self.session.options
        for topic, params in options.join_channels:
            record = self._record(topic, params, None, options.join_timeout)
            record.joined_once.settle(None)
            if self.session.want(record) is None:
                self._ensure(record)

    def _record(self, topic: Any, params: Any, channel: Any, timeout: float | None) -> Topic:
        """Check the arguments of a join and make the topic's record.

        Raises:
            InvalidOption: an argument makes no sense.
            EncodeError: the params cannot be sent.
        """
        session = self.session
        if not isinstance(topic, str) or not topic or topic == PHOENIX_TOPIC:
            raise InvalidOption("topic", 'must be a string, neither empty nor "phoenix"')
        if params is None:
            params = {}
        prepared = None
        if not callable(params):
            if type(params) is not dict and not isinstance(params, Mapping):
                raise InvalidOption("params", "must be a mapping or a function that gives one")
            params = {**session.options.default_channel_params, **params}
            prepared = session.codec.prepare(topic, PHX_JOIN, params)
        chosen = self._routes.resolve(topic) if channel is None else channel
        record = Topic(session, topic, params, channel_spec(topic, chosen), timeout)
        record.prepared = prepared
        return record

    def _want(self, record: Topic, ref: Any, handlers: Handlers) -> Topic:
        """Want the topic, or take over the live one from a subscriber that ended (C53).

        Raises:
            AlreadyJoined: somebody else has it.
            NoProcError: the client has ended.
        """
        if ref is not None:
            record.listeners.subscribe(ref, handlers)
        else:
            for event, fn in handlers.items():
                record.listeners.on(event, fn)
        while (present := self.session.want(record)) is not None:
            if ref is not None and present.listeners.take_over(ref, handlers):
                return present
            if not present.listeners.deserted:
                raise AlreadyJoined(present.facade, present.name)
            # Its last subscriber has just ended: that one is being left.
            self.session.forget(present)
        return record

    def _ensure(self, record: Topic) -> None:
        """Have the topic's actor started; a manager that is just restarting does so by itself."""
        manager = self.session.manager
        if manager is not None and not start_channel_here(manager, record):
            # Not waited for: the record tells what became of it, and the caller has a timeout.
            manager.post(EnsureChannel(record))


def _check_actor(name: str, ref: Any) -> None:
    """Take a reference of any actor, dead or alive, one of plain Pykka too."""
    try:
        any_process_of(ref, name)
    except NotAvailableError:
        problem = f"must be an actor's reference, not a {type(ref).__name__}"
        raise InvalidOption(name, problem) from None


def channel_spec(topic: Any, channel: Any) -> ChildSpec:
    """Return how to start a topic's actor, the child of this id, from what the user gave for it.

    Raises:
        InvalidOption: it is no ChannelActor class, tuple or specification, or one with a name.
    """
    known = channel.__dict__.get("_phx_spec") if isinstance(channel, type) else None
    if known is not None:
        return known  # type: ignore[no-any-return]
    start, *args = channel if isinstance(channel, tuple) and channel else (channel,)
    if isinstance(channel, ChildSpec):
        start = channel.start
    if not (isinstance(start, type) and issubclass(start, ChannelActor)):
        problem = "must be a ChannelActor class, (class, *args) or a ChildSpec of one"
        raise InvalidOption("channel", problem)
    checked_events(start.presence_events)
    if isinstance(channel, ChildSpec):
        if channel.name is not None:
            problem = "must not name the actor: its topic does, see client.channel(topic)"
            raise InvalidOption("channel", problem)
        # A topic decides by itself when its actor is started again.
        return channel.with_(id=topic, restart="transient", type="worker")
    spec = ChildSpec(start.__name__, start=start, args=args, restart="transient")
    if start is channel:
        # A specification does not change, so all topics of the class may share it.
        start._phx_spec = spec
    return spec
