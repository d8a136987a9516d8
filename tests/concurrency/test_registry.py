"""Registries used from many threads: duplicate keys, listeners, locks, and what deaths set free."""

from __future__ import annotations

import gc
import queue
import threading
from collections import Counter
from functools import partial
from typing import Any

import pykka
import pytest

from supervisors import (
    Abandoned,
    AlreadyRegisteredError,
    CallTimeout,
    GenServer,
    KeyRegistered,
    KeyUnregistered,
    Killed,
    NoProcError,
    Registry,
    Shutdown,
    UnknownRegistryError,
    monitor,
    register_name,
    registered,
    unstopped,
    via,
    whereis,
)
from supervisors._runtime import registry_book
from supervisors._runtime.names import process_names
from supervisors._runtime.signals import unlink
from tests.concurrency.crew import DEADLINE, Doer, Noting, stop, together, wait_for

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])


# ---- keys --------------------------------------------------------------------------------------


@pytest.mark.contract("S132", "S139", "S143")
def test_many_owners_of_one_key() -> None:
    """Whatever others do, each actor's entries stand in its own order, and searches agree."""
    topics = Registry.start_link(keys="duplicate")
    refs = [Doer.start() for _ in range(4)]

    def churn(number: int) -> None:
        ref = refs[number]
        for value in range(60):
            topics.register("hot", (number, value), owner=ref)
            if value % 3 == 2:
                assert topics.unregister_match("hot", (number, value - 1), owner=ref) == 1
            found = topics.match("hot", where=lambda value: value[0] == number)
            assert [held for _, held in found] == topics.values("hot", ref)

    def read() -> None:
        for _ in range(60):
            seen: list[Any] = []
            topics.dispatch("hot", seen.extend)
            assert len(set(seen)) == len(seen)
            for ref in refs:
                mine = [value for holder, value in seen if holder is ref]
                assert mine == sorted(mine)

    together(*(partial(churn, number) for number in range(4)), read)
    kept = [value for value in range(60) if value % 3 != 1]
    for number, ref in enumerate(refs):
        assert topics.values("hot", ref) == [(number, value) for value in kept]
    assert topics.count() == topics.count_match("hot") == 4 * len(kept)
    stop([*refs, topics])


@pytest.mark.contract("S137", "S138")
@pytest.mark.parametrize("keys", ["unique", "duplicate"])
def test_link_follows_the_keys(keys: str) -> None:
    """However registering and unregistering cross, an actor is linked while it has a key."""
    registry = Registry.start_link(keys=keys)
    ref = Doer.start()

    def churn(key: str, last: bool) -> None:
        for _ in range(20):
            registry.register(key, owner=ref)
            registry.unregister(key, owner=ref)
        if last:
            registry.register(key, owner=ref)

    for round_ in range(20):
        last = bool(round_ % 2)
        together(partial(churn, "a", last), partial(churn, "b", False))
        assert (ref.process in registry.process._links) == last
        assert registry.keys(ref) == ["a"] * last
        registry.unregister("a", owner=ref)
    stop([ref, registry])


@pytest.mark.contract("S137", "S138")
def test_key_taken_while_the_last_one_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tie that a new key needs is not cut by the release of the one before it."""
    rooms = Registry.start_link()
    ref = Doer.start()
    cutting, linked = threading.Event(), threading.Event()

    def slow_unlink(*partners: Any) -> None:
        cutting.set()
        wait_for(lambda: rooms.lookup("b"))
        # In time only where nothing keeps the other thread from linking now.
        linked.wait(0.05)
        unlink(*partners)

    def take() -> None:
        cutting.wait(DEADLINE)
        rooms.register("b", owner=ref)
        linked.set()

    rooms.register("a", owner=ref)
    monkeypatch.setattr(registry_book, "unlink", slow_unlink)
    together(lambda: rooms.unregister("a", owner=ref), take)
    assert ref.process in rooms.process._links
    monkeypatch.undo()
    stop([ref, rooms])


@pytest.mark.contract("S134")
def test_duplicate_keys_are_free_after_the_end() -> None:
    """A holder that is killed while it registers leaves no entry, whatever was in between."""
    topics = Registry.start_link(keys="duplicate")
    stays = Doer.start()
    topics.register("k", "stays", owner=stays)

    def once() -> None:
        ref = Doer.start()

        def register() -> None:
            for value in range(30):
                try:
                    topics.register("k", value, owner=ref)
                except NoProcError:
                    return

        together(register, lambda: ref.exit(Killed()))
        ref.monitor().wait(DEADLINE)
        assert topics.entries() == [("k", stays, "stays")]

    for _ in range(40):
        once()
    wait_for(lambda: set(topics.process._links) == {stays.process})
    stop([stays, topics])


@pytest.mark.contract("S138")
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_registry_ends_while_actors_register(end: str) -> None:
    """Whoever got a key is taken along, killed or stopped as the registry may be."""

    def once() -> None:
        topics = Registry.start(keys="duplicate")
        refs = [Doer.start() for _ in range(4)]
        got: list[Any] = []

        def register() -> None:
            for ref in refs:
                try:
                    topics.register("k", owner=ref)
                    got.append(ref)
                except (UnknownRegistryError, NoProcError):
                    return

        ending = topics.stop if end == "stop" else partial(topics.exit, Killed())
        together(register, ending)
        for ref in refs:
            if ref in got:
                ref.monitor().wait(DEADLINE)
            else:
                stop([ref])

    for _ in range(40):
        once()


@pytest.mark.contract("S140")
def test_listener_hears_each_owner_in_order() -> None:
    """What one actor does is heard in its order, each thing once."""
    ear = Noting.start()
    rooms = Registry.start_link(listeners=[ear])
    refs = [Doer.start() for _ in range(4)]

    def churn(key: int, ref: Any) -> None:
        for value in range(30):
            rooms.register(key, value, owner=ref)
            rooms.unregister(key, owner=ref)

    together(*(partial(churn, *pair) for pair in enumerate(refs)))
    notes = ear.ask(lambda actor: list(actor.notes), timeout=DEADLINE)
    for key, ref in enumerate(refs):
        expected: list[Any] = []
        for value in range(30):
            expected += [KeyRegistered(rooms, key, ref, value), KeyUnregistered(rooms, key, ref)]
        assert [note for note in notes if note.ref is ref] == expected
    stop([ear, *refs, rooms])


# ---- locks -------------------------------------------------------------------------------------


@pytest.mark.contract("S145")
@DISPATCHERS
def test_one_holder_of_a_lock(dispatcher: str) -> None:
    """Actors and threads that lock the same key are in turn one by one, and all get theirs."""
    rooms = Registry.start_link()
    inside: Counter[int] = Counter()
    done: Counter[int] = Counter()

    def work(_: object = None) -> None:
        for number in range(20):
            key = number % 2
            with rooms.lock(key, timeout=DEADLINE):
                inside[key] += 1
                assert inside[key] == 1
                done[key] += 1
                inside[key] -= 1

    refs = [Doer.start(dispatcher=dispatcher) for _ in range(8)]
    replies = [ref.ask(work, block=False) for ref in refs]
    together(work, work)
    for reply in replies:
        reply.get(timeout=DEADLINE)
    assert done == {0: 100, 1: 100}
    assert len(rooms.process.name_book.locks._locks) == 0
    stop([*refs, rooms])


@pytest.mark.contract("S145")
def test_other_keys_are_not_locked() -> None:
    """While a lock is held, another key is free, and the same one for nobody."""
    rooms = Registry.start_link()
    ref = Doer.start()

    def locked(key: str) -> str:
        try:
            with rooms.lock(key, timeout=0.01):
                return "got"
        except CallTimeout:
            return "late"

    with rooms.lock("a"):
        assert ref.ask(lambda _: [locked("b"), locked("a")], timeout=DEADLINE) == ["got", "late"]
    assert ref.ask(lambda _: locked("a"), timeout=DEADLINE) == "got"
    stop([ref, rooms])


@pytest.mark.contract("S145")
@DISPATCHERS
def test_holder_is_killed(dispatcher: str) -> None:
    """The lock of a holder that is abandoned in its block passes on, and stays with the next."""
    rooms = Registry.start_link()
    holder, waiter = Doer.start(dispatcher=dispatcher), Doer.start(dispatcher=dispatcher)
    held, go_on, left, got, finish = (threading.Event() for _ in range(5))

    def hold(_: object) -> None:
        with rooms.lock("a"):
            held.set()
            go_on.wait(DEADLINE)
        left.set()

    def wait(_: object) -> None:
        with rooms.lock("a", timeout=DEADLINE):
            got.set()
            finish.wait(DEADLINE)

    holder.ask(hold, block=False)
    assert held.wait(DEADLINE)
    reply = waiter.ask(wait, block=False)
    monitor = holder.monitor()
    holder.exit(Killed())
    assert monitor.wait(DEADLINE).reason == Abandoned()
    assert got.wait(DEADLINE)
    # The abandoned thread leaves its block: that frees nothing.
    go_on.set()
    assert left.wait(DEADLINE)
    with pytest.raises(CallTimeout), rooms.lock("a", timeout=0.01):
        pass
    finish.set()
    reply.get(timeout=DEADLINE)
    with rooms.lock("a", timeout=DEADLINE):
        pass
    stop([waiter, rooms])


@pytest.mark.contract("S145")
@DISPATCHERS
def test_waiter_is_killed(dispatcher: str) -> None:
    """A waiter that is killed gets no turn, its thread comes back, and the next one is served."""
    rooms = Registry.start_link()
    first, second = Doer.start(dispatcher=dispatcher), Doer.start(dispatcher=dispatcher)
    locks = rooms.process.name_book.locks._locks
    entered: list[str] = []
    errors: list[BaseException] = []

    def wait(name: str) -> None:
        try:
            with rooms.lock("a"):
                entered.append(name)
        except NoProcError as error:
            errors.append(error)

    with rooms.lock("a"):
        first.ask(lambda _: wait("first"), block=False)
        wait_for(lambda: len(locks) == 2)
        reply = second.ask(lambda _: wait("second"), block=False)
        wait_for(lambda: len(locks) == 3)
        monitor = first.monitor()
        first.exit(Killed())
        assert monitor.wait(DEADLINE).reason == Abandoned()
        wait_for(lambda: len(errors) == 1)
        assert len(locks) == 2
    reply.get(timeout=DEADLINE)
    assert entered == ["second"]
    wait_for(lambda: not unstopped())
    stop([second, rooms])


@pytest.mark.contract("S145")
def test_holders_are_killed_at_any_moment() -> None:
    """Whenever an actor is killed, waiting, holding or in between, the lock goes on."""
    rooms = Registry.start_link()

    def use(_: object) -> None:
        for _ in range(5):
            with rooms.lock("a", timeout=DEADLINE):
                pass

    def once() -> None:
        refs = [Doer.start() for _ in range(4)]
        together(
            *(partial(ref.ask, use, block=False) for ref in refs),
            *(partial(ref.exit, Killed()) for ref in refs[:2]),
        )
        with rooms.lock("a", timeout=DEADLINE):
            pass
        stop(refs)

    for _ in range(30):
        once()
    wait_for(lambda: len(rooms.process.name_book.locks._locks) == 0)
    stop([rooms])


@pytest.mark.contract("S145", "S146")
def test_registry_ends_while_some_wait_for_a_lock() -> None:
    """Those who wait are told; who holds the lock leaves its block undisturbed."""
    rooms = Registry.start()
    ref = Doer.start()
    locks = rooms.process.name_book.locks._locks

    def wait(_: object) -> str:
        try:
            with rooms.lock("a"):
                return "got"
        except UnknownRegistryError:
            return "told"

    with rooms.lock("a"):
        reply = ref.ask(wait, block=False)
        wait_for(lambda: len(locks) == 2)
        rooms.exit(Killed())
        assert reply.get(timeout=DEADLINE) == "told"
    stop([ref])


@pytest.mark.contract("S145")
def test_more_waiters_than_workers() -> None:
    """A crowd of pooled actors that wait for one lock leaves the pool free for others."""
    rooms = Registry.start_link()
    refs, other = [Doer.start() for _ in range(40)], Doer.start()
    got: list[int] = []

    def wait(number: int) -> None:
        with rooms.lock("a", timeout=DEADLINE):
            got.append(number)

    with rooms.lock("a"):
        replies = [
            ref.ask(lambda _, number=number: wait(number), block=False)
            for number, ref in enumerate(refs)
        ]
        wait_for(lambda: len(rooms.process.name_book.locks._locks) == 41)
        assert other.ask("free", timeout=DEADLINE) == "free"
    for reply in replies:
        reply.get(timeout=DEADLINE)
    assert sorted(got) == list(range(40))
    stop([*refs, other, rooms])


class Plain(pykka.ThreadingActor):
    """An actor that knows nothing of registries."""

    use_daemon_thread = True

    def __init__(self, notes: queue.SimpleQueue[Any] | None = None) -> None:
        super().__init__()
        self.notes = notes

    def on_receive(self, message: Any) -> Any:
        if self.notes is not None:
            self.notes.put(message)
        return message


@pytest.mark.contract("S133", "S134", "S138")
def test_plain_pykka_actor_holds_keys() -> None:
    """Keys of a plain Pykka actor are found, given back, freed at its end, and end it in turn."""
    rooms = Registry.start()
    first, second = Plain.start(), Plain.start()
    rooms.register("a", 1, owner=first)
    rooms.register("b", 2, owner=first)
    assert rooms.lookup("a") == [(first, 1)]
    assert whereis(via(rooms, "a")) is first
    assert (rooms.keys(first), rooms.values("b", first)) == (["a", "b"], [2])
    with pytest.raises(AlreadyRegisteredError) as caught:
        rooms.register("a", owner=second)
    assert caught.value.ref is first
    rooms.unregister("a", owner=first)
    assert rooms.unregister_match("b", 3, owner=first) == 0
    rooms.register("a", owner=second)
    down = monitor(first)
    first.stop()
    down.wait(DEADLINE)
    assert rooms.entries() == [("a", second, None)]
    with pytest.raises(NoProcError):
        rooms.register("late", owner=first)
    down = monitor(second)
    rooms.stop(timeout=DEADLINE)
    assert isinstance(down.wait(DEADLINE).reason, Shutdown)


def test_plain_pykka_actor_is_named() -> None:
    """It takes a name beside its own, until it ends."""
    ref = Plain.start()
    assert register_name("plain", ref)
    assert whereis("plain") is ref
    down = monitor(ref)
    ref.stop()
    down.wait(DEADLINE)
    assert whereis("plain") is None
    assert not register_name("plain", ref)


@pytest.mark.contract("S140")
def test_plain_pykka_actor_listens() -> None:
    """It is told what a GenServer is told, by tell; once it has ended it is passed over."""
    notes: queue.SimpleQueue[Any] = queue.SimpleQueue()
    listener, holder = Plain.start(notes), Doer.start()
    rooms = Registry.start(listeners=[listener])
    rooms.register("a", 1, owner=holder)
    rooms.unregister("a", owner=holder)
    heard = [notes.get(timeout=DEADLINE) for _ in range(2)]
    assert heard == [KeyRegistered(rooms, "a", holder, 1), KeyUnregistered(rooms, "a", holder)]
    listener.stop()
    rooms.register("b", owner=holder)
    rooms.stop(timeout=DEADLINE)


@pytest.mark.contract("S127", "S134")
def test_finalizer_ends_a_named_actor_in_the_middle_of_a_claim() -> None:
    """The garbage collector may run a finalizer anywhere, while a name is being taken too."""

    class Handle:
        def __init__(self) -> None:
            self.ref = GenServer.start(name="of a handle")
            self.itself = self

        def __del__(self) -> None:
            stopped.append(self.ref.stop())

    class Key(str):
        """A key that is hashed while the lock of the names is held."""

        __slots__ = ()

        def __hash__(self) -> int:
            if collects:
                collects.pop()
                gc.collect()
            return super().__hash__()

    def start() -> None:
        Handle()
        # The name is looked up before it is taken.
        key = Key("another")
        owner = GenServer.start()
        collects.append(True)
        assert process_names.claim(key, owner.process) is None
        assert owner.stop()

    stopped: list[bool] = []
    collects: list[bool] = []
    thread = threading.Thread(target=start, daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert not thread.is_alive(), "it hangs"
    assert stopped == [True]
    assert registered() == []
