"""The events of one push, from the call of `push` to its end; made only where somebody listens."""

from __future__ import annotations

from phoenix_actors.telemetry import PUSH_START, PUSH_STOP, Span
from supervisors._runtime.timers import timers
from supervisors.telemetry import wanted

__all__ = ["PushSpan", "push_span"]


class PushSpan:
    """A push that is under way. `stop` is called once, by whoever ends the push.

    Example:
        >>> span = PushSpan("room:lobby", "shout")
        >>> span.start()
        >>> span.stop("replied", "ok")
    """

    __slots__ = ("_began", "_span", "_told")

    def __init__(self, topic: str, event: str) -> None:
        """Begin now."""
        self._told = {"topic": topic, "event": event}
        self._began = timers.clock.now()
        self._span = Span(PUSH_START, PUSH_STOP)

    def start(self) -> None:
        """Tell of the beginning, in the thread of whoever pushes."""
        self._span.emit(PUSH_START, **self._told)

    def stop(self, end: str, status: str | None = None) -> None:
        """Tell of the end.

        Args:
            end: "replied", "refused", "dropped", "timeouts" or "lost", as the books of pushes say.
            status: that of the reply, if there is one.
        """
        took = {"duration_seconds": timers.clock.now() - self._began}
        self._span.emit(PUSH_STOP, took, **self._told, end=end, status=status)


def push_span(topic: str, event: str) -> PushSpan | None:
    """Begin the events of a push and tell the first; None where nobody listens.

    Example:
        >>> push_span("room:lobby", "shout") is None
        True
    """
    if not (wanted(PUSH_STOP) or wanted(PUSH_START)):
        return None
    span = PushSpan(topic, event)
    span.start()
    return span
