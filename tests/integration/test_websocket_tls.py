"""The WebSocket transport with TLS, against a server with a certificate made for the test."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from phoenix_actors.errors import (
    ConnectError,
    ConnectTimeout,
    TLSError,
)
from phoenix_actors.options import SSLOptions, TransportOptions
from phoenix_actors.transport.long_poll import LongPollTransport
from tests.integration.long_poll_peers import PollServer, say
from tests.integration.websocket_peers import (
    PATIENCE,
    QUICK,
    Events,
    connect,
    echo,
    raw_server,
    serving,
    wait_for_end,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate for localhost and its key, made by openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    return folder


@pytest.fixture
def secure_url(certificate: Path) -> Iterator[str]:
    """Yield the URL of an echo server with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with serving(echo, ssl=context) as (_, url):
        yield url


@pytest.mark.contract("C174")
@pytest.mark.parametrize("how", ["own authority", "not verified", "ready context", "other name"])
def test_tls_with_what_was_asked_for(certificate: Path, secure_url: str, how: str) -> None:
    """Each way of trusting a certificate; messages of more than one TLS record round trip."""
    ca = str(certificate / "cert.pem")
    url = secure_url.replace("127.0.0.1", "localhost")
    match how:
        case "own authority":
            options = SSLOptions(ca_certs=ca)
        case "not verified":
            options, url = SSLOptions(verify=False), secure_url
        case "ready context":
            options = SSLOptions(context=ssl.create_default_context(cafile=ca))
        case _:
            options, url = SSLOptions(ca_certs=ca, server_hostname="localhost"), secure_url
    handle, events = connect(url, TransportOptions(ssl_opts=options))
    data = bytes(range(256)) * 4096
    for _ in range(3):
        handle.send_binary(data)
    handle.send_text("é")
    for _ in range(3):
        assert events.next() == ("binary", data)
    assert events.next() == ("text", "é".encode())
    handle.close()
    assert events.end() == ("closed", 1000, "", True)


@pytest.mark.contract("C174")
def test_long_poll_over_tls(certificate: Path) -> None:
    """Polls and posts verify the server; one that does not verify is a typed error."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = TransportOptions(ssl_opts=SSLOptions(ca_certs=str(certificate / "cert.pem")))
    with PollServer(tls=context) as server:
        events = Events()
        with pytest.raises(TLSError):
            LongPollTransport().open(server.url, TransportOptions(), events)
        handle = LongPollTransport().open(server.url, trusting, events)
        assert events.next() == ("connected",)
        server.polls.put(say(200, "[1]"))
        assert events.next() == ("text", b"[1]")
        for number in range(3):
            handle.send_text(f"[{number}]")
        handle.close()
        assert events.end() == ("closed", 1000, "", True)
    lines = [line for post in server.of("POST") for line in post.lines]
    assert lines == [b"[0]", b"[1]", b"[2]"]


@pytest.mark.contract("C114", "C174")
@pytest.mark.parametrize("how", ["unknown authority", "other host", "no file"])
def test_tls_that_does_not_verify_is_a_typed_error(
    certificate: Path, secure_url: str, how: str
) -> None:
    """Told apart from a network that fails, for it is not worth another attempt."""
    ca = str(certificate / "cert.pem")
    options = {
        "unknown authority": None,
        "other host": SSLOptions(ca_certs=ca),
        "no file": SSLOptions(ca_certs=ca + ".none"),
    }[how]
    with pytest.raises(TLSError) as caught:
        connect(secure_url, TransportOptions(ssl_opts=options))
    assert caught.value.__cause__ is not None


@pytest.mark.contract("C114")
def test_tls_to_a_server_without_it_is_a_typed_error() -> None:
    """A server that answers in plain text will do so again."""

    def script(peer: socket.socket) -> None:
        peer.recv(1)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wait_for_end(peer)

    with raw_server(script) as url, pytest.raises(TLSError):
        connect(url.replace("ws://", "wss://"))


@pytest.mark.contract("C122")
def test_a_server_that_does_not_answer_tls_is_given_up_in_time() -> None:
    """The one deadline holds for the handshake of TLS too."""
    with raw_server(wait_for_end) as url:
        started = time.monotonic()
        with pytest.raises(ConnectTimeout):
            connect(url.replace("ws://", "wss://"), TransportOptions(connect_timeout=0.3))
        assert time.monotonic() - started < QUICK


def test_a_server_that_hangs_up_during_tls_is_a_connect_error() -> None:
    """It may be restarting, so it says nothing about TLS and another attempt is worth it."""
    with raw_server(lambda peer: peer.recv(1)) as url, pytest.raises(ConnectError) as caught:
        connect(url.replace("ws://", "wss://"))
    assert not isinstance(caught.value, TLSError)


@pytest.mark.contract("C78")
def test_tls_with_many_senders_and_a_reader(certificate: Path, secure_url: str) -> None:
    """Reads and writes of one TLS connection come from different threads at once."""
    options = SSLOptions(ca_certs=str(certificate / "cert.pem"), server_hostname="localhost")
    handle, events = connect(secure_url, TransportOptions(ssl_opts=options))

    def send(name: int) -> None:
        for number in range(200):
            handle.send_text(f"{name}:{number}:" + "x" * (number * 40))

    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    seen: dict[str, int] = {}
    for _ in range(800):
        name, number, rest = events.next()[1].decode().split(":")
        assert int(number) == seen.get(name, -1) + 1
        assert rest == "x" * (int(number) * 40)
        seen[name] = int(number)
    for thread in threads:
        thread.join(PATIENCE)
    handle.abort()
    events.end()
