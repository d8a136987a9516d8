"""The commands and their options, and what runs each."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from phoenix_actors.cli import bench, listen, push, running
from phoenix_actors.cli.output import put

__all__ = ["parse", "parser"]

_EXIT_CODES = """\
exit codes:
  0    done
  1    a check of the demo failed, the address cannot be listened on, or the output not written
  2    a wrong argument, or something that is not installed
  3    no connection, or it was lost for good; the server closed the topic
  4    the server said no: it refused the join, or replied another status than ok
  5    no answer in time
  130  Ctrl-C    141  nobody reads the output    143  SIGTERM
"""
# Seconds that a socket can be told to wait: 2**31 milliseconds and no more.
_LONGEST = 2_000_000
_URL = "such as ws://localhost:4000/socket/websocket"
_SECRETS = """\
secrets, so that they do not stand in the list of processes:
  JSON as @FILE, or in PHOENIX_PARAMS and PHOENIX_CONNECT_PARAMS; headers as @FILE, or
  in PHOENIX_HEADERS, one a line; the token by --auth-token-file, or in
  PHOENIX_AUTH_TOKEN; PHOENIX_PROXY; PHOENIX_KEY_PASSWORD for an encrypted --key

"""
_TESTING = "needs pip install 'phoenix-actors[testing]'"


def parser() -> argparse.ArgumentParser:
    """Return the parser of everything but the arguments of `serve` and `top`."""
    top = argparse.ArgumentParser(
        prog="phoenix-actors",
        description="A Phoenix Channels client. `phoenix-actors COMMAND --help` lists options.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, help="print the version and leave")
    commands = top.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )

    def command(name: str, told: str) -> argparse.ArgumentParser:
        epilog = (_SECRETS if name in ("listen", "push", "bench") else "") + _EXIT_CODES
        return commands.add_parser(
            name,
            help=told,
            description=f"{told[0].upper()}{told[1:]}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    _add_listen(command("listen", "print what a topic says, one message a line, until Ctrl-C"))
    _add_push(command("push", "join a topic, push once, and print the reply"))
    _add_demo(command("demo", f"a client heals three faults; without URL it {_TESTING}"))
    _add_bench(command("bench", "round trips of pushes: how many a second, how long each"))
    _add_run(command("run", "run the supervision tree that a TOML file describes"))
    commands.add_parser("serve", help=f"a Phoenix server on loopback; {_TESTING}")
    commands.add_parser("top", help="a look into a running program, by its socket")
    return top


def parse(parsing: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments in the words.

    argparse takes a positional that may be left out for left out where an option stands before it,
    so the payload of `push URL TOPIC EVENT --json PAYLOAD` is found here.

    Raises:
        SystemExit: they are wrong, or ask for help.
    """
    parsed, rest = parsing.parse_known_args(words)
    if parsed.command == "push" and parsed.payload is None:
        if len(rest) == 1 and (rest[0] == "-" or not rest[0].startswith("-")):
            parsed.payload = rest.pop()
        else:
            parsed.payload = "{}"
    if rest:
        parsing.error(f"unrecognized arguments: {' '.join(rest)}")
    return parsed


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
    one.add_argument("payload", metavar="PAYLOAD", nargs="?", help=payload)
    one.add_argument("--binary", action="store_true", help="PAYLOAD is bytes and not JSON")
    one.add_argument("--no-reply", action="store_true", help="do not wait for a reply")
    _add_connection(one)
    one.set_defaults(run=push.run)


def _add_demo(one: argparse.ArgumentParser) -> None:
    default = os.environ.get("PHOENIX_URL") or None
    told = f"{_URL} (default: PHOENIX_URL, else a server of its own)"
    one.add_argument("url", metavar="URL", nargs="?", default=default, help=told)
    one.set_defaults(run=_demo)


def _add_bench(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "url",
        metavar="URL",
        nargs="?",
        help=f"{_URL} (default: a server of its own, which {_TESTING})",
    )
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
    one.add_argument("file", metavar="FILE", help="TOML, as docs/running.md tells")
    one.add_argument("--check", action="store_true", help="check it, print its children, and end")
    one.add_argument(
        "--health",
        type=_address,
        metavar="[HOST:]PORT",
        help="answer probes at /health/live and /health/ready (default host: 127.0.0.1)",
    )
    one.add_argument(
        "--observe", metavar="PATH", help="open a Unix socket for `phoenix-actors top PATH`"
    )
    one.add_argument("--log-level", choices=running.LEVELS, default="info", help="(default: info)")
    one.epilog = """\
exit codes:
  0    the tree ended in order
  1    it did not start, gave up or crashed
  2    the file is wrong
  3    something was abandoned and still ran
  130  Ctrl-C    143  SIGTERM
"""
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
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="of the request that opens the connection; or @FILE; may be repeated",
    )
    add("--cacert", metavar="FILE", help="certificates (PEM) to trust instead of the system's")
    add("-k", "--insecure", action="store_true", help="accept any certificate; for tests")
    add("--cert", metavar="FILE", help="the client's own certificate (PEM)")
    add("--key", metavar="FILE", help="its key, where --cert does not hold that too")
    add(
        "-x",
        "--proxy",
        metavar="URL",
        help="http://…, socks5h://…, or the word environment; or PHOENIX_PROXY",
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


class _Version(argparse.Action):
    """`--version`: looks it up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata

        put(f"phoenix-actors {metadata.version('phoenix-actors')}")
        parser.exit()


def _demo(parsed: argparse.Namespace) -> int:
    from phoenix_actors.demo import run

    return run(parsed.url)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        msg = "must be PORT or HOST:PORT, such as 0.0.0.0:8080"
        raise argparse.ArgumentTypeError(msg)
    return host.strip("[]") or "127.0.0.1", int(port)


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        msg = "must be a whole number, 1 or more"
        raise argparse.ArgumentTypeError(msg)
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= _LONGEST:
        msg = f"must be more than 0 seconds, and {_LONGEST:,} at most"
        raise argparse.ArgumentTypeError(msg)
    return number
