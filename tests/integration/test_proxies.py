"""Connections through proxies, and none through those that nobody asked for."""

from __future__ import annotations

import base64
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from phoenix_actors import ConnectError, ConnectTimeout, SocketClient
from phoenix_actors.options import TransportOptions
from phoenix_actors.testing import PhoenixServer
from phoenix_actors.transport.websocket import WebSocketTransport
from tests.e2e.rig import DEADLINE, Connect, eventually
from tests.integration.proxies import TinyProxy, connect_proxy, socks_proxy
from tests.integration.websocket_peers import Events

HIDDEN = "s3cr3t"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxies the machine of the test has do not count."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def authority(server: PhoenixServer) -> str:
    """Return host and port of the server."""
    return urlsplit(server.url).netloc


def echoed(client: SocketClient) -> Any:
    """Return what comes back through whatever is between."""
    channel = client.channel("room:far") or client.join("room:far")
    return channel.push("echo", {"far": True}).get(timeout=DEADLINE).unwrap()


@pytest.mark.contract("C175")
def test_a_connect_proxy_stands_between(server: PhoenixServer, connect: Connect) -> None:
    """It is asked for host and port; a reconnect goes through it too."""
    with connect_proxy() as proxy:
        opts = {"proxy": f"http://127.0.0.1:{proxy.port}"}
        client = connect(transport_opts=opts, headers={"authorization": HIDDEN})
        assert echoed(client) == {"far": True}
        server.kill_sockets()
        eventually(lambda: len(proxy.asked), lambda count: count == 2)
        client.wait_connected(DEADLINE)
        client.stop()
    first = proxy.asked[0].split("\r\n")
    host = authority(server)
    assert first == [f"CONNECT {host} HTTP/1.1", f"Host: {host}", "", ""]
    assert HIDDEN not in str(proxy.asked)


@pytest.mark.contract("C175")
def test_a_proxy_gets_its_password_and_the_server_does_not(
    server: PhoenixServer, connect: Connect
) -> None:
    """Basic authentication, from the URL or from beside it, and in nothing that is shown."""
    with connect_proxy() as proxy:
        opts = {"proxy": {"url": f"127.0.0.1:{proxy.port}", "username": "al", "password": HIDDEN}}
        client = connect(transport_opts=opts)
        assert echoed(client) == {"far": True}
        assert HIDDEN not in repr(client.session.options)
        client.stop()
    pair = base64.b64encode(f"al:{HIDDEN}".encode()).decode()
    assert f"Proxy-Authorization: Basic {pair}\r\n" in proxy.asked[0]
    names = [name for name, _ in server.connect_params()[0].headers]
    assert "proxy-authorization" not in names


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused with HTTP status 407"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "refused with HTTP status 502"),
        ("SSH-2.0-tiny\r\n\r\n", "does not speak HTTP"),
        ("HTTP/1.1 403", "did not answer"),
        ("HTTP/1.1 403 " + "x" * 20_000, "did not answer"),
    ],
)
@pytest.mark.usefixtures("no_leaks")
def test_a_proxy_that_says_no_is_a_connect_error(answer: str, said: str) -> None:
    """It names the proxy, without its password, and nothing is left open."""
    with connect_proxy(answer) as proxy:
        url = f"http://al:{HIDDEN}@127.0.0.1:{proxy.port}"
        options = TransportOptions.of({"proxy": url})
        with pytest.raises(ConnectError, match=said) as caught:
            WebSocketTransport().open("ws://server.invalid/", options, Events())
    assert f"http://127.0.0.1:{proxy.port}" in str(caught.value)
    assert HIDDEN not in str(caught.value)


@pytest.mark.usefixtures("no_leaks")
def test_a_proxy_that_is_not_there_is_a_connect_error() -> None:
    """The error says that it is the proxy."""
    with connect_proxy() as proxy:
        port = proxy.port
    options = TransportOptions.of({"proxy": f"127.0.0.1:{port}"})
    with pytest.raises(ConnectError, match=f"proxy http://127.0.0.1:{port} cannot be reached"):
        WebSocketTransport().open("ws://server.invalid/", options, Events())


@pytest.mark.contract("C122")
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.usefixtures("no_leaks")
def test_a_proxy_that_does_not_answer_is_given_up_in_time(scheme: str) -> None:
    """The connect_timeout is for all of it."""
    if scheme != "http":
        pytest.importorskip("python_socks")
    release = threading.Event()

    def script(*_: Any) -> None:
        release.wait(DEADLINE)

    with TinyProxy(script) as proxy:
        given = {"proxy": f"{scheme}://127.0.0.1:{proxy.port}", "connect_timeout": 0.1}
        with pytest.raises(ConnectTimeout):
            WebSocketTransport().open("ws://h/", TransportOptions.of(given), Events())
        release.set()


@pytest.mark.contract("C122")
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.usefixtures("no_leaks")
def test_a_proxy_that_answers_drop_by_drop_is_given_up_in_time(scheme: str) -> None:
    """Each drop comes in time, all of them do not."""
    if scheme != "http":
        pytest.importorskip("python_socks")
    gone = threading.Event()

    def script(peer: socket.socket, _: Any) -> None:
        # 5, 0 is the first answer of a SOCKS proxy; the rest is never complete.
        for byte in b"\x05\x00\x05" if scheme != "http" else b"HTTP/1.1 200":
            peer.sendall(bytes([byte]))
            gone.wait(0.15)
        gone.wait(DEADLINE)

    with TinyProxy(script) as proxy:
        given = {"proxy": f"{scheme}://127.0.0.1:{proxy.port}", "connect_timeout": 0.4}
        started = time.monotonic()
        with pytest.raises(ConnectTimeout):
            WebSocketTransport().open("ws://h/", TransportOptions.of(given), Events())
        took = time.monotonic() - started
        gone.set()
    assert took < DEADLINE / 2


@pytest.mark.contract("C117")
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.usefixtures("no_leaks")
def test_abort_ends_an_attempt_that_waits_for_a_proxy(scheme: str) -> None:
    """The socket to the proxy is held like any other."""
    if scheme != "http":
        pytest.importorskip("python_socks")
    release = threading.Event()
    handles: list[Any] = []
    in_time: list[bool] = []

    def script(*_: Any) -> None:
        handles[0].abort()
        in_time.append(release.wait(DEADLINE))

    with TinyProxy(script) as proxy:
        opts = TransportOptions.of({"proxy": f"{scheme}://127.0.0.1:{proxy.port}"})
        options = TransportOptions(proxy=opts.proxy, announce=handles.append, connect_timeout=None)
        with pytest.raises(ConnectError):
            WebSocketTransport().open("ws://h/", options, Events())
        release.set()
    assert in_time == [True]


@pytest.mark.contract("C175")
@pytest.mark.parametrize(
    ("scheme", "password", "kind"),
    [("socks5h", None, 3), ("socks5h", HIDDEN, 3), ("socks5", None, 1)],
)
def test_a_socks_proxy_stands_between(
    server: PhoenixServer, connect: Connect, scheme: str, password: str | None, kind: int
) -> None:
    """With a password or without; socks5h leaves the look-up of the name to the proxy."""
    pytest.importorskip("python_socks")
    with socks_proxy(password) as proxy:
        user = "" if password is None else f"al:{password}@"
        opts = {"proxy": f"{scheme}://{user}127.0.0.1:{proxy.port}"}
        url = server.url.replace("127.0.0.1", "localhost")
        client = connect(url=url, transport_opts=opts)
        assert echoed(client) == {"far": True}
        client.stop()
    asked = "localhost" if kind == 3 else "127.0.0.1"
    assert proxy.asked == [f"{kind} {asked}:{server.port}"]


@pytest.mark.usefixtures("no_leaks")
def test_a_socks_proxy_that_says_no_is_a_connect_error() -> None:
    """The password is wrong; neither it nor the right one is shown."""
    pytest.importorskip("python_socks")
    with socks_proxy("right") as proxy:
        url = f"socks5h://al:{HIDDEN}@127.0.0.1:{proxy.port}"
        options = TransportOptions.of({"proxy": url})
        with pytest.raises(ConnectError, match="the proxy socks5h") as caught:
            WebSocketTransport().open("ws://server.invalid/", options, Events())
    assert HIDDEN not in str(caught.value)


@pytest.mark.contract("C175")
def test_the_environment_counts_when_it_is_asked_for(
    server: PhoenixServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not otherwise, and not for whom `no_proxy` names."""
    with connect_proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert echoed(connect()) == {"far": True}
        assert proxy.asked == []
        through = connect(transport_opts={"proxy": "environment"})
        assert echoed(through) == {"far": True}
        assert len(proxy.asked) == 1
        through.stop()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert echoed(connect(transport_opts={"proxy": "environment"})) == {"far": True}
        assert len(proxy.asked) == 1
