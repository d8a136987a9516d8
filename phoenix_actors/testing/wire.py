"""The two serialisers of a Phoenix server, vsn 1.0.0 and 2.0.0.

| vsn   | text frame                                                  | binary frame          |
| ----- | ----------------------------------------------------------- | --------------------- |
| 1.0.0 | an object with `topic`, `event`, `payload`, `ref`           | none                  |
| 2.0.0 | an array `[join_ref, ref, topic, event, payload]`           | push, reply, broadcast |

Refs are kept as they came, so an integer ref is answered with an integer. This is the server's own
code: the client has another, so that neither hides a mistake of the other.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Protocol, TypeAlias

import msgspec

from phoenix_actors.testing.override import override

__all__ = [
    "BadFrame",
    "Serializer",
    "SerializerV1",
    "SerializerV2",
    "Unencodable",
    "WireFrame",
    "serializer_for",
]

Json: TypeAlias = Any

_PUSH, _REPLY, _BROADCAST = 0, 1, 2
_VERSION = re.compile(r"(\d+)\.(\d+)\.\d+(?:[-+][0-9A-Za-z.+-]*)?")


class BadFrame(ValueError):
    """A frame from the client that the server cannot read; it closes with 1011."""


class Unencodable(ValueError):
    """A payload that the serialiser of the connection cannot write; the channel crashes."""


class WireFrame(msgspec.Struct, frozen=True):
    """One message from a client, decoded; `payload` is any JSON value, or bytes.

    Its text form leaves the payload out.

    Example:
        >>> WireFrame("1", "2", "room:lobby", "echo", {"secret": 1})
        WireFrame('1', '2', 'room:lobby', 'echo', <dict>)
    """

    join_ref: Json
    ref: Json
    topic: Json
    event: Json
    payload: Json

    @override
    def __repr__(self) -> str:
        return (
            f"WireFrame({self.join_ref!r}, {self.ref!r}, {self.topic!r}, {self.event!r}, "
            f"<{type(self.payload).__name__}>)"
        )


class Serializer(Protocol):
    """Turns frames into what a WebSocket message holds, and back."""

    vsn: str

    def decode_text(self, text: str) -> WireFrame:
        """Reads a text message, or raises `BadFrame`."""
        ...

    def decode_binary(self, data: bytes) -> WireFrame:
        """Reads a binary message, or raises `BadFrame`."""
        ...

    def push(self, join_ref: Json, ref: Json, topic: str, event: str, payload: Json) -> str | bytes:
        """Writes a push to one channel, or raises `Unencodable`."""
        ...

    def reply(
        self, join_ref: Json, ref: Json, topic: Json, status: str, response: Json
    ) -> str | bytes:
        """Writes the reply to a push, or raises `Unencodable`."""
        ...

    def broadcast(self, topic: str, event: str, payload: Json) -> str | bytes:
        """Writes a message to all channels of a topic, or raises `Unencodable`."""
        ...


class SerializerV1:
    """vsn 1.0.0: JSON objects; a reply carries no join_ref, and bytes cannot be written.

    Example:
        >>> SerializerV1().reply("1", "2", "room:a", "ok", {})
        '{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"2","topic":"room:a"}'
    """

    vsn = "1.0.0"

    def decode_text(self, text: str) -> WireFrame:
        """Reads an object that has all of topic, event, payload and ref."""
        value = _parse(text)
        if not isinstance(value, dict):
            raise BadFrame("a frame of vsn 1.0.0 must be an object")
        missing = [key for key in ("topic", "event", "payload", "ref") if key not in value]
        if missing:
            raise BadFrame(f"a frame of vsn 1.0.0 must have the key {missing[0]}")
        return WireFrame(
            value.get("join_ref"), value["ref"], value["topic"], value["event"], value["payload"]
        )

    def decode_binary(self, data: bytes) -> WireFrame:
        """Refuses: this version has no binary frames."""
        raise BadFrame(f"vsn 1.0.0 has no binary frames, got one of {len(data)} bytes")

    def push(self, join_ref: Json, ref: Json, topic: str, event: str, payload: Json) -> str:
        """Writes the object; `join_ref` has no place in it."""
        del join_ref
        return _write({"event": event, "payload": payload, "ref": ref, "topic": topic})

    def reply(self, join_ref: Json, ref: Json, topic: Json, status: str, response: Json) -> str:
        """Writes a phx_reply; `join_ref` has no place in it."""
        return self.push(
            join_ref, ref, topic, "phx_reply", {"response": response, "status": status}
        )

    def broadcast(self, topic: str, event: str, payload: Json) -> str:
        """Writes the object with a null ref."""
        return self.push(None, None, topic, event, payload)


class SerializerV2:
    r"""vsn 2.0.0: JSON arrays, and three kinds of binary frames with one byte for each length.

    Example:
        >>> SerializerV2().broadcast("room:a", "shout", {"x": 1})
        '[null,null,"room:a","shout",{"x":1}]'
        >>> SerializerV2().reply("1", "2", "t", "ok", b"data")
        b'\x01\x01\x01\x01\x0212tokdata'
    """

    vsn = "2.0.0"

    def decode_text(self, text: str) -> WireFrame:
        """Reads an array of at least five; what follows the fifth is left."""
        value = _parse(text)
        if not isinstance(value, list) or len(value) < 5:
            raise BadFrame("a frame of vsn 2.0.0 must be an array of five")
        return WireFrame(*value[:5])

    def decode_binary(self, data: bytes) -> WireFrame:
        """Reads a push: the only kind that clients send."""
        if len(data) < 5 or data[0] != _PUSH:
            raise BadFrame("a binary frame from a client must begin with 00 and four lengths")
        words, position = [], 5
        for length in data[1:5]:
            word = data[position : position + length]
            if len(word) < length:
                raise BadFrame("a binary frame ends before its lengths say so")
            try:
                words.append(word.decode())
            except UnicodeDecodeError as error:
                raise BadFrame("the words of a binary frame must be UTF-8") from error
            position += length
        join_ref, ref, topic, event = words
        return WireFrame(join_ref, ref, topic, event, data[position:])

    def push(self, join_ref: Json, ref: Json, topic: str, event: str, payload: Json) -> str | bytes:
        """Writes an array, or for bytes a frame of kind 00, which has no ref."""
        if isinstance(payload, bytes | bytearray | memoryview):
            return _binary(_PUSH, payload, join_ref=join_ref, topic=topic, event=event)
        _check_object(payload)
        return _write([join_ref, ref, topic, event, payload])

    def reply(
        self, join_ref: Json, ref: Json, topic: Json, status: str, response: Json
    ) -> str | bytes:
        """Writes a phx_reply, or for bytes a frame of kind 01."""
        if isinstance(response, bytes | bytearray | memoryview):
            return _binary(_REPLY, response, join_ref=join_ref, ref=ref, topic=topic, status=status)
        return _write([join_ref, ref, topic, "phx_reply", {"response": response, "status": status}])

    def broadcast(self, topic: str, event: str, payload: Json) -> str | bytes:
        """Writes an array with null refs, or for bytes a frame of kind 02."""
        if isinstance(payload, bytes | bytearray | memoryview):
            return _binary(_BROADCAST, payload, topic=topic, event=event)
        _check_object(payload)
        return _write([None, None, topic, event, payload])


_SERIALIZERS: dict[tuple[int, int], Serializer] = {(1, 0): SerializerV1(), (2, 0): SerializerV2()}


def serializer_for(vsn: object) -> Serializer | None:
    """Returns the serialiser of a version as Phoenix matches it (`~> 1.0.0`, `~> 2.0.0`), or None.

    Example:
        >>> serializer_for("2.0.7").vsn, serializer_for("3.0.0"), serializer_for("abc")
        ('2.0.0', None, None)
    """
    match = _VERSION.fullmatch(vsn) if isinstance(vsn, str) else None
    return None if match is None else _SERIALIZERS.get((int(match[1]), int(match[2])))


def _parse(text: str) -> Json:
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float)
        if "\\u" in text:
            # A lone surrogate cannot be written back as UTF-8.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadFrame("a text frame must be JSON") from error
    return value


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        # A float of Erlang is finite.
        raise ValueError("a number out of range")
    return number


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _write(value: Json) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unencodable("the payload does not fit into JSON") from error


def _check_object(payload: Json) -> None:
    if not isinstance(payload, dict):
        raise Unencodable(
            f"a push or broadcast of vsn 2.0.0 must be an object or bytes, "
            f"not {type(payload).__name__}"
        )


def _binary(kind: int, payload: bytes | bytearray | memoryview, **words: Json) -> bytes:
    encoded = []
    for name, word in words.items():
        data = b"" if word is None else str(word).encode()
        if len(data) > 255:
            raise Unencodable(f"{name} must be at most 255 bytes in a binary frame")
        encoded.append(data)
    lengths = bytes(len(data) for data in encoded)
    return bytes([kind]) + lengths + b"".join(encoded) + bytes(payload)
