"""A user's own delays, made safe: what such a function raises must not end an actor or a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from phoenix_actors.machines.channel_record import ChannelPolicy
from phoenix_actors.machines.reconnect import REJOIN_STEPS, RejoinPolicy, step
from phoenix_actors.options import Schedule, SocketOptions
from phoenix_actors.telemetry import HOOK_FAILED, emit
from supervisors.clock import chance

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session

__all__ = ["Policies", "guarded", "rejoin_policy"]


_NUMBERS = 256


class Policies:
    """What all channels of one connection have in common: one object, as long as no option changes.

    Args:
        session: the client's table; its options may be replaced.
        next_ref: gives the next ref of the socket.
    """

    __slots__ = ("_next_ref", "_numbers", "_options", "_policy", "_rejoin", "_session")

    def __init__(self, session: Session, next_ref: Callable[[], str]) -> None:
        """Look at the options."""
        self._session = session
        self._next_ref = next_ref
        self._options = session.options
        self._numbers: dict[int, int] = {}
        self._rejoin = rejoin_policy(session.options)
        self._policy = self._made(session.options)

    def present(self) -> ChannelPolicy:
        """Return that of a channel that begins now."""
        options = self._session.options
        if self._options is not options:
            self._policy, self._options = self._made(options), options
        return self._policy

    def shared(self, number: int) -> int:
        """Return the one object for this number, of which hibernating channels have the same."""
        if len(self._numbers) >= _NUMBERS:
            self._numbers = {}
        return self._numbers.setdefault(number, number)

    def _made(self, options: SocketOptions) -> ChannelPolicy:
        return ChannelPolicy(
            next_ref=self._next_ref,
            rejoin=self._rejoin,
            max_buffered=options.max_pending_messages,
            max_bytes=options.max_pending_bytes,
            overflow=options.overflow,
            random=chance,
        )


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
