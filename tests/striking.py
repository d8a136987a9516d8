"""A signal at a chosen step of the interpreter: what can be interrupted where, without chance."""

from __future__ import annotations

import dis
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import supervisors

__all__ = ["handling", "strike_at"]

# The interpreter looks for signals at calls and at jumps back; to strike before others too is
# harsher than life, but these begin and end a `try`, and belong to neither side.
_NOP = dis.opmap["NOP"]
_PACKAGE = str(Path(supervisors.__file__).parent)
# Where it does look: at the beginning of a function, at jumps back, and behind a call of C code.
_BACK = dis.opmap["JUMP_BACKWARD"]
_CALLS = frozenset(code for name, code in dis.opmap.items() if name.startswith("CALL"))


def strike_at(
    number: int,
    act: Callable[[], object],
    signum: int = signal.SIGINT,
    within: str = _PACKAGE,
    *,
    lifelike: bool = False,
) -> bool:
    """Does `act`, with the signal before its step of this number; tells whether there is one.

    Counted are the steps in files `within` this path, each an instruction of the interpreter; if it
    is to be `lifelike`, only those before which Python looks for signals.

    Raises:
        BaseException: what the signal's handler raises, or `act`.
    """
    left = number
    former: dict[Any, int] = {}

    def is_looked_for(frame: Any, step: int) -> bool:
        before, former[frame] = former.get(frame), step
        return not lifelike or step == _BACK or before in _CALLS or before is None

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal left
        if event == "return":
            # That was no call of C code.
            former[frame.f_back] = _NOP
        if not frame.f_code.co_filename.startswith(within):
            return None
        # In this order: 3.13 notes the wish for opcodes only of a frame that is traced already.
        frame.f_trace = trace
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        step = frame.f_code.co_code[frame.f_lasti]
        if event == "opcode" and step != _NOP and is_looked_for(frame, step):
            left -= 1
            if left < 0:
                sys.settrace(None)
                signal.raise_signal(signum)
        return trace

    before = sys.gettrace()
    # 3.12 counts opcodes from the settrace on that follows the first wish for them.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return left < 0


@contextmanager
def handling(signum: int, handler: Any) -> Iterator[None]:
    """Has a handler stand meanwhile, and looks that it stands still at the end."""
    before = signal.signal(signum, handler)
    try:
        yield
        assert signal.getsignal(signum) is handler
    finally:
        signal.signal(signum, before)
