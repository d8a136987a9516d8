"""The reference application: the channels that the project's tests, demo and examples speak to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from phoenix_actors.testing.channel import ServerChannel
from phoenix_actors.testing.reference.counter import CounterChannel
from phoenix_actors.testing.reference.presence import PresenceChannel
from phoenix_actors.testing.reference.room import RoomChannel

__all__ = ["REFERENCE_CHANNELS", "CounterChannel", "PresenceChannel", "RoomChannel"]

REFERENCE_CHANNELS: Mapping[str, type[ServerChannel]] = MappingProxyType(
    {"room:*": RoomChannel, "presence:*": PresenceChannel, "counter:*": CounterChannel}
)
