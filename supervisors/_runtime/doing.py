"""What a process is busy with where that is no message.

User code runs while `Process.handling` is anything but IDLE: only then can a kill meet it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["BOOTING", "IDLE"]


class _Doing(Enum):
    """Values that no message can equal."""

    IDLE = "idle"
    BOOTING = "booting"


IDLE: Final = _Doing.IDLE
BOOTING: Final = _Doing.BOOTING
