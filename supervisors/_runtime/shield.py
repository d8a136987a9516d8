"""Steps of the runtime's own in the main thread, with Python's signal handlers put off meanwhile.

A handler runs in the main thread between any two steps of the interpreter. What it raises, as
KeyboardInterrupt, would leave a step half done; and it may call the very supervisor whose step it
has interrupted. So for the time of a step `_note` stands in the place of every handler: it
remembers the signal and returns. When the step is over the handlers stand again, and then each is
called for what it has missed, once for each time: what it raises comes out of the call in which the
step ran. Laws:

- Nothing of a user's runs in such a step, and it waits for nobody: Ctrl-C is answered after it. A
  finalizer, which the garbage collector may run anywhere, is the exception: in there a Ctrl-C does
  not end what waits, where else it would, and would be lost.
- Until `_note` stands the step has not begun. While it stands nothing raises. Which other handlers
  there are is looked at when it stands, so no handler can add one after that look.
- When the step is over, and `_note` stands still, it puts the handler back and calls it: so an
  interrupt at any step from there on finds all done.
- Handlers are exchanged by `signal.signal`, as `asyncio.run` exchanges the one of SIGINT. That
  looks for pending signals first: a step that begins may raise before it, and where several
  handlers are put back, one that stands again may raise. So that is tried twice; what is left then
  is put back, and called, by `_note` itself.
- What `signal.signal` loses, is lost: `siginterrupt(signum, False)`, and what C code has put over a
  handler of Python's, as `faulthandler.register` does. It is so for signals that have a handler of
  Python's only, mostly SIGINT; for others, which C code may have taken, nothing changes.
- More than `_MOST` handlers are not exchanged: then, and inside another such step, and where
  `signal.signal` is refused, as in a subinterpreter, the answer is UNDONE.

To look for handlers takes 1.5 µs, to exchange one twice 0.7, between other work up to twice that;
a wake-up of a thread takes 25 to 40.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVarTuple

from supervisors._runtime.outcomes import UNDONE

__all__ = ["lift_in_child", "shielded"]

_Ts = TypeVarTuple("_Ts")

_Handler: TypeAlias = "Callable[[int, Any], object]"

# The C functions behind `signal`, which makes an enum of each answer: ten times slower.
_c: Any = sys.modules.get("_signal", signal)
_handler_of: Final[Callable[[int], Any]] = _c.getsignal
_exchange: Final[Callable[[int, Any], Any]] = _c.signal
_default: Final[_Handler] = signal.default_int_handler
_SIGINT: Final = int(signal.SIGINT)
# Nobody can handle these.
_NEVER = (getattr(signal, "SIGKILL", 0), getattr(signal, "SIGSTOP", 0))
_OTHERS: Final = sorted(int(s) for s in signal.valid_signals() if s not in (_SIGINT, *_NEVER))
# So many handlers at most are exchanged.
_MOST = 4


class _State:
    """What is put off; only the main thread looks at it."""

    __slots__ = ("before", "missed", "quiet", "up")

    def __init__(self) -> None:
        # Whether a step runs.
        self.up = False
        # Whom `_note` stands for, where it is not for the handler of SIGINT alone.
        self.before: dict[int, _Handler] = {}
        # The handlers that were put off, each with its signal.
        self.missed: list[tuple[_Handler, int]] = []
        # What the other signals have where none of them has a handler.
        self.quiet: list[Any] | None = None


_state = _State()


def _note(signum: int, frame: Any) -> None:
    handler = _state.before.get(signum, _default)
    if _state.up:
        _state.missed.append((handler, signum))
        return
    # The step is over, and it stands still: for a moment, or left behind by who has found it in a
    # finalizer, or as said above.
    try:
        if _handler_of(signum) is _note:
            _exchange(signum, handler)
        _state.before.pop(signum, None)
    finally:
        handler(signum, frame)


def shielded(act: Callable[[*_Ts], Any], *arguments: *_Ts) -> Any:
    """Do `act(*arguments)` in the main thread, signals put off; UNDONE, where that cannot be.

    Args:
        act: runs nothing of a user's and waits for nobody.
        *arguments: for it.

    Raises:
        BaseException: what a handler raises, when the step is over or has not begun.
    """
    if _state.quiet is not None and _handler_of(_SIGINT) is _default:
        try:
            _state.up = True
            _exchange(_SIGINT, _note)
            if [*map(_handler_of, _OTHERS)] == _state.quiet:
                return act(*arguments)
        finally:
            try:
                _state.up = False
                _exchange(_SIGINT, _default)
            finally:
                # Once more: if others have handlers, one may have raised.
                _state.up = False
                if _handler_of(_SIGINT) is _note:
                    _exchange(_SIGINT, _default)
                if _state.missed:
                    _make_good()
    return _from_several(act, arguments)


def lift_in_child() -> None:
    """Put the handlers back after a fork in another thread: whose step it was is not here."""
    # What was missed was sent to the parent; a step may be over that has not made it good yet.
    _state.missed.clear()
    if _state.up:
        _state.up = False
        _state.before.setdefault(_SIGINT, _default)
        _put_back(_state.before)


def _from_several(act: Callable[[*_Ts], Any], arguments: tuple[*_Ts]) -> Any:
    """Do as `shielded` where other signals have handlers, or SIGINT has not its usual one."""
    if _state.up:
        return UNDONE
    _put_back(_state.before)
    before: dict[int, Any] = {}
    try:
        # From here on a handler that runs yet, and calls the library, does not get this far.
        _state.up, _state.before = True, before
        before.update(_handlers())
        if len(before) > _MOST:
            before.clear()
            return UNDONE
        try:
            for signum in before:
                before[signum] = _exchange(signum, _note)
        except ValueError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                # Not of a handler, but of `signal.signal` itself: this is a subinterpreter.
                return UNDONE
            raise
        if _handlers() or not all(map(callable, before.values())):
            # One that ran before it was exchanged has changed something.
            return UNDONE
        alone = before.keys() == {_SIGINT} and before[_SIGINT] is _default
        _state.quiet = [*map(_handler_of, _OTHERS)] if alone else None
        return act(*arguments)
    finally:
        try:
            try:
                _state.up = False
                _put_back(before)
            finally:
                _state.up = False
                if before:
                    _put_back(before)
        finally:
            if _state.missed:
                _make_good()


def _handlers() -> dict[int, _Handler]:
    """Return those handlers of Python's that could run now."""
    return {
        signum: handler
        for signum in (_SIGINT, *_OTHERS)
        if callable(handler := _handler_of(signum)) and handler is not _note
    }


def _put_back(before: dict[int, _Handler]) -> None:
    """Have the handlers stand where they stood, unless somebody has put in another."""
    for signum, handler in [*before.items()]:
        if _handler_of(signum) is _note:
            _exchange(signum, handler)
        before.pop(signum, None)


def _make_good() -> None:
    """Call the handlers for what they have missed, all of them, whatever one raises."""
    frame = sys._getframe(1)
    missed, _state.missed = _state.missed, []
    try:
        _call_each(missed, frame)
    finally:
        if missed:
            _state.missed[:0] = missed
            _make_good()


def _call_each(missed: list[tuple[_Handler, int]], frame: Any) -> None:
    while missed:
        handler, signum = missed[0]
        try:
            handler(signum, frame)
        finally:
            del missed[0]
