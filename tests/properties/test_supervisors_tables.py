"""Timer heap, tables of keys, locks, restart budget and mailbox against models."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from msgspec.structs import astuple

from supervisors._machines.duplicate_table import DuplicateTable
from supervisors._machines.intensity import RestartIntensity
from supervisors._machines.key_locks import KeyLocks
from supervisors._machines.name_table import NameTable
from supervisors._machines.timer_heap import ArmedTimer, TimerHeap
from supervisors._runtime.mailbox import Mailbox

TIMES = st.integers(0, 20).map(float)


class Timers(RuleBasedStateMachine):
    """The heap against a sorted list."""

    armed = Bundle("armed")

    def __init__(self) -> None:
        super().__init__()
        self.heap = TimerHeap()
        self.model: list[tuple[float, int]] = []
        self.count = 0

    @rule(target=armed, at=TIMES)
    def arm(self, at: float) -> tuple[ArmedTimer, tuple[float, int]]:
        """A timer is armed."""
        self.count += 1
        self.model.append((at, self.count))
        return self.heap.arm(at, self.count), (at, self.count)

    @rule(entry=armed)
    def cancel(self, entry: tuple[ArmedTimer, tuple[float, int]]) -> None:
        """A timer is cancelled, in time or not."""
        timer, known = entry
        waiting = known in self.model
        assert self.heap.cancel(timer) == waiting
        if waiting:
            self.model.remove(known)

    @rule(now=TIMES)
    def pop_due(self, now: float) -> None:
        """What is due comes in order."""
        due = sorted(entry for entry in self.model if entry[0] <= now)
        assert self.heap.pop_due(now) == [number for _, number in due]
        self.model = [entry for entry in self.model if entry not in due]

    @invariant()
    def agrees(self) -> None:
        """Length and next moment are the model's; the heap stays small."""
        assert len(self.heap) == len(self.model)
        assert self.heap.next_at() == min((at for at, _ in self.model), default=None)
        assert len(self.heap._heap) <= 2 * len(self.model) + 1


class Names(RuleBasedStateMachine):
    """The name table against a dictionary."""

    keys = st.sampled_from(["a", "b", 1, 1.0, True, None])
    owners = st.integers(1, 3)

    def __init__(self) -> None:
        super().__init__()
        self.table: NameTable[int] = NameTable()
        self.model: dict[tuple[type, Any], tuple[int, Any]] = {}

    @rule(key=keys, owner=owners, value=st.integers())
    def claim(self, key: Any, owner: int, value: int) -> None:
        """Only a free key is given."""
        held = self.model.get((type(key), key))
        assert self.table.claim(key, owner, value) == (None if held is None else held[0])
        self.model.setdefault((type(key), key), (owner, value))

    @rule(key=keys, owner=owners)
    def release(self, key: Any, owner: int) -> None:
        """Only its owner frees a key."""
        held = self.model.get((type(key), key), (0, None))[0] == owner
        assert self.table.release(key, owner) == held
        if held:
            del self.model[type(key), key]

    @rule(key=keys, owner=owners, value=st.integers())
    def update(self, key: Any, owner: int, value: int) -> None:
        """Only its owner changes the value of a key."""
        held = self.model.get((type(key), key), (0, None))[0] == owner
        assert self.table.update(key, owner, value) == held
        if held:
            self.model[type(key), key] = (owner, value)

    @rule(owner=owners)
    def release_owner(self, owner: int) -> None:
        """All keys of an owner go at once."""
        mine = [key for key, (holder, _) in self.model.items() if holder == owner]
        assert [(type(key), key) for key in self.table.release_owner(owner)] == mine
        for key in mine:
            del self.model[key]

    @invariant()
    def agrees(self) -> None:
        """Entries and their order are the model's, and so is what each owner holds."""
        entries = map(astuple, self.table.items())
        found = [((type(key), key), (owner, value)) for key, owner, value in entries]
        assert found == list(self.model.items())
        for owner in (1, 2, 3):
            mine = [key for key, (holder, _) in self.model.items() if holder == owner]
            assert [(type(key), key) for key in self.table.keys_of(owner)] == mine


class Duplicates(RuleBasedStateMachine):
    """The table of duplicate keys against a list."""

    keys = st.sampled_from(["a", "b", 1, 1.0, True, ("t", 1), ("t", 1.0)])
    owners = st.integers(1, 3)

    def __init__(self) -> None:
        super().__init__()
        self.table: DuplicateTable[int] = DuplicateTable()
        # Entries as (what is strictly the key, owner, value), in order of registration.
        self.model: list[tuple[str, int, int]] = []

    def keep(self, wanted: Callable[[tuple[str, int, int]], bool]) -> bool:
        """Keeps what is wanted; tells whether anything went."""
        before = len(self.model)
        self.model = [entry for entry in self.model if wanted(entry)]
        return len(self.model) < before

    @rule(key=keys, owner=owners, value=st.integers(0, 2))
    def claim(self, key: Any, owner: int, value: int) -> None:
        """Everybody gets an entry."""
        assert self.table.claim(key, owner, value) is None  # type: ignore[func-returns-value]
        self.model.append((repr(key), owner, value))

    @rule(key=keys, owner=owners)
    def release(self, key: Any, owner: int) -> None:
        """All entries of an owner go from a key."""
        gone = self.keep(lambda entry: entry[:2] != (repr(key), owner))
        assert self.table.release(key, owner) == gone

    @rule(owner=owners)
    def release_owner(self, owner: int) -> None:
        """All entries of an owner go from all keys."""
        mine = [key for key, holder, _ in self.model if holder == owner]
        assert list(map(repr, self.table.release_owner(owner))) == mine
        self.keep(lambda entry: entry[1] != owner)

    @rule(number=st.integers(0, 20))
    def discard(self, number: int) -> None:
        """One entry goes, and not those that are equal to it."""
        if number < len(self.model):
            entry = list(self.table.items())[number]
            assert self.table.discard(entry)
            assert not self.table.discard(entry)
            del self.model[number]

    @invariant()
    def agrees(self) -> None:
        """All ways to look at the table are those of the list, in order."""
        table = self.table
        assert [
            (repr(key), owner, value) for key, owner, value in map(astuple, table.items())
        ] == self.model
        assert len(table) == len(self.model)
        for key in ("a", "b", 1, 1.0, True, ("t", 1), ("t", 1.0)):
            under = [(owner, value) for name, owner, value in self.model if name == repr(key)]
            assert [(entry.owner, entry.value) for entry in table.entries(key)] == under
        for owner in (1, 2, 3):
            mine = [key for key, holder, _ in self.model if holder == owner]
            assert list(map(repr, table.keys_of(owner))) == mine
            assert table.holds(owner) == bool(mine)
        assert set(table.owners()) == {owner for _, owner, _ in self.model}


class Locks(RuleBasedStateMachine):
    """The queues of locks against lists."""

    keys = st.sampled_from(["a", 1, 1.0])
    owners = st.integers(1, 3)
    turns = Bundle("turns")

    def __init__(self) -> None:
        super().__init__()
        self.locks: KeyLocks[int] = KeyLocks()
        self.made = 0
        # Turns as (number, owner) in the queues of strictly different keys.
        self.model: dict[str, list[tuple[int, int]]] = {}

    def holders(self) -> set[int]:
        """Returns the turns that hold a lock."""
        return {queue[0][0] for queue in self.model.values() if queue}

    @rule(target=turns, key=keys, owner=owners)
    def join(self, key: Any, owner: int) -> int:
        """A turn holds the lock at once only where nobody else is."""
        self.made += 1
        queue = self.model.setdefault(repr(key), [])
        queue.append((self.made, owner))
        assert self.locks.join(key, self.made, owner) == (len(queue) == 1)
        return self.made

    @rule(turn=turns)
    def leave(self, turn: int) -> None:
        """Only who held the lock passes it on."""
        before = self.holders()
        for name, queue in self.model.items():
            self.model[name] = [entry for entry in queue if entry[0] != turn]
        new = self.holders() - before
        assert self.locks.leave(turn) == (new.pop() if new else None)

    @rule(owner=owners)
    def leave_all(self, owner: int) -> None:
        """What an owner held goes to others, and nothing to itself."""
        before = self.holders()
        gone = {turn for queue in self.model.values() for turn, mine in queue if mine == owner}
        for name, queue in self.model.items():
            self.model[name] = [entry for entry in queue if entry[1] != owner]
        left = self.locks.turns_of(owner)
        assert (set(left), len(left)) == (gone, len(gone))
        new = self.locks.leave_all(owner)
        assert (set(new), len(new)) == (self.holders() - before, len(self.holders() - before))

    @invariant()
    def agrees(self) -> None:
        """Each lock is held by the first of its queue."""
        for key in ("a", 1, 1.0):
            queue = self.model.get(repr(key))
            assert self.locks.holder(key) == (queue[0][0] if queue else None)
        assert len(self.locks) == sum(map(len, self.model.values()))


TestTimers = Timers.TestCase
TestDuplicates = pytest.mark.contract("S132", "S134", "S137", "S141")(Duplicates.TestCase)
TestLocks = pytest.mark.contract("S145")(Locks.TestCase)
TestNames = pytest.mark.contract("S131", "S134", "S141", "S144")(Names.TestCase)


@pytest.mark.contract("S52", "S54", "S58", "S59")
@given(
    max_restarts=st.integers(0, 5),
    max_seconds=st.integers(1, 5).map(float),
    pauses=st.lists(st.integers(0, 4).map(float), max_size=40),
)
def test_intensity(max_restarts: int, max_seconds: float, pauses: list[float]) -> None:
    """At most max_restarts restarts lie within any max_seconds, both ends included."""
    budget = RestartIntensity(max_restarts, max_seconds)
    now, made = 0.0, []
    for pause in pauses:
        now += pause
        made.append(now)
        counting = sum(now - at <= max_seconds for at in made)
        assert budget.charge(now) == (counting <= max_restarts)
        assert budget.counted(now) == counting


class Sequences(RuleBasedStateMachine):
    """The mailbox of a process that one runner empties: each message handled or rejected, once."""

    def __init__(self) -> None:
        super().__init__()
        self.rejected: list[int] = []
        self.box = Mailbox(SimpleNamespace(_reject=self.rejected.append))
        self.handled: list[int] = []
        self.put_so_far = 0
        self.scheduled = False

    @rule(control=st.booleans())
    def put(self, control: bool) -> None:
        """A message comes; who takes the slot schedules."""
        self.put_so_far += 1
        put = self.box.put_control if control else self.box.put
        if put(self.put_so_far):
            assert not self.scheduled
            self.scheduled = True

    @rule(budget=st.integers(1, 3))
    def turn(self, budget: int) -> None:
        """A scheduled turn handles control messages first, then a few others."""
        if not self.scheduled:
            return
        for _ in range(budget):
            lane = self.box.control or self.box.user
            if lane:
                self.handled.append(lane.popleft())
        if not self.box.has_work():
            self.scheduled = self.box.give_back_slot()

    @rule()
    def close(self) -> None:
        """The process ends."""
        self.box.close()

    @invariant()
    def nothing_is_lost(self) -> None:
        """What was put is handled, rejected or waits; what waits has a turn coming."""
        waiting = [*self.box.control, *self.box.user]
        everything = sorted([*self.handled, *self.rejected, *waiting])
        assert everything == list(range(1, self.put_so_far + 1))
        assert not waiting or self.scheduled
        assert not (self.box.closed and waiting)


TestSequences = Sequences.TestCase
