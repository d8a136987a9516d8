"""What a process is busy with where that is no message.

User code runs while `Process.handling` is anything but IDLE: only then can a kill meet it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["BOOTING", "IDLE", "STASHED", "Doing"]


class Doing(Enum):
    """Values that no message can equal."""

    IDLE = "idle"
    BOOTING = "booting"
    STASHED = "stashed"


IDLE: Final = Doing.IDLE
BOOTING: Final = Doing.BOOTING
# In a handler that has put its message aside: it is no longer this handler's to answer.
STASHED: Final = Doing.STASHED
