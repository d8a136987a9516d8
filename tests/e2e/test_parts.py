"""The pool, the routes and the monitor of a client: their numbers are of what happened."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from phoenix_actors import ChannelActor, InvalidOption, JoinCancelled, SocketClient
from supervisors import Killed, NoProcError
from tests.e2e.rig import DEADLINE, Connect, Log, eventually


def routes(client: SocketClient) -> dict[str, Any]:
    """What the route cache counts."""
    return client.route_cache.stats()


@pytest.mark.contract("C180")
def test_route_hits(client: SocketClient) -> None:
    """Messages to three topics each find their channel; there is one route for each topic."""
    log = Log()
    channels = [client.join(f"room:{n}", on={"pushed": log.add}) for n in range(3)]
    before = routes(client)
    for number in range(200):
        channels[number % 3].push("push_me", {"n": number})
    eventually(lambda: len(log.items) == 200)
    after = routes(client)
    assert after["hits"] - before["hits"] == 200
    assert after["misses"] == before["misses"]
    assert (after["current_size"], after["insertions"]) == (3, 3)


def test_routes_come_and_go_with_channels(client: SocketClient) -> None:
    """With a leave, with a restart of the actor, and with one of the Socket actor."""
    one, two = client.join("room:a"), client.join("room:b")
    assert routes(client)["current_size"] == 2
    two.leave()
    eventually(lambda: routes(client)["current_size"] == 1)
    actor = one.ref
    assert actor is not None
    actor.exit(RuntimeError("killed by the test"))
    eventually(lambda: one.ref not in (None, actor) and one.state == "joined")
    assert one.push("echo", {"n": 1}).get(timeout=DEADLINE).response == {"n": 1}
    assert routes(client)["current_size"] == 1
    former = client.socket.ref
    former.exit(RuntimeError("killed by the test"))
    eventually(lambda: routes(client), lambda seen: seen["evictions"] >= 3)
    eventually(lambda: routes(client), lambda seen: seen["current_size"] == 1)


def test_another_topic_map(client: SocketClient) -> None:
    """It counts from the next join, and what was remembered of the former is forgotten."""

    class First(ChannelActor):
        """Of the first map."""

    class Second(ChannelActor):
        """Of the second map."""

    def patterns(cls: type[ChannelActor]) -> dict[str, Any]:
        return {f"room:{'r' * length}*": cls for length in range(1, 20)}

    client.put_state("topic_channel_map", patterns(First))
    for _ in range(2):
        channel = client.join("room:rr")
        assert channel.ref is not None
        assert channel.ref.actor_class is First
        channel.leave()
    assert routes(client)["template_hits"] == 1
    client.put_state("topic_channel_map", patterns(Second))
    assert routes(client)["template_size"] == 0
    channel = client.join("room:rr")
    assert channel.ref is not None
    assert channel.ref.actor_class is Second
    with pytest.raises(InvalidOption):
        client.put_state("topic_channel_map", {"a*b": First})


@pytest.mark.contract("C180", "C182")
@pytest.mark.parametrize("share", [True, False])
def test_what_messages_share(connect: Connect, share: bool) -> None:
    """Equal strings become one object, and nothing else changes."""
    client = connect(share_decoded=share)
    payload = {"symbol": "ACME 1", "bid": 1.5, "deep": [{"symbol": "ACME 1", "on": True}]}
    channel = client.join("room:a")
    messages = channel.messages(timeout=DEADLINE)
    for _ in range(3):
        channel.push("push_me", payload)
    got = [next(messages) for _ in range(3)]
    assert [message.payload for message in got] == [payload] * 3
    symbols = {id(message.payload["symbol"]) for message in got}
    symbols |= {id(message.payload["deep"][0]["symbol"]) for message in got}
    assert len(symbols) == (1 if share else 6)
    assert len({id(message.event) for message in got}) == (1 if share else 3)
    got[0].payload["symbol"] = "other"
    assert got[1].payload == payload
    stats = client.binary_pool.stats()
    assert stats["share_decoded"] is share
    assert (stats["bytes_saved"] > 0) is share


@pytest.mark.contract("C180")
def test_pool_hits(client: SocketClient) -> None:
    """200 pushes of one payload are 200 uses of what was encoded once."""
    channel = client.join("room:a")
    encoded = client.binary_pool.encode({"n": 1}, key="one")
    for _ in range(200):
        channel.push("echo", encoded)
    stats = client.binary_pool.stats()
    assert (stats["hits"], stats["misses"], stats["evictions"]) == (200, 1, 0)
    assert stats["characters_reused"] == 200 * len('{"n":1}')
    assert stats["bytes_held"] > 0


def test_pings_are_no_pushes(connect: Connect) -> None:
    """Among the times of answers to pushes are none of theirs."""
    client = connect(heartbeat_interval=None)
    for _ in range(3):
        client.ping(DEADLINE)
    client.join("room:a").push("echo", {}).get(timeout=DEADLINE)
    assert client.performance_monitor.get_metrics()["response_times"]["count"] == 1


@pytest.mark.websocket_only("there are no heartbeats")
def test_the_monitor_tells_rates(connect: Connect) -> None:
    """Round trips of heartbeats, what goes over the wire per second, hit rates, history."""
    client = connect(heartbeat_interval=0.02, collection_interval=0.05)
    channel = client.join("room:a")
    for _ in range(20):
        channel.push("push_me", {})
        channel.push("echo", {}).get(timeout=DEADLINE)
    monitor = client.performance_monitor
    metrics = monitor.get_metrics()
    rates = metrics["throughput"]
    assert rates["messages_sent_per_second"] >= 0
    eventually(lambda: monitor.get_metrics()["heartbeat_times"]["count"] >= 2)
    beats = monitor.get_metrics()["heartbeat_times"]
    assert 0 < beats["p50_seconds"] <= beats["p99_seconds"] < DEADLINE
    assert metrics["hit_rates"]["route_cache"] == 1.0
    history = eventually(monitor.get_history, lambda points: len(points) >= 3)
    sent = [point["messages_sent"] for point in history]
    assert sent == sorted(sent)
    assert sent[-1] >= 20
    assert all(one["at"] < two["at"] for one, two in pairwise(history))


def test_the_first_rates_are_since_the_start(connect: Connect) -> None:
    """Before the first collection there is something to compare with."""
    client = connect(collection_interval=1000)
    channel = client.join("room:a")
    for _ in range(20):
        channel.push("echo", {}).get(timeout=DEADLINE)
    rates = client.performance_monitor.get_metrics()["throughput"]
    assert rates["messages_sent_per_second"] > 0
    assert rates["bytes_received_per_second"] > 0
    assert rates["cpu_utilization"] > 0


def test_a_killed_socket_actor_takes_its_connection_with_it(client: SocketClient) -> None:
    """Its terminate is not run; the connection is closed, and its successor opens another."""
    channel = client.join("room:a")
    wire = client.session.wire
    assert wire is not None
    attempt = wire.attempt(wire.generation or 0)
    assert attempt is not None
    client.socket.ref.exit(Killed())
    assert attempt.wait_ended(DEADLINE)
    eventually(lambda: client.session.wire not in (None, wire))
    eventually(lambda: channel.state == "joined")
    assert channel.push("echo", {"n": 1}).get(timeout=DEADLINE).response == {"n": 1}


def test_a_killed_client_answers_who_waits(connect: Connect) -> None:
    """For a join that was never sent, and for the connection."""
    client = connect(auto_connect=False)
    session = client.session
    joined = client._joiner().begin("room:a", {}, None, None, {}, None).joined_once
    connected = session.when(lambda: False)
    client.exit(Killed())
    with pytest.raises(JoinCancelled):
        joined.get(timeout=DEADLINE)
    with pytest.raises(NoProcError):
        connected.get(timeout=DEADLINE)
