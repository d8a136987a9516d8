"""`python -m phoenix_actors.testing serve`: the server as a program, and no other command."""

from __future__ import annotations

import sys

from phoenix_actors.testing.program import serve

if __name__ == "__main__":
    if sys.argv[1:2] != ["serve"]:
        print("usage: python -m phoenix_actors.testing serve [--help]", file=sys.stderr)
        sys.exit(2)
    sys.exit(serve(sys.argv[2:]))
