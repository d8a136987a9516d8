"""Version 1.0.0: JSON objects as text, and no binary frames.

Out, all four keys always there, `ref` even when null, or the server closes with 1011 (C19):
`{"join_ref": …, "ref": …, "topic": …, "event": …, "payload": …}`. `join_ref` is a fifth that
phoenix.js sends as well, and the server reads it where it is there: pushes and leaves without one
are dropped by some versions of Phoenix.

In: the same without join_ref, so a reply belongs to the push of its ref alone (C20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from phoenix_actors.errors import DecodeError, EncodeError
from phoenix_actors.protocol.json_text import STRICT_JSON, check_names, each

if TYPE_CHECKING:
    from phoenix_actors.message import Frame
    from phoenix_actors.protocol.json_text import Json
    from phoenix_actors.protocol.v2 import Prepared

__all__ = ["SerializerV1"]

_BYTES: Final = (bytes, bytearray, memoryview)


class SerializerV1:
    """The codec of vsn 1.0.0. Keeps no state; safe from any thread.

    Example:
        >>> codec = SerializerV1()
        >>> codec.encode("1", "2", "room:lobby", "shout", {"body": "é"})
        '{"join_ref":"1","ref":"2","topic":"room:lobby","event":"shout","payload":{"body":"é"}}'
        >>> codec.decode_text('{"topic":"t","event":"e","payload":{},"ref":null}')
        Frame(join_ref=None, ref=None, topic='t', event='e')
        >>> codec.prepare("room:lobby", "upload", b"data")
        Traceback (most recent call last):
        phoenix_actors.errors.EncodeError: payload of 'upload' on topic 'room:lobby' cannot be \
sent: vsn 1.0.0 has no binary frames: use vsn '2.0.0', or send text
    """

    __slots__ = ("_json",)

    vsn: ClassVar[str] = "1.0.0"

    def __init__(self, json: Json = STRICT_JSON) -> None:
        """Write and read text by `json`."""
        self._json = json

    def encode(
        self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any
    ) -> str:
        """Return a text frame; a payload of None goes out as `{}` (C21).

        Raises:
            EncodeError: for bytes, which this version cannot carry (C38), and for what JSON cannot
                hold (C26).
        """
        return self.complete(self.prepare(topic, event, payload), join_ref, ref)

    def prepare(self, topic: str, event: str, payload: Any) -> str:
        """Encode everything but the refs, which `complete` puts in front later.

        Raises:
            EncodeError: as `encode`.
        """
        check_names(topic, event)
        if isinstance(payload, _BYTES):
            problem = "vsn 1.0.0 has no binary frames: use vsn '2.0.0', or send text"
            raise EncodeError(problem, topic, event)
        fit = self._json.fit(payload, topic, event)
        value = {"topic": topic, "event": event, "payload": fit}
        return self._json.dump(value, topic, event)[1:]

    def head(self, topic: str, event: str) -> str:
        """Return what stands before the payload in every frame of a topic and an event.

        Raises:
            EncodeError: when the topic or the event cannot be sent.
        """
        check_names(topic, event)
        names = self._json.dump({"topic": topic, "event": event}, topic, event)
        return f'{names[1:-1]},"payload":'

    def prepare_after(self, head: str, topic: str, event: str, payload: Any) -> str:
        """Do as `prepare` with what `head` gave; the payload is not bytes.

        Raises:
            EncodeError: as `encode`.
        """
        json = self._json
        return f"{head}{json.dump(json.fit(payload, topic, event), topic, event)}}}"

    def prepare_encoded(self, topic: str, event: str, payload: str) -> str:
        """Do the same with a payload that is JSON text already.

        Raises:
            EncodeError: when the topic or the event cannot be sent.
        """
        return f"{self.head(topic, event)}{payload}}}"

    def payload_text(self, payload: Any) -> str:
        """Return a payload alone as JSON text, for `prepare_encoded`.

        Raises:
            EncodeError: as `encode`; bytes have no JSON text.
        """
        return self._json.payload_text(payload)

    def complete(self, prepared: Prepared, join_ref: str | None, ref: str | None) -> str:
        """Return the whole frame. The refs are this client's own: digits, or None."""
        first = "" if join_ref is None else f'"join_ref":"{join_ref}",'
        second = "null" if ref is None else f'"{ref}"'
        return f'{{{first}"ref":{second},{prepared}'

    def decode_text(self, data: str | bytes) -> Frame:
        """Return the frame of a text message; keys may come in any order, others are left out.

        Raises:
            DecodeError: for anything else than an object with topic, event and payload.
        """
        return self._json.load_object(data)

    def decode_texts(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several text messages; for one that is none, the error."""
        return each(self.decode_text, texts)

    def decode_binary(self, data: bytes) -> Frame:
        """Refuse: this version has no binary frames.

        Raises:
            DecodeError: always.
        """
        raise DecodeError(f"a binary message of {len(data)} bytes, which vsn 1.0.0 does not have")
