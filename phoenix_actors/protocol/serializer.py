"""What a codec is, and which one speaks which version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from phoenix_actors.errors import DecodeError, InvalidOption
from phoenix_actors.protocol.json_text import STRICT_JSON
from phoenix_actors.protocol.library import LibraryJson
from phoenix_actors.protocol.v1 import SerializerV1
from phoenix_actors.protocol.v2 import SerializerV2

if TYPE_CHECKING:
    from phoenix_actors.message import Frame
    from phoenix_actors.options import JsonLibrary
    from phoenix_actors.protocol.v2 import Prepared

__all__ = ["Serializer", "serializer_for"]


class Serializer(Protocol):
    """Turns the five parts of a frame into what goes on the wire, and back.

    Implementations keep no state and are safe from any thread.
    """

    @property
    def vsn(self) -> str:
        """The version, as it stands in the URL."""
        ...

    def encode(
        self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any
    ) -> str | bytes:
        """Return a text frame, or for a payload of bytes a binary one.

        Raises:
            EncodeError: when a part cannot be put on the wire; nothing else is ever raised.
        """
        ...

    def prepare(self, topic: str, event: str, payload: Any) -> Prepared:
        """Encode everything but the refs; `complete` adds them.

        Raises:
            EncodeError: as `encode`.
        """
        ...

    def head(self, topic: str, event: str) -> str:
        """Return what stands before the payload in every frame of a topic and an event.

        Raises:
            EncodeError: when the topic or the event cannot be sent.
        """
        ...

    def prepare_after(self, head: str, topic: str, event: str, payload: Any) -> Prepared:
        """Do as `prepare` with what `head` gave; the payload is not bytes.

        Raises:
            EncodeError: as `encode`.
        """
        ...

    def prepare_encoded(self, topic: str, event: str, payload: str) -> Prepared:
        """Do the same with a payload that is JSON text already.

        Raises:
            EncodeError: when the topic or the event cannot be sent.
        """
        ...

    def payload_text(self, payload: Any) -> str:
        """Return a payload alone as JSON text, for `prepare_encoded`.

        Raises:
            EncodeError: as `encode`; bytes have no JSON text.
        """
        ...

    def complete(self, prepared: Prepared, join_ref: str | None, ref: str | None) -> str | bytes:
        """Return the whole frame of what `prepare` gave; raises nothing."""
        ...

    def decode_text(self, data: str | bytes, /) -> Frame:
        """Return the frame of a text message, given as text or as its UTF-8.

        Raises:
            DecodeError: when it is no frame; nothing else is ever raised.
        """
        ...

    def decode_texts(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several text messages; for one that is none, the error."""
        ...

    def decode_binary(self, data: bytes) -> Frame:
        """Return the frame of a binary message.

        Raises:
            DecodeError: when it is no frame; nothing else is ever raised.
        """
        ...


def serializer_for(vsn: str, library: JsonLibrary | None = None) -> Serializer:
    """Return the codec of a version of the protocol (C4), on a JSON library of the user's (C29).

    Raises:
        InvalidOption: for versions that there are not.

    Example:
        >>> serializer_for("2.0.0").encode("1", "1", "room:lobby", "phx_join", {})
        '["1","1","room:lobby","phx_join",{}]'
    """
    json = STRICT_JSON if library is None else LibraryJson(library)
    if vsn == SerializerV2.vsn:
        return SerializerV2(json)
    if vsn == SerializerV1.vsn:
        return SerializerV1(json)
    raise InvalidOption("vsn", "must be '2.0.0' or '1.0.0'")
