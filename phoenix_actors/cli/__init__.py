"""The command line: `phoenix-actors`, also `python -m phoenix_actors`.

    phoenix-actors listen URL TOPIC               print what a topic says, until Ctrl-C
    phoenix-actors push URL TOPIC EVENT [PAYLOAD] push once and print the reply
    phoenix-actors serve                          a loopback Phoenix server
    phoenix-actors demo [URL]                     the main job with three faults that heal
    phoenix-actors bench [URL]                    round trips: how many a second, how long each
    phoenix-actors run FILE                       the supervision tree that a TOML file describes
    phoenix-actors top                            a look into a running program

`--help` after each lists its options. Output goes to standard output, with `--json` one JSON value
a line; what happens meanwhile goes to standard error.

Exit codes:

| code | |
| --- | --- |
| 0 | done |
| 1 | a check of the demo failed, the address cannot be listened on, or the output not written |
| 2 | a wrong argument, or something that is not installed |
| 3 | no connection, or it was lost for good; the server closed the topic |
| 4 | the server said no: it refused the join, or replied with another status than ok |
| 5 | no answer in time |
| 130, 141, 143 | interrupted by Ctrl-C; nobody reads the output any more; SIGTERM |

`run` has those of `supervisors.run`: 1 also when the tree gave up or did not start, 3 when
something was abandoned and still ran.

Secrets need not stand on the command line, where other users of the machine see them. JSON values
are read from a file given as `@FILE` or from the environment (`PHOENIX_CONNECT_PARAMS`,
`PHOENIX_PARAMS`), headers from a file or `PHOENIX_HEADERS`, the token from `--auth-token-file` or
`PHOENIX_AUTH_TOKEN`, a proxy from `PHOENIX_PROXY`, the password of `--key` from
`PHOENIX_KEY_PASSWORD`. Files and standard input are read up to 64 MiB. What a server sends is
printed with control characters escaped, so it cannot steer the terminal.

It is made with argparse: `listen`, `push`, `run` and `top` run where only the run-time dependencies
are installed, and no library for command lines is among them; the others need the loopback server
of the extra `testing`. `argcomplete` (the extra `completion`) completes commands and options in
bash, zsh and fish: `eval "$(register-python-argcomplete phoenix-actors)"`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from phoenix_actors.cli.codes import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_NO_CONNECTION,
    EXIT_NO_READER,
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_TERMINATED,
    EXIT_TIMEOUT,
    EXIT_USAGE,
)
from phoenix_actors.cli.output import notice
from phoenix_actors.cli.told import told
from phoenix_actors.errors import (
    ChannelClosed,
    ConnectError,
    ConnectionLost,
    InvalidOption,
    InvalidURL,
    JoinRejected,
    NotConnected,
    PhoenixError,
)

__all__ = [
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_NO_CONNECTION",
    "EXIT_NO_READER",
    "EXIT_OK",
    "EXIT_REFUSED",
    "EXIT_TERMINATED",
    "EXIT_TIMEOUT",
    "EXIT_USAGE",
    "main",
]


class _Terminated(BaseException):
    """SIGTERM came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; see the module for both."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        before = signal.signal(signal.SIGTERM, _terminate)
    except ValueError:
        # Not in the main thread, where nothing can handle signals.
        return _guarded(words)
    try:
        return _guarded(words)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _guarded(words: list[str]) -> int:
    try:
        code = _run(words)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except _Terminated:
        return EXIT_TERMINATED
    except BrokenPipeError:
        _write_no_more()
        return EXIT_NO_READER
    except ImportError as error:
        # The error of a missing extra says how to install it.
        return _failed(error, EXIT_USAGE)
    except (InvalidOption, InvalidURL, ValueError) as error:
        return _failed(error, EXIT_USAGE)
    except JoinRejected as error:
        return _failed(error, EXIT_REFUSED)
    except (ConnectError, ConnectionLost, NotConnected, ChannelClosed) as error:
        return _failed(error, EXIT_NO_CONNECTION)
    except (TimeoutError, PhoenixError) as error:
        return _failed(error, EXIT_TIMEOUT if isinstance(error, TimeoutError) else EXIT_FAILED)
    except OSError as error:
        # A full disk, say.
        notice(f"cannot go on: {error.strerror or type(error).__name__}")
        _write_no_more()
        return EXIT_FAILED


def _write_no_more() -> None:
    """Have what is still buffered not written at exit either."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: Exception, code: int) -> int:
    notice(told(error))
    cause = error.__cause__
    if cause is not None and isinstance(error, PhoenixError):
        notice(f"because of {type(cause).__name__}: {cause}")
    return code


def _run(words: list[str]) -> int:
    match words:
        case ["serve", *rest]:
            from phoenix_actors.testing import serve

            return serve(rest)
        case ["top", *rest]:
            from supervisors.__main__ import main as observe

            return observe(["top", *rest], "phoenix-actors")
    from phoenix_actors.cli.arguments import parse, parser

    parsing = parser()
    if not words and "_ARGCOMPLETE" not in os.environ:
        parsing.print_help(sys.stderr)
        return EXIT_USAGE
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parsing)
    try:
        parsed = parse(parsing, words)
    except SystemExit as end:
        return int(end.code or 0)
    code: int = parsed.run(parsed)
    return code
