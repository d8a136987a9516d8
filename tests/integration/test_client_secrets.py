"""Params, tokens, headers and payloads are in no log line, repr, error text or telemetry."""

from __future__ import annotations

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
from supervisors import Killed, telemetry
from supervisors.logs import _LEVELS as SUPERVISOR_EVENTS
from supervisors.observer import render, snapshot
from tests.e2e.rig import DEADLINE, QUICK, Log, eventually

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
