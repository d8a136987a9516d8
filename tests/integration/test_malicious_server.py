"""A server that means harm: the client keeps its limits and deadlines, and takes little memory."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phoenix_actors import ConnectError, ConnectTimeout, HandshakeRefused, SocketClient
from phoenix_actors.options import TransportOptions
from tests.e2e.rig import DEADLINE, QUICK, Log
from tests.integration.websocket_peers import PATIENCE, agree, connect, read_request

pytestmark = pytest.mark.usefixtures("no_leaks")

LIMIT = 32 * 1024
# Memory for a message of LIMIT bytes, for what was read beyond it, and for everything else.
MEMORY = 4 * LIMIT + 512 * 1024
TEXT, BINARY, FIN = 0x01, 0x02, 0x80
# Seconds that an attempt to connect may take here, and more for a machine that has much to do.
CONNECT_TIMEOUT = 0.5
SLACK = 4.0


@contextlib.contextmanager
def hostile(script: Callable[[socket.socket], object]) -> Iterator[str]:
    """Serves each connection by a script, on a thread, until the block ends; yields the URL."""
    over, threads = threading.Event(), list[threading.Thread]()

    def serve(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError, StopIteration):
            peer.settimeout(PATIENCE)
            script(Peer(peer, over))  # type: ignore[arg-type]

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(peer,), name="hostile"))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, name="hostile")
        accepting.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/socket/websocket"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(PATIENCE)
            for thread in threads:
                thread.join(PATIENCE)


class Peer:
    """The socket of a script, whose sends raise StopIteration once the test is over."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self.sock, self.over = sock, over

    def sendall(self, data: bytes) -> None:
        """Sends."""
        if self.over.is_set():
            raise StopIteration
        self.sock.sendall(data)

    def recv(self, size: int) -> bytes:
        """Receives."""
        return self.sock.recv(size)

    def rest(self, seconds: float) -> None:
        """Waits so long, or until the test is over."""
        self.over.wait(seconds)


def frame(first: int, data: bytes) -> bytes:
    """Returns a frame of a server."""
    if len(data) < 126:
        return bytes([first, len(data)]) + data
    if len(data) < 65536:
        return bytes([first, 126]) + struct.pack("!H", len(data)) + data
    return bytes([first, 127]) + struct.pack("!Q", len(data)) + data


@contextlib.contextmanager
def little_memory(most: int = MEMORY) -> Iterator[None]:
    """Fails when the block takes more memory than that at one moment."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak} bytes"


# -- messages that are too long


def endless_fragments(size: int) -> Callable[[Any], None]:
    """A message that never ends, in fragments of this size."""

    def script(peer: Any) -> None:
        agree(peer)
        peer.sendall(frame(TEXT, b"x" * size))
        many = frame(0, b"y" * size) * (65536 // (size + 2))
        while True:
            peer.sendall(many)

    return script


def claims(header: bytes) -> Callable[[Any], None]:
    """A frame that says it is huge, and goes on for ever."""

    def script(peer: Any) -> None:
        agree(peer)
        peer.sendall(header)
        while True:
            peer.sendall(b"x" * 65536)

    return script


HUGE = struct.pack("!Q", 2**63 - 1)
TOO_LONG = {
    "fragments of 2 bytes": endless_fragments(2),
    "fragments of 100 bytes": endless_fragments(100),
    "fragments of 60,000 bytes": endless_fragments(60_000),
    "a text of 2^63 - 1 bytes": claims(bytes([FIN | TEXT, 127]) + HUGE),
    "binary data of 2^63 - 1 bytes": claims(bytes([FIN | BINARY, 127]) + HUGE),
    "a fragment of 2^63 - 1 bytes": claims(bytes([TEXT, 1, 0x78, 0, 127]) + HUGE),
    "one byte too many": claims(bytes([FIN | TEXT, 127]) + struct.pack("!Q", LIMIT + 1)),
}


@pytest.mark.contract("C176")
@pytest.mark.parametrize("name", TOO_LONG)
def test_a_message_that_never_ends(name: str) -> None:
    """It is given up at the limit, with 1009, whatever it comes in."""
    options = TransportOptions(max_message_size=LIMIT)
    with hostile(TOO_LONG[name]) as url, little_memory():
        handle, events = connect(url, options)
        assert events.end()[1] == 1009
        handle.join(PATIENCE)


def test_a_control_frame_that_says_it_is_huge() -> None:
    """It is a violation at once."""
    for opcode in (8, 9, 10):
        script = claims(bytes([FIN | opcode, 127]) + HUGE)
        with hostile(script) as url, little_memory():
            _, events = connect(url, TransportOptions(max_message_size=LIMIT))
            assert events.end()[1] == 1002


@pytest.mark.contract("C176", "C173")
def test_a_zip_bomb() -> None:
    """A message of 64 KiB that would be 64 MiB is given up at the limit, and not inflated first."""
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = deflater.compress(bytes(64 * 1024 * 1024)) + deflater.flush(zlib.Z_SYNC_FLUSH)

    def script(peer: Any) -> None:
        request = read_request(peer)
        peer.sendall(_upgraded(request, "Sec-WebSocket-Extensions: permessage-deflate"))
        peer.sendall(frame(FIN | 0x40 | TEXT, bomb[:-4]))
        while peer.recv(65536):
            pass

    options = TransportOptions(max_message_size=LIMIT, compression=True)
    with hostile(script) as url, little_memory():
        _, events = connect(url, options)
        began = time.monotonic()
        assert events.end()[1] == 1009
        assert time.monotonic() - began < SLACK


def _upgraded(request: str, extension: str) -> bytes:
    """Returns the answer to an upgrade, with one more header."""
    answered: list[bytes] = []

    class Once:
        """Takes what `agree` sends, for a request that was read."""

        def recv(self, size: int) -> bytes:
            nonlocal request
            one, request = request[:size], request[size:]
            return one.encode("latin-1")

        def sendall(self, data: bytes) -> None:
            answered.append(data)

    agree(Once())  # type: ignore[arg-type]
    return answered[0][:-2] + extension.encode() + b"\r\n\r\n"


# -- answers to the upgrade that never end


def slowly(data: bytes, pause: float = 0.02) -> Callable[[Any], None]:
    """An answer that comes byte by byte, and then for ever."""

    def script(peer: Any) -> None:
        read_request(peer)
        for byte in data:
            peer.sendall(bytes([byte]))
            peer.rest(pause)
        while True:
            peer.sendall(b"x")
            peer.rest(pause)

    return script


def forever(head: bytes, more: bytes) -> Callable[[Any], None]:
    """An answer that goes on and on, as fast as it is taken."""

    def script(peer: Any) -> None:
        read_request(peer)
        peer.sendall(head)
        many = more * (65536 // len(more))
        while True:
            peer.sendall(many)

    return script


OK = b"HTTP/1.1 101 Switching Protocols\r\n"
NO = b"HTTP/1.1 403 Forbidden\r\n"
ANSWERS: dict[str, tuple[Callable[[Any], None], type[Exception]]] = {
    "nothing": (lambda peer: peer.rest(DEADLINE), ConnectTimeout),
    "one byte at a time": (slowly(OK + b"Upgrade: websocket\r\n" * 1000), ConnectTimeout),
    "headers for ever": (forever(OK, b"X-More: of the same\r\n"), ConnectError),
    "one header for ever": (forever(OK + b"X-Long: ", b"x"), ConnectError),
    "no line at all": (forever(b"", b"x"), ConnectError),
    "a body for ever": (forever(NO + b"\r\n", b"x"), HandshakeRefused),
    "a body of 2^70 bytes": (
        forever(NO + f"Content-Length: {2**70}\r\n\r\n".encode(), b"x"),
        HandshakeRefused,
    ),
    "a length of 5,000 digits": (
        forever(NO + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", b"x"),
        HandshakeRefused,
    ),
    "a slow body": (slowly(NO + b"\r\n" + b"x" * 100, 0.005), HandshakeRefused),
    "a slow body with a length": (
        slowly(NO + b"Content-Length: 5000\r\n\r\n" + b"x" * 100, 0.005),
        HandshakeRefused,
    ),
}


@pytest.mark.contract("C122")
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_never_ends(name: str) -> None:
    """The attempt fails by its type within its one deadline, and holds 64 KiB of it at most."""
    script, expected = ANSWERS[name]
    # Whoever gets an answer before has time for it, whatever else the machine does.
    timeout = CONNECT_TIMEOUT if expected is ConnectTimeout else 3.0
    options = {**QUICK, "reconnect": False, "transport_opts": {"connect_timeout": timeout}}
    with hostile(script) as url:
        began = time.monotonic()
        with SocketClient.start_link(url=url, **options) as client:
            with pytest.raises(expected) as failed:
                client.wait_connected(DEADLINE)
            assert time.monotonic() - began < timeout + SLACK
    if isinstance(failed.value, HandshakeRefused):
        assert failed.value.status == 403
        assert len(failed.value.body) <= 65536
    if "header" in name:
        assert "more than 64 KiB of headers" in str(failed.value)


@pytest.mark.contract("C122", "C175")
@pytest.mark.parametrize("name", ["nothing", "one byte at a time", "headers for ever"])
def test_a_proxy_that_never_ends_its_answer(name: str) -> None:
    """The same holds for the answer of a proxy."""
    script, expected = ANSWERS[name]
    with hostile(script) as url:
        proxy = url.replace("ws://", "http://").partition("/socket")[0]
        timeout = CONNECT_TIMEOUT if expected is ConnectTimeout else 3.0
        chosen = {"connect_timeout": timeout, "proxy": proxy}
        options = {**QUICK, "reconnect": False, "transport_opts": chosen}
        began = time.monotonic()
        with SocketClient.start_link(url="ws://192.0.2.1/socket", **options) as client:
            with pytest.raises(expected):
                client.wait_connected(DEADLINE)
            assert time.monotonic() - began < timeout + SLACK


# -- open connections that keep the client busy, and answer nothing


def repeating(data: bytes, pause: float = 0.0, *, reads: bool = True) -> Callable[[Any], None]:
    """Upgrades, and then sends this for ever."""

    def script(peer: Any) -> None:
        agree(peer)
        if reads:
            peer.sock.settimeout(0.0)
        while True:
            if reads:
                with contextlib.suppress(BlockingIOError):
                    while peer.recv(65536):
                        pass
            with contextlib.suppress(BlockingIOError):
                peer.sendall(data)
            peer.rest(pause)

    return script


BUSY: dict[str, Callable[[Any], None]] = {
    "pings, read": repeating(frame(FIN | 9, b"p" * 125) * 50, 0.001),
    "pings, not read": repeating(frame(FIN | 9, b"p" * 125) * 500, reads=False),
    "pongs": repeating(frame(FIN | 10, b"p" * 125) * 50, 0.001),
    "slow bytes": repeating(b"\x81\x7d" + b"x", 0.02),
    "garbage": repeating(frame(FIN | TEXT, b"[[[") * 10, 0.001),
    "strange topics": repeating(frame(FIN | TEXT, b'[null,null,"t","e",{}]') * 10, 0.001),
    "answers to nothing": repeating(
        frame(FIN | TEXT, b'["1","0","phoenix","phx_reply",{"status":"ok","response":{}}]') * 10,
        0.001,
    ),
}


def empty_fragments(peer: Any) -> None:
    """A message of which nothing more comes, again and again."""
    agree(peer)
    peer.sendall(frame(TEXT, b"x"))
    many = frame(0, b"") * 2000
    while True:
        peer.sendall(many)
        peer.rest(0.001)


BUSY["empty fragments"] = empty_fragments


@pytest.mark.contract("C98", "C99", "C101", "C104")
@pytest.mark.parametrize("name", BUSY)
def test_a_server_that_only_keeps_the_client_busy(name: str) -> None:
    """The first heartbeat that it does not answer ends it, within the timeout and a second."""
    interval, timeout = 0.3, 0.5
    options = {**QUICK, "reconnect": False, "heartbeat_interval": interval}
    closed = Log()
    with hostile(BUSY[name]) as url, little_memory(8 * 1024 * 1024):
        client = SocketClient.start_link(
            url=url, auto_connect=False, heartbeat_timeout=timeout, **options
        )
        with client:
            client.on_close(lambda code, reason, clean: closed.add(reason))
            client.connect()
            client.wait_connected(DEADLINE)
            began = time.monotonic()
            closed.wait("heartbeat timeout")
            # What is beyond the second is for a machine that has much to do.
            assert time.monotonic() - began < interval + timeout + 1.0 + SLACK / 2
