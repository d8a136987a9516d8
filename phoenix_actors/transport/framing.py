"""Who reads and writes the frames of a connection: this library, or websocket-client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from phoenix_actors.errors import EncodeError, InvalidOption
from phoenix_actors.transport.frames import FrameReader, Frames, frame_of

__all__ = ["Framing", "framing_of", "utf8"]


class Framing(NamedTuple):
    """How frames are read and written.

    Attributes:
        reader: makes what reads them, of the longest message and the deflating agreed on.
        frame_of: makes one of data and opcode.
        together: whether messages are handed on, and sent, several at once, and reading is lent.
    """

    reader: Callable[..., Frames]
    frame_of: Callable[..., bytes]
    together: bool


_OURS: Final = Framing(FrameReader, frame_of, together=True)
_CHOICES: Final = ("websocket", "websocket-client")


def framing_of(word: str) -> Framing:
    """Return the framing of this word.

    Raises:
        InvalidOption: for another word.

    Example:
        >>> framing_of("websocket").together, framing_of("websocket-client").together
        (True, False)
    """
    if word == "websocket":
        return _OURS
    if word == "websocket-client":
        from phoenix_actors.transport.library_frames import LibraryFrames, library_frame_of

        return Framing(LibraryFrames, library_frame_of, together=False)
    choices = " or ".join(map(repr, _CHOICES))
    raise InvalidOption("transport", f"must be {choices}, not {word!r}")


def utf8(text: str) -> bytes:
    """Return a text as it goes into a frame.

    Raises:
        EncodeError: it has a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    # Out here: that error holds the text.
    raise EncodeError("it has a lone surrogate", None, None, "text")
