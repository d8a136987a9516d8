"""`Task`: a function that runs in an actor of its own, and its one result.

>>> from supervisors import TaskSupervisor
>>> with TaskSupervisor.start_link() as tasks:
...     task = tasks.run(pow, 2, 10)
...     task.result(timeout=5)
1024
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from supervisors._locks import new_lock
from supervisors._runtime.current import current
from supervisors._runtime.reply import Reply
from supervisors._runtime.signals import unlink
from supervisors._runtime.task_actor import Job, TaskReply, end_all, name_of, settled
from supervisors.child_spec import BRUTAL_KILL, UNSET
from supervisors.clock import as_seconds
from supervisors.errors import TaskAwaitError
from supervisors.exits import Abandoned, Killed, Shutdown

if TYPE_CHECKING:
    from supervisors._runtime.ref import ActorRef

__all__ = ["Task", "TaskOutcome"]

T = TypeVar("T")
_TOLD = (Shutdown, Killed, Abandoned)


class TaskOutcome(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """How a task ended: with a `value`, or with an `error`, which result() would have raised.

    Example:
        >>> TaskOutcome(3, None).unwrap(), TaskOutcome(None, KeyError("secret"))
        (3, TaskOutcome(error=KeyError))
    """

    value: T | None
    error: BaseException | None

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.error is None

    def unwrap(self) -> T:
        """Return the value.

        Raises:
            BaseException: the error, if the task ended with one.
        """
        if self.error is not None:
            raise self.error
        value: T = self.value  # type: ignore[assignment]
        return value

    def __repr__(self) -> str:
        """Name the types; value and error may hold what a user sent."""
        if self.error is None:
            return f"TaskOutcome(value=<{type(self.value).__name__}>)"
        return f"TaskOutcome(error={type(self.error).__name__})"


class Task(Generic[T]):
    """A running function and its result, which its owner takes once (S180).

    The owner is the actor that started it. What a plain thread started belongs to all plain
    threads. Made by `TaskSupervisor`; `await task` waits without blocking the event loop.

    Attributes:
        ref: the reference of the actor that runs the function.

    Example:
        >>> from supervisors import TaskSupervisor
        >>> with TaskSupervisor.start_link() as tasks:
        ...     task = tasks.run_nolink(int, "x")
        ...     task.yield_(timeout=5)
        TaskOutcome(error=ValueError)
    """

    def __init__(self, ref: ActorRef, job: Job, reply: TaskReply, shutdown: Any) -> None:
        """Made by `TaskSupervisor`."""
        self.ref = ref
        self._name = name_of(job.function)
        self._owner = job.owner
        # Gone once the result was taken or given up, so that a late one is kept by nobody.
        self._reply: TaskReply | None = reply
        self._shutdown = shutdown
        self._lock = new_lock()

    def __repr__(self) -> str:
        """Tell the function and what has become of it, not its result."""
        reply = self._reply
        state = "awaited" if reply is None else "ended" if reply.done() else "running"
        return f"<Task {self._name} {state}>"

    # ---- facts, for everybody -----------------------------------------------------------------

    @property
    def owner(self) -> ActorRef | None:
        """The actor that may take the result; None when that is any plain thread."""
        return None if self._owner is None else self._owner.actor_ref

    def done(self) -> bool:
        """Tell whether the task has ended, or its result was taken. Safe from any thread."""
        reply = self._reply
        return reply is None or reply.done()

    def add_done_callback(self, fn: Callable[[Task[T]], object]) -> None:
        """Call `fn(task)` when the task has ended, in the thread in which it ends, or at once.

        It must not wait. What it raises is reported as
        `("supervisors", "future", "callback_failed")`. Safe from any thread.
        """
        reply: Reply | None = self._reply
        if reply is None:
            # Taken already. A settled reply calls at once, and reports what the function raises.
            reply = Reply()
            reply.settle(None)
        reply.add_done_callback(lambda _: fn(self))

    # ---- the result, for the owner ------------------------------------------------------------

    def result(self, timeout: float | timedelta | None = None) -> T:
        """Return what the function returned, waiting up to `timeout` seconds; None: for ever.

        This takes the result: it can be had once. After a time-out it is given up; the task goes
        on and what it returns goes nowhere. Use yield_() to wait repeatedly.

        Raises:
            Exception: what the function raised.
            NoProcError: the task was ended before it had a result; `.reason` says how.
            CallTimeout: no result in time.
            TaskAwaitError: this is not the owner, or the result was taken or given up.
        """
        value: T = self._take().get(timeout=timeout)
        return value

    def __await__(self) -> Generator[Any, None, T]:
        """Wait in a coroutine as result() does; the event loop goes on meanwhile."""
        value: T = yield from self._take().__await__()
        return value

    def yield_(self, timeout: float | timedelta | None = 5.0) -> TaskOutcome[T] | None:
        """Return how the task ended, or None if it has not within `timeout` seconds (S181).

        None leaves the result where it is: wait again, as often as you like. An outcome is taken,
        as by result(). `yield_(0)` does not wait.

        Raises:
            TaskAwaitError: as for result().
        """
        reply = self._mine()
        if not settled(reply, timeout):
            return None
        return _outcome(self._take())

    def shutdown(self, timeout: Any = UNSET) -> TaskOutcome[T] | None:
        """End the task; return its outcome if there was one already, or came meanwhile (S181).

        A function that has not begun never does. A running one is told to stop, which it sees in
        `cancelled()`; one that has not returned after `timeout` seconds is abandoned (Python
        cannot end a thread) and listed by `unstopped()`. The result is taken in any case.

        Args:
            timeout: seconds, None for as long as it takes, or BRUTAL_KILL for not at all; by
                default the `shutdown` that the task was started with.

        Raises:
            TaskAwaitError: as for result().
        """
        limit = self._shutdown if timeout is UNSET else timeout
        if limit is not BRUTAL_KILL:
            limit = as_seconds(limit, "timeout")
        reply = self._take()
        process = self.ref.process
        if process is not None and self._owner is not None:
            # The owner is not ended by what it asked for itself.
            unlink(self._owner, process)
        end_all([(process, reply)], limit)
        return None if isinstance(reply.cut_short, _TOLD) else _outcome(reply)

    def _mine(self) -> TaskReply:
        """Return where the result comes, to its owner, as long as nobody has taken it."""
        if current.process is not self._owner:
            owner = "plain threads" if self._owner is None else str(self._owner.actor_ref)
            raise TaskAwaitError(self, f"belongs to {owner}: have its owner wait for it")
        reply = self._reply
        if reply is None:
            raise TaskAwaitError(
                self, "gave its result already, or was given up: keep what it gave"
            )
        return reply

    def _take(self) -> TaskReply:
        """Take the result; of two at once one gets it."""
        with self._lock:
            reply = self._mine()
            self._reply = None
            return reply


def _outcome(reply: TaskReply) -> TaskOutcome[Any]:
    """Return what a settled reply holds."""
    error = reply.exception()
    return TaskOutcome(reply.get(), None) if error is None else TaskOutcome(None, error)
