"""After a fork: the child has no client, and keeps off the connections of its parent's.

The socket is the parent's too: what the child wrote there, or read, would be missing in the parent.
So to the child every topic is closed. Its locks are new ones, for a thread that is not there in the
child may have held the former.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from phoenix_actors.link.shared_lock import TopicLocks
from phoenix_actors.link.topic_record import _CLOSED
from supervisors._locks import new_lock

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session

__all__ = ["close_in_children"]

_sessions: Final[WeakSet[Session]] = WeakSet()


def close_in_children(session: Session) -> None:
    """Close all topics of the client in every process that is forked while it is there."""
    _sessions.add(session)


def _in_child() -> None:
    for session in list(_sessions):
        _close(session)
    _sessions.clear()


def _close(session: Session) -> None:
    wire, session.wire = session.wire, None
    if wire is not None:
        # Whoever waits for an answer of the parent's must not read it.
        wire._lender = None
    locks = session.topic_locks = TopicLocks()
    session._lock = new_lock()
    session.counters._lock, session.templates._lock = new_lock(), new_lock()
    for topic in session._topics.values():
        topic.lock, topic.core, topic._end = locks.of(topic.name), None, _CLOSED
    session._topics.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
