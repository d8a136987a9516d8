"""The future of a push: a `Reply` whose value is known to be the server's `PushReply`.

It keeps the books of pushes (C181). Each push that is offered is counted as `pushes`, and ends in
exactly one of the counters `push_replied`, `push_refused`, `push_dropped`, `push_timeouts` and
`push_lost`. A refused one raises in its caller; each of the others ends by its future.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.advice import AFTER_INIT
from phoenix_actors.errors import PhoenixError, PushTimeout, QueueFull, WouldDeadlock
from phoenix_actors.link.inbound import reading_on
from phoenix_actors.link.push_span import PushSpan
from phoenix_actors.link.scheduling import joins_below, without_waiting
from phoenix_actors.message import PushReply
from phoenix_actors.telemetry import PUSH_FAILED, emit
from supervisors import Reply
from supervisors._runtime.current import current

if TYPE_CHECKING:
    from phoenix_actors.link.counters import Counters
    from phoenix_actors.link.wire import Wire

__all__ = ["PUSH_ENDS", "PushFuture", "push_books"]

PUSH_REFUSED: Final = "push_refused"
PUSH_REPLIED: Final = "push_replied"
# Every push ends in one of these.
PUSH_ENDS: Final = (PUSH_REPLIED, PUSH_REFUSED, "push_dropped", "push_timeouts", "push_lost")


def push_books(counts: dict[str, int]) -> dict[str, int]:
    """Return what became of the pushes that a snapshot of counters tells of.

    Example:
        >>> push_books({"pushes": 3, "push_replied": 1, "push_lost": 1})["waiting"]
        1
    """
    offered = counts.get("pushes", 0)
    ends = {name: counts.get(name, 0) for name in PUSH_ENDS}
    books = {name.removeprefix("push_"): count for name, count in ends.items()}
    return {"offered": offered, **books, "waiting": offered - sum(ends.values())}


class PushFuture(Reply):
    """What `push` returns; ignore it and the push is fire and forget.

    `get` and `result` wait for the reply and raise PushTimeout, ConnectionLost or ChannelClosed; an
    error reply of the server is a value. `await` works too, and callbacks; see `supervisors.Reply`.

    Example:
        >>> future = PushFuture()
        >>> future.settle(PushReply("ok", {"id": 1}))
        True
        >>> future.get(timeout=1).unwrap()
        {'id': 1}
    """

    # What was pushed, and where; None in a future that nobody has pushed.
    topic: Any
    event: Any
    # Where somebody listens to the events of pushes.
    span: PushSpan | None = None

    def __init__(
        self,
        counters: Counters | None = None,
        topic: str | None = None,
        event: str | None = None,
        wire: Wire | None = None,
    ) -> None:
        """Made by `push`, for an event on a topic; its end is counted in `counters`, if any."""
        # As Reply does, without its call.
        self._cell = []
        self._callbacks = None
        self.counters = counters
        self.topic = topic
        self.event = event
        # Where the answer will come from, once the push is on its way.
        self.wire = wire

    def settle(self, value: Any) -> bool:
        """Give the reply; tell whether it was the first outcome."""
        return self._settle((True, value))

    def settle_counted(self, reply: PushReply) -> None:
        """Give the reply, which is counted already, as by `settle`; in the thread that reads."""
        outcome = (True, reply)
        cell = self._cell
        cell.append(outcome)
        if cell[0] is not outcome:
            # Another thread settled it in this very moment; its count is the one that is right.
            del cell[1:]
            if self.counters is not None:
                self.counters.add(PUSH_REPLIED, -1)
        elif self._callbacks is not None or self.span is not None:
            # Code of the user's may run. Nobody who waits by reading is to be told: this one reads.
            without_waiting(self._tell, PUSH_REPLIED, outcome)

    def _settle(self, outcome: tuple[bool, Any]) -> bool:
        """Count the end, then let whoever waits know of it."""
        counters = self.counters
        if counters is None:
            return super()._settle(outcome)
        ok, error = outcome
        name = PUSH_REPLIED if ok else _failed(error)
        first = not self._cell and counters.end(name, self._cell, outcome)
        if self.wire is not None:
            # Its time-out, or the loss of the connection: a caller may read until it is there.
            self.wire.stop_reading()
        if first:
            self._tell(name, outcome)
        else:
            # The first may have been interrupted before it told anybody.
            self._run_callbacks()
        return first

    def refuse(self, error: PhoenixError) -> None:
        """End it by an error that its caller gets at once: it was neither sent nor kept."""
        counters = self.counters
        # One that could not be encoded was no push yet.
        if counters is None or not counters.end(PUSH_REFUSED, self._cell, (False, error)):
            return
        if self.span is not None:
            self.span.stop("refused")

    def _tell(self, name: str, outcome: tuple[bool, Any]) -> None:
        """Tell of the end whoever called for that."""
        if self._callbacks is not None:
            self._run_callbacks()
        ok, error = outcome
        if self.span is not None:
            status = getattr(error, "status", None) if ok else None
            self.span.stop(name.removeprefix("push_"), status)
        if not ok and not getattr(error, "dropped", False):  # a drop is told where it happens
            emit(
                PUSH_FAILED,
                topic=self.topic,
                event=self.event,
                end=name.removeprefix("push_"),
                error=type(error).__name__,
            )

    def get(self, *, timeout: float | timedelta | None = None) -> PushReply:
        """Return the reply, waiting up to `timeout` seconds; None waits for the push's own timeout.

        Raises:
            PushTimeout, ConnectionLost, ChannelClosed: there will be no reply.
            CallTimeout: not within this `timeout`.
            WouldDeadlock: on the reader thread, and in `init` of its own channel, which joins after
                that.
        """
        cell = self._cell
        if not cell:
            here = current.here
            wire = self.wire
            if here.host is not None or here.process is not None:
                if wire is None and joins_below(self.topic, self.counters):
                    operation = "get() of a push in init of its own channel"
                    raise WouldDeadlock(operation, AFTER_INIT)
                with reading_on():
                    return super().get(timeout=timeout)  # type: ignore[no-any-return]
            if wire is not None:
                # A plain thread reads the answer itself, where that can be.
                if isinstance(timeout, timedelta):
                    timeout = timeout.total_seconds()
                timeout = wire.read_for(self, timeout)
        if not cell:
            return super().get(timeout=timeout)  # type: ignore[no-any-return]
        ok, value = cell[0]
        if ok:
            reply: PushReply = value
            return reply
        raise value

    def result(self, timeout: float | timedelta | None = None) -> PushReply:
        """Return the reply like get()."""
        return self.get(timeout=timeout)


def _failed(error: Any) -> str:
    """Return the counter of a push that ends by an error."""
    if isinstance(error, PushTimeout):
        return "push_timeouts"
    return "push_dropped" if isinstance(error, QueueFull) else "push_lost"
