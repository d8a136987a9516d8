"""Messages, replies and closed sets."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors.errors import PushRejected
from phoenix_actors.message import (
    ChannelState,
    ConnectionStatus,
    Frame,
    Message,
    PushReply,
    ServerError,
    read_reply,
)

HIDDEN = "s3cr3t"


def test_messages_are_made_for_join_leave_and_push() -> None:
    """The three constructors set event and payload."""
    assert Message.join("t", {"a": 1}) == Message("t", "phx_join", {"a": 1})
    assert Message.join("t").payload == {}
    assert Message.leave("t") == Message("t", "phx_leave", {})
    assert Message.push("t", "shout") == Message("t", "shout", {})
    assert Message.push("t", "shout", 0).payload == 0


@pytest.mark.contract("C16", "C188")
@pytest.mark.parametrize(
    "value",
    [
        Message("t", "e", HIDDEN),
        Frame(None, None, "t", "e", HIDDEN),
        PushReply("ok", HIDDEN),
        ServerError({"reason": HIDDEN}),
    ],
)
def test_reprs_show_no_payload(value: object) -> None:
    """What a user sent or got is in no repr."""
    assert HIDDEN not in repr(value)


def test_messages_cannot_be_changed() -> None:
    """A message that went through several hands is still the one that came."""
    with pytest.raises(AttributeError):
        Message("t", "e", {}).topic = "other"  # type: ignore[misc]


@pytest.mark.contract("C74")
def test_an_error_reply_is_a_value_until_it_is_unwrapped() -> None:
    """`unwrap` returns the response of an ok and raises for any other status."""
    assert PushReply("ok", [1]).unwrap() == [1]
    for status in ("error", "later"):
        with pytest.raises(PushRejected) as caught:
            PushReply(status, {"reason": "full"}).unwrap()
        assert caught.value.status == status
        assert caught.value.response == {"reason": "full"}
        assert str(caught.value).startswith(f"a push was answered with status {status!r}")


@pytest.mark.contract("C22", "C23", "C24", "C74")
@pytest.mark.parametrize("response", [{}, {"a": 1}, [1, 2], "s", 5, 1.5, True, None, b"\x00"])
def test_any_response_is_read(response: Any) -> None:
    """Status and response come in any order, the response is any JSON value or bytes."""
    assert read_reply({"response": response, "status": "ok"}) == PushReply("ok", response)
    assert read_reply({"status": "other", "response": response}) == PushReply("other", response)


@pytest.mark.parametrize("payload", [None, 1, "ok", [], {}, {"status": 1}, {"response": {}}])
def test_what_is_no_reply_is_a_malformed_one(payload: Any) -> None:
    """Whoever waits for a reply learns of a payload that is none."""
    assert read_reply(payload) == PushReply("malformed", payload)


def test_a_reply_without_response_has_an_empty_one() -> None:
    """`{"status": "ok"}` is an ok with `{}`."""
    assert read_reply({"status": "ok"}) == PushReply("ok", {})


@pytest.mark.contract("C154")
def test_states_are_closed_sets_of_words() -> None:
    """Plain strings work, and a slip lists the choices."""
    assert ConnectionStatus("closing") is ConnectionStatus.CLOSING
    assert [status.value for status in ConnectionStatus] == [
        "disconnected",
        "connecting",
        "connected",
        "closing",
    ]
    with pytest.raises(ValueError, match="'closed', 'joining', 'joined', 'leaving', 'errored'"):
        ChannelState("open")
