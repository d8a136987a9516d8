"""The error tree: its second bases, pickling, and what texts must not hold."""

from __future__ import annotations

import inspect
import pickle

import pytest

from phoenix_actors import errors
from phoenix_actors.errors import (
    AlreadyJoined,
    AuthTokenIgnored,
    ChannelClosed,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    DecodeError,
    EncodeError,
    HandshakeRefused,
    InvalidOption,
    InvalidURL,
    JoinCancelled,
    JoinError,
    JoinRejected,
    JoinTimeout,
    NotConnected,
    NotJoined,
    PhoenixError,
    ProtocolError,
    PushError,
    PushRejected,
    PushTimeout,
    QueueFull,
    TLSError,
    WouldDeadlock,
)
from phoenix_actors.message import Left, ServerClosed, ServerError
from supervisors import Abandoned, Crashed, Killed

HIDDEN = "s3cr3t"

# One of each, with a secret wherever a field may hold one.
SAMPLES: list[PhoenixError] = [
    ConnectError("the server could not be reached", url="ws://h/socket"),
    ConnectTimeout(10.0, url="ws://h/socket"),
    HandshakeRefused(
        403, {"Set-Cookie": HIDDEN}, HIDDEN.encode(), url="ws://h/socket", retry_after=3.0
    ),
    TLSError("the certificate does not verify", url="wss://h/socket"),
    InvalidURL("has no host", url="ws:///"),
    ConnectionLost(1001, "going away"),
    NotConnected(),
    NotJoined("room:lobby", "shout"),
    JoinError("room:lobby"),
    JoinRejected("room:lobby", {"reason": HIDDEN}),
    JoinTimeout("room:lobby", 10.0),
    JoinCancelled("room:lobby"),
    AlreadyJoined(None, "room:lobby"),
    AuthTokenIgnored(url="ws://h/socket"),
    PushError("failed", "room:lobby", "shout", "7"),
    PushRejected("error", {"reason": HIDDEN}, "room:lobby", "shout", "7"),
    PushTimeout("room:lobby", "shout", 10.0, "7"),
    ChannelClosed("room:lobby", "shout", None, "7"),
    QueueFull(500, "room:lobby", "shout"),
    EncodeError("it has a set", "room:lobby", "shout"),
    DecodeError("not JSON"),
    ProtocolError("a channel joins once"),
    WouldDeadlock("join"),
    InvalidOption("vsn", "must be '2.0.0'"),
]


def test_every_error_is_exported() -> None:
    """`__all__` has every class of the tree."""
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, BaseException)
    }
    assert classes == set(errors.__all__)
    assert {type(sample).__name__ for sample in SAMPLES} | {"PhoenixError"} == classes


@pytest.mark.contract("C190")
@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_errors_pickle_with_their_fields(error: PhoenixError) -> None:
    """A pickled error comes back as the same class with the same text and fields."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


@pytest.mark.contract("C16", "C190")
@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_texts_hold_no_secret(error: PhoenixError) -> None:
    """Responses, headers and bodies are in fields and in no text."""
    assert HIDDEN not in str(error)
    assert HIDDEN not in repr(error)


@pytest.mark.contract("C191")
@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (JoinTimeout, TimeoutError),
        (PushTimeout, TimeoutError),
        (ConnectTimeout, TimeoutError),
        (ConnectError, ConnectionError),
        (HandshakeRefused, ConnectionError),
        (TLSError, ConnectionError),
        (ConnectionLost, ConnectionError),
        (NotConnected, ConnectionError),
        (InvalidURL, ValueError),
        (InvalidOption, ValueError),
    ],
)
def test_errors_are_also_the_builtin_ones(kind: type[Exception], base: type[Exception]) -> None:
    """Code that knows only Python's own errors catches them."""
    assert issubclass(kind, base)


def test_already_joined_pickles_without_its_channel() -> None:
    """A channel lives in one process, so a pickled error has none."""
    copy = pickle.loads(pickle.dumps(AlreadyJoined(lambda: None, "room:lobby")))  # noqa: S301
    assert copy.channel is None
    assert copy.topic == "room:lobby"


def test_already_joined_takes_the_topic_of_its_channel() -> None:
    """The topic need not be said twice."""

    class Channel:
        topic = "room:lobby"

    channel = Channel()
    error = AlreadyJoined(channel)
    assert error.channel is channel
    assert error.topic == "room:lobby"


@pytest.mark.contract("C57")
@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"reason": "unmatched topic"}, "unmatched topic"),
        ({"reason": ["odd"]}, None),
        ([1], None),
        (None, None),
    ],
)
def test_a_rejection_tells_the_servers_reason(response: object, reason: str | None) -> None:
    """`JoinRejected.reason` tells "unmatched topic" from a refusal of the application."""
    assert JoinRejected("room:x", response).reason == reason


def test_connection_lost_compares_by_its_fields() -> None:
    """As a reason of handle_close it is compared like the other reasons."""
    assert ConnectionLost(1001, "x") == ConnectionLost(1001, "x")
    assert hash(ConnectionLost(1001, "x")) == hash(ConnectionLost(1001, "x"))
    assert ConnectionLost(1001, "x") != ConnectionLost(1006, "x")
    assert ConnectionLost(1001, "x") != "x"
    match ConnectionLost(1001, "x"):
        case ConnectionLost(code, reason):
            assert (code, reason) == (1001, "x")


def test_header_names_of_a_refusal_are_lower_case() -> None:
    """Headers may be pairs or a mapping, and are looked up in lower case."""
    assert HandshakeRefused(429, [("Retry-After", "3")]).headers == {"retry-after": "3"}


@pytest.mark.contract("C91")
def test_a_push_that_crashed_the_channel_says_what_comes_next() -> None:
    """The topic is joined again by itself then; after any other end it is the user's to join it."""
    crashed = ChannelClosed("t", "no_such_event", ServerError({"reason": HIDDEN}))
    assert "joined again by itself" in str(crashed)
    for end in (Crashed(RuntimeError()), Killed(), Abandoned()):
        assert "joins by itself" in str(ChannelClosed("t", "e", end))
    for reason in (None, Left(), ServerClosed()):
        assert "join() the topic again" in str(ChannelClosed("t", "e", reason))


@pytest.mark.contract("C75")
def test_a_time_out_says_whether_the_push_was_sent() -> None:
    """One without a ref was not."""
    assert "was not sent within 1.0 seconds" in str(PushTimeout("t", "e", 1.0))
    assert "got no reply within 1.0 seconds" in str(PushTimeout("t", "e", 1.0, ref="7"))


@pytest.mark.contract("C112", "C114")
@pytest.mark.parametrize(("status", "word"), [(403, "connect/3"), (404, "path"), (503, "log")])
def test_a_refusal_says_where_to_look(status: int, word: str) -> None:
    """By what Phoenix means with the status."""
    assert word in str(HandshakeRefused(status))
