"""A user's own delays, made safe: what such a function raises must not end an actor or a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from phoenix_actors.machines.reconnect import REJOIN_STEPS, RejoinPolicy, step
from phoenix_actors.options import Schedule, SocketOptions
from phoenix_actors.telemetry import HOOK_FAILED, emit

__all__ = ["guarded", "rejoin_policy"]


def guarded(option: str, schedule: Schedule, otherwise: Sequence[float]) -> Schedule:
    """Return a schedule that takes the step of `otherwise` where the user's function fails.

    Example:
        >>> guarded("backoff", lambda attempt: 1 / 0, [0.5, 2.0])(7)
        2.0
        >>> guarded("backoff", [1.0], [0.5])
        [1.0]
    """
    if not callable(schedule):
        return schedule
    function: Callable[[int], float] = schedule

    def delay(attempt: int) -> float:
        try:
            return step(function, attempt)
        except Exception as error:  # noqa: BLE001  a user's function must not stop the client
            emit(HOOK_FAILED, hook=option, error=type(error).__name__)
        return step(otherwise, attempt)

    return delay


def rejoin_policy(options: SocketOptions) -> RejoinPolicy:
    """Return when the channels of a client are joined again.

    Example:
        >>> rejoin_policy(SocketOptions.of(url="ws://h/socket", rejoin_backoff=[3.0])).delay(1, 0.5)
        3.0
    """
    return RejoinPolicy(
        backoff=guarded("rejoin_backoff", options.rejoin_backoff, REJOIN_STEPS),
        retry_refused=options.retry_refused_rejoins,
    )
