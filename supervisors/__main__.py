"""`python -m supervisors top PATH`: a look into a running program; see `supervisors.observer`."""

from __future__ import annotations

import sys

__all__ = ["main"]

_USAGE = 2


def main(arguments: list[str], program: str = "python -m supervisors") -> int:
    """Run a command and return its exit code."""
    match arguments:
        case ["top", *rest]:
            from supervisors.observer.top import main as top

            return top(rest, f"{program} top")
    sys.stderr.write(f"usage: {program} top PATH [--once]; top --help lists options\n")
    return _USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
