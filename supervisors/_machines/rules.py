"""The rules of a supervisor, checked before it is started."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from supervisors._machines.backoff import Backoff
from supervisors._machines.supervision import Flags
from supervisors.child_spec import AutoShutdown, Strategy, word
from supervisors.clock import as_seconds
from supervisors.errors import ChildSpecError, SpecProblem

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["MAX_ABANDONED", "checked_auto_shutdown", "checked_flags"]

MAX_ABANDONED = 100
"""How many abandoned children that still run a supervisor bears, unless it is told otherwise."""


def checked_auto_shutdown(value: object) -> AutoShutdown:
    """Turn the word into the mode.

    Raises:
        ChildSpecError: it is none of the three.
    """
    return word(AutoShutdown, value, SpecProblem.BAD_AUTO_SHUTDOWN, "auto_shutdown")


def checked_flags(
    *,
    strategy: str,
    max_restarts: int,
    max_seconds: float | timedelta,
    auto_shutdown: str,
    backoff: Backoff | None,
    label: str,
    max_abandoned: int | None = MAX_ABANDONED,
) -> Flags:
    """Check a supervisor's options.

    Raises:
        ChildSpecError: with a problem of its own for each option (S18).
    """
    if not _is_count(max_restarts):
        text = f"max_restarts must be a whole number, 0 or more, not {max_restarts!r}"
        raise ChildSpecError(SpecProblem.BAD_INTENSITY, text, max_restarts)
    if max_abandoned is not None and not _is_count(max_abandoned):
        text = f"max_abandoned must be a whole number, 0 or more, or None, not {max_abandoned!r}"
        raise ChildSpecError(SpecProblem.BAD_MAX_ABANDONED, text, max_abandoned)
    try:
        seconds = as_seconds(max_seconds, "max_seconds")
    except (TypeError, ValueError):
        seconds = None
    if seconds is None or not 0 < seconds < math.inf:
        text = f"max_seconds must be finite and more than 0 seconds, not {max_seconds!r}"
        raise ChildSpecError(SpecProblem.BAD_PERIOD, text, max_seconds)
    if backoff is not None and not isinstance(backoff, Backoff):
        text = f"backoff must be a Backoff or None, not {backoff!r}"
        raise ChildSpecError(SpecProblem.BAD_BACKOFF, text, backoff)
    return Flags(
        strategy=word(Strategy, strategy, SpecProblem.BAD_STRATEGY, "strategy"),
        max_restarts=max_restarts,
        max_seconds=seconds,
        auto_shutdown=checked_auto_shutdown(auto_shutdown),
        backoff=backoff,
        label=label,
        max_abandoned=max_abandoned,
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
