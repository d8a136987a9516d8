"""A message that is too long to take in ends the connection, and the client heals."""

from __future__ import annotations

import pytest

from tests.e2e.rig import Connect, Log, Telling


@pytest.mark.contract("C176")
@pytest.mark.parametrize("event", ["binary_push", "push_me"])
def test_a_message_that_is_too_long_is_a_1009_and_a_reconnect(connect: Connect, event: str) -> None:
    """Text and binary; one within the limit gets through, before and after."""
    log = Log()
    client = connect(transport_opts={"max_message_size": 2000})
    closed = Log()
    client.on_close(lambda code, reason, clean: closed.add(code, clean))
    channel = client.join("room:big", channel=(Telling, log))
    assert channel.push("echo", {"pad": "x" * 1000}).get().unwrap() == {"pad": "x" * 1000}
    channel.push(event, {"size": 3000, "pad": "x" * 3000})
    closed.wait(1009, False)
    log.wait("join", 2)
    assert channel.push("echo", {"pad": "y"}).get().unwrap() == {"pad": "y"}
    assert log.named("message") == []
