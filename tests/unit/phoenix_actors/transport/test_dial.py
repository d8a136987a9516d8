"""From a host and a port to a socket: what can be shown without a network."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from phoenix_actors.options import SSLOptions
from phoenix_actors.transport import dial

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Yield a listening socket on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def unheld(_: socket.socket) -> None:
    """Hold nothing."""


def soon(seconds: float = 5.0) -> float:
    """Return a deadline."""
    return time.monotonic() + seconds


def test_the_time_left_is_never_negative() -> None:
    """A deadline that has come is an error, none at all is none."""
    assert dial.left(None) is None
    assert 0 < (dial.left(soon()) or 0) <= 5.0
    with pytest.raises(TimeoutError):
        dial.left(time.monotonic())


@pytest.mark.contract("C172")
def test_small_frames_are_not_delayed_and_dead_peers_noticed(listener: socket.socket) -> None:
    """TCP_NODELAY and SO_KEEPALIVE are on."""
    sock = dial.connect("127.0.0.1", listener.getsockname()[1], soon(), unheld)
    with sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0


def test_a_name_is_looked_up_and_each_address_tried(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first address refuses, the second takes the connection."""
    host, port = listener.getsockname()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()
    family = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    addresses = [(*family, refusing), (*family, (host, port))]
    monkeypatch.setattr(dial, "_resolve", lambda *_: addresses)
    tried: list[socket.socket] = []
    with dial.connect("name", port, soon(), tried.append) as sock:
        assert sock.getpeername() == (host, port)
    assert len(tried) == 2


def test_localhost_is_found() -> None:
    """A name needs a look-up, which has a thread and a deadline."""
    found = dial._resolve("localhost", 80, soon())
    assert {address[4][0] for address in found} <= {"127.0.0.1", "::1"}


def test_an_ipv4_address_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As getaddrinfo has it, which is not asked; what only looks like one is."""
    numeric = socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    asked: list[str] = []

    def refuse(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert dial._resolve("127.0.0.1", 80, soon()) == numeric
    assert asked == []
    with pytest.raises(OSError):  # noqa: PT011  the system's
        dial._resolve("256.0.0.1", 80, soon())
    assert asked[0] == "256.0.0.1"


def test_what_cannot_be_a_name_is_an_oserror() -> None:
    """As one that nobody has would be."""
    with pytest.raises(OSError, match="no name of a host"):
        dial.connect("a" * 64, 80, soon(), unheld)


def test_an_attempt_that_was_aborted_leaves_no_socket(listener: socket.socket) -> None:
    """What `hold` raises ends the attempt, and the socket is closed."""
    held: list[socket.socket] = []

    def refuse(sock: socket.socket) -> None:
        held.append(sock)
        raise LookupError

    with pytest.raises(LookupError):
        dial.connect("127.0.0.1", listener.getsockname()[1], soon(), refuse)
    assert held[0].fileno() == -1
    dial.shut_down(held[0])


@pytest.mark.contract("C174")
def test_tls_verifies_by_default() -> None:
    """The system's certificates, the host's name; only verify=False switches both off."""
    for options in (None, SSLOptions(), SSLOptions(server_hostname="other")):
        context = dial.tls_context(options)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    lax = dial.tls_context(SSLOptions(verify=False))
    assert lax.verify_mode is ssl.CERT_NONE
    assert not lax.check_hostname


@pytest.mark.contract("C174")
def test_a_ready_context_is_taken() -> None:
    """It is the user's, and is not changed."""
    context = ssl.create_default_context()
    assert dial.tls_context(SSLOptions(context=context)) is context


@pytest.mark.contract("C174")
@pytest.mark.parametrize("options", [SSLOptions(ca_certs="/none"), SSLOptions(certfile="/none")])
def test_files_that_are_not_there_are_oserrors(options: SSLOptions) -> None:
    """They cannot be used, and nothing is assumed in their place."""
    with pytest.raises(OSError, match=r".+"):
        dial.tls_context(options)
