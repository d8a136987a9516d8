"""The command line: `phoenix-actors`, also `python -m phoenix_actors`.

    phoenix-actors demo [URL]     the main job with three faults; PHOENIX_URL gives a server too
    phoenix-actors serve          a loopback Phoenix server; `--help` lists its options
    phoenix-actors top PATH       a look into a running program; `--help` lists its options

Exit codes: 0 ok; 1 a check failed, or the address cannot be listened on; 2 a wrong argument or a
command that this version lacks; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["EXIT_INTERRUPTED", "EXIT_USAGE", "main"]

EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
_LATER: Final = ("listen", "push", "bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; see the module for both."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ImportError as error:
        # The server of demo and serve is an extra; the error says how to install it.
        print(f"phoenix-actors: {error}", file=sys.stderr)
        return EXIT_USAGE


def _run(words: list[str]) -> int:
    if words[:1] == ["serve"]:
        from phoenix_actors.testing import serve

        return serve(words[1:])
    if words[:1] == ["top"]:
        from supervisors.__main__ import main as observe

        return observe(words)
    if words and words[0] in _LATER:
        print(f"phoenix-actors {words[0]}: not available in this version", file=sys.stderr)
        return EXIT_USAGE
    parser = argparse.ArgumentParser(
        prog="phoenix-actors", description="A Phoenix Channels client."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="the main job, with three faults that heal")
    demo.add_argument("url", nargs="?", default=os.environ.get("PHOENIX_URL") or None)
    commands.add_parser("serve", help="a Phoenix server on loopback; serve --help lists options")
    commands.add_parser("top", help="a look into a running program; top --help lists options")
    try:
        parsed = parser.parse_args(words)
    except SystemExit as end:
        return int(end.code or 0)
    from phoenix_actors.demo import run

    return run(parsed.url)
