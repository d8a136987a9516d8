"""Version 2.0.0: JSON arrays of five as text, and three kinds of binary frames.

Text, both ways: `[join_ref, ref, topic, event, payload]`. Binary, every length one byte that
counts UTF-8 bytes (C30–C34):

    push out   00  len(join_ref) len(ref) len(topic) len(event)   the four strings, data
    push in    00  len(join_ref) len(topic) len(event)            the three strings, data
    reply in   01  len(join_ref) len(ref) len(topic) len(status)  the four strings, data
    broadcast  02  len(topic) len(event)                          the two strings, data
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import msgspec

from phoenix_actors.errors import DecodeError, EncodeError
from phoenix_actors.message import PHX_REPLY, Frame
from phoenix_actors.protocol.json_text import STRICT_JSON, check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from phoenix_actors.protocol.json_text import Json

__all__ = ["Prepared", "PreparedBinary", "SerializerV2"]

_BYTES: Final = (bytes, bytearray, memoryview)
_PUSH, _REPLY, _BROADCAST = 0, 1, 2


class PreparedBinary(msgspec.Struct, frozen=True):
    """A binary frame that lacks its refs."""

    topic: str
    event: str
    payload: bytes

    def __repr__(self) -> str:
        return f"PreparedBinary(topic={self.topic!r}, event={self.event!r})"


Prepared: TypeAlias = str | PreparedBinary


class SerializerV2:
    r"""The codec of vsn 2.0.0. Keeps no state; safe from any thread.

    Example:
        >>> codec = SerializerV2()
        >>> codec.encode("1", "2", "room:lobby", "shout", {"body": "é"})
        '["1","2","room:lobby","shout",{"body":"é"}]'
        >>> codec.encode("3", "13", "room:lobby", "upload", b"\x01\x02")[:5].hex(" ")
        '00 01 02 0a 06'
        >>> codec.decode_text('[null,null,"room:lobby","shout",{}]')
        Frame(join_ref=None, ref=None, topic='room:lobby', event='shout')
    """

    __slots__ = ("_json", "decode_text")

    vsn: ClassVar[str] = "2.0.0"

    decode_text: Callable[[str | bytes], Frame]
    """Return the frame of a text message; elements after the fifth are left out (C18).

    It raises DecodeError for anything else than an array of join_ref, ref, topic, event, payload.
    """

    def __init__(self, json: Json = STRICT_JSON) -> None:
        """Write and read text by `json`."""
        self._json = json
        self.decode_text = json.load_array

    def encode(
        self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any
    ) -> str | bytes:
        """Return a text frame, or a binary one when the payload is bytes-like (C36).

        A payload of None goes out as `{}` (C21). JSON values are dict, list, tuple, str, int,
        float, bool, None and instances of their subclasses; keys are str, or int and become str.

        Raises:
            EncodeError: for a payload with anything else in it, such as a set, NaN, a lone
                surrogate or an object (C26), and for a binary frame with a name over 255 bytes
                (C35).
        """
        if isinstance(payload, _BYTES):
            return _encode_binary(join_ref, ref, topic, event, payload)
        json = self._json
        fit = json.fit(payload, topic, event)
        return json.dump((join_ref, ref, topic, event, fit), topic, event)

    def prepare(self, topic: str, event: str, payload: Any) -> Prepared:
        """Encode everything but the refs, which `complete` puts in front later.

        Raises:
            EncodeError: as `encode`.
        """
        check_names(topic, event)
        if isinstance(payload, _BYTES):
            _encode_binary("", "", topic, event, payload)
            return PreparedBinary(topic, event, bytes(payload))
        json = self._json
        return json.dump((topic, event, json.fit(payload, topic, event)), topic, event)[1:]

    def head(self, topic: str, event: str) -> str:
        """Return what stands before the payload in every frame of a topic and an event.

        Raises:
            EncodeError: when the topic or the event cannot be sent.
        """
        check_names(topic, event)
        return f"{self._json.dump((topic, event), topic, event)[1:-1]},"

    def prepare_after(self, head: str, topic: str, event: str, payload: Any) -> str:
        """Do as `prepare` with what `head` gave; the payload is not bytes.

        Raises:
            EncodeError: as `encode`.
        """
        json = self._json
        return f"{head}{json.dump(json.fit(payload, topic, event), topic, event)}]"

    @property
    def strict(self) -> bool:
        """Whether text is written by `STRICT_JSON`, and so is a plain payload by `plain_text`."""
        return self._json is STRICT_JSON

    def prepare_encoded(self, topic: str, event: str, payload: str) -> str:
        """Do the same with a payload that is JSON text already.

        Raises:
            EncodeError: when the topic or the event cannot be sent.
        """
        return f"{self.head(topic, event)}{payload}]"

    def payload_text(self, payload: Any) -> str:
        """Return a payload alone as JSON text, for `prepare_encoded`.

        Raises:
            EncodeError: as `encode`; bytes have no JSON text.
        """
        return self._json.payload_text(payload)

    def complete(self, prepared: Prepared, join_ref: str | None, ref: str | None) -> str | bytes:
        """Return the whole frame. The refs are this client's own: digits, or None."""
        if isinstance(prepared, PreparedBinary):
            names = (join_ref or "", ref, prepared.topic, prepared.event)
            return _encode_binary(*names, prepared.payload)
        first = "null" if join_ref is None else f'"{join_ref}"'
        second = "null" if ref is None else f'"{ref}"'
        return f"[{first},{second},{prepared}"

    def decode_texts(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several text messages; for one that is none, the error."""
        return self._json.load_arrays(texts)

    def decode_binary(self, data: bytes) -> Frame:
        """Return the frame of a binary message: push, reply or broadcast.

        A reply comes as `phx_reply` with `{"status": …, "response": bytes}` (C32). An empty
        join_ref or ref is null.

        Raises:
            DecodeError: for a frame cut short, of an unknown kind, or whose names are not UTF-8.
        """
        if not data:
            raise DecodeError("an empty binary message")
        kind = data[0]
        if kind == _PUSH:
            (join_ref, topic, event), payload = _cut(data, 3)
            return Frame(join_ref or None, None, topic, event, payload)
        if kind == _REPLY:
            (join_ref, ref, topic, status), payload = _cut(data, 4)
            reply = {"status": status, "response": payload}
            return Frame(join_ref or None, ref or None, topic, PHX_REPLY, reply)
        if kind == _BROADCAST:
            (topic, event), payload = _cut(data, 2)
            return Frame(None, None, topic, event, payload)
        raise DecodeError(f"a binary message of unknown kind {kind}")


def _encode_binary(
    join_ref: str | None,
    ref: str | None,
    topic: str,
    event: str,
    payload: bytes | bytearray | memoryview,
) -> bytes:
    """Return the binary frame of a push (C30, C34, C35)."""
    if join_ref is None:
        # The server takes an empty join_ref for one, and drops the frame.
        raise EncodeError("bytes go on a joined topic only", topic, event, "join_ref")
    names = {"join_ref": join_ref, "ref": ref or "", "topic": topic, "event": event}
    parts = []
    for field, text in names.items():
        # "surrogatepass" raises nothing that would hold the text.
        part = text.encode(errors="surrogatepass")
        if not text.isascii() and _has_surrogate(text):
            raise EncodeError("it has a lone surrogate", topic, event, field)
        if len(part) > 255:
            problem = f"{len(part)} bytes in UTF-8, and a binary frame has room for 255"
            raise EncodeError(problem, topic, event, field)
        parts.append(part)
    return b"".join(chain([bytes([_PUSH, *map(len, parts)])], parts, [bytes(payload)]))


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _cut(data: bytes, count: int) -> tuple[Iterable[str], bytes]:
    """Return the `count` strings and the data of a binary frame."""
    start = 1 + count
    lengths = data[1:start]
    end = start + sum(lengths)
    if len(lengths) < count or len(data) < end:
        raise DecodeError("a binary message cut short")
    texts = []
    for length in lengths:
        try:
            texts.append(data[start : start + length].decode())
        except UnicodeDecodeError:
            raise DecodeError("a binary message with a name that is not UTF-8") from None
        start += length
    return texts, bytes(data[end:])
