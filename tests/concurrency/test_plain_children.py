"""A child whose start runs nothing of a user's is up in one turn of its supervisor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from pykka import ActorRegistry

from supervisors import DynamicSupervisor, GenServer, NoProcError, StartError, Supervisor, telemetry
from supervisors._runtime import plain_child
from tests.concurrency.conftest import DEADLINE
from tests.concurrency.crew import wait_for
from tests.concurrency.test_handover import in_thread


class Plain(GenServer):
    """Has no init; answers what it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        return request


@pytest.fixture
def taken(monkeypatch: Any) -> list[Any]:
    """What came of the starts in one turn."""
    made: list[Any] = []
    start = plain_child.start_in_turn

    def noted(actor: Any, what: Any) -> Any:
        made.append(start(actor, what))
        return made[-1]

    monkeypatch.setattr(plain_child, "start_in_turn", noted)
    return made


@pytest.mark.parametrize("kind", [DynamicSupervisor, Supervisor])
def test_it_is_a_child_as_any_other(kind: Any, taken: list[Any]) -> None:
    """It is found, answers, is restarted, is told of, and can be ended."""
    options = {} if kind is DynamicSupervisor else {"strategy": "one_for_one"}
    sup = kind.start_link(*([] if kind is DynamicSupervisor else [[]]), **options)
    wait_for(lambda: bool(sup.process.slot))
    told: list[Any] = []
    event = ("supervisors", "child", "started")
    telemetry.attach("told", event, lambda *given: told.append(given[2]["ref"]))
    try:
        ref = in_thread(lambda: sup.start_child(Plain))
    finally:
        telemetry.detach("told")
    assert (taken, told) == ([ref], [ref])
    assert ref in ActorRegistry.get_all()
    assert ref.process.path().endswith("/Plain")
    assert ref.ask(1, timeout=DEADLINE) == 1
    assert [child.ref for child in sup.which_children()] == [ref]
    ref.exit(ValueError("boom"))
    wait_for(lambda: [child.restarts for child in sup.which_children()] == [1])
    [child] = sup.which_children()
    sup.terminate_child(child.ref if kind is DynamicSupervisor else "Plain")
    assert (sup.count_children().active, child.ref.is_alive()) == (0, False)
    sup.stop()


def test_who_is_told_of_it_sees_no_context_of_the_caller() -> None:
    """Though the start itself runs in it."""
    variable = ContextVar("variable", default="untouched")
    seen: list[str] = []

    def start(sup: Any) -> Any:
        variable.set("the caller's")
        return sup.start_child(Plain)

    event = ("supervisors", "child", "started")
    with DynamicSupervisor.start_link() as sup:
        wait_for(lambda: bool(sup.process.slot))
        telemetry.attach("seen", event, lambda *_: seen.append(variable.get()))
        try:
            in_thread(lambda: start(sup))
        finally:
            telemetry.detach("seen")
    assert seen == ["untouched"]


def during(sup: Any, act: Callable[[Any], Any]) -> None:
    """Do something while the next child is made, by a supervisor whose thread has left it."""
    wait_for(lambda: bool(sup.process.slot))
    actor = sup.process.actor
    prepare = actor._otp_prepare

    def once(process: Any, spec: Any) -> None:
        actor._otp_prepare = prepare
        prepare(process, spec)
        act(process)

    actor._otp_prepare = once


def test_one_that_is_killed_at_once_is_restarted(taken: list[Any]) -> None:
    """It has started, and then it has ended."""
    sup = DynamicSupervisor.start_link()
    during(sup, lambda process: process.kill())
    ref = in_thread(lambda: sup.start_child(Plain))
    assert (taken, ref.is_alive()) == ([ref], False)
    wait_for(lambda: [child.restarts for child in sup.which_children()] == [1])
    [child] = sup.which_children()
    assert child.ref.ask(1, timeout=DEADLINE) == 1
    sup.stop()


def test_what_fails_in_there_goes_the_ordinary_way(taken: list[Any]) -> None:
    """Where it fails again, who asked is told; nothing is left of it."""
    sup = DynamicSupervisor.start_link()

    def fail(process: Any, spec: Any = None) -> None:
        raise ValueError(process)

    during(sup, fail)
    ref = in_thread(lambda: sup.start_child(Plain))
    assert (len(taken), ref.ask(1, timeout=DEADLINE)) == (1, 1)
    assert [child.ref for child in sup.which_children()] == [ref]
    assert [one for one in ActorRegistry.get_all() if one.actor_class is Plain] == [ref]
    sup.process.actor._otp_prepare = fail
    with pytest.raises(StartError):
        in_thread(lambda: sup.start_child(Plain))
    assert sup.count_children().specs == 1
    sup.stop()


def test_the_main_thread_tells_nobody_in_there(taken: list[Any]) -> None:
    """Not even who begins to listen in the middle of it: no user's code runs in a shielded step."""
    sup = DynamicSupervisor.start_link()
    told: list[Any] = []
    event = ("supervisors", "child", "started")
    during(sup, lambda _: telemetry.attach("told", event, lambda *given: told.append(given)))
    try:
        ref = sup.start_child(Plain)
        assert (taken, told) == ([ref], [])
        other = sup.start_child(Plain)
        assert [given[2]["ref"] for given in told] == [other]
    finally:
        telemetry.detach("told")
    sup.stop()


def test_a_supervisor_that_is_killed_meanwhile_leaves_no_child(taken: list[Any]) -> None:
    """Who asked gets the reference of a child that is stopped, or is told."""
    sup = DynamicSupervisor.start_link()
    other = threading.Thread(target=sup.process.kill)

    def kill(_: Any) -> None:
        other.start()
        other.join(DEADLINE)

    during(sup, kill)
    refs: list[Any] = []
    with suppress(NoProcError):
        refs.append(in_thread(lambda: sup.start_child(Plain)))
    wait_for(lambda: not [one for one in ActorRegistry.get_all() if one.actor_class is Plain])
    assert not any(ref.is_alive() for ref in refs)


def test_many_threads_start_and_end_children() -> None:
    """The supervisor knows those that are left, and no others."""
    sup = DynamicSupervisor.start_link()
    kept: list[Any] = []

    def work() -> None:
        for number in range(60):
            ref = sup.start_child(Plain)
            if number % 3:
                sup.terminate_child(ref)
            else:
                kept.append(ref)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert {child.ref for child in sup.which_children()} == set(kept)
    assert len(kept) == 80
    sup.stop()
    assert not any(ref.is_alive() for ref in kept)
