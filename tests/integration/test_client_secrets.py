"""Params, tokens, headers and payloads are in no log line, repr, error text or telemetry."""

from __future__ import annotations

import base64
import logging
import traceback
from typing import Any

import pytest

from phoenix_actors import (
    Channel,
    ChannelActor,
    ChannelClosed,
    ConnectionLost,
    PhoenixError,
    SocketClient,
)
from phoenix_actors import telemetry as names
from phoenix_actors.testing import PhoenixServer
from supervisors import ActorRef, Killed, introspect, telemetry
from supervisors.logs import _LEVELS as SUPERVISOR_EVENTS
from supervisors.observer import render, snapshot
from tests.e2e.rig import DEADLINE, QUICK, Log, eventually
from tests.integration.proxies import connect_proxy

SECRET = "SWORDFISH"  # noqa: S105  what is looked for

OPTIONS: dict[str, Any] = {
    **QUICK,
    "params": {"token": SECRET},
    "headers": [("authorization", f"Bearer {SECRET}"), ("cookie", SECRET)],
    "default_channel_params": {"password": SECRET},
}
CLIENT_EVENTS = [value for name, value in vars(names).items() if name.isupper() and name[0] != "_"]


class Crashing(ChannelActor):
    """Raises with what it was sent."""

    def init(self, secret: str) -> None:
        """Keeps a secret."""
        self.secret = secret

    def handle_message(self, event: str, payload: Any) -> None:
        """Raises."""
        raise ValueError(payload, self.secret)


def errors_of(server: PhoenixServer, client: SocketClient) -> list[str]:
    """Makes all kinds of mistakes with secrets, and returns what the errors say."""
    texts = []

    def note(call: Any) -> None:
        try:
            call()
        except PhoenixError as error:
            texts.append("".join(traceback.format_exception(error)))
            texts.append(repr(error))

    channel = client.join("room:a", {"password": SECRET}, channel=(Crashing, SECRET))
    note(lambda: client.join("room:private", {"password": SECRET}))
    note(lambda: client.join("room:a", {"password": SECRET}))
    note(lambda: client.join("room:b", {"password": {SECRET}}))
    note(lambda: channel.push("echo", {"password": {SECRET}}))
    note(lambda: channel.push("no_reply", {"password": SECRET}, timeout=0.01).get())
    note(lambda: channel.push("fail", {"password": SECRET}).get().unwrap())
    note(lambda: channel.push("crash", {"password": SECRET}).get())
    note(lambda: SocketClient.start_link(url=f"ws://user:{SECRET}@h/socket"))
    note(lambda: SocketClient.start_link(url=f"ws://h/socket?token={SECRET}#x"))
    note(lambda: SocketClient.start_link(url="ws://h/socket", headers={"x": f"{SECRET}\n"}))
    note(lambda: SocketClient.start_link(url="ws://h/socket", auth_token=SECRET.encode()))
    note(lambda: SocketClient.start_link(url="ws://h/socket", params={"x": {SECRET}}))
    server.refuse_connections(403, {"set-cookie": SECRET}, SECRET.encode())
    with SocketClient.start_link(url=server.url, **OPTIONS, reconnect=False) as refused:
        note(lambda: refused.wait_connected(DEADLINE))
    server.accept_connections()
    assert len(texts) >= 20
    return texts


def echoed(channel: Channel) -> Any:
    """Returns what the server echoes, or None when the channel is not there for it."""
    try:
        return channel.push("echo", {"password": SECRET}).get(timeout=DEADLINE).response
    except (ChannelClosed, ConnectionLost):
        return None


@pytest.mark.contract("C16", "C188", "C190")
def test_nobody_tells(server: PhoenixServer, caplog: pytest.LogCaptureFixture) -> None:
    """A client that is full of secrets, and fails in every way, shows none of them."""
    caplog.set_level(logging.DEBUG)
    told = Log()

    def tell(event: Any, measurements: Any, metadata: Any, _: Any) -> None:
        told.add(event, str(dict(measurements)), str(dict(metadata)), repr(metadata))

    telemetry.attach_many("secrets", [*CLIENT_EVENTS, *SUPERVISOR_EVENTS], tell)
    url = f"{server.url}?session={SECRET}"
    with SocketClient.start_link(url=url, name="secretive", **OPTIONS) as client:
        client.wait_connected(DEADLINE)
        shown = errors_of(server, client)
        channel = client.channel("room:a")
        assert channel is not None
        server.broadcast("room:a", "news", {"password": SECRET})
        eventually(lambda: channel.join_count, lambda count: count >= 2)
        socket = client.socket.ref
        socket.exit(Killed())
        eventually(lambda: channel.join_count, lambda count: count >= 3)
        server.send_raw(f"garbage {SECRET}")
        # A rejoin, or a new life of the actor, may be under way still; then the push fails, typed.
        eventually(lambda: echoed(channel), lambda response: response == {"password": SECRET})
        shown += [
            repr(thing)
            for thing in (
                client,
                client.session,
                client.session.options,
                channel,
                channel.ref,
                client.session.wire,
                client.session.topics(),
                client.binary_pool.encode({"password": SECRET}),
                client.which_children(),
                client.get_childspec("socket"),
            )
        ]
        shown.append(render(snapshot([client])))
        state = client.get_state()
        del state["joined_channels"]  # holds the params of joins, for that is asked of it
        shown.append(str(state))
        shown += [client.performance_monitor.generate_report(form) for form in ("text", "json")]
    telemetry.detach("secrets")
    assert [text for text in shown if SECRET in text] == []
    assert [item for item in told.items if SECRET in str(item)] == []
    assert [record for record in caplog.records if SECRET in record.getMessage()] == []
    assert len(caplog.records) > 10


def looked_into(client: SocketClient, channel: Channel) -> list[str]:
    """What introspection shows of all actors of a client, and of one of them at work."""
    steps: list[Any] = []
    ref = channel.ref
    assert ref is not None
    introspect.trace(ref, steps.append)
    channel.push("push_me", {"password": SECRET})
    eventually(lambda: len(steps), lambda count: count >= 2)
    introspect.trace(ref, None)
    refs = [info.ref for info in client.which_children()]
    alive = [ref, *(ref for ref in refs if isinstance(ref, ActorRef))]
    shown = [repr(thing) for ref in alive for thing in (ref, introspect.get_status(ref))]
    return shown + [repr(step) for step in steps] + [repr(client.describe())]


@pytest.mark.contract("C16", "C10", "C175", "C188")
def test_nobody_tells_by_another_way(caplog: pytest.LogCaptureFixture) -> None:
    """A token, a proxy's password, dropped and lost pushes, and actors that are looked into."""
    caplog.set_level(logging.DEBUG)
    told, encoded = Log(), base64.b64encode(SECRET.encode()).decode().rstrip("=")
    pair = base64.b64encode(f"al:{SECRET}".encode()).decode()

    def tell(event: Any, measurements: Any, metadata: Any, _: Any) -> None:
        told.add(event, str(dict(measurements)), str(dict(metadata)))

    telemetry.attach_many("secrets", [*CLIENT_EVENTS, *SUPERVISOR_EVENTS], tell)
    shown: list[str] = []
    with PhoenixServer(auth_token=True) as server, connect_proxy() as proxy:
        given = {"url": f"127.0.0.1:{proxy.port}", "username": "al", "password": SECRET}
        options = {
            **OPTIONS,
            "auth_token": SECRET,
            "transport_opts": {"proxy": given},
            "max_pending_messages": 1,
            "overflow": "drop_oldest",
        }
        with SocketClient.start_link(url=server.url, **options) as client:
            client.wait_connected(DEADLINE)
            assert any(pair in request for request in proxy.asked)
            assert server.handshakes()[-1].status == 101
            channel = client.join("room:a", {"password": SECRET})
            shown += looked_into(client, channel)
            client.disconnect()
            pushed = [channel.push("echo", {"password": SECRET}, timeout=0.2) for _ in range(3)]
            shown += [repr(future.exception(DEADLINE)) for future in pushed]
            shown += [repr(pushed), repr(client.session.options), repr(client.session.wire)]
            shown.append(client.performance_monitor.generate_report())
            # A word that no component knows ends it; what it was is in no report.
            client.binary_pool.ref.tell({"password": SECRET})
            eventually(lambda: [i for i in told.items if "'binary_pool'" in str(i)])
            server.refuse_connections(403, {"x": SECRET}, SECRET.encode())
            client.connect()
            eventually(lambda: client.session.last_error)
            shown += [repr(client.session.last_error), str(client.session.last_error)]
    telemetry.detach("secrets")
    shown += [str(item) for item in told.items]
    shown += [record.getMessage() for record in caplog.records]
    words = (SECRET, encoded, pair)
    assert [text for text in shown if any(word in text for word in words)] == []
    ends = {item[0][1:] for item in told.items}
    assert {("push", "dropped"), ("push", "failed")} <= ends
    assert len(caplog.records) > 10
