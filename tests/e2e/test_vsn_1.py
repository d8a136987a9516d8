"""A client of vsn 1.0.0, as the server sees it: what has no binary frames and no join_ref in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phoenix_actors import EncodeError, JoinRejected
from tests.e2e.rig import DEADLINE, LONG_POLL, WEBSOCKET, Connect, Log, Phoenix, Telling, eventually

TRANSPORTS = [WEBSOCKET, LONG_POLL]

V1: dict[str, Any] = {"vsn": "1.0.0"}


@pytest.mark.contract("C4", "C5", "C19")
def test_the_server_speaks_it_too(connect: Connect) -> None:
    """The version is in the query, and pushes of every kind are answered."""
    channel = connect(**V1).join("room:one", {"a": 1})
    assert channel.response == {"joined": "room:one", "params": {"a": 1}}
    known = channel.push("whoami").get().unwrap()
    assert (known["vsn"], known["params"]["vsn"]) == ("1.0.0", "1.0.0")
    for payload in ({"x": "é"}, {}, None):
        assert channel.push("echo", payload).get().unwrap() == (payload or {})
    failed = channel.push("fail", {"why": "because"}).get()
    assert (failed.status, failed.response) == ("error", {"why": "because"})


@pytest.mark.contract("C20", "C46")
def test_replies_match_by_ref_and_the_rest_is_delivered(connect: Connect) -> None:
    """Many replies at once find their push; broadcasts and pushes of the server come through."""
    log = Log()
    client = connect(**V1)
    channel = client.join("room:many", channel=(Telling, log))
    other = client.join("room:other")
    futures = [(number, channel.push("echo", {"n": number})) for number in range(50)]
    futures += [(number, other.push("echo", {"n": number})) for number in range(50, 60)]
    assert all(future.get().unwrap() == {"n": number} for number, future in futures)
    channel.push("shout", {"hi": 1})
    log.wait("message", "shout", {"hi": 1})
    channel.push("push_me", {"p": 1})
    log.wait("message", "pushed", {"p": 1})


@pytest.mark.contract("C20", "C43")
def test_a_late_leave_of_a_former_channel(connect: Connect) -> None:
    """It bears the join_ref of that one, so the server lets the successor be."""
    client = connect(**V1)
    former = client.join("room:late")
    core, wire, codec = former._topic.core, client.session.wire, client.session.codec
    assert core is not None
    assert wire is not None
    former.leave()
    channel = client.join("room:late")
    leave = codec.prepare("room:late", "phx_leave", {})
    wire.send(codec.complete(leave, core.sent_ref, wire.next_ref()), may_write=True)
    assert channel.push("echo", {"on": True}).get().unwrap() == {"on": True}
    assert (channel.state, channel.join_count) == ("joined", 1)


@pytest.mark.contract("C38")
def test_bytes_raise_before_anything_is_sent(phoenix: Phoenix, connect: Connect) -> None:
    """The connection, and the channel, go on."""
    channel = connect(**V1).join("room:b")
    with pytest.raises(EncodeError, match="no binary frames"):
        channel.push("binary_echo", b"\x01")
    assert channel.push("echo", {"on": True}).get().unwrap() == {"on": True}
    assert phoenix.transports() == 1


@pytest.mark.contract("C20")
def test_a_channel_heals_leaves_and_comes_back(phoenix: Phoenix, connect: Connect) -> None:
    """Refusals, crashes, losses and leaves are understood without a join_ref."""
    log = Log()
    client = connect(**V1)
    with pytest.raises(JoinRejected) as refused:
        client.join("room:private")
    assert refused.value.response == {"reason": "unauthorized"}
    channel = client.join("room:heal", channel=(Telling, log))
    channel.push("crash")
    log.wait("join", 2)
    phoenix.control.kill_sockets()
    log.wait("join", 3)
    assert channel.push("echo", {"n": 3}).get().unwrap() == {"n": 3}
    for _ in range(5):
        channel.leave()
        channel = client.join("room:heal")
        assert channel.push("echo", {"back": 1}).get().unwrap() == {"back": 1}
    channel.push("stop")
    eventually(phoenix.channels, lambda topics: topics == {})
    eventually(lambda: client.channel("room:heal"), lambda live: live is None)
    assert client.ping(DEADLINE) > 0


class Counting:
    """A JSON library that counts what it does."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.read: list[Any] = []

    def dumps(self, value: Any) -> str:
        """Write."""
        self.written.append(value)
        return json.dumps(value)

    def loads(self, text: str) -> Any:
        """Read."""
        self.read.append(text)
        return json.loads(text)


@pytest.mark.contract("C29")
@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
def test_a_json_library_has_every_frame(connect: Connect, vsn: str) -> None:
    """Joins, pushes and leaves, and each answer; a new life of the message processor keeps it."""
    library = Counting()
    client = connect(vsn=vsn, json_library=library)
    library.written.clear()
    library.read.clear()
    channel = client.join("room:json", {"a": 1})
    assert channel.push("echo", {"x": "é"}).get().unwrap() == {"x": "é"}
    client.message_processor.ref.exit(RuntimeError("gone"))
    eventually(lambda: channel.join_count, lambda count: count == 2)
    assert channel.push("echo", {"y": 2}).get().unwrap() == {"y": 2}
    channel.leave()
    events = ["phx_join", "echo", "echo", "phx_leave"]
    assert [event for event in events if event not in str(library.written)] == []
    assert len(library.written) >= 4
    assert len(library.read) >= 4
