"""What is done with a registry: duplicate keys, searching, listeners, locks and metadata."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisors import (
    ANY,
    Abandoned,
    AlreadyRegisteredError,
    CallTimeout,
    KeyRegistered,
    KeyUnregistered,
    Killed,
    LockHeldError,
    NoProcError,
    NotUniqueError,
    Registry,
    UnknownRegistryError,
    via,
    whereis,
)
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.trees import Worker


class Listener(Worker):
    """Keeps what a registry tells it."""

    def init(self, *args: Any, **options: Any) -> None:
        super().init("listener")
        self.heard: list[Any] = []

    def handle_info(self, message: Any) -> None:
        self.heard.append(message)


@pytest.fixture
def start(turns: ManualDispatcher) -> Any:
    """Starts a worker; takes the options of any start."""
    return lambda **options: Worker.start("w", dispatcher=turns, **options)


@pytest.fixture
def topics(turns: ManualDispatcher) -> Iterator[Any]:
    """A registry of duplicate keys."""
    topics = Registry.start(keys="duplicate", dispatcher=turns)
    yield topics
    topics.stop()


@pytest.fixture
def rooms(turns: ManualDispatcher) -> Iterator[Any]:
    """A registry of unique keys."""
    rooms = Registry.start(dispatcher=turns)
    yield rooms
    rooms.stop()


# ---- duplicate keys ----------------------------------------------------------------------------


@pytest.mark.contract("S132")
def test_duplicate_keys(topics: Any, start: Any) -> None:
    """Many actors hold a key, one of them many times, and each entry counts."""
    one, two = start(), start()
    topics.register("a", 1, owner=one)
    topics.register("a", 2, owner=two)
    topics.register("a", 1, owner=one)
    topics.register("b", 3, owner=one)
    assert topics.lookup("a") == [(one, 1), (two, 2), (one, 1)]
    assert topics.values("a", one) == [1, 1]
    assert topics.keys(one) == ["a", "a", "b"]
    assert topics.count() == 4
    assert topics.entries() == [("a", one, 1), ("a", two, 2), ("a", one, 1), ("b", one, 3)]


@pytest.mark.contract("S133")
def test_no_update_of_duplicate_keys(topics: Any, start: Any) -> None:
    """update_value says that it needs unique keys."""
    one = start()

    def update(_: Any) -> None:
        topics.register("a", 1)
        with pytest.raises(NotUniqueError, match=r"update_value\(\) needs unique keys"):
            topics.update_value("a", str)

    one.call(update)
    assert topics.lookup("a") == [(one, 1)]


@pytest.mark.contract("S133")
def test_update_of_a_key_lost_meanwhile(rooms: Any, start: Any) -> None:
    """A value is not brought back by the update of a key that was given away."""
    one, two = start(), start()

    def lose(_: Any) -> int:
        rooms.unregister("a")
        rooms.register("a", 2, owner=two)
        return 9

    def update(_: Any) -> None:
        rooms.register("a", 1)
        rooms.update_value("a", lose)

    with pytest.raises(LookupError, match="does not hold the key 'a'"):
        one.call(update)
    assert rooms.lookup("a") == [(two, 2)]


@pytest.mark.contract("S134")
def test_duplicate_keys_go_with_their_owner(
    topics: Any, start: Any, turns: ManualDispatcher
) -> None:
    """The death of one holder takes its entries, and leaves those of others in order."""
    one, two, three = start(), start(), start()
    for ref in (one, two, three, two):
        topics.register("a", owner=ref)
    two.exit(Killed())
    turns.run_until_idle()
    assert topics.lookup("a") == [(one, None), (three, None)]
    assert (topics.keys(two), topics.count()) == ([], 2)


@pytest.mark.contract("S136")
@pytest.mark.parametrize("keys", ["unique", "duplicate"])
def test_reads_between_end_and_cleaning(turns: ManualDispatcher, start: Any, keys: str) -> None:
    """What a dead actor has not been relieved of yet is in no answer."""
    registry, one = Registry.start(keys=keys, dispatcher=turns), start()
    registry.register("a", 1, owner=one)
    one.process.ended = True
    assert registry.lookup("a") == registry.match("a") == registry.entries() == []
    assert (registry.count(), registry.keys(one)) == (0, [])
    called: list[Any] = []
    registry.dispatch("a", called.append)
    assert called == []
    one.process.ended = False
    registry.stop()


@pytest.mark.contract("S137")
def test_unregister_duplicates(topics: Any, start: Any) -> None:
    """It takes all the actor's entries from this key only, and the last one unties it."""
    one, two = start(), start()
    for key in "aab":
        topics.register(key, owner=one)
    topics.register("a", owner=two)
    topics.unregister("a", owner=one)
    assert (topics.lookup("a"), topics.keys(one)) == ([(two, None)], ["b"])
    assert one.process in topics.process._links
    topics.unregister("b", owner=one)
    assert one.process not in topics.process._links
    topics.unregister("b", owner=one)


@pytest.mark.contract("S139")
def test_dispatch_to_many(topics: Any, start: Any) -> None:
    """The function gets all entries at once, in order of registration, and what it raises comes."""
    one, two = start(), start()
    for value, ref in enumerate((two, one, two)):
        topics.register("a", value, owner=ref)
    got: list[Any] = []
    topics.dispatch("a", lambda entries: got.append((threading.get_ident(), entries)))
    topics.dispatch("b", got.append)
    assert got == [(threading.get_ident(), [(two, 0), (one, 1), (two, 2)])]
    with pytest.raises(ZeroDivisionError):
        topics.dispatch("a", lambda _: 1 / 0)


@pytest.mark.contract("S144")
def test_failed_register_leaves_nothing(topics: Any, rooms: Any, start: Any) -> None:
    """Neither an unhashable key nor a dead owner nor a held key leaves an entry or a link."""
    one, two, dead = start(), start(), start()
    rooms.register("a", owner=one)
    gone = dead.process
    dead.stop()
    for registry in (rooms, topics):
        with pytest.raises(TypeError, match="unhashable"):
            registry.register(["a"], owner=two)
        with pytest.raises(NoProcError):
            registry.register("d", owner=dead)
        dead.process = gone  # as for who asks in the moment of its end
        with pytest.raises(NoProcError):
            registry.register("d", owner=dead)
        dead.process = None
        assert registry.lookup("d") == []
    for _ in range(3):
        with pytest.raises(AlreadyRegisteredError):
            rooms.register("a", owner=two)
    assert (rooms.count(), topics.count()) == (1, 0)
    assert set(rooms.process._links) == {one.process}
    assert not topics.process._links


def test_no_message_to_the_registry(
    rooms: Any, topics: Any, start: Any, turns: ManualDispatcher
) -> None:
    """Its table is read and written while its actor has no turn, as if it were busy."""
    one = start()
    for registry in (rooms, topics):
        registry.register("a", 1, owner=one)
        assert registry.lookup("a") == registry.match("a") == [(one, 1)]
        assert (registry.count(), registry.keys(one), registry.values("a", one)) == (1, ["a"], [1])
        assert registry.select() == registry.entries() == [("a", one, 1)]
        registry.dispatch("a", lambda entries: None)
        with registry.lock("a"):
            registry.put_meta("a", registry.meta("a", 0))
        registry.unregister("a", owner=one)
    assert whereis(via(rooms, "a")) is None
    assert not turns.step()


# ---- searching ---------------------------------------------------------------------------------


@pytest.fixture
def people(topics: Any, start: Any) -> tuple[Any, Any]:
    """Two actors with values of several shapes under two keys."""
    one, two = start(), start()
    topics.register("a", ("user", 1), owner=one)
    topics.register("a", ("user", 2), owner=two)
    topics.register("a", ("guest", 1.0), owner=one)
    topics.register(("b", 1), {"name": "x", "age": 3}, owner=two)
    topics.register(("b", 2), None, owner=one)
    return one, two


@pytest.mark.contract("S143")
def test_match(topics: Any, people: tuple[Any, Any]) -> None:
    """Entries of a key are found by a pattern of the value and by a predicate; counting agrees."""
    one, two = people
    cases: list[tuple[Any, dict[str, Any], list[Any]]] = [
        (ANY, {}, [(one, ("user", 1)), (two, ("user", 2)), (one, ("guest", 1.0))]),
        (("user", ANY), {}, [(one, ("user", 1)), (two, ("user", 2))]),
        ((ANY, 1), {}, [(one, ("user", 1))]),
        (("user",), {}, []),
        (ANY, {"where": lambda value: value[1] < 2}, [(one, ("user", 1)), (one, ("guest", 1.0))]),
        (("user", ANY), {"where": lambda value: value[1] > 1}, [(two, ("user", 2))]),
    ]
    for pattern, guard, found in cases:
        assert topics.match("a", pattern, **guard) == found
        assert topics.count_match("a", pattern, **guard) == len(found)
    assert topics.match(("b", 1), {"age": 3}) == [(two, {"name": "x", "age": 3})]
    assert topics.match("nothing") == []


@pytest.mark.contract("S143")
def test_select(topics: Any, people: tuple[Any, Any]) -> None:
    """Entries of all keys are found by patterns of key, actor and value; counting agrees."""
    one, two = people
    everything = topics.entries()
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [0, 1, 2, 3, 4]),
        ({"key": "a"}, [0, 1, 2]),
        ({"key": ("b", ANY)}, [3, 4]),
        ({"key": ("b", 1.0)}, []),
        ({"ref": two}, [1, 3]),
        ({"value": None}, [4]),
        ({"ref": one, "value": (ANY, ANY)}, [0, 2]),
        ({"where": lambda key, ref, value: key == "a" and ref is two}, [1]),
        ({"ref": two, "where": lambda key, ref, value: key != "a"}, [3]),
    ]
    for filters, found in cases:
        assert topics.select(**filters) == [everything[number] for number in found]
        assert topics.count_select(**filters) == len(found)


@pytest.mark.contract("S143")
def test_unregister_match(topics: Any, people: tuple[Any, Any]) -> None:
    """It takes out what match() finds of the actor, and the last entry unties the actor."""
    one, two = people
    assert topics.unregister_match("a", ("user", ANY), owner=one) == 1
    assert topics.lookup("a") == [(two, ("user", 2)), (one, ("guest", 1.0))]
    assert topics.unregister_match("a", where=lambda value: value[1] == 2, owner=one) == 0
    assert topics.unregister_match("a", owner=one) == 1
    assert one.process in topics.process._links
    assert one.call(lambda _: topics.unregister_match(("b", 2), None)) == 1
    assert one.process not in topics.process._links
    assert topics.count_select(ref=one) == 0
    assert topics.count() == 2


# ---- listeners ---------------------------------------------------------------------------------


@pytest.mark.contract("S140")
def test_listeners(turns: ManualDispatcher, start: Any) -> None:
    """They hear of keys got and given back, by a via too, but neither of deaths nor of refusals."""
    ear = Listener.start(dispatcher=turns)
    rooms = Registry.start(dispatcher=turns, listeners=["ear", ear, "nobody"])
    named = Listener.start(dispatcher=turns, name="ear")
    one, two = start(), start(name=via(rooms, "v", value=2))
    rooms.register("a", 1, owner=one)
    with pytest.raises(AlreadyRegisteredError):
        rooms.register("a", 3, owner=two)
    rooms.unregister("zzz", owner=one)
    rooms.unregister("a", owner=one)
    rooms.unregister("a", owner=one)
    rooms.register("b", owner=one)
    one.stop()
    turns.run_until_idle()
    heard = [
        KeyRegistered(rooms, "v", two, 2),
        KeyRegistered(rooms, "a", one, 1),
        KeyUnregistered(rooms, "a", one),
        KeyRegistered(rooms, "b", one),
    ]
    for listener in (ear, named):
        assert listener.call(lambda actor: actor.heard) == heard
    rooms.stop()


@pytest.mark.contract("S140")
def test_listener_that_was_restarted(turns: ManualDispatcher, start: Any) -> None:
    """A listener is looked up by its name at each event, and may be dead."""
    rooms = Registry.start(dispatcher=turns, listeners=["ear"])
    Listener.start(dispatcher=turns, name="ear").stop()
    rooms.register("a", owner=start())
    again = Listener.start(dispatcher=turns, name="ear")
    rooms.register("b", owner=start())
    assert [event.key for event in again.call(lambda actor: actor.heard)] == ["b"]
    rooms.stop()


@pytest.mark.contract("S140", "S143")
def test_listeners_of_duplicate_keys(turns: ManualDispatcher, start: Any) -> None:
    """Each entry is heard of; the key is given back with the actor's last entry."""
    ear, one = Listener.start(dispatcher=turns), start()
    topics = Registry.start(keys="duplicate", dispatcher=turns, listeners=[ear])
    topics.register("a", 1, owner=one)
    topics.register("a", 2, owner=one)
    topics.unregister_match("a", 1, owner=one)
    topics.unregister_match("a", 1, owner=one)
    heard = [KeyRegistered(topics, "a", one, 1), KeyRegistered(topics, "a", one, 2)]
    assert ear.call(lambda actor: actor.heard) == heard
    topics.unregister_match("a", 2, owner=one)
    assert ear.call(lambda actor: actor.heard)[2:] == [KeyUnregistered(topics, "a", one)]
    topics.stop()


def test_no_value_in_a_repr() -> None:
    """An event shows the type of the value, not the value."""
    assert repr(KeyRegistered("r", "k", "ref", "secret")) == (
        "KeyRegistered(registry=r, key='k', ref=ref, value=<str>)"
    )
    assert "value=None" in repr(KeyRegistered("r", "k", "ref"))


# ---- locks -------------------------------------------------------------------------------------


@pytest.mark.contract("S145")
def test_lock_of_a_plain_thread(rooms: Any, start: Any) -> None:
    """The same key waits, strictly another one does not; a raise frees it; twice is refused."""
    one = start()

    def short(key: Any) -> str:
        with rooms.lock(key, timeout=1):
            return "held"

    with rooms.lock(1):
        with rooms.lock(1.0), pytest.raises(CallTimeout):
            one.ask(lambda _: short(1))
        assert not one.is_alive()
        assert start().ask(lambda _: short(True)) == "held"
        with (
            pytest.raises(LockHeldError, match="the lock of 1 is held here already"),
            rooms.lock(1),
        ):
            pass
    assert start().ask(lambda _: short(1)) == "held"
    with pytest.raises(ZeroDivisionError), rooms.lock(1):
        raise ZeroDivisionError
    assert start().ask(lambda _: short(1)) == "held"
    assert len(rooms.process.name_book.locks._locks) == 0


@pytest.mark.contract("S145")
def test_lock_goes_with_its_holder(rooms: Any, start: Any, turns: ManualDispatcher) -> None:
    """The death of the holder frees the lock, though its block was never left."""
    one, two = start(), start()
    held, later = [rooms.lock("a"), rooms.lock("b")], rooms.lock("a")
    one.ask(lambda _: [lock.__enter__() for lock in held])
    one.exit(Killed())
    turns.run_until_idle()
    assert two.ask(lambda _: later.__enter__()) is None
    # The fenced one leaves its block late: the lock is somebody else's by now.
    held[0].__exit__(None, None, None)
    with pytest.raises(CallTimeout), rooms.lock("a", timeout=0):
        pass
    with rooms.lock("b", timeout=0):
        pass


@pytest.mark.contract("S145")
def test_no_lock_for_the_dead(rooms: Any, start: Any) -> None:
    """An actor that was fenced off in its handler gets no lock any more, and leaves none behind."""
    one = start()

    def fenced(actor: Any) -> None:
        actor._process.ended = True
        try:
            with pytest.raises(NoProcError), rooms.lock("a"):
                pass
        finally:
            actor._process.ended = False

    one.ask(fenced)
    assert len(rooms.process.name_book.locks._locks) == 0


@pytest.mark.contract("S145")
def test_waiter_killed_as_its_turn_comes(rooms: Any, start: Any, turns: ManualDispatcher) -> None:
    """Who is ended between its turn and its return is not let in, and the turn passes on."""
    one, two = start(), start()
    entered: list[str] = []
    held = rooms.lock("a")
    held.__enter__()

    def wait(_: Any) -> None:
        with rooms.lock("a"):
            entered.append("one")

    def free_and_kill(_: Any) -> None:
        held.__exit__(None, None, None)
        one.process.finish(Abandoned())  # what a kill from another thread comes to

    one.ask(wait, block=False)
    two.ask(free_and_kill, block=False)
    turns.run_until_idle()
    assert (entered, one.is_alive()) == ([], False)
    with rooms.lock("a", timeout=0):
        pass


@pytest.mark.contract("S145")
def test_no_lock_of_a_registry_that_ended(turns: ManualDispatcher) -> None:
    """A lock asked for in the moment of the registry's end is refused."""
    rooms = Registry.start(dispatcher=turns)
    locks = rooms.process.name_book.locks
    with rooms.lock("a"):
        rooms.stop()
    with pytest.raises(UnknownRegistryError):
        locks.enter("a", None)
    with pytest.raises(UnknownRegistryError), rooms.lock("a"):
        pass


def test_lock_timeout_is_checked(rooms: Any) -> None:
    """A timeout that is no duration is refused before anything is locked."""
    with pytest.raises((TypeError, ValueError)), rooms.lock("a", timeout="soon"):
        pass
    assert len(rooms.process.name_book.locks._locks) == 0


@pytest.mark.contract("S146")
def test_registry_that_is_just_ending(rooms: Any, start: Any) -> None:
    """From the moment of its end nobody reads its table or gets a key of it."""
    one = start()
    rooms.process.ended = True
    for attempt in (lambda: rooms.register("a", owner=one), rooms.count):
        with pytest.raises(UnknownRegistryError):
            attempt()
    rooms.process.ended = False
    assert rooms.count() == 0


# ---- metadata ----------------------------------------------------------------------------------


@pytest.mark.contract("S146")
def test_metadata(rooms: Any, turns: ManualDispatcher) -> None:
    """Metadata is put, replaced, read and deleted, and has nothing to do with keys."""
    with pytest.raises(LookupError, match="no metadata under 'a'"):
        rooms.meta("a")
    assert rooms.meta("a", default=None) is None
    rooms.put_meta("a", 1)
    rooms.put_meta("a", 2)
    rooms.put_meta(1, "int")
    rooms.put_meta(1.0, "float")
    assert (rooms.meta("a"), rooms.meta(1), rooms.meta(1.0)) == (2, "int", "float")
    assert rooms.count() == 0
    rooms.delete_meta("a")
    rooms.delete_meta("a")
    assert rooms.meta("a", 0) == 0
    assert Registry.start(dispatcher=turns).meta(1, 0) == 0


@pytest.mark.contract("S146")
def test_every_method_of_a_registry_that_ended(turns: ManualDispatcher, start: Any) -> None:
    """Each raises in the caller."""
    rooms, one = Registry.start(dispatcher=turns), start()
    rooms.stop()
    copy = pickle.loads(pickle.dumps(rooms))  # noqa: S301  our own bytes
    assert (copy, whereis(rooms)) == (None, None)
    attempts: list[Callable[[], object]] = [
        lambda: rooms.register("a", owner=one),
        lambda: rooms.unregister("a", owner=one),
        lambda: rooms.unregister_match("a", owner=one),
        lambda: rooms.lookup("a"),
        lambda: rooms.dispatch("a", print),
        lambda: rooms.keys(one),
        lambda: rooms.values("a", one),
        rooms.count,
        rooms.entries,
        lambda: rooms.match("a"),
        lambda: rooms.count_match("a"),
        rooms.select,
        rooms.count_select,
        lambda: rooms.put_meta("a", 1),
        lambda: rooms.meta("a", 1),
        lambda: rooms.delete_meta("a"),
        lambda: rooms.lock("a").__enter__(),
    ]
    for attempt in attempts:
        with pytest.raises(UnknownRegistryError):
            attempt()
    with pytest.raises(UnknownRegistryError):
        one.call(lambda _: rooms.update_value("a", str))
