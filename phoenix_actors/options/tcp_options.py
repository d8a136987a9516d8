"""What the socket below a connection is told."""

from __future__ import annotations

import msgspec

from phoenix_actors.errors import InvalidOption
from phoenix_actors.options import checks

__all__ = ["TCPOptions"]

_PREFIX = "transport_opts.tcp_opts"
# What the systems take at most; more would be refused by the socket.
_MOST = {"keepalive_idle": 32767, "keepalive_interval": 32767, "keepalive_count": 127}


class TCPOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`transport_opts["tcp_opts"]` (C172). For sizes and numbers False means the system's own.

    The system's buffers grow with need, so they are the default. Fixed ones of 32 KiB, as other
    clients set them, save memory where there are many connections; a message of 1 MB then takes
    half a second on loopback, and 10 ms without.

    Attributes:
        nodelay: send small frames at once.
        keepalive: let the system ask a silent peer whether it is there.
        buffer: bytes that this side reads in one go.
        send_buffer, recv_buffer: bytes that the system keeps for either direction.
        keepalive_idle: seconds of silence until it asks first.
        keepalive_interval: seconds until it asks again.
        keepalive_count: questions without an answer until it gives the connection up.

    Example:
        >>> TCPOptions(nodelay=False).keepalive_idle
        7200
        >>> TCPOptions(send_buffer=-1)
        Traceback (most recent call last):
        phoenix_actors.errors.InvalidOption: option transport_opts.tcp_opts.send_buffer must be 1 \
or more, not -1
    """

    nodelay: bool = True
    keepalive: bool = True
    buffer: int = 64 * 1024
    send_buffer: int = False
    recv_buffer: int = False
    keepalive_idle: int = 7200
    keepalive_interval: int = 75
    keepalive_count: int = 9

    def __post_init__(self) -> None:
        checks.flag(f"{_PREFIX}.nodelay", self.nodelay)
        checks.flag(f"{_PREFIX}.keepalive", self.keepalive)
        for field in self.__struct_fields__[2:]:
            value, name = getattr(self, field), f"{_PREFIX}.{field}"
            if value is False:
                continue
            checks.whole(name, value, 1)
            most = _MOST.get(field)
            if most is not None and value > most:
                raise InvalidOption(name, f"must be {most} or less, not {value}")
