"""From an exception to a reason that keeps nothing alive."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from supervisors import GenServer
from supervisors._runtime.tracing import crashed
from supervisors.testing import ManualDispatcher


class Big:
    """Something that a frame holds."""


def fail(left: list[Any]) -> None:
    """Raises with a local variable in its frame."""
    big = Big()
    left.append(weakref.ref(big))
    raise ValueError("boom")


@pytest.mark.contract("S168")
def test_trace() -> None:
    """Where it passed, innermost last, without what was there; no frame is kept."""
    left: list[Any] = []
    with pytest.raises(ValueError, match="boom") as caught:
        fail(left)
    reason = crashed(caught.value)
    del caught
    gc.collect()
    assert [entry.function for entry in reason.trace] == ["test_trace", "fail"]
    assert reason.trace[-1].file == __file__
    assert left[0]() is None
    line = reason.trace[-1].line
    assert reason.exception.__traceback__ is None
    assert reason.exception.__notes__[0].splitlines()[-1] == (
        f'  File "{__file__}", line {line}, in fail'
    )


def test_causes_are_treated_alike() -> None:
    """Neither the cause nor the context of an exception keeps frames; a circle is no trap."""
    left: list[Any] = []

    def outer() -> None:
        try:
            fail(left)
        except ValueError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError) as caught:
        outer()
    inner = caught.value.__cause__
    assert inner is not None
    inner.__context__ = caught.value
    reason = crashed(caught.value)
    del caught
    gc.collect()
    assert left[0]() is None
    assert isinstance(reason.exception.__cause__, ValueError)


def test_reason_keeps_neither_actor_nor_message(turns: ManualDispatcher) -> None:
    """Who keeps the reason of a crash keeps nothing else of the actor."""
    left: list[Any] = []

    class Failing(GenServer):
        def handle_cast(self, message: Any) -> None:
            fail(left)

    ref = Failing.start(dispatcher=turns)
    monitor = ref.monitor()
    message = Big()
    left += [weakref.ref(ref.process.actor), weakref.ref(message)]
    ref.tell(message)
    del message
    turns.run_until_idle()
    gc.collect()
    reason: Any = monitor.wait(0).reason
    assert [entry.function for entry in reason.trace] == ["handle_cast", "fail"]
    assert [each() for each in left] == [None, None, None]


def test_exception_without_a_trace() -> None:
    """An exception that was never raised has none."""
    assert crashed(ValueError()).trace == ()
