"""From an exception to an exit reason that keeps no local variable alive."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from types import TracebackType

from supervisors.exits import Crashed, TraceEntry

__all__ = ["crashed"]

_HERE = str(Path(__file__).parent.parent) + os.sep


def crashed(error: BaseException) -> Crashed:
    """Return the reason for this exception, with its frames' local variables cleared.

    A stored exception would keep every local of every frame alive through its traceback, and a
    reason is stored for long. Lines and functions stay, in `trace` and in the traceback; those of
    the runtime around the handler are taken away, for its frames still run and cannot be cleared.
    """
    trace = []
    error.__traceback__ = entry = _skip_runtime(error.__traceback__)
    while entry is not None:
        code = entry.tb_frame.f_code
        trace.append(TraceEntry(code.co_filename, entry.tb_lineno, code.co_name))
        entry = entry.tb_next
    _clear(error, set())
    return Crashed(error, tuple(trace))


def _skip_runtime(entry: TracebackType | None) -> TracebackType | None:
    """Begin at the first frame that is not this package's, or at the last of all."""
    while (
        entry is not None
        and entry.tb_next is not None
        and entry.tb_frame.f_code.co_filename.startswith(_HERE)
    ):
        entry = entry.tb_next
    return entry


def _clear(error: BaseException | None, seen: set[int]) -> None:
    """Clear the frames of an exception and of those it came from."""
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        _clear(error.__cause__, seen)
        error = error.__context__
