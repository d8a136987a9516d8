"""What runs in place of an actor's receive while somebody counts or traces its messages.

It lies in the actor's own `__dict__`, where it hides the method of the class; so an actor that
nobody observes pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from supervisors._machines.vocabulary import (
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    TimerFired,
)
from supervisors._runtime.doing import IDLE
from supervisors._runtime.items import Call, EndSelf, IdleElapsed, Info, Told, Urge
from supervisors._runtime.pykka_names import PYKKA_STOP
from supervisors._runtime.timers import timers
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = [
    "Statistics",
    "TraceEvent",
    "TraceKind",
    "TraceStep",
    "Tracer",
    "count",
    "is_counted",
    "is_traced",
    "measure",
    "trace",
]

_RECEIVE = "_otp_receive"


class TraceStep(StrEnum):
    """Whether a handler is about to be called or has returned."""

    BEGINS = "begins"
    ENDS = "ends"


class TraceKind(StrEnum):
    """What kind of message is handled."""

    CALL = "call"
    CAST = "cast"
    INFO = "info"
    IDLE_TIMEOUT = "idle_timeout"
    STOP = "stop"
    SUPERVISION = "supervision"


class TraceEvent(msgspec.Struct, frozen=True):
    """One step of one traced message.

    `message` is the message itself, which the repr does not show. Of a step that ends, `seconds`
    is how long the handler took and `error` the name of the exception it raised, if any.
    """

    ref: Any
    step: TraceStep
    kind: TraceKind
    message: Any
    seconds: float | None = None
    error: str | None = None

    def __repr__(self) -> str:
        """Tell everything but the message, of which the type."""
        took = "" if self.seconds is None else f" after {self.seconds:.6f} s"
        failed = "" if self.error is None else f" by {self.error}"
        kind = type(self.message).__name__
        return f"<TraceEvent {self.kind} of {kind} {self.step}{took}{failed}>"


class Statistics(msgspec.Struct, frozen=True):
    """What is known of an actor's work; counts are None while nobody counts.

    Attributes:
        mailbox: user messages that wait.
        busy: whether it is in a handler at this moment.
        counting: whether messages are counted.
        started_at: when counting began, a label in UTC.
        counting_for: seconds since then.
        messages_in: messages that have come since then.
        messages_handled: messages whose handler has returned since then.
        busy_for: seconds that it has been in the present handler; None when it is in none.
    """

    mailbox: int
    busy: bool
    counting: bool = False
    started_at: datetime | None = None
    counting_for: float | None = None
    messages_in: int | None = None
    messages_handled: int | None = None
    busy_for: float | None = None


Tracer: TypeAlias = Callable[[TraceEvent], object]


class _Counter:
    """Written in the actor's turns, read from any thread."""

    __slots__ = ("began", "busy_since", "handled", "started", "started_at", "waited")

    def __init__(self, waiting: int) -> None:
        self.started_at = datetime.now(UTC)
        self.started = timers.clock.now()
        self.waited = waiting
        self.began = 0
        self.handled = 0
        self.busy_since: float | None = None


class _Observed:
    """Handles a message as the actor does, and tells the tracer and the counter."""

    __slots__ = ("_process", "_receive", "counter", "tracer")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._receive = process.actor._otp_receive
        self.counter: _Counter | None = None
        self.tracer: Tracer | None = None

    def __call__(self, item: Any) -> None:
        counter = self.counter
        begun = timers.clock.now()
        if counter is not None:
            counter.busy_since = begun
            counter.began += 1
        error: str | None = None
        # The item may have let go of it at the end.
        message = item.message if isinstance(item, Call | Info | Told) else item
        self._trace(TraceStep.BEGINS, item, message)
        try:
            self._receive(item)
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            if counter is not None:
                counter.handled += 1
                counter.busy_since = None
            self._trace(TraceStep.ENDS, item, message, timers.clock.now() - begun, error)

    def _trace(
        self,
        step: TraceStep,
        item: Any,
        message: Any,
        seconds: float | None = None,
        error: str | None = None,
    ) -> None:
        tracer = self.tracer
        if tracer is None:
            return
        ref = self._process.actor_ref
        try:
            tracer(TraceEvent(ref, step, _kind(item), message, seconds, error))
        except BaseException as failure:  # noqa: BLE001  the observer's error, not the actor's
            self.tracer = None
            event = ("supervisors", "introspect", "trace_failed")
            execute(event, {"count": 1}, {"actor": str(ref), "error": type(failure).__name__})


def _kind(item: Any) -> TraceKind:
    match item:
        case Call():
            return TraceKind.CALL
        case Info():
            return TraceKind.INFO
        case IdleElapsed():
            return TraceKind.IDLE_TIMEOUT
        case ChildStarted() | ChildIgnored() | ChildFailed() | ChildExited() | TimerFired():
            return TraceKind.SUPERVISION
        case EndSelf():
            return TraceKind.STOP
    return TraceKind.STOP if type(item) is PYKKA_STOP else TraceKind.CAST


def trace(process: Process, tracer: Tracer | None) -> None:
    """Call `tracer` before and after each message, or no more; in the process's own turn."""
    if tracer is None and _observed(process) is None:
        return
    observed = _observe(process)
    observed.tracer = tracer
    _leave_if_unused(process, observed)


def count(process: Process, counting: bool) -> Statistics:
    """Begin to count from nothing, or end it; return what there is. In the process's own turn."""
    if counting:
        _observe(process).counter = _Counter(len(process.mailbox.user))
        return measure(process)
    last = measure(process)
    observed = _observed(process)
    if observed is not None:
        observed.counter = None
        _leave_if_unused(process, observed)
    return last


def measure(process: Process) -> Statistics:
    """Return the statistics at this moment, from any thread, without asking the process."""
    waiting, doing = len(process.mailbox.user), process.handling
    busy = doing is not IDLE and not isinstance(doing, Urge)
    observed = _observed(process)
    counter = None if observed is None else observed.counter
    if counter is None:
        return Statistics(waiting, busy)
    now, since = timers.clock.now(), counter.busy_since
    return Statistics(
        mailbox=waiting,
        busy=busy,
        counting=True,
        started_at=counter.started_at,
        counting_for=now - counter.started,
        messages_in=max(counter.began, counter.began + waiting - counter.waited),
        messages_handled=counter.handled,
        busy_for=None if since is None else now - since,
    )


def is_traced(process: Process) -> bool:
    """Tell whether a tracer is called."""
    observed = _observed(process)
    return observed is not None and observed.tracer is not None


def is_counted(process: Process) -> bool:
    """Tell whether messages are counted."""
    observed = _observed(process)
    return observed is not None and observed.counter is not None


def _observed(process: Process) -> _Observed | None:
    found = vars(process.actor).get(_RECEIVE)
    return found if isinstance(found, _Observed) else None


def _observe(process: Process) -> _Observed:
    found = _observed(process)
    if found is None:
        found = vars(process.actor)[_RECEIVE] = _Observed(process)
        process.actor._otp_look_again()
    return found


def _leave_if_unused(process: Process, observed: _Observed) -> None:
    if observed.counter is None and observed.tracer is None:
        vars(process.actor).pop(_RECEIVE, None)
        process.actor._otp_look_again()
