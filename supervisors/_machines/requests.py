"""What callers ask of a supervisor, each as an operation of its machine (S89-S99, S104-S113)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from supervisors._machines.children import ChildState
from supervisors._machines.vocabulary import (
    AnswerRequest,
    Appended,
    ChildFailed,
    ChildIgnored,
    ChildStarted,
    RefuseRequest,
    Report,
    RequestVerb,
    SupervisorInfo,
)
from supervisors.child_spec import ChildSpec, Restart, check_significant
from supervisors.errors import (
    AlreadyPresentError,
    AlreadyStartedError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ChildSpecError,
    ChildStuckError,
    MaxChildrenError,
    SpecProblem,
    UnsupportedRequestError,
)

if TYPE_CHECKING:
    from supervisors._machines.children import Child
    from supervisors._machines.supervision import Operation, StartOutcome, SupervisionMachine

__all__ = ["REQUESTS", "child_was_started", "describe", "refusal_to_start"]


def _start_child(
    machine: SupervisionMachine, token: Any, wanted: ChildSpec | Appended
) -> Operation:
    """Start a new child at the end of the order; a failure leaves nothing behind (S90-S92)."""
    try:
        spec = _by_template(machine.flags.template, wanted)
    except ChildSpecError as error:
        machine.emit(RefuseRequest(token, error))
        return
    refusal = refusal_to_start(machine, spec)
    if refusal is not None:
        machine.emit(RefuseRequest(token, refusal))
        return
    child = machine.children.add(spec)
    outcome = yield from machine.start(child)
    child_was_started(machine, child, token, outcome)


def child_was_started(
    machine: SupervisionMachine, child: Child, token: Any, outcome: StartOutcome
) -> None:
    """Answer who asked for a new child."""
    match outcome:
        case ChildStarted(_, ref):
            machine.report(Report.CHILD_STARTED, child, requested=True)
            machine.emit(AnswerRequest(token, ref))
        case ChildIgnored():
            forget = machine.flags.dynamic or child.spec.restart is Restart.TEMPORARY
            machine.drop_if(child, forget)
            machine.emit(AnswerRequest(token, None))
        case ChildFailed(_, reason, error):
            machine.report(Report.START_FAILED, child, reason, requested=True)
            machine.children.remove(child)
            machine.emit(RefuseRequest(token, error))


def _by_template(template: ChildSpec | None, wanted: ChildSpec | Appended) -> ChildSpec:
    """Append the arguments to the template's, where the supervisor has one (S104)."""
    if isinstance(wanted, Appended):
        if template is not None:
            args, kwargs = (*template.args, *wanted.args), {**template.kwargs, **wanted.kwargs}
            return template.with_(args=args, kwargs=kwargs)
        text = "this supervisor has no template: give start_child() a child, not only arguments"
    elif template is None:
        return wanted
    else:
        text = (
            f"this supervisor starts children of its template {template.id!r} only: "
            "give start_child(args=(...)) what is to be appended to its arguments"
        )
    raise ChildSpecError(SpecProblem.NOT_A_SPEC, text)


def refusal_to_start(machine: SupervisionMachine, spec: ChildSpec) -> Exception | None:
    """Return the error for a child that must not be started, else None."""
    children = machine.children
    if spec.significant:
        try:
            check_significant(spec, machine.flags.auto_shutdown)
        except ChildSpecError as error:
            return error
    if machine.flags.dynamic:
        bound = machine.flags.max_children
        return MaxChildrenError(bound) if bound is not None and len(children) >= bound else None
    present = children.find(spec.id)
    if present is None:
        return ChildStuckError(spec.id) if machine.stuck.blocks(spec) else None
    if present.state is ChildState.RUNNING:
        return AlreadyStartedError(spec.id, present.ref)
    return AlreadyPresentError(spec.id)


def _terminate_child(machine: SupervisionMachine, token: Any, id_or_ref: Any) -> Operation:
    """Stop the child, or cancel its next attempt; repeating it is fine (S72, S93)."""
    child = machine.children.find(id_or_ref)
    if child is None:
        machine.emit(RefuseRequest(token, ChildNotFoundError(id_or_ref)))
        return
    yield from machine.stop(child)
    if machine.flags.dynamic or child.spec.restart is Restart.TEMPORARY:
        machine.children.remove(child)
    machine.emit(AnswerRequest(token, None))


def _restart_child(machine: SupervisionMachine, token: Any, child_id: Any) -> Operation:
    """Start a stopped child from its stored specification; costs no restart (S94, S95)."""
    child = _stopped_child(machine, token, child_id, "restart_child")
    if child is None:
        return
    outcome = yield from machine.start(child)
    match outcome:
        case ChildStarted(_, ref):
            child.restarts += 1
            machine.report(Report.CHILD_STARTED, child, requested=True)
            machine.emit(AnswerRequest(token, ref))
        case ChildIgnored():
            machine.emit(AnswerRequest(token, None))
        case ChildFailed(_, reason, error):
            machine.report(Report.START_FAILED, child, reason, requested=True)
            machine.emit(RefuseRequest(token, error))


def _delete_child(machine: SupervisionMachine, token: Any, child_id: Any) -> Operation:
    """Forget a stopped child (S96)."""
    child = _stopped_child(machine, token, child_id, "delete_child")
    if child is not None:
        machine.children.remove(child)
        machine.emit(AnswerRequest(token, None))
    return
    yield  # an operation is a generator, this one waits for nothing


def _stopped_child(
    machine: SupervisionMachine, token: Any, child_id: Any, request: str
) -> Child | None:
    """Return the child if it is stopped; else refuse the request with the fitting error."""
    child = machine.children.find(child_id)
    error: Exception
    if machine.flags.dynamic:
        error = UnsupportedRequestError(request)
    elif child is None:
        error = ChildNotFoundError(child_id)
    elif child.state is ChildState.RUNNING:
        error = ChildRunningError(child_id)
    elif child.state is ChildState.RESTARTING:
        error = ChildRestartingError(child_id)
    elif request == "restart_child" and machine.stuck.blocks(child.spec):
        error = ChildStuckError(child_id)
    else:
        return child
    machine.emit(RefuseRequest(token, error))
    return None


def _which_children(machine: SupervisionMachine, token: Any, _: Any) -> None:
    """List the children, of a static supervisor in reverse start order (S97, S112)."""
    children = list(machine.children)
    if not machine.flags.dynamic:
        children.reverse()
    infos = [child.info(machine.now, dynamic=machine.flags.dynamic) for child in children]
    machine.emit(AnswerRequest(token, infos))


def _count_children(machine: SupervisionMachine, token: Any, _: Any) -> None:
    machine.emit(AnswerRequest(token, machine.children.counts()))


def _get_childspec(machine: SupervisionMachine, token: Any, id_or_ref: Any) -> None:
    """Answer the specification with every default filled in (S16)."""
    child = machine.children.find(id_or_ref)
    if child is None:
        machine.emit(RefuseRequest(token, ChildNotFoundError(id_or_ref)))
    else:
        machine.emit(AnswerRequest(token, child.spec))


def describe(machine: SupervisionMachine, now: float) -> SupervisorInfo:
    """Return rules, budget and children at the moment `now`, in the middle of anything (S193)."""
    flags, dynamic = machine.flags, machine.flags.dynamic
    children = tuple(
        (child.spec.id, child.info(now, dynamic=dynamic)) for child in machine.children
    )
    return SupervisorInfo(
        str(flags.strategy),
        flags.max_restarts,
        flags.max_seconds,
        None if flags.budget_per_child else machine.budget.counted(now),
        dynamic,
        children,
    )


def _describe(machine: SupervisionMachine, token: Any, _: Any) -> None:
    machine.emit(AnswerRequest(token, describe(machine, machine.now)))


def _resize(machine: SupervisionMachine, token: Any, wanted: Any) -> Operation:
    from supervisors._machines.partitions import resize

    return resize(machine, token, wanted)


REQUESTS: Mapping[RequestVerb, Callable[[SupervisionMachine, Any, Any], Operation | None]] = {
    RequestVerb.START_CHILD: _start_child,
    RequestVerb.TERMINATE_CHILD: _terminate_child,
    RequestVerb.RESTART_CHILD: _restart_child,
    RequestVerb.DELETE_CHILD: _delete_child,
    RequestVerb.WHICH_CHILDREN: _which_children,
    RequestVerb.COUNT_CHILDREN: _count_children,
    RequestVerb.GET_CHILDSPEC: _get_childspec,
    RequestVerb.DESCRIBE: _describe,
    RequestVerb.RESIZE: _resize,
}
