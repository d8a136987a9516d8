"""The options of a client."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from phoenix_actors.errors import ConnectError, InvalidOption, InvalidURL
from phoenix_actors.options import Overflow, SocketOptions, TransportOptions
from phoenix_actors.options.socket_options import _CHECKS, _USUAL

URL = "ws://h/socket"
HIDDEN = "s3cr3t"


def test_defaults_are_those_of_the_documentation() -> None:
    """A client with a URL only has these options."""
    options = SocketOptions.of(url=URL)
    assert options.auto_connect
    assert options.reconnect
    assert options.reconnect_interval == 60.0
    assert options.heartbeat_interval == 30.0
    assert options.heartbeat_timeout == 10.0
    assert options.join_timeout == 10.0
    assert options.push_timeout == 10.0
    assert options.rejoin_backoff == (1.0, 2.0, 5.0, 10.0)
    assert options.max_reconnect_attempts is None
    assert options.max_pending_messages == 500
    assert options.overflow is Overflow.ERROR
    assert options.vsn == "2.0.0"
    assert options.transport_opts == TransportOptions()


def test_durations_may_be_timedeltas() -> None:
    """At the public edge a timedelta is as good as seconds."""
    options = SocketOptions.of(url=URL, heartbeat_interval=timedelta(minutes=1), join_timeout=None)
    assert options.heartbeat_interval == 60.0
    assert options.join_timeout is None


@pytest.mark.contract("C95")
@pytest.mark.parametrize("off", [0, None, 0.0])
def test_heartbeats_can_be_switched_off(off: float | None) -> None:
    """0 and None both mean no heartbeat."""
    assert SocketOptions.of(url=URL, heartbeat_interval=off).heartbeat_interval is None


@pytest.mark.contract("C138")
def test_long_poll_is_off_unless_asked_for() -> None:
    """None never falls back; otherwise so many seconds are waited."""
    assert SocketOptions.of(url=URL).longpoll_fallback is None
    assert SocketOptions.of(url=URL, longpoll_fallback=None).longpoll_fallback is None
    assert SocketOptions.of(url=URL, longpoll_fallback=2).longpoll_fallback == 2.0
    for wrong in (0, -1, "2", True):
        with pytest.raises(InvalidOption, match="longpoll_fallback"):
            SocketOptions.of(url=URL, longpoll_fallback=wrong)


def test_an_unknown_option_lists_the_choices() -> None:
    """A slip is an error with the nearest name and all others."""
    with pytest.raises(InvalidOption, match=r"did you mean 'reconnect_interval'.*auth_token"):
        SocketOptions.of(url=URL, reconect_interval=1)
    with pytest.raises(InvalidOption, match="is unknown: choose one of alert_thresholds"):
        SocketOptions.of(url=URL, zzz=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto_connect", 1),
        ("params", "token=x"),
        ("params", {1: 2}),
        ("params", {"a": {1, 2}}),
        ("headers", [("x", "1\r\n")]),
        ("reconnect", "yes"),
        ("reconnect_interval", 0),
        ("backoff", []),
        ("refusal_backoff", ["x"]),
        ("max_reconnect_attempts", -1),
        ("max_reconnect_attempts", 1.5),
        ("vsn", "1.0.1"),
        ("vsn", "3.0.0"),
        ("vsn", 2),
        ("heartbeat_interval", -1),
        ("heartbeat_timeout", 0),
        ("heartbeat_timeout", float("nan")),
        ("join_timeout", True),
        ("rejoin_backoff", None),
        ("join_channels", "room:lobby"),
        ("join_channels", [5]),
        ("join_channels", [("t", [1])]),
        ("topic_channel_map", {"a*b": dict}),
        ("topic_channel_map", [1]),
        ("default_channel_params", {1: 2}),
        ("channel_max_restarts", -1),
        ("auth_token", ""),
        ("auth_token", b"bytes"),
        ("auth_token", "\ud800"),
        ("json_library", object()),
        ("json_library", pickle),
        ("transport", object()),
        ("transport", "longpol"),
        ("transport_opts", {"x": 1}),
        ("max_pending_messages", 0),
        ("max_pending_bytes", 0),
        ("overflow", "throw"),
        ("route_cache_size", -1),
        ("route_cache_ttl", 0),
        ("hibernation_enabled", None),
        ("hibernation_idle_timeout", 0),
    ],
)
def test_a_bad_value_is_refused(name: str, value: Any) -> None:
    """The error names the option, and making the struct directly is no way around."""
    with pytest.raises(InvalidOption) as caught:
        SocketOptions.of(url=URL, **{name: value})
    assert caught.value.option.startswith(name)
    with pytest.raises(InvalidOption):
        SocketOptions(url=URL, **{name: value})


def test_the_url_is_required_and_checked() -> None:
    """Without a URL, or with one that cannot be opened, there are no options."""
    with pytest.raises(InvalidOption, match="url is required"):
        SocketOptions.of()
    with pytest.raises(InvalidURL):
        SocketOptions.of(url="ftp://h")


def test_topics_to_join_have_params() -> None:
    """`join_channels` takes topics, pairs, and a mapping."""
    expected: tuple[tuple[str, Any], ...] = (("a", {}), ("b", {"x": 1}))
    assert SocketOptions.of(url=URL, join_channels=["a", ("b", {"x": 1})]).join_channels == expected
    given = {"a": {}, "b": {"x": 1}}
    assert SocketOptions.of(url=URL, join_channels=given).join_channels == expected


@pytest.mark.contract("C8")
def test_params_may_be_a_function_that_runs_for_every_attempt() -> None:
    """Each URL has what the function gives then."""
    tokens = iter(["1", "2"])
    options = SocketOptions.of(url=URL, params=lambda: {"token": next(tokens)})
    assert options.connect_url() == "ws://h/socket/websocket?token=1&vsn=2.0.0"
    assert options.connect_url() == "ws://h/socket/websocket?token=2&vsn=2.0.0"


@pytest.mark.contract("C13")
def test_headers_may_be_a_function_that_runs_for_every_attempt() -> None:
    """Each attempt has the headers that the function gives then, checked."""
    given: Any = iter([{"x-a": "1"}, [("x-a", "2")], {"x-a": "3\n"}])
    options = SocketOptions.of(url=URL, headers=lambda: next(given))
    assert options.connect_options().headers == (("x-a", "1"),)
    assert options.connect_options().headers == (("x-a", "2"),)
    with pytest.raises(InvalidOption):
        options.connect_options()


@pytest.mark.contract("C9")
@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt, SystemExit])
def test_a_function_that_raises_fails_the_attempt(kind: type[BaseException]) -> None:
    """What params or headers raise, whatever it is, is the cause of a ConnectError."""

    def fail() -> dict[str, str]:
        raise kind(HIDDEN)

    options = SocketOptions.of(url=URL, params=fail, headers=fail)
    for attempt in (options.connect_url, options.connect_options):
        with pytest.raises(ConnectError) as caught:
            attempt()
        assert isinstance(caught.value.__cause__, kind)
        assert HIDDEN not in str(caught.value)


def test_what_a_function_gives_is_checked() -> None:
    """Params that are none fail like params given directly."""
    options = SocketOptions.of(url=URL, params=lambda: "token=x")
    with pytest.raises(InvalidOption):
        options.connect_url()


@pytest.mark.contract("C16")
def test_the_repr_shows_no_secret() -> None:
    """Names of params and headers are shown, values and queries are not."""
    options = SocketOptions.of(
        url=f"{URL}?token={HIDDEN}",
        params={"token": HIDDEN},
        headers={"authorization": HIDDEN},
        default_channel_params={"key": HIDDEN},
        join_channels=[("room:lobby", {"key": HIDDEN})],
        topic_channel_map={"room:*": dict},
        backoff=lambda attempt: attempt,
        reconnect=False,
    )
    shown = repr(options)
    assert HIDDEN not in shown
    for name in ("token", "authorization", "key", "room:lobby", "room:*", "reconnect=False"):
        assert name in shown


def test_given_mappings_are_copied() -> None:
    """Changing a mapping afterwards changes no option."""
    params = {"token": "1"}
    options = SocketOptions.of(url=URL, params=params)
    params["token"] = "2"  # noqa: S105
    assert "token=1" in options.connect_url()


def test_empty_mappings_and_defaults_are_copied() -> None:
    """No two clients share one, and none is the caller's."""
    empty: dict[str, Any] = {}
    given = {"params": empty, "default_channel_params": empty, "topic_channel_map": empty}
    one, two = (SocketOptions.of(url=URL, **given) for _ in range(2))
    for name in given:
        assert getattr(one, name) == {}
        assert len({id(empty), id(getattr(one, name)), id(getattr(two, name))}) == 3
    assert one.alert_thresholds == two.alert_thresholds
    assert one.alert_thresholds is not two.alert_thresholds


def test_defaults_pass_their_checks() -> None:
    """As they are: a default is not checked again for each client."""
    plain = {
        name: default
        for name, default in zip(_CHECKS, _USUAL, strict=True)
        if isinstance(default, bool | int | float | str | tuple | None)
    }
    assert len(plain) > 30
    for name, default in plain.items():
        checked = _CHECKS[name](name, default)
        assert (type(checked), checked) == (type(default), default)
