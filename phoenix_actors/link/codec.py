"""Encoding in the caller's thread, once, and finishing the frame when its refs are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.link.pool import EncodedPayload
from phoenix_actors.message import Frame
from phoenix_actors.protocol.serializer import serializer_for

if TYPE_CHECKING:
    from phoenix_actors.errors import DecodeError
    from phoenix_actors.link.counters import Counters
    from phoenix_actors.link.templates import Templates
    from phoenix_actors.options import JsonLibrary
    from phoenix_actors.protocol.v2 import Prepared

__all__ = ["Codec"]

_BYTES: Final = (bytes, bytearray, memoryview)


class Codec:
    """The serializer of one client and its counts. Safe from any thread.

    Errors of a payload surface where it is pushed: `prepare` runs in the caller's thread, and
    `complete`, which cannot fail, wherever the frame is sent (C26).
    """

    __slots__ = ("_counters", "_serializer", "_templates")

    def __init__(
        self,
        vsn: str,
        counters: Counters,
        json_library: JsonLibrary | None = None,
        templates: Templates | None = None,
    ) -> None:
        """Speak this version, on the user's JSON library if there is one."""
        self._templates = templates if templates is not None and templates.size else None
        self._serializer = serializer_for(vsn, json_library)
        self._counters = counters

    def prepare(self, topic: str, event: str, payload: Any) -> Prepared:
        """Encode everything but the refs.

        Raises:
            EncodeError: when the payload, the topic or the event cannot be sent.
        """
        if isinstance(payload, EncodedPayload):
            return self._serializer.prepare_encoded(topic, event, payload.take())
        serializer, templates = self._serializer, self._templates
        named = type(topic) is str and type(event) is str
        if templates is None or not named or isinstance(payload, _BYTES):
            self._counters.add("encoded")
            return serializer.prepare(topic, event, payload)
        head = templates.head(topic, event, serializer.head)
        self._counters.add("encoded_by_template")
        return serializer.prepare_after(head, topic, event, payload)

    def payload_text(self, payload: Any) -> str:
        """Return a payload alone as JSON text.

        Raises:
            EncodeError: it cannot be sent as JSON.
        """
        self._counters.add("encoded")
        return self._serializer.payload_text(payload)

    def complete(self, prepared: Prepared, join_ref: str | None, ref: str | None) -> str | bytes:
        """Return the whole frame."""
        return self._serializer.complete(prepared, join_ref, ref)

    def decode_text(self, data: str | bytes) -> Frame:
        """Return the frame of a text message.

        Raises:
            DecodeError: when it is none.
        """
        frame = self._serializer.decode_text(data)
        self._counters.add("decoded")
        return frame

    def decode_texts(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several text messages; for one that is none, the error."""
        frames = self._serializer.decode_texts(texts)
        self._counters.add("decoded", [*map(type, frames)].count(Frame))
        return frames

    def decode_binary(self, data: bytes) -> Frame:
        """Return the frame of a binary message.

        Raises:
            DecodeError: when it is none.
        """
        frame = self._serializer.decode_binary(data)
        self._counters.add("decoded")
        return frame
