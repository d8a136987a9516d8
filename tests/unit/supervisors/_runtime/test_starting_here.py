"""Children that a supervisor starts in its own turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from supervisors import (
    IGNORE,
    ChildSpec,
    GenServer,
    StartError,
    Supervisor,
    SupervisorSpec,
)
from supervisors._runtime.starting_here import start_child_here
from supervisors.telemetry import attach, detach

SEEN: list[Any] = []


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
            SEEN.append((spec.id, ref is not None))
            return ref

        return start_now


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    """Begins with nothing."""
    SEEN.clear()


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
    assert [entry for entry in SEEN if entry[0] == "b"] == []


def test_one_that_is_ignored() -> None:
    """The others come up, in their order."""
    children = [noting("ignored"), noting("b")]
    with Here.start_link(children, strategy="one_for_one") as top:
        assert [(info.id, info.ref is None) for info in top.which_children()] == [
            ("b", False),
            ("ignored", True),
        ]


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
