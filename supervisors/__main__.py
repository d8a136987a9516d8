"""`python -m supervisors`: what there is of the observer on the command line."""

from __future__ import annotations

import sys

__all__ = ["main"]

_USAGE = 2


def main(arguments: list[str]) -> int:
    """Say what is not there yet; the observer is used from Python in this version."""
    word = arguments[0] if arguments else "top"
    sys.stderr.write(
        f"supervisors {word}: not available in this version; "
        "use supervisors.observer.snapshot() and render() inside the program\n"
    )
    return _USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
