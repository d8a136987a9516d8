"""A `Presence`, driven as its channel's actor drives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from phoenix_actors import ChannelActor, InvalidOption
from phoenix_actors.joining import channel_spec
from phoenix_actors.link.presence import PRESENCE_EVENTS, Presence
from phoenix_actors.link.topic import Topic
from phoenix_actors.machines.presence import DiffCame, JoinBegun, StateCame
from phoenix_actors.message import Frame
from supervisors import ChildSpec
from tests.e2e.rig import listening
from tests.unit.phoenix_actors.link.link_bench import LinkBench

AL = {"al": {"metas": [{"phx_ref": "1", "tags": ["a"]}]}}
AL_2 = {"al": {"metas": [{"phx_ref": "2", "tags": ["b"]}]}}


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A client with nothing open."""
    bench = LinkBench()
    yield bench
    bench.close()


@pytest.fixture
def presence() -> Presence:
    """One that waits for its first state."""
    return Presence("room:a", PRESENCE_EVENTS)


def frame(event: str, payload: Any) -> Frame:
    """A frame of the topic."""
    return Frame(None, None, "room:a", event, payload)


# -- lists and functions


@pytest.mark.contract("C134")
def test_the_list_is_of_presences_or_of_what_a_function_makes(presence: Presence) -> None:
    """The function gets key and presence."""
    presence.update(StateCame({**AL, "bo": {"metas": []}}))
    assert presence.list() == [AL["al"], {"metas": []}]
    assert presence.list(lambda key, here: (key, len(here["metas"]))) == [("al", 1), ("bo", 0)]


@pytest.mark.contract("C132")
def test_everybody_gets_copies(presence: Presence) -> None:
    """What one changes, neither the others see nor the state."""
    seen: list[Any] = []

    def spoil(_: str, *presences: Any) -> None:
        seen.append(presences)
        for here in presences:
            if here is not None:
                here["metas"].append("spoilt")

    for _ in range(2):
        presence.on_join(spoil)
        presence.on_leave(spoil)
    presence.update(StateCame(AL))
    presence.update(DiffCame({"joins": AL_2, "leaves": AL}))
    for here in presence.list():
        here["metas"][0]["tags"].clear()
    spoilt = [AL["al"]["metas"][0], "spoilt"], [AL_2["al"]["metas"][0], "spoilt"]
    first, second = ({"metas": metas} for metas in spoilt)
    assert seen == [(None, first)] * 2 + [(first, second)] * 2 + [(second, first)] * 2
    assert presence.list() == [AL_2["al"]]


@pytest.mark.contract("C133")
def test_on_sync_comes_once_and_last(presence: Presence) -> None:
    """The list is as new as the event, for all three functions."""
    told: list[Any] = []
    presence.on_join(lambda key, current, new: told.append(("join", key, len(presence.list()))))
    presence.on_leave(lambda key, here, left: told.append(("leave", key, len(presence.list()))))
    presence.on_sync(lambda: told.append("sync"))
    presence.update(StateCame({**AL, "bo": AL["al"]}))
    presence.update(DiffCame({"joins": {}, "leaves": AL}))
    assert told == [("join", "al", 2), ("join", "bo", 2), "sync", ("leave", "al", 1), "sync"]


def test_off_removes_a_function(presence: Presence) -> None:
    """And one that raises is reported and stops nobody."""
    told: list[str] = []

    def fail(*_: Any) -> None:
        raise RuntimeError("on purpose")

    presence.on_join(lambda *_: told.append("off")).off()
    presence.on_join(fail)
    presence.on_join(lambda *_: told.append("next"))
    presence.on_sync(lambda: told.append("sync"))
    with listening(("hook", "failed")) as log:
        presence.update(StateCame(AL))
    assert told == ["next", "sync"]
    assert log.items[0][2] == {"hook": "presence on_join of room:a", "error": "RuntimeError"}


@pytest.mark.parametrize("name", ["on_join", "on_leave", "on_sync"])
def test_what_cannot_be_called_is_refused(presence: Presence, name: str) -> None:
    """When it is given, and not when somebody comes."""
    with pytest.raises(InvalidOption, match="needs a function"):
        getattr(presence, name)("function")


def test_the_repr_tells_nobody(presence: Presence) -> None:
    """It counts."""
    presence.update(StateCame(AL))
    assert repr(presence) == "<Presence 'room:a' synced present=1>"
    presence.update(JoinBegun())
    assert repr(presence) == "<Presence 'room:a' not synced present=1>"


def test_what_is_no_presence_is_told(presence: Presence) -> None:
    """By an event without its content."""
    with listening(("presence", "unreadable")) as log:
        presence.take(frame("presence_state", {"al": "secret"}))
    assert log.items == [("presence.unreadable", {"count": 1}, {"topic": "room:a"})]


# -- on a topic


def test_a_topic_keeps_its_presences_from_the_join(bench: LinkBench) -> None:
    """Asked for later, they are complete; a channel without any has made nothing."""
    bench.open()
    topic, _, _ = bench.joined("room:a")
    topic.deliver(frame("other", {}))
    assert topic._uses.presence is None
    topic.deliver(frame("presence_state", AL))
    topic.deliver(frame("presence_diff", {"joins": AL_2, "leaves": AL}))
    assert topic.presence().list() == [AL_2["al"]]
    assert topic.presence() is topic.presence()


def test_handlers_see_the_list_of_their_event(bench: LinkBench) -> None:
    """And the payload as it came."""
    bench.open()
    topic, _, _ = bench.joined("room:a")
    seen: list[Any] = []
    topic.listeners.on("presence_state", lambda got: seen.append((got, topic.presence().list())))
    topic.deliver(frame("presence_state", AL))
    assert seen == [(AL, [AL["al"]])]


@pytest.mark.contract("C127")
def test_a_new_life_of_the_actor_waits_for_its_state(bench: LinkBench) -> None:
    """Until then the old one is listed, and diffs wait."""
    bench.open()
    topic, actor, _ = bench.joined("room:a")
    topic.deliver(frame("presence_state", AL))
    actor.end()
    bench.attach(topic)
    bench.accept(topic)
    presence = topic.presence()
    topic.deliver(frame("presence_diff", {"joins": AL_2, "leaves": {}}))
    assert (presence.synced, presence.list()) == (False, [AL["al"]])
    topic.deliver(frame("presence_state", {}))
    assert (presence.synced, presence.list()) == (True, [AL_2["al"]])


@pytest.mark.contract("C135")
def test_a_class_names_the_events_of_its_server(bench: LinkBench) -> None:
    """The usual words are then words like any other."""

    class Renamed(ChannelActor):
        presence_events = ("state", "diff")

    topic = Topic(bench.session, "room:b", {}, ChildSpec("room:b", start=Renamed), None)
    topic.deliver(frame("presence_state", {"x": AL["al"]}))
    topic.deliver(frame("state", AL))
    topic.deliver(frame("diff", {"joins": AL_2, "leaves": AL}))
    assert topic.presence().list() == [AL_2["al"]]


@pytest.mark.parametrize("events", ["state", ("a", "a"), ("a",), ("", "b"), None, (1, 2)])
def test_event_names_are_checked_before_the_join(events: Any) -> None:
    """They are two different words."""
    renamed = type("Renamed", (ChannelActor,), {"presence_events": events})
    with pytest.raises(InvalidOption, match="presence_events"):
        channel_spec("room:a", renamed)
