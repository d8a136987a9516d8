"""Patterns of values."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors._machines.patterns import ANY, matches

NAN = float("nan")


@pytest.mark.contract("S143")
@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (ANY, object(), True),
        (ANY, None, True),
        (None, None, True),
        (None, 0, False),
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (NAN, NAN, True),
        ("a", "b", False),
        ((), (), True),
        ((1, ANY), (1, 2), True),
        ((1, ANY), (1, 2, 3), False),
        ((1, ANY), [1, 2], False),
        ((1,), (1.0,), False),
        ([ANY], [()], True),
        (((ANY, 1), ANY), ((0, 1), 2), True),
        (((ANY, 1), ANY), ((0, 2), 2), False),
        ({}, {"a": 1}, True),
        ({"a": ANY}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": ANY}, {"b": 1}, False),
        ({"a": ANY}, [("a", 1)], False),
    ],
    ids=str,
)
def test_matches(pattern: Any, value: Any, expected: bool) -> None:
    """A structure matches item by item, everything else strictly."""
    assert matches(pattern, value) is expected


def test_any_shows_its_name() -> None:
    """The repr is the word that users import."""
    assert repr(ANY) == "ANY"
