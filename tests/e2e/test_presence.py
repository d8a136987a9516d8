"""Presence of a client on a server that tracks: joins, updates, leaves, rejoins."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors import Channel, ChannelActor, NotJoined, Presence, SocketClient
from tests.e2e.rig import LONG_POLL, WEBSOCKET, Connect, Log, Phoenix, Telling, eventually

TRANSPORTS = [WEBSOCKET, LONG_POLL]

TOPIC = "presence:p"


def enter(client: SocketClient, name: str, **options: Any) -> Channel:
    """Joins under a name."""
    return client.join(TOPIC, {"name": name, "meta": {"of": name}}, **options)


def names(presence: Presence) -> list[str]:
    """Who is listed."""
    return sorted(presence.list(lambda key, _: key))


def watch(presence: Presence) -> Log:
    """Logs what the functions are told: joins and leaves by name, what is left, and syncs."""
    log = Log()
    presence.on_join(lambda key, current, new: log.add("join", key, current, new["metas"]))
    presence.on_leave(lambda key, here, left: log.add("leave", key, here["metas"], left["metas"]))
    presence.on_sync(lambda: log.add("sync"))
    return log


@pytest.mark.contract("C137", "C131")
def test_two_clients_see_each_other(connect: Connect) -> None:
    """They join, update and leave; an update never removes the key."""
    one, two = connect(), connect()
    enter(one, "al")
    presence = one.presence(TOPIC)
    eventually(lambda: names(presence) == ["al"])
    log = watch(presence)
    channel = enter(two, "bo")
    _, _, current, [first] = log.wait("join", "bo")
    assert (current, first["of"]) == (None, "bo")
    eventually(lambda: names(two.presence(TOPIC)) == ["al", "bo"])

    channel.push("update", {"mood": "good"}).get()
    _, _, [there], [gone] = log.wait("leave", "bo")
    assert gone == first
    assert (there["mood"], there["phx_ref_prev"]) == ("good", first["phx_ref"])
    assert log.wait("join", "bo", count=2)[2] == {"metas": [first]}
    assert presence.list()[1] == {"metas": [there]}

    channel.leave()
    assert log.wait("leave", "bo", count=2)[2:] == ([], [there])
    assert names(presence) == ["al"]


def test_one_name_may_be_there_twice(connect: Connect) -> None:
    """It leaves with its last meta."""
    one, two, three = connect(), connect(), connect()
    enter(one, "al")
    log = watch(one.presence(TOPIC))
    channels = [enter(two, "bo"), enter(three, "bo")]
    log.wait("join", "bo", count=2)
    eventually(lambda: [len(p["metas"]) for p in one.presence(TOPIC).list()] == [1, 2])
    channels[0].leave()
    assert len(log.wait("leave", "bo")[2]) == 1
    channels[1].push("untrack").get()
    assert log.wait("leave", "bo", count=2)[2] == []
    assert names(one.presence(TOPIC)) == ["al"]


def test_a_presence_made_later_is_complete(connect: Connect) -> None:
    """The channel has kept it since its join; it is the topic's one."""
    one, two = connect(), connect()
    enter(two, "bo")
    log = Log()
    enter(one, "al", on={"presence_diff": lambda _: log.add("diff")})
    log.wait("diff")
    assert one.presence(TOPIC).synced
    assert names(one.presence(TOPIC)) == ["al", "bo"]
    assert one.presence(TOPIC) is one.presence(TOPIC)


def test_a_channel_class_follows_it_from_the_first_state(client: SocketClient) -> None:
    """handle_join runs before the state comes; functions run on the channel's actor."""

    class Room(ChannelActor):
        def init(self, log: Log) -> None:
            self.log = log

        def handle_join(self, response: Any) -> None:
            self.client.presence(self.topic).on_join(self.greet)

        def greet(self, key: str, current: Any, new: Any) -> None:
            self.log.add("greet", key, self.push("list").get().response[key] == new)

    log = Log()
    enter(client, "al", channel=(Room, log))
    assert log.wait("greet") == ("greet", "al", True)


@pytest.mark.contract("C127")
def test_a_rejoin_tells_only_what_changed(connect: Connect) -> None:
    """Meanwhile the old state stays listed."""
    one, two, three = connect(), connect(), connect()
    enter(two, "bo")
    enter(one, "al")
    presence = one.presence(TOPIC)
    eventually(lambda: names(presence) == ["al", "bo"])
    bystander = watch(two.presence(TOPIC))
    one.disconnect()
    eventually(lambda: not presence.synced)
    bystander.wait("leave", "al")
    enter(three, "cy")
    bystander.wait("join", "cy")
    assert names(presence) == ["al", "bo"]
    log = watch(presence)
    one.connect()
    log.wait("sync", count=2)
    assert [item[:2] for item in log.items] == [
        ("join", "cy"),
        ("leave", "al"),
        ("sync",),
        ("join", "al"),
        ("sync",),
    ]
    assert names(presence) == ["al", "bo", "cy"]


def test_it_survives_crashes_of_both_sides(phoenix: Phoenix, connect: Connect) -> None:
    """Functions stay, and the list is right again."""
    one, two = connect(), connect()
    enter(two, "bo")
    log = Log()
    channel = enter(one, "al", channel=(Telling, log))
    presence = one.presence(TOPIC)
    eventually(lambda: names(presence) == ["al", "bo"])
    told = watch(presence)
    phoenix.control.broadcast(TOPIC, "poison", {})
    log.wait("terminate", "Crashed")
    told.wait("join", "al")
    phoenix.control.kill_sockets()
    told.wait("join", "al", count=2)
    eventually(lambda: [len(p["metas"]) for p in presence.list()] == [1, 1])
    assert channel.state == "joined"


def test_a_topic_that_is_not_joined_has_none(client: SocketClient) -> None:
    """Nor has one that was left; who holds it sees the last state."""
    with pytest.raises(NotJoined):
        client.presence(TOPIC)
    channel = enter(client, "al")
    presence = client.presence(TOPIC)
    eventually(lambda: names(presence) == ["al"])
    channel.leave()
    with pytest.raises(NotJoined):
        client.presence(TOPIC)
    assert names(presence) == ["al"]
