"""A future that settles once, calls back, and can be awaited without blocking the event loop."""

from __future__ import annotations

import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import timedelta
from functools import reduce
from operator import call
from threading import get_ident
from typing import Any

import pykka

from supervisors._locks import forks
from supervisors._runtime.current import current
from supervisors._runtime.giving_way import Gate
from supervisors._runtime.mailbox import making
from supervisors.errors import CallTimeout
from supervisors.telemetry import execute, is_interrupt

__all__ = ["Reply"]

_FOREIGN: tuple[pykka.Future[Any], ...] = ()
# Seconds that a wait lasts at most while its thread holds every lock for a fork.
_IN_FORK = 1.0
_popleft = deque.popleft


class SecondOutcome(RuntimeError, queue.Full):
    """A future was given a second outcome; Pykka raises `queue.Full` there."""


class Reply(pykka.Future[Any]):
    """The future behind `ask(block=False)`, `stop(block=False)` and proxies.

    Safe from any thread; a waiting actor of the pool is replaced by a spare thread meanwhile.
    Settling is first come, first served: later values go nowhere (S164).

    Example:
        >>> reply = Reply()
        >>> reply.done()
        False
        >>> reply.set(3)
        >>> reply.get(timeout=1), reply.map(lambda n: n + 1).result(1)
        (3, 4)
    """

    # Outcomes are (ok, value). Who settles appends his and is the first if `_cell` begins with it:
    # to append is atomic, with the GIL and without it.
    __slots__ = ("_callbacks", "_cell")

    # Almost no reply has a get hook, so it is no instance attribute until there is one; it stands
    # in a tuple, or it would become a method.
    _hook: tuple[Callable[[float | None], Any]] | None = None
    _sources: tuple[pykka.Future[Any], ...] = _FOREIGN

    def __init__(self) -> None:
        """Start unsettled."""
        self._cell: list[tuple[bool, Any]] = []
        self._callbacks: deque[Callable[[], object]] | None = None

    def __repr__(self) -> str:
        """Tell the state, not the value."""
        return f"<Reply {'settled' if self.done() else 'pending'}>"

    # ---- settling -----------------------------------------------------------------------------

    def settle(self, value: Any) -> bool:
        """Give the value; tell whether it was the first outcome."""
        outcome = (True, value)
        cell = self._cell
        cell.append(outcome)
        if cell[0] is not outcome:
            return self._settle(outcome)
        if self._callbacks is not None:
            self._run_callbacks()
        return True

    def fail(self, error: BaseException) -> bool:
        """Give an exception to raise at whoever waits; tell whether it was the first outcome."""
        return self._settle((False, error))

    def settle_quietly(self, outcome: tuple[bool, Any]) -> None:
        """Take (ok, value) as the outcome without calling anybody back: after a fork."""
        self._callbacks = None
        self._is_first(outcome)

    def set(self, value: Any = None) -> None:
        """Give the value, as Pykka does.

        Raises:
            RuntimeError: when there is an outcome already; also a `queue.Full`, as in Pykka.
        """
        self._refuse_second(self._hook is None and self.settle(value))

    def set_exception(self, exc_info: Any = None) -> None:
        """Give the exception of an exc_info triple, by default the one being handled.

        Raises:
            RuntimeError: when there is an outcome already; also a `queue.Full`, as in Pykka.
        """
        kind, error, trace = exc_info or sys.exc_info()
        if error is None:
            error = (kind or RuntimeError)()
        if trace is not None:
            error = error.with_traceback(trace)
        self._refuse_second(self._hook is None and self.fail(error))

    def set_get_hook(self, func: Callable[[float | None], Any]) -> None:
        """Compute the value with `func(timeout)` when it is first asked for, as Pykka does.

        Raises:
            RuntimeError: when there is an outcome already; also a `queue.Full`, as in Pykka.
        """
        self._refuse_second(not self._cell)
        self._hook = (func,)

    def _settle(self, outcome: tuple[bool, Any]) -> bool:
        first = self._is_first(outcome)
        # The second one does so, too: the first may have been interrupted by a signal's handler.
        self._run_callbacks()
        return first

    def _is_first(self, outcome: tuple[bool, Any]) -> bool:
        """Give an outcome if there is none; a later one is not kept."""
        cell = self._cell
        cell.append(outcome)
        if cell[0] is outcome:
            return True
        del cell[1:]
        return False

    @staticmethod
    def _refuse_second(was_first: bool) -> None:
        if not was_first:
            msg = "this future has its outcome, or its get hook, already"
            raise SecondOutcome(msg)

    # ---- waiting ------------------------------------------------------------------------------

    def get(self, *, timeout: float | timedelta | None = None) -> Any:
        """Return the value, waiting up to `timeout` seconds; None waits for ever.

        In a signal's handler that has interrupted the hooks of `os.fork`, and in such hooks, it
        waits for one second at most.

        Raises:
            CallTimeout: when it does not come in time.
            BaseException: what the actor raised.
        """
        try:
            ok, value = self._cell[0]
        except IndexError:
            # Nothing yet. Seldom so, and what the wait raises is not to have this for a context.
            pass
        else:
            if ok:
                return value
            raise value
        ok, value = self._await_outcome(timeout)
        if ok:
            return value
        raise value

    def _await_outcome(self, timeout: float | timedelta | None) -> tuple[bool, Any]:
        if isinstance(timeout, timedelta):
            timeout = timeout.total_seconds()
        if self._hook is not None:
            return self._run_hook(self._hook[0], timeout)
        host = current.host
        if host is None:
            self.block(timeout)
        else:
            host.wait(self, timeout)
        return self._cell[0]

    def result(self, timeout: float | timedelta | None = None) -> Any:
        """Return the value like get(); the word of `concurrent.futures`."""
        return self.get(timeout=timeout)

    def exception(self, timeout: float | timedelta | None = None) -> BaseException | None:
        """Return the exception instead of raising it, or None, waiting like get().

        What the wait itself raises, such as Ctrl-C in this thread, is raised.
        """
        try:
            if not self.done():
                self.get(timeout=timeout)
        except CallTimeout:
            # Where an outcome came when the time was just over, that is the answer.
            if not self.done():
                raise
        except BaseException as error:
            if self._is_answer(error):
                return error
            raise
        try:
            self.get()
        except BaseException as error:
            if self._is_answer(error):
                return error
            raise
        return None

    def _is_answer(self, error: BaseException) -> bool:
        """Tell whether get() raised the outcome, or a get hook did, all its sources settled."""
        if self._cell:
            return self._cell[0][1] is error
        made = self._hook is not None and (not self._sources or self.done())
        return made and isinstance(error, Exception)

    def done(self) -> bool:
        """Tell whether get() would return or raise at once."""
        if self._cell:
            return True
        sources = self._sources
        return bool(sources) and all(isinstance(s, Reply) and s.done() for s in sources)

    def gate(self) -> Gate:
        """Return what opens when there is an outcome; only for who has just made this reply."""
        gate = Gate()
        self._callbacks = deque((gate.release,))
        return gate

    def get_at(self, gate: Gate, timeout: float | timedelta | None) -> Any:
        """Return the value like get(), at the gate that was made with this reply."""
        if not self._cell:
            if current.__dict__["here"].host is not None:
                # Who has just made it has looked whether it may be waited for here.
                Reply._await_outcome(self, timeout)
            else:
                if isinstance(timeout, timedelta):
                    timeout = timeout.total_seconds()
                self._wait_at(gate, timeout)
        ok, value = self._cell[0]
        if ok:
            return value
        raise value

    def block(self, timeout: float | None) -> None:
        """Wait in this thread, without telling its host."""
        gate = threading.Lock()
        gate.acquire()
        self._call_when_settled(gate.release)
        self._wait_at(gate, timeout)

    def _wait_at(self, gate: threading.Lock | Gate, timeout: float | None) -> None:
        try:
            bound = -1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)
        except TypeError:
            msg = f"timeout must be seconds (a number), a timedelta or None, not {timeout!r}"
            raise TypeError(msg) from None
        if forks and any(fork.thread == get_ident() for fork in forks):
            # In the hooks of os.fork this thread holds locks that the answer may need.
            timeout = bound = _IN_FORK if timeout is None else min(bound, _IN_FORK)
        if sys.is_finalizing():
            # The threads of actors are gone, so nobody is left to settle it.
            bound = 0
        if not gate.acquire(timeout=bound) and not self._cell:
            # Who asks again and again must not leave a gate each time.
            with suppress(ValueError, IndexError):
                self._all_callbacks().remove(gate.release)
            raise CallTimeout(timeout)

    def _run_hook(
        self, hook: Callable[[float | None], Any], timeout: float | None
    ) -> tuple[bool, Any]:
        value = hook(timeout)
        self._settle((True, value))
        return True, value

    # ---- calling back -------------------------------------------------------------------------

    def add_done_callback(self, fn: Callable[[Reply], object]) -> None:
        """Call `fn(reply)` once there is an outcome, in the thread that settles it, or at once.

        `fn` must not wait. An open call is answered when its actor ends, in the middle of the
        actor's turn and perhaps of its supervisor's: one that waits there for an answer of either
        waits for ever. It may send (`tell`, `ask(block=False)`). What `fn` raises is reported as
        `("supervisors", "future", "callback_failed")`.
        """
        sources = self._sources
        if not sources:
            self._call_when_settled(lambda: fn(self))
            return
        # A derived future is done when all its sources are.
        pending = list(range(len(sources)))

        def one_is_done(_: Reply) -> None:
            if pending.pop() == 0:  # atomic: only one source takes the last number
                try:
                    fn(self)
                except BaseException as error:  # noqa: BLE001  it is reported
                    self._report(error)

        for source in sources:
            if isinstance(source, Reply):
                source.add_done_callback(one_is_done)

    def _call_when_settled(self, fn: Callable[[], object]) -> None:
        self._all_callbacks().append(fn)
        if self._cell:
            self._run_callbacks()

    def _all_callbacks(self) -> deque[Callable[[], object]]:
        """Return what is to be called back; it is made with the first of them."""
        made: deque[Callable[[], object]] = deque()
        with making:
            if self._callbacks is None:
                self._callbacks = made
            return self._callbacks

    def _run_callbacks(self) -> None:
        # Both the settler and a late registrant may get here; popleft() hands each one out once.
        callbacks = self._callbacks
        while callbacks:
            try:
                # To take one and to call it is one step, of C code: what a signal's handler raises
                # behind it finds the gate of who waits open.
                next(map(call, map(_popleft, (callbacks,))))
            except BaseException as error:  # noqa: BLE001  as above
                trace = error.__traceback__
                if type(error) is IndexError and trace is not None and trace.tb_next is None:
                    # Nothing was called: the last one is another thread's.
                    return
                self._report(error)

    @staticmethod
    def _report(error: BaseException) -> None:
        if is_interrupt(error):
            raise error
        event = ("supervisors", "future", "callback_failed")
        execute(event, {"count": 1}, {"error": type(error).__name__})

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in a coroutine; the event loop goes on meanwhile."""
        import asyncio

        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def settled(_: object) -> None:
            # The loop may be closed by now; then nobody waits any more.
            if not loop.is_closed():
                loop.call_soon_threadsafe(wake)

        if self._hook is not None and not self._sources:
            # A foreign hook can only be asked by waiting for it, so a thread does that.
            return (yield from asyncio.to_thread(self.get).__await__())
        self.add_done_callback(settled)
        yield from waiter.__await__()
        return self.get()

    # ---- derived futures ----------------------------------------------------------------------

    def filter(self, func: Callable[[Any], bool]) -> Reply:
        """Return a future with only the items for which `func` is true."""
        return _derived(lambda timeout: list(filter(func, self.get(timeout=timeout))), self)

    def join(self, *futures: pykka.Future[Any]) -> Reply:
        """Return a future with the list of all values."""
        sources = (self, *futures)
        return _derived(lambda timeout: [one.get(timeout=timeout) for one in sources], *sources)

    def map(self, func: Callable[[Any], Any]) -> Reply:
        """Return a future with `func` applied to the value."""
        return _derived(lambda timeout: func(self.get(timeout=timeout)), self)

    def reduce(self, func: Callable[[Any, Any], Any], *args: Any) -> Reply:
        """Return a future with the items reduced to one value."""
        return _derived(lambda timeout: reduce(func, self.get(timeout=timeout), *args), self)


def _derived(hook: Callable[[float | None], Any], *sources: pykka.Future[Any]) -> Reply:
    """Return a future of what this makes of the values of others."""
    future = Reply()
    future.set_get_hook(hook)
    if all(isinstance(source, Reply) for source in sources):
        future._sources = sources
    return future
