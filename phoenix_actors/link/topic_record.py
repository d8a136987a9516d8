"""What a topic of one client knows, whichever actor serves it. Most is made when it is needed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any

from phoenix_actors.link.early import EarlyPushes
from phoenix_actors.link.listeners import Listeners
from phoenix_actors.link.overflow import RoomBell
from phoenix_actors.link.presence import Presence, checked_events
from phoenix_actors.link.shared_lock import shared_lock
from phoenix_actors.message import ChannelState
from phoenix_actors.telemetry import FRAME_DROPPED, emit
from supervisors import ChildSpec, Reply

if TYPE_CHECKING:
    from phoenix_actors.link.core import ChannelCore
    from phoenix_actors.link.session import Session
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.protocol.v2 import Prepared

__all__ = ["TopicRecord"]

# For the facades of all topics: held for a few steps, when one is made.
_changing = shared_lock()


def _itself(topic: TopicRecord) -> TopicRecord:
    """What is held of a topic, unless something else is made for that."""
    return topic


class TopicRecord:
    """The state of one `Topic`; its arguments are explained there. Safe from any thread."""

    __slots__ = (
        "__weakref__",
        "_early",
        "_facade",
        "_listeners",
        "_lock",
        "_presence",
        "closed",
        "core",
        "idle_since",
        "in_use",
        "inbound",
        "join_count",
        "joined_once",
        "joiner",
        "last_join",
        "leaving",
        "make_facade",
        "manager",
        "name",
        "params",
        "plain",
        "prepared",
        "presence_events",
        "response",
        "room",
        "session",
        "spec",
        "timeout",
    )

    def __init__(
        self,
        session: Session,
        name: str,
        params: Mapping[str, Any] | Callable[[], Any],
        spec: ChildSpec | Callable[[Any], ChildSpec],
        timeout: float | None,
    ) -> None:
        """Begin wanted, with no actor yet."""
        self.session = session
        self.name = name
        self.params = params
        # Params that no function gives, encoded for the first join.
        self.prepared: Prepared | None = None
        self.timeout = timeout
        # The answer to the first join, for whoever called join(); settled once.
        self.joined_once = Reply()
        self.response: Any = None
        self.join_count = 0
        # The last phx_join that was sent: wire, generation and join_ref.
        self.last_join: tuple[Wire, int | None, str] | None = None
        # Set by whoever uses the channel, taken back by the hibernation manager, which notes when.
        self.in_use = True
        self.idle_since = 0.0
        self.core: ChannelCore | None = None
        # The context variables of whoever joins, for the events of the first join.
        self.joiner: Context | None = None
        # What waits for the actor; each life has its own. This one is for who looks before any.
        self.inbound = session.no_inbound
        self.leaving = False
        self.closed = False
        # Which ChannelManager has started it, so that none starts it twice.
        self.manager: Any = None
        # What users hold; made anew when nobody holds one, so that it tells whether they do.
        self.make_facade: Callable[[Any], Any] = _itself
        self._facade: weakref.ref[Any] | None = None
        # Served by an actor without code of the user's.
        self.plain = False
        # Made when somebody asks for it.
        self._listeners: Listeners | None = None
        self._lock = threading.Lock()
        # Pushes between two lives; made with the first of them.
        self._early: EarlyPushes | None = None
        self._presence: Presence | None = None
        # Rings when pushes that wait for the join may have gone.
        self.room = RoomBell()
        self.spec = spec.with_(id=self) if isinstance(spec, ChildSpec) else spec(self)
        start: Any = self.spec.start
        self.presence_events = checked_events(start.presence_events)

    def __repr__(self) -> str:
        """Tell name and state."""
        return f"<Topic {self.name!r} {self.state} joins={self.join_count}>"

    def __str__(self) -> str:
        """Be shown by name, as the id of a child."""
        return self.name

    @property
    def facade(self) -> Any:
        """What users hold of the topic; the same one as long as somebody holds it."""
        held = None if self._facade is None else self._facade()
        if held is None:
            # Made before the lock of all topics is taken, which collecting garbage may run into.
            made = self.make_facade(self)
            ref = weakref.ref(made)
            with _changing:
                held = None if self._facade is None else self._facade()
                if held is None:
                    self._facade, held = ref, made
        return held

    @property
    def stray(self) -> bool:
        """Whether no code of the user's can reach it, or be reached from it."""
        held = self._facade is not None and self._facade() is not None
        return self.plain and not held and not self._listeners

    @property
    def state(self) -> ChannelState:
        """The channel's state; closed while no actor serves it."""
        core = self.core
        return ChannelState.CLOSED if core is None else core.machine.state

    @property
    def listeners(self) -> Listeners:
        """Who gets the topic's messages."""
        listeners = self._listeners
        if listeners is None:
            with self._lock:
                listeners = self._listeners
                if listeners is None:
                    listeners = self._listeners = Listeners(self.name, self._stream_dropped)
                    if self.closed:
                        listeners.close()
        return listeners

    def _stream_dropped(self, event: str) -> None:
        """Count and tell that a stream, whose user takes nothing, dropped its oldest message."""
        self.session.counters.add("frames_dropped_stream")
        emit(FRAME_DROPPED, topic=self.name, event=event, cause="stream")
