"""Tables of names, used by a signal's handler in the middle of each step of theirs.

A finalizer may do the same in any thread; a handler comes where it is told to.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import supervisors._machines
from supervisors import GenServer, Keys, Killed, Registry
from supervisors._machines.duplicate_table import DuplicateTable
from supervisors._machines.key_locks import KeyLocks
from supervisors._machines.name_table import NameTable
from tests.concurrency.conftest import DEADLINE
from tests.striking import handling, strike_in_life_at

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no setitimer"
)

MACHINES = str(Path(supervisors._machines.__file__).parent)
TABLES = [NameTable, DuplicateTable]

# What may be done with a table in which `me` holds the first so many numbers.
ACTS: dict[str, Callable[[Any], object]] = {
    "claim": lambda table: table.claim("new", "me"),
    "claim the first": lambda table: table.claim(0, "me"),
    "release": lambda table: table.release(0, "me"),
    "release another": lambda table: table.release(1, "me"),
    "update": lambda table: table.update(0, "me", 1) if hasattr(table, "update") else None,
    "discard": lambda table: [table.discard(entry) for entry in table.entries(0)],
    "end": lambda table: table.release_owner("me"),
    "another claims": lambda table: table.claim(0, "another"),
    "another ends": lambda table: (table.claim("new", "another"), table.release_owner("another")),
}
# Who ends claims nothing meanwhile.
NEVER = {("end", "claim"), ("end", "claim the first"), ("another ends", "another claims")}


def at_each_step(begin: Callable[[], tuple[Callable[[], object], Callable[[], object]]]) -> int:
    """Does what `begin` gives, with the other thing it gives at one step after the other."""
    inner: Callable[[], object] | None = None

    def handle(*_: object) -> None:
        assert inner is not None
        inner()

    with handling(signal.SIGALRM, handle):
        for number in itertools.count():
            outer, inner = begin()
            if not strike_in_life_at(number, outer, signal.SIGALRM, MACHINES):
                return number
    raise AssertionError


def look(table: Any) -> None:
    """What stands there is found by its key and by its owner, and nothing else is."""
    entries = list(table.items())
    assert len(table) == len(entries)
    for entry in entries:
        assert entry in table.entries(entry.key)
    for owner in {entry.owner for entry in entries} | {"me", "another"}:
        mine = [entry.key for entry in entries if entry.owner == owner]
        assert sorted(map(repr, table.keys_of(owner))) == sorted(map(repr, mine))
        assert table.holds(owner) == bool(mine) == (owner in table.owners())
    for key in (0, 1, 2, "new"):
        assert all(entry in entries for entry in table.entries(key))


@pytest.mark.contract("S127", "S132", "S134")
@pytest.mark.parametrize("inner", ACTS)
@pytest.mark.parametrize("outer", ACTS)
@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_whole(table: Any, outer: str, inner: str) -> None:
    """Whatever is done with it in the middle of whatever."""
    if (outer, inner) in NEVER:
        pytest.skip("who ends claims nothing meanwhile")
    for held in range(3):
        names = None

        def begin(held: int = held) -> tuple[Callable[[], object], Callable[[], object]]:
            nonlocal names
            if names is not None:
                look(names)
                names.release_owner("me")
                names.release_owner("another")
                assert (len(names), names.owners()) == (0, [])
            names = made = table()
            for number in range(held):
                made.claim(number, "me")
            return lambda: ACTS[outer](made), lambda: ACTS[inner](made)

        at_each_step(begin)
        begin()


# What may be done where `first` and then `second` are in the queue of a lock, and `mine` may be.
TURNS: dict[str, Callable[[KeyLocks[str]], list[str | None]]] = {
    "join": lambda locks: ["mine"] if locks.join("a", "mine", "me") else [],
    "leave": lambda locks: [locks.leave("first")],
    "leave from behind": lambda locks: [locks.leave("second")],
    "end": lambda locks: [*locks.leave_all("another")],
    "pass": lambda locks: [locks.join("a", "x", "you") and "x", locks.leave("x")],  # type: ignore[list-item]
}


@pytest.mark.contract("S145")
@pytest.mark.parametrize("inner", TURNS)
@pytest.mark.parametrize("outer", TURNS)
def test_one_holds_a_lock_and_knows_it(outer: str, inner: str) -> None:
    """The first of a queue has been told so, by its join or by who left; who left is gone."""
    if outer == inner in {"join", "pass"}:
        pytest.skip("a turn joins once")
    for others in itertools.product([False, True], repeat=2):
        locks: KeyLocks[str] | None = None
        told: list[str | None] = []

        def begin(
            others: tuple[bool, ...] = others,
        ) -> tuple[Callable[[], object], Callable[[], object]]:
            nonlocal locks, told
            if locks is not None:
                holder = locks.holder("a")
                assert holder is None or holder in told
                assert (holder is None) == (len(locks) == 0)
                assert locks.holders() == [each for each in [holder] if each is not None]
                locks.leave_all("me")
                locks.leave_all("another")
                assert (len(locks), locks.holder("a")) == (0, None)
            made: KeyLocks[str] = KeyLocks()
            heard: list[str | None] = []
            locks, told = made, heard
            for turn, joins in zip(("first", "second"), others, strict=True):
                if joins and made.join("a", turn, "another"):
                    heard.append(turn)
            return lambda: heard.extend(TURNS[outer](made)), lambda: heard.extend(
                TURNS[inner](made)
            )

        at_each_step(begin)
        begin()


@pytest.mark.contract("S134")
@pytest.mark.parametrize("keys", list(Keys))
def test_an_end_in_the_middle_of_an_end(keys: Keys) -> None:
    """Two actors that are registered under one key, or two, end in each other's steps."""
    registry = Registry.start(keys=keys)
    refs: list[Any] = []

    def begin() -> tuple[Callable[[], object], Callable[[], object]]:
        for ref in refs:
            ref.stop(timeout=DEADLINE)
        assert registry.count() == (1 if refs else 0)
        registry.unregister("a topic", owner=stays)
        refs[:] = [GenServer.start(), GenServer.start()]
        for number, ref in enumerate(refs):
            registry.register("a topic" if keys is Keys.DUPLICATE else number, owner=ref)
        registry.register("a topic", owner=stays)
        return lambda: refs[0].exit(Killed()), lambda: refs[1].exit(Killed())

    stays = GenServer.start()
    assert at_each_step(begin) > 5
    begin()
    assert stays.stop(timeout=DEADLINE)
    assert registry.stop(timeout=DEADLINE)


@pytest.mark.contract("S145")
def test_a_lock_is_given_back_within_a_step_of_its_book() -> None:
    """As by the finalizer of a generator that holds one."""
    rooms = Registry.start()

    def use() -> None:
        with rooms.lock("a", timeout=DEADLINE):
            pass

    def begin() -> tuple[Callable[[], object], Callable[[], object]]:
        kept = rooms.lock("b", timeout=DEADLINE)
        kept.__enter__()
        return use, lambda: kept.__exit__(None, None, None)

    assert at_each_step(begin) > 10
    assert rooms.stop(timeout=DEADLINE)
