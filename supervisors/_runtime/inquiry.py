"""A question to one process, answered in its own turn between two messages, before queued ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from supervisors._runtime.current import current
from supervisors._runtime.items import Urge
from supervisors._runtime.reply import Reply
from supervisors._runtime.tracing import forget_traceback
from supervisors.clock import as_seconds
from supervisors.errors import CallTimeout, NoProcError, SelfCallError

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["Inquiry", "inquire"]


class Inquiry(Urge):
    """Control lane: answer `question(process)` to who waits for `future`.

    Whatever the question raises goes to the asker; the process lives on.
    """

    __slots__ = ("_claim", "_question", "future")

    def __init__(self, question: Callable[[Process], Any]) -> None:
        """Keep the question; nobody has begun to answer it."""
        super().__init__(self._answer)
        self.future = Reply()
        self._question = question
        self._claim = threading.Lock()

    def take(self) -> bool:
        """Claim the question, to answer it or to withdraw it; True for the first only."""
        return self._claim.acquire(blocking=False)

    def _answer(self, process: Process) -> None:
        if not self.take():
            return
        try:
            answer = self._question(process)
        except Exception as error:  # noqa: BLE001  the asker's own function; the actor lives on
            forget_traceback(error)
            self.future.fail(error)
        except BaseException as error:  # noqa: BLE001  raised at the asker it would end that one
            self.future.fail(RuntimeError(f"the function raised {type(error).__name__}"))
        else:
            self.future.settle(answer)


def inquire(
    ref: Any,
    process: Process | None,
    question: Callable[[Process], Any],
    timeout: float | timedelta | None,
) -> Any:
    """Return the answer of `ref`'s process to `question`, waiting up to `timeout` seconds.

    Raises:
        CallTimeout: the actor was busy; a question that it had not begun is withdrawn.
        NoProcError: the actor is dead, or ended before it answered.
        SelfCallError: an actor asks itself.
    """
    seconds = as_seconds(timeout, "timeout")
    if process is None:
        raise NoProcError(ref)
    if current.process is process:
        raise SelfCallError(ref)
    inquiry = Inquiry(question)
    process.order(inquiry)
    try:
        return inquiry.future.get(timeout=seconds)
    except CallTimeout:
        inquiry.take()
        raise
