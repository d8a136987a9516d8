"""Which events of the client become log lines, and at what level."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phoenix_actors import telemetry as names
from supervisors import logs as supervisor_logs

__all__ = ["install"]

_LEVELS: Final[Mapping[tuple[str, ...], int]] = {
    names.SOCKET_CONNECTED: logging.INFO,
    names.SOCKET_DISCONNECTED: logging.WARNING,
    names.SOCKET_CONNECT_FAILED: logging.WARNING,
    names.RECONNECTION_ATTEMPT: logging.INFO,
    names.HEARTBEAT_TIMEOUT: logging.WARNING,
    names.CHANNEL_JOINED: logging.INFO,
    names.CHANNEL_CLOSED: logging.INFO,
    names.CHANNEL_GAVE_UP: logging.ERROR,
    names.FRAME_UNREADABLE: logging.WARNING,
    names.FRAME_DROPPED: logging.DEBUG,
    names.PUSH_DROPPED: logging.DEBUG,
    names.PUSH_FAILED: logging.DEBUG,
    names.HOOK_FAILED: logging.ERROR,
    names.CLIENT_STRAY: logging.WARNING,
}


# A client that was told to disconnect, or to stop, is no reason to look.
_IF_REQUESTED: Final[Mapping[tuple[str, ...], int]] = {names.SOCKET_DISCONNECTED: logging.INFO}

# A peer decides how many of these there are.
_LIMITS: Final[Mapping[tuple[str, ...], int]] = {names.FRAME_UNREADABLE: 10}


def install() -> None:
    """Log them under `phoenix_actors`; done when the package is imported."""
    supervisor_logs.install(
        "phoenix_actors", _LEVELS, "phoenix_actors.logs", _LIMITS, if_requested=_IF_REQUESTED
    )
