"""The token that goes as a subprotocol: to the channel on the server, and nowhere else."""

from __future__ import annotations

import base64
import logging
import operator
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from phoenix_actors import (
    AuthTokenIgnored,
    ConnectError,
    HandshakeRefused,
    InvalidOption,
    SocketClient,
)
from phoenix_actors import telemetry as names
from phoenix_actors.options import TransportOptions
from phoenix_actors.testing import PhoenixServer, Reply, ServerChannel, ServerProcess
from supervisors import telemetry
from tests.conformance.raw_client import HANDSHAKE, RawClient
from tests.e2e.rig import DEADLINE, Connect, Log, eventually, started
from tests.integration.websocket_peers import agree, raw_server
from tests.integration.websocket_peers import connect as open_websocket

SECRET = "SWORDFISH?>~é"  # noqa: S105  encoded it has both + and /
SHORT = "1234"
SENT = base64.b64encode(SECRET.encode()).decode().rstrip("=")


class Porter(ServerChannel):
    """Tells whether a token is the one."""

    async def handle_in(self, event: str, payload: Any) -> Reply:
        """Compares; `event` is not looked at."""
        token = self.socket.auth_token
        return Reply.ok({"same": token == payload.get("token"), "shown": repr(self.socket)})


@pytest.fixture
def porter(no_leaks: None) -> Iterator[PhoenixServer]:
    """A server whose socket has `auth_token: true`."""
    with PhoenixServer(auth_token=True, channels={"door:*": Porter}) as running:
        yield running


@pytest.fixture
def visit(porter: PhoenixServer) -> Iterator[Connect]:
    """Starts clients of that server."""
    clients: list[Any] = []
    yield lambda **options: started(clients, url=porter.url, **options)
    for client in clients:
        client.stop()


def seen(client: Any, token: str | None) -> Any:
    """Tell whether a channel sees this token."""
    client.wait_connected(DEADLINE)
    channel = client.channel("door:a") or client.join("door:a")
    answer = channel.push("ask", {"token": token}).get(timeout=DEADLINE).unwrap()
    assert "SWORDFISH" not in answer["shown"]
    return answer["same"]


@pytest.mark.contract("C10")
def test_a_channel_sees_the_token(porter: PhoenixServer, visit: Connect) -> None:
    """It travels as phoenix.js sends it, beside the URL and the params."""
    assert {"+", "/"} & set(SENT)
    client = visit(auth_token=SECRET, params={"a": "1"})
    assert seen(client, SECRET)
    handshake = porter.connect_params()[0]
    assert handshake.params == {"a": "1", "vsn": "2.0.0"}
    offered = dict(handshake.headers)["sec-websocket-protocol"]
    assert offered == f"phoenix, base64url.bearer.phx.{SENT}"


@pytest.mark.contract("C10")
def test_the_request_line_has_no_token() -> None:
    """Nor has any line but the one of the subprotocols."""
    requests: list[str] = []

    def script(peer: socket.socket) -> None:
        requests.append(agree(peer))

    with raw_server(script) as url, pytest.raises(AuthTokenIgnored):
        open_websocket(url, TransportOptions(auth_token=SHORT))
    holding = [line for line in requests[0].split("\r\n") if "MTIzNA" in line or "1234" in line]
    assert holding == ["Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.MTIzNA"]


@pytest.mark.contract("C11")
def test_a_function_gives_a_token_for_each_attempt(porter: PhoenixServer, visit: Connect) -> None:
    """A reconnect goes with a new one; None is an attempt without."""
    tokens: list[str | None] = ["third", None, "first"]
    client = visit(auth_token=tokens.pop)
    assert seen(client, "first")
    for number, token in ((2, None), (3, "third")):
        porter.kill_sockets()
        channel = client.channel("door:a")
        assert channel is not None
        joins = partial(getattr, channel, "join_count")
        eventually(joins, partial(operator.eq, number))
        assert porter.connections_total == number
        assert seen(client, token)


@pytest.mark.contract("C11")
@pytest.mark.parametrize(
    ("wrong", "kind"), [(lambda: 1 / 0, ConnectError), (lambda: b"bytes", InvalidOption)]
)
def test_a_function_that_fails_fails_the_attempt(
    visit: Connect, wrong: Callable[[], Any], kind: type[Exception]
) -> None:
    """The next attempt asks it again."""
    answers: list[Callable[[], Any]] = [lambda: SECRET, wrong]
    failed = Log()

    def token() -> Any:
        return answers.pop()()

    client = visit(auth_token=token, auto_connect=False)
    client.on_error(lambda error: failed.add(type(error)))
    client.connect()
    assert seen(client, SECRET)
    assert failed.items == [(kind,)]


@pytest.mark.contract("C12")
def test_a_server_that_ignores_it_is_named(server: PhoenixServer, connect: Connect) -> None:
    """The error says which option the server's socket lacks, and no connection is left."""
    client = connect(auth_token=SECRET, reconnect=False, auto_connect=False)
    client.connect()
    with pytest.raises(AuthTokenIgnored, match="`auth_token: true`") as caught:
        client.wait_connected(DEADLINE)
    assert not isinstance(caught.value, HandshakeRefused)
    assert "SWORDFISH" not in str(caught.value)
    eventually(lambda: server.stats()["transports"], lambda count: count == 0)


def test_a_server_in_a_process_takes_tokens() -> None:
    """With the option its socket knows the subprotocol, and without it the client says so."""
    options = {"auth_token": SHORT, "reconnect": False}
    with (
        ServerProcess(auth_token=True) as porter,
        SocketClient.start_link(url=porter.url, **options) as client,
    ):
        client.wait_connected(DEADLINE)
    with (
        ServerProcess() as server,
        SocketClient.start_link(url=server.url, **options) as client,
        pytest.raises(AuthTokenIgnored),
    ):
        client.wait_connected(DEADLINE)


def test_a_client_without_a_token_is_let_in(porter: PhoenixServer, visit: Connect) -> None:
    """The server leaves it to connect/3 to refuse it; the channel sees None."""
    assert seen(visit(), None)
    assert porter.connections_total == 1


@pytest.mark.contract("C16")
def test_nobody_tells_the_token(
    porter: PhoenixServer, visit: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a log line, a repr, a state, an error or an event, plain or encoded."""
    caplog.set_level(logging.DEBUG)
    told = Log()
    events = [value for name, value in vars(names).items() if name.isupper() and name[0] != "_"]
    telemetry.attach_many("token", events, lambda *event: told.add(str(event)))
    client = visit(auth_token=SECRET)
    assert seen(client, SECRET)
    porter.refuse_connections(403)
    failed = Log()
    client.on_error(lambda error: failed.add(repr(error), str(error)))
    porter.kill_sockets()
    eventually(lambda: failed.items)
    options = client.session.options
    shown = [repr(client), repr(client.session), repr(options), repr(options.connect_options())]
    shown += [
        str(client.get_state()),
        str(failed.items),
        str(told.items),
        repr(porter.handshakes()),
    ]
    shown += [record.getMessage() for record in caplog.records]
    telemetry.detach("token")
    assert [text for text in shown if "SWORDFISH" in text or SENT in text] == []
    assert "auth_token=…" in repr(options)


@pytest.mark.parametrize(
    ("offered", "status", "chosen"),
    [
        ("phoenix, base64url.bearer.phx.MTIzNA", 101, "phoenix"),
        ("base64url.bearer.phx.MTIzNA, phoenix", 101, "phoenix"),
        ("base64url.bearer.phx.MTIzNA", 101, None),
        ("phoenix", 101, "phoenix"),
        ("graphql", 403, None),
        ("graphql, base64url.bearer.phx.MTIzNA", 403, None),
        ("phoenix, base64url.bearer.phx.MT-_", 500, None),
        ("phoenix, base64url.bearer.phx._w", 500, None),
    ],
)
def test_the_server_reads_subprotocols_as_phoenix_does(
    porter: PhoenixServer, offered: str, status: int, chosen: str | None
) -> None:
    """Standard base64, unpadded; `phoenix` is the only word that it knows."""
    raw = RawClient(porter.url)
    header = f"Sec-WebSocket-Protocol: {offered}"
    raw.request(["GET /socket/websocket?vsn=2.0.0 HTTP/1.1", *HANDSHAKE, header])
    answer = raw.response()
    raw.close()
    assert answer.status_line.split()[1] == str(status)
    assert dict(answer.headers).get("sec-websocket-protocol") == chosen


def test_the_option_of_the_server_is_checked() -> None:
    """The token itself is given to clients, not to the server."""
    with pytest.raises(ValueError, match="auth_token must be True or False, not str"):
        PhoenixServer(auth_token=SECRET)  # type: ignore[arg-type]
