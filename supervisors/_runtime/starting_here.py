"""Children that a supervisor starts in its own turn, without a turn of the child's around it.

For supervisors of this library whose children run nothing of a user's in their init: it would keep
the supervisor from obeying a stop, and from answering, for as long as it takes. The start is the
child's first turn, as in `first_turn`; what is spared are the steps from turn to turn. Law: what
others order meanwhile is obeyed when the child is up, and the supervisor told of it as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._runtime.current import current
from supervisors._runtime.first_turn import hand_on, run_init
from supervisors._runtime.launching import launch_of
from supervisors._runtime.outcomes import Started, StartFailed, StartIgnored
from supervisors._runtime.pool import pool
from supervisors._runtime.starting import failed_start

if TYPE_CHECKING:
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
        process = supervisor._otp_make(launch, incarnation, spec, pool)
    except BaseException as error:  # noqa: BLE001  it fails this start alone
        supervisor._otp_news.append(failed_start(incarnation, spec, error))
        return None
    here = current.here
    if launch.is_quick:
        up = run_init(process, spec.args, launch.kwargs, here) is not None
        hand_on(process, here)
    else:
        outcome = process._on_started = _Outcome(process._on_started)
        run_init(process, spec.args, launch.kwargs, here)
        hand_on(process, here)
        up = outcome.came_up()
    return process.actor_ref if up else None


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
