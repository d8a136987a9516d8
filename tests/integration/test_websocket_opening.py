"""The WebSocket transport against real servers on loopback: attempts that fail, and why."""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from phoenix_actors.errors import (
    ConnectError,
    ConnectTimeout,
    HandshakeRefused,
    InvalidURL,
)
from phoenix_actors.options import TransportOptions
from phoenix_actors.transport.websocket import WebSocketHandle, WebSocketTransport
from tests.integration.websocket_peers import (
    PATIENCE,
    QUICK,
    Events,
    connect,
    echo,
    raw_server,
    read_request,
    serving,
)

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.mark.contract("C112")
def test_a_refusal_has_status_headers_and_body() -> None:
    """What connect/3 says no with reaches the caller; no event comes."""

    def refuse(connection: ServerConnection, _: Any) -> Any:
        response = connection.respond(403, "no entry")
        response.headers["X-Why"] = "token"
        return response

    with serving(echo, process_request=refuse) as (_, url):
        events = Events()
        with pytest.raises(HandshakeRefused) as caught:
            WebSocketTransport().open(f"{url}?token=s3cr3t", TransportOptions(), events)
        assert caught.value.status == 403
        assert caught.value.headers["x-why"] == "token"
        assert caught.value.body == b"no entry"
        assert "s3cr3t" not in str(caught.value)
        assert events.told.empty()


def test_nothing_listening_is_a_connect_error() -> None:
    """With the system's error as its cause."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ConnectError) as caught:
        connect(f"ws://127.0.0.1:{port}/socket/websocket")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_a_bad_url_is_an_invalid_url() -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidURL):
        connect("http://127.0.0.1/")


@pytest.mark.contract("C122")
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Switching Protocols\r\n"])
def test_a_server_that_does_not_answer_is_given_up_in_time(answer: bytes) -> None:
    """The deadline holds for TCP and upgrade together, whatever has come."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []

        def accept() -> None:
            peer, _ = silent.accept()
            accepted.append(peer)
            peer.sendall(answer)

        thread = threading.Thread(target=accept)
        thread.start()
        started = time.monotonic()
        with pytest.raises(ConnectTimeout) as caught:
            url = f"ws://127.0.0.1:{silent.getsockname()[1]}/socket/websocket"
            connect(url, TransportOptions(connect_timeout=0.3))
        assert 0.3 <= time.monotonic() - started < QUICK
        assert caught.value.timeout == 0.3
        assert isinstance(caught.value, TimeoutError)
        thread.join(PATIENCE)
        accepted[0].close()


@pytest.mark.contract("C122")
def test_a_server_that_does_not_even_accept_is_given_up_in_time() -> None:
    """Its queue of connections is full, so TCP itself gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as queued:
        for _ in range(8):
            sock = queued.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(full.getsockname()) == 0:
                pytest.skip("this system queues more connections than it was asked to")
        started = time.monotonic()
        with pytest.raises(ConnectTimeout):
            url = f"ws://127.0.0.1:{full.getsockname()[1]}/"
            connect(url, TransportOptions(connect_timeout=0.3))
        assert time.monotonic() - started < QUICK


@pytest.mark.contract("C122")
def test_a_server_that_answers_drop_by_drop_is_given_up_in_time() -> None:
    """A byte now and then does not lengthen the deadline."""

    def script(peer: socket.socket) -> None:
        read_request(peer)
        pause = threading.Event()
        try:
            for byte in b"HTTP/1.1 101 Switching Protocols\r\n" * 9:
                peer.sendall(bytes([byte]))
                pause.wait(0.05)
        except OSError:
            pass

    with raw_server(script) as url:
        started = time.monotonic()
        with pytest.raises(ConnectTimeout):
            connect(url, TransportOptions(connect_timeout=0.4))
        assert time.monotonic() - started < QUICK


def test_a_server_that_hangs_up_is_a_connect_error() -> None:
    """During the handshake, without an answer."""
    with raw_server(read_request) as url, pytest.raises(ConnectError, match="before it was open"):
        connect(url)


@pytest.mark.contract("C117")
def test_abort_ends_an_attempt_under_way() -> None:
    """The handle is announced before anything is waited for; open() raises at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        announced: queue.SimpleQueue[WebSocketHandle] = queue.SimpleQueue()
        failed: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
        options = TransportOptions(connect_timeout=60.0, announce=announced.put)

        def attempt() -> None:
            try:
                connect(f"ws://127.0.0.1:{silent.getsockname()[1]}/", options)
            except ConnectError as error:
                failed.put(error)

        thread = threading.Thread(target=attempt)
        thread.start()
        handle = announced.get(timeout=PATIENCE)
        peer, _ = silent.accept()
        read_request(peer)
        handle.abort()
        assert "aborted" in str(failed.get(timeout=PATIENCE))
        thread.join(PATIENCE)
        peer.close()


def test_join_waits_for_a_reader_that_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever joins right after open() waits, also where the new thread comes to run late."""
    go = threading.Event()
    waited: list[float | None] = []

    class Late(threading.Thread):
        def run(self) -> None:
            if self.name.startswith("phoenix-reader"):
                go.wait(PATIENCE)
            super().run()

        def join(self, timeout: float | None = None) -> None:
            if self.name.startswith("phoenix-reader"):
                waited.append(timeout)
                go.set()
            super().join(timeout)

    with serving(echo) as (_, url), monkeypatch.context() as patched:
        patched.setattr("phoenix_actors.transport.websocket.threading.Thread", Late)
        events = Events()
        handle = WebSocketTransport().open(url, TransportOptions(), events)
        handle.close()
        handle.join(PATIENCE)
        assert waited == [PATIENCE]
        assert events.next() == ("connected",)
        events.end()


def test_an_attempt_aborted_before_it_began_opens_nothing() -> None:
    """abort() from the announcement itself."""
    with serving(echo) as (_, url):
        options = TransportOptions(announce=lambda handle: handle.abort())
        with pytest.raises(ConnectError, match="aborted"):
            connect(url, options)


@pytest.mark.contract("C175")
def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on localhost is reached whatever http_proxy says."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    with serving(echo) as (_, url):
        handle, events = connect(url.replace("127.0.0.1", "localhost"))
        handle.close()
        events.end()
