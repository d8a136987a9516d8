"""Frames on the observer's Unix socket: four bytes of length, then a MessagePack value.

The length is big-endian and counts the value only. One request is followed by one answer.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Final

import msgspec

from supervisors.observer import encodable
from supervisors.observer.facts import Answer, Request

__all__ = ["LONGEST_REQUEST", "decode_answer", "decode_request", "encode", "receive", "send"]

LONGEST_REQUEST: Final = 4096
LONGEST_ANSWER: Final = 16 * 1024 * 1024
_LENGTH: Final = 4

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def encode(value: Any) -> bytes:
    r"""Return the frame of a request or an answer.

    Example:
        >>> from supervisors.observer.facts import ActorRequest
        >>> encode(ActorRequest("x"))[:4]
        b'\x00\x00\x00\x12'
    """
    # Not encode_into with room for the length: frames are few.
    data = encodable.encode(_encoder, value)
    return len(data).to_bytes(_LENGTH, "big") + data


def decode_request(data: bytes) -> Request:
    """Return the request in a frame.

    Raises:
        msgspec.DecodeError, msgspec.ValidationError: it is none.
    """
    return _requests.decode(data)


def decode_answer(data: bytes) -> Answer:
    """Return the answer in a frame.

    Raises:
        msgspec.DecodeError, msgspec.ValidationError: it is none.
    """
    return _answers.decode(data)


def send(connection: socket.socket, value: Any) -> None:
    """Write one frame.

    Raises:
        OSError, TimeoutError: it cannot be written, or not in the connection's time.
    """
    connection.sendall(encode(value))


def receive(connection: socket.socket, longest: int, seconds: float) -> bytes | None:
    """Read one frame's value; None when the other side has closed before a frame.

    Raises:
        ValueError: it is longer than `longest` bytes; nothing of it was read but its length.
        ConnectionError: the other side closed in the middle of one.
        TimeoutError: a frame that has begun was not there `seconds` later.
    """
    first = connection.recv(1)
    if not first:
        return None
    deadline = time.monotonic() + seconds
    head = first + _exactly(connection, _LENGTH - 1, deadline)
    length = int.from_bytes(head, "big")
    if length > longest:
        msg = f"a frame of {length} bytes: at most {longest} are taken"
        raise ValueError(msg)
    return _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    """Read this many bytes.

    Raises:
        ConnectionError: the other side closed before.
        TimeoutError: they did not come in time.
    """
    usual = connection.gettimeout()
    data = bytearray()
    try:
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                msg = "the frame did not come in time"
                raise TimeoutError(msg)
            connection.settimeout(left)
            part = connection.recv(min(size - len(data), 65536))
            if not part:
                msg = "the other side closed in the middle of a frame"
                raise ConnectionError(msg)
            data += part
    finally:
        connection.settimeout(usual)
    return bytes(data)
