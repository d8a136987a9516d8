"""Lists of the user's functions, and their delays."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors.link.hooks import HookList, Hooks
from phoenix_actors.link.schedules import guarded
from phoenix_actors.machines.reconnect import step
from supervisors import Backoff
from tests.e2e.rig import listening


@pytest.mark.contract("C149")
def test_what_one_raises_stops_no_other() -> None:
    """It is reported by its type, under the list's name; the next one is called."""
    hooks, seen = HookList("on_x"), list[object]()

    def broken(_: object) -> None:
        raise ValueError("secret")

    hooks.add(broken)
    hooks.add(seen.append)
    with listening(("hook", "failed")) as log:
        hooks.run(1)
    assert seen == [1]
    assert log.items == [("hook.failed", {"count": 1}, {"hook": "on_x", "error": "ValueError"})]


@pytest.mark.contract("C148")
def test_changes_during_a_dispatch() -> None:
    """Those added or removed meanwhile count from the next dispatch on."""
    hooks, seen = HookList("x"), list[object]()

    def first() -> None:
        seen.append("first")
        subscription.off()
        hooks.add(lambda: seen.append("added"))

    hooks.add(first)
    subscription = hooks.add(lambda: seen.append("second"))
    hooks.run()
    assert seen == ["first", "second"]
    hooks.run()
    assert seen == ["first", "second", "first", "added"]


def test_one_function_twice() -> None:
    """Each adding is a subscription of its own; removing one twice is harmless."""
    hooks, seen = HookList("x"), list[object]()
    one = hooks.add(seen.append)
    hooks.add(seen.append)
    hooks.run(1)
    one.off()
    one.off()
    hooks.run(2)
    assert seen == [1, 1, 2]
    assert hooks


def test_the_lists_of_a_client_begin_empty() -> None:
    """So nothing is made for hooks that nobody set."""
    hooks = Hooks()
    assert not any((hooks.open, hooks.close, hooks.error, hooks.message))


@pytest.mark.parametrize(
    "broken",
    [lambda _: 1 / 0, lambda _: "soon", lambda _: -1],
    ids=["raises", "wrong type", "negative"],
)
def test_a_schedule_that_fails(broken: Any) -> None:
    """The default's step is taken, and the failure is reported."""
    with listening(("hook", "failed")) as log:
        assert step(guarded("rejoin_backoff", broken, [1.0, 2.0]), 2) == 2.0
    assert log.items[0][2]["hook"] == "rejoin_backoff"


def test_a_schedule_that_works() -> None:
    """A list, a function and a Backoff are taken as they are."""
    backoff = Backoff(initial=1.0, jitter=0.0)
    assert guarded("backoff", [1.0], [9.0]) == [1.0]
    assert guarded("backoff", backoff, [9.0]) is backoff
    assert step(guarded("backoff", lambda attempt: attempt * 0.5, [9.0]), 3) == 1.5
