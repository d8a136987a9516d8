"""`TaskSupervisor`: functions that run beside you, each in an actor of its own, supervised.

>>> with TaskSupervisor.start_link(name="doc-crew") as tasks:
...     task = tasks.run(len, "abc")
...     task.result(timeout=5), list(tasks.map(abs, [-1, -2, -3], max_concurrency=2))
(3, [1, 2, 3])
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import Any, ClassVar, TypeVar

from supervisors._runtime.actor import Actor
from supervisors._runtime.asking import ask_for_child
from supervisors._runtime.current import current
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.task_actor import (
    Job,
    TaskActor,
    TaskReply,
    Tie,
    callers_from_here,
    name_of,
    prepare,
)
from supervisors._runtime.task_stream import Started, stream
from supervisors.child_spec import ChildSpec, Restart, refuse_unknown
from supervisors.dynamic_supervisor import DynamicSupervisor, DynamicSupervisorRef
from supervisors.errors import ChildSpecError, SpecProblem
from supervisors.task import Task

__all__ = ["TaskSupervisor", "TaskSupervisorRef"]

T = TypeVar("T")
_OPTIONS = ("max_children", "max_restarts", "max_seconds", "backoff", "max_abandoned", "name")


class TaskSupervisorRef(DynamicSupervisorRef):
    """A reference to a task supervisor. Safe from any thread, and from inside any handler.

    The function gets the arguments as they are given; `shutdown`, `restart` and `dispatcher` are
    taken here (use functools.partial for a function that has these itself).
    """

    def run(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        shutdown: Any = 5.0,
        dispatcher: Any = None,
        **kwargs: Any,
    ) -> Task[T]:
        """Call `fn(*args, **kwargs)` in an actor linked to the calling one; return the Task.

        If the function raises, an actor that called this ends too, unless it traps exits; if that
        actor crashes, the task is told to stop (S177). A plain thread has no link: it sees the
        crash in the task's result, and only there.

        Args:
            fn: any callable.
            *args: for it.
            shutdown: seconds that the task may take to stop when it is told to; None for as long
                as it takes; BRUTAL_KILL to be abandoned at once (S183).
            dispatcher: "pool" (the default) or "thread" for a thread of its own.
            **kwargs: for it.

        Raises:
            MaxChildrenError: max_children is reached (S182).
            NoProcError: the supervisor is dead.
            ChildSpecError: `fn` cannot be called, or is an actor class; or a bad `shutdown`.
        """
        return self._run(Tie.LINKED, fn, args, kwargs, (shutdown, dispatcher))

    def run_nolink(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        shutdown: Any = 5.0,
        dispatcher: Any = None,
        **kwargs: Any,
    ) -> Task[T]:
        """Call the function as run() does, without a link (S178).

        A crash shows in the task's result only, and the task outlives the actor that called this.
        Takes and raises what run() does.
        """
        return self._run(Tie.NONE, fn, args, kwargs, (shutdown, dispatcher))

    def start_child(  # type: ignore[override]  # functions instead of child specifications
        self,
        fn: Callable[..., object],
        /,
        *args: Any,
        restart: str = Restart.TEMPORARY,
        shutdown: Any = 5.0,
        dispatcher: Any = None,
        **kwargs: Any,
    ) -> ActorRef:
        """Call the function in an actor and forget about it; return the actor's ref (S179).

        Nobody gets the result, and no link ties it to the caller. With `restart="transient"` it is
        called again after it raised, with "permanent" whenever it ended, within the supervisor's
        restart intensity. Takes and raises what run() does.
        """
        callers = callers_from_here()
        job = Job(_callable(fn), args, kwargs, callers=callers)
        ref: ActorRef = self._start_job(job, restart, shutdown, dispatcher)
        return ref

    def map(
        self,
        fn: Callable[[Any], T],
        items: Iterable[Any],
        *,
        max_concurrency: int | None = None,
        ordered: bool = True,
        shutdown: Any = 5.0,
        dispatcher: Any = None,
    ) -> Generator[T, None, None]:
        """Yield `fn(item)` for each item, each from a task of its own (S184).

        Nothing runs, and no item is taken, before the first result is asked for; never are there
        more than `max_concurrency` tasks whose result was not yielded yet. If a function raises,
        that is raised here, in its turn. Then, and when the consumer stops early, raises, or as an
        actor ends, the tasks that are left are told to stop and are waited for, up to `shutdown`
        seconds; those that run on are abandoned. Where a variable keeps the generator, close() it,
        or use contextlib.closing.

        Args:
            fn: a function of one argument.
            items: what to call it with; may be endless.
            max_concurrency: how many at once; by default one per processor.
            ordered: yield in the order of the items (True) or as tasks end (False).
            shutdown: as for run().
            dispatcher: as for run().

        Raises:
            ValueError: max_concurrency is not a whole number, 1 or more.
            Exception: what run() raises, MaxChildrenError included, and what the functions raise.
        """
        bound = (os.cpu_count() or 1) if max_concurrency is None else max_concurrency
        if isinstance(bound, bool) or not isinstance(bound, int) or bound < 1:
            msg = f"max_concurrency must be a whole number, 1 or more, or None, not {bound!r}"
            raise ValueError(msg)
        function = _callable(fn)
        limit = ChildSpec("map", TaskActor, shutdown=shutdown).shutdown

        def start(item: Any) -> Started:
            reply = TaskReply()
            callers = callers_from_here()
            job = Job(function, (item,), {}, Tie.FOLLOWS, current.process, callers, reply)
            ref = self._start_job(job, Restart.TEMPORARY, shutdown, dispatcher)
            return ref.process, reply

        return stream(start, items, bound, limit, ordered=ordered)

    def terminate_child(self, id_or_ref: Any) -> None:
        """Stop a task, by its ref or its Task (S186).

        Raises:
            ChildNotFoundError: it has ended, or is of another supervisor.
        """
        super().terminate_child(id_or_ref.ref if isinstance(id_or_ref, Task) else id_or_ref)

    def _run(
        self,
        tie: Tie,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: tuple[Any, Any],
    ) -> Task[T]:
        reply = TaskReply()
        job = Job(_callable(fn), args, kwargs, tie, current.process, callers_from_here(), reply)
        ref = self._start_job(job, Restart.TEMPORARY, *options)
        return Task(ref, job, reply, options[0])

    def _start_job(self, job: Job, restart: str, shutdown: Any, dispatcher: Any) -> Any:
        spec = ChildSpec(
            name_of(job.function),
            start=TaskActor,
            args=(job,),
            kwargs={} if dispatcher is None else {"dispatcher": dispatcher},
            restart=restart,
            shutdown=shutdown,
        )
        return ask_for_child(self, spec)


class TaskSupervisor(DynamicSupervisor):
    """Runs functions as supervised tasks: with a result (`run`), without one (`start_child`).

    A task is temporary: it ends with its function and is forgotten, and its crash costs the
    supervisor nothing (S63). The supervisor stops all its tasks when it stops.

    Example:
        >>> tasks = TaskSupervisor.start_link(max_children=10)
        >>> tasks.run(divmod, 7, 2).result(timeout=5)
        (3, 1)
        >>> tasks.run_nolink(int, "seven").result(timeout=5)
        Traceback (most recent call last):
        ValueError: invalid literal for int() with base 10: 'seven'
        Raised in an actor: ...
        >>> tasks.stop()
        True
    """

    ref_class: ClassVar[type[ActorRef]] = TaskSupervisorRef

    @classmethod
    def start_link(cls, *, name: Any = None, **options: Any) -> Any:
        """Start a task supervisor, linked; return its TaskSupervisorRef.

        Args:
            name: a name to register it under.
            **options: `max_children=None` (how many tasks at most), `max_restarts=3`,
                `max_seconds=5.0`, `backoff=None` (for tasks with a `restart` other than
                "temporary"), `max_abandoned=100`; `start_timeout` and `dispatcher`, as for any
                actor.

        Raises:
            ChildSpecError: an option is wrong.
        """
        return super().start_link(name=name, **_checked(options))

    @classmethod
    def start(cls, *, name: Any = None, **options: Any) -> Any:
        """Start it without a link; takes and raises what start_link() does."""
        return super().start(name=name, **_checked(options))

    @classmethod
    def child_spec(cls, **options: Any) -> ChildSpec:
        """Return how another supervisor starts this one; takes what DynamicSupervisor's does.

        Example:
            >>> TaskSupervisor.child_spec(name="tasks")
            ChildSpec('tasks', start=TaskSupervisor, restart='permanent', shutdown=None,\
 type='supervisor')
        """
        _checked({key: value for key, value in options.items() if key not in _SPEC_KEYS})
        return super().child_spec(**options)

    def _otp_prepare(self, process: Process, spec: ChildSpec) -> None:
        super()._otp_prepare(process, spec)
        prepare(process)


# `auto_shutdown` has a refusal of its own.
_KNOWN = {*_OPTIONS, "start_timeout", "dispatcher", "auto_shutdown"}
_SPEC_KEYS = ("id", "name", "restart", "shutdown", "significant", "on_stuck")


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a task supervisor does not take, `extra_args` for one; the rest is looked at."""
    unknown = {key: value for key, value in options.items() if key not in _KNOWN}
    refuse_unknown(unknown, _OPTIONS, "option", "a task supervisor")
    return options


def _callable(fn: Any) -> Callable[..., Any]:
    """Refuse what is no function.

    Raises:
        ChildSpecError: it cannot be called, or is an actor class.
    """
    if isinstance(fn, type) and issubclass(fn, Actor):
        text = f"{fn.__name__} is an actor, not a task: start it with a DynamicSupervisor"
        raise ChildSpecError(SpecProblem.BAD_START, text, fn)
    if not callable(fn):
        text = f"a task needs a function, not a {type(fn).__name__}"
        raise ChildSpecError(SpecProblem.BAD_START, text, fn)
    return fn  # type: ignore[no-any-return]
