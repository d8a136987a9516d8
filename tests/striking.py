"""A signal at a chosen step of the interpreter: what can be interrupted where, without chance."""

from __future__ import annotations

import dis
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import phoenix_actors
import supervisors

__all__ = ["handling", "strike_at", "strike_in_life_at", "under_trace"]

# The interpreter looks for signals at calls and at jumps back; to strike before others too is
# harsher than life, but these do nothing, and belong to neither side of a `try`: NOP begins and
# ends one, and 3.14 has NOT_TAKEN behind a branch, outside the `try` that the branch is in.
_IDLE = frozenset(dis.opmap[name] for name in ("NOP", "NOT_TAKEN") if name in dis.opmap)
_PACKAGE = str(Path(supervisors.__file__).parent)
_BOTH = (_PACKAGE, str(Path(phoenix_actors.__file__).parent))
# Behind these it does look for signals.
_LOOKS = frozenset(
    code
    for name, code in dis.opmap.items()
    if name.startswith(("CALL", "JUMP_BACKWARD", "POP_JUMP_BACKWARD"))
)
_RESUME = -1


def under_trace(trace: Callable[..., Any], act: Callable[[], object]) -> None:
    """Does `act` under this trace function, and puts back the one that was there."""
    before = sys.gettrace()
    # 3.12 counts opcodes from the settrace on that follows the first wish for them.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)


def strike_at(
    number: int,
    act: Callable[[], object],
    signum: int = signal.SIGINT,
    within: str = _PACKAGE,
) -> bool:
    """Does `act`, with the signal before its step of this number; tells whether there is one.

    Counted are the steps in files `within` this path, each an instruction of the interpreter.

    Raises:
        BaseException: what the signal's handler raises, or `act`.
    """
    left = number

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(within):
            return None
        # In this order: 3.13 notes the wish for opcodes only of a frame that is traced already.
        frame.f_trace = trace
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        step = frame.f_code.co_code[frame.f_lasti]
        if event == "opcode" and step not in _IDLE:
            left -= 1
            if left < 0:
                sys.settrace(None)
                signal.raise_signal(signum)
        return trace

    under_trace(trace, act)
    return left < 0


def strike_in_life_at(
    number: int,
    act: Callable[[], object],
    signum: int = signal.SIGINT,
    within: str | tuple[str, ...] = _BOTH,
    *,
    behind_returns: bool = True,
) -> bool:
    """Does the same where the interpreter itself may look for signals, in both packages.

    That is behind a call, a jump back, and the beginning of a function; where what comes next is
    in another `try`, or in none, the place cannot be had by tracing and is left out. Behind the
    call of a function that is written in Python it does not look; those places are left out too
    where nothing is to be struck `behind_returns`.
    """
    left = number
    caller: Any = None

    def trace(frame: Any, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(within):
            return None
        code = frame.f_code
        ranges = _ranges_of(code)
        # The beginning, which is not traced itself.
        before = _RESUME

        def look(frame: Any, event: str, _: object) -> Any:
            nonlocal left, before, caller
            if event == "return":
                caller = frame.f_back
            elif event == "opcode":
                at, former = frame.f_lasti, before
                before = at
                looked = former == _RESUME or code.co_code[former] in _LOOKS
                if caller is frame and not behind_returns:
                    looked = False
                caller = None
                if looked and _handler_at(ranges, former) == _handler_at(ranges, at):
                    left -= 1
                    if left < 0:
                        sys.settrace(None)
                        signal.raise_signal(signum)
            return look

        frame.f_trace = look
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return look

    under_trace(trace, act)
    return left < 0


@cache
def _ranges_of(code: CodeType) -> tuple[tuple[int, int, int], ...]:
    """Return from where to where which handler of exceptions stands."""
    parse: Any = dis._parse_exception_table  # type: ignore[attr-defined]
    return tuple((entry.start, entry.end, entry.target) for entry in parse(code))


def _handler_at(ranges: tuple[tuple[int, int, int], ...], at: int) -> int:
    return next((target for start, end, target in ranges if start <= at < end), -1)


@contextmanager
def handling(signum: int, handler: Any) -> Iterator[None]:
    """Has a handler stand meanwhile, and looks that it stands still at the end."""
    before = signal.signal(signum, handler)
    try:
        yield
        assert signal.getsignal(signum) is handler
    finally:
        signal.signal(signum, before)
