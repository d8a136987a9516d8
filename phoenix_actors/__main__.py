"""`python -m phoenix_actors`: the command line."""

from __future__ import annotations

import sys

from phoenix_actors.cli import main

if __name__ == "__main__":
    sys.exit(main())
