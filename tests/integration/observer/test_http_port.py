"""The ports of the page and of the probes, to visitors that are slow, many or odd."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from supervisors import observer
from supervisors.observer import http_port
from supervisors.observer.http_port import HttpPort
from tests.integration.observer.programs import DEADLINE

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture(params=[observer.serve_http, observer.serve_health])
def port(no_leaks: None, request: pytest.FixtureRequest) -> Iterator[HttpPort]:
    """Either port."""
    with request.param(0) as running:
        yield running


def visit(port: HttpPort) -> socket.socket:
    """Returns a connection that has said nothing."""
    return socket.create_connection((port.host, port.port), timeout=DEADLINE)


def status(port: HttpPort, path: str = "/health/live", host: str = "localhost") -> int:
    """Returns the status of the answer to GET."""
    with visit(port) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        return int(connection.recv(100).split()[1])


def test_the_silent_keep_nobody_out(port: HttpPort) -> None:
    """Whoever asks is answered, however many connections are open and ask nothing."""
    with ExitStack() as stack:
        silent = [stack.enter_context(visit(port)) for _ in range(40)]
        # The last of them is served after all others were taken in.
        silent[-1].sendall(b"GET /nothing HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert b" 404 " in silent[-1].recv(100)
        assert status(port) in (200, 404)


def test_a_byte_now_and_then_buys_no_time(port: HttpPort, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole request has one deadline."""
    monkeypatch.setattr(http_port, "_PATIENCE", 0.3)
    give_up = time.monotonic() + DEADLINE / 4
    with visit(port) as slow:
        slow.sendall(b"GET /")
        while not select.select([slow], [], [], 0.02)[0]:
            assert time.monotonic() < give_up
            slow.sendall(b"x")


def test_odd_addresses_are_answered(port: HttpPort) -> None:
    """What is no address and no host name is refused, not left without an answer."""
    assert status(port, "http://[") == 400
    assert status(port, "/", host="[") in (404, 421)
