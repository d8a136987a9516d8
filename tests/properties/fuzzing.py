"""Mutated inbound bytes for a client: a corpus of good ones, mutations, and what takes them in.

`Fuzzed` is a whole client on a transport in memory, joined to topics, with pushes under way. What
it is sent must change nothing of that, unless the server may say so: an independent reading of each
frame, by `json` and by the layout of the binary frames, tells which ones these are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import socket
import struct
import zlib
from typing import Any, Final, Self
from unittest import mock

from phoenix_actors import PhoenixError, SocketClient
from phoenix_actors.options import TransportOptions
from phoenix_actors.transport.handshake import target_of, upgrade
from phoenix_actors.transport.memory import MemoryPeer, MemoryTransport
from phoenix_actors.transport.stream import EndOfStream, Stream
from phoenix_actors.transport.websocket import WebSocketTransport
from tests.e2e.rig import DEADLINE, eventually

__all__ = ["KEY", "LIMIT", "Fuzzed", "Mutator", "deflated", "framing", "handshake"]

TOPICS: Final = ("room:a", "room:é")
# max_message_size of the streams.
LIMIT: Final = 4096
# Pushes of each topic that nobody answers.
PENDING: Final = 5
# What the handshake takes from os.urandom, and its Sec-WebSocket-Accept.
KEY: Final = b"k" * 16
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ACCEPT: Final = base64.b64encode(
    hashlib.sha1(base64.b64encode(KEY) + _MAGIC).digest()  # noqa: S324
).decode()
_UPGRADE: Final = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {_ACCEPT}\r\n"
)

_TEXT: Final[list[list[Any]]] = [
    [None, None, "room:a", "news", {"body": "é", "n": [1, 2.5, None, True], "deep": {"a": {}}}],
    [None, None, "room:é", "presence_state", {"al": {"metas": [{"phx_ref": "a1"}]}}],
    [None, None, "room:a", "presence_diff", {"joins": {"bo": {"metas": []}}, "leaves": {}}],
    ["1", "900", "room:a", "phx_reply", {"status": "ok", "response": {"n": 1}}],
    [None, "901", "room:é", "phx_reply", {"status": "error", "response": {"reason": "no"}}],
    ["900", "900", "room:a", "phx_reply", {"status": "ok", "response": {}}],
    ["900", None, "room:a", "phx_close", {}],
    ["900", None, "room:é", "phx_error", {"reason": "channel_crash"}],
    [None, "902", "phoenix", "phx_reply", {"status": "ok", "response": {}}],
    [None, None, "elsewhere", "phx_close", {}],
]
_BINARY: Final = [
    b"\x00\x01\x06\x03" + b"1room:anews" + b"\x01\x02",
    b"\x01\x03\x03\x06\x02" + b"900900room:aok" + b"\x00\xff",
    b"\x01\x00\x03\x07\x05" + "900room:éerror".encode() + b"x",
    b"\x02\x06\x04" + b"room:anews" + bytes(range(20)),
    b"\x02\x00\x00",
]
_WORDS: Final = [
    *(b"null", b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\ud800", b"\\u0000", b"NaN", b"1e999"),
    *(b"-0", b"9" * 400, b"[" * 3000, b'{"a":' * 2000, b"\xff\xfe", b"\xed\xa0\x80", b"\x00"),
    *(b"phx_close", b"phx_error", b"phx_reply", b"phx_join", b"room:a", b"phoenix", b"1", b'""'),
    *(b"presence_state", b"presence_diff", b"metas", b"phx_ref", b"\xff" * 8, b"\x7f\xff"),
    *(b"\r\n", b"\r\n\r\n", b"HTTP/1.1 ", b"Content-Length: 99999999999999999999\r\n"),
]


class Mutator:
    """Draws good bytes and damages them, from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def damaged(self, data: bytes) -> bytes:
        """Returns the bytes with one to four mutations."""
        chance = self.chance
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            at = chance.randrange(len(data) + 1)
            end = min(len(data), at + chance.choice((1, 1, 2, 4, 16)))
            match chance.randrange(7):
                case 0:
                    data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
                case 1:
                    data = data[:at] + data[end:]
                case 2:
                    data = data[:at] + data[at:end] * 2 + data[end:]
                case 3:
                    data = data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]
                case 4:
                    data = data[:at] + chance.choice(_WORDS) + data[end:]
                case 5:
                    data = data[:at]
                case _:
                    if at < len(data):
                        flipped = data[at] ^ (1 << chance.randrange(8))
                        data = data[:at] + bytes([flipped]) + data[at + 1 :]
        return data

    def text(self) -> bytes:
        """A damaged text frame; sometimes it is whole, but for the values in it."""
        chance = self.chance
        frame = list(chance.choice(_TEXT))
        if chance.random() < 0.3:
            at = chance.randrange(5)
            frame[at] = chance.choice([None, 1, "", "1", [], {}, "x" * 300, True, *frame])
            if chance.random() < 0.5:
                return json.dumps(frame).encode()
        return self.damaged(json.dumps(frame, ensure_ascii=chance.random() < 0.5).encode())

    def binary(self) -> bytes:
        """A damaged binary frame."""
        return self.damaged(self.chance.choice(_BINARY))

    def stream(self) -> tuple[bytes, bool]:
        """Frames of a WebSocket, one of them damaged; whether permessage-deflate is agreed on."""
        chance = self.chance
        deflate = chance.random() < 0.4
        frames = [self._frame(deflate=deflate) for _ in range(chance.randrange(1, 5))]
        at = chance.randrange(len(frames))
        frames[at] = self.damaged(frames[at])
        return b"".join(frames), deflate

    def _frame(self, *, deflate: bool) -> bytes:
        chance = self.chance
        opcode = chance.choice((0, 1, 1, 1, 2, 2, 8, 9, 10, 3))
        data = chance.randbytes(chance.choice((0, 1, 2, 20, 125, 126, 300)))
        if opcode in (1, 2) and chance.random() < 0.5:
            data = json.dumps(chance.choice(_TEXT)).encode()
        if opcode == 8:
            data = struct.pack("!H", chance.choice((1000, 1001, 1012, 0, 5000))) + data[:50]
        first = opcode | (0x80 if chance.random() < 0.8 else 0)
        if deflate and opcode in (1, 2) and chance.random() < 0.7:
            data, first = deflated(data), first | 0x40
        if len(data) < 126:
            return bytes([first, len(data)]) + data
        return bytes([first, 126]) + struct.pack("!H", len(data)) + data

    def deflate(self) -> bytes:
        """Damaged deflated data; some of it would be large."""
        chance = self.chance
        data = chance.choice(
            [b"x" * 100_000, b"", json.dumps(_TEXT).encode(), chance.randbytes(50)]
        )
        return self.damaged(deflated(data))

    def answer(self) -> bytes:
        """A damaged answer to the upgrade."""
        status = self.chance.choice(["101 Switching Protocols", "403 Forbidden", "503", "200 OK"])
        lines = [
            f"HTTP/1.1 {status}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {_ACCEPT}",
            *self.chance.sample(
                [
                    "Content-Length: 5",
                    "Retry-After: 3",
                    "Retry-After: Thu, 01 Jan 2026 12:00:30 GMT",
                    "Sec-WebSocket-Protocol: phoenix",
                    "Sec-WebSocket-Extensions: permessage-deflate",
                    "Set-Cookie: a=b",
                ],
                2,
            ),
        ]
        return self.damaged("\r\n".join([*lines, "", "body of it"]).encode())


def deflated(data: bytes) -> bytes:
    """Returns data as permessage-deflate has it."""
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


# ---- what takes it in ---------------------------------------------------------------------------


class _Events:
    """The events of a transport, checked for their order and size."""

    def __init__(self) -> None:
        self.messages = 0
        self.ended: tuple[int | None, str, bool] | None = None

    def connected(self) -> None:
        """Is first."""

    def text(self, data: str | bytes) -> None:
        """Counts a message, which must be within the limit."""
        assert self.ended is None
        assert len(data) <= LIMIT
        self.messages += 1

    binary = text

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """Comes once."""
        assert self.ended is None
        self.ended = (code, reason, clean)


def framing(data: bytes, *, deflate: bool) -> int:
    """Has a connection read this to its end; returns how many messages it made of it.

    Patch os.urandom first.
    """
    near, far = socket.socketpair()
    extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
    far.sendall(f"{_UPGRADE}{extension}\r\n".encode() + data)
    far.shutdown(socket.SHUT_WR)
    events = _Events()
    options = TransportOptions(max_message_size=LIMIT, compression=deflate)
    with mock.patch("phoenix_actors.transport.dial.connect", return_value=near):
        handle = WebSocketTransport().open("ws://h/", options, events)
        handle.join(DEADLINE)
    far.close()
    assert events.ended is not None
    code, _, clean = events.ended
    assert code in (1002, 1006, 1009) or clean
    return events.messages


def _stream_of(data: bytes) -> tuple[Stream, socket.socket]:
    """Returns a stream on which this comes, and then the end."""
    near, far = socket.socketpair()
    far.sendall(data)
    far.shutdown(socket.SHUT_WR)
    return Stream(near), far


def handshake(data: bytes) -> str:
    """Has an upgrade take this for the answer; returns what came of it. Patch os.urandom first."""
    stream, far = _stream_of(data)
    try:
        upgrade(stream, target_of("ws://h/"), TransportOptions(compression=True), None)
    except (PhoenixError, EndOfStream) as error:
        str(error)
        return type(error).__name__
    finally:
        stream.close()
        far.close()
    return "open"


class Fuzzed:
    """A client on a transport in memory, in a `with` block, and what must stay as it is."""

    def __init__(self, vsn: str = "2.0.0") -> None:
        transport = MemoryTransport(self._respond)
        self.client = SocketClient.start_link(
            url="ws://h/socket",
            vsn=vsn,
            transport=transport,
            heartbeat_interval=None,
            max_inbound_messages=100,
            inbound_overflow="drop_newest",
        )
        self.client.wait_connected(DEADLINE)
        self.channels = [self.client.join(topic) for topic in TOPICS]
        self.peer = transport.peers[-1]
        self.transport = transport
        self.futures = [
            channel.push("silent", {}, timeout=None)
            for channel in self.channels
            for _ in range(PENDING)
        ]
        # A thread that has just written a join may write the pushes, too, when it runs again.
        everything = len(TOPICS) * (1 + PENDING)
        outbox = self.client.session.live_wire().outbox
        eventually(lambda: len(self.peer.received) == everything and not outbox)
        self.refs = [json.loads(data)[1] for data in self.peer.received]
        self.joins = {channel.topic: self._join_ref(channel) for channel in self.channels}
        self.before = self.state()
        # Frames that are no part of the draw: the answers to the joins.
        self.sent_besides = len(TOPICS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop()

    @staticmethod
    def _respond(peer: MemoryPeer, data: str | bytes) -> None:
        join_ref, ref, topic, event, _ = json.loads(data)
        if event in ("phx_join", "phx_leave", "echo"):
            reply = {"status": "ok", "response": {}}
            peer.send_text(json.dumps([join_ref, ref, topic, "phx_reply", reply]))

    @staticmethod
    def _join_ref(channel: Any) -> str | None:
        core = channel._topic.core
        return None if core is None else core.machine.join_ref

    def state(self) -> tuple[Any, ...]:
        """All of the client that a bad frame must not change."""
        session = self.client.session
        wire = session.wire
        return (
            session.status,
            wire,
            None if wire is None else (wire.generation, wire.pending(), len(wire.outbox)),
            [(c.topic, c.state, c.join_count, self._join_ref(c), c.ref) for c in self.channels],
            len(session.topics()),
            [future.done() for future in self.futures],
            len(self.transport.peers),
            self.peer.ended,
            len(self.peer.received),
        )

    def text(self, data: bytes) -> bool:
        """Sends a text frame, unless the server may well say this; tells whether it did."""
        try:
            frame = json.loads(data)
        except (ValueError, RecursionError):
            frame = None
        if isinstance(frame, list) and len(frame) > 4 and self._counts(*frame[:4]):
            return False
        self.peer.send_text(data)
        return True

    def binary(self, data: bytes) -> bool:
        """Sends a binary frame, unless the server may well say this; tells whether it did."""
        kind, count = (data[0] if data else 9), 0
        names: list[str] = []
        if kind < 3:
            count = (3, 4, 2)[kind]
            start = 1 + count
            for length in data[1:start]:
                names.append(data[start : start + length].decode(errors="replace"))
                start += length
        match kind, names:
            case 0, [join_ref, topic, event]:
                counts = self._counts(join_ref, None, topic, event)
            case 1, [join_ref, ref, topic, _]:
                counts = self._counts(join_ref, ref, topic, "phx_reply")
            case 2, [topic, event]:
                counts = self._counts(None, None, topic, event)
            case _:
                counts = False
        if counts:
            return False
        self.peer.send_binary(data)
        return True

    def _counts(self, join_ref: Any, ref: Any, topic: Any, event: Any) -> bool:
        """Tell whether a frame is for a channel of ours, by its refs, and changes its state."""
        if not isinstance(topic, str) or topic not in self.joins:
            return False
        if not any(join_ref == own for own in (None, "", self.joins[topic])):
            return False
        return event in ("phx_close", "phx_error") or (event == "phx_reply" and ref in self.refs)

    def unchanged(self) -> None:
        """Fails when anything has changed."""
        now = self.state()
        assert now == self.before, [
            pair for pair in zip(now, self.before, strict=True) if pair[0] != pair[1]
        ]

    def forget_presences(self) -> None:
        """Nobody is present: what damaged frames said of that is no leak."""
        for topic in TOPICS:
            self.sent_besides += 1
            self.peer.send_text(json.dumps([None, None, topic, "presence_state", {}]))

    def rest(self) -> None:
        """Waits until the channels have handled what they were sent."""
        for channel in self.channels:
            eventually(lambda channel=channel: len(channel._topic.inbound) == 0)  # type: ignore[misc]

    def works(self) -> None:
        """Every channel is joined as before, and answers."""
        self.unchanged()
        for channel in self.channels:
            assert channel.push("echo", {}).get(timeout=DEADLINE).status == "ok"
