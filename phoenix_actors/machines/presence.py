"""Who is present in a topic: the server's state and diffs, read as phoenix.js reads them.

A presence is a mapping with `metas`, one for each place where the key is present; the server gives
each meta a `phx_ref` of its own, by which metas are told apart.

Laws:

- A diff that comes before the state of the present join is held and applied after it (C126).
- A rejoin keeps the old state until the new one came, which then tells only the differences (C127).
- What the server sent is never changed, and what is given out must not be: a new state is a new
  mapping, whose unchanged presences are those of the old one (C132).
- A key is a key, whatever the word (C136).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, TypeAlias

import msgspec

__all__ = [
    "MAX_HELD",
    "DiffCame",
    "JoinBegun",
    "Malformed",
    "PresenceJoined",
    "PresenceLeft",
    "PresenceMachine",
    "PresenceSynced",
    "Presences",
    "StateCame",
    "copy",
    "sync_diff",
    "sync_state",
]

# A server that never sends a state must not make a client keep every diff.
MAX_HELD: Final = 1_000

Presences: TypeAlias = dict[str, dict[str, Any]]


class _Silent(msgspec.Struct, frozen=True):
    """What shows by its name and tells nothing of what the server sent."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class JoinBegun(_Silent, frozen=True):
    """Told: the topic is joined anew, so a new state is to come; diffs wait for it."""


class StateCame(_Silent, frozen=True):
    """Told: the server sent who is present."""

    payload: Any


class DiffCame(_Silent, frozen=True):
    """Told: the server sent who came and went."""

    payload: Any


class PresenceJoined(_Silent, frozen=True):
    """Says: metas were added under a key.

    Attributes:
        key: who.
        current: the presence as it was before, None when the key is new.
        new: the presence with the metas that are new.
    """

    key: str
    current: dict[str, Any] | None
    new: dict[str, Any]


class PresenceLeft(_Silent, frozen=True):
    """Says: metas were removed under a key.

    Attributes:
        key: who.
        remaining: the presence as it is now; without metas, the key is gone.
        left: the presence with the metas that left.
    """

    key: str
    remaining: dict[str, Any]
    left: dict[str, Any]


class PresenceSynced(_Silent, frozen=True):
    """Says: the state or the diff is all applied."""


class Malformed(_Silent, frozen=True):
    """Says: the payload tells of no presences, and nothing was changed."""


Change: TypeAlias = PresenceJoined | PresenceLeft
Command: TypeAlias = PresenceJoined | PresenceLeft | PresenceSynced | Malformed


class PresenceMachine:
    """The presences of one topic, from join to join.

    Example:
        >>> machine = PresenceMachine()
        >>> machine.handle(StateCame({"al": {"metas": [{"phx_ref": "1"}]}}))
        [PresenceJoined(), PresenceSynced()]
        >>> machine.handle(JoinBegun())
        []
        >>> machine.synced, list(machine.state)
        (False, ['al'])
    """

    __slots__ = ("_held", "state", "synced")

    def __init__(self) -> None:
        self.state: Presences = {}
        # Whether the state of the present join has come.
        self.synced = False
        self._held: deque[tuple[Presences, Presences]] = deque(maxlen=MAX_HELD)

    def handle(self, event: JoinBegun | StateCame | DiffCame) -> list[Command]:
        """Take what happened; return what is to be told, in order."""
        match event:
            case JoinBegun():
                # Diffs that were held are of a join whose state will not come any more.
                self.synced = False
                self._held.clear()
                return []
            case StateCame(payload):
                new = _read(payload)
                return [Malformed()] if new is None else self._sync(new)
            case DiffCame(payload):
                return self._follow(payload)

    def _sync(self, new: Presences) -> list[Command]:
        """Take over the server's state, and the diffs that came before it."""
        self.state, changes = sync_state(self.state, new)
        told: list[Command] = [*changes]
        for joins, leaves in self._held:
            self.state, changes = sync_diff(self.state, joins, leaves)
            told += changes
        self._held.clear()
        self.synced = True
        return [*told, PresenceSynced()]

    def _follow(self, payload: Any) -> list[Command]:
        """Apply a diff, or hold it until the state has come."""
        if not isinstance(payload, dict):
            return [Malformed()]
        joins, leaves = _read(payload.get("joins", {})), _read(payload.get("leaves", {}))
        if joins is None or leaves is None:
            return [Malformed()]
        if not self.synced:
            self._held.append((joins, leaves))
            return []
        self.state, changes = sync_diff(self.state, joins, leaves)
        return [*changes, PresenceSynced()]


def sync_state(state: Presences, new: Presences) -> tuple[Presences, list[Change]]:
    """Return the state after the server has sent a whole new one, and what that changes (C128).

    Neither mapping is changed.

    Example:
        >>> sync_state({"al": {"metas": [{"phx_ref": "1"}]}}, {})
        ({}, [PresenceLeft()])
    """
    joins: Presences = {}
    leaves: Presences = {key: here for key, here in state.items() if key not in new}
    for key, presence in new.items():
        here = state.get(key)
        if here is None:
            joins[key] = presence
            continue
        joined = _without(presence["metas"], _refs(here))
        left = _without(here["metas"], _refs(presence))
        if joined:
            joins[key] = {**presence, "metas": joined}
        if left:
            leaves[key] = {**here, "metas": left}
    return sync_diff(state, joins, leaves)


def sync_diff(
    state: Presences, joins: Presences, leaves: Presences
) -> tuple[Presences, list[Change]]:
    """Return the state after a diff, and what that changes (C129, C130).

    Joins come first, so an update never removes its key (C131). No mapping is changed.

    Example:
        >>> al = {"al": {"metas": [{"phx_ref": "1"}]}}
        >>> state, changes = sync_diff(al, {"al": {"metas": [{"phx_ref": "2"}]}}, al)
        >>> state
        {'al': {'metas': [{'phx_ref': '2'}]}}
        >>> changes
        [PresenceJoined(), PresenceLeft()]
    """
    state, changes = dict(state), list[Change]()
    for key, new in joins.items():
        here = state.get(key)
        kept = [] if here is None else _without(here["metas"], _refs(new))
        state[key] = {**new, "metas": [*kept, *new["metas"]]}
        changes.append(PresenceJoined(key, here, new))
    for key, left in leaves.items():
        here = state.get(key)
        if here is None:
            continue
        remaining = {**here, "metas": _without(here["metas"], _refs(left))}
        changes.append(PresenceLeft(key, remaining, left))
        if remaining["metas"]:
            state[key] = remaining
        else:
            del state[key]
    return state, changes


def copy(value: Any) -> Any:
    """Return a JSON value that shares nothing changeable with this one (C132).

    Example:
        >>> metas = [{"phx_ref": "1"}]
        >>> copy(metas) == metas, copy(metas)[0] is metas[0]
        (True, False)
    """
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy(item) for item in value]
    return value


def _read(value: Any) -> Presences | None:
    """Return a copy of presences as the server sends them, None when they are none."""
    if not isinstance(value, dict) or not all(map(_is_presence, value.values())):
        return None
    presences: Presences = copy(value)
    return presences


def _is_presence(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(metas := value.get("metas"), list)
        and all(isinstance(meta, dict) and isinstance(meta.get("phx_ref"), str) for meta in metas)
    )


def _refs(presence: dict[str, Any]) -> set[str]:
    return {meta["phx_ref"] for meta in presence["metas"]}


def _without(metas: list[dict[str, Any]], refs: set[str]) -> list[dict[str, Any]]:
    return [meta for meta in metas if meta["phx_ref"] not in refs]
