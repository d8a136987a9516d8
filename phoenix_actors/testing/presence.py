"""Who is present in which topic, as Phoenix.Presence tells it. Only from the server's loop.

Each tracked meta has a `phx_ref` of its own; an update gives it a new one and names the old one in
`phx_ref_prev`. Diffs are broadcast after the present step of the loop, so that a channel's reply
goes out before the diff that its handler caused, as on a real server.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phoenix_actors.testing.pubsub import PubSub

__all__ = ["PresenceTracker"]


class _Entry:
    """One meta, and the channel that it goes with."""

    def __init__(self, owner: object, key: str, meta: dict[str, Any]) -> None:
        self.owner = owner
        self.key = key
        self.meta = meta


class PresenceTracker:
    """The metas of every topic, in the order they were tracked."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self._topics: dict[str, list[_Entry]] = {}

    def track(self, owner: object, topic: str, key: str, meta: dict[str, Any]) -> None:
        """Adds a meta under `key` and broadcasts the join."""
        entry = _Entry(owner, key, {"phx_ref": _new_ref(), **meta})
        self._topics.setdefault(topic, []).append(entry)
        self._tell(topic, joins=[entry], leaves=[])

    def update(self, owner: object, topic: str, key: str, meta: dict[str, Any]) -> None:
        """Replaces the meta of `owner` under `key` and broadcasts a leave and a join in one diff.

        Raises:
            LookupError: when there is none.
        """
        for position, old in enumerate(self._topics.get(topic, [])):
            if old.owner is owner and old.key == key:
                refs = {"phx_ref": _new_ref(), "phx_ref_prev": old.meta["phx_ref"]}
                new = _Entry(owner, key, {**refs, **meta})
                self._topics[topic][position] = new
                self._tell(topic, joins=[new], leaves=[old])
                return
        raise LookupError("no presence of this channel under that key: track() one first")

    def untrack(self, owner: object, topic: str, key: str | None = None) -> None:
        """Removes what `owner` tracks under `key`, or all, and broadcasts the leave if any."""
        entries = self._topics.get(topic, [])
        gone = [e for e in entries if e.owner is owner and key in {None, e.key}]
        if gone:
            self._topics[topic] = [entry for entry in entries if entry not in gone]
            self._tell(topic, joins=[], leaves=gone)

    def present(self, topic: str) -> dict[str, Any]:
        """Returns the presences of a topic: key → `{"metas": […]}`."""
        return _group(self._topics.get(topic, []))

    def _tell(self, topic: str, *, joins: list[_Entry], leaves: list[_Entry]) -> None:
        diff = {"joins": _group(joins), "leaves": _group(leaves)}
        asyncio.get_running_loop().call_soon(self._pubsub.broadcast, topic, "presence_diff", diff)


def _group(entries: list[_Entry]) -> dict[str, Any]:
    grouped: dict[str, Any] = {}
    for entry in entries:
        grouped.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)
    return grouped


def _new_ref() -> str:
    # As long as those of Phoenix.Tracker: 12 bytes in 16 characters.
    return secrets.token_urlsafe(12)
