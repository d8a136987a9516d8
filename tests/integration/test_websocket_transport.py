"""The WebSocket transport against real servers on loopback: messages, and how it ends."""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from phoenix_actors.errors import (
    ConnectionLost,
    DecodeError,
    HandshakeRefused,
    NotConnected,
)
from phoenix_actors.options import TransportOptions
from phoenix_actors.protocol import SerializerV2
from phoenix_actors.transport.websocket import WebSocketTransport
from tests.integration.websocket_peers import (
    PATIENCE,
    QUICK,
    Events,
    agree,
    connect,
    echo,
    raw_server,
    read_frame,
    serving,
    wait_for_end,
)

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.mark.contract("C39")
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20])
def test_messages_round_trip(size: int) -> None:
    """Text and binary of every size come back byte for byte, in order."""
    with serving(echo) as (_, url):
        handle, events = connect(url)
        text, data = "é" * (size // 2), bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        handle.send_text(text)
        handle.send_binary(data)
        assert events.next() == ("text", text.encode())
        assert events.next() == ("binary", data)
        handle.close()
        assert events.end() == ("closed", 1000, "", True)
        assert events.threads == {f"phoenix-reader-127.0.0.1:{url.split(':')[2].split('/')[0]}"}


@pytest.mark.contract("C78")
def test_threads_do_not_interleave_inside_a_frame() -> None:
    """Eight threads, a thousand messages each: all arrive whole, in the order of their thread."""
    with serving(echo) as (_, url):
        handle, events = connect(url)

        def send(name: int) -> None:
            for number in range(1000):
                handle.send_text(f"{name}:{number}:" + "x" * (number % 300))

        threads = [threading.Thread(target=send, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        seen: dict[str, int] = {}
        for _ in range(8000):
            kind, data = events.next()
            name, number, rest = data.decode().split(":")
            assert kind == "text"
            assert int(number) == seen.get(name, -1) + 1
            assert rest == "x" * (int(number) % 300)
            seen[name] = int(number)
        for thread in threads:
            thread.join(PATIENCE)
        handle.close()
        events.end()


@pytest.mark.contract("C104")
def test_pings_are_answered() -> None:
    """A server that pings gets its data back, in the middle of a message too."""
    answered: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()

    def script(peer: socket.socket) -> None:
        agree(peer)
        peer.sendall(b"\x89\x03hey" + b"\x01\x01a" + b"\x89\x00" + b"\x8a\x01?" + b"\x80\x01b")
        answered.put(read_frame(peer))
        answered.put(read_frame(peer))
        peer.sendall(b"\x88\x02\x03\xe8")
        answered.put(read_frame(peer))

    with raw_server(script) as url:
        _, events = connect(url)
        assert events.next() == ("text", b"ab")
        assert events.end() == ("closed", 1000, "", True)
        assert answered.get(timeout=PATIENCE) == (10, b"hey")
        assert answered.get(timeout=PATIENCE) == (10, b"")
        assert answered.get(timeout=PATIENCE) == (8, b"\x03\xe8")


@pytest.mark.contract("C27")
def test_text_that_is_not_utf8_is_delivered_for_the_decoder_to_refuse() -> None:
    """The connection stays; the decoder raises; the next message is fine."""

    def script(peer: socket.socket) -> None:
        agree(peer)
        peer.sendall(b"\x81\x02\xff\xfe" + b"\x81\x05other" + b"\x81\x02ok")
        wait_for_end(peer)

    with raw_server(script) as url:
        handle, events = connect(url)
        kind, data = events.next()
        assert (kind, data) == ("text", b"\xff\xfe")
        with pytest.raises(DecodeError):
            SerializerV2().decode_text(data)
        events.next()
        assert events.next() == ("text", b"ok")
        handle.abort()
        assert events.end() == ("closed", 1006, "aborted", False)


@pytest.mark.contract("C13", "C14")
def test_headers_reach_the_server_and_no_origin_does() -> None:
    """Each header as it was given."""
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.put(connection.request.headers)

    with serving(note) as (_, url):
        options = TransportOptions(headers=(("X-Client", "7"), ("Authorization", "Bearer x")))
        _, events = connect(url, options)
        headers = seen.get(timeout=PATIENCE)
        assert (headers["x-client"], headers["authorization"]) == ("7", "Bearer x")
        assert "origin" not in headers
        assert "sec-websocket-extensions" not in headers
        events.end()


@pytest.mark.contract("C160")
def test_cookies_are_not_kept() -> None:
    """What one connection was given, the next does not send."""
    requests: list[str] = []
    cookie = {"Set-Cookie": "id=1; Domain=127.0.0.1; Path=/"}

    def refuse(connection: ServerConnection, request: Any) -> Any:
        requests.append(str(request.headers))
        response = connection.respond(403, "")
        response.headers.update(cookie)
        return response

    with serving(echo, process_request=refuse) as (_, url):
        for _ in range(2):
            with pytest.raises(HandshakeRefused):
                connect(url)
    assert "cookie" not in requests[1].lower()


# ---- the end ----


@pytest.mark.contract("C110")
@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (1012, "é"), (4001, "x")])
def test_a_close_of_the_server_is_told_with_code_and_reason(code: int, reason: str) -> None:
    """It is answered with the same code, and clean."""
    codes: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def close(connection: ServerConnection) -> None:
        connection.close(code, reason)
        codes.put(connection.close_code)

    with serving(close) as (_, url):
        handle, events = connect(url)
        assert events.end() == ("closed", code, reason, True)
        assert codes.get(timeout=PATIENCE) == code
        with pytest.raises(NotConnected):
            handle.send_text("late")
        handle.close()
        handle.abort()


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "leaving"), (4000, "é")])
def test_our_close_reaches_the_server_and_its_answer_us(code: int, reason: str) -> None:
    """Code and reason arrive; nothing can be sent after it; a second close does nothing."""
    seen: queue.SimpleQueue[tuple[int | None, str | None]] = queue.SimpleQueue()

    def wait(connection: ServerConnection) -> None:
        try:
            connection.recv()
        except ConnectionClosed:
            seen.put((connection.close_code, connection.close_reason))

    with serving(wait) as (_, url):
        handle, events = connect(url)
        handle.close(code, reason)
        with pytest.raises(NotConnected):
            handle.send_text("late")
        handle.close(1000, "again")
        assert seen.get(timeout=PATIENCE) == (code, reason)
        assert events.end()[1:] == (code, reason, True)


def test_a_close_without_a_code_is_1005() -> None:
    """An empty close frame is answered by one."""
    answered: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()

    def script(peer: socket.socket) -> None:
        agree(peer)
        peer.sendall(b"\x88\x00")
        answered.put(read_frame(peer))

    with raw_server(script) as url:
        _, events = connect(url)
        assert events.end() == ("closed", 1005, "", True)
        assert answered.get(timeout=PATIENCE) == (8, b"")


@pytest.mark.contract("C110")
@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_a_lost_stream_is_1006(how: str) -> None:
    """Without a close frame it is not clean."""

    def script(peer: socket.socket) -> None:
        agree(peer)
        if how == "RST":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with raw_server(script) as url:
        handle, events = connect(url)
        assert events.end() == ("closed", 1006, "the stream ended", False)
        with pytest.raises(NotConnected):
            handle.send_text("late")


@pytest.mark.contract("C110")
def test_a_broken_protocol_ends_with_1002() -> None:
    """Compression that was not agreed on; the server is told so."""
    answered: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()

    def script(peer: socket.socket) -> None:
        agree(peer)
        peer.sendall(b"\xc1\x01x")
        answered.put(read_frame(peer))

    with raw_server(script) as url:
        _, events = connect(url)
        _, code, reason, clean = events.end()
        assert (code, clean) == (1002, False)
        assert "protocol" in reason
        assert answered.get(timeout=PATIENCE) == (8, struct.pack("!H", 1002))


@pytest.mark.contract("C176")
def test_a_message_over_the_limit_ends_with_1009() -> None:
    """One of the limit is delivered, the next is not, and the server is told why."""
    codes: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def send(connection: ServerConnection) -> None:
        connection.send("x" * 1000)
        connection.send("y" * 1001)
        try:
            connection.recv()
        except ConnectionClosed:
            codes.put(connection.close_code)

    with serving(send) as (_, url):
        _, events = connect(url, TransportOptions(max_message_size=1000))
        assert events.next() == ("text", b"x" * 1000)
        assert events.end() == ("closed", 1009, "a message of more than 1000 bytes", False)
        assert codes.get(timeout=PATIENCE) == 1009


@pytest.mark.contract("C176")
def test_many_fragments_cost_linear_time() -> None:
    """Four MiB in fragments of one KiB, which grow by copying elsewhere."""

    def script(peer: socket.socket) -> None:
        agree(peer)
        piece = struct.pack("!BBH", 0x00, 126, 1024) + b"x" * 1024
        peer.sendall(struct.pack("!BBH", 0x02, 126, 1024) + b"x" * 1024 + piece * 4094)
        peer.sendall(struct.pack("!BBH", 0x80, 126, 1024) + b"x" * 1024)
        wait_for_end(peer)

    with raw_server(script) as url:
        handle, events = connect(url)
        kind, data = events.next()
        assert (kind, data) == ("binary", b"x" * (4 << 20))
        handle.abort()
        events.end()


@pytest.mark.contract("C99")
def test_abort_wakes_the_reader() -> None:
    """A peer that says nothing for ever does not keep the thread or the socket."""

    def script(peer: socket.socket) -> None:
        agree(peer)
        wait_for_end(peer)

    with raw_server(script) as url:
        handle, events = connect(url)
        started = time.monotonic()
        handle.abort()
        handle.abort()
        assert events.end() == ("closed", 1006, "aborted", False)
        assert time.monotonic() - started < QUICK


def test_abort_from_an_event_ends_at_once() -> None:
    """On the reader thread itself: nothing more is delivered, though it was read already."""

    def script(peer: socket.socket) -> None:
        agree(peer)
        peer.sendall(b"\x81\x01a\x81\x01b\x81\x01c")
        wait_for_end(peer)

    with raw_server(script) as url:
        events = Events()
        handles: queue.SimpleQueue[Any] = queue.SimpleQueue()
        events.on_text = lambda _: handles.get(timeout=PATIENCE).abort()
        options = TransportOptions(announce=handles.put)
        WebSocketTransport().open(url, options, events)
        assert events.next() == ("connected",)
        assert events.next() == ("text", b"a")
        assert events.end() == ("closed", 1006, "aborted", False)


@pytest.mark.contract("C99")
def test_a_peer_that_does_not_read_cannot_hold_a_sender() -> None:
    """The send ends with an error after send_timeout, and the connection with it."""
    done = threading.Event()

    def script(peer: socket.socket) -> None:
        agree(peer)
        done.wait(PATIENCE)

    with raw_server(script) as url:
        handle, events = connect(url, TransportOptions(send_timeout=0.3))
        started = time.monotonic()
        with pytest.raises(ConnectionLost, match="took nothing for"):
            handle.send_binary(b"x" * 20_000_000)
        assert time.monotonic() - started < PATIENCE
        done.set()
        assert events.end()[:2] == ("closed", 1006)


@pytest.mark.contract("C99")
def test_abort_wakes_a_sender_that_waits() -> None:
    """With send_timeout=None only abort() does."""
    done = threading.Event()

    def script(peer: socket.socket) -> None:
        agree(peer)
        done.wait(PATIENCE)

    with raw_server(script) as url:
        handle, events = connect(url, TransportOptions(send_timeout=None))
        failed: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

        def send() -> None:
            try:
                handle.send_binary(b"x" * 50_000_000)
            except ConnectionLost as error:
                failed.put(error)

        thread = threading.Thread(target=send)
        thread.start()
        with pytest.raises(queue.Empty):
            failed.get(timeout=0.2)
        handle.abort()
        assert isinstance(failed.get(timeout=PATIENCE), ConnectionLost)
        done.set()
        thread.join(PATIENCE)
        assert events.end() == ("closed", 1006, "aborted", False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_event_that_raises_ends_the_connection_and_is_reported() -> None:
    """The exception goes to threading.excepthook; the socket is closed and `closed` called."""
    with serving(echo) as (_, url):
        events = Events()

        def fail(_: str | bytes) -> None:
            raise TimeoutError("a mistake of the callee")

        events.on_text = fail
        handle = WebSocketTransport().open(url, TransportOptions(), events)
        handle.send_text("x")
        assert events.next() == ("connected",)
        assert events.next() == ("text", b"x")
        assert events.end() == ("closed", 1006, "the reader failed", False)


@pytest.mark.contract("C157")
def test_a_hundred_connections_leave_nothing() -> None:
    """No thread, no socket; `no_leaks` looks afterwards."""
    with serving(echo) as (_, url):
        for number in range(100):
            handle, events = connect(url)
            if number % 2:
                handle.close()
            else:
                handle.abort()
            events.end()
