"""`top`: the live terminal screen of a process that has called `observer.serve(path)`.

Exit codes: 0 the user has left, or the screen was printed; 2 a wrong argument, or `rich` (the extra
`top`) is missing; 3 nobody serves at the path; 130 Ctrl-C; 141 nobody reads the output;
143 SIGTERM.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from supervisors.observer.facts import Sort
from supervisors.observer.following import Follower
from supervisors.observer.looking import RefusedError
from supervisors.observer.render import clean
from supervisors.observer.viewing import View, press

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

__all__ = ["main"]

EXIT_OK: Final = 0
EXIT_USAGE: Final = 2
EXIT_GONE: Final = 3
EXIT_INTERRUPTED: Final = 130
EXIT_NO_READER: Final = 141
EXIT_TERMINATED: Final = 143
_WIDTH_IN_A_PIPE: Final = 120
# Seconds between two drawings when there are no news, so that ages go on.
_REDRAW: Final = 1.0


_EPILOG: Final = """\
q leaves; the other keys stand in the heading of the screen

exit codes:
  0    done
  2    a wrong argument, or rich (the extra `top`) is missing
  3    nobody serves there
  130  Ctrl-C    141  nobody reads the output    143  SIGTERM
"""


class _Terminated(BaseException):
    """SIGTERM came."""


def main(arguments: Sequence[str], program: str = "top") -> int:
    """Show the process; return the exit code. Only in the main thread."""
    try:
        options = _parser(program).parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    if importlib.util.find_spec("rich") is None:
        return _say("rich is not installed: pip install 'phoenix-actors[top]'", EXIT_USAGE)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if not options.once and not interactive:
        return _say("this is no terminal: add --once to print one screen", EXIT_USAGE)
    try:
        if options.once:
            return _once(options)
        with _ending_on_sigterm():
            return _live(options)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except _Terminated:
        return EXIT_TERMINATED
    except BrokenPipeError:
        # What is still buffered must not be written at exit either.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NO_READER
    except (OSError, RefusedError) as error:
        return _say(f"nothing to see at {options.path}: {error}", EXIT_GONE)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Have SIGTERM end the screen in order, so that the terminal is given back as it was."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="A look into a running program that has called observer.serve(PATH).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="of the socket")
    parser.add_argument("--once", action="store_true", help="print one screen and leave")
    parser.add_argument(
        "--interval", type=_interval, default=1.0, metavar="SECONDS", help="at least 1 (default)"
    )
    parser.add_argument(
        "--sort",
        choices=[sort.value for sort in Sort],
        default=Sort.MAILBOX.value,
        help="of the actors (default: %(default)s)",
    )
    return parser


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not (math.isfinite(seconds) and seconds >= 1):
        msg = "must be 1 second or more"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _say(text: str, code: int) -> int:
    with suppress(OSError, AttributeError):
        sys.stderr.write(f"top: {clean(text)}\n")
    return code


def _once(options: argparse.Namespace) -> int:
    from supervisors.observer.cells import console
    from supervisors.observer.screen import printout

    view = View(sort=Sort(options.sort))
    follower = Follower(options.path, options.interval, view.sort, lambda: None)
    try:
        out = console(None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE)
        out.print(printout(follower.seen, view))
        sys.stdout.flush()
    finally:
        follower.close()
    return EXIT_OK


def _live(options: argparse.Namespace) -> int:
    from supervisors.observer.cells import console
    from supervisors.observer.keys import single_keys

    waking, wake = os.pipe()
    os.set_blocking(wake, False)

    def changed() -> None:
        # A full pipe wakes as well.
        with suppress(BlockingIOError):
            os.write(wake, b"!")

    try:
        view = View(sort=Sort(options.sort))
        follower = Follower(options.path, options.interval, view.sort, changed)
        try:
            follower.start()
            with single_keys():
                _show(console(None), follower, view, waking)
        finally:
            follower.close()
    finally:
        os.close(waking)
        os.close(wake)
    return EXIT_OK


def _show(out: Console, follower: Follower, view: View, waking: int) -> None:
    """Draw and obey keys until the user leaves."""
    from supervisors.observer.cells import live

    with live(out) as screen:
        # Without a loop in here: the terminal is given back after a Ctrl-C in any Python.
        _converse(screen, out, follower, view, waking)


def _converse(screen: Live, out: Console, follower: Follower, view: View, waking: int) -> None:
    from supervisors.observer.keys import read_keys
    from supervisors.observer.screen import full_screen

    while not view.over:
        screen.update(full_screen(follower.seen, view, *out.size), refresh=True)
        try:
            keys = read_keys(waking, _REDRAW)
        except EOFError:
            return
        before = view
        for key in keys:
            view = press(view, key, follower.seen.look)
            if view.deed is not None and view.selected is not None:
                follower.order(view.selected, view.deed)
                view = press(view, "", None)
        if view != before:
            follower.sort, follower.paused = view.sort, view.paused
            follower.urn = view.selected if view.inside else None
            follower.hurry()
