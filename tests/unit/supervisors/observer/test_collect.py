"""Snapshots of living trees, stepped by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisors import (
    Backoff,
    DynamicSupervisor,
    GenServer,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
)
from supervisors.observer import render, snapshot
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.trees import Worker


def test_tree(turns: ManualDispatcher) -> None:
    """Supervisors with rules and budget, children in start order with restarts and states."""
    keys: dict[str, Any] = {"dispatcher": turns}
    crowd = DynamicSupervisor.child_spec(id="crowd", **keys)
    children = [Worker.child_spec(name, id=name, **keys) for name in ("a", "b", "c")]
    app = Supervisor.start_link(
        [*children, crowd], strategy="rest_for_one", name="app", max_restarts=9, **keys
    )
    refs = {info.id: info.ref for info in app.which_children()}
    refs["crowd"].start_child(Worker.child_spec("d", **keys))
    app.terminate_child("a")
    refs["b"].tell("crash")
    turns.run_until_idle()
    [top] = snapshot([app]).trees
    assert (top.label, top.strategy, top.counted, top.max_restarts) == ("app", "rest_for_one", 1, 9)
    found = [
        (node.label, node.kind, node.state, node.restarts, node.last_reason)
        for node in top.children
    ]
    assert found == [
        ("a", "worker", "stopped", 0, None),
        ("b", "worker", "running", 1, "Crashed(ValueError)"),
        ("c", "worker", "running", 1, None),
        ("crowd", "supervisor", "running", 1, None),
    ]
    assert top.children[3].strategy == "dynamic"
    assert app.stop()


def test_dead_restarting_and_busy(turns: ManualDispatcher) -> None:
    """What is dead or waits for a restart is told as such, and so are waiting messages."""
    keys: dict[str, Any] = {"dispatcher": turns}
    app = Supervisor.start_link(
        [Worker.child_spec("a", id="a", **keys)],
        strategy="one_for_one",
        backoff=Backoff(),
        **keys,
    )
    app.which_children()[0].ref.tell("crash")
    turns.run_until_idle()
    worker = Worker.start("w", **keys)
    for _ in range(3):
        worker.tell("x")
    trees = snapshot([app, worker]).trees
    assert trees[0].children[0].state == "restarting"
    assert trees[0].children[0].last_reason == "Crashed(ValueError)"
    app.stop()
    worker.stop()
    assert [tree.state for tree in snapshot([app, worker]).trees] == ["dead", "dead"]
    assert "dead" in render(snapshot([app]))


def test_last_reasons_hold_no_secret(turns: ManualDispatcher) -> None:
    """The reason of a clean end, of a failed start and of a crash is its type, not its content."""

    class Worker(GenServer):
        def init(self) -> None:
            if inits.pop():
                raise KeyError("secret")

        def handle_cast(self, message: Any) -> Any:
            return Stop(Shutdown("secret"))

    inits = [True, False, False]
    sup = Supervisor.start_link(
        [
            Worker.child_spec(id="down", restart="transient", dispatcher=turns),
            Worker.child_spec(id="fails", dispatcher=turns),
        ],
        strategy="one_for_one",
        backoff=Backoff(),
        dispatcher=turns,
    )
    sup.terminate_child("fails")
    with pytest.raises(StartError):
        sup.restart_child("fails")
    for info in sup.which_children():
        if info.id == "down":
            info.ref.tell("end")
    turns.run_until_idle()
    [top] = snapshot([sup]).trees
    reasons = [node.last_reason for node in top.children]
    assert reasons == ["Shutdown", "Crashed(KeyError)"]
    assert "secret" not in render(snapshot([sup]))
    assert sup.stop()


def test_waiting_messages(turns: ManualDispatcher) -> None:
    """Messages that wait are counted."""
    worker = Worker.start("w", dispatcher=turns, name="busy")
    worker.tell("x")
    worker.tell("y")
    assert [(tree.label, tree.mailbox) for tree in snapshot([worker]).trees] == [("busy", 2)]


def test_default_is_the_root(turns: ManualDispatcher) -> None:
    """Without arguments: what was started with start_link outside any actor."""
    Worker.start_link("w", dispatcher=turns, name="rooted")
    Worker.start("w", dispatcher=turns, name="unrooted")
    labels = [tree.label for tree in snapshot().trees]
    assert "rooted" in labels
    assert "unrooted" not in labels


def test_silent_supervisor(turns: ManualDispatcher) -> None:
    """A supervisor that does not answer in time is told as silent."""
    app = Supervisor.start_link([], strategy="one_for_one", dispatcher=turns)
    assert app.process.mailbox.take_slot()
    [tree] = snapshot([app], timeout=timedelta(0)).trees
    assert tree.state == "silent"
