"""What a topic of one client knows, whichever actor serves it. Most is made when it is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.link.early import EarlyPushes
from phoenix_actors.link.join_reply import JoinReply
from phoenix_actors.link.listeners import Listeners
from phoenix_actors.link.overflow import RoomBell
from phoenix_actors.link.presence import Presence, checked_events
from phoenix_actors.link.shared_lock import shared_lock
from phoenix_actors.link.topic_child import TopicChild
from phoenix_actors.message import ChannelState
from phoenix_actors.telemetry import FRAME_DROPPED, emit
from supervisors import ChildSpec

if TYPE_CHECKING:
    from contextvars import Context

    from phoenix_actors.link.core import ChannelCore
    from phoenix_actors.link.session import Session
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.protocol.v2 import Prepared

__all__ = ["TopicRecord"]

# For the facades of all topics: held for a few steps, when one is made.
_changing = shared_lock()

# What is kept of an empty object of JSON, until somebody looks at it.
_EMPTY: Final[Any] = object()


def _references(record: Any) -> int:
    """Return what getrefcount() says of the facade of a topic."""
    return sys.getrefcount(record._facade)


# The same where nobody else holds the facade.
_ALONE: Final = _references(SimpleNamespace(_facade=object()))


class _Uses:
    """What only some topics have, each made when somebody asks for it."""

    __slots__ = ("early", "joiner", "last_join", "listeners", "presence", "room")

    def __init__(self) -> None:
        """Begin with none."""
        # Pushes between two lives.
        self.early: EarlyPushes | None = None
        # The context variables of whoever joins, for the events of the first join.
        self.joiner: Context | None = None
        # The last phx_join of a life that is over: wire, generation and join_ref.
        self.last_join: tuple[Wire, int | None, str] | None = None
        self.listeners: Listeners | None = None
        self.presence: Presence | None = None
        # Rings when pushes that wait for the join may have gone.
        self.room = RoomBell()


_WANTED, _LEAVING, _CLOSED = range(3)

# Those of a topic that has none; it does not change.
_NONE: Final = _Uses()


def _kept(value: Any) -> Any:
    """Return what is kept of a value."""
    return _EMPTY if type(value) is dict and not value else value


class TopicRecord(TopicChild):
    """The state of one `Topic`; its arguments are explained there. Safe from any thread."""

    __slots__ = (
        "_end",
        "_facade",
        "_params",
        "_response",
        "_uses",
        "core",
        "idle_since",
        "inbound",
        "join_count",
        "joined_once",
        "lock",
        "manager",
        "name",
        "prepared",
        "session",
        "spec",
        "timeout",
    )

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
        self._params = _kept(params)
        # Params that no function gives, encoded for the first join.
        self.prepared: Prepared | None = None
        self.timeout = timeout
        # The answer to the first join, for whoever called join(); settled once.
        self.joined_once = JoinReply()
        self._response: Any = None
        self.join_count = 0
        # When the hibernation manager first found it unused; None since somebody has used it.
        self.idle_since: float | None = None
        self.core: ChannelCore | None = None
        # What waits for the actor; each life has its own. This one is for who looks before any.
        self.inbound = session.no_inbound
        self._end = _WANTED
        # Which ChannelManager has started it, so that none starts it twice.
        self.manager: Any = None
        # What users hold, until the topic is closed; whether they do is told by its references, for
        # a weak reference takes 80 bytes.
        self._facade: Any = None
        # Of the lives of the channel, too. Reentrant, for a life begins while it is held. Other
        # topics of the client may have the same one, see `TopicLocks`.
        self.lock = session.topic_locks.of(name)
        self._uses = _NONE
        start: Any = spec.start
        checked_events(start.presence_events)
        # Mostly the one of all topics with this class.
        self.spec = spec

    def __repr__(self) -> str:
        """Tell name and state."""
        return f"<Topic {self.name!r} {self.state} joins={self.join_count}>"

    def __str__(self) -> str:
        """Be shown by name, as the id of a child."""
        return self.name

    @property
    def presence_events(self) -> tuple[str, str]:
        """The server's words for the state and the diffs of presences."""
        start: Any = self.spec.start
        return checked_events(start.presence_events)

    @property
    def facade(self) -> Any:
        """What users hold of the topic."""
        make = self.session.make_facade
        if make is None:
            return self
        facade = self._facade
        if facade is None:
            # Made before the lock of all topics is taken, which collecting garbage may run into.
            made = make(self)
            with _changing:
                facade = self._facade
                if facade is None:
                    self._facade = facade = made
        return facade

    @property
    def stray(self) -> bool:
        """Whether no code of the user's can reach it, or be reached from it."""
        held = self._facade is not None and _references(self) > _ALONE
        plain = self.spec.start is self.session.plain_channel
        return plain and not held and not self._uses.listeners

    @property
    def params(self) -> Any:
        """The params of each join, or the function that gives them."""
        if self._params is _EMPTY:
            with self.lock:
                if self._params is _EMPTY:
                    self._params = {}
        return self._params

    @property
    def params_to_send(self) -> Any:
        """The same for who does not keep them."""
        return {} if self._params is _EMPTY else self._params

    @property
    def response(self) -> Any:
        """What the server said to the last join."""
        if self._response is _EMPTY:
            with self.lock:
                if self._response is _EMPTY:
                    self._response = {}
        return self._response

    @response.setter
    def response(self, response: Any) -> None:
        self._response = _kept(response)

    @property
    def state(self) -> ChannelState:
        """The channel's state; closed while no actor serves it."""
        core = self.core
        return ChannelState.CLOSED if core is None else core.state

    def _own_uses(self) -> _Uses:
        """Return what this topic has of its own; requires holding the lock."""
        if self._uses is _NONE:
            self._uses = _Uses()
        return self._uses

    @property
    def room(self) -> RoomBell:
        """What rings when pushes that wait for the join may have gone; nobody waits for it yet."""
        return self._uses.room

    def own_room(self) -> RoomBell:
        """Return the same for who is going to wait for it."""
        with self.lock:
            return self._own_uses().room

    @property
    def leaving(self) -> bool:
        """Whether it is not wanted any more."""
        return self._end != _WANTED

    @property
    def closed(self) -> bool:
        """Whether who waited for something of it was answered, too."""
        return self._end == _CLOSED

    def close_in_child(self, lock: Any) -> None:
        """Be closed, in a forked process, and take another lock."""
        self.lock, self.core, self._end = lock, None, _CLOSED

    def note_last_join(self, core: ChannelCore) -> None:
        """Keep what the server knows of a life that ends; requires holding the lock."""
        sent = core.sent_join()
        if sent is not None:
            self._own_uses().last_join = sent

    @property
    def joiner(self) -> Context | None:
        """The context variables of whoever joins, for the events of the first join."""
        return self._uses.joiner

    @joiner.setter
    def joiner(self, joiner: Context) -> None:
        with self.lock:
            self._own_uses().joiner = joiner

    @property
    def listeners(self) -> Listeners:
        """Who gets the topic's messages."""
        listeners = self._uses.listeners
        if listeners is None:
            with self.lock:
                uses = self._own_uses()
                listeners = uses.listeners
                if listeners is None:
                    listeners = uses.listeners = Listeners(self.name, self._stream_dropped)
                    if self.closed:
                        listeners.close()
        return listeners

    def _stream_dropped(self, event: str) -> None:
        """Count and tell that a stream, whose user takes nothing, dropped its oldest message."""
        self.session.counters.add("frames_dropped_stream")
        emit(FRAME_DROPPED, topic=self.name, event=event, cause="stream")
