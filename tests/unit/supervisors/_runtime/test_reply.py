"""Futures: settled once, calling back, derived, awaited."""

from __future__ import annotations

import asyncio
import queue
import sys
from datetime import timedelta
from functools import partial
from typing import Any

import pykka
import pytest

from supervisors import CallTimeout, Reply
from supervisors._runtime.current import current
from tests.unit.supervisors.stepped import Seen


def failed(error: BaseException) -> Reply:
    """Returns a reply that failed."""
    reply = Reply()
    reply.fail(error)
    return reply


def settled(value: Any) -> Reply:
    """Returns a reply that has its value."""
    reply = Reply()
    reply.settle(value)
    return reply


def test_settles_once() -> None:
    """The first outcome stays; later ones are told that they came late."""
    reply = Reply()
    assert not reply.done()
    assert reply.settle(1)
    assert not reply.settle(2)
    assert not reply.fail(ValueError())
    assert (reply.get(), reply.result(), reply.exception(), reply.done()) == (1, 1, None, True)


def test_failure() -> None:
    """Get and result raise what exception() returns."""
    error = KeyError("x")
    reply = failed(error)
    for read in (reply.get, reply.result):
        with pytest.raises(KeyError) as caught:
            read()
        assert caught.value is error
    assert reply.exception() is error
    assert not reply.settle(1)


def test_pykkas_way_of_settling() -> None:
    """Set and set_exception refuse a second outcome, as Pykka's futures do."""
    reply = Reply()
    reply.set("x")
    with pytest.raises(RuntimeError, match="has its outcome"):
        reply.set("y")
    other = Reply()
    try:
        raise ValueError("boom")
    except ValueError:
        other.set_exception()
    assert isinstance(other.exception(), ValueError)
    third = Reply()
    third.set_exception((KeyError, KeyError("k"), None))
    assert isinstance(third.exception(), KeyError)
    with pytest.raises(RuntimeError):
        third.set_exception((KeyError, KeyError(), None))
    with pytest.raises(RuntimeError):
        third.set_get_hook(lambda timeout: 1)


@pytest.mark.parametrize("timeout", [0, 0.0, -1, timedelta(0)], ids=repr)
def test_timeout(timeout: Any) -> None:
    """A value that does not come in time is a CallTimeout, which is also Pykka's."""
    reply = Reply()
    with pytest.raises(CallTimeout):
        reply.get(timeout=timeout)
    with pytest.raises(pykka.Timeout):
        reply.result(timeout)
    with pytest.raises(TimeoutError):
        reply.exception(timeout)


@pytest.mark.parametrize("timeout", ["1", []], ids=repr)
def test_no_timeout(timeout: Any) -> None:
    """What is no number of seconds is refused by name."""
    with pytest.raises(TypeError, match=r"timeout must be seconds \(a number\)"):
        Reply().get(timeout=timeout)


def test_waiting_in_vain_leaves_nothing() -> None:
    """Who asks again and again does not make the future grow."""
    reply = Reply()
    for _ in range(100):
        with pytest.raises(CallTimeout):
            reply.get(timeout=0)
    assert len(reply._all_callbacks()) == 0


def test_a_timeout_that_is_the_outcome() -> None:
    """exception() returns a CallTimeout that the actor raised."""
    error = CallTimeout(3)
    assert failed(error).exception(0) is error


class Struck(Reply):
    """A wait for it is cut short by something that is no outcome."""

    error: BaseException = KeyboardInterrupt()

    def block(self, timeout: float | None) -> None:
        raise self.error


def test_what_a_wait_raises_is_no_outcome() -> None:
    """exception() raises Ctrl-C, an unfit timeout, and what a thread says that must not wait."""
    reply = Struck()
    for future in (reply, reply.map(str)):
        with pytest.raises(KeyboardInterrupt):
            future.exception()
    reply.error = RuntimeError("this thread must not wait")
    for future in (reply, reply.map(str), reply.join(Reply())):
        with pytest.raises(RuntimeError, match="must not wait"):
            future.exception()
    with pytest.raises(TypeError, match="timeout must be seconds"):
        Reply().exception("1")  # type: ignore[arg-type]
    error = KeyboardInterrupt("the outcome")
    assert failed(error).exception() is error


class Late(Reply):
    """Its outcome comes when a wait for it has just timed out."""

    outcome: BaseException | None = None

    def block(self, timeout: float | None) -> None:
        if self.outcome is None:
            self.settle(1)
        else:
            self.fail(self.outcome)
        raise CallTimeout(timeout)


def test_an_outcome_at_the_last_moment() -> None:
    """exception() never takes its own time-out for the outcome."""
    assert Late().exception(0.5) is None
    assert Late().map(str).exception(0.5) is None
    late = Late()
    late.outcome = ValueError()
    assert late.exception(0.5) is late.outcome


def test_second_outcome_is_pykkas_error() -> None:
    """Code written for Pykka's future catches what a second outcome raises."""
    for act in (Reply.set, Reply.set_exception, lambda reply: reply.set_get_hook(print)):
        with pytest.raises(queue.Full):
            act(settled(1))
    hooked = Reply()
    hooked.set_get_hook(lambda _: 1)
    with pytest.raises(queue.Full):
        hooked.set(2)


def test_callbacks() -> None:
    """Each is called once with the reply, before or after it is settled."""
    reply = Reply()
    got: list[Any] = []
    for name in "ab":
        reply.add_done_callback(partial(lambda name, r: got.append((name, r.get())), name))
    reply.settle(1)
    reply.add_done_callback(lambda r: got.append(("late", r is reply)))
    assert got == [("a", 1), ("b", 1), ("late", True)]


@pytest.mark.parametrize("error", [ValueError(), SystemExit()], ids=repr)
def test_failing_callback(error: BaseException) -> None:
    """It is reported and harms neither the settler nor the other callbacks."""
    seen = Seen().of(("supervisors", "future", "callback_failed"))
    got: list[Any] = []

    def broken(_: object) -> None:
        raise error

    reply = Reply()
    reply.add_done_callback(broken)
    reply.add_done_callback(got.append)
    reply.settle(1)
    seen.close()
    assert got == [reply]
    assert [metadata["error"] for _, _, metadata in seen.events] == [type(error).__name__]


def test_callback_that_adds_a_callback() -> None:
    """It is called too."""
    reply = Reply()
    got: list[int] = []
    reply.add_done_callback(lambda r: r.add_done_callback(lambda _: got.append(1)))
    reply.settle(None)
    assert got == [1]


def test_waits_go_through_the_host() -> None:
    """The owner of a thread is told of a wait, and not of a value that is there."""
    waits: list[tuple[Reply, Any]] = []

    class Host:
        def wait(self, reply: Reply, timeout: float | None) -> None:
            waits.append((reply, timeout))
            reply.settle("x")

    before, current.host = current.host, Host()
    try:
        reply = Reply()
        assert reply.get(timeout=timedelta(seconds=2)) == "x"
        assert reply.get(timeout=3) == "x"
        assert waits == [(reply, 2.0)]
        mapped = Reply()
        assert mapped.map(str.upper).get() == "X"
    finally:
        current.host = before


# ---- derived futures ---------------------------------------------------------------------------


def test_map_filter_join_reduce() -> None:
    """They are futures of ours with Pykka's meaning."""
    one, two = Reply(), Reply()
    derived: dict[str, Any] = {
        "map": one.map(lambda n: n + 1),
        "join": one.join(two),
        "join map": one.join(two).map(sum),
        "filter": one.join(two).filter(lambda n: n > 1),
        "reduce": one.join(two).reduce(lambda a, b: a * 10 + b),
        "reduce from": one.join(two).reduce(lambda a, b: a * 10 + b, 5),
    }
    assert not any(future.done() for future in derived.values())
    one.settle(1)
    assert [name for name, future in derived.items() if future.done()] == ["map"]
    two.settle(2)
    assert all(future.done() for future in derived.values())
    assert {name: future.get() for name, future in derived.items()} == {
        "map": 2,
        "join": [1, 2],
        "join map": 3,
        "filter": [2],
        "reduce": 12,
        "reduce from": 512,
    }
    assert all(isinstance(future, Reply) for future in derived.values())


def test_callbacks_of_derived_futures() -> None:
    """They are called once, when the last source is settled."""
    sources = [Reply() for _ in range(4)]
    joined = sources[0].join(*sources[1:])
    got: list[Any] = []
    joined.add_done_callback(lambda r: got.append(r.get()))
    for number, source in enumerate(sources):
        assert got == []
        source.settle(number)
    assert got == [[0, 1, 2, 3]]
    joined.add_done_callback(lambda r: got.append("late"))
    assert got[-1] == "late"


def test_failures_of_derived_futures() -> None:
    """The failure of a source, or of the function, is the derived future's."""
    error = KeyError("x")
    assert failed(error).map(str).exception() is error
    assert isinstance(settled(0).map(lambda n: 1 / n).exception(), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        settled(0).map(lambda n: 1 / n).get()
    with pytest.raises(CallTimeout):
        Reply().map(str).exception(0)


def test_get_hook() -> None:
    """A get hook computes the value when it is first asked for, once."""
    calls: list[Any] = []

    def hook(timeout: float | None) -> int:
        calls.append(timeout)
        return len(calls)

    reply = Reply()
    reply.set_get_hook(hook)
    assert [reply.get(timeout=3), reply.get(timeout=4)] == [1, 1]
    assert calls == [3]


# ---- await -------------------------------------------------------------------------------------


def run(coroutine: Any) -> Any:
    """Runs a coroutine."""
    return asyncio.run(coroutine)


def test_await_does_not_block_the_loop() -> None:
    """Other coroutines go on while one awaits."""

    async def main() -> list[Any]:
        reply, got = Reply(), []

        async def other() -> None:
            got.append("other")
            asyncio.get_running_loop().call_soon(reply.settle, "value")

        async def waiting() -> None:
            got.append(await reply)

        await asyncio.gather(waiting(), other())
        return got

    assert run(main()) == ["other", "value"]


def test_await_of_outcomes() -> None:
    """Values come back, failures are raised, derived futures work too."""

    async def main() -> list[Any]:
        found = [await settled(1), await settled(1).map(str), await settled(1).join(settled(2))]
        with pytest.raises(KeyError):
            await failed(KeyError("x"))
        return found

    assert run(main()) == [1, "1", [1, 2]]


def test_cancelled_await() -> None:
    """A task that was cancelled does not mind the value that comes later, nor a closed loop."""
    reply = Reply()

    async def main() -> None:
        task = asyncio.ensure_future(awaiting())
        # A turn of the loop, so that the task waits for the reply when it is cancelled.
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def awaiting() -> None:
        await reply

    seen = Seen().of(("supervisors", "future", "callback_failed"))
    run(main())
    assert reply.settle(1)
    seen.close()
    assert seen.events == []


def test_exc_info_is_taken_whole() -> None:
    """The traceback of set_exception stays with the exception."""
    reply = Reply()
    try:
        raise ValueError("boom")
    except ValueError:
        reply.set_exception(sys.exc_info())
    error = reply.exception()
    assert error is not None
    assert error.__traceback__ is not None
