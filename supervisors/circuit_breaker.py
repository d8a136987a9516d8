"""`CircuitBreaker`: after failures in a row, fail at once for a while instead of trying again.

For what an actor asks of a service that may be down: without one, each message waits for the same
time-out, and the mailbox grows.

>>> breaker = CircuitBreaker("db", failure_threshold=1, reset_timeout=60.0)
>>> breaker.call(int, "no number")
Traceback (most recent call last):
ValueError: invalid literal for int() with base 10: 'no number'
>>> breaker.call(int, "1")
Traceback (most recent call last):
supervisors.errors.CircuitOpenError: circuit 'db' is open: try again in 60 s
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from supervisors._locks import new_lock
from supervisors._machines.backoff import Backoff
from supervisors._machines.circuit import CircuitMachine, CircuitState, Permit, Refusal
from supervisors.clock import Clock, MonotonicClock, as_seconds, chance
from supervisors.errors import CircuitOpenError
from supervisors.telemetry import execute

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CircuitBreaker", "CircuitState"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class CircuitBreaker:
    """Lets calls through, or raises CircuitOpenError while what they reach is known to fail.

    Closed, it counts failures in a row. At `failure_threshold` it opens: every call is refused.
    When `reset_timeout` is over it is half-open: one call is let through as a trial. Its success
    closes the circuit, its failure opens it again, for longer if `reset_timeout` is a `Backoff`.
    Each change is told as ("supervisors", "circuit", "changed"). Safe from any thread: several
    actors may share one. It holds no lock while a call runs.

    Example:
        >>> breaker = CircuitBreaker("db", reset_timeout=Backoff(initial=1.0, maximum=60.0))
        >>> with breaker.guard():
        ...     int("42")
        42
        >>> breaker.state
        <CircuitState.CLOSED: 'closed'>
    """

    def __init__(
        self,
        name: str = "circuit",
        *,
        failure_threshold: int = 5,
        reset_timeout: float | timedelta | Backoff = 30.0,
        failures: tuple[type[Exception], ...] = (Exception,),
        clock: Clock | None = None,
        chance: Callable[[], float] = chance,
    ) -> None:
        """Start closed.

        Args:
            name: for errors and telemetry.
            failure_threshold: how many failures in a row open the circuit.
            reset_timeout: seconds before a trial, or a Backoff whose n-th pause comes after the
                n-th opening in a row.
            failures: the exceptions that count; another `Exception` is an answer like any other,
                and counts as success. A BaseException says nothing either way.
            clock: for tests.
            chance: for tests: numbers from 0 to 1 for the Backoff's jitter.

        Raises:
            ValueError: for numbers that make no sense.
        """
        if (
            isinstance(failure_threshold, bool)
            or not isinstance(failure_threshold, int)
            or failure_threshold < 1
        ):
            msg = f"failure_threshold must be a whole number, 1 or more, not {failure_threshold!r}"
            raise ValueError(msg)
        self.name = name
        self._failures = failures
        self._clock = MonotonicClock() if clock is None else clock
        self._lock = new_lock()
        self._machine = CircuitMachine(failure_threshold, _pauses(reset_timeout), chance)

    def __repr__(self) -> str:
        """Tell name and state."""
        return f"<CircuitBreaker {self.name!r} {self.state}>"

    @property
    def state(self) -> CircuitState:
        """Closed, open or half-open; open lasts until a call comes after the pause."""
        return self._machine.state

    def call(self, fn: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call `fn` and return its result, if the circuit lets it through.

        Raises:
            CircuitOpenError: it does not; `fn` was not called.
            Exception: whatever `fn` raised.
        """
        with self.guard():
            return fn(*args, **kwargs)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Do the same for a `with` block: how it ends is how the call went.

        Raises:
            CircuitOpenError: the circuit does not let it through; the block was not entered.
        """
        answer = self._change(self._machine.begin)
        if isinstance(answer, Refusal):
            raise CircuitOpenError(self.name, answer.retry_after)
        permit: Permit = answer
        try:
            yield
        except self._failures:
            self._change(lambda now: self._machine.failed(permit, now))
            raise
        except Exception:
            self._change(lambda _: self._machine.succeeded(permit))
            raise
        except BaseException:
            self._change(lambda now: self._machine.abandoned(permit, now))
            raise
        self._change(lambda _: self._machine.succeeded(permit))

    def reset(self) -> None:
        """Close the circuit and forget all failures."""
        self._change(lambda _: self._machine.reset())

    def _change(self, step: Callable[[float], Any]) -> Any:
        """Take one step of the machine, and tell of a change of state once the lock is free."""
        with self._lock:
            before = self._machine.state
            answer = step(self._clock.now())
            after, failures = self._machine.state, self._machine.failures
        if after is not before:
            execute(
                ("supervisors", "circuit", "changed"),
                {"count": 1, "failures": failures},
                {"circuit": self.name, "before": str(before), "after": str(after)},
            )
        return answer


def _pauses(reset_timeout: Any) -> Backoff:
    if isinstance(reset_timeout, Backoff):
        return reset_timeout
    seconds = as_seconds(reset_timeout, "reset_timeout")
    if seconds is None:
        msg = "reset_timeout must be seconds or a Backoff, not None: the circuit would stay open"
        raise ValueError(msg)
    return Backoff(initial=seconds, maximum=seconds, factor=1.0, jitter=0.0)
