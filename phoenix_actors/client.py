"""`SocketClient`: a Phoenix Channels client as a supervised tree, and the way to all of it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Self

from msgspec import UNSET

from phoenix_actors.actors.socket import Connect, Disconnect
from phoenix_actors.channel import Channel, Seconds, checked_timeout
from phoenix_actors.components import ClientParts
from phoenix_actors.errors import (
    ConnectTimeout,
    InvalidOption,
    NotJoined,
    PhoenixError,
    WouldDeadlock,
)
from phoenix_actors.joining import Joiner, channel_spec
from phoenix_actors.link.hooks import Subscription
from phoenix_actors.link.inbound import reading_on
from phoenix_actors.link.message_hooks import MessageHook
from phoenix_actors.link.presence import Presence
from phoenix_actors.link.scheduling import calling_actor, may_wait, refuse_waiting, runs_below
from phoenix_actors.message import ConnectionStatus, Message
from phoenix_actors.options import SocketOptions
from phoenix_actors.tree import THREADS_TIMEOUT, ClientSupervisor, parts
from supervisors import ActorRef, CallTimeout, ChildSpec, ExitReason, NoProcError, Normal
from supervisors._runtime.calling import start_and_wait
from supervisors._runtime.timers import timers

__all__ = ["SocketClient"]


class SocketClient(ClientParts):
    """A client: the reference of its supervisor, with the verbs of Phoenix Channels.

    Safe from any thread and from inside any actor. Start one with `start_link(url=…, …)`, or put
    `child_spec(…)` into a supervisor; `whereis(name)` gives it back.

    Example:
        >>> client = SocketClient.start_link(url="ws://127.0.0.1:1/socket", auto_connect=False)
        >>> client.status, client.connected, client.stop()
        (<ConnectionStatus.DISCONNECTED: 'disconnected'>, False, True)
    """

    def __repr__(self) -> str:
        """Tell name and status."""
        name = "" if self.name is None else f" {self.name!r}"
        status = "stopped" if self.process is None else self.status
        return f"<SocketClient{name} {status}>"

    def __str__(self) -> str:
        """Name the class, and the client's name or else its URN."""
        which = self.actor_urn if self.name is None else repr(self.name)
        return f"{type(self).__name__} ({which})"

    # ---- starting -----------------------------------------------------------------------------

    @classmethod
    def start_link(cls, **options: Any) -> Self:
        """Start a client linked to the calling actor, else under the process's root.

        It connects in the background when `auto_connect` is True, the default. Stop it, or use it
        in a `with` block. One without a name that was started outside of actors and is not held any
        more, nor a channel of it, and in which no code of yours is called, gives a ResourceWarning
        and is stopped when it would connect again or send a heartbeat.

        Args:
            **options: see `SocketOptions`; `url` is required.

        Raises:
            InvalidOption, InvalidURL: an option is unknown, wrong, or not available.
            AlreadyStartedError: the name is held.
        """
        checked = _checked(options)
        client: Self = _start(checked)
        if checked.name is None and calling_actor() is None:
            client = client._held()
        return client

    def _held(self) -> Self:
        """Return the same reference as another object, whose end tells that nobody holds it."""
        held = object.__new__(type(self))
        held.__dict__ = self.__dict__
        weakref.finalize(held, self.session.drop).atexit = False
        return held

    def __eq__(self, other: object) -> bool:
        """Tell whether it is a reference of the same client."""
        return isinstance(other, SocketClient) and other.__dict__ is self.__dict__

    def __hash__(self) -> int:
        """Be the same key as every reference of the same client."""
        return id(self.__dict__)

    @classmethod
    def child_spec(
        cls,
        *,
        id: Any = None,
        restart: str = "permanent",
        shutdown: Any = None,
        significant: bool = False,
        **options: Any,
    ) -> ChildSpec:
        """Return how a supervisor starts a client; takes the options of start_link().

        Args:
            id: the child's id; by default the client's name, else "SocketClient".
            restart: "permanent", "transient" or "temporary".
            shutdown: seconds that its end may take, None (no limit) or BRUTAL_KILL.
            significant: whether its end counts for `auto_shutdown`.
            **options: see `SocketOptions`.

        Raises:
            InvalidOption, InvalidURL: an option is unknown, wrong, or not available.
        """
        checked = _checked(options)
        return ChildSpec(
            (cls.__name__ if checked.name is None else checked.name) if id is None else id,
            start=_start,
            args=(checked,),
            restart=restart,
            shutdown=shutdown,
            type="supervisor",
            significant=significant,
        )

    # ---- the connection -----------------------------------------------------------------------

    @property
    def status(self) -> ConnectionStatus:
        """Disconnected (between attempts and once ended too), connecting, connected or closing."""
        try:
            return self.session.status
        except NoProcError:
            return ConnectionStatus.DISCONNECTED

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""
        return self.status is ConnectionStatus.CONNECTED

    def connect(self) -> None:
        """Connect, in the background; harmless when connected, immediate during a back-off."""
        session = self.session
        session.wants_connection = True
        socket = self._component("socket")
        if socket is None:
            return  # its next life reads wants_connection
        if not may_wait() or calling_actor() is socket:
            socket.cast(Connect())
        else:
            _call(socket, Connect())

    def disconnect(self) -> None:
        """Close the connection and stay disconnected; wanted topics are kept for connect().

        Returns when the connection is closed, its socket and threads gone.

        Raises:
            WouldDeadlock: on the reader thread.
        """
        refuse_waiting("disconnect()")
        session = self.session
        session.wants_connection = False
        socket = self._component("socket")
        if socket is not None:
            _call(socket, Disconnect())
        session.when(lambda: session.status is ConnectionStatus.DISCONNECTED).get()
        if not session.wants_connection:
            session.join_threads(THREADS_TIMEOUT)

    def wait_connected(self, timeout: float | timedelta | None = 5.0) -> None:
        """Wait until a connection is open, through retries.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            ConnectError, ConnectionLost: the client has given up.
            TimeoutError: not connected in time; its cause is the last attempt's error.
            NoProcError: the client was stopped.
            WouldDeadlock: on the reader thread.
        """
        refuse_waiting("wait_connected()")
        session = self.session
        seconds = checked_timeout(timeout, None)
        ready = session.when(
            lambda: session.status is ConnectionStatus.CONNECTED or session.gave_up is not None
        )
        try:
            ready.get(timeout=seconds)
        except CallTimeout:
            session.unwatch(ready)
            url = session.options.shown_url()
            raise ConnectTimeout(seconds or 0.0, url=url) from session.last_error
        if session.status is not ConnectionStatus.CONNECTED and session.gave_up is not None:
            raise session.gave_up

    def ping(self, timeout: float | timedelta | None = 5.0) -> float:
        """Return the seconds a round trip to the server takes.

        Raises:
            NotConnected: no connection is open.
            PushTimeout: no answer in time.
        """
        refuse_waiting("ping()")
        session = self.session
        seconds = checked_timeout(timeout, None)
        began = timers.clock.now()
        with reading_on():
            session.live_wire().ping(seconds).get()
        return timers.clock.now() - began

    def stop(
        self,
        reason: ExitReason | BaseException = Normal(),  # noqa: B008  frozen
        *,
        block: bool = True,
        timeout: float | timedelta | None = None,
    ) -> Any:
        """Stop the client: channels, then the connection, then everything else.

        When it returns, no socket and no thread of the client is left, unless the peer or a hook
        took more than 2 seconds for its end. Takes and returns what `ActorRef.stop` does.

        Raises:
            WouldDeadlock: on the reader thread, and in a handler of one of its own actors; with
                `block=False` it is fine there.
            CallTimeout: it has not ended in time.
        """
        process = self.process
        if block:
            refuse_waiting("stop()")
            if process is not None and runs_below(process):
                raise WouldDeadlock("stop()")
        notices = None if process is None else self.session.notices
        stopped = super().stop(reason, block=block, timeout=timeout)
        if block and notices is not None:
            notices.join(THREADS_TIMEOUT)
        return stopped

    # ---- topics -------------------------------------------------------------------------------

    def join(
        self,
        topic: str,
        params: Mapping[str, Any] | Callable[[], Any] | None = None,
        *,
        channel: Any = None,
        timeout: Seconds = UNSET,
        subscriber: Any = None,
        on: Mapping[str, Callable[[Any], object]] | None = None,
    ) -> Channel:
        """Join a topic, wait for the server's answer, and return the channel.

        While the client is disconnected the join is kept, its timeout running. Joining from inside
        an actor makes that actor the subscriber: it gets each `Message` in handle_info, and a plain
        Pykka actor by tell().

        Args:
            topic: such as "room:lobby".
            params: a mapping, or a function that gives one for each join and rejoin.
            channel: a ChannelActor class, `(class, *args)` or a ChildSpec; by default what
                `topic_channel_map` says, else `default_channel_module`, else a plain ChannelActor.
            timeout: seconds for the server's answer; None waits for ever; by default join_timeout.
            subscriber: the actor that gets the messages, instead of the calling one.
            on: handlers by event, in place before the join is sent.

        Raises:
            AlreadyJoined: the topic is joined; `.channel` is live and was not disturbed.
            JoinRejected: the server said no; the topic is not wanted any more.
            JoinTimeout: no answer in time; the topic stays wanted.
            JoinCancelled: leave() or the end of the client came first.
            EncodeError: the params cannot be sent.
            InvalidOption: an argument makes no sense.
            WouldDeadlock: on the reader thread.
        """
        refuse_waiting("join()")
        joiner = self._joiner()
        seconds = checked_timeout(timeout, joiner.session.options.join_timeout)
        ref = calling_actor() if subscriber is None else subscriber
        return joiner.join(topic, params, channel, seconds, on or {}, ref)

    def _joiner(self) -> Joiner:
        joiner: Joiner = self._top("joiner")
        return joiner

    def channel(self, topic: str) -> Channel | None:
        """Return the live channel of a topic, a joining one too, or None."""
        record = self.session.topic(topic)
        channel: Channel | None = None if record is None else record.facade
        return channel

    def push(self, message: Message) -> Message:
        """Send a message on a joined topic and do not wait; return it.

        Raises:
            NotJoined: the topic is not joined.
            EncodeError, QueueFull, ChannelClosed: as `Channel.push`.
        """
        channel = self.channel(message.topic)
        if channel is None:
            raise NotJoined(message.topic, message.event)
        channel.push(message.event, message.payload)
        return message

    # ---- hooks ----------------------------------------------------------------------

    def on_open(self, fn: Callable[[], object]) -> Subscription:
        """Call `fn()` whenever a connection is open.

        Hooks run one after another on a thread of their own, where they may call everything.
        """
        return self.session.hooks.open.add(fn)

    def on_close(self, fn: Callable[[int | None, str, bool], object]) -> Subscription:
        """Call `fn(code, reason, clean)` whenever a connection was lost or closed."""
        return self.session.hooks.close.add(fn)

    def on_error(self, fn: Callable[[PhoenixError], object]) -> Subscription:
        """Call `fn(error)` whenever an attempt to connect failed."""
        return self.session.hooks.error.add(fn)

    def on_message(self, fn: Callable[[Message], object]) -> Subscription:
        """Call `fn(message)` for every inbound frame, on the reader thread: it must not wait."""
        return self.session.hooks.message.add(fn)

    def register_message_hook(self, hook: MessageHook) -> Subscription:
        """Let every inbound message of a topic pass through a hook before it is dispatched.

        Args:
            hook: `fn(message)`, or an object with `handle_message(message, client)`. It returns the
                message, its event or payload changed if need be, or `DROP`. A dropped reply lets
                its push time out. It runs on the reader thread and must not wait.

        A hook that raises or returns anything else is reported, and the message goes on as that
        hook got it. Hooks run in their order; `on_message` functions see frames as they came.

        Raises:
            InvalidOption: the hook is neither.
        """
        return self.session.message_hooks.add(hook)

    def presence(self, topic: str) -> Presence:
        """Return who is present in a topic that is joined or joining; complete whenever made.

        Raises:
            NotJoined: the topic is not joined.
        """
        record = self.session.topic(topic)
        if record is None:
            raise NotJoined(topic)
        return record.presence()


class ClientProcess(ClientSupervisor):
    """The client's supervisor, whose reference is the client."""

    ref_class: ClassVar[type[ActorRef]] = SocketClient


def _checked(options: dict[str, Any]) -> SocketOptions:
    """Return the options of a client, its channel classes checked too."""
    checked = SocketOptions.of(**options)
    given = [("topic_channel_map", entry) for entry in checked.topic_channel_map.values()]
    if checked.default_channel_module is not None:
        given.append(("default_channel_module", checked.default_channel_module))
    for name, entry in given:
        try:
            channel_spec(name, entry)
        except InvalidOption as error:
            raise InvalidOption(name, error.problem) from None
    return checked


def _start(options: SocketOptions) -> Any:
    """Start a client, as a supervisor's child too; each of its lives begins anew."""
    client = start_and_wait(ClientProcess, parts(options), {"name": options.name}, linked=True)
    try:
        client._joiner().join_listed()
    except BaseException:
        client.stop()
        raise
    return client


def _call(socket: ActorRef, request: Connect | Disconnect) -> None:
    """Ask the Socket actor; the next life of one that ends meanwhile reads wants_connection."""
    try:
        socket.call(request)
    except NoProcError:
        return
