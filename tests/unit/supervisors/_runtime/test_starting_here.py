"""Children that a supervisor starts in its own turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from pykka import ActorRegistry

from supervisors import (
    IGNORE,
    ChildSpec,
    GenServer,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    SupervisorSpec,
    unstopped,
)
from supervisors._runtime.current import current
from supervisors._runtime.starting_here import start_child_here
from supervisors.telemetry import attach, detach

SEEN: list[Any] = []
# What supervisors of the kind below were told of the ends of their children.
ENDED: list[Any] = []


class Noting(GenServer):
    """Notes its init."""

    def init(self, name: str = "a") -> Any:
        """Does what its name says."""
        SEEN.append((name, self._process.parent is not None))
        if name == "boom":
            raise ValueError(name)
        return IGNORE if name == "ignored" else None

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answers."""
        return request


class Inner(Supervisor):
    """A supervisor below the other, with a child or without."""

    def init(self, *children: Any) -> SupervisorSpec:
        """Returns them."""
        return SupervisorSpec(children, strategy="one_for_one")


class Here(Supervisor):
    """Starts its first children in its own turn, and tells so."""

    def _otp_start_now(self) -> Callable[[int, ChildSpec], Any]:
        def start_now(incarnation: int, spec: ChildSpec) -> Any:
            ref = start_child_here(self, incarnation, spec)
            assert current.process is self._process
            SEEN.append((spec.id, ref is not None))
            return ref

        return start_now

    def _otp_child_ended(self, incarnation: int, reason: Any) -> None:
        ENDED.append(reason)
        super()._otp_child_ended(incarnation, reason)


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    """Begins with nothing."""
    SEEN.clear()
    ENDED.clear()


def noting(name: str) -> ChildSpec:
    """How such a child is started."""
    return Noting.child_spec(name, id=name)


def test_all_come_up() -> None:
    """Each has its init, in order, and answers; all stand below their supervisor."""
    with Here.start_link([noting("a"), noting("b")], strategy="one_for_one") as top:
        assert SEEN == [("a", True), ("a", True), ("b", True), ("b", True)]
        infos = top.which_children()
        assert [info.id for info in infos] == ["b", "a"]
        assert [info.ref.call(1) for info in infos] == [1, 1]
        infos[0].ref.exit(ValueError())
        assert len(top.which_children()) == 2


def test_one_that_fails() -> None:
    """The start is refused with its error, and those before it are stopped."""
    with pytest.raises(StartError) as failed:
        Here.start_link([noting("a"), noting("boom"), noting("b")], strategy="one_for_one")
    assert failed.value.child_id == "boom"
    assert [type(reason) for reason in ENDED] == [Shutdown]
    assert [entry for entry in SEEN if entry[0] == "b"] == []


def test_one_that_is_ignored() -> None:
    """The others come up, in their order."""
    children = [noting("ignored"), noting("b")]
    with Here.start_link(children, strategy="one_for_one") as top:
        assert [(info.id, info.ref is None) for info in top.which_children()] == [
            ("b", False),
            ("ignored", True),
        ]
        assert ENDED == []


def test_supervisors_below() -> None:
    """One without children comes up at once, one with some when those have."""
    children = [
        ChildSpec("empty", start=Inner, type="supervisor"),
        ChildSpec("full", start=Inner, args=(noting("a"),), type="supervisor"),
        noting("b"),
    ]
    with Here.start_link(children, strategy="one_for_one") as top:
        assert [entry for entry in SEEN if entry[0] in ("empty", "full")] == [
            ("empty", True),
            ("full", False),
        ]
        full = next(info.ref for info in top.which_children() if info.id == "full")
        assert full.count_children().active == 1
        assert top.count_children().active == 3


def test_a_supervisor_that_ends_meanwhile() -> None:
    """A child kills it in the middle of its boot: what has started stops, nothing follows."""
    # Its starter has the error at once; whoever runs its turn learns of it with the next child.
    refused = threading.Event()

    class Killed(Here):
        def _otp_start_now(self) -> Callable[[int, ChildSpec], Any]:
            start_now = super()._otp_start_now()

            def start(incarnation: int, spec: ChildSpec) -> Any:
                try:
                    return start_now(incarnation, spec)
                finally:
                    if spec.id == "b":
                        refused.set()

            return start

    class Killing(GenServer):
        def init(self) -> None:
            assert self._process.parent is not None
            self._process.parent.kill()

    children = [noting("a"), ChildSpec("k", start=Killing), noting("b")]
    with pytest.raises(StartError):
        Killed.start_link(children, strategy="one_for_one")
    assert refused.wait(10)
    assert [entry for entry in SEEN if entry[0] == "b"] == [("b", False)]


def test_telemetry_is_its_starter_s() -> None:
    """The supervisor reports nothing of a child that has come up so."""
    told: list[Any] = []
    attach("here", ("supervisors", "child", "started"), lambda *_: told.append(1))
    try:
        with Here.start_link([noting("a")], strategy="one_for_one"):
            assert told == []
        with Supervisor.start_link([noting("a")], strategy="one_for_one"):
            assert told == [1]
    finally:
        detach("here")


class Late(GenServer):
    """Has something done in the middle of its init, notes its end, and then does what it is."""

    deed: ClassVar[Callable[[Any], Any]] = bool

    def init(self) -> Any:
        """Lets the test in."""
        return type(self).deed(self)

    def terminate(self, reason: Any) -> None:
        """Is not run where the init has failed."""
        SEEN.append(("terminated", reason))


def start_late(deed: Callable[[Any], Any]) -> Any:
    """Start one that does so in its init, below a supervisor that restarts it."""

    class Doing(Late):
        pass

    Doing.deed = deed
    return Here.start_link([ChildSpec("late", start=Doing)], strategy="one_for_one")


def once(deed: Callable[[Any], object]) -> Callable[[Any], None]:
    """Do so in the first life only."""
    lives = iter([deed])

    def do(actor: Any) -> None:
        next(lives, bool)(actor)

    return do


def test_one_that_is_killed_in_its_init_has_ended_after_its_start() -> None:
    """Whoever kills it, in any thread: the start does not fail, and it is started again."""

    def kill(actor: Any) -> None:
        thread = threading.Thread(target=actor._process.kill)
        thread.start()
        thread.join()

    with start_late(once(kill)) as top:
        infos = top.which_children()
        assert [info.restarts for info in infos] == [1]
        assert infos[0].ref.is_alive()
        assert unstopped() == []


def test_what_is_asked_and_ordered_in_its_init_comes_behind_it() -> None:
    """An order to stop is obeyed, with terminate, when the init has returned."""
    asked: list[Any] = []

    def order(actor: Any) -> None:
        asked.append(actor.actor_ref.stop(block=False))
        SEEN.append(("returned", None))

    with start_late(once(order)) as top:
        assert asked[0].get(timeout=10)
        # What its supervisor notes then, "late", may come before or after.
        assert [entry[0] for entry in SEEN if entry[0] != "late"] == ["returned", "terminated"]
        assert [info.restarts for info in top.which_children()] == [1]


@pytest.mark.parametrize(
    ("deed", "cause"),
    [
        (lambda _: 1 / 0, ZeroDivisionError),
        (lambda _: Stop(Shutdown("no")), None),
        (lambda _: "odd", TypeError),
    ],
    ids=["raises", "refuses", "odd"],
)
def test_one_that_does_not_come_up_has_no_end_of_its_own(
    deed: Callable[[Any], Any], cause: type[BaseException] | None
) -> None:
    """Its terminate is not run, though it was told to stop meanwhile, and nothing of it is left."""
    refs: list[Any] = []

    def fail(actor: Any) -> Any:
        refs.append(actor.actor_ref)
        actor.actor_ref.stop(block=False)
        return deed(actor)

    with pytest.raises(StartError) as failed:
        start_late(fail)
    inner = failed.value.__cause__
    assert isinstance(inner, StartError)
    assert inner.child_id == "late"
    if cause is None:
        assert inner.reason == Shutdown("no")
    else:
        assert isinstance(inner.__cause__, cause)
    assert not [entry for entry in SEEN if entry[0] == "terminated"]
    assert [ref.is_alive() for ref in refs] == [False]
    assert refs[0] not in ActorRegistry.get_all()


def test_one_whose_name_is_found_and_killed_before_it_is_listed() -> None:
    """It has ended after its start, and `ActorRegistry` does not list it."""

    class Naming(Here):
        def _otp_prepare(self, process: Any, spec: ChildSpec) -> None:
            if SEEN.count("named") == 0:
                SEEN.append("named")
                process.kill()
                SEEN.append(process.actor_ref)

    with Naming.start_link([ChildSpec("a", start=GenServer)], strategy="one_for_one") as top:
        assert [info.restarts for info in top.which_children()] == [1]
        assert SEEN[1] not in ActorRegistry.get_all()
