"""What the commands of a supervisor's machine come to, but for the start of a child."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from supervisors._machines.vocabulary import (
    AnswerRequest,
    ArmTimer,
    CancelTimer,
    ConfirmStart,
    EmitReport,
    FinishSupervisor,
    KillChild,
    RefuseRequest,
    RefuseStart,
    Report,
    RetryLater,
    StopChild,
    TimerFired,
    TimerKind,
)
from supervisors._runtime.awaiting import refusal
from supervisors._runtime.ending import kill_tree
from supervisors._runtime.first_turn import confirm
from supervisors._runtime.items import ChildStop, Urge
from supervisors._runtime.outcomes import StartFailed
from supervisors._runtime.reply import Reply
from supervisors._runtime.starting import StartingActor
from supervisors._runtime.timers import Timer, timers
from supervisors.child_spec import ChildSpec
from supervisors.errors import StartError
from supervisors.exits import Shutdown
from supervisors.telemetry import execute, wanted

__all__ = ["DEEDS", "REPORTED", "CommandedActor"]

_SHUTDOWN = Shutdown()
REPORTED = {
    kind: ("supervisors", "supervisor" if kind is Report.GAVE_UP else "child", str(kind))
    for kind in Report
}
"""The telemetry event of each kind of report."""


class CommandedActor(StartingActor):
    """The part of a supervisor that carries out commands; each may add to the news."""

    _otp_timers: dict[tuple[TimerKind, int], Timer]
    _otp_asked: set[Reply]

    def _otp_stop_child(self, command: StopChild) -> None:
        process = self._otp_lives.get(command.incarnation)
        if process is not None:
            process.order_from_supervisor(ChildStop(_SHUTDOWN, deadline=command.deadline))
            self._otp_refuse_waiting()

    def _otp_refuse_waiting(self, _: object = None) -> None:
        """Refuse the requests whose turn cannot come before the children have ended that wait."""
        process, above = self._process, self._process.parent
        awaited = self._otp_is_awaited or not process._came_up
        if awaited and above is not None and above.actor._otp_asked:
            # They may wait for one above, which waits for this one.
            above.order(Urge(above.actor._otp_refuse_waiting))  # type: ignore[attr-defined]
        machine = self._otp_machine
        if machine is None or not self._otp_asked:
            return
        refused = {reply for reply in machine.waiting_tokens() if self._otp_refuses(reply)}
        if refused:
            machine.withdraw(refused)

    def _otp_refuses(self, reply: Any) -> bool:
        """Refuse a request from within a child that this supervisor waits for; tell whether so."""
        asker = getattr(reply, "ref", None)
        if asker is None or asker.process is None:
            return False
        process = self._process
        error = refusal(process.actor_ref, process, asker.process)
        if error is None:
            return False
        self._otp_asked.discard(reply)
        reply.fail(error)
        return True

    def _otp_kill_child(self, command: KillChild) -> None:
        process = self._otp_lives.get(command.incarnation)
        if process is not None:
            if command.whole:
                kill_tree(process)
            else:
                process.kill()

    def _otp_arm(self, command: ArmTimer) -> None:
        kind, incarnation = command.kind, command.incarnation
        if kind is TimerKind.STOP_DEADLINE:
            process = self._otp_lives.get(incarnation)
            if process is None or process.ended:
                return  # The news of it is on its way.
        replaced = self._otp_timers.pop((kind, incarnation), None)
        if replaced is not None:
            replaced.cancel()
        fired = TimerFired(kind, incarnation)
        timer = timers.after(command.delay, lambda: self._process.post(fired))
        self._process.keep_timer(timer)
        self._otp_timers[kind, incarnation] = timer

    def _otp_disarm(self, command: CancelTimer) -> None:
        if self._otp_timers:
            cancelled = self._otp_timers.pop((command.kind, command.incarnation), None)
            if cancelled is not None:
                cancelled.cancel()

    def _otp_retry_later(self, command: RetryLater) -> None:
        self._process.post(TimerFired(TimerKind.RETRY, command.incarnation))

    def _otp_answer(self, command: AnswerRequest) -> None:
        token = command.token
        self._otp_asked.discard(token)
        token.settle(command.value)

    def _otp_refuse_request(self, command: RefuseRequest) -> None:
        token = command.token
        self._otp_asked.discard(token)
        token.fail(command.error)

    def _otp_confirm(self, _: ConfirmStart) -> None:
        confirm(self._process)

    def _otp_finish(self, command: FinishSupervisor) -> None:
        self._process.end(command.reason)

    def _otp_refuse_start(self, command: RefuseStart) -> None:
        reason, child_id = command.reason, command.child_id
        text = f"{type(self).__name__} did not start: its child {child_id!r} did not"
        error = StartError(text, reason=reason, child_id=child_id)
        error.__cause__ = command.error
        outcome = StartFailed(reason, error)
        self._process.fail_start(outcome, lambda: self._process.finish(reason))

    def _otp_report(self, report: EmitReport) -> None:
        event = REPORTED[report.kind]
        quiet = report.requested and report.kind is Report.CHILD_STARTED
        if not wanted(event, quiet=quiet):
            return
        spec = self._otp_shown(report.spec)
        execute(
            event,
            {"count": 1, "restarts": report.restarts},
            {
                "supervisor": self._process.path(),
                "child": spec.id,
                "ref": report.ref,
                "reason": report.reason,
                "spec": spec,
                "requested": report.requested,
            },
        )

    def _otp_shown(self, spec: ChildSpec) -> ChildSpec:
        """Let a subclass tell of a child's specification in other words."""
        return spec


# How each command is carried out; a subclass may have reports of its own.
DEEDS: dict[type, Callable[[CommandedActor, Any], None]] = {
    StopChild: CommandedActor._otp_stop_child,
    KillChild: CommandedActor._otp_kill_child,
    ArmTimer: CommandedActor._otp_arm,
    CancelTimer: CommandedActor._otp_disarm,
    RetryLater: CommandedActor._otp_retry_later,
    AnswerRequest: CommandedActor._otp_answer,
    RefuseRequest: CommandedActor._otp_refuse_request,
    ConfirmStart: CommandedActor._otp_confirm,
    RefuseStart: CommandedActor._otp_refuse_start,
    FinishSupervisor: CommandedActor._otp_finish,
}
