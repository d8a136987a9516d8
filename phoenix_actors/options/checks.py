"""Checks of option values: each takes name and value, and returns the value to keep or raises.

The text of an error names the option and what is accepted. It holds a number or a type, never the
value of something that may be secret.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from phoenix_actors.errors import InvalidOption

__all__ = [
    "DEFAULT_THRESHOLDS",
    "Headers",
    "Schedule",
    "SteppedDelays",
    "encodes",
    "flag",
    "hashable",
    "header_pairs",
    "headers",
    "positive_seconds",
    "positive_seconds_or_none",
    "schedule",
    "seconds",
    "string_keys",
    "thresholds",
    "token",
    "topic_map",
    "topic_pattern",
    "whole",
]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# The alert thresholds of the performance monitor.
DEFAULT_THRESHOLDS: Final[dict[str, float | None]] = {
    "memory_usage_mb": 100.0,
    "cache_hit_rate": 0.8,
    "message_queue_depth": 1000.0,
    "response_time_ms": 1000.0,
}
# The client writes these itself; a second one would break the upgrade.
_OWN_HEADERS: Final = frozenset(
    {
        "connection",
        "upgrade",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
    }
)


@runtime_checkable
class SteppedDelays(Protocol):
    """An object that knows its delays, such as `supervisors.Backoff`."""

    def delay(self, attempt: int, sample: float) -> float:
        """Return the seconds before attempt number `attempt`, from 1; `sample` is from 0 to 1."""
        ...


Schedule: TypeAlias = Sequence[float] | Callable[[int], float] | SteppedDelays
Headers: TypeAlias = tuple[tuple[str, str], ...] | Callable[[], Any]


def seconds(name: str, value: Any) -> float:
    """Return a duration in seconds: a finite number from 0 on, or a timedelta.

    Example:
        >>> seconds("heartbeat_timeout", timedelta(minutes=1))
        60.0
        >>> seconds("heartbeat_timeout", True)
        Traceback (most recent call last):
        phoenix_actors.errors.InvalidOption: option heartbeat_timeout must be seconds, as a number \
or a timedelta, not bool
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = type(value).__name__
        raise InvalidOption(name, f"must be seconds, as a number or a timedelta, not {kind}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not 0 <= number < math.inf:
        raise InvalidOption(name, f"must be a finite number of seconds, 0 or more, not {number}")
    return number


def positive_seconds(name: str, value: Any) -> float:
    """Return a duration in seconds that is longer than 0."""
    number = seconds(name, value)
    if number == 0:
        raise InvalidOption(name, "must be longer than 0 seconds")
    return number


def positive_seconds_or_none(name: str, value: Any) -> float | None:
    """Return a duration in seconds that is longer than 0, or None: wait for ever."""
    return None if value is None else positive_seconds(name, value)


def whole(name: str, value: Any, minimum: int = 0) -> int:
    """Return a whole number from `minimum` on.

    Example:
        >>> whole("max_pending_messages", 500, 1)
        500
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidOption(name, f"must be a whole number, not {type(value).__name__}")
    if value < minimum:
        raise InvalidOption(name, f"must be {minimum} or more, not {value}")
    return value


def thresholds(name: str, value: Any) -> dict[str, float | None]:
    """Return the alert thresholds: those given, and the defaults of the others.

    Example:
        >>> thresholds("alert_thresholds", {"memory_usage_mb": 512})["memory_usage_mb"]
        512.0
        >>> thresholds("alert_thresholds", {"memory": 512})
        Traceback (most recent call last):
        phoenix_actors.errors.InvalidOption: option alert_thresholds has no 'memory': \
choose of cache_hit_rate, memory_usage_mb, message_queue_depth, response_time_ms
    """
    merged = DEFAULT_THRESHOLDS.copy()
    if value == merged:
        return merged
    for key, threshold in string_keys(name, value).items():
        if key not in merged:
            choices = ", ".join(sorted(merged))
            raise InvalidOption(name, f"has no {key!r}: choose of {choices}")
        number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if threshold is not None and not (number and 0 < threshold < math.inf):
            raise InvalidOption(name, f"needs a number above 0, or None, for {key!r}")
        merged[key] = None if threshold is None else float(threshold)
    return merged


def flag(name: str, value: Any) -> bool:
    """Return True or False; nothing else counts as either."""
    if not isinstance(value, bool):
        raise InvalidOption(name, f"must be True or False, not {type(value).__name__}")
    return value


def schedule(name: str, value: Any) -> Schedule:
    """Return delays in seconds: a list, a function of the attempt (from 1), or a `Backoff`.

    Example:
        >>> schedule("rejoin_backoff", [1, 2])
        (1.0, 2.0)
    """
    # Neither of the usual two is looked at for methods, which takes long.
    if not isinstance(value, list | tuple) and isinstance(value, SteppedDelays):
        return value
    if callable(value):
        function: Callable[[int], float] = value
        return function
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        kind = type(value).__name__
        raise InvalidOption(
            name, f"must be a list of seconds, a function of the attempt or a Backoff, not {kind}"
        )
    steps = tuple(seconds(name, step) for step in value)
    if not steps:
        raise InvalidOption(name, "needs at least one step")
    return steps


def string_keys(name: str, value: Any) -> dict[str, Any]:
    """Return a copy of a mapping whose keys are strings."""
    if type(value) is dict and not value:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidOption(name, f"must be a mapping, not {type(value).__name__}")
    for key in value:
        if not isinstance(key, str):
            raise InvalidOption(name, f"must have strings as keys, not {type(key).__name__}")
    return dict(value)


def topic_map(name: str, value: Any) -> dict[str, Any]:
    """Return a map from topics and patterns to channel classes."""
    copied = string_keys(name, value)
    for pattern in copied:
        topic_pattern(name, pattern)
    return copied


def hashable(name: str, value: Any) -> Any:
    """Return a name under which something can be found."""
    try:
        hash(value)
    except TypeError:
        kind = type(value).__name__
        raise InvalidOption(name, f"must be hashable, such as a string, not {kind}") from None
    return value


def headers(name: str, value: Any) -> Headers:
    """Return headers as pairs, or the function that gives them."""
    return value if callable(value) else header_pairs(name, value)


def header_pairs(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    """Return headers, given as pairs or as a mapping, as pairs that may go on the wire (C13).

    Example:
        >>> header_pairs("headers", {"x-client": "7"})
        (('x-client', '7'),)
        >>> header_pairs("headers", [("upgrade", "h2c")])
        Traceback (most recent call last):
        phoenix_actors.errors.InvalidOption: option headers has 'upgrade', which the client sets \
itself
    """
    given = value.items() if isinstance(value, Mapping) else value
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        kind = type(value).__name__
        raise InvalidOption(name, f"must be pairs, a mapping or a function, not {kind}")
    return tuple(_header(name, pair) for pair in given)


def _header(name: str, pair: Any) -> tuple[str, str]:
    """Return one header as it may go on the wire."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InvalidOption(name, f"must hold pairs of name and value, not {type(pair).__name__}")
    field, value = pair
    if not isinstance(field, str) or not _TOKEN.fullmatch(field):
        raise InvalidOption(name, f"has {field!r}, which is no name of a header")
    if field.lower() in _OWN_HEADERS:
        raise InvalidOption(name, f"has {field!r}, which the client sets itself")
    if not isinstance(value, str):
        kind = type(value).__name__
        raise InvalidOption(name, f"must have a string as value of {field!r}, not {kind}")
    if any(character < " " and character != "\t" for character in value) or "\x7f" in value:
        problem = f"has a line break or another control character in the value of {field!r}"
        raise InvalidOption(name, problem)
    if not encodes(value, "latin-1"):
        raise InvalidOption(
            name, f"has a character beyond latin-1 in the value of {field!r}: encode it"
        )
    return field, value


def token(name: str, value: Any) -> str | None:
    """Return a token that can be sent, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        kind = "an empty string" if value == "" else type(value).__name__
        raise InvalidOption(
            name, f"must be a string, a function that gives one or None, not {kind}"
        )
    if not encodes(value):
        raise InvalidOption(name, "has a character that UTF-8 does not have")
    return value


def encodes(text: str, encoding: str = "utf-8") -> bool:
    """Tell whether the text can be encoded; the error of that would hold the text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def topic_pattern(name: str, pattern: Any) -> tuple[str, bool]:
    """Return what a pattern of `topic_channel_map` begins with, and whether it ends in `*` (C164).

    Example:
        >>> topic_pattern("topic_channel_map", "rooms:*")
        ('rooms:', True)
    """
    if not isinstance(pattern, str) or not pattern:
        raise InvalidOption(name, f"must have topics as keys, not {pattern!r}")
    exact = not pattern.endswith("*")
    prefix = pattern if exact else pattern[:-1]
    if "*" in prefix:
        raise InvalidOption(name, f"may have '*' only at the end of a key, unlike {pattern!r}")
    return prefix, not exact
