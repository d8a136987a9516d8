"""When a circuit breaker lets a call through.

::

    CLOSED ──── threshold failures in a row ───▶ OPEN
      ▲                                          │ the pause is over
      └── the trial succeeded ── HALF_OPEN ◀─────┘
                                     └── the trial failed, or was not heard of: OPEN, longer pause

Laws:

- While OPEN nothing is let through; while HALF_OPEN one call at a time, the trial.
- A success while CLOSED forgets the failures before it.
- Each change of state begins a new *round*; what a call of an earlier round reports is ignored.
- A trial that reports nothing for a whole pause is given up for another one, so that a lost call
  cannot keep the circuit from closing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from supervisors._machines.backoff import Backoff

__all__ = ["CircuitMachine", "CircuitState", "Permit", "Refusal"]


class CircuitState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Permit(msgspec.Struct, frozen=True):
    """The call may begin; its outcome is reported with this."""

    round: int


class Refusal(msgspec.Struct, frozen=True):
    """The call may not begin; in so many seconds another one may."""

    retry_after: float


class CircuitMachine:
    """The state of one circuit; not safe for threads by itself."""

    def __init__(
        self, failure_threshold: int, pauses: Backoff, chance: Callable[[], float]
    ) -> None:
        """Start closed; `chance` gives numbers from 0 to 1 for the jitter of pauses."""
        self.failure_threshold = failure_threshold
        self.pauses = pauses
        self.chance = chance
        self.state = CircuitState.CLOSED
        self.failures = 0
        self._openings = 0
        self._round = 0
        self._pause = 0.0
        self._until = 0.0

    def begin(self, now: float) -> Permit | Refusal:
        """A call wants to begin."""
        if self.state is CircuitState.CLOSED:
            return Permit(self._round)
        if now < self._until:
            return Refusal(self._until - now)
        self._enter(CircuitState.HALF_OPEN)
        self._until = now + self._pause
        return Permit(self._round)

    def succeeded(self, permit: Permit) -> None:
        """A call that was let through went well."""
        if permit.round != self._round:
            return
        self.failures = 0
        if self.state is CircuitState.HALF_OPEN:
            self._openings = 0
            self._enter(CircuitState.CLOSED)

    def failed(self, permit: Permit, now: float) -> None:
        """A call that was let through failed."""
        if permit.round != self._round:
            return
        self.failures += 1
        if self.state is CircuitState.HALF_OPEN or self.failures >= self.failure_threshold:
            self._openings += 1
            self._pause = self.pauses.delay(self._openings, self.chance())
            self._until = now + self._pause
            self._enter(CircuitState.OPEN)

    def abandoned(self, permit: Permit, now: float) -> None:
        """A call that was let through ended in a way that says nothing; a trial may be had anew."""
        if permit.round == self._round and self.state is CircuitState.HALF_OPEN:
            self._enter(CircuitState.OPEN)
            self._until = now

    def reset(self) -> None:
        """Close, and forget."""
        self.failures = self._openings = 0
        self._enter(CircuitState.CLOSED)

    def _enter(self, state: CircuitState) -> None:
        self.state = state
        self._round += 1
