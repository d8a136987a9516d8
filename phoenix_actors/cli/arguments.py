"""The commands and their options, and what runs each."""

from __future__ import annotations

import argparse
import math
import os

from phoenix_actors.cli import bench, listen, push, running

__all__ = ["parser"]

_EXIT_CODES = (
    "exit codes: 0 done; 1 a check failed; 2 wrong argument; 3 no connection; 4 the server said "
    "no; 5 no answer in time; 130 Ctrl-C; 141 nobody reads the output; 143 SIGTERM"
)
_URL = "such as ws://localhost:4000/socket/websocket"
_SECRETS = (
    "Secrets: give JSON as @FILE or in PHOENIX_CONNECT_PARAMS and PHOENIX_PARAMS, the token in "
    "--auth-token-file or PHOENIX_AUTH_TOKEN, so that they do not stand in the list of processes. "
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of everything but the arguments of `serve` and `top`."""
    top = argparse.ArgumentParser(
        prog="phoenix-actors", description="A Phoenix Channels client.", epilog=_EXIT_CODES
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, told: str) -> argparse.ArgumentParser:
        epilog = (_SECRETS if name in ("listen", "push") else "") + _EXIT_CODES
        return commands.add_parser(name, help=told, description=told, epilog=epilog)

    _add_listen(command("listen", "print what a topic says, one message a line, until Ctrl-C"))
    _add_push(command("push", "join a topic, push once, and print the reply"))
    _add_demo(command("demo", "the main job, with three faults that heal"))
    _add_bench(
        command("bench", "push one after another: how many round trips a second, how long each")
    )
    _add_run(command("run", "run the supervision tree that a TOML file describes"))
    commands.add_parser("serve", help="a Phoenix server on loopback; serve --help lists options")
    commands.add_parser("top", help="a look into a running program; top --help lists options")
    return top


def _add_listen(one: argparse.ArgumentParser) -> None:
    one.add_argument("url", metavar="URL", help=_URL)
    one.add_argument("topic", metavar="TOPIC", help="such as room:lobby")
    one.add_argument(
        "--event", action="append", metavar="E", help="only this event; may be repeated"
    )
    one.add_argument("--count", type=_count, metavar="N", help="end after N messages, with code 0")
    _add_connection(one)
    one.set_defaults(run=listen.run)


def _add_push(one: argparse.ArgumentParser) -> None:
    one.add_argument("url", metavar="URL", help=_URL)
    one.add_argument("topic", metavar="TOPIC", help="such as room:lobby")
    one.add_argument("event", metavar="EVENT", help="such as new_message")
    payload = "JSON, @FILE, or - for standard input (default: {})"
    one.add_argument("payload", metavar="PAYLOAD", nargs="?", default="{}", help=payload)
    one.add_argument("--binary", action="store_true", help="PAYLOAD is bytes and not JSON")
    one.add_argument("--no-reply", action="store_true", help="do not wait for a reply")
    _add_connection(one)
    one.set_defaults(run=push.run)


def _add_demo(one: argparse.ArgumentParser) -> None:
    one.add_argument("url", nargs="?", default=os.environ.get("PHOENIX_URL") or None)
    one.set_defaults(run=_demo)


def _add_bench(one: argparse.ArgumentParser) -> None:
    one.add_argument("url", metavar="URL", nargs="?", help=f"{_URL} (default: a server of its own)")
    one.add_argument("--topic", default="room:bench", help="(default: %(default)s)")
    one.add_argument(
        "--event", default="echo", help="one that is replied to (default: %(default)s)"
    )
    one.add_argument("--count", type=_count, default=2000, metavar="N", help="(default: 2000)")
    one.add_argument(
        "--window", type=_count, default=1, metavar="N", help="pushes in flight (default: 1)"
    )
    _add_connection(one)
    one.set_defaults(run=bench.run)


def _add_run(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "file", metavar="FILE", help="see the docstring of phoenix_actors.cli.tree_file"
    )
    one.add_argument("--check", action="store_true", help="check it, print its children, and end")
    one.add_argument("--log-level", choices=running.LEVELS, default="info", help="(default: info)")
    one.epilog = (
        "exit codes: 0 the tree ended in order; 1 it did not start, gave up or crashed; 2 the file "
        "is wrong; 3 something was abandoned and still ran; 130 Ctrl-C; 143 SIGTERM"
    )
    one.set_defaults(run=running.run)


def _add_connection(one: argparse.ArgumentParser) -> None:
    add = one.add_argument
    add("--params", metavar="JSON", help="params of the join; or @FILE, or PHOENIX_PARAMS")
    add(
        "--connect-params",
        metavar="JSON",
        help="params of the connection; or @FILE, or PHOENIX_CONNECT_PARAMS",
    )
    add("--auth-token-file", metavar="FILE", help="holds the auth token; or PHOENIX_AUTH_TOKEN")
    add(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="of the request that opens the connection; or @FILE; may be repeated",
    )
    add("--vsn", choices=["2.0.0", "1.0.0"], default="2.0.0", help="(default: %(default)s)")
    add(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="for the connection, for the join and for a reply, each (default: 10)",
    )
    add("--json", action="store_true", help="one JSON value a line")
    add("--quiet", action="store_true", help="say nothing on standard error but errors")


def _demo(parsed: argparse.Namespace) -> int:
    from phoenix_actors.demo import run

    return run(parsed.url)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = "must be 1 or more"
        raise argparse.ArgumentTypeError(msg)
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        msg = "must be more than 0 seconds"
        raise argparse.ArgumentTypeError(msg)
    return number
