"""`Presence`: who is present in a topic, kept from its join, and who is told of changes.

The state belongs to the topic, so it survives restarts of the channel's actor, rejoins and
reconnects. Frames reach it on that actor, before anybody else gets them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, overload

from phoenix_actors.errors import InvalidOption
from phoenix_actors.link.hooks import HookList, Subscription
from phoenix_actors.machines.presence import (
    DiffCame,
    JoinBegun,
    Malformed,
    PresenceJoined,
    PresenceLeft,
    PresenceMachine,
    PresenceSynced,
    StateCame,
    copy,
)
from phoenix_actors.telemetry import PRESENCE_UNREADABLE, emit
from supervisors._locks import new_lock

if TYPE_CHECKING:
    from phoenix_actors.message import Frame

__all__ = ["PRESENCE_EVENTS", "Presence", "checked_events"]

PRESENCE_EVENTS: Final = ("presence_state", "presence_diff")

T = TypeVar("T")
# Inside the class, `list` is its method.
ListOf: TypeAlias = list[T]
JoinFunction: TypeAlias = Callable[[str, dict[str, Any] | None, dict[str, Any]], object]
LeaveFunction: TypeAlias = Callable[[str, dict[str, Any], dict[str, Any]], object]


class Presence:
    """Who is present in a topic: what `client.presence(topic)` returns. Safe from any thread.

    A presence is a dict with the list `metas`, one meta for each place where the key is present,
    and whatever else the server's `fetch` adds. All that is handed out are copies.

    Functions run on the channel's actor, in wire order, before handlers of the same event; what one
    raises is reported and stops nothing. After a rejoin the old state stays listed until the server
    has sent the new one; then they are told exactly what has changed.

    Example:
        >>> presence = Presence("room:lobby", PRESENCE_EVENTS)
        >>> subscription = presence.on_sync(lambda: print(presence.list()))
        >>> presence.update(StateCame({"al": {"metas": [{"phx_ref": "1", "device": "phone"}]}}))
        [{'metas': [{'phx_ref': '1', 'device': 'phone'}]}]
        >>> presence.list(lambda key, presence: (key, len(presence["metas"])))
        [('al', 1)]
    """

    def __init__(self, topic: str, events: tuple[str, str]) -> None:
        """Made by the client; `events` are the server's words for a state and a diff."""
        self._topic = topic
        self._events = events
        self._machine = PresenceMachine()
        # An abandoned actor may still be in a handler while the next one takes frames.
        self._lock = new_lock()
        self._on_join = HookList(f"presence on_join of {topic}")
        self._on_leave = HookList(f"presence on_leave of {topic}")
        self._on_sync = HookList(f"presence on_sync of {topic}")

    def __repr__(self) -> str:
        """Tell topic and count, and nothing of who is present."""
        words = "synced" if self.synced else "not synced"
        return f"<Presence {self._topic!r} {words} present={len(self._machine.state)}>"

    @property
    def topic(self) -> str:
        """The topic."""
        return self._topic

    @property
    def synced(self) -> bool:
        """Whether the server has sent its state since the last join."""
        return self._machine.synced

    @overload
    def list(self, by: None = None) -> ListOf[dict[str, Any]]: ...

    @overload
    def list(self, by: Callable[[str, dict[str, Any]], T]) -> ListOf[T]: ...

    def list(self, by: Callable[[str, dict[str, Any]], Any] | None = None) -> ListOf[Any]:
        """Return the presences, in the order in which their keys came.

        Args:
            by: called with key and presence; the list is of what it returns.
        """
        state = self._machine.state  # replaced as a whole, never changed
        if by is None:
            return [copy(presence) for presence in state.values()]
        return [by(key, copy(presence)) for key, presence in state.items()]

    # ---- functions ----------------------------------------------------------------------------

    def on_join(self, fn: JoinFunction) -> Subscription:
        """Call `fn(key, current, new)` when metas were added under a key.

        `current` is the presence before, None for a new key; `new` has only the metas that are new.
        An update of a meta is a join of the new and a leave of the old one, in this order.
        """
        _check("on_join", fn)
        return self._on_join.add(lambda key, current, new: fn(key, copy(current), copy(new)))

    def on_leave(self, fn: LeaveFunction) -> Subscription:
        """Call `fn(key, remaining, left)` when metas were removed under a key.

        `remaining` is the presence now: when its `metas` are empty, nobody is left under the key.
        `left` has the metas that were removed.
        """
        _check("on_leave", fn)
        return self._on_leave.add(lambda key, left, gone: fn(key, copy(left), copy(gone)))

    def on_sync(self, fn: Callable[[], object]) -> Subscription:
        """Call `fn()` once for each state and each diff, after the functions for its changes."""
        return self._on_sync.add(fn)

    # ---- what the channel tells ----------------------------------------------------------------

    def update(self, event: JoinBegun | StateCame | DiffCame) -> None:
        """Take what happened on the channel; called by its actor."""
        with self._lock:
            told = self._machine.handle(event)
        for command in told:
            match command:
                case PresenceJoined(key, current, new):
                    self._on_join.run(key, current, new)
                case PresenceLeft(key, remaining, left):
                    self._on_leave.run(key, remaining, left)
                case PresenceSynced():
                    self._on_sync.run()
                case Malformed():
                    emit(PRESENCE_UNREADABLE, topic=self._topic)

    def take(self, frame: Frame) -> None:
        """Take a frame with one of the two events; called by the channel's actor."""
        is_state = frame.event == self._events[0]
        self.update(StateCame(frame.payload) if is_state else DiffCame(frame.payload))


def checked_events(value: Any) -> tuple[str, str]:
    """Return what a channel class names as its presence events.

    Raises:
        InvalidOption: it is no pair of two different words.
    """
    usual: Any = PRESENCE_EVENTS
    if value is usual:
        return PRESENCE_EVENTS
    match value:
        case (str() as state, str() as diff) if state and diff and state != diff:
            # Mostly the one pair, which then is the same object for all topics.
            return PRESENCE_EVENTS if value == PRESENCE_EVENTS else (state, diff)
        case _:
            problem = "must be the server's two words for a state and for a diff"
            raise InvalidOption("presence_events", problem)


def _check(name: str, fn: Any) -> None:
    if not callable(fn):
        raise InvalidOption(name, f"needs a function, not a {type(fn).__name__}")
