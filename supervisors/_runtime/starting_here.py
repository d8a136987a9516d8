"""Children that a supervisor starts in its own turn, without a turn of the child's around it.

For supervisors of this library whose children run nothing of a user's in their init: it would keep
the supervisor from obeying a stop, and from answering, for as long as it takes. Laws: a child holds
its slot until its init has returned, so what others order or ask meanwhile is obeyed and answered
then; who is ended meanwhile, by whoever finds it under its name, is one that has ended after its
start; of one that does not come up the supervisor is told as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._machines.vocabulary import ChildIgnored
from supervisors._runtime.actor_list import enlist, strike
from supervisors._runtime.current import current
from supervisors._runtime.first_turn import (
    IGNORED,
    READY,
    Refused,
    hand_on,
    make,
    run_init,
    start_error,
)
from supervisors._runtime.launching import launch_of
from supervisors._runtime.outcomes import Started, StartFailed, StartIgnored
from supervisors._runtime.pool import pool
from supervisors._runtime.process import Process
from supervisors._runtime.starting import failed_start
from supervisors._runtime.tracing import crashed
from supervisors.exits import ExitReason, Normal

if TYPE_CHECKING:
    from supervisors._runtime.launching import Launch
    from supervisors._runtime.starting import StartingActor
    from supervisors.child_spec import ChildSpec

__all__ = ["start_child_here"]


def start_child_here(supervisor: StartingActor, incarnation: int, spec: ChildSpec) -> Any:
    """Start a child; return its reference if it has come up in this call.

    None of another: its supervisor is told of the outcome by an event, now or later.

    Args:
        supervisor: whose turn this is.
        incarnation: the number under which the supervisor knows it.
        spec: it starts by its class, in the pool, has no name and no `__init__` of its own.
    """
    if supervisor._process.ended:
        return None
    try:
        launch: Any = spec._launch
    except AttributeError:
        launch = launch_of(spec)
    try:
        if not launch.is_quick:
            return _start_slowly(supervisor, incarnation, spec, launch)
        process = make(launch.cls)
    except BaseException as error:  # noqa: BLE001  it fails this start alone
        supervisor._otp_news.append(failed_start(incarnation, spec, error))
        return None
    news = _come_up(supervisor, incarnation, spec, process)
    if news is not None:
        supervisor._otp_news.append(news)
        return None
    return process.actor_ref


def _come_up(supervisor: StartingActor, incarnation: int, spec: ChildSpec, process: Process) -> Any:
    """Have a child that nobody knows yet come up; return the event that tells why it did not."""
    here = current.here
    actor, ref, outer = process.actor, process.actor_ref, here.process
    process.parent, process.incarnation = supervisor._process, incarnation
    process.dispatcher, process._thread_id = pool, here.ident
    process.initialised = process._came_up = True
    news: Any = None
    try:
        supervisor._otp_prepare(process, spec)
        enlist(ref)
        if process.ended:
            # Killed by who found it under its name; that came before it was listed.
            strike(ref, None)
        supervisor._otp_take_in(process, spec, incarnation)
        here.process = process
        outcome = actor._otp_begin(spec.args, spec._launch.kwargs)
        if outcome is READY:
            actor._otp_after_start()
        elif outcome is IGNORED:
            news = ChildIgnored(incarnation)
            _withdraw(process, Normal())
        else:
            text = f"{type(actor).__name__}.init() returned a {type(outcome).__name__}"
            raise TypeError(text)  # noqa: TRY301  as one that init raises
    except BaseException as error:  # noqa: BLE001  whatever init raises fails the start alone
        cause = error
        if here.process is process:
            refused = error.reason if isinstance(error, Refused) else crashed(error)
            cause = start_error(type(actor), refused)
        news = failed_start(incarnation, spec, cause)
        _withdraw(process, news.reason)
    finally:
        here.process = outer
    hand_on(process, here)
    return news


def _withdraw(process: Process, reason: ExitReason) -> None:
    """End a process that did not come up; its supervisor is told by an event and nothing else."""
    process.initialised = process._came_up = False
    process.finish(reason)


def _start_slowly(
    supervisor: StartingActor, incarnation: int, spec: ChildSpec, launch: Launch
) -> Any:
    """Start one whose start may go on after its first turn, such as a supervisor."""
    process = supervisor._otp_make(launch, incarnation, spec, pool)
    outcome = process._on_started = _Outcome(process._on_started)
    here = current.here
    up = run_init(process, spec.args, launch.kwargs, here) is not None
    hand_on(process, here)
    return process.actor_ref if up or outcome.came_up() else None


class _Outcome:
    """Takes how a start ended; after the first turn, its supervisor is to be told instead."""

    __slots__ = ("_tell", "_turn", "_up")

    def __init__(self, tell: Any) -> None:
        self._tell = tell
        self._up = False
        # Taken out by whoever comes first: one step, for the end may come in another thread.
        self._turn = [None]

    def __call__(self, outcome: Started | StartIgnored | StartFailed) -> None:
        if isinstance(outcome, Started):
            self._up = True
            if self._is_first():
                return
        self._tell(outcome)

    def came_up(self) -> bool:
        """Tell whether it has come up; asked once, after the first turn."""
        return not self._is_first() and self._up

    def _is_first(self) -> bool:
        try:
            self._turn.pop()
        except IndexError:
            return False
        return True
