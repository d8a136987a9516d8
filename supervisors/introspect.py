"""Look into one living actor, and hold it still: what OTP's `sys` module does.

>>> from supervisors import GenServer, introspect
>>> class Counter(GenServer):
...     def init(self, start=0):
...         self.count = start
...     def handle_call(self, request, sender):
...         self.count += request
...         return self.count
>>> counter = Counter.start(40)
>>> introspect.get_state(counter)
{'count': 40}
>>> introspect.replace_state(counter, lambda state: {"count": state["count"] * 2})
{'count': 80}
>>> introspect.suspend(counter)
>>> later = counter.ask(1, block=False)
>>> later.done()
False
>>> introspect.resume(counter)
>>> later.get(timeout=5), counter.stop()
(81, True)

Every function takes a reference of an actor of this package and may be called from any thread and
from inside any other actor. A request is answered in the actor's own turn, after the message it is
in and before all that wait, so it works on suspended actors too. Errors of all of them:

- `CallTimeout`: the actor stayed in one handler for `timeout` seconds (5 by default, None waits
  for ever). A request that it had not begun by then is withdrawn.
- `NoProcError`: the actor is dead.
- `SelfCallError`: an actor asks for itself.
- `NotAvailableError`: the reference is of a plain Pykka actor.

Whoever has a reference sees the whole state; log lines and crash reports show of it only what the
actor's `format_status` returns, by default nothing but the type. An actor that nobody looks into
pays nothing for this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, overload

import msgspec

from supervisors._machines.vocabulary import SupervisorInfo
from supervisors._runtime import observed
from supervisors._runtime.foreign import process_of
from supervisors._runtime.inquiry import inquire
from supervisors._runtime.observed import Statistics, TraceEvent, TraceKind, Tracer, TraceStep
from supervisors._runtime.pool import pool as _pool
from supervisors._runtime.status import StatusParts, format_parts
from supervisors.errors import NoProcError

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = [
    "ActorStatus",
    "PoolStatus",
    "Statistics",
    "StatusParts",
    "TraceEvent",
    "TraceKind",
    "TraceStep",
    "Tracer",
    "change_code",
    "get_state",
    "get_status",
    "pool",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "trace",
]


class ActorStatus(msgspec.Struct, frozen=True):
    """What `get_status()` returns.

    Attributes:
        ref: the actor's reference.
        class_name: its class.
        path: the labels of its supervisors and its own.
        parent: the reference of its supervisor, or of who started it linked; else None.
        suspended: whether it is suspended.
        trap_exit: whether exit signals arrive as messages.
        mailbox: user messages that wait.
        traced: whether `trace()` is on.
        counting: whether `statistics()` counts.
        state: what `format_status` returned; where that is None, the name of the state's type,
            and a `SupervisorInfo` for a supervisor.
        error: the name of the exception that `format_status` raised, else None.
    """

    ref: Any
    class_name: str
    path: str
    parent: Any
    suspended: bool
    trap_exit: bool
    mailbox: int
    traced: bool
    counting: bool
    state: Any
    error: str | None = None


class PoolStatus(msgspec.Struct, frozen=True):
    """What `pool()` returns.

    Attributes:
        workers: threads that run actors, the blocked ones included.
        blocked: those of them that wait for a reply, each with a spare one in its place.
        max_workers: up to how many that are not blocked the watcher adds for handlers that block
            where the library cannot see it.
    """

    workers: int
    blocked: int
    max_workers: int


def get_state(ref: Any, *, timeout: float | timedelta | None = 5.0) -> Any:
    """Return the actor's state: a shallow copy of its attributes, as a dict.

    The runtime's own attributes are left out. What the attributes refer to is not copied: it goes
    on living in the actor, so do not change it. For a supervisor the state is a `SupervisorInfo`,
    as it is at this moment, also in the middle of a restart.
    """
    return inquire(ref, process_of(ref, "get_state"), _state_of, timeout)


@overload
def replace_state(
    ref: Any,
    fn: Callable[[dict[str, Any]], Mapping[str, Any]],
    *,
    timeout: float | timedelta | None = 5.0,
) -> dict[str, Any]: ...


@overload
def replace_state(
    ref: Any,
    fn: Callable[[SupervisorInfo], SupervisorInfo],
    *,
    timeout: float | timedelta | None = 5.0,
) -> SupervisorInfo: ...


def replace_state(
    ref: Any, fn: Callable[[Any], Any], *, timeout: float | timedelta | None = 5.0
) -> Any:
    """Make the actor's attributes what `fn` returns for a shallow copy of them; return that.

    Of a supervisor `fn` gets its `SupervisorInfo` and returns one with other rules
    (`msgspec.structs.replace(info, max_restarts=9)`): strategy and budget hold from now on, and its
    children are changed by requests only.

    `fn` runs in the actor. Attributes that it leaves out are deleted. Where it raises, the
    exception is raised here, and the actor lives on with the attributes it had; but what `fn`
    changed inside of their values stays changed.

    Raises:
        TypeError: `fn` returned no mapping of attribute names, or no SupervisorInfo.
        ValueError: it returned a name that belongs to the framework.
        Exception: what `fn` raised.
    """
    return inquire(
        ref,
        process_of(ref, "replace_state"),
        lambda process: process.actor._otp_replace_state(fn),
        timeout,
    )


def suspend(ref: Any, *, timeout: float | timedelta | None = 5.0) -> None:
    """Let the actor handle no messages until `resume()`; they wait in their order.

    What does not wait: stop orders, fatal exit signals and the shutdown by its supervisor, which
    it obeys at once, and the requests of this module. Suspending twice is as once. A suspended
    supervisor neither restarts children nor answers requests.
    """
    inquire(ref, process_of(ref, "suspend"), lambda process: _hold(process, True), timeout)


def resume(ref: Any, *, timeout: float | timedelta | None = 5.0) -> None:
    """Let a suspended actor go on, with what came meanwhile; fine where it is not suspended."""
    inquire(ref, process_of(ref, "resume"), lambda process: _hold(process, False), timeout)


def change_code(
    ref: Any, *args: Any, timeout: float | timedelta | None = 5.0, **kwargs: Any
) -> None:
    """Give a suspended actor new code: a GenServer's state, or a supervisor's rules, for it.

    Of a GenServer `code_change(*args, **kwargs)` is called in the actor; it brings the state into
    its new shape and may set `self.__class__`. Where it raises, all stays as it was.

    Of a supervisor its children live on with new rules and specifications. Its `init` is called
    again with these arguments: for a plain `Supervisor` those of `start_link` (children,
    `strategy=` and so on), for a `DynamicSupervisor` its options. The rules hold from now on and a
    specification from the child's next start on. Nothing is started: new children are there
    stopped, for `restart_child()`. Nothing is deleted: children that are not named any more stay,
    before the others. Where `init` returns IGNORE all stays as it is.

    Raises:
        ChildSpecError: a rule or a child is wrong; nothing was changed.
        RuntimeError: the actor is not suspended.
        NotAvailableError: its class has no `code_change()` of its own.
        Exception: what `init` or `code_change` raised; nothing was changed.

    Example:
        >>> from supervisors import ChildSpec, GenServer, Supervisor
        >>> app = Supervisor.start_link([GenServer], strategy="one_for_one")
        >>> suspend(app)
        >>> change_code(app, [GenServer, ChildSpec("b", GenServer)], strategy="rest_for_one")
        >>> resume(app)
        >>> app.count_children(), app.stop()
        (ChildCounts(specs=2, active=1, supervisors=0, workers=2), True)
    """
    inquire(
        ref,
        process_of(ref, "change_code"),
        lambda process: process.actor._otp_change_code(args, kwargs),
        timeout,
    )


def statistics(
    ref: Any, counting: bool | None = None, *, timeout: float | timedelta | None = 5.0
) -> Statistics:
    """Return how much the actor has to do, and has done while messages were counted.

    Args:
        ref: the actor.
        counting: True begins to count, from nothing; False ends it and returns the last counts.
            None only looks: it asks the actor nothing, so it works at once on a busy one.
        timeout: seconds to wait for an actor that is told to begin or to end.

    Example:
        >>> from supervisors import GenServer
        >>> class Echo(GenServer):
        ...     def handle_call(self, request, sender):
        ...         return request
        >>> echo = Echo.start()
        >>> statistics(echo, True).messages_handled
        0
        >>> echo.ask("a"), echo.ask("b"), statistics(echo, False).messages_handled
        ('a', 'b', 2)
        >>> statistics(echo).counting, echo.stop()
        (False, True)
    """
    process = process_of(ref, "statistics")
    answer: Statistics
    if counting is None:
        if process is None or process.has_ended():
            raise NoProcError(ref)
        answer = observed.measure(process)
    else:
        answer = inquire(
            ref, process, lambda process: observed.count(process, bool(counting)), timeout
        )
    return answer


def trace(ref: Any, fn: Tracer | None, *, timeout: float | timedelta | None = 5.0) -> None:
    """Call `fn(TraceEvent)` before and after each message of this actor; None ends it.

    `fn` runs in the actor and must be quick. It replaces an earlier one. One that raises is taken
    out and reported as `("supervisors", "introspect", "trace_failed")`; the actor goes on.

    Example:
        >>> from supervisors import GenServer
        >>> class Echo(GenServer):
        ...     def handle_call(self, request, sender):
        ...         return request
        >>> echo, events = Echo.start(), []
        >>> trace(echo, events.append)
        >>> echo.ask("hello")
        'hello'
        >>> trace(echo, None)
        >>> [(event.step.value, event.kind.value) for event in events], echo.stop()
        ([('begins', 'call'), ('ends', 'call')], True)
    """
    if fn is not None and not callable(fn):
        msg = f"a tracer is a function or None, not {fn!r}"
        raise TypeError(msg)
    inquire(ref, process_of(ref, "trace"), lambda process: observed.trace(process, fn), timeout)


def get_status(ref: Any, *, timeout: float | timedelta | None = 5.0) -> ActorStatus:
    """Return what the actor is and does; of its state, what its `format_status` lets show.

    Example:
        >>> from supervisors import GenServer
        >>> class Account(GenServer):
        ...     def init(self):
        ...         self.token, self.balance = "s3cret", 7
        ...     def format_status(self, parts):
        ...         return {"balance": self.balance}
        >>> account = Account.start()
        >>> get_status(account).state, account.stop()
        ({'balance': 7}, True)
    """
    status: ActorStatus = inquire(ref, process_of(ref, "get_status"), _status_of, timeout)
    return status


def pool() -> PoolStatus:
    """Return how many threads the pool has and how busy they are. Safe from any thread.

    It asks no actor, so it answers at once while every handler blocks. When `max_workers` is
    reached, that is told as `("supervisors", "pool", "exhausted")` as well.

    Example:
        >>> from supervisors import GenServer
        >>> ref = GenServer.start()
        >>> status = pool()
        >>> status.workers > status.blocked, status.max_workers, ref.stop()
        (True, 256, True)
    """
    workers, blocked = _pool.threads()
    return PoolStatus(workers, blocked, _pool._max_workers)


def _hold(process: Process, suspended: bool) -> None:
    process.mailbox.suspended = suspended


def _state_of(process: Process) -> Any:
    return process.actor._otp_state()


def _status_of(process: Process) -> ActorStatus:
    actor, mailbox = process.actor, process.mailbox
    state = actor._otp_state()
    shown, error = format_parts(actor, StatusParts(state))
    if shown is None:
        shown = type(actor).__name__ if isinstance(state, dict) else state
    return ActorStatus(
        ref=process.actor_ref,
        class_name=type(actor).__name__,
        path=process.path(),
        parent=None if process.parent is None else process.parent.actor_ref,
        suspended=mailbox.suspended,
        trap_exit=actor.trap_exit,
        mailbox=len(mailbox.user),
        traced=observed.is_traced(process),
        counting=observed.is_counted(process),
        state=shown,
        error=error,
    )
