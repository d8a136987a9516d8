"""Checks of option values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from phoenix_actors.errors import InvalidOption
from phoenix_actors.options import checks

HIDDEN = "s3cr3t"


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1.0), (0, 0.0), (2.5, 2.5), (timedelta(milliseconds=1500), 1.5)]
)
def test_seconds_are_numbers_or_timedeltas(value: Any, expected: float) -> None:
    """A duration becomes a float of seconds."""
    seconds = checks.seconds("x", value)
    assert seconds == expected
    assert type(seconds) is float


@pytest.mark.parametrize(
    "value",
    [True, False, None, "5", float("nan"), float("inf"), -0.1, timedelta(-1), 10**400, [1]],
)
def test_other_durations_are_refused(value: Any) -> None:
    """Booleans, strings, NaN, infinity and negative numbers are no durations."""
    with pytest.raises(InvalidOption) as caught:
        checks.seconds("heartbeat_timeout", value)
    assert caught.value.option == "heartbeat_timeout"


def test_zero_is_no_positive_duration() -> None:
    """Where 0 makes no sense it is refused; None may stand for ever."""
    with pytest.raises(InvalidOption, match="longer than 0"):
        checks.positive_seconds("x", 0)
    assert checks.positive_seconds_or_none("x", None) is None
    assert checks.positive_seconds_or_none("x", 3) == 3.0


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1])
def test_whole_numbers_are_ints_from_the_minimum_on(value: Any) -> None:
    """A boolean is no number, and neither is a float or a string."""
    with pytest.raises(InvalidOption):
        checks.whole("x", value)


@pytest.mark.parametrize("value", [0, 1, "yes", None])
def test_flags_are_booleans(value: Any) -> None:
    """Nothing but True and False is a flag."""
    with pytest.raises(InvalidOption, match="True or False"):
        checks.flag("x", value)


def test_schedules_are_lists_functions_and_backoffs() -> None:
    """A list is copied, a function and an object with delay() are kept."""

    class Growing:
        def delay(self, attempt: int, sample: float) -> float:
            return attempt * sample

    growing = Growing()
    function = float
    assert checks.schedule("x", [1, timedelta(seconds=2)]) == (1.0, 2.0)
    assert checks.schedule("x", function) is function
    assert checks.schedule("x", growing) is growing


@pytest.mark.parametrize("value", [[], "12", 5, None, [1, "2"], [True], [-1]])
def test_other_schedules_are_refused(value: Any) -> None:
    """A schedule has at least one step, and each is a duration."""
    with pytest.raises(InvalidOption):
        checks.schedule("backoff", value)


@pytest.mark.contract("C13")
def test_headers_are_pairs_a_mapping_or_a_function() -> None:
    """All three shapes are taken, and a name may occur twice."""
    assert checks.headers("headers", {"x-a": "1"}) == (("x-a", "1"),)
    twice = [("x-a", "1"), ("x-a", "2")]
    assert checks.headers("headers", twice) == tuple(twice)
    function = dict
    assert checks.headers("headers", function) is function


@pytest.mark.contract("C13", "C16")
@pytest.mark.parametrize(
    "value",
    [
        [("x-a", f"{HIDDEN}\r\nx-b: 1")],
        [("x-a", f"{HIDDEN}\n")],
        [("x-a", f"{HIDDEN}\x00")],
        [("x-a", f"{HIDDEN}\x7f")],
        [("x-a", f"{HIDDEN}€")],
        [("x-a", 5)],
        [("x a", HIDDEN)],
        [("x:a", HIDDEN)],
        [("", HIDDEN)],
        [("x-a\r\n", HIDDEN)],
        [("Upgrade", HIDDEN)],
        [("Sec-WebSocket-Key", HIDDEN)],
        [("x-a",)],
        ["x-a: 1"],
        "x-a: 1",
        5,
    ],
)
def test_bad_headers_are_refused_without_their_value(value: Any) -> None:
    """A line break cannot get into the request, and the error does not show the value."""
    with pytest.raises(InvalidOption) as caught:
        checks.header_pairs("headers", value)
    assert HIDDEN not in str(caught.value)


def test_mappings_have_strings_as_keys() -> None:
    """A mapping is copied, and another key than a string is refused."""
    given = {"a": 1}
    copied = checks.string_keys("x", given)
    assert copied == given
    assert copied is not given
    with pytest.raises(InvalidOption, match="strings as keys"):
        checks.string_keys("x", {1: 2})
    with pytest.raises(InvalidOption, match="a mapping"):
        checks.string_keys("x", [1])


@pytest.mark.contract("C164")
@pytest.mark.parametrize("pattern", ["", "a*b", "**", "*a", 5, None])
def test_patterns_have_a_star_at_the_end_only(pattern: Any) -> None:
    """A pattern that could be misread is refused."""
    with pytest.raises(InvalidOption):
        checks.topic_pattern("topic_channel_map", pattern)
