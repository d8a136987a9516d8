"""The exit codes of the command line; `phoenix_actors.cli` says what each means."""

from __future__ import annotations

from typing import Final

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
]

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NO_CONNECTION: Final = 3
EXIT_REFUSED: Final = 4
EXIT_TIMEOUT: Final = 5
# As a shell tells the end by SIGINT, SIGPIPE and SIGTERM: 128 and the signal's number.
EXIT_INTERRUPTED: Final = 130
EXIT_NO_READER: Final = 141
EXIT_TERMINATED: Final = 143
