"""What a channel's core tells its actor, beside the messages of the server."""

from __future__ import annotations

from typing import Any

import msgspec

from phoenix_actors.message import CloseReason

__all__ = ["Closed", "Ended", "JoinFailed", "Joined"]


class Joined(msgspec.Struct, frozen=True):
    """To the channel actor: the server said ok."""

    response: Any
    join_count: int


class JoinFailed(msgspec.Struct, frozen=True):
    """To the channel actor: the server refused."""

    response: Any


class Closed(msgspec.Struct, frozen=True):
    """To the channel actor: not joined any more, for this reason."""

    reason: CloseReason


class Ended(msgspec.Struct, frozen=True):
    """To the channel actor: there is nothing more to come."""
