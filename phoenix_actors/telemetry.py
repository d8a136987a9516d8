"""The names of this package's events, and how they are emitted.

Payloads, params, headers and URLs with their query are never in an event (C188).
"""

from __future__ import annotations

from typing import Any, Final

from supervisors.telemetry import execute

__all__ = [
    "CHANNEL_CLOSED",
    "CHANNEL_GAVE_UP",
    "CHANNEL_JOINED",
    "CHANNEL_JOIN_ERROR",
    "CHANNEL_JOIN_START",
    "CHANNEL_JOIN_STOP",
    "CHANNEL_LEFT",
    "FRAME_DROPPED",
    "FRAME_UNREADABLE",
    "HEARTBEAT_REPLY",
    "HEARTBEAT_SENT",
    "HEARTBEAT_TIMEOUT",
    "HIBERNATION_BATCH",
    "HIBERNATION_STARTED",
    "HIBERNATION_TERMINATING",
    "HOOK_FAILED",
    "MESSAGE_RECEIVED",
    "MESSAGE_SENT",
    "MONITOR_ALERTS",
    "MONITOR_CLEANUP",
    "MONITOR_STARTED",
    "MONITOR_TERMINATING",
    "POOL_CLEANUP",
    "PRESENCE_UNREADABLE",
    "PUSH_DROPPED",
    "RECONNECTION_ATTEMPT",
    "SOCKET_BACKPRESSURE",
    "SOCKET_CONNECTED",
    "SOCKET_CONNECT_FAILED",
    "SOCKET_DISCONNECTED",
    "SOCKET_STATUS",
    "emit",
]

_PREFIX: Final = "phoenix_socket_client"

SOCKET_CONNECTED: Final = (_PREFIX, "socket", "connected")
SOCKET_DISCONNECTED: Final = (_PREFIX, "socket", "disconnected")
SOCKET_CONNECT_FAILED: Final = (_PREFIX, "socket", "connect_failed")
SOCKET_BACKPRESSURE: Final = (_PREFIX, "socket", "backpressure")
SOCKET_STATUS: Final = (_PREFIX, "socket", "status_change")
RECONNECTION_ATTEMPT: Final = (_PREFIX, "reconnection", "attempt")
HEARTBEAT_SENT: Final = (_PREFIX, "heartbeat", "sent")
HEARTBEAT_REPLY: Final = (_PREFIX, "heartbeat", "reply")
HEARTBEAT_TIMEOUT: Final = (_PREFIX, "heartbeat", "timeout")
CHANNEL_JOIN_START: Final = (_PREFIX, "channel", "join", "start")
CHANNEL_JOIN_STOP: Final = (_PREFIX, "channel", "join", "stop")
CHANNEL_JOIN_ERROR: Final = (_PREFIX, "channel", "join", "error")
CHANNEL_JOINED: Final = (_PREFIX, "channel", "joined")
CHANNEL_LEFT: Final = (_PREFIX, "channel", "left")
CHANNEL_CLOSED: Final = (_PREFIX, "channel", "closed")
CHANNEL_GAVE_UP: Final = (_PREFIX, "channel", "gave_up")
MESSAGE_SENT: Final = (_PREFIX, "message", "sent")
MESSAGE_RECEIVED: Final = (_PREFIX, "message", "received")
PRESENCE_UNREADABLE: Final = (_PREFIX, "presence", "unreadable")
PUSH_DROPPED: Final = (_PREFIX, "push", "dropped")
FRAME_DROPPED: Final = (_PREFIX, "message", "dropped")
FRAME_UNREADABLE: Final = (_PREFIX, "message", "unreadable")
MONITOR_STARTED: Final = (_PREFIX, "optimization", "performance_monitor_started")
MONITOR_CLEANUP: Final = (_PREFIX, "optimization", "performance_monitor_cleanup")
MONITOR_ALERTS: Final = (_PREFIX, "optimization", "performance_monitor_alerts_triggered")
MONITOR_TERMINATING: Final = (_PREFIX, "optimization", "performance_monitor_terminating")
POOL_CLEANUP: Final = (_PREFIX, "optimization", "binary_pool_cleanup")
HIBERNATION_STARTED: Final = (_PREFIX, "optimization", "hibernation_manager_started")
HIBERNATION_BATCH: Final = (_PREFIX, "optimization", "hibernation_batch_completed")
HIBERNATION_TERMINATING: Final = (_PREFIX, "optimization", "hibernation_manager_terminating")
HOOK_FAILED: Final = (_PREFIX, "hook", "failed")


def emit(
    name: tuple[str, ...], measurements: dict[str, Any] | None = None, /, **metadata: Any
) -> None:
    """Tell whoever listens to the event of this name.

    Example:
        >>> emit(CHANNEL_JOINED, topic="room:lobby")
    """
    execute(name, {"count": 1} if measurements is None else measurements, metadata)
