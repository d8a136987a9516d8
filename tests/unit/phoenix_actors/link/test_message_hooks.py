"""The functions through which inbound messages pass: what they may change, and what is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from phoenix_actors import DROP, InvalidOption, Message
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.message_hooks import MessageHooks
from tests.e2e.rig import listening
from tests.unit.phoenix_actors.link.link_bench import LinkBench

MESSAGE = Message("room:a", "shout", {"n": 1}, "7", "3", "the channel")


def other_payload(message: Message) -> Message:
    """Passes on a message with another payload."""
    return msgspec.structs.replace(message, payload={**message.payload, "more": True})


@pytest.mark.contract("C150")
def test_each_gets_what_the_one_before_returned() -> None:
    """In the order of registration; the refs stay those of the frame."""
    hooks, seen = MessageHooks(Counters()), list[Any]()
    hooks.add(lambda message: Message(message.topic, "whisper", {"n": 2}))
    hooks.add(other_payload)
    hooks.add(lambda message: seen.append(message) or message)  # type: ignore[func-returns-value]
    expected = Message("room:a", "whisper", {"n": 2, "more": True}, "7", "3", "the channel")
    assert hooks.run(MESSAGE, None) == expected
    assert seen == [expected]


@pytest.mark.contract("C150")
def test_drop_ends_the_message() -> None:
    """No later hook sees it; a hook that was removed drops no more."""
    hooks, seen = MessageHooks(Counters()), list[Any]()
    dropping = hooks.add(lambda _: DROP)
    hooks.add(lambda message: seen.append(message) or message)  # type: ignore[func-returns-value]
    assert hooks.run(MESSAGE, None) is DROP
    assert seen == []
    dropping.off()
    assert hooks.run(MESSAGE, None) is MESSAGE
    assert seen == [MESSAGE]


def broken(_: Message) -> Message:
    """Raises what must not be shown."""
    raise ValueError("secret")


@pytest.mark.contract("C150")
@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda _: None, "returned NoneType"),
        (lambda message: message.payload, "returned dict"),
        (lambda message: msgspec.structs.replace(message, topic="x"), "changed the topic"),
        (broken, "ValueError"),
    ],
)
def test_what_is_no_answer(wrong: Callable[[Message], Any], problem: str) -> None:
    """It is reported and counted, and the message goes on as that hook got it."""
    counters = Counters()
    hooks = MessageHooks(counters)
    hooks.add(other_payload)
    hooks.add(wrong)
    with listening(("hook", "failed")) as log:
        passed = hooks.run(MESSAGE, None)
    assert passed == other_payload(MESSAGE)
    metadata = {"hook": "register_message_hook", "error": problem}
    assert log.items == [("hook.failed", {"count": 1}, metadata)]
    assert counters["message_hook_errors"] == 1


def test_the_object_form() -> None:
    """It gets the client too."""
    seen = []

    class Handler:
        def handle_message(self, message: Message, client: Any) -> Message:
            seen.append(client)
            return message

    hooks = MessageHooks(Counters())
    hooks.add(Handler())
    assert hooks.run(MESSAGE, "the client") is MESSAGE
    assert seen == ["the client"]
    with pytest.raises(InvalidOption, match="instance"):
        hooks.add(Handler)  # type: ignore[arg-type]


@pytest.mark.parametrize("hook", [None, 7, "fn"])
def test_what_is_no_hook(hook: Any) -> None:
    """It is refused where it is given."""
    with pytest.raises(InvalidOption, match="handle_message"):
        MessageHooks(Counters()).add(hook)


@pytest.mark.contract("C150")
def test_frames_are_changed_before_dispatch() -> None:
    """The channel's actor gets what the hooks pass on, with the frame's refs; a drop is told."""
    bench = LinkBench()
    bench.open()
    _, actor, _ = bench.joined("room:a")
    bench.session.message_hooks.add(
        lambda message: DROP if message.event == "typing" else other_payload(message)
    )
    with listening(("message", "dropped")) as log:
        bench.receive(None, None, "room:a", "typing", {})
        bench.receive(None, None, "room:a", "shout", {"n": 1})
    (frame,) = [got for got in actor.got if type(got).__name__ == "Frame"]
    assert (frame.event, frame.payload) == ("shout", {"n": 1, "more": True})
    assert (frame.ref, frame.join_ref) == (None, None)
    metadata = {"topic": "room:a", "event": "typing", "cause": "hook"}
    assert log.items == [("message.dropped", {"count": 1}, metadata)]
    assert bench.session.counters["frames_dropped_hook"] == 1
    bench.close()


def test_heartbeats_pass_no_hook() -> None:
    """A hook that drops everything does not end the connection."""
    bench = LinkBench()
    bench.open()
    bench.session.message_hooks.add(lambda _: DROP)
    bench.receive(None, "1", "phoenix", "phx_reply", {"status": "ok", "response": {}})
    assert bench.heartbeats == ["1"]
    bench.close()
