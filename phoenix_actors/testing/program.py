"""The server as a program: `python -m phoenix_actors serve`."""

from __future__ import annotations

import argparse
import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING

from phoenix_actors.testing.server import PhoenixServer

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["EXIT_OK", "EXIT_UNAVAILABLE", "EXIT_USAGE", "NO_LIMIT", "serve"]

EXIT_OK = 0
EXIT_UNAVAILABLE = 1
EXIT_USAGE = 2

READY = "listening"
# The word for no idle timeout.
NO_LIMIT = "none"


def serve(argv: list[str]) -> int:
    """Serves until SIGINT or SIGTERM, then closes connections with 1012 and returns the exit code.

    Prints one line, `listening ws://127.0.0.1:PORT/socket/websocket`, once it accepts connections.
    A second signal ends the process at once. Only for the main thread.

    Args:
        argv: the arguments after `serve`; `--help` lists them.

    Returns:
        0 after a signal; 1 when the address cannot be listened on; 2 for a wrong option.
    """
    arguments = _parser().parse_args(argv)
    try:
        server = PhoenixServer(
            arguments.host,
            arguments.port,
            idle_timeout=arguments.idle_timeout,
            compress=not arguments.no_compress,
            max_frame_size=arguments.max_frame_size,
            max_channels=arguments.max_channels,
            drain_timeout=arguments.drain_timeout,
            auth_token=arguments.auth_token,
            longpoll_window=arguments.longpoll_window,
        )
    except ValueError as error:
        print(f"serve: {error}", file=sys.stderr)  # noqa: T201  a program
        return EXIT_USAGE
    # Its put() may interrupt its get() in the same thread, as a signal handler does.
    ends: queue.SimpleQueue[str] = queue.SimpleQueue()
    previous = {number: _on_signal(number, ends) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with server:
            print(READY, server.url, flush=True)  # noqa: T201  a program
            if arguments.exit_at_eof:
                threading.Thread(target=_watch_input, args=(ends,), name="eof", daemon=True).start()
            ends.get()
            # A second signal finds the default, which ends the process.
            for number in previous:
                signal.signal(number, signal.SIG_DFL)
    except OSError as error:
        print(f"serve: cannot listen: {error}", file=sys.stderr)  # noqa: T201  a program
        return EXIT_UNAVAILABLE
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="phoenix-actors serve", description="A Phoenix server for tests, on loopback."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    add("--port", type=int, default=4000, help="the port; 0 picks a free one (%(default)s)")
    add(
        "--idle-timeout",
        type=_idle_timeout,
        default=60.0,
        metavar="SECONDS",
        help=f"close with 1002 after so long without anything from the client, or {NO_LIMIT!r} "
        "(%(default)s)",
    )
    add("--no-compress", action="store_true", help="do not negotiate permessage-deflate")
    add(
        "--max-frame-size",
        type=int,
        default=10_000_000,
        metavar="BYTES",
        help="close with 1009 above it (%(default)s)",
    )
    add(
        "--max-channels",
        type=int,
        default=1_000_000,
        metavar="N",
        help="channels per connection (%(default)s)",
    )
    add(
        "--drain-timeout",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="how long clients may take to close at shutdown (%(default)s)",
    )
    add("--auth-token", action="store_true", help="take tokens that clients offer as a subprotocol")
    add(
        "--longpoll-window",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long a poll waits for messages (%(default)s)",
    )
    add("--exit-at-eof", action="store_true", help="also end when standard input does")
    return parser


def _idle_timeout(text: str) -> float | None:
    try:
        return None if text == NO_LIMIT else float(text)
    except ValueError:
        msg = f"must be seconds or {NO_LIMIT!r}, not {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


def _on_signal(number: int, ends: queue.SimpleQueue[str]) -> signal.Handlers:
    def handler(received: int, frame: FrameType | None) -> None:
        del received, frame
        ends.put("signal")

    return signal.signal(number, handler)  # type: ignore[return-value]


def _watch_input(ends: queue.SimpleQueue[str]) -> None:
    # Not through sys.stdin: a thread inside its buffer at exit is a fatal error.
    while os.read(0, 1024):
        pass
    ends.put("end of input")
