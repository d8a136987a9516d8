"""Who stops and who starts when one child of a group is restarted (S29-S33)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from supervisors.child_spec import Strategy

__all__ = ["restart_group"]

_T = TypeVar("_T")


def restart_group(strategy: Strategy, children: Iterable[_T], dead: _T) -> list[_T]:
    """Return the children that are restarted together with `dead`, in start order, `dead` too.

    They are stopped in the reverse of this order and then started in it.

    Example:
        >>> restart_group(Strategy.REST_FOR_ONE, ["a", "b", "c"], "b")
        ['b', 'c']
    """
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [dead]
        case Strategy.ONE_FOR_ALL:
            return list(children)
        case Strategy.REST_FOR_ONE:
            everybody = list(children)
            return everybody[everybody.index(dead) :]
