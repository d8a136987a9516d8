"""What an idle supervisor's machine does in one step, without the commands in between.

Most of these ask for what the operation of the same name in `requests` would do, and do it only
where that would wait for nothing but the start itself; `begin_restart` does what an end by itself
leads to, where that is a restart of that child alone. Laws: what is refused here has changed
nothing; what is granted leaves the machine as the operation would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._machines.children import ChildState
from supervisors._machines.requests import child_was_started, refusal_to_start
from supervisors._machines.restarting import GroupStart
from supervisors.child_spec import BRUTAL_KILL, ChildSpec, Restart, Strategy
from supervisors.exits import ExitReason, is_abnormal

if TYPE_CHECKING:
    from supervisors._machines.children import Child
    from supervisors._machines.supervision import StartOutcome, SupervisionMachine

__all__ = ["begin_restart", "begin_start", "end_child", "finish_start"]


class _Starting:
    """The operation that waits for the outcome of a start; as a generator, but made in one step."""

    __slots__ = ("child", "machine", "token")

    def __init__(self, machine: SupervisionMachine, child: Child, token: Any) -> None:
        self.machine = machine
        self.child = child
        self.token = token

    def send(self, outcome: StartOutcome) -> Any:
        """Take the outcome; there is nothing else to wait for."""
        self.machine.note_start(self.child, outcome)
        child_was_started(self.machine, self.child, self.token, outcome)
        raise StopIteration


def begin_start(machine: SupervisionMachine, spec: ChildSpec, token: Any) -> Child | None:
    """Know a new child that is being started; None, undone, where more is to be done than that.

    Its outcome comes by `finish_start`, or as an event.

    Args:
        machine: of the supervisor.
        spec: of the child.
        token: given back with the answer, if the outcome comes as an event; None where nothing can
            come in between, and the child is marked as running, or removed, before the next event.
    """
    if machine.operation is not None or machine.waiting or machine.over:
        return None
    flags, children = machine.flags, machine.children
    if machine.deadline is not None or flags.template is not None:
        return None
    # Where there is no bound, nothing is refused but what is significant.
    bounded = not flags.dynamic or flags.max_children is not None or spec.significant
    if bounded and refusal_to_start(machine, spec) is not None:
        return None
    child = children.add_begun(spec)
    if token is not None:
        machine.starting = number = child.incarnation
        machine.awaited = (number,)
        machine.operation = _Starting(machine, child, token)
    return child


def finish_start(machine: SupervisionMachine, child: Child, ref: Any) -> bool:
    """Take a child of `begin_start` as started; False, undone, where it has to come as an event."""
    if machine.starting != child.incarnation or machine.stillborn is not None:
        return False
    if machine.waiting or machine.stopping:
        return False
    machine.operation, machine.awaited, machine.starting = None, (), 0
    machine.children.mark_running(child, ref, machine.now)
    return True


def end_child(machine: SupervisionMachine, id_or_ref: Any) -> bool:
    """End and forget a child whose end takes no time; False, undone, where it is not so."""
    if machine.operation is not None or machine.waiting or machine.over:
        return False
    children = machine.children
    child = children.find(id_or_ref)
    if child is None or child.state is not ChildState.RUNNING:
        return False
    spec = child.spec
    # Nothing was ordered before, so nothing is overtaken; and no news of its end waits.
    if spec.shutdown is BRUTAL_KILL or not machine.end_now([child.incarnation]):
        return False
    if children.dynamic or spec.restart is Restart.TEMPORARY:
        children.remove(child)
    else:
        children.mark_stopped(child)
    return True


def begin_restart(
    machine: SupervisionMachine, incarnation: int, reason: ExitReason, now: float
) -> tuple[Child, Any] | None:
    """Charge the restart of a child that has ended by itself, and begin with it.

    To be carried out is then what `handle` answers to this ChildExited: the report of the end, and
    the start.

    Returns:
        The child, begun, and the reference of the instance that has ended; None, undone, where more
        is to be done than that, or something else.
    """
    flags, children = machine.flags, machine.children
    if machine.operation is not None or machine.waiting or machine.over:
        return None
    if flags.strategy is not Strategy.ONE_FOR_ONE or flags.backoff or flags.budget_per_child:
        return None
    child = children.by_incarnation(incarnation)
    if child is None or child.state is not ChildState.RUNNING or machine.stuck:
        return None
    spec = child.spec
    kind = spec.restart
    if spec.backoff or (kind is not Restart.PERMANENT and not _is_restarted(kind, reason)):
        return None
    if not machine.budget.charge_if_borne(now):
        return None
    machine.now = now
    ref = child.ref
    machine.starting = number = children.begin_anew(child, reason)
    machine.awaited = (number,)
    machine.operation = machine.row = GroupStart(machine, [child], first=False)
    machine.row.at = 0
    return child, ref


def _is_restarted(kind: Restart, reason: ExitReason) -> bool:
    return kind is Restart.TRANSIENT and is_abnormal(reason)
