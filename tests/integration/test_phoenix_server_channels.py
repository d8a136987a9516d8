"""Channels written in Python: registering them, their answers, and how each of them ends."""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
from typing import TYPE_CHECKING, Any

import pytest

from phoenix_actors.testing import JoinRefused, PhoenixServer, Reply, ServerChannel, Stop
from tests.conformance.v2_client import V2Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_leaks")

# What channels of these tests did, each test empties it.
done: queue.SimpleQueue[Any] = queue.SimpleQueue()


class Lobby(ServerChannel):
    """Refuses who has no name, greets the others, and tells how it ended."""

    async def join(self, params: Any) -> Any:
        if "name" not in params:
            raise JoinRefused({"reason": "no name"})
        self.name = params["name"]

    async def after_join(self) -> None:
        self.push("welcome", {"name": self.name})

    async def handle_in(self, event: str, payload: Any) -> Any:
        match event:
            case "who":
                return Reply.ok({"id": self.socket.id, "topic": self.topic, "ref": self.join_ref})
            case "odd":
                return Reply("maybe", [payload])
            case "elsewhere":
                self.hub.pubsub.broadcast("lobby:2", "news", payload)
                return None
            case "bye":
                return Stop(Reply.error(payload))
            case "wrong":
                return "a string"
            case "exit":
                sys.exit(3)
            case "sleep":
                await asyncio.sleep(60)
        return await super().handle_in(event, payload)

    async def terminate(self) -> None:
        done.put(("terminated", self.name))


class SlowToLeave(ServerChannel):
    """Takes a while to end."""

    async def terminate(self) -> None:
        await asyncio.sleep(0.2)
        done.put("ended")
        raise RuntimeError("in terminate")


class Anything(ServerChannel):
    """Takes every topic that no other pattern took."""

    async def join(self, params: Any) -> Any:
        return {"caught": self.topic}


@pytest.fixture
def server() -> Iterator[PhoenixServer]:
    """A server with the channels of this file."""
    while not done.empty():
        done.get()
    channels = {"lobby:*": Lobby, "slow": SlowToLeave, "*": Anything}
    with PhoenixServer(channels=channels) as running:
        yield running


def test_topics_lead_to_the_first_pattern_that_fits(server: PhoenixServer) -> None:
    """Patterns are tried in their order; a plain topic fits itself only."""
    with V2Client(server.url) as client:
        assert client.join("lobby:1", {"name": "al"}) == {}
        assert client.join("slow") == {}
        assert client.join("slower") == {"caught": "slower"}


def test_joins_can_be_refused_and_greeted(server: PhoenixServer) -> None:
    """JoinRefused is an error reply; what after_join pushes comes behind the reply."""
    with V2Client(server.url, "&user_id=7") as client:
        assert client.ask("lobby:1", "phx_join", {}) == ("error", {"reason": "no name"})
        client.join("lobby:1", {"name": "al"})
        assert client.event() == ["2", None, "lobby:1", "welcome", {"name": "al"}]
        whoami = {"id": "user:7", "topic": "lobby:1", "ref": "2"}
        assert client.ask("lobby:1", "who") == ("ok", whoami)


def test_replies_may_have_any_status_and_broadcasts_any_topic(server: PhoenixServer) -> None:
    """A status other than ok and error is passed on; the hub broadcasts to other topics."""
    with V2Client(server.url) as client:
        client.join("lobby:1", {"name": "al"})
        client.join("lobby:2", {"name": "bo"})
        assert client.ask("lobby:1", "odd", {"x": 1}) == ("maybe", [{"x": 1}])
        client.events.clear()
        client.cast("lobby:1", "elsewhere", {"n": 1})
        assert client.event() == [None, None, "lobby:2", "news", {"n": 1}]


@pytest.mark.parametrize("event", ["unknown", "wrong", "exit"])
def test_failing_handlers_crash_their_channel_only(
    server: PhoenixServer, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception, a wrong answer and sys.exit() end in phx_error, logged without the payload."""
    with caplog.at_level(logging.INFO), V2Client(server.url) as client:
        client.join("lobby:1", {"name": "al"})
        client.join("lobby:2", {"name": "bo"})
        client.heartbeat()
        client.events.clear()
        client.cast("lobby:1", event, {"secret": "hidden"})
        assert client.event() == ["1", "1", "lobby:1", "phx_error", {"reason": "channel_crash"}]
        assert done.get(timeout=10) == ("terminated", "al")
        assert client.ask("lobby:2", "odd")[0] == "maybe"
    assert "channel lobby:1 crashed" in caplog.text
    assert "hidden" not in caplog.text


def test_a_stop_replies_and_closes(server: PhoenixServer) -> None:
    """Stop ends the channel normally, behind its reply, and terminate runs."""
    with V2Client(server.url) as client:
        client.join("lobby:1", {"name": "al"})
        client.heartbeat()
        client.events.clear()
        assert client.ask("lobby:1", "bye", {"x": 1}) == ("error", {"x": 1})
        assert client.event() == ["1", "1", "lobby:1", "phx_close", {}]
        assert done.get(timeout=10) == ("terminated", "al")


def test_lost_connections_terminate_and_kills_do_not(server: PhoenixServer) -> None:
    """The hook `terminate` runs when the client goes, in a handler too, but not after a kill."""
    with V2Client(server.url) as client:
        client.join("lobby:1", {"name": "killed"})
        server.kill_channels("lobby:1")
        client.event()
        client.join("lobby:1", {"name": "busy"})
        client.cast("lobby:1", "sleep")
        client.heartbeat()
    assert done.get(timeout=10) == ("terminated", "busy")
    assert done.empty()


def test_a_topic_that_is_being_left_can_be_joined_again(server: PhoenixServer) -> None:
    """A channel that is slow to end does not hold up the next join of its topic."""
    with V2Client(server.url) as client:
        client.join("slow")
        leave = client.cast("slow", "phx_leave")
        again = client.cast("slow", "phx_join")
        assert client.reply(leave) == ("ok", {})
        assert client.reply(again) == ("ok", {})
        assert done.get(timeout=10) == "ended"
        client.heartbeat()


def test_a_busy_channel_that_is_left_gives_way_to_the_next_join(server: PhoenixServer) -> None:
    """A channel stuck in a handler is ended by a second join, as Phoenix does."""
    with V2Client(server.url) as client:
        client.join("lobby:1", {"name": "old"})
        client.cast("lobby:1", "sleep")
        client.cast("lobby:1", "phx_leave")
        client.join("lobby:1", {"name": "new"})
        frames = [client.event() for _ in range(3)]
        assert [frame[3:] for frame in frames] == [
            ["welcome", {"name": "old"}],
            ["phx_close", {}],
            ["welcome", {"name": "new"}],
        ]
        assert [frame[0] for frame in frames] == ["1", "1", "4"]


def test_a_client_that_goes_during_a_join_leaves_nothing() -> None:
    """A join under way ends with its connection."""
    with PhoenixServer(drain_timeout=0.1) as server:
        with V2Client(server.url) as client:
            client.cast("room:slow", "phx_join")
            while not server.frames():
                pass
            server.kill_sockets()
        assert server.stats()["channels"] == 0


def test_a_crash_straight_after_the_join_comes_behind_its_reply() -> None:
    """A channel that fails in after_join first answers the join, then sends phx_error."""

    class Fragile(ServerChannel):
        async def after_join(self) -> None:
            raise RuntimeError("too early")

    with PhoenixServer(channels={"f": Fragile}) as server, V2Client(server.url) as client:
        assert client.ask("f", "phx_join") == ("ok", {})
        assert client.event() == ["1", "1", "f", "phx_error", {"reason": "channel_crash"}]
        assert client.ask("f", "x") == ("error", {"reason": "unmatched topic"})


def test_pushes_that_cannot_be_written_crash_the_channel() -> None:
    """Only objects and bytes can be pushed with vsn 2.0.0; a set or NaN fits no JSON."""

    class Pusher(ServerChannel):
        async def handle_in(self, event: str, payload: Any) -> Any:
            values: dict[str, Any] = {"list": [1], "set": {"a": {1}}, "nan": {"a": float("nan")}}
            if event == "big":
                self.push("e" * 256, b"")
            self.push("pushed", values[event])

    with PhoenixServer(channels={"p": Pusher}) as server, V2Client(server.url) as client:
        for event in ("list", "set", "nan", "big"):
            client.join("p")
            client.cast("p", event)
            assert client.event()[3] == "phx_error"
