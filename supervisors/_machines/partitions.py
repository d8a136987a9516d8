"""Which partition a key belongs to, and the change of how many partitions are in use.

Laws: equal keys meet the same partition, as long as the number in use stays; at most as many are
in use as were started; a partition that is taken out of use is out of it before it is stopped, and
one that is put into use runs before it is (S119, S123).
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from numbers import Number
from typing import TYPE_CHECKING, Any

from supervisors._machines.children import ChildState
from supervisors._machines.vocabulary import (
    AnswerRequest,
    ChildFailed,
    ChildStarted,
    RefuseRequest,
    Report,
)
from supervisors.errors import ChildNotFoundError, ChildSpecError, SpecProblem

if TYPE_CHECKING:
    from supervisors._machines.supervision import Operation, SupervisionMachine

__all__ = ["partition_of", "resize"]


def partition_of(key: Hashable, partitions: int) -> int:
    """Return the number of the key's partition, from 0 to partitions - 1 (S119).

    Whole numbers go by their absolute value. Strings, bytes, None, and tuples of these, go by a
    checksum of their content, the same in every run; whatever else by its own hash().

    Example:
        >>> partition_of(7, 4), partition_of(-7, 4), partition_of("alice", 4)
        (3, 3, 2)
    """
    number = _number(key)
    return (zlib.crc32(_content(key)) if number is None else abs(number)) % partitions


def _number(key: Hashable) -> int | None:
    """Return the whole number that the key is equal to, or None."""
    if isinstance(key, int):
        return int(key)
    if isinstance(key, Number):
        try:
            whole = int(key)  # type: ignore[call-overload]  # a TypeError says so
        except (OverflowError, ValueError, TypeError):
            return None  # infinite, not a number, or complex
        return whole if whole == key else None
    return None


def _content(key: Hashable) -> bytes:
    """Return the same bytes for equal keys, and other ones for others as far as possible."""
    number = _number(key)
    if number is not None:
        return b"i%d" % number
    match key:
        case str():
            return b"s" + key.encode("utf-8", "surrogatepass")
        case bytes():
            return b"b" + key
        case tuple():
            parts = [_content(part) for part in key]
            return b"t" + b"".join(b"%d:%b" % (len(part), part) for part in parts)
        case None:
            return b"n"
        case _:
            return b"h%d" % hash(key)


def resize(machine: SupervisionMachine, token: Any, wanted: Any) -> Operation:
    """Put the first `wanted` partitions into use; answer how many there were (S123)."""
    partitions = machine.partitions
    before = partitions.in_use
    whole = isinstance(wanted, int) and not isinstance(wanted, bool)
    if not whole or not 0 <= wanted <= partitions.initial:
        text = (
            f"there can be 0 to {partitions.initial} partitions, the number that was started, "
            f"not {wanted!r}"
        )
        machine.emit(RefuseRequest(token, ChildSpecError(SpecProblem.BAD_PARTITIONS, text, wanted)))
        return
    if wanted < before:
        partitions.in_use = wanted
    for number in range(before - 1, wanted - 1, -1):
        child = machine.children.find(number)
        if child is not None:
            yield from machine.stop(child)
    for number in range(before, wanted):
        child = machine.children.find(number)
        if child is None:
            machine.emit(RefuseRequest(token, ChildNotFoundError(number)))
            return
        if child.state is ChildState.STOPPED:
            outcome = yield from machine.start(child)
            match outcome:
                case ChildStarted():
                    child.restarts += 1
                    machine.report(Report.CHILD_STARTED, child)
                case ChildFailed(_, reason, error):
                    machine.report(Report.START_FAILED, child, reason)
                    machine.emit(RefuseRequest(token, error))
                    return
        partitions.in_use = number + 1
    machine.emit(AnswerRequest(token, before))
