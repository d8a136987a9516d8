"""Groups of a strategy."""

from __future__ import annotations

import pytest

from supervisors._machines.strategy import restart_group
from supervisors.child_spec import Strategy


@pytest.mark.parametrize(
    ("strategy", "group"),
    [
        pytest.param("one_for_one", "b", marks=pytest.mark.contract("S29")),
        pytest.param("one_for_all", "abcd", marks=pytest.mark.contract("S30")),
        pytest.param("rest_for_one", "bcd", marks=pytest.mark.contract("S31")),
    ],
)
def test_group(strategy: str, group: str) -> None:
    """The group is in start order and holds the dead child."""
    assert restart_group(Strategy(strategy), "abcd", "b") == list(group)


def test_one_for_one_looks_at_nobody_else() -> None:
    """The cost of a restart does not grow with the number of children."""

    def children() -> object:
        raise AssertionError("looked at the children")

    assert restart_group(Strategy.ONE_FOR_ONE, (children() for _ in range(1)), 1) == [1]
