"""Pushes and their replies."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import pytest

from phoenix_actors import (
    ChannelClosed,
    EncodeError,
    Message,
    NotJoined,
    PushRejected,
    PushReply,
    PushTimeout,
    SocketClient,
)
from tests.e2e.rig import DEADLINE, LONG_POLL, WEBSOCKET, Connect, Log, Phoenix

TRANSPORTS = [WEBSOCKET, LONG_POLL]


@pytest.mark.contract("C74", "C190")
def test_ok_and_error_are_values(client: SocketClient) -> None:
    """Both replies are what the future gives; only unwrap() raises, and tells which push it was."""
    channel = client.join("room:a")
    assert channel.push("echo", {"n": 1}).get() == PushReply("ok", {"n": 1})
    refused = channel.push("fail", {"reason": "no"}).get()
    assert refused == PushReply("error", {"reason": "no"})
    with pytest.raises(PushRejected) as rejected:
        refused.unwrap()
    error = rejected.value
    assert (error.response, error.topic, error.event) == ({"reason": "no"}, "room:a", "fail")
    assert (refused.ref, hash(PushReply("ok", 1))) == (error.ref, hash(PushReply("ok", 1, "t")))
    assert error.ref is not None
    assert str(error).startswith("push of 'fail' on topic 'room:a'")


@pytest.mark.contract("C22")
@pytest.mark.parametrize(
    "payload", [[1, "a", None], "text", 7, 1.5, True, {"nested": {"list": []}}, {}], ids=repr
)
def test_a_response_of_any_json_type(client: SocketClient, payload: Any) -> None:
    """What the server answers reaches the caller as it is."""
    assert client.join("room:a").push("echo", payload).get().response == payload


@pytest.mark.contract("C21")
def test_no_payload_is_an_empty_object(client: SocketClient) -> None:
    """None is sent as {}."""
    channel = client.join("room:a")
    assert channel.push("echo").get().response == {}
    assert channel.push("echo", None).get().response == {}


@pytest.mark.contract("C23")
def test_a_bare_ok(client: SocketClient) -> None:
    """A reply without a response is ok with {}."""
    assert client.join("room:a").push("shout_from", {}).get() == PushReply("ok", {})


@pytest.mark.websocket_only("servers send no binary frames")
@pytest.mark.contract("C36", "C39", "C32")
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_536, 1_048_576])
def test_binary_echo(client: SocketClient, size: int) -> None:
    """Bytes of any size come back byte for byte, whichever type they were given as."""
    channel = client.join("room:a")
    data = bytes(index % 251 for index in range(size))
    for given in (data, bytearray(data), memoryview(data)):
        assert channel.push("binary_echo", given).get() == PushReply("ok", data)


@pytest.mark.websocket_only("servers send no binary frames")
@pytest.mark.contract("C39", "C31", "C33", "C34")
def test_binary_pushes_and_broadcasts(client: SocketClient) -> None:
    """What the server sends by itself reaches the handlers, a topic beyond ASCII included."""
    log = Log()
    channel = client.join("room:é")
    channel.on("binary_pushed", lambda payload: log.add("pushed", payload))
    channel.on("binary_shout", lambda payload: log.add("shout", payload))
    data = bytes(range(256))
    channel.push("binary_push", data)
    channel.push("binary_broadcast", {"size": 70_000})
    assert log.wait("pushed")[1] == data
    assert log.wait("shout")[1] == b"\xab" * 70_000


@pytest.mark.contract("C26")
@pytest.mark.parametrize(
    "payload", [{1, 2}, {"x": math.nan}, {"x": "\ud800"}, {"x": object()}], ids=str
)
def test_what_json_cannot_hold(client: SocketClient, payload: Any) -> None:
    """It raises in the caller, sends nothing, and the connection is as good as before."""
    channel = client.join("room:a")
    with pytest.raises(EncodeError):
        channel.push("echo", payload)
    assert client.message_processor.stats()["pending_replies"] == 0
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}


@pytest.mark.contract("C75", "C71", "C49")
def test_no_reply_is_a_timeout(client: SocketClient) -> None:
    """It raises a TimeoutError that names the push; channel and connection go on."""
    channel = client.join("room:a")
    with pytest.raises(PushTimeout) as late:
        channel.push("no_reply", {}, timeout=0.05).get()
    assert isinstance(late.value, TimeoutError)
    assert (late.value.topic, late.value.event, late.value.timeout) == ("room:a", "no_reply", 0.05)
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    assert client.message_processor.stats()["pending_replies"] == 0


@pytest.mark.contract("C71", "C48")
def test_a_late_reply_goes_nowhere(client: SocketClient) -> None:
    """It neither settles the future again nor disturbs the next push."""
    channel = client.join("room:a")
    late = channel.push("slow_echo", {"ms": 150}, timeout=0.02)
    with pytest.raises(PushTimeout):
        late.get()
    assert channel.push("echo", {"n": 1}).get().response == {"n": 1}
    with pytest.raises(PushTimeout):
        late.get()


@pytest.mark.contract("C72", "C73")
def test_ways_to_take_a_reply(client: SocketClient) -> None:
    """Wait, call back (also when it is there already), await, or do not care."""
    log = Log()
    channel = client.join("room:a")
    future = channel.push("echo", {"n": 1})
    future.add_done_callback(lambda reply: log.add("early", reply.get().response))
    log.wait("early", {"n": 1})
    future.add_done_callback(lambda reply: log.add("late", reply.get().response))
    log.wait("late", {"n": 1})

    async def awaiting() -> Any:
        return await channel.push("echo", {"n": 2})

    assert asyncio.run(awaiting()).response == {"n": 2}
    channel.push("echo", {"n": 3})


@pytest.mark.contract("C77")
def test_order_of_one_thread(phoenix: Phoenix, client: SocketClient) -> None:
    """What one thread pushes arrives in the order of the calls, waited for or not."""
    channel = client.join("counter:order")
    futures = [channel.push("seq", {"n": number}) for number in range(1000)]
    assert [future.get().response["count"] for future in futures] == list(range(1, 1001))
    assert [item["n"] for item in phoenix.control.dump("counter:order")] == list(range(1000))


@pytest.mark.contract("C78", "C76")
@pytest.mark.usefixtures("fast_switching")
def test_eight_threads(phoenix: Phoenix, client: SocketClient) -> None:
    """Each reply goes to its caller, no frame is torn, and each thread's order is kept."""
    channel = client.join("counter:threads")
    wrong = Log()

    def push(thread: int) -> None:
        futures = [channel.push("seq", {"t": thread, "n": n, "pad": "x" * n}) for n in range(100)]
        counts = [future.get().response["count"] for future in futures]
        if counts != sorted(counts):
            wrong.add(thread, counts)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert wrong.items == []
    items = phoenix.control.dump("counter:threads")
    assert len(items) == 800
    for number in range(8):
        assert [item["n"] for item in items if item["t"] == number] == list(range(100))


@pytest.mark.contract("C76")
def test_replies_out_of_order(client: SocketClient) -> None:
    """Replies of two channels that overtake one another go to the right callers."""
    slow, quick = client.join("room:slower"), client.join("room:quicker")
    waiting = [slow.push("slow_echo", {"ms": 20, "n": n}) for n in range(5)]
    assert [quick.push("echo", n).get().response for n in range(5)] == list(range(5))
    assert [future.get().response["n"] for future in waiting] == list(range(5))


@pytest.mark.contract("C68", "C70")
def test_pushes_while_joining(phoenix: Phoenix, connect: Connect) -> None:
    """They wait for the join and go out in their order, behind what was pushed before them."""
    client = connect(join_channels=["counter:early"], auto_connect=False)
    channel = client.channel("counter:early")
    assert channel is not None
    futures = [channel.push("seq", {"n": number}) for number in range(20)]
    client.connect()
    assert [future.get().response["count"] for future in futures] == list(range(1, 21))
    assert [item["n"] for item in phoenix.control.dump("counter:early")] == list(range(20))


@pytest.mark.contract("C69")
def test_a_push_that_timed_out_is_not_sent(phoenix: Phoenix, connect: Connect) -> None:
    """Its timeout runs while it waits for the join, and afterwards it is not sent."""
    client = connect(join_channels=["counter:late"], auto_connect=False)
    channel = client.channel("counter:late")
    assert channel is not None
    late = channel.push("seq", {"n": "late"}, timeout=0.05)
    with pytest.raises(PushTimeout):
        late.get()
    client.connect()
    channel.push("seq", {"n": "in time"}).get()
    assert phoenix.control.dump("counter:late") == [{"n": "in time"}]


@pytest.mark.contract("C83", "C67")
def test_a_push_on_a_left_channel(client: SocketClient) -> None:
    """It raises at once."""
    channel = client.join("room:a")
    channel.leave()
    with pytest.raises(ChannelClosed):
        channel.push("echo", {})
    with pytest.raises(NotJoined):
        client.push(Message.push("room:a", "echo", {}))


def test_a_message_of_the_client(client: SocketClient) -> None:
    """client.push(message) sends on a joined topic and gives the message back."""
    log = Log()
    channel = client.join("room:a", on={"pushed": log.add})
    message = Message.push("room:a", "push_me", {"n": 1})
    assert client.push(message) is message
    log.wait({"n": 1})
    assert channel.state == "joined"


def test_encoded_payloads(client: SocketClient) -> None:
    """A payload encoded once is pushed on many topics, whatever becomes of the original."""
    payload = {"list": [1, 2, 3]}
    encoded = client.binary_pool.encode(payload)
    payload["list"] = []
    for topic in ("room:a", "room:b"):
        reply = client.join(topic).push("echo", encoded).get()
        assert reply.response == {"list": [1, 2, 3]}
    assert client.binary_pool.stats()["hits"] == 2


@pytest.mark.contract("C153")
def test_messages_in_wire_order(client: SocketClient) -> None:
    """Handlers and streams get the messages of a channel one at a time, in their order."""
    channel = client.join("room:a")
    seen: list[int] = []
    channel.on("tick", lambda payload: seen.append(payload["i"]))
    stream = channel.messages(timeout=DEADLINE)
    assert channel.push("flood", {"n": 2000, "size": 10}).get().response == {"sent": 2000}
    assert [next(stream).payload["i"] for _ in range(2000)] == list(range(1, 2001))
    stream.close()
    assert seen == list(range(1, 2001))
