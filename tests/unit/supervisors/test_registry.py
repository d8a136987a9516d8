"""Registries and names, stepped by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisors import (
    AlreadyRegisteredError,
    AlreadyStartedError,
    ChildSpec,
    ChildSpecError,
    Exit,
    Killed,
    NoProcError,
    NotUniqueError,
    Registry,
    Shutdown,
    StartError,
    UnknownRegistryError,
    register_name,
    registered,
    unregister_name,
    via,
    whereis,
)
from supervisors._runtime.calling import start_and_wait
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.trees import Worker, child
from tests.unit.supervisors.trees import start as start_tree


@pytest.fixture
def rooms(turns: ManualDispatcher) -> Iterator[Any]:
    """A registry named rooms."""
    rooms = start_and_wait(Registry, (), {"name": "rooms", "dispatcher": turns}, linked=True)
    yield rooms
    whereis("rooms").stop()


@pytest.fixture
def start(turns: ManualDispatcher) -> Any:
    """Starts a worker; takes the options of any start."""
    return lambda **options: Worker.start("w", dispatcher=turns, **options)


def again(turns: ManualDispatcher) -> Any:
    """Starts another registry named rooms."""
    return start_and_wait(Registry, (), {"name": "rooms", "dispatcher": turns})


@pytest.mark.contract("S131", "S144")
def test_unique_keys(rooms: Any, start: Any) -> None:
    """A held key names its holder and nothing changes, however often it is tried."""
    one, two = start(), start()
    rooms.register("a", 1, owner=one)
    for _ in range(3):
        with pytest.raises(AlreadyRegisteredError) as caught:
            rooms.register("a", 2, owner=two)
        assert (caught.value.key, caught.value.ref) == ("a", one)
    assert rooms.lookup("a") == [(one, 1)]
    assert (rooms.keys(two), rooms.count()) == ([], 1)


@pytest.mark.contract("S133")
def test_owner_only(rooms: Any, start: Any) -> None:
    """An actor registers itself and updates its own values; a plain thread names the owner."""
    one, two = start(), start()
    one.call(lambda _: rooms.register("a", 1))
    assert one.call(lambda _: rooms.update_value("a", lambda old: old + 1)) == 2
    assert rooms.values("a", one) == [2]
    assert rooms.values("a", two) == []
    with pytest.raises(LookupError, match="does not hold the key 'a'"):
        two.call(lambda _: rooms.update_value("a", lambda old: 9))
    assert rooms.lookup("a") == [(one, 2)]
    attempts: list[Callable[[], object]] = [
        lambda: rooms.register("b"),
        lambda: rooms.update_value("a", str),
        lambda: rooms.unregister("a"),
    ]
    for attempt in attempts:
        with pytest.raises(NoProcError, match=r"no actor: .*owner=ref"):
            attempt()


@pytest.mark.contract("S134")
@pytest.mark.parametrize("how", ["stop", "crash", "kill"])
def test_keys_go_with_their_owner(
    rooms: Any, start: Any, turns: ManualDispatcher, how: str
) -> None:
    """However an actor ends, all its keys are free."""
    ref = start(name=via(rooms, "named"))
    for key in "ab":
        rooms.register(key, owner=ref)
    assert sorted(rooms.keys(ref)) == ["a", "b", "named"]
    match how:
        case "stop":
            ref.stop()
        case "crash":
            ref.tell("crash")
        case "kill":
            ref.exit(Killed())
    turns.run_until_idle()
    assert (rooms.count(), rooms.entries(), rooms.lookup("a")) == (0, [], [])
    rooms.register("a", owner=start())
    assert rooms.is_alive()


@pytest.mark.contract("S135", "S136")
def test_dead_holder(rooms: Any, start: Any) -> None:
    """A key whose holder has just ended is taken over, and a via never finds the dead one."""
    one, two = start(name=via(rooms, "a")), start()
    book = rooms.process.name_book
    holder = one.process
    one.stop()
    book._table.claim("a", holder, "stale")
    assert whereis(via(rooms, "a")) is None
    rooms.register("a", 2, owner=two)
    assert whereis(via(rooms, "a")) is two
    assert rooms.lookup("a") == [(two, 2)]


@pytest.mark.contract("S137")
def test_unregister(rooms: Any, start: Any, turns: ManualDispatcher) -> None:
    """It frees the key, is fine with none, and the last key unties the owner from the registry."""
    one, two = start(), start()
    for key in "ab":
        rooms.register(key, owner=one)
    rooms.unregister("a", owner=two)
    rooms.unregister("zzz", owner=one)
    rooms.unregister("a", owner=one)
    assert rooms.keys(one) == ["b"]
    assert one.process in rooms.process._links
    rooms.unregister("b", owner=one)
    assert one.process not in rooms.process._links
    rooms.stop(Shutdown())
    turns.run_until_idle()
    assert one.is_alive()
    again(turns)


@pytest.mark.contract("S138")
@pytest.mark.parametrize("keys", ["unique", "duplicate"])
def test_normal_stop_takes_registrants_too(turns: ManualDispatcher, start: Any, keys: str) -> None:
    """A registry stopped normally ends its registrants with Shutdown, and nobody else."""
    rooms = Registry.start(keys=keys, dispatcher=turns)
    one, two = start(), start()
    rooms.register("a", owner=one)
    rooms.register("b", owner=two)
    rooms.unregister("b", owner=two)
    monitor = one.monitor()
    rooms.stop()
    turns.run_until_idle()
    assert monitor.wait(0).reason == Shutdown()
    assert two.is_alive()


def test_key_taken_while_the_registry_ends(turns: ManualDispatcher, start: Any) -> None:
    """Who gets a key of a registry that was closed just before ends with it as well."""
    rooms = Registry.start(dispatcher=turns)
    book, one = rooms.process.name_book, start()
    monitor = one.monitor()
    rooms.stop()
    book.claim("a", one.process)
    turns.run_until_idle()
    assert monitor.wait(0).reason == Shutdown()


@pytest.mark.contract("S138")
@pytest.mark.parametrize("how", ["register", "via"])
def test_registry_takes_its_registrants_with_it(
    rooms: Any, start: Any, turns: ManualDispatcher, how: str
) -> None:
    """Its abnormal end ends them, and a new registry of that name is empty."""
    one = start(name=via("rooms", "a")) if how == "via" else start()
    if how == "register":
        rooms.register("a", owner=one)
    monitor = one.monitor()
    rooms.exit(Killed())
    turns.run_until_idle()
    assert monitor.wait(0).reason == Killed()
    new = again(turns)
    assert (new.count(), new.lookup("a")) == (0, [])
    with pytest.raises(UnknownRegistryError):
        rooms.lookup("a")


@pytest.mark.contract("S138")
def test_registry_outlives_its_registrants(rooms: Any, start: Any, turns: ManualDispatcher) -> None:
    """The crash of a registrant is no reason for the registry, or for another one, to end."""
    one, two = start(), start()
    rooms.register("a", owner=one)
    rooms.register("b", owner=two)
    one.tell("crash")
    turns.run_until_idle()
    assert rooms.is_alive()
    assert two.is_alive()
    assert one.process is None
    assert len(rooms.process._links) == 1


@pytest.mark.contract("S139")
def test_dispatch(rooms: Any, start: Any) -> None:
    """The function gets the entries here, and is not called for an empty key."""
    one = start()
    rooms.register("a", 1, owner=one)
    got: list[Any] = []
    rooms.dispatch("a", got.append)
    rooms.dispatch("b", got.append)
    assert got == [[(one, 1)]]


@pytest.mark.contract("S141")
def test_strict_keys(rooms: Any, start: Any) -> None:
    """1, 1.0 and True are three keys, inside a tuple too."""
    refs = [start() for _ in range(3)]
    for wrap in (lambda key: key, lambda key: ("room", (key,))):
        for key, ref in zip((1, 1.0, True), refs, strict=True):
            rooms.register(wrap(key), owner=ref)
        for key, ref in zip((1, 1.0, True), refs, strict=True):
            assert rooms.lookup(wrap(key)) == [(ref, None)]


@pytest.mark.contract("S142")
def test_via_carries_a_value(rooms: Any, start: Any) -> None:
    """A via stands wherever a name does, by the registry's name or reference."""
    ref = start(name=via("rooms", "a", value=7))
    assert rooms.lookup("a") == [(ref, 7)]
    assert whereis(via(rooms, "a")) is ref
    assert ref.name == "a"
    with pytest.raises(AlreadyStartedError) as caught:
        start(name=via(rooms, "a"))
    assert caught.value.ref is ref


@pytest.mark.contract("S142")
def test_via_needs_unique_keys(turns: ManualDispatcher, start: Any, log: list[str]) -> None:
    """A via into a registry of duplicate keys is an error in the caller, and nothing starts."""
    topics = Registry.start(keys="duplicate", name="topics", dispatcher=turns)
    for attempt in (
        lambda: start(name=via("topics", 1)),
        lambda: whereis(via(topics, 1)),
        lambda: register_name(via(topics, 1), topics),
    ):
        with pytest.raises(NotUniqueError, match=r"via\(\) needs unique keys"):
            attempt()
    assert (log, topics.count()) == ([], 0)
    topics.stop()


@pytest.mark.contract("S146")
def test_unknown_registry(start: Any) -> None:
    """A registry that does not run is an error that names it; nobody is found there."""
    with pytest.raises(UnknownRegistryError, match="no registry 'nowhere' runs"):
        start(name=via("nowhere", 1))
    assert whereis(via("nowhere", 1)) is None
    with pytest.raises(UnknownRegistryError):
        start(name=via(start(), 1))


def test_kinds_of_registry(turns: ManualDispatcher) -> None:
    """An unknown word lists the choices, however the registry is started."""
    for make in (Registry.start_link, Registry.start, Registry.child_spec):
        with pytest.raises(ChildSpecError, match="'unique', 'duplicate', not 'both'"):
            make(keys="both")
    with pytest.raises(StartError) as caught:
        start_and_wait(Registry, (), {"keys": "both", "dispatcher": turns})
    assert isinstance(caught.value.__cause__, ChildSpecError)


def test_kinds_of_registry_in_specs(turns: ManualDispatcher, start: Any) -> None:
    """A specification keeps the kind of keys, made by the class or by hand."""
    by_hand = ChildSpec("b", start=Registry, kwargs={"keys": "duplicate", "dispatcher": turns})
    by_class = Registry.child_spec(id="a", keys="duplicate", dispatcher=turns)
    sup = start_tree(turns, by_class, by_hand)
    ref = start()
    for name in "ab":
        registry = child(sup, name)
        registry.register("k", owner=ref)
        registry.register("k", owner=ref)
        assert registry.count() == 2
    sup.stop()


@pytest.mark.parametrize("listeners", ["abc", b"bytes", 3, None, [[]], [None]])
def test_malformed_listeners(listeners: Any) -> None:
    """What is no list of names is refused in the caller."""
    with pytest.raises(
        ChildSpecError, match=r"listeners must be|a name must be hashable|None is no name"
    ):
        Registry.start_link(listeners=listeners)


@pytest.mark.parametrize("make", [Registry.start_link, Registry.start, Registry.child_spec])
def test_unknown_options(make: Any) -> None:
    """They are refused with the choices."""
    with pytest.raises(ChildSpecError, match=r"did you mean 'keys'.*keys, name, start_timeout"):
        make(keyz="unique")


def test_options_of_every_start(turns: ManualDispatcher) -> None:
    """A registry takes a dispatcher and a start_timeout like any actor."""
    one = Registry.start_link(dispatcher=turns, start_timeout=5)
    two = Registry.start(dispatcher=turns)
    spec = Registry.child_spec(dispatcher=turns, restart="transient")
    assert (one.count(), two.count(), spec.restart) == (0, 0, "transient")
    assert one.stop()
    assert two.stop()


# ---- plain names -------------------------------------------------------------------------------


@pytest.mark.contract("S129")
def test_names(start: Any) -> None:
    """None is no name; a name that cannot be a key is refused in the caller."""
    nameless = start(name=None)
    assert (nameless.name, whereis(None)) == (None, None)
    for make in (lambda: start(name=[]), lambda: register_name([], nameless)):  # type: ignore[arg-type]
        with pytest.raises(ChildSpecError, match="a name must be hashable, not a list"):
            make()
    with pytest.raises(ChildSpecError, match="None is no name"):
        register_name(None, nameless)


@pytest.mark.contract("S130")
def test_whereis(start: Any) -> None:
    """A name, a via or a reference gives the living actor or None."""
    ref = start(name="n")
    assert whereis("n") is whereis(ref) is ref
    assert "n" in registered()
    ref.stop()
    assert (whereis("n"), whereis(ref)) == (None, None)
    assert "n" not in registered()


def test_further_names(start: Any) -> None:
    """An actor may get further names, lose one, and loses all at its end."""
    ref, other = start(name="first"), start()
    assert register_name("second", ref)
    assert not register_name("second", other)
    assert whereis("second") is ref
    assert unregister_name("second")
    assert not unregister_name("second")
    assert register_name("third", ref)
    process = ref.process
    ref.stop()
    assert not register_name("third", ref)
    ref.process = process  # as for who asks in the moment of its end
    assert not register_name("third", ref)
    assert [name for name in ("first", "second", "third") if whereis(name)] == []


@pytest.mark.contract("S138", "S148")
def test_trapping_registrant(rooms: Any, turns: ManualDispatcher) -> None:
    """A registrant that traps exits hears of the registry's end and lives."""
    got: list[Any] = []

    class Trapping(Worker):
        trap_exit = True

        def handle_info(self, message: Any) -> None:
            got.append(message)

    ref = Trapping.start("t", dispatcher=turns)
    rooms.register("a", owner=ref)
    rooms.exit(Killed())
    turns.run_until_idle()
    assert got == [Exit(rooms, Killed())]
    assert ref.is_alive()
    again(turns)
