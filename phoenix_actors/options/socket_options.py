"""The options of a client: the one place of their defaults and of their validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, Final, Self, TypeAlias

import msgspec

from phoenix_actors.errors import ConnectError, InvalidOption
from phoenix_actors.options import checks
from phoenix_actors.options.aliases import without_aliases
from phoenix_actors.options.checks import DEFAULT_THRESHOLDS
from phoenix_actors.options.endpoint import build_url, encode_params, plain_url, redact_url
from phoenix_actors.options.json_library import JsonLibrary, json_library
from phoenix_actors.options.transport_options import TransportOptions

__all__ = ["Overflow", "SocketOptions"]

Params: TypeAlias = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
Token: TypeAlias = str | Callable[[], str | None] | None


class Overflow(StrEnum):
    """What happens to a message that meets a full buffer (C81, C82)."""

    ERROR = "error"
    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


class SocketOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client is told when it starts; checked when it is made. Durations in seconds.

    `SocketOptions.of(**keywords)` also takes the names that components read their options by, such
    as `cache_size` (`aliases.py`), and refuses names that are unknown, with the choices. A repr
    shows the names of params and headers and never a value, and URLs without their query (C16).

    Attributes:
        url: the endpoint; see `endpoint`.
        params: a mapping for the query, or a function that is run for every attempt (C8).
        headers: pairs, a mapping, or a function that is run for every attempt.
        auth_token: a string, or a function that is run for every attempt; goes to the server as a
            subprotocol and never into the URL. The server's socket needs `auth_token: true`.
        reconnect_interval: no wait between attempts has a longer step than this.
        backoff: delays before reconnecting, as a list (the last repeats), a function of the attempt
            from 1, or a `Backoff`; taken as given. None: phoenix.js's steps with jitter.
        refusal_backoff: the same after an HTTP refusal. None: the step, at least 1 s, at most 10 s
            or what Retry-After says.
        max_reconnect_attempts: reconnecting attempts in a row that may fail before the client gives
            up; None for no limit.
        heartbeat_interval: 0 or None switches heartbeats off. Long poll has none (C144).
        heartbeat_timeout: must be longer than the server's slowest join, which answers nothing
            meanwhile (C100); None never gives up.
        heartbeat_when_idle: leave a heartbeat out when the server answered a push that was made
            since the last one was due (C102).
        max_pending_messages: how many frames may wait to be handed to the operating system, and how
            many pushes of one channel may wait for its join.
        max_pending_bytes: the same in bytes; a push is taken as long as less than this waits. None
            for no bound.
        overflow: what happens to a push that meets these bounds. While connected it first helps to
            write. "error": it waits for room as long as its timeout while connected, and raises
            `QueueFull`. "block": it does so while disconnected or joining too. "drop_oldest" and
            "drop_newest" wait for no slow peer: the future of the oldest push that was not sent, or
            of this one, raises `QueueFull`.
        max_inbound_messages: how many messages of one channel may wait for its handlers; None for
            no bound.
        max_inbound_bytes: the same in bytes of their frames.
        inbound_overflow: what happens at these bounds. "block": nothing is lost, the client stops
            reading (all channels) until half of it is handled. "drop_oldest" and "drop_newest" drop
            messages, counted and told, but none of presences; "error" drops the newest and runs the
            on_error hooks too.
        join_channels: topics, or pairs of topic and params, to join on the first connect.
        json_library: an object with encode and decode, or with dumps and loads, for every frame.
        share_decoded: equal strings and numbers of decoded messages become one object, and dicts
            share their keys: for who keeps many messages. Each takes longer to decode.
        hibernation_memory_threshold: bytes; an idle channel that would give back less stays as it
            is, unless its class has an `on_hibernate` or it has a thread of its own.
        alert_thresholds: what the performance monitor tells beyond: memory_usage_mb,
            message_queue_depth, response_time_ms, and cache_hit_rate, of which less is worse. None
            switches one off; those that are left out keep their defaults.
        transport: an object of the shape `Transport`, such as `LongPollTransport()`, or a word:
            "websocket" is the built-in one, as None, "websocket-client" the same with frames read
            and written by that library, "longpoll" long poll alone.
        longpoll_fallback: seconds that the WebSocket has to open, and then to answer a ping, before
            long poll takes its place; None never does (C138). A client whose WebSocket answered
            once stays with it (C146). One that fell back stays with long poll until connect() is
            called after disconnect() or between two attempts.

    Example:
        >>> options = SocketOptions.of(url="ws://localhost:4000/socket", params={"token": "secret"})
        >>> options.heartbeat_interval
        30.0
        >>> options
        SocketOptions(url='ws://localhost:4000/socket', params=['token'])
        >>> SocketOptions.of(url="ws://localhost:4000/socket", heartbeat_intervall=5)
        Traceback (most recent call last):
        phoenix_actors.errors.InvalidOption: option heartbeat_intervall is unknown: did you mean \
'heartbeat_interval'? choose one of alert_thresholds, ...
    """

    url: str
    auto_connect: bool = True
    params: Params = msgspec.field(default_factory=dict)
    headers: checks.Headers = ()
    auth_token: Token = None
    reconnect: bool = True
    reconnect_interval: float = 60.0
    backoff: checks.Schedule | None = None
    refusal_backoff: checks.Schedule | None = None
    max_reconnect_attempts: int | None = None
    reconnect_on_normal_close: bool = True
    vsn: str = "2.0.0"
    name: Any = None
    registry_name: Any = None
    heartbeat_interval: float | None = 30.0
    heartbeat_timeout: float | None = 10.0
    heartbeat_when_idle: bool = False
    join_timeout: float | None = 10.0
    push_timeout: float | None = 10.0
    rejoin_backoff: checks.Schedule = (1.0, 2.0, 5.0, 10.0)
    retry_refused_rejoins: bool = True
    join_channels: tuple[tuple[str, Any], ...] = ()
    topic_channel_map: Mapping[str, Any] = msgspec.field(default_factory=dict)
    default_channel_module: Any = None
    default_channel_params: Mapping[str, Any] = msgspec.field(default_factory=dict)
    channel_max_restarts: int = 3
    json_library: JsonLibrary | None = None
    transport: Any = None
    transport_opts: TransportOptions = TransportOptions()
    longpoll_fallback: float | None = None
    max_pending_messages: int = 500
    max_pending_bytes: int | None = 64 * 1024 * 1024
    overflow: Overflow = Overflow.ERROR
    max_inbound_messages: int | None = 10_000
    max_inbound_bytes: int | None = 64 * 1024 * 1024
    inbound_overflow: Overflow = Overflow.BLOCK
    route_cache_size: int = 1000
    route_cache_ttl: float = 300.0
    route_cleanup_interval: float = 60.0
    binary_pool_size: int = 1000
    binary_max_age: float = 300.0
    binary_cleanup_interval: float = 30.0
    share_decoded: bool = False
    hibernation_enabled: bool = True
    hibernation_idle_timeout: float = 300.0
    hibernation_check_interval: float = 60.0
    hibernation_memory_threshold: int = 1
    performance_monitor: bool = True
    collection_interval: float = 30.0
    retention_period: float = 1800.0
    alert_thresholds: Mapping[str, float | None] = msgspec.field(
        default_factory=DEFAULT_THRESHOLDS.copy
    )

    @classmethod
    def of(cls, **keywords: Any) -> Self:
        """Return the options that keywords mean.

        Raises:
            InvalidOption: for a name that is unknown or not available in this version, and for a
                value that makes no sense.
            InvalidURL: for a URL that cannot be opened.
        """
        keywords = without_aliases(keywords)
        known = cls.__struct_fields__
        for name in keywords:
            if name not in known:
                import difflib

                close = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                choices = ", ".join(sorted(known))
                raise InvalidOption(name, f"is unknown: {hint}choose one of {choices}")
        if "url" not in keywords:
            raise InvalidOption("url", "is required, such as ws://localhost:4000/socket")
        return cls(**keywords)

    def __post_init__(self) -> None:
        # One look at all of them that runs in C: few are given, and defaults need no check.
        for name in compress(_CHECKS, map(is_not, _values_of(self), _USUAL)):
            value = _CHECKS[name](name, getattr(self, name))
            msgspec.structs.force_setattr(self, name, value)
        # A dry run: what can be known to fail is said now and not at the first attempt.
        if plain_url(self.url) is None:
            build_url(self.url, None, self.vsn)

    def connect_url(self) -> str:
        """Return the URL of the next attempt; runs the params function if there is one (C8).

        Raises:
            ConnectError: when that function raises; what it raised is the cause (C9).
            InvalidOption: when it returns something else than params.
        """
        params = self.params
        if callable(params):
            params = checks.string_keys("params", self._run("params", params))
        return build_url(self.url, params, self.vsn)

    def shown_url(self) -> str:
        """Return the URL without its query, for logs and state."""
        return redact_url(self.url)

    def connect_options(self, announce: Callable[[Any], None] | None = None) -> TransportOptions:
        """Return the transport's options of the next attempt; runs functions of the user's (C11).

        Args:
            announce: see `TransportOptions`.

        Raises:
            ConnectError: when such a function raises; what it raised is the cause.
            InvalidOption: when it returns something else than headers, or than a token.
        """
        headers = self.headers
        if callable(headers):
            headers = checks.header_pairs("headers", self._run("headers", headers))
        token = self.auth_token
        if callable(token):
            token = checks.token("auth_token", self._run("auth_token", token))
        return msgspec.structs.replace(
            self.transport_opts, headers=headers, auth_token=token, announce=announce
        )

    def _run(self, option: str, function: Callable[[], Any]) -> Any:
        """Return what a function of the user's gives; what it raises fails the attempt."""
        try:
            return function()
        except BaseException as error:  # on a thread of the attempt, whose end nobody would see
            problem = f"the function given as {option} raised {type(error).__name__}"
            raise ConnectError(problem, url=redact_url(self.url)) from error

    def __repr__(self) -> str:
        shown = [f"url={redact_url(self.url)!r}"]
        for field in msgspec.structs.fields(type(self)):
            value = getattr(self, field.name)
            factory = field.default_factory
            default = field.default if factory is msgspec.NODEFAULT else factory()
            if field.name != "url" and value != default:
                hidden = field.name == "auth_token"
                shown.append(f"{field.name}={'…' if hidden else _show(value)}")
        return f"SocketOptions({', '.join(shown)})"


def _show(value: Any) -> str:
    """Return a value for a repr: names at most where values may be secret."""
    match value:
        case Mapping():
            return repr(list(value))
        case tuple() if value and isinstance(value[0], tuple):
            return repr([name for name, _ in value])
        case TransportOptions() | str() | int() | float() | tuple() | None:
            return repr(value)
        case _:
            return f"<{getattr(value, '__name__', type(value).__name__)}>"


_TRANSPORTS: Final = ("websocket", "websocket-client", "longpoll")


def _vsn(name: str, value: Any) -> str:
    """Return the version of the protocol."""
    if value not in ("2.0.0", "1.0.0"):
        raise InvalidOption(name, "must be '2.0.0' or '1.0.0'")
    return str(value)


def _token(name: str, value: Any) -> Token:
    """Return a token, or the function that gives it."""
    return value if callable(value) else checks.token(name, value)


def _params(name: str, value: Any) -> Params:
    """Return params, or the function that gives them."""
    if callable(value):
        return value  # type: ignore[no-any-return]
    copied = checks.string_keys(name, value)
    if copied:
        encode_params(copied)
    return copied


def _overflow(name: str, value: Any) -> Overflow:
    """Return what to do when the buffer is full."""
    for choice in Overflow:
        if value == choice:
            return choice
    choices = ", ".join(repr(choice.value) for choice in Overflow)
    raise InvalidOption(name, f"must be one of {choices}")


def _join_channels(name: str, value: Any) -> tuple[tuple[str, Any], ...]:
    """Return pairs of topic and params."""
    if isinstance(value, Mapping):
        value = tuple(value.items())
    if isinstance(value, str | bytes) or not isinstance(value, list | tuple):
        raise InvalidOption(name, f"must be a list of topics, not {type(value).__name__}")
    pairs = []
    for item in value:
        topic, params = item if isinstance(item, tuple) and len(item) == 2 else (item, {})
        if not isinstance(topic, str) or not topic:
            raise InvalidOption(name, "must hold topics, or pairs of topic and params")
        pairs.append((topic, params if callable(params) else checks.string_keys(name, params)))
    return tuple(pairs)


def _transport(name: str, value: Any) -> Any:
    """Return an object that can open connections, or the word for one."""
    if value is None or value in _TRANSPORTS or callable(getattr(value, "open", None)):
        return value
    words = " or ".join(map(repr, _TRANSPORTS))
    raise InvalidOption(name, f"must be {words}, or have a method open(url, options, events)")


def _off_or_seconds(name: str, value: Any) -> float | None:
    """Return a duration, or None for 0 and None: off."""
    return (checks.seconds(name, value) or None) if value is not None else None


def _schedule_or_none(name: str, value: Any) -> checks.Schedule | None:
    return None if value is None else checks.schedule(name, value)


def _whole_or_none(name: str, value: Any) -> int | None:
    return None if value is None else checks.whole(name, value)


def _at_least_one(name: str, value: Any) -> int:
    return checks.whole(name, value, 1)


def _at_least_one_or_none(name: str, value: Any) -> int | None:
    return None if value is None else checks.whole(name, value, 1)


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "auto_connect": checks.flag,
    "params": _params,
    "headers": checks.headers,
    "auth_token": _token,
    "reconnect": checks.flag,
    "reconnect_interval": checks.positive_seconds,
    "backoff": _schedule_or_none,
    "refusal_backoff": _schedule_or_none,
    "max_reconnect_attempts": _whole_or_none,
    "reconnect_on_normal_close": checks.flag,
    "vsn": _vsn,
    "name": checks.hashable,
    "registry_name": checks.hashable,
    "heartbeat_interval": _off_or_seconds,
    "heartbeat_timeout": checks.positive_seconds_or_none,
    "heartbeat_when_idle": checks.flag,
    "join_timeout": checks.positive_seconds_or_none,
    "push_timeout": checks.positive_seconds_or_none,
    "rejoin_backoff": checks.schedule,
    "retry_refused_rejoins": checks.flag,
    "join_channels": _join_channels,
    "topic_channel_map": checks.topic_map,
    "default_channel_params": checks.string_keys,
    "channel_max_restarts": checks.whole,
    "json_library": json_library,
    "transport": _transport,
    "longpoll_fallback": checks.positive_seconds_or_none,
    "transport_opts": lambda _, value: TransportOptions.of(value),
    "max_pending_messages": _at_least_one,
    "max_pending_bytes": _at_least_one_or_none,
    "overflow": _overflow,
    "max_inbound_messages": _at_least_one_or_none,
    "max_inbound_bytes": _at_least_one_or_none,
    "inbound_overflow": _overflow,
    "route_cache_size": checks.whole,
    "route_cache_ttl": checks.positive_seconds,
    "route_cleanup_interval": checks.positive_seconds,
    "binary_pool_size": checks.whole,
    "binary_max_age": checks.positive_seconds,
    "binary_cleanup_interval": checks.positive_seconds,
    "share_decoded": checks.flag,
    "hibernation_enabled": checks.flag,
    "hibernation_idle_timeout": checks.positive_seconds,
    "hibernation_check_interval": checks.positive_seconds,
    "hibernation_memory_threshold": checks.whole,
    "performance_monitor": checks.flag,
    "collection_interval": checks.positive_seconds,
    "retention_period": checks.positive_seconds,
    "alert_thresholds": checks.thresholds,
}
_values_of: Final = attrgetter(*_CHECKS)
_DEFAULTS: Final = dict(
    zip(SocketOptions.__struct_fields__[1:], SocketOptions.__struct_defaults__, strict=True)
)
_USUAL: Final = tuple([_DEFAULTS[name] for name in _CHECKS])
