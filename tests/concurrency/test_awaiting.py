"""Actors that ask who starts them, from many threads: nobody is refused who would be answered."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from supervisors import (
    Abandoned,
    ActorError,
    ChildSpec,
    Continue,
    DynamicSupervisor,
    GenServer,
    Killed,
    NoProcError,
    SelfCallError,
    Shutdown,
    Supervisor,
)
from tests.concurrency.crew import DEADLINE

THREADS = 4
STARTS = 25


class Asking(GenServer):
    """Asks its supervisor in its init, which is refused, and right after it, which is not."""

    def init(self, sup: Any, refused: list[Any], told: Any, lives: list[Any]) -> Any:
        lives.append(self)
        try:
            sup.count_children()
        except SelfCallError as error:
            refused.append(error)
        return Continue((sup, told, len(lives)))

    def handle_continue(self, continuation: tuple[Any, Any, int]) -> None:
        sup, told, life = continuation
        try:
            told(sup.count_children().active > 0)
        except BaseException as error:
            told(error)
            raise
        if life == 1:
            raise ValueError


@pytest.mark.contract("S163")
@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
def test_each_is_answered_once_it_is_up(dispatcher: str) -> None:
    """While others start, crash and are restarted, each start is refused once, answered once."""
    told: list[Any] = []
    refused: list[Any] = []
    all_told = threading.Semaphore(0)

    def tell(what: Any) -> None:
        told.append(what)
        all_told.release()

    with DynamicSupervisor.start_link(max_restarts=10 * THREADS * STARTS) as sup:

        def begin() -> None:
            for _ in range(STARTS):
                args: tuple[Any, ...] = (sup, refused, tell, [])
                kwargs = {"dispatcher": dispatcher}
                sup.start_child(ChildSpec("asking", start=Asking, args=args, kwargs=kwargs))

        threads = [threading.Thread(target=begin) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        # Each has two lives.
        for _ in range(2 * THREADS * STARTS):
            assert all_told.acquire(timeout=DEADLINE)
    assert told == [True] * (2 * THREADS * STARTS)
    assert len(refused) == 2 * THREADS * STARTS


class Insisting(GenServer):
    """Asks its supervisor again and again, until that does not answer."""

    def init(self, sup: Any, ends: list[Any], begun: Any) -> Any:
        return Continue((sup, ends, begun))

    def handle_continue(self, continuation: tuple[Any, list[Any], Any]) -> None:
        sup, ends, begun = continuation
        begun.release()
        try:
            while True:
                sup.count_children()
        except ActorError as error:
            ends.append(type(error))


@pytest.mark.contract("S163")
@pytest.mark.parametrize("how", ["stop", "terminate"])
@pytest.mark.parametrize("kind", ["static", "dynamic", "above"])
def test_who_waits_when_it_is_to_stop_is_refused(kind: str, how: str) -> None:
    """Nobody is abandoned for a request that came before the order to stop, or just after it."""
    ends: list[Any] = []
    begun = threading.Semaphore(0)
    top: Any = DynamicSupervisor.start_link() if kind == "dynamic" else None
    top = top or Supervisor.start_link([], strategy="one_for_one")
    sup = top
    if kind == "above":
        sup = top.start_child(Supervisor.child_spec([], strategy="one_for_one"))
    specs = [ChildSpec(n, start=Insisting, args=(top, ends, begun), shutdown=60.0) for n in "abcd"]
    refs = [sup.start_child(spec) for spec in specs]
    for _ in refs:
        assert begun.acquire(timeout=DEADLINE)
    monitors = [ref.monitor() for ref in refs]
    if how == "stop" or kind == "above":
        stopped = top.stop(block=False)
    else:
        for ref, spec in zip(refs, specs, strict=True):
            top.terminate_child(spec.id if kind == "static" else ref)
        stopped = top.stop(block=False)
    assert stopped.get(timeout=DEADLINE)
    assert [monitor.wait(DEADLINE).reason for monitor in monitors] == [Shutdown()] * 4
    assert set(ends) <= {SelfCallError, NoProcError}


@pytest.mark.contract("S163")
def test_who_is_abandoned_may_wait_for_that() -> None:
    """Another thread tells the end of one that was killed in its handler, and may take a while."""
    begun, told, over = threading.Event(), threading.Event(), threading.Event()
    downs: list[Any] = []

    class Waiting(GenServer):
        """Waits for its own Down once it was killed."""

        def handle_cast(self, message: Any) -> None:
            begun.set()
            assert told.wait(DEADLINE)
            threading.Timer(0.01, over.set).start()
            try:
                downs.append(message.wait(DEADLINE).reason)
            except SelfCallError as error:
                downs.append(error)
            ended.set()

    def hold(_: Any) -> None:
        told.set()
        over.wait(DEADLINE)

    ended = threading.Event()
    ref = Waiting.start()
    ref.monitor(call=hold)
    ref.cast(ref.monitor())
    assert begun.wait(DEADLINE)
    ref.exit(Killed())
    assert ended.wait(DEADLINE)
    assert downs == [Abandoned()]
