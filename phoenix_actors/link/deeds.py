"""What a step under a topic's lock leaves to be done behind it, for that may run a user's code.

In the main thread a signal's handler, the user's Ctrl-C, may raise anywhere. Law: what a step has
taken out of a buffer or a table, such as a push whose end is to be told, is dealt with all the
same, unless signals cannot be put off meanwhile, see `shield`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

from phoenix_actors.link.scheduling import without_waiting
from supervisors._runtime.current import current
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.shield import shielded

__all__ = ["Deeds", "carry_out", "do_all", "do_in_step", "make_good"]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

Deeds: TypeAlias = list[Callable[[], object]]


def do_in_step(
    deeds: Deeds,
    act: Callable[[*_Ts], _T],
    *arguments: *_Ts,
    may_wait: bool = True,
) -> _T:
    """Return `act(*arguments)`, done in the main thread with signals put off, then do the deeds.

    Args:
        deeds: what `act` leaves to be done, to which it adds, and what is to be done before.
        act: runs nothing of a user's and waits for nobody.
        *arguments: for it.
        may_wait: whether the deeds may wait; else what would wait in them raises WouldDeadlock.

    Raises:
        BaseException: what `act` or a deed raises, when the deeds are done; and what a signal's
            handler raises, when all is done, or nothing has begun.
    """
    try:
        try:
            done: Any = UNDONE
            if current.here.is_main:
                done = shielded(act, *arguments)
            return act(*arguments) if done is UNDONE else done
        finally:
            if may_wait:
                carry_out(deeds)
            elif deeds:
                without_waiting(carry_out, deeds)
    except BaseException:
        if may_wait:
            make_good(deeds)
        else:
            without_waiting(make_good, deeds)
        raise


def do_all(act: Callable[..., _T], *arguments: Any, may_wait: bool = True) -> _T:
    """Do as `do_in_step`; `act` gets the list of deeds before its other arguments."""
    deeds: Deeds = []
    return do_in_step(deeds, act, deeds, *arguments, may_wait=may_wait)


def carry_out(deeds: Deeds) -> None:
    """Do all of them, in their order; what is done is taken out.

    Example:
        >>> done = []
        >>> deeds = [lambda: done.append(1), lambda: 1 / 0, lambda: done.append(2)]
        >>> carry_out(deeds)
        Traceback (most recent call last):
        ZeroDivisionError: division by zero
        >>> make_good(deeds)
        >>> done, deeds
        ([1, 2], [])
    """
    done = 0
    try:
        for deed in deeds:
            deed()
            # Behind it: one that was interrupted is done once more, which harms nobody.
            done += 1
    finally:
        # All at once, for the loss of a connection leaves as many as there are channels.
        del deeds[:done]


def make_good(deeds: Deeds) -> None:
    """Do what an exception has kept `carry_out` from; one that raises by itself is given up."""
    while deeds:
        with suppress(BaseException):
            deeds[0]()
        del deeds[0]
