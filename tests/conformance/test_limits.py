"""What a server refuses of WebSocket frames, and with which close code.

With `PHOENIX_URL` the same runs against that server.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator

import pytest

from tests.conformance.raw_client import HANDSHAKE, RawClient, encode

TARGET = "/socket/websocket?vsn=2.0.0"
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover"
HEARTBEAT = json.dumps([None, "1", "phoenix", "heartbeat", {}]).encode()
TAIL = b"\x00\x00\xff\xff"

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def client(url: str) -> Iterator[RawClient]:
    """A client that offered to deflate, joined to room:r."""
    client = RawClient(url)
    client.request([f"GET {TARGET} HTTP/1.1", *HANDSHAKE, OFFER])
    assert client.response().status_line.startswith("HTTP/1.1 101")
    client.send("text", b'["1","1","room:r","phx_join",{}]')
    client.receive()
    yield client
    client.close()


def message(size: int) -> bytes:
    """A push of so many bytes that is not replied to."""
    head, end = b'["1","2","room:r","no_reply",{"p":"', b'"}]'
    return head + b"x" * (size - len(head) - len(end)) + end


def deflated(data: bytes, empty_blocks: int = 0) -> bytes:
    """The data deflated, with so many blocks that hold nothing behind it."""
    deflater = zlib.compressobj(wbits=-15)
    whole = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return (whole + (b"\x00" + TAIL) * empty_blocks)[: -len(TAIL)]


def outcome(client: RawClient, *frames: bytes) -> int | str:
    """The close code with which frames are refused; "taken" if they are not."""
    with contextlib.suppress(ConnectionError):
        client.send_together(*frames, encode("text", HEARTBEAT))
    answer = client.receive()
    assert answer is not None
    return int.from_bytes(answer.data[:2], "big") if answer.kind == "close" else "taken"


@pytest.mark.parametrize(
    ("size", "empty_blocks", "expected"),
    [
        (32_767, 0, "taken"),
        (32_768, 0, 1009),
        (100_000, 500, 1009),
        (100_000, 700, "taken"),
        (12_000_000, 96_000, "taken"),
    ],
)
def test_what_inflates_too_far_is_refused(
    client: RawClient, size: int, empty_blocks: int, expected: int | str
) -> None:
    """More than 25 times, beyond 32 KiB; the limit of a frame is that of its bytes on the wire."""
    data = deflated(message(size), empty_blocks)
    assert outcome(client, encode("text", data, rsv1=True)) == expected


def test_what_inflates_too_far_in_fragments_is_refused(client: RawClient) -> None:
    """The whole message counts."""
    data = deflated(message(40_000))
    first = encode("text", data[:30], fin=False, rsv1=True)
    assert outcome(client, first, encode("continuation", data[30:])) == 1009


def test_what_does_not_inflate_is_invalid_data(client: RawClient) -> None:
    """It is no violation of the protocol."""
    assert outcome(client, encode("text", b"\x00\x01garbage", rsv1=True)) == 1007


@pytest.mark.parametrize(("size", "expected"), [(7_999_000, "taken"), (8_001_000, 1009)])
def test_messages_in_fragments_have_a_limit_of_their_own(
    client: RawClient, size: int, expected: int | str
) -> None:
    """One of 8,000,000 bytes is taken; in one frame it may be longer."""
    data = message(size)
    half = len(data) // 2
    parts = [encode("text", data[:half], fin=False), encode("continuation", data[half:])]
    assert outcome(client, *parts) == expected


def test_a_message_in_one_frame_may_be_longer(client: RawClient) -> None:
    """Up to 10,000,000 bytes."""
    assert outcome(client, encode("text", message(9_000_000))) == "taken"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 1000),
        (b"\x03", 1002),
        (b"\x03\xe8\xff", 1002),
        *((code.to_bytes(2, "big"), 1000) for code in (1000, 1003, 1007, 1011, 3000, 4999, 65535)),
        *((code.to_bytes(2, "big"), 1002) for code in (999, 1004, 1006, 1012, 1015, 2000, 2999)),
    ],
)
def test_close_frames_are_answered_by_their_code(
    client: RawClient, data: bytes, expected: int
) -> None:
    """1000 for a right one, 1002 for a wrong code or reason."""
    assert outcome(client, encode("close", data)) == expected
