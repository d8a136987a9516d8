"""The upgrade: what is asked, and what is made of the answer."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.errors import AuthTokenIgnored, ConnectError, HandshakeRefused, InvalidURL
from phoenix_actors.options import TransportOptions
from phoenix_actors.transport.handshake import retry_after, target_of, upgrade
from phoenix_actors.transport.stream import EndOfStream, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = base64.b64encode(b"k" * 16).decode()
ACCEPT = base64.b64encode(
    hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324
).decode()
AGREED = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Accept": ACCEPT,
}
URL = "ws://h:4000/socket/websocket?token=s3cr3t&vsn=2.0.0"


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Stream, socket.socket]]:
    """Yield a stream whose handshake key is known, and the server's end of it."""
    monkeypatch.setattr("os.urandom", lambda size: b"k" * size)
    near, far = socket.socketpair()
    stream = Stream(near)
    yield stream, far
    stream.close()
    far.close()


def answer(status: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def ask(ends: tuple[Stream, socket.socket], answered: bytes, **options: Any) -> Any:
    """Let the server say something before it is asked, and ask."""
    stream, far = ends
    far.sendall(answered)
    target = target_of(options.pop("url", URL))
    return upgrade(stream, target, TransportOptions(**options), time.monotonic() + 5.0)


@pytest.mark.contract("C13", "C14", "C178")
def test_the_request_has_what_it_needs_and_no_more(ends: tuple[Stream, socket.socket]) -> None:
    """Host, the upgrade, our headers; no Origin, no extension, no cookie."""
    ask(ends, answer("101 Switching Protocols", AGREED), headers=(("x-client", "7"),))
    assert ends[1].recv(9999).decode().split("\r\n") == [
        "GET /socket/websocket?token=s3cr3t&vsn=2.0.0 HTTP/1.1",
        "Host: h:4000",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        "x-client: 7",
        "",
        "",
    ]


@pytest.mark.contract("C10", "C12")
@pytest.mark.parametrize(
    ("chosen", "wrong"), [("phoenix", None), (None, AuthTokenIgnored), ("other", ConnectError)]
)
def test_a_token_goes_as_a_subprotocol(
    ends: tuple[Stream, socket.socket], chosen: str | None, wrong: type[Exception] | None
) -> None:
    """Unpadded; a server that answers with none of it has ignored it."""
    told = {} if chosen is None else {"Sec-WebSocket-Protocol": chosen}
    answered = answer("101 Switching Protocols", AGREED | told)
    token = {"auth_token": "1234"}
    if wrong is None:
        ask(ends, answered, **token)
    else:
        with pytest.raises(wrong) as caught:
            ask(ends, answered, **token)
        assert type(caught.value) is wrong
    line = "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.MTIzNA"
    assert line in ends[1].recv(9999).decode().split("\r\n")


@pytest.mark.contract("C173")
@pytest.mark.parametrize(
    ("extension", "how"),
    [
        (None, "plain"),
        ("permessage-deflate", "deflated"),
        ("permessage-deflate; client_no_context_takeover", "deflated"),
        ('permessage-deflate;server_max_window_bits="12"', "deflated"),
        ("permessage-deflate; server_max_window_bits=16", "refused"),
        ("permessage-deflate; client_max_window_bits=12", "refused"),
        ("permessage-deflate; x=1", "refused"),
        (
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "refused",
        ),
        ("x-webkit-deflate-frame", "refused"),
    ],
)
def test_deflating_is_agreed_on(
    ends: tuple[Stream, socket.socket], extension: str | None, how: str
) -> None:
    """What the server answers counts, and what was not offered is no answer."""
    told = {} if extension is None else {"Sec-WebSocket-Extensions": extension}
    answered = answer("101 Switching Protocols", AGREED | told)
    if how == "refused":
        with pytest.raises(ConnectError, match="none of a WebSocket server"):
            ask(ends, answered, compression=True)
    else:
        assert (ask(ends, answered, compression=True) is not None) == (how == "deflated")
    asked = ends[1].recv(9999).decode().split("\r\n")
    assert "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover" in asked


def test_a_header_host_of_the_user_replaces_ours(ends: tuple[Stream, socket.socket]) -> None:
    """There is one Host."""
    ask(ends, answer("101 Switching Protocols", AGREED), headers=(("Host", "example.org"),))
    request = ends[1].recv(9999).decode()
    assert request.count("Host: ") == 1
    assert "Host: example.org\r\n" in request


def test_frames_behind_the_answer_are_kept(ends: tuple[Stream, socket.socket]) -> None:
    """A server may speak first."""
    ask(ends, answer("101 Switching Protocols", AGREED) + b"\x81\x02hi")
    assert ends[0].receive(99) == b"\x81\x02hi"


@pytest.mark.contract("C112", "C114")
@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "302 Found", "200 OK", "503"])
def test_another_status_is_a_refusal(ends: tuple[Stream, socket.socket], status: str) -> None:
    """With status, headers and body; a redirect is not followed."""
    headers = {"Content-Length": "6", "X-Why": "no", "Location": "ws://evil/"}
    with pytest.raises(HandshakeRefused) as caught:
        ask(ends, answer(status, headers, b"reason"))
    error = caught.value
    assert error.status == int(status[:3])
    assert error.headers["x-why"] == "no"
    assert error.body == b"reason"
    assert "s3cr3t" not in str(error)


def test_a_body_that_is_too_short_does_not_hide_the_status(
    ends: tuple[Stream, socket.socket],
) -> None:
    """The server closes early, or says nonsense about the length: the status is what matters."""
    ends[1].sendall(answer("403 Forbidden", {"Content-Length": "999999999999"}, b"part"))
    ends[1].shutdown(socket.SHUT_WR)
    with pytest.raises(HandshakeRefused) as caught:
        upgrade(ends[0], target_of(URL), TransportOptions(), time.monotonic() + 5.0)
    assert (caught.value.status, caught.value.body) == (403, b"part")


def test_a_body_without_a_length_is_read_for_a_moment(ends: tuple[Stream, socket.socket]) -> None:
    """The attempt does not wait for its whole deadline."""
    started = time.monotonic()
    with pytest.raises(HandshakeRefused) as caught:
        ask(ends, answer("500 Oops", {"Content-Length": "x"}, b"text"))
    assert caught.value.body == b"text"
    assert time.monotonic() - started < 4.0


@pytest.mark.contract("C113")
def test_retry_after_is_read(ends: tuple[Stream, socket.socket]) -> None:
    """Seconds are taken as they are."""
    with pytest.raises(HandshakeRefused) as caught:
        ask(ends, answer("429 Slow down", {"Content-Length": "0", "Retry-After": "17"}))
    assert caught.value.retry_after == 17.0


@pytest.mark.contract("C113")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:01:00", 60.0),
        ("-5", None),
        ("soon", None),
        (f"Thu, 01 Jan 2026 00:01:00 +{'9' * 400}", None),
        (f"Thu, 01 Jan {'9' * 400} 00:01:00 GMT", None),
        ("", None),
    ],
)
def test_retry_after_may_be_a_date(value: str | None, seconds: float | None) -> None:
    """A date in the past is now, nonsense is nothing."""
    assert retry_after(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"Upgrade": "h2c"},
        {"Connection": "close"},
        {"Sec-WebSocket-Accept": "x"},
        {"Sec-WebSocket-Extensions": "permessage-deflate"},
        {"Sec-WebSocket-Protocol": "chat"},
    ],
    ids=str,
)
def test_an_answer_of_something_else_is_refused(
    ends: tuple[Stream, socket.socket], wrong: dict[str, str]
) -> None:
    """A wrong key, an upgrade to something else, or what was not asked for."""
    with pytest.raises(ConnectError, match="none of a WebSocket server"):
        ask(ends, answer("101 Switching Protocols", {**AGREED, **wrong}))


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/2 101\r\n\r\n", b"\r\n\r\n"])
def test_an_answer_that_is_not_http_is_refused(
    ends: tuple[Stream, socket.socket], said: bytes
) -> None:
    """Whatever listens there."""
    with pytest.raises(ConnectError, match="not HTTP"):
        ask(ends, said)


def test_endless_headers_are_refused(ends: tuple[Stream, socket.socket]) -> None:
    """64 KiB are the most."""
    with pytest.raises(ConnectError, match="64 KiB"):
        ask(ends, b"HTTP/1.1 101 X\r\n" + b"x-a: 1\r\n" * 9000)


def test_an_answer_that_does_not_come_is_told() -> None:
    """The end of the stream, or of the time."""
    near, far = socket.socketpair()
    stream = Stream(near)
    with pytest.raises(TimeoutError):
        upgrade(stream, target_of(URL), TransportOptions(), time.monotonic() + 0.01)
    far.close()
    with pytest.raises(EndOfStream):
        upgrade(stream, target_of(URL), TransportOptions(), time.monotonic() + 5.0)
    stream.close()


@pytest.mark.contract("C2")
@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "secure"),
    [
        ("ws://h/s?x=1", "h", 80, "h", False),
        ("wss://h/s", "h", 443, "h", True),
        ("ws://h:4000", "h", 4000, "h:4000", False),
        ("wss://[::1]:8443/s", "::1", 8443, "[::1]:8443", True),
    ],
)
def test_the_target_of_a_url(url: str, host: str, port: int, authority: str, secure: bool) -> None:
    """Default ports are 80 and 443; IPv6 is in brackets in Host and without them in the address."""
    target = target_of(url)
    assert (target.host, target.port, target.authority) == (host, port, authority)
    assert target.secure is secure
    assert target.resource.startswith("/")


@pytest.mark.parametrize(
    "url", ["http://h/", "ws:///s", "ws://h:x/", "ws://h/\r\nx-a: 1", "ws://h/é", "h"]
)
def test_another_url_is_refused(url: str) -> None:
    """A line break cannot get into the request."""
    with pytest.raises(InvalidURL):
        target_of(url)
