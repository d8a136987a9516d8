"""permessage-deflate as Bandit takes it: what inflates suspiciously far ends the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from websockets.exceptions import ProtocolError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Opcode

from phoenix_actors.testing.override import override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from websockets.extensions.permessage_deflate import PerMessageDeflate
    from websockets.frames import Frame
    from websockets.typing import ExtensionName, ExtensionParameter

__all__ = ["Deflating", "suspicious"]

# Bandit's max_inflate_ratio, and the bytes that Erlang's zlib inflates in one go.
RATIO: Final = 25
BUFFER: Final = 16 * 1024

INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009


def suspicious(deflated: int, inflated: int) -> bool:
    """Tells whether Bandit refuses a message of so many bytes, which inflates to so many.

    It compares after each full buffer but the first one.

    Example:
        >>> suspicious(90, 32_767), suspicious(90, 32_768)
        (False, True)
        >>> suspicious(3_276, 100_000), suspicious(3_277, 100_000)
        (True, False)
    """
    compared = inflated // BUFFER - 1
    return compared > 0 and RATIO * deflated <= compared * BUFFER


class Deflating(ServerPerMessageDeflateFactory):
    """Makes the extension of a connection that offers it; `refuse` is told the close code."""

    def __init__(self, refuse: Callable[[int], None]) -> None:
        super().__init__(client_max_window_bits=15)
        self._refuse = refuse

    @override
    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        """Agrees on the parameters."""
        answer, extension = super().process_request_params(params, accepted_extensions)
        return answer, cast("PerMessageDeflate", _Wary(extension, self._refuse))


class _Wary(Extension):
    """Looks at how far each message inflates."""

    def __init__(self, extension: PerMessageDeflate, refuse: Callable[[int], None]) -> None:
        self._extension = extension
        self._refuse = refuse
        self.name: ExtensionName = extension.name
        # Bytes of the message under way; it is deflated if its first frame says so.
        self._is_deflated = False
        self._deflated = self._inflated = 0

    @override
    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Inflates a frame, as far as it may."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return frame
        if frame.opcode is not Opcode.CONT:
            self._is_deflated, self._deflated, self._inflated = frame.rsv1, 0, 0
        if not self._is_deflated:
            return self._extension.decode(frame, max_size=max_size)
        self._deflated += len(frame.data)
        # The limit of a frame's length is one of its bytes on the wire.
        most = RATIO * self._deflated + 2 * BUFFER
        try:
            inflated = self._extension.decode(frame, max_size=most)
        except ProtocolError:
            if not (frame.opcode is Opcode.CONT and frame.rsv1):
                self._refuse(INVALID_DATA)
            raise
        self._inflated += len(inflated.data)
        if frame.fin and suspicious(self._deflated, self._inflated):
            self._refuse(TOO_BIG)
            raise ProtocolError("inflates too far")
        return inflated

    @override
    def encode(self, frame: Frame) -> Frame:
        """Deflates a frame."""
        return self._extension.encode(frame)
