"""The server's part in a test: scripted joins, and pushes that are waited for and answered."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phoenix_actors import JoinRejected
from phoenix_actors.testing import PhoenixServer, Reply, Stop
from supervisors import ANY
from tests.e2e.rig import Connect


def test_the_last_word_counts_first(server: PhoenixServer, connect: Connect) -> None:
    """A later rule goes before an earlier one and before the channels of the server."""
    client = connect()
    server.accept_join("room:*", {"by": "pattern"})
    server.accept_join("room:a", lambda params: {"by": params["user"]})
    server.reject_join("room:b")
    assert client.join("room:a", {"user": "alice"}).response == {"by": "alice"}
    with pytest.raises(JoinRejected) as refused:
        client.join("room:b")
    assert refused.value.reason == "unauthorized"
    assert client.join("room:c").response == {"by": "pattern"}
    assert client.join("counter:c").response["joined"] == "counter:c"


def test_a_rule_may_be_for_some_joins_only(server: PhoenixServer, connect: Connect) -> None:
    """After `times` joins the rule before it counts again."""
    client = connect()
    server.accept_join("chat:a", {"let": "in"})
    server.reject_join("chat:a", {"reason": "busy"}, times=2)
    for _ in range(2):
        with pytest.raises(JoinRejected) as refused:
            client.join("chat:a")
        assert refused.value.response == {"reason": "busy"}
    assert client.join("chat:a").response == {"let": "in"}


def test_replies_by_event(server: PhoenixServer, connect: Connect) -> None:
    """A value is an ok, a Reply is itself, a function decides, and None is no reply."""
    replies: dict[str, Any] = {
        "value": {"n": 1},
        "error": Reply.error({"reason": "no"}),
        "twice": lambda payload: {"n": payload["n"] * 2},
        "bye": Stop(Reply.ok("bye")),
        "never": None,
    }
    server.accept_join("chat:a", replies=replies)
    channel = connect().join("chat:a")
    assert channel.push("value").get(timeout=10).response == {"n": 1}
    assert channel.push("error").get(timeout=10).status == "error"
    assert channel.push("twice", {"n": 21}).get(timeout=10).response == {"n": 42}
    with pytest.raises(TimeoutError):
        channel.push("never", timeout=0.05).get()
    assert channel.push("bye").get(timeout=10).response == "bye"


def test_each_assertion_takes_one_push(server: PhoenixServer, connect: Connect) -> None:
    """Two equal pushes are found by two assertions, in order, and a third one finds nothing."""
    server.accept_join("chat:a")
    channel = connect().join("chat:a", {"user": "alice"})
    first, second = channel.push("say", {"n": 1}), channel.push("say", {"n": 2})
    one = server.assert_push("chat:a", "say", {"n": int})
    two = server.assert_push("chat:a", "say", {"n": int})
    assert (one.payload, two.payload) == ({"n": 1}, {"n": 2})
    two.reply({"to": 2})
    one.reply({"to": 1}, status="error")
    assert second.get(timeout=10).response == {"to": 2}
    assert (first.get(timeout=10).status, first.get().response) == ("error", {"to": 1})
    with pytest.raises(AssertionError) as failed:
        server.assert_push("chat:a", "say", timeout=0)
    assert str(failed.value) == (
        "no push of 'say' on 'chat:a' with any message within 0 s; there came\n"
        "  chat:a phx_join {'user': 'alice'}"
    )


def test_an_assertion_waits(server: PhoenixServer, connect: Connect) -> None:
    """A push that is sent while the assertion waits is found."""
    server.accept_join("chat:a")
    channel = connect().join("chat:a")
    timer = threading.Timer(0.1, channel.push, ["say", {"late": True}])
    timer.start()
    assert server.assert_push("chat:a", "say", timeout=10).payload == {"late": True}
    timer.join()


def test_refute_push_and_leave(server: PhoenixServer, connect: Connect) -> None:
    """`refute_push` fails for what came; `assert_leave` sees the topic left."""
    server.accept_join("chat:a", replies={"say": {}})
    channel = connect().join("chat:a")
    server.refute_push("chat:a", "say", timeout=0.05)
    channel.push("say", {"n": 1}).get(timeout=10)
    with pytest.raises(AssertionError, match="there came 'say' on 'chat:a'"):
        server.refute_push("chat:a", "say", {"n": ANY}, timeout=0)
    channel.leave()
    server.assert_leave("chat:a")


def test_replying_over_a_lost_connection_is_an_error(
    server: PhoenixServer, connect: Connect
) -> None:
    """A push whose connection was dropped cannot be answered, and says so."""
    server.accept_join("chat:a")
    channel = connect(reconnect=False).join("chat:a")
    future = channel.push("say")
    push = server.assert_push("chat:a", "say")
    assert server.drop() == 1
    assert isinstance(future.exception(10), ConnectionError)
    with pytest.raises(ConnectionError, match="'say'"):
        push.reply()


@pytest.mark.parametrize("arguments", [("a*b",), (7,)])
def test_bad_topics_are_refused(arguments: Any) -> None:
    """A pattern has one `*`, at its end."""
    with pytest.raises(ValueError, match="one \\* at its end"):
        PhoenixServer().accept_join(*arguments)


@pytest.mark.parametrize("times", [0, -1, True])
def test_bad_times_are_refused(times: int) -> None:
    """A rule is for one join or more."""
    with pytest.raises(ValueError, match="times must be 1 or more"):
        PhoenixServer().reject_join("a", times=times)
