"""What is done as a whole in the main thread, where a signal's handler may raise between two steps.

A caller's thread may read what is for others: the answer to their join, or the end of their
channel. If that is the main thread, and the user's Ctrl-C came in the middle of it, pushes that
others wait for would be neither sent nor failed. So what is decided is decided in one step of
`shield`, and whatever follows from it is done before the exception goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from phoenix_actors.link.scheduling import without_waiting
from supervisors._runtime.current import current
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.shield import shielded

if TYPE_CHECKING:
    from phoenix_actors.link.own_inbound import Deeds

__all__ = ["and_all", "do_all", "in_one_step"]

_T = TypeVar("_T")


def in_one_step(act: Callable[..., _T], *arguments: Any) -> _T:
    """Call, with the signals of this thread put off meanwhile, and return what it returns.

    A value may be lost, for a handler is called when the step is over: what must not be lost is put
    into one of the arguments. Where signals cannot be put off, as inside another such step, it is a
    call like any other.

    Args:
        act: waits for nobody; of a user's it runs at most what gives a number or encodes nothing.
        *arguments: for it.

    Raises:
        BaseException: what a handler raises; either nothing was done, or all.

    Example:
        >>> in_one_step(max, 1, 2)
        2
    """
    if current.here.is_main:
        done = shielded(act, *arguments)
        if done is not UNDONE:
            return done  # type: ignore[no-any-return]
    return act(*arguments)


def do_all(deeds: Deeds) -> None:
    """Do each, in order, and leave those that were not done, for something was raised.

    Example:
        >>> told = []
        >>> do_all([lambda: told.append(1), lambda: told.append(2)])
        >>> told
        [1, 2]
    """
    done = 0
    try:
        for deed in deeds:
            deed()
            done += 1
    finally:
        del deeds[:done]


def _do_all_without_waiting(deeds: Deeds) -> None:
    without_waiting(do_all, deeds)


def and_all(deeds: Deeds, act: Callable[..., _T], *arguments: Any, may_wait: bool = True) -> _T:
    """Call, and do all deeds behind it, whatever is raised; return what the call has returned.

    A deed that is interrupted is done once more, which harms nobody.

    Args:
        deeds: the call adds to them.
        act: what to call.
        *arguments: for it.
        may_wait: whether a deed may wait; else its calls that would raise WouldDeadlock.

    Example:
        >>> deeds = []
        >>> and_all(deeds, lambda: deeds.append(lambda: print("told"))), deeds
        told
        (None, [])
    """
    finish = do_all if may_wait else _do_all_without_waiting
    try:
        try:
            return act(*arguments)
        finally:
            if deeds:
                finish(deeds)
    except BaseException:
        # The beginning of `finish`, too, may have been struck, and it has done nothing then.
        if deeds:
            finish(deeds)
        raise
