"""`fits` tells which messages a test waits for."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest import mock

import msgspec
import pytest

from supervisors import ANY
from supervisors.testing import described, fits


class Priced(msgspec.Struct):
    item: str
    price: Any


@dataclasses.dataclass
class Sold:
    item: str
    price: Any


def is_large(message: Any) -> bool:
    """Whether it is a large number."""
    return isinstance(message, int) and message > 100


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (ANY, None),
        (int, 7),
        (is_large, 101),
        ("a", "a"),
        (1, 1.0),
        ({"id": int}, {"id": 7, "more": True}),
        ({"items": [ANY, {"id": 2}]}, {"items": [1, {"id": 2, "x": 3}]}),
        (("price", is_large), ("price", 1000)),
        (Priced("tea", float), Priced("tea", 2.5)),
        (Sold("tea", ANY), Sold("tea", 3)),
        (mock.ANY, object()),
        (pytest.approx(0.3), 0.1 + 0.2),
        (int, True),
    ],
)
def test_fits(pattern: Any, value: Any) -> None:
    """A pattern fits what it describes."""
    assert fits(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (int, "7"),
        (is_large, 3),
        ("a", "b"),
        (1, True),
        (True, 1),
        ({"id": int}, {}),
        ({"id": int}, [("id", 7)]),
        ([1, ANY], [1]),
        ([1], (1,)),
        (Priced("tea", float), Priced("tea", "2.5")),
        (Priced("tea", ANY), Sold("tea", 3)),
        (Sold("tea", ANY), Sold("milk", 3)),
    ],
)
def test_fits_not(pattern: Any, value: Any) -> None:
    """A pattern does not fit anything else."""
    assert not fits(pattern, value)


def test_a_class_itself_fits_where_it_is_the_message() -> None:
    """A class sent as a message is found by itself."""
    assert fits(Sold, Sold)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(ANY, "any message"), (Sold, "a Sold"), (is_large, "what is_large() accepts"), ("x", "'x'")],
)
def test_described(pattern: Any, text: str) -> None:
    """A failure names the pattern in words."""
    assert described(pattern) == text
