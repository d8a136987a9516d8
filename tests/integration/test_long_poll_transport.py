"""The long poll transport, against servers that play a script."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.errors import (
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    EncodeError,
    HandshakeRefused,
    InvalidOption,
    NotConnected,
)
from phoenix_actors.options import TransportOptions
from phoenix_actors.transport.long_poll import LongPollHandle, LongPollTransport
from tests.integration.long_poll_peers import (
    PATIENCE,
    SILENT_END,
    TOKEN,
    PollServer,
    Request,
    respond,
    say,
)
from tests.integration.websocket_peers import QUICK, Events, raw_server

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("no_leaks")


def connect(url: str, **options: Any) -> tuple[LongPollHandle, Events]:
    """Open a session, and see it connected."""
    events = Events()
    handle = LongPollTransport().open(url, TransportOptions(**options), events)
    assert events.next() == ("connected",)
    return handle, events


def finish(handle: LongPollHandle, events: Events) -> None:
    """Close a session, and see it end."""
    handle.close(1000, "bye")
    while (event := events.next())[0] != "closed":
        pass
    assert event == ("closed", 1000, "bye", True)
    handle.join(PATIENCE)
    assert events.told.empty()


def until(condition: Callable[[], object]) -> None:
    """Wait for what a server has seen."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


# -- what goes over the wire


@pytest.mark.contract("C141")
def test_the_session_token_goes_as_header_and_in_the_query() -> None:
    """With every request but the first; params of the URL stay."""
    with PollServer() as server:
        handle, events = connect(server.url, headers=(("X-Mine", "1"),))
        handle.send_text("[1]")
        until(lambda: len(server.of("GET")) > 1 and server.of("POST"))
        finish(handle, events)
    first, second = server.of("GET")[:2]
    (post,) = server.of("POST")
    assert first.target == "/socket/longpoll?a=1&vsn=2.0.0"
    assert "x-phoenix-longpoll-token" not in first.headers
    for request in (second, post):
        assert request.target == "/socket/longpoll?a=1&vsn=2.0.0&token=token%2Fof%2Bone"
        assert request.headers["x-phoenix-longpoll-token"] == TOKEN
    for request in (first, second, post):
        assert request.headers["host"] == f"localhost:{server.port}"
        assert request.headers["x-mine"] == "1"
        assert not {"origin", "cookie", "upgrade"} & set(request.headers)
    assert post.headers["content-type"] == "application/x-ndjson"
    assert (post.lines, post.connection != second.connection) == ([b"[1]"], True)


@pytest.mark.contract("C142")
def test_the_auth_token_goes_in_a_header() -> None:
    """Of every poll, in UTF-8, and in nothing else: no POST, no URL, no subprotocol."""
    secret = "SWORDFISH é"  # noqa: S105  looked for
    with PollServer() as server:
        handle, events = connect(server.url, auth_token=secret)
        handle.send_text("[1]")
        until(lambda: len(server.of("GET")) > 1 and server.of("POST"))
        assert "SWORDFISH" not in repr(handle)
        finish(handle, events)
    for request in server.requests:
        token = request.headers.get("x-phoenix-authtoken", "").encode("latin-1").decode()
        assert token == (secret if request.method == "GET" else "")
        assert "SWORDFISH" not in request.target
        assert "sec-websocket-protocol" not in request.headers


def test_an_auth_token_that_no_header_can_have_is_refused() -> None:
    """Before anything is sent."""
    with PollServer() as server:
        with pytest.raises(InvalidOption, match="auth_token"):
            connect(server.url, auth_token="a\r\nX-Evil: 1")  # noqa: S106  no secret
        assert server.requests == []


@pytest.mark.contract("C140")
def test_messages_go_together_one_post_at_a_time() -> None:
    """At most 100 in one, in the order in which they were sent."""
    gate = threading.Event()
    out, most = [0], [0]

    def take(_: Request) -> bytes:
        out[0] += 1
        most[0] = max(most[0], out[0])
        gate.wait(PATIENCE)
        out[0] -= 1
        return say(200)

    with PollServer(post=take) as server:
        handle, events = connect(server.url)

        def send() -> None:
            for number in range(251):
                handle.send_text(f"[{number}]")

        sender = threading.Thread(target=send)
        sender.start()
        until(lambda: not handle.writable())
        gate.set()
        sender.join(PATIENCE)
        finish(handle, events)
    posts = server.of("POST")
    assert [line for post in posts for line in post.lines] == [b"[%d]" % n for n in range(251)]
    assert max(len(post.lines) for post in posts) == 100
    assert most == [1]


@pytest.mark.contract("C40")
def test_binary_messages_are_base64_lines_among_the_others() -> None:
    """What JSON cannot be in a batch goes alone, as JSON."""
    gate = threading.Event()

    def take(_: Request) -> bytes:
        gate.wait(PATIENCE)
        return say(200)

    with PollServer(post=take) as server:
        handle, events = connect(server.url)
        handle.send_text("[0]")
        until(lambda: server.of("POST"))
        handle.send_text("[1]")
        handle.send_binary(bytes([0, 1, 2, 255]))
        handle.send_text('{"topic":"t"}')
        with pytest.raises(EncodeError, match="surrogate"):
            handle.send_text('["\ud800"]')
        gate.set()
        finish(handle, events)
    posts = server.of("POST")[1:]
    assert posts[0].lines == [b"[1]", b"AAEC/w=="]
    assert posts[1].body == b'{"topic":"t"}'
    kinds = [post.headers["content-type"] for post in posts]
    assert kinds == ["application/x-ndjson", "application/json"]


@pytest.mark.contract("C139")
def test_messages_are_delivered_in_order() -> None:
    """Texts and binary frames, from the thread that connected() came from."""
    with PollServer() as server:
        handle, events = connect(server.url)
        server.polls.put(say(200, "[1]", "\x02\x01\x01tex", "[2]"))
        server.polls.put(say(204))
        server.polls.put(say(200, "[3]"))
        told = [events.next() for _ in range(4)]
        finish(handle, events)
    assert told == [("text", b"[1]"), ("binary", b"\x02\x01\x01tex"), ("text", b"[2]"),
                    ("text", b"[3]")]  # fmt: skip
    assert len(events.threads) == 1


# -- how a session ends


@pytest.mark.contract("C139")
@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        (say(410, token="another"), 3410, "the session is gone"),  # noqa: S106  of nobody
        (say(403), 1008, "forbidden"),
        (say(500), 1011, "the server answered with status 500"),
        (respond("502 Bad Gateway", b"<html>"), 1006, "the poll was answered with HTTP status 502"),
        (respond("200 OK", b"<html>"), 1006, "the poll failed: DecodeError"),
        (b"SSH-2.0-tiny\r\n", 1006, "the poll failed: BadStatusLine"),
        (None, 1006, "the connection ended before the poll was answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{", 1006,
         "the connection ended before the poll was answered"),
        (respond("200 OK", b"[" * 5000), 1006, "the poll was answered with more than 4096 bytes"),
    ],
    ids=["410", "403", "500", "502", "html", "no http", "end", "cut short", "too long"],
)  # fmt: skip
def test_a_session_ends_with_what_a_poll_is_told(
    answer: bytes | None, code: int, reason: str
) -> None:
    """Once, from the same thread, and everything is closed then."""
    with PollServer() as server:
        handle, events = connect(server.url, max_message_size=4096)
        server.polls.put(answer)
        assert events.end() == ("closed", code, reason, False)
        with pytest.raises(NotConnected):
            handle.send_text("[1]")
        handle.join(PATIENCE)


@pytest.mark.contract("C143")
def test_a_post_that_times_out_ends_the_session() -> None:
    """Though polls are still answered."""
    gate = threading.Event()

    def hang(_: Request) -> bytes:
        gate.wait(PATIENCE)
        return say(200)

    with PollServer(post=hang) as server:
        handle, events = connect(server.url, longpoll_timeout=0.6)
        handle.send_text("[1]")
        started = time.monotonic()
        reason = "the POST was not answered within 0.6 seconds"
        assert events.end() == ("closed", 1006, reason, False)
        assert 0.5 < time.monotonic() - started < QUICK
        gate.set()
        handle.join(PATIENCE)
    assert len(server.of("POST")) == 1


@pytest.mark.contract("C139")
def test_a_post_that_is_not_taken_ends_the_session() -> None:
    """410 says that the session is gone."""
    with PollServer(post=lambda _: say(410)) as server:
        handle, events = connect(server.url)
        handle.send_text("[1]")
        assert events.end() == ("closed", 3410, "the session is gone", False)
        handle.join(PATIENCE)


def test_an_answer_that_never_ends_times_out() -> None:
    """What came of it counts for nothing."""

    def begin(_: Request) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 10

    with PollServer(post=begin) as server:
        handle, events = connect(server.url, longpoll_timeout=0.5)
        handle.send_text("[1]")
        assert "not answered within 0.5 seconds" in events.end()[2]
        handle.join(PATIENCE)


@pytest.mark.contract("C145")
def test_close_ends_the_poll_under_way() -> None:
    """At once, though the server has nothing to say for long."""
    gate = threading.Event()
    with PollServer() as server:
        handle, events = connect(server.url)
        until(lambda: len(server.of("GET")) > 1)
        started = time.monotonic()
        handle.close(1000, "bye")
        handle.close()
        assert events.end() == ("closed", 1000, "bye", True)
        assert time.monotonic() - started < 1.0
        handle.join(PATIENCE)
        gate.set()


@pytest.mark.contract("C118")
def test_close_posts_what_is_queued() -> None:
    """In order, before the end is told."""

    def slowly(_: Request) -> bytes:
        time.sleep(0.05)
        return say(200)

    with PollServer(post=slowly) as server:
        handle, events = connect(server.url)
        for number in range(90):
            handle.send_text(f"[{number}]")
        finish(handle, events)
    lines = [line for post in server.of("POST") for line in post.lines]
    assert lines == [b"[%d]" % number for number in range(90)]


def test_a_server_that_takes_nothing_makes_a_send_wait_and_fail() -> None:
    """After send_timeout; abort() ends it all."""
    gate = threading.Event()

    def hang(_: Request) -> bytes:
        gate.wait(PATIENCE)
        return say(200)

    with PollServer(post=hang) as server:
        handle, events = connect(server.url, send_timeout=0.2)
        until(lambda: _fills(handle))
        with pytest.raises(ConnectionLost, match=r"took nothing for 0\.2 seconds"):
            handle.send_text("[1]")
        handle.abort()
        assert events.end() == ("closed", 1006, "aborted", False)
        gate.set()
        handle.join(PATIENCE)


def _fills(handle: LongPollHandle) -> bool:
    """Send one message; tell whether the next would have to wait."""
    if handle.writable():
        handle.send_text("[1]")
    return not handle.writable()


def _posts(server: PollServer, count: int) -> bool:
    """Tell whether so many POSTs came."""
    return len(server.of("POST")) == count


# -- opening


@pytest.mark.contract("C139")
def test_a_refusal_is_typed() -> None:
    """With the status of Phoenix, or of what stands before it."""
    with PollServer(first=say(403)) as server:
        with pytest.raises(HandshakeRefused) as caught:
            connect(server.url)
        assert caught.value.status == 403
        assert caught.value.url == f"ws://localhost:{server.port}/socket/longpoll"
    busy = respond("503 Service Unavailable", b"later", "Retry-After: 7", "X-Why: load")
    with PollServer(first=busy) as server:
        with pytest.raises(HandshakeRefused) as caught:
            connect(server.url)
        assert (caught.value.status, caught.value.retry_after) == (503, 7.0)
        assert (caught.value.body, caught.value.headers["x-why"]) == (b"later", "load")


@pytest.mark.parametrize(
    ("answer", "said"),
    [(respond("200 OK", b"<html>"), "none of long poll"), (b"SSH-2.0-tiny\r\n", "is not HTTP")],
)
def test_an_answer_that_is_none_is_a_connect_error(answer: bytes, said: str) -> None:
    """Nothing is left open."""
    with PollServer(first=answer) as server, pytest.raises(ConnectError, match=said):
        connect(server.url)


@pytest.mark.parametrize("what", [b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000])
def test_opening_has_a_deadline(what: bytes) -> None:
    """Over everything, whether nothing comes or more than can be read.

    Newer versions of `http.client` give up sooner where interim answers do not end.
    """

    def script(peer: Any) -> None:
        peer.recv(65536)
        with suppress(OSError):
            while what:
                peer.sendall(what)
            peer.recv(1)

    with raw_server(script) as url:
        started = time.monotonic()
        with pytest.raises(ConnectError if what else ConnectTimeout):
            connect(url, connect_timeout=0.3)
        assert time.monotonic() - started < QUICK


def test_an_attempt_can_be_aborted() -> None:
    """Wherever it is."""
    handles: list[LongPollHandle] = []

    def script(peer: Any) -> None:
        peer.recv(65536)
        handles[0].abort()
        peer.recv(1)

    with raw_server(script) as url, pytest.raises(ConnectError, match="aborted"):
        connect(url, announce=handles.append)


# -- connections


def test_connections_are_kept_alive() -> None:
    """One for polls, one for posts."""
    with PollServer() as server:
        handle, events = connect(server.url)
        for number in range(5):
            handle.send_text(f"[{number}]")
            until(partial(_posts, server, number + 1))
        finish(handle, events)
    assert server.connections == 2


@pytest.mark.parametrize("header", ["Connection: close", SILENT_END.decode()])
def test_a_connection_that_was_closed_between_requests_is_replaced(header: str) -> None:
    """Whether the server said so or not: the message is posted once, and nobody notices."""
    closing = respond("200 OK", b'{"status":200}', header)
    with PollServer(post=lambda _: closing) as server:
        handle, events = connect(server.url)
        for number in range(3):
            handle.send_text(f"[{number}]")
            until(partial(_posts, server, number + 1))
            # Until the end has arrived, too.
            until(lambda: server.ended == server.connections - 1)
        finish(handle, events)
    assert [post.body for post in server.of("POST")] == [b"[0]", b"[1]", b"[2]"]


def test_a_chunked_answer_is_read() -> None:
    """As proxies make them."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b'b\r\n{"status":2\r\n18\r\n00,"messages":["[1,2]"]}\r\n0\r\n\r\n'
    with PollServer() as server:
        handle, events = connect(server.url)
        server.polls.put(head + chunks)
        assert events.next() == ("text", b"[1,2]")
        finish(handle, events)


def test_polls_that_bring_nothing_at_once_are_paced() -> None:
    """A cache on the way does not make a tight loop."""
    with PollServer() as server:
        for _ in range(1000):
            server.polls.put(say(204))
        handle, events = connect(server.url)
        time.sleep(0.6)
        finish(handle, events)
    assert len(server.of("GET")) <= 5
