"""Who has a lock of names and, in a finalizer or a signal's handler, waits for an actor's end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from supervisors import GenServer, Registry, register_name, whereis
from supervisors._runtime.names import process_names
from tests.concurrency.crew import DEADLINE, together, wait_for


class Terminating(GenServer):
    """Its end runs code of a user's, so it comes in a thread of the pool."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Hold a lock for a moment."""
        block: AbstractContextManager[object] = request()
        with block:
            return True

    def terminate(self, reason: object) -> None:
        """Nothing is left to do."""


class Key(str):
    """A key that does something when it is hashed, once, which is while a lock is held."""

    __slots__ = ("acts",)

    acts: list[Callable[[], object]]

    def __hash__(self) -> int:
        """Do it."""
        if self.acts:
            self.acts.pop()()
        return super().__hash__()


def ending(ref: Any) -> tuple[Key, list[bool], Callable[[], None]]:
    """Returns a key in which this actor is ended, what came of it, and how to have that done."""
    key, ended = Key("a key"), []
    key.acts = []

    def end() -> None:
        ended.append(ref.stop(timeout=DEADLINE))

    return key, ended, lambda: key.acts.append(end)


@pytest.mark.contract("S127", "S134")
def test_an_end_that_is_waited_for_in_the_middle_of_a_claim() -> None:
    """It waits for no lock of the names: its name is free, and soon out of the table, too."""
    named, owner = Terminating.start(name="named"), GenServer.start()
    key, ended, arm = ending(named)

    def claim() -> None:
        arm()
        assert process_names.claim(key, owner.process) is None
        assert ended == [True]
        assert whereis("named") is None

    together(claim)
    assert register_name("named", owner)
    owner.stop()
    wait_for(lambda: len(process_names._table) == 0)


@pytest.mark.contract("S145")
def test_an_end_that_is_waited_for_in_the_middle_of_a_lock() -> None:
    """Nor does it wait for the book of locks, in which it has stood."""
    rooms = Registry.start()
    ref = Terminating.start()
    assert ref.ask(lambda: rooms.lock("a room"), timeout=DEADLINE)
    key, ended, arm = ending(ref)

    def enter() -> None:
        arm()
        with rooms.lock(key, timeout=DEADLINE):
            assert ended == [True]

    together(enter)
    assert rooms.stop(timeout=DEADLINE)


@pytest.mark.contract("S145")
def test_a_lock_of_an_end_that_came_in_the_middle_of_another_goes_on() -> None:
    """Whoever waits for it gets it, when the book's own lock is free."""
    rooms = Registry.start()
    plain = GenServer.start()
    book: Any = rooms.process
    locks = book.name_book.locks
    turn = locks.enter("a room", None)
    # As an actor's that ends while it holds it.
    locks.leave(turn)
    turn.owner = plain.process
    locks._locks.join("a room", turn, plain.process)
    with locks._lock:
        locks.release_owner(plain.process)
    with rooms.lock("a room", timeout=DEADLINE):
        pass
    plain.stop()
    assert rooms.stop(timeout=DEADLINE)
