"""After a fork: the child has no client, and keeps off the connections of its parent's.

The socket is the parent's too: what the child wrote there, or read, would be missing in the parent.
So to the child every topic is closed. Its locks are new ones, for a thread that is not there in the
child may have held the former.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session

__all__ = ["close_in_children"]

_sessions: Final[WeakSet[Session]] = WeakSet()


def close_in_children(session: Session) -> None:
    """Close all topics of the client in every process that is forked while it is there."""
    _sessions.add(session)


def _in_child() -> None:
    for session in list(_sessions):
        session.close_in_child()
    _sessions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
