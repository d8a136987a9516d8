"""The actor that runs one function and ends, and what a function can learn of its actor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

import msgspec

from supervisors._runtime.actor import Actor
from supervisors._runtime.current import current
from supervisors._runtime.first_turn import READY
from supervisors._runtime.items import Call, StopOrder
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.reply import Reply
from supervisors._runtime.signals import Monitor, link
from supervisors._runtime.timers import timers
from supervisors.child_spec import BRUTAL_KILL, UNSET
from supervisors.clock import Deadline
from supervisors.errors import CallTimeout, NoProcError, UnhandledMessageError
from supervisors.exits import Crashed, Down, ExitReason, Normal, Shutdown

__all__ = ["Job", "TaskActor", "TaskReply", "Tie", "callers", "callers_from_here", "cancelled"]
__all__ += ["end_all", "name_of", "prepare", "settled"]


class Tie(Enum):
    """What a task and the actor that started it have to do with each other."""

    LINKED = "linked"
    """The abnormal end of either ends the other."""
    NONE = "none"
    """Nothing."""
    FOLLOWS = "follows"
    """The task does not outlive who started it, which does not hear of its end."""


class TaskReply(Reply):
    """Where a task's outcome goes."""

    cut_short: ExitReason | None = None
    """Why the task ended, where that was neither by its function's return nor by its exception."""


class Job(msgspec.Struct, frozen=True, eq=False):
    """What a task is to do, for whom; a restarted task does it again."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    tie: Tie = Tie.NONE
    owner: Process | None = None
    callers: tuple[ActorRef, ...] = ()
    reply: TaskReply | None = None
    """Where the result goes, when all who are told of the end have been told."""

    def __repr__(self) -> str:
        """Name the function; arguments may hold secrets."""
        return f"Job({name_of(self.function)})"


def name_of(function: Callable[..., Any]) -> str:
    """Return what a task of this function is called."""
    # A functools.partial has no name of its own.
    named = getattr(function, "func", function)
    return str(getattr(named, "__qualname__", None) or type(named).__name__)


class TaskActor(Actor):
    """Runs its job in its first turn, after its starter was told, and ends."""

    def __init__(self, job: Job) -> None:
        """Keep the job; nothing runs yet."""
        super().__init__()
        self.job = job
        self.value: Any = UNSET

    @property
    def _otp_callers(self) -> tuple[ActorRef, ...]:
        return self.job.callers

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return READY

    def _otp_goes_on(self) -> bool:
        return True

    def _otp_after_start(self) -> None:
        if self.cancelled:
            # The order waits in the control lane and is obeyed next.
            return
        job, process = self.job, self._process
        process.handling = job
        if process.ended:
            return
        try:
            self.value = job.function(*job.args, **job.kwargs)
        except BaseException as error:  # noqa: BLE001  whatever a task raises ends it alone
            process.crash(error, job.function)
        else:
            process.end(Normal())

    def _otp_receive(self, item: Any) -> None:
        """Refuse: a task takes no messages; only one that was told to stop gets here at all."""
        if isinstance(item, Call):
            item.future.fail(UnhandledMessageError(self, "handle_call", item.message))


def prepare(process: Process) -> None:
    """Tie a new task to its owner and see to its result, before it can run."""
    actor = process.actor
    if not isinstance(actor, TaskActor):
        return
    job = actor.job
    if job.reply is not None:
        # Settled after the supervisor was told: who has the result finds the slot free (S109).
        told = Reply()
        told.add_done_callback(lambda _: _settle(process, actor))
        process.await_end(told)
    if job.owner is None:
        return
    if job.tie is Tie.LINKED:
        link(job.owner, process)
    elif job.tie is Tie.FOLLOWS:
        _follow(process, job.owner)


def _follow(process: Process, owner: Process) -> None:
    """Stop the process when the owner ends, however it ends."""

    def stop(_: Down) -> None:
        process.order(StopOrder(Shutdown()))

    monitor = Monitor(owner.actor_ref, None, stop)
    # The end of the task cancels the monitor; or the owner would collect one for each.
    if process.add_watch(monitor) and not owner.add_monitor(monitor):
        process.order(StopOrder(Shutdown()))


def _settle(process: Process, actor: TaskActor) -> None:
    """Give the task's outcome to who waits for it."""
    reply, reason = actor.job.reply, process.reason
    if reply is None:
        return
    if isinstance(reason, Normal) and actor.value is not UNSET:
        reply.settle(actor.value)
    elif isinstance(reason, Crashed) and isinstance(reason.exception, Exception):
        reply.fail(reason.exception)
    else:
        # A SystemExit raised at the owner would end that one too.
        reply.cut_short = reason
        reply.fail(NoProcError(process.actor_ref, reason))


def settled(reply: Reply, timeout: float | timedelta | None) -> bool:
    """Wait up to `timeout` seconds for a task's outcome; tell whether it is there."""
    try:
        reply.get(timeout=timeout)
    except CallTimeout:
        # The wait's own, or the one that the function raised.
        return reply.done()
    except BaseException:
        # An interrupt of this thread, or what the function raised.
        if not reply.done():
            raise
    return True


def end_all(tasks: Iterable[tuple[Process | None, Reply]], limit: Any) -> None:
    """Tell tasks to stop, wait up to `limit` seconds for all of them, and fence off the rest."""
    living = [(process, reply) for process, reply in tasks if process is not None]
    if limit is not BRUTAL_KILL:
        for process, _ in living:
            process.order(StopOrder(Shutdown()))
        deadline = Deadline(limit, timers.clock)
        for _, reply in living:
            settled(reply, deadline.remaining())
    for process, reply in living:
        if not reply.done():
            process.kill()
    for _, reply in living:
        settled(reply, None)


def callers() -> tuple[ActorRef, ...]:
    """Return who had the present task started: its starter, the starter's starter, and so on.

    Actors only; a plain thread is nobody. Empty outside tasks (S185). Safe from any thread.

    Example:
        >>> callers()
        ()
    """
    process = current.process
    return () if process is None else getattr(process.actor, "_otp_callers", ())


def callers_from_here() -> tuple[ActorRef, ...]:
    """Return the callers of a task that is started here."""
    process = current.process
    return () if process is None else (process.actor_ref, *callers())


def cancelled() -> bool:
    """Tell whether the actor, or task, that runs this code was told to stop.

    A running function cannot be interrupted, so a long one looks at this now and then and returns.
    Always False in a plain thread.

    Example:
        >>> cancelled()
        False
    """
    process = current.process
    return process is not None and process.actor.cancelled
