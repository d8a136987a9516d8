"""The bytes of the Phoenix protocol: frames in and out, without a socket.

`serializer_for(vsn)` gives the codec of a version. It is pure, and safe from any thread.
"""

from __future__ import annotations

from phoenix_actors.protocol.serializer import Serializer, serializer_for
from phoenix_actors.protocol.v1 import SerializerV1
from phoenix_actors.protocol.v2 import SerializerV2

__all__ = ["Serializer", "SerializerV1", "SerializerV2", "serializer_for"]
