"""How long to wait before the next attempt: growing, bounded, spread by chance.

The wait before attempt n (counted from 1 for the first restart) is
`min(maximum, initial * factor ** (n - 1))`, times a number from `1 - jitter` to `1 + jitter`.
Chance comes in as a sample from 0 to 1, so a test knows the result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["Backoff"]


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses between restarts of a child; every restart is charged to the budget all the same.

    Seconds may be given as a timedelta too.

    Attributes:
        initial: seconds before the first restart.
        maximum: seconds that no pause (before jitter) exceeds.
        factor: by what each pause is longer than the one before, 1.0 or more.
        jitter: part of the pause by which chance may shorten or lengthen it, 0.0 to 1.0.
        reset_after: seconds without a crash after which the pauses begin anew; None takes twice
            `maximum`.

    Example:
        >>> steps = Backoff(initial=0.1, maximum=0.5)
        >>> [steps.delay(n, sample=0.5) for n in (1, 2, 3, 4)]
        [0.1, 0.2, 0.4, 0.5]
        >>> Backoff(jitter=2.0)
        Traceback (most recent call last):
        ValueError: Backoff.jitter must be from 0.0 to 1.0, not 2.0
    """

    initial: float = 0.1
    maximum: float = 10.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            initial: float | timedelta = 0.1,
            maximum: float | timedelta = 10.0,
            factor: float = 2.0,
            jitter: float = 0.2,
            reset_after: float | timedelta | None = None,
        ) -> None:
            """Say that timedeltas are taken, too."""

    def __post_init__(self) -> None:
        """Turn timedeltas into seconds; refuse numbers that make no sense."""
        for name in ("initial", "maximum", "reset_after"):
            total = getattr(getattr(self, name), "total_seconds", None)
            if total is not None:
                force_setattr(self, name, total())
        checks = (
            ("initial", 0, math.inf, "0 or more seconds"),
            ("maximum", self.initial, math.inf, "at least initial"),
            ("factor", 1, math.inf, "1.0 or more"),
            ("jitter", 0, 1, "from 0.0 to 1.0"),
            ("reset_after", 0, math.inf, "0 or more seconds, or None"),
        )
        for name, least, most, expected in checks:
            value = getattr(self, name)
            if value is None and name == "reset_after":
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not least <= value <= most:
                msg = f"Backoff.{name} must be {expected}, not {value!r}"
                raise ValueError(msg)

    def delay(self, attempt: int, sample: float) -> float:
        """Return the seconds before restart number `attempt`; `sample` is chance, from 0 to 1."""
        try:
            step = min(self.maximum, self.initial * self.factor ** (attempt - 1))
        except OverflowError:
            step = self.maximum
        return step * (1 - self.jitter + 2 * self.jitter * sample)

    def forgets_after(self) -> float:
        """Return the seconds without a crash after which the attempts are counted anew."""
        return 2 * self.maximum if self.reset_after is None else self.reset_after
