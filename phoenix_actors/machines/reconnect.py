"""How long to wait before the next attempt to connect or to join.

Defaults are phoenix.js's steps, spread by chance so that the clients of a restarted server do not
come all at once (C106, C107). Attempts are counted from 1. Chance comes in as a sample from 0 to 1.

| what happened | delay |
| --- | --- |
| an open connection was lost, first attempt | from 0 to 1 s |
| it was lost again before it had lasted `stable_time` | the same, at least the step |
| an attempt failed | 0.5 to 1.5 × the step |
| an attempt was refused by HTTP | the above, 1 s to 10 s; at least what Retry-After says |

No step is longer than `ceiling`. A user's own `backoff` or `refusal_backoff` is taken without
jitter and without these bounds, but for the ceiling and Retry-After.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from phoenix_actors.errors import HandshakeRefused, PhoenixError
from phoenix_actors.options import Schedule, SteppedDelays
from phoenix_actors.options.checks import seconds

if TYPE_CHECKING:
    from phoenix_actors.options import SocketOptions

__all__ = ["RECONNECT_STEPS", "REJOIN_STEPS", "ReconnectPolicy", "RejoinPolicy", "step"]

RECONNECT_STEPS: Final = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0)

REJOIN_STEPS: Final = (1.0, 2.0, 5.0, 10.0)

_SPREAD_AFTER_LOSS: Final = 1.0
_REFUSAL_MINIMUM: Final = 1.0
_REFUSAL_MAXIMUM: Final = 10.0
# A day: a server that asks for more is not waited for longer.
_RETRY_AFTER_MAXIMUM: Final = 86_400.0


def step(schedule: Schedule, attempt: int, sample: float = 0.5) -> float:
    """Return the seconds that a schedule has for an attempt, from 1; a list's last step repeats.

    Raises:
        InvalidOption: when a function gives something else than seconds.

    Example:
        >>> [step([1.0, 2.0, 5.0], attempt) for attempt in (1, 2, 3, 4)]
        [1.0, 2.0, 5.0, 5.0]
        >>> step(lambda attempt: attempt * 0.5, 3)
        1.5
    """
    if isinstance(schedule, SteppedDelays):
        return seconds("backoff", schedule.delay(attempt, sample))
    if callable(schedule):
        return seconds("backoff", schedule(attempt))
    return schedule[min(attempt, len(schedule)) - 1]


class ReconnectPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Whether and when to connect again.

    Attributes:
        reconnect: False makes one attempt and reconnects after no loss (C115).
        ceiling: seconds that no step exceeds.
        backoff, refusal_backoff: the user's own; None for the defaults.
        max_attempts: reconnecting attempts in a row that may fail; None for no limit (C116).
        after_normal_close: whether a close with 1000 that was not asked for is a loss (C111).
        stable_time: seconds that a connection must last for the attempts to be counted anew, so
            that a server that accepts and drops meets growing steps (C108).

    Example:
        >>> policy = ReconnectPolicy()
        >>> policy.after_loss(1, sample=0.25)
        0.25
        >>> policy.after_failure(3, ValueError(), sample=0.5)
        0.1
        >>> policy.after_failure(1, HandshakeRefused(403), sample=0.5)
        1.0
    """

    reconnect: bool = True
    ceiling: float = 60.0
    backoff: Schedule | None = None
    refusal_backoff: Schedule | None = None
    max_attempts: int | None = None
    after_normal_close: bool = True
    stable_time: float = 5.0

    @classmethod
    def of(cls, options: SocketOptions) -> Self:
        """Return the policy that a client's options mean."""
        return cls(
            reconnect=options.reconnect,
            ceiling=options.reconnect_interval,
            backoff=options.backoff,
            refusal_backoff=options.refusal_backoff,
            max_attempts=options.max_reconnect_attempts,
            after_normal_close=options.reconnect_on_normal_close,
        )

    def after_loss(self, attempt: int, sample: float) -> float:
        """Return the seconds before an attempt that follows the loss of an open connection."""
        if self.backoff is not None:
            return min(step(self.backoff, attempt, sample), self.ceiling)
        spread = min(_SPREAD_AFTER_LOSS, self.ceiling) * sample
        return spread if attempt == 1 else max(spread, self._jittered(attempt, sample))

    def after_failure(self, attempt: int, error: Exception, sample: float) -> float:
        """Return the seconds before an attempt that follows one that failed with `error`."""
        if not isinstance(error, HandshakeRefused):
            if self.backoff is not None:
                return min(step(self.backoff, attempt, sample), self.ceiling)
            return self._jittered(attempt, sample)
        if self.refusal_backoff is not None:
            delay = min(step(self.refusal_backoff, attempt, sample), self.ceiling)
        else:
            usual = self.after_failure(attempt, PhoenixError(), sample)
            delay = min(max(usual, _REFUSAL_MINIMUM), _REFUSAL_MAXIMUM)
        return max(delay, min(error.retry_after or 0.0, _RETRY_AFTER_MAXIMUM))

    def _jittered(self, attempt: int, sample: float) -> float:
        """Return the default step of an attempt, spread by chance."""
        return min(step(RECONNECT_STEPS, attempt), self.ceiling) * (0.5 + sample)


class RejoinPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Whether and when to join again while the socket is open.

    Attributes:
        backoff: the delays, from the first after a successful join and a new connection (C60).
        retry_refused: whether a refused rejoin is tried again (C58).

    Example:
        >>> [RejoinPolicy().delay(attempt, sample=0.5) for attempt in (1, 2, 3, 4, 5)]
        [1.0, 2.0, 5.0, 10.0, 10.0]
    """

    backoff: Schedule = REJOIN_STEPS
    retry_refused: bool = True

    @classmethod
    def of(cls, options: SocketOptions) -> Self:
        """Return the policy that a client's options mean."""
        return cls(backoff=options.rejoin_backoff, retry_refused=options.retry_refused_rejoins)

    def delay(self, attempt: int, sample: float) -> float:
        """Return the seconds before rejoin number `attempt`, from 1."""
        return step(self.backoff, attempt, sample)
