"""What carries frames: the protocol of a transport, WebSocket, long poll, and one in memory."""

from __future__ import annotations

from phoenix_actors.transport.interface import Transport, TransportEvents, TransportHandle

__all__ = ["Transport", "TransportEvents", "TransportHandle"]
