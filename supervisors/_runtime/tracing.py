"""From an exception to an exit reason that keeps no frame alive."""

from __future__ import annotations

from types import TracebackType

from supervisors.exits import Crashed, TraceEntry

__all__ = ["crashed", "forget_traceback"]

_PACKAGE = __file__.rpartition("_runtime")[0]


def crashed(error: BaseException, *, keep_traceback: bool = False) -> Crashed:
    """Return the reason for this exception; files, lines and functions stay in its `trace`.

    A traceback keeps every local of every frame alive, those of the runtime and of the whole
    thread below the handler too, and a reason is stored for long. So the exception loses it and
    gets a note of the same lines instead, now or when `forget_traceback` is called.
    """
    reason = Crashed(error, _entries(error.__traceback__))
    if not keep_traceback:
        forget_traceback(error, reason.trace)
    return reason


def forget_traceback(error: BaseException, known: tuple[TraceEntry, ...] = ()) -> None:
    """Turn the tracebacks of an exception, and of those it came from, into notes.

    Args:
        error: the exception.
        known: what is to be kept of its own traceback, where that was looked for already.
    """
    if error.__cause__ is None and error.__context__ is None:
        _forget_own(error, known)
        return
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        _forget_own(each, known if each is error else ())


def _forget_own(error: BaseException, known: tuple[TraceEntry, ...]) -> None:
    traced = error.__traceback__
    if traced is None:
        return
    lines = "Raised in an actor:"
    for at in known or _entries(traced):
        lines += f'\n  File "{at.file}", line {at.line}, in {at.function}'
    error.__traceback__ = None
    try:
        error.add_note(lines)
    except TypeError:
        # Notes that somebody replaced by something odd are no reason to fail here.
        return


def _entries(traceback: TracebackType | None) -> tuple[TraceEntry, ...]:
    """Return what is to be kept: from the first frame that is not this package's, or the last."""
    if traceback is None:
        return ()
    code = traceback.tb_frame.f_code
    while traceback.tb_next is not None and code.co_filename.startswith(_PACKAGE):
        traceback = traceback.tb_next
        code = traceback.tb_frame.f_code
    first = TraceEntry(code.co_filename, traceback.tb_lineno, code.co_name)
    if traceback.tb_next is None:
        return (first,)
    return (first, *_all_entries(traceback.tb_next))


def _all_entries(traceback: TracebackType | None) -> list[TraceEntry]:
    found: list[TraceEntry] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append(TraceEntry(code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return found
