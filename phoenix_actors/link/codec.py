"""Encoding in the caller's thread, once, and finishing the frame when its refs are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.link.pool import EncodedPayload
from phoenix_actors.message import PHX_JOIN, PHX_LEAVE, Frame
from phoenix_actors.protocol.json_text import plain_text
from phoenix_actors.protocol.serializer import serializer_for
from phoenix_actors.protocol.v2 import SerializerV2

if TYPE_CHECKING:
    from phoenix_actors.errors import DecodeError
    from phoenix_actors.link.counters import Counters
    from phoenix_actors.link.future import PushFuture
    from phoenix_actors.link.shared import SharedValues
    from phoenix_actors.link.templates import Templates
    from phoenix_actors.options import JsonLibrary
    from phoenix_actors.protocol.v2 import Prepared

__all__ = ["Codec"]

# What is not encoded as JSON here.
_NO_JSON: Final = (bytes, bytearray, memoryview, EncodedPayload)
# Once in the life of most topics: the head would be kept for nothing.
_SELDOM: Final = frozenset({PHX_JOIN, PHX_LEAVE})


class Codec:
    """The serializer of one client and its counts. Safe from any thread.

    Errors of a payload surface where it is pushed: `prepare` runs in the caller's thread, and
    `complete`, which cannot fail, wherever the frame is sent (C26).
    """

    __slots__ = ("_counters", "_heads", "_serializer", "_shared", "_templates", "decode_text")

    decode_text: Callable[[str | bytes], Frame]
    """Return the frame of a text message, or raise DecodeError; who takes it in counts it."""

    def __init__(
        self,
        vsn: str,
        counters: Counters,
        json_library: JsonLibrary | None = None,
        templates: Templates | None = None,
        shared: SharedValues | None = None,
    ) -> None:
        """Speak this version, on the user's JSON library if there is one.

        Heads of frames are kept in `templates`, and decoded payloads share what is in `shared`,
        where these are given.
        """
        self._templates = templates if templates is not None and templates.size else None
        self._shared = shared
        self._serializer = serializer = serializer_for(vsn, json_library)
        # The serializer's own function where nothing is done behind it: one call for each message.
        self.decode_text = serializer.decode_text if shared is None else self._decode_shared
        self._counters = counters
        # Of frames that are these words, the payload and a bracket; none of another form.
        strict = isinstance(self._serializer, SerializerV2) and self._serializer.strict
        self._heads: Mapping[tuple[str, str], tuple[str, float]] = {}
        if strict and self._templates is not None:
            self._heads = self._templates.heads

    def plain(self, topic: str, event: str, payload: Any) -> str | None:
        """Return what `prepare` would where that takes few steps, or None; nothing is counted."""
        if type(event) is not str:
            return None
        known = self._heads.get((topic, event))
        if known is None:
            return None
        text = plain_text(payload)
        return None if text is None else f"{known[0]}{text}]"

    def prepare(
        self, topic: str, event: str, payload: Any, push: PushFuture | None = None
    ) -> Prepared:
        """Encode everything but the refs; then count the push that this is for, if there is one.

        Raises:
            EncodeError: when the payload, the topic or the event cannot be sent.
        """
        serializer, templates, kind = self._serializer, self._templates, type(payload)
        by: str | None = "encoded"
        if (
            templates is not None
            and (kind is dict or not isinstance(payload, _NO_JSON))
            and type(topic) is str
            and type(event) is str
            and event not in _SELDOM
        ):
            by = "encoded_by_template"
            known = templates.heads.get((topic, event))
            head = templates.head(topic, event, serializer.head) if known is None else known[0]
            prepared: Prepared = serializer.prepare_after(head, topic, event, payload)
        elif isinstance(payload, EncodedPayload):
            prepared = serializer.prepare_encoded(topic, event, payload.take())
            by = None
        else:
            prepared = serializer.prepare(topic, event, payload)
        if push is not None:
            self._counters.offer(push, by)
        elif by is not None:
            self._counters.add(by)
        return prepared

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

    def _decode_shared(self, data: str | bytes) -> Frame:
        frame = self._serializer.decode_text(data)
        return frame if self._shared is None else self._shared.frame(frame)

    def decode_texts(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several text messages; for one that is none, the error."""
        frames = self.load_texts(texts)
        self._counters.add("decoded", [*map(type, frames)].count(Frame))
        return frames

    def load_texts(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Do the same for who counts them."""
        frames = self._serializer.decode_texts(texts)
        shared = self._shared
        if shared is not None:
            return [shared.frame(item) if isinstance(item, Frame) else item for item in frames]
        return frames

    def decode_binary(self, data: bytes) -> Frame:
        """Return the frame of a binary message; who takes it in counts it.

        Raises:
            DecodeError: when it is none.
        """
        return self._serializer.decode_binary(data)
