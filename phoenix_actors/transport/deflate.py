"""The extension permessage-deflate (RFC 7692) of one connection.

This side deflates each message by itself, so that senders need no order among them; the server may
refer back to former messages, unless it says otherwise.
"""

from __future__ import annotations

import math
import zlib
from typing import Final

__all__ = ["OFFER", "Deflate", "agreed"]

_NAME: Final = "permessage-deflate"
OFFER: Final = f"{_NAME}; client_no_context_takeover"

_TAIL: Final = b"\x00\x00\xff\xff"
# Shorter messages are sent as they are: deflating costs more than it saves.
_WORTH: Final = 128
# A server may take what inflates to many times its length for an attack, and end the connection:
# Bandit does with 1009, at more than 25 times, for messages over two of its buffers of 16 KiB.
_RATIO: Final = 25
_UNSUSPECTED: Final = 16 * 1024
# A block of deflate that holds nothing. The last one of a message goes without its tail.
_NOTHING: Final = b"\x00" + _TAIL


class Deflate:
    """Deflates from any thread, inflates on the reader thread.

    Example:
        >>> deflate = Deflate()
        >>> deflated = deflate.compress(b"x" * 1000)
        >>> len(deflated) < 20, deflate.inflate(deflated, 1000) == b"x" * 1000
        (True, True)
        >>> deflate.inflate(deflated, 999) is None, deflate.compress(b"short") is None
        (True, True)
    """

    def __init__(self, *, server_no_context_takeover: bool = False) -> None:
        """Keep what came before for the next message, unless the server starts anew each time."""
        self._anew = server_no_context_takeover
        self._inflater = zlib.decompressobj(wbits=-15)

    def compress(self, data: bytes) -> bytes | None:
        """Return a message deflated, or None where that is not worth it.

        One of more than 16 KiB has at least a 25th of its bytes: empty blocks make up for the rest.
        """
        if len(data) < _WORTH:
            return None
        deflater = zlib.compressobj(wbits=-15)
        deflated = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
        if len(data) > _UNSUSPECTED:
            missing = len(data) / _RATIO - (len(deflated) - len(_TAIL))
            deflated += _NOTHING * math.ceil(missing / len(_NOTHING))
        return deflated[: -len(_TAIL)] if len(deflated) < len(data) else None

    def inflate(self, data: bytes, limit: int) -> bytes | None:
        """Return a message inflated, or None when it has more than `limit` bytes.

        Raises:
            ValueError: when the data are not deflated.
        """
        inflater = self._inflater
        try:
            inflated = inflater.decompress(data + _TAIL, limit + 1)
        except zlib.error as error:
            raise ValueError("not deflated") from error
        if self._anew or inflater.eof:
            self._inflater = zlib.decompressobj(wbits=-15)
        return inflated if len(inflated) <= limit else None


def agreed(answer: str | None) -> Deflate | None:
    """Return what a server's Sec-WebSocket-Extensions means; None when it has none.

    Raises:
        ValueError: when it is no answer to `OFFER`.

    Example:
        >>> agreed(None) is None
        True
        >>> agreed("permessage-deflate;client_max_window_bits=9")
        Traceback (most recent call last):
        ValueError: client_max_window_bits was not offered
    """
    if answer is None:
        return None
    name, *given = [part.strip() for part in answer.split(";")]
    if name != _NAME:
        raise ValueError("an extension that was not offered")
    params: dict[str, str] = {}
    for part in given:
        key, _, value = part.partition("=")
        if key in params:
            raise ValueError(f"{key} stands there twice")
        params[key] = value.strip('"')
    for key, value in params.items():
        window = key == "server_max_window_bits" and value.isdecimal() and 8 <= int(value) <= 15
        flag = key in ("server_no_context_takeover", "client_no_context_takeover") and not value
        if not (window or flag):
            raise ValueError(f"{key} was not offered")
    return Deflate(server_no_context_takeover="server_no_context_takeover" in params)
