"""The bodies of long poll: what a poll is answered with, and what a POST holds.

An answer is a JSON object with a status of its own; messages in it are texts. What Phoenix puts
there of a binary message are its bytes, if they happen to be UTF-8 (other bytes it cannot send over
long poll), so a text that begins with the kind of a binary frame is one.

A POST holds one message per line: JSON that begins with a bracket as it is, bytes as base64 (C40).
Any other JSON, such as that of vsn 1.0.0, goes alone, in a POST of another content type.
"""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from phoenix_actors.errors import DecodeError

__all__ = ["BATCH_TYPE", "SINGLE_TYPE", "Answer", "Line", "encode_line", "read_answer"]

BATCH_TYPE: Final = "application/x-ndjson"
SINGLE_TYPE: Final = "application/json"

# What binary frames from a server begin with: push, reply, broadcast.
_BINARY_KINDS: Final = ("\x00", "\x01", "\x02")


class Answer(msgspec.Struct, frozen=True):
    """The answer to a poll or a POST; its repr shows no token and no message."""

    status: int
    token: str | None = None
    messages: tuple[str | bytes, ...] = ()

    def __repr__(self) -> str:
        return f"<Answer {self.status} messages={len(self.messages)}>"


class Line(msgspec.Struct, frozen=True):
    """One message as it goes into a POST; whether nothing else may go with it."""

    data: bytes
    alone: bool = False

    def __repr__(self) -> str:
        return f"<Line bytes={len(self.data)} alone={self.alone}>"


class _Body(msgspec.Struct):
    status: int
    token: str | None = None
    messages: list[str] | None = None


_decoder: Final = msgspec.json.Decoder(_Body)


def read_answer(body: bytes) -> Answer:
    r"""Return what the body of an answer says.

    Raises:
        DecodeError: when it is no answer of long poll.

    Example:
        >>> read_answer(b'{"status":200,"token":"secret","messages":["[1]","\\u0002\\u0000"]}')
        <Answer 200 messages=2>
        >>> read_answer(b'{"status":403}').status
        403
    """
    try:
        read = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise DecodeError("the answer is none of long poll") from None
    token = read.token
    if token is not None and not (token.isascii() and token.isprintable()):
        # It goes into a header.
        raise DecodeError("the token of long poll has a character that no header may have")
    messages = tuple(
        text.encode() if text.startswith(_BINARY_KINDS) else text for text in read.messages or ()
    )
    return Answer(read.status, token, messages)


def encode_line(message: str | bytes) -> Line:
    r"""Return a message as a line of a POST.

    Example:
        >>> encode_line('[null,"1","phoenix","heartbeat",{}]').alone
        False
        >>> encode_line(b"\x00\x01").data
        b'AAE='
        >>> encode_line('{"topic":"phoenix"}').alone
        True
    """
    if isinstance(message, bytes):
        return Line(base64.b64encode(message))
    alone = not message.startswith("[") or "\n" in message
    return Line(message.encode(), alone)
