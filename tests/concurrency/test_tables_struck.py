"""Tables of names, interrupted at each step by a signal's handler that raises."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import supervisors._machines
from supervisors import (
    GenServer,
    Killed,
    Registry,
    register_name,
    registered,
    unregister_name,
    whereis,
)
from supervisors import _locks as locks_module
from supervisors._machines.duplicate_table import DuplicateTable
from supervisors._machines.key_locks import KeyLocks
from supervisors._machines.name_table import NameTable
from supervisors._runtime import key_locks
from supervisors._runtime.key_locks import LockBook, Turn
from supervisors._runtime.names import process_names
from tests.concurrency.conftest import DEADLINE
from tests.concurrency.crew import together, wait_for
from tests.striking import handling, strike_at, strike_in_life_at

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no setitimer"
)

MACHINES = str(Path(supervisors._machines.__file__).parent)
TABLES = [NameTable, DuplicateTable]


class Cut(KeyboardInterrupt):
    """What the handler raises."""


def strike(*_: object) -> None:
    """Raises."""
    raise Cut


def struck_at_each_step(begin: Callable[[], Callable[[], object]], within: str) -> int:
    """Strikes an act at each of its steps; each is looked at by the one who begins the next."""
    with handling(signal.SIGALRM, strike):
        for number in itertools.count():
            act = begin()
            try:
                if not strike_at(number, act, signal.SIGALRM, within):
                    return number
            except Cut:
                pass
    raise AssertionError


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("held", [0, 1, 2])
def test_a_claim_holds_or_leaves_nothing(table: Any, held: int) -> None:
    """Who looks by the key sees what who looks by the owner sees."""
    names = table()

    def begin() -> Callable[[], object]:
        nonlocal names
        there = [entry.owner for entry in names.entries("new")]
        assert there == (["me"] if "new" in names.keys_of("me") else [])
        assert len(names) == len(names.keys_of("me"))
        names = table()
        for number in range(held):
            names.claim(number, "me")
        return lambda: names.claim("new", "me")

    assert struck_at_each_step(begin, MACHINES) > 20


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("held", [1, 3])
def test_a_release_is_made_good_by_the_next(table: Any, held: int) -> None:
    """The owner's end comes again, in another thread; what others have taken meanwhile stays."""
    names = table()

    def begin() -> Callable[[], object]:
        nonlocal names
        taken = [key for key in range(held) if not names.entries(key)]
        for key in taken:
            names.claim(key, "another")
        names.release_owner("me")
        assert not names.holds("me")
        assert names.keys_of("another") == taken
        assert len(names) == len(taken)
        names = table()
        for number in range(held):
            names.claim(number, "me")
        return lambda: names.release_owner("me")

    assert struck_at_each_step(begin, MACHINES) > 10


@pytest.mark.contract("S127")
@pytest.mark.parametrize("way", ["start", "kill", "register", "unregister"])
def test_a_name_can_be_taken_again(way: str) -> None:
    """Whatever was interrupted in: nobody who is dead has it, and who lives can give it back."""
    refs: list[Any] = []

    def begin() -> Callable[[], object]:
        holder = whereis("a name")
        if holder is not None:
            assert unregister_name("a name")
            holder.stop(timeout=DEADLINE)
        for ref in refs:
            ref.stop(timeout=DEADLINE)
        wait_for(lambda: "a name" not in (entry.key for entry in process_names._table.items()))
        GenServer.start(name="a name").stop()
        if way == "start":
            return lambda: GenServer.start(name="a name")
        refs[:] = [GenServer.start()]
        if way == "register":
            return lambda: register_name("a name", refs[0])
        register_name("a name", refs[0])
        if way == "kill":
            return lambda: refs[0].exit(Killed())
        return lambda: unregister_name("a name")

    assert struck_at_each_step(begin, MACHINES) > 5
    begin()
    if way != "start":
        refs[0].stop()
    assert "a name" not in registered()


@pytest.mark.parametrize("others", [0, 1])
def test_a_turn_that_left_is_gone(others: int) -> None:
    """One that is left twice leaves no trace, and the lock to who is next."""
    locks: KeyLocks[str] = KeyLocks()

    def begin() -> Callable[[], object]:
        nonlocal locks
        locks.leave("mine")
        assert locks.holders() == ["next"] * (len(locks) > 0)
        assert locks.turns_of("me") == []
        locks.leave_all("another")
        assert (len(locks), locks.holder("a")) == (0, None)
        locks = KeyLocks()
        locks.join("a", "mine", "me")
        for _ in range(others):
            locks.join("a", "next", "another")
        return lambda: locks.leave("mine")

    assert struck_at_each_step(begin, MACHINES) > 20


@pytest.mark.parametrize("others", [0, 1])
def test_a_turn_joins_or_leaves_nothing(others: int) -> None:
    """Whatever was interrupted in: it stands there and is its owner's, or is not known at all."""
    locks: KeyLocks[str] = KeyLocks()

    def begin() -> Callable[[], object]:
        nonlocal locks
        joined = len(locks) > len(locks.turns_of("another"))
        locks.leave_all("another")
        assert locks.holder("a") == ("mine" if joined else None)
        assert len(locks.turns_of("me")) == joined
        locks = KeyLocks()
        for _ in range(others):
            locks.join("a", "first", "another")
        return lambda: locks.join("a", "mine", "me")

    assert struck_at_each_step(begin, MACHINES) > 20


@pytest.mark.contract("S145")
def test_who_is_next_hears_of_an_end() -> None:
    """Whatever was interrupted in: who waits behind a dead holder has the lock, and knows it."""

    class Dead:
        """An actor that has ended."""

        gone = RuntimeError

    owner: Any = Dead()

    def begin() -> tuple[Any, list[Turn]]:
        locks = LockBook(owner, owner)
        turns = [Turn(owner), Turn(1), Turn(owner)]
        for key, turn in zip("aab", turns, strict=True):
            locks._join(key, turn)
        locks._join("b", Turn(2))
        return locks, turns

    files = (MACHINES, key_locks.__file__, locks_module.__file__)
    with handling(signal.SIGALRM, strike):
        for number in itertools.count():
            locks, (held, following, other) = begin()
            act = partial(locks.release_owner, owner)
            more = True
            try:
                more = strike_in_life_at(number, act, signal.SIGALRM, files)
            except Cut:
                if number == 0:
                    # It had not begun.
                    act()
            assert following.granted.get(timeout=0), number
            errors = [turn.granted.exception(0) for turn in (held, other)]
            assert [*map(type, errors)] == [RuntimeError, RuntimeError], number
            assert [turn.owner for turn in locks._locks.holders()] == [1, 2]
            if not more:
                break
    assert number > 20


@pytest.mark.contract("S145")
def test_a_lock_is_free_again() -> None:
    """Whatever was interrupted in, taking the lock of a key or giving it back."""
    rooms = Registry.start()
    files = (MACHINES, key_locks.__file__)

    def use() -> None:
        with rooms.lock("a room", timeout=DEADLINE):
            pass

    with handling(signal.SIGALRM, strike):
        for number in itertools.count():
            try:
                if not strike_in_life_at(number, use, signal.SIGALRM, files):
                    break
            except Cut:
                pass
            together(use)
    assert number > 20
    assert rooms.stop(timeout=DEADLINE)
