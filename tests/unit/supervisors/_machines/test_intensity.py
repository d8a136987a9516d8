"""The restart budget."""

from __future__ import annotations

import pytest

from supervisors._machines.intensity import RestartIntensity


@pytest.mark.contract("S52", "S53")
@pytest.mark.parametrize("allowed", [0, 1, 5])
def test_one_more_is_too_many(allowed: int) -> None:
    """Exactly max_restarts restarts at one moment may be made."""
    budget = RestartIntensity(allowed, 1.0)
    assert [budget.charge(0.0) for _ in range(allowed + 1)] == [True] * allowed + [False]


@pytest.mark.contract("S59")
def test_boundary() -> None:
    """A restart still counts when exactly max_seconds have passed, and no moment longer."""
    budget = RestartIntensity(1, 2.0)
    budget.charge(10.0)
    assert budget.counted(12.0) == 1
    assert budget.counted(12.000001) == 0


@pytest.mark.contract("S58")
def test_old_restarts_are_forgotten() -> None:
    """Bursts further apart than the window never add up."""
    budget = RestartIntensity(3, 5.0)
    for burst in range(10):
        assert all(budget.charge(burst * 6.0) for _ in range(3))


@pytest.mark.contract("S55")
def test_only_if_borne() -> None:
    """What is charged on that condition counts as any restart, and what is not borne does not."""
    budget = RestartIntensity(1, 2.0)
    assert budget.charge_if_borne(0.0)
    assert not budget.charge_if_borne(2.0)
    assert budget.counted(2.0) == 1
    assert budget.charge_if_borne(2.5)
    assert not budget.charge(2.5)
