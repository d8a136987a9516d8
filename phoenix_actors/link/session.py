"""What one client knows, read by everybody and outliving every component of its tree.

Like a public ETS table that belongs to the supervisor: it is made with the client, handed to each
component when that starts, and not touched by their crashes. Topics that the user wants stand here,
so that they are joined again after anything.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from phoenix_actors.errors import InvalidOption, NotConnected, PhoenixError
from phoenix_actors.link.codec import Codec
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.fallback import transport_of
from phoenix_actors.link.forking import close_in_children
from phoenix_actors.link.histogram import Histogram
from phoenix_actors.link.hooks import HookList, Hooks
from phoenix_actors.link.inbound import Inbound
from phoenix_actors.link.message_hooks import MessageHooks
from phoenix_actors.link.notices import Notices
from phoenix_actors.link.onlookers import Onlookers
from phoenix_actors.link.routes import RouteCounts
from phoenix_actors.link.shared import SharedValues
from phoenix_actors.link.shared_lock import TopicLocks
from phoenix_actors.link.sleepers import Sleepers
from phoenix_actors.link.templates import Templates
from phoenix_actors.message import ConnectionStatus
from supervisors import NoProcError, Reply
from supervisors._locks import new_lock
from supervisors._runtime.timers import timers

if TYPE_CHECKING:
    from phoenix_actors.link.attempt import Attempt
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.link.traffic import Traffic
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.options import SocketOptions
    from supervisors._runtime.process import Process

__all__ = ["Session"]


class Session:
    """The shared table of one client. Safe from any thread."""

    def __init__(self, options: SocketOptions) -> None:
        """Begin disconnected, wanting nothing."""
        self.options = options
        self.counters = Counters()
        self.onlookers = Onlookers(self)
        self.hooks = Hooks(self.onlookers.changed)
        self.message_hooks = MessageHooks(self.counters, self.onlookers.changed)
        self.notices = Notices(f"phoenix-hooks-{options.name or 'client'}")
        self.templates = Templates(options.binary_pool_size, options.binary_max_age, timers.clock)
        self.shared = SharedValues() if options.share_decoded else None
        self.codec = self.new_codec()
        # Whether a MessageProcessor has published it; the next one makes its own.
        self.codec_taken = False
        # What no channel actor has taken yet, of topics that had none so far: nothing.
        self.no_inbound = Inbound(options)
        self.transport = transport_of(options)
        self.client: Any = None
        # What makes of a topic what its user holds; and the class without code of the user's.
        self.make_facade: Callable[[Any], Any] | None = None
        self.plain_channel: Any = None
        self.registry_name: Any = options.registry_name
        # Of the present registry, or of the last one.
        self.last_registry: Any = None
        self.wire: Wire | None = None
        # Of the present ChannelManager, or of the last one.
        self.manager: Process | None = None
        self.stopping = False
        # Survives the Socket actor, so that a restarted one is as connected as the user wanted.
        self.wants_connection = options.auto_connect
        self.heartbeat_rtt: float | None = None
        # By topic; there once somebody has looked.
        self.traffic: Traffic | None = None
        self.response_times = Histogram(self.counters.lock)
        self.heartbeat_times = Histogram()
        self.sleepers = Sleepers(options)
        self.topic_locks = TopicLocks()
        self.route_counts = RouteCounts()
        self.last_error: PhoenixError | None = None
        self._lock = new_lock()
        self._topics: dict[str, Topic] = {}
        self._custom: dict[str, Any] = {}
        self._status = ConnectionStatus.DISCONNECTED
        self._gave_up: PhoenixError | None = None
        self._watchers: list[tuple[Callable[[], bool], Reply]] = []
        self._attempts: list[Attempt] = []
        self._ended = False
        # Nobody holds the client any more, by what start_link() gave.
        self.dropped = False
        close_in_children(self)

    def __repr__(self) -> str:
        """Tell status and topics."""
        return f"<Session {self._status} topics={len(self._topics)}>"

    def registry(self) -> Any:
        """Return the reference of the living registry of this client, or None."""
        known = self.last_registry
        return known if known is not None and known.is_alive() else None

    def new_codec(self) -> Codec:
        """Return a codec as the options want it."""
        options = self.options
        return Codec(options.vsn, self.counters, options.json_library, self.templates, self.shared)

    def template_stats(self) -> dict[str, Any]:
        """Return the counts of the heads of frames that are encoded once."""
        return self.templates.stats(self.counters["encoded_by_template"])

    # ---- topics -------------------------------------------------------------------------------

    def want(self, topic: Topic) -> Topic | None:
        """Want this topic: None when that is new, else the record that is there already.

        Raises:
            NoProcError: the client has ended.
        """
        with self._lock:
            if self._ended:
                raise NoProcError(self.client)
            present = self._topics.get(topic.name)
            if present is None:
                self._topics[topic.name] = topic
            return present

    def forget(self, topic: Topic) -> None:
        """Want the topic no more, unless it was wanted anew meanwhile."""
        with self._lock:
            if self._topics.get(topic.name) is topic:
                del self._topics[topic.name]
                if self.traffic is not None:
                    self.traffic.forget(topic.name)

    def topic(self, name: str) -> Topic | None:
        """Return the record of a wanted topic."""
        return self._topics.get(name)

    def topics(self) -> list[Topic]:
        """Return all wanted topics in the order in which they were first wanted."""
        with self._lock:
            return list(self._topics.values())

    def count_traffic(self) -> Traffic:
        """Count by topic from now on, and return the counts."""
        from phoenix_actors.link.traffic import Traffic

        with self._lock:
            traffic = self.traffic
            if traffic is None:
                self.traffic = traffic = Traffic(self.topic)
        self.onlookers.changed()
        return traffic

    def hibernation_stats(self) -> dict[str, Any]:
        """Return which channels sleep, and what that saved."""
        return self.sleepers.stats(self.topics(), timers.clock.now())

    # ---- the connection's status ---------------------------------------------------------------

    @property
    def status(self) -> ConnectionStatus:
        """The connection's status."""
        return self._status

    @property
    def gave_up(self) -> PhoenixError | None:
        """Why the client does not try to connect any more, or None."""
        return self._gave_up

    def set_status(self, status: ConnectionStatus, wire: Wire) -> None:
        """Note a new status and wake who waits for it; a former Socket actor's counts no more."""
        with self._lock:
            if wire is not self.wire:
                return
            self._status = status
            if status is ConnectionStatus.CONNECTING:
                self._gave_up = None
        self._wake()

    def set_gave_up(self, error: PhoenixError) -> None:
        """Note that the client has given up and wake who waits to be connected."""
        with self._lock:
            self._gave_up = error
        self._wake()

    def notify(self, hooks: HookList, *args: Any) -> None:
        """Have hooks run, in the order of these calls, on a thread where they may wait."""
        if hooks:
            self.notices.post(lambda: hooks.run(*args))

    def close_wire(self, wire: Wire) -> None:
        """The Socket actor of this wire is gone: until its successor comes, there is none."""
        with self._lock:
            if wire is not self.wire:
                return
            self.wire = None
            self._status = ConnectionStatus.DISCONNECTED
        self._wake()

    def when(self, condition: Callable[[], bool]) -> Reply:
        """Return a future that settles when the condition, looked at on each change, holds.

        The future raises NoProcError when the client ends first.
        """
        reply = Reply()
        with self._lock:
            if self._ended:
                reply.fail(NoProcError(self.client))
                return reply
            self._watchers.append((condition, reply))
        self._wake()
        return reply

    def unwatch(self, reply: Reply) -> None:
        """Forget a future of `when` that nobody waits for any more."""
        with self._lock:
            self._forget([reply])

    def _wake(self) -> None:
        # Who comes to watch wakes itself, once it stands here.
        if not self._watchers:
            return
        with self._lock:
            ready = self._ready()
            self._forget(ready)
        for reply in ready:
            reply.settle(value=True)

    def _ready(self) -> list[Reply]:
        return [reply for condition, reply in self._watchers if condition()]

    def _forget(self, replies: list[Reply]) -> None:
        self._watchers = [entry for entry in self._watchers if entry[1] not in replies]

    @property
    def stray(self) -> bool:
        """Whether nobody holds the client or a channel of it, and no code hears of it (C158).

        It is looked at where the garbage is collected too, by a thread that may hold any lock, so
        it takes none; `list` of a dictionary's values is one step, with the GIL and without it,
        which `tuple` of them is not.
        """
        if not self.dropped or self.stopping:
            return False
        hooks = self.hooks
        if hooks.open or hooks.close or hooks.error or hooks.message or self.message_hooks:
            return False
        return all(topic.stray for topic in list(self._topics.values()))

    def drop(self) -> None:
        """Nobody holds the client any more; said where the last reference to it goes."""
        self.dropped = True
        if self.stray:
            url = self.options.shown_url()
            text = f"a SocketClient of {url} was dropped and not stopped: use `with`, or stop()"
            warnings.warn(text, ResourceWarning, stacklevel=2)

    # ---- connections, and the end --------------------------------------------------------------

    def attempts(self) -> list[Attempt]:
        """Return the attempts and connections of which something is left."""
        with self._lock:
            self._attempts = _present(self._attempts)
            return list(self._attempts)

    def note_attempt(self, attempt: Attempt) -> None:
        """Wait for this one too in `join_threads`."""
        with self._lock:
            self._attempts.append(attempt)

    def join_threads(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until no socket and no thread is left; abort those then."""
        deadline = time.monotonic() + timeout
        left = [attempt for attempt in self.attempts() if not attempt.join(deadline)]
        for attempt in left:
            attempt.abort()
        return not left

    def end(self) -> None:
        """The client is gone: answer whoever still waits for a topic or for the connection."""
        self.stopping = True
        with self._lock:
            self._ended = True
            topics = list(self._topics.values())
            watchers, self._watchers = self._watchers, []
        for topic in topics:
            topic.close()
        for _, reply in watchers:
            reply.fail(NoProcError(self.client))

    def close_in_child(self) -> None:
        """Close every topic and keep off the connection, in a forked process; see `forking`."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.lend_no_more()
        self._lock = new_lock()
        self.topic_locks = TopicLocks()
        self.templates.renew_lock()
        self.heartbeat_times.renew_lock()
        self.response_times.renew_lock(self.counters.renew_lock())
        for topic in self._topics.values():
            topic.close_in_child(self.topic_locks.of(topic.name))
        self._topics.clear()

    def live_wire(self) -> Wire:
        """Return the wire of the present Socket actor.

        Raises:
            NotConnected: while there is none, between two lives of that actor.
        """
        wire = self.wire
        if wire is None:
            raise NotConnected
        return wire

    def replace_option(self, name: str, value: Any) -> None:
        """Replace an option that each attempt to connect reads anew (C15).

        Raises:
            InvalidOption: the value makes no sense, or this version has no such option.
        """
        if name not in self.options.__struct_fields__:
            raise InvalidOption(name, "is not available in this version")
        with self._lock:
            self.options = msgspec.structs.replace(self.options, **{name: value})

    # ---- what the user keeps here --------------------------------------------------------------

    def get(self, key: str, default: Any = None) -> Any:
        """Return what `put` kept under the key."""
        return self._custom.get(key, default)

    def put(self, key: str, value: Any) -> None:
        """Keep a value."""
        with self._lock:
            self._custom[key] = value

    def custom(self) -> dict[str, Any]:
        """Return all that `put` kept."""
        with self._lock:
            return dict(self._custom)


def _present(attempts: list[Attempt]) -> list[Attempt]:
    return [attempt for attempt in attempts if not attempt.gone]
