"""The options of the server, checked in one place."""

from __future__ import annotations

import math
from datetime import timedelta

import msgspec

__all__ = ["ServerOptions", "seconds"]


def seconds(value: float | timedelta, name: str) -> float:
    """Returns a duration as seconds.

    Raises:
        ValueError: for anything but a finite number or a `timedelta` of zero or more.

    Example:
        >>> seconds(timedelta(minutes=1), "idle_timeout")
        60.0
        >>> seconds(-1, "idle_timeout")
        Traceback (most recent call last):
        ValueError: idle_timeout must be a number of seconds, zero or more, not -1
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float)
        or not math.isfinite(number)
        or number < 0
    ):
        raise ValueError(f"{name} must be a number of seconds, zero or more, not {value!r}")
    return float(number)


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a `PhoenixServer` is started with; durations in seconds, sizes in bytes.

    Raises:
        ValueError: when a value is of the wrong type or out of range.

    Example:
        >>> ServerOptions(port=4000).idle_timeout
        60.0
        >>> ServerOptions(port=70000)
        Traceback (most recent call last):
        ValueError: port must be a whole number from 0 to 65535, not 70000
    """

    host: str = "127.0.0.1"
    port: int = 0
    idle_timeout: float | timedelta | None = 60.0
    compress: bool = True
    max_frame_size: int = 10_000_000
    max_channels: int = 1_000_000
    drain_timeout: float | timedelta = 2.0
    auth_token: bool = False
    longpoll_window: float | timedelta = 10.0

    def __post_init__(self) -> None:
        """Checks each value."""
        if not isinstance(self.host, str) or not self.host:
            raise ValueError(f"host must be a name or an address, not {self.host!r}")
        if not isinstance(self.compress, bool):
            raise ValueError(f"compress must be True or False, not {self.compress!r}")
        if not isinstance(self.auth_token, bool):
            raise ValueError(
                f"auth_token must be True or False, not {type(self.auth_token).__name__}"
            )
        _check_whole("port", self.port, 0, 65535)
        _check_whole("max_frame_size", self.max_frame_size, 1)
        _check_whole("max_channels", self.max_channels, 1)
        if self.idle_timeout is not None and seconds(self.idle_timeout, "idle_timeout") == 0:
            raise ValueError("idle_timeout must be more than 0 seconds, or None for no limit")
        seconds(self.drain_timeout, "drain_timeout")
        if seconds(self.longpoll_window, "longpoll_window") == 0:
            raise ValueError("longpoll_window must be more than 0 seconds")

    @property
    def idle_seconds(self) -> float | None:
        """Seconds without a byte from the client until the server closes with 1002."""
        return None if self.idle_timeout is None else seconds(self.idle_timeout, "idle_timeout")

    @property
    def drain_seconds(self) -> float:
        """Seconds that clients have for closing their end at shutdown."""
        return seconds(self.drain_timeout, "drain_timeout")

    @property
    def window_seconds(self) -> float:
        """Seconds that a poll waits for messages."""
        return seconds(self.longpoll_window, "longpoll_window")


def _check_whole(name: str, value: object, low: int, high: int | None = None) -> None:
    in_range = (
        isinstance(value, int)
        and not isinstance(value, bool)
        and value >= low
        and (high is None or value <= high)
    )
    if not in_range:
        span = f"{low} or more" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {span}, not {value!r}")
