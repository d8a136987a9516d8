"""Whose turn it is with each key."""

from __future__ import annotations

import pytest

from supervisors._machines.key_locks import KeyLocks


@pytest.fixture
def locks() -> KeyLocks[str]:
    """Owner 1 holds a, and 2 and 3 wait for it; 1 waits behind 2 for b."""
    locks: KeyLocks[str] = KeyLocks()
    joined = [
        locks.join(key, f"{key}{owner}", owner)
        for key, owner in (("a", 1), ("a", 2), ("a", 3), ("b", 2), ("b", 1))
    ]
    assert joined == [True, False, False, True, False]
    return locks


@pytest.mark.contract("S145")
def test_first_come_first(locks: KeyLocks[str]) -> None:
    """The same key serialises in order, others are not concerned."""
    assert locks.leave("a1") == "a2"
    assert locks.leave("a1") is None
    assert locks.leave("a2") == "a3"
    assert locks.leave("a3") is None
    assert (locks.holder("a"), locks.holder("b")) == (None, "b2")


@pytest.mark.contract("S145")
def test_a_waiter_leaves(locks: KeyLocks[str]) -> None:
    """Who gives up waiting gets no turn and frees nothing."""
    assert locks.leave("a2") is None
    assert locks.holder("a") == "a1"
    assert locks.leave("a1") == "a3"


@pytest.mark.contract("S145")
def test_an_owner_leaves(locks: KeyLocks[str]) -> None:
    """What it held passes on, what it waited for does not come, others keep their turns."""
    assert locks.turns_of(2) == ["a2", "b2"]
    assert locks.leave_all(2) == ["b1"]
    assert locks.leave_all(2) == locks.turns_of(2) == []
    assert (locks.holder("a"), locks.holder("b")) == ("a1", "b1")
    assert locks.leave("a1") == "a3"


@pytest.mark.contract("S145")
def test_an_owner_that_waits_behind_itself() -> None:
    """The lock passes over its own further turns."""
    locks: KeyLocks[str] = KeyLocks()
    for turn, owner in (("x", 1), ("y", 1), ("z", 2)):
        locks.join("a", turn, owner)
    assert locks.leave_all(1) == ["z"]


@pytest.mark.contract("S141", "S145")
def test_strict_keys() -> None:
    """1, 1.0 and True are locked apart."""
    locks: KeyLocks[str] = KeyLocks()
    assert [locks.join(key, repr(key), 1) for key in (1, 1.0, True)] == [True] * 3
    assert locks.holder(1.0) == "1.0"


def test_nothing_is_left(locks: KeyLocks[str]) -> None:
    """When all turns are over no key and no owner leaves a trace."""
    for owner in (1, 2, 3):
        locks.leave_all(owner)
    assert len(locks) == 0
    assert [locks._queues, locks._owned] == [{}, {}]


def test_clear(locks: KeyLocks[str]) -> None:
    """Everybody is sent away, holders too."""
    assert locks.clear() == ["a1", "a2", "a3", "b2", "b1"]
    assert (locks.leave("a1"), locks.holder("a"), len(locks)) == (None, None, 0)
