"""Who has the GIL lets it go for who waits for an answer.

CPython takes the GIL from a thread that goes on and on only every 5 ms (`sys.getswitchinterval`).
Beside threads that send without a pause, who asks an idle actor would wait that long twice: until a
worker runs the actor, and until itself runs again. Both moments are known here, and who sends to an
actor that is busy anyway, and a worker that has more to do, sleep then for a moment.

`asked` holds the gates of those who asked an idle actor and wait to go on, `answered` of those of
them, and of all others who ask, that have their answer. Laws:

- A gate counts for `_WHILE` after it was put in, so one whose owner was thrown out of its wait, as
  by Ctrl-C, or whose handler takes long, holds up nobody for longer.
- A thread sleeps away at most one part of its time in `_SHARE`, but for `_STRETCH` in one go, each
  time counted as `_COUNTED`. Beside threads that compute it gets the GIL back later, up to 5 ms for
  each of them; to count that would leave the next askers with their 5 ms.
- Who asks with `block=False` puts nothing in: it waits for many answers, and to be woken for each
  would cost more than it gains.

This is a matter of time alone; what is handled, and in which order, is the same.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from supervisors._runtime.current import current

__all__ = ["PASSED", "Gate", "answered", "asked", "give_way"]

# Seconds: how long an ask, or an answer, has others give way; how long they sleep each time, and
# what that is counted as, for the system wakes them later.
_WHILE: Final = 0.001
_NAP: Final = 0.00005
_COUNTED: Final = 0.0001
_SHARE: Final = 4
_STRETCH: Final = 0.001
PASSED: Final = -1.0
_now = time.monotonic
_sleep = time.sleep
# Without the GIL nobody is in anybody's way, and so nothing is kept.
_ROOM: Final = 64 if getattr(sys, "_is_gil_enabled", lambda: True)() else 0

# Who looks takes out what no longer counts; where nobody does, the oldest go.
asked: Final[deque[Gate]] = deque(maxlen=_ROOM)
answered: Final[deque[Gate]] = deque(maxlen=_ROOM)


class Gate:
    """Where an asker waits until its answer is there."""

    __slots__ = ("_open", "acquire", "until")

    acquire: Callable[..., bool]

    def __init__(self) -> None:
        """Shut; somebody else is to release it."""
        lock = threading.Lock()
        lock.acquire()
        self.acquire = lock.acquire
        self._open = lock.release
        # Until when the gate counts, by the monotonic clock; PASSED once the asker has gone on.
        self.until = 0.0

    def expect(self) -> None:
        """Have others give way: an idle actor was asked, and is soon to run."""
        self.until = _now() + _WHILE
        asked.append(self)

    def release(self) -> None:
        """Open the gate, and have others give way to who waits there."""
        until = self.until
        if until != PASSED:
            now = _now()
            self.until = now + _WHILE
            answered.append(self)
            if until < now:
                # It has not been there, or is taken out.
                asked.append(self)
        self._open()


def give_way(gates: deque[Gate]) -> None:
    """Sleep for a moment while one of these gates, `asked` or `answered`, counts.

    A worker that is in the middle of a handler may be the one who is to run the actor that was
    asked, so it gives way to answers alone.
    """
    now = _now()
    here = current.here
    if here.even > now or (gates is asked and here.host is not None and not answered):
        return
    try:
        while gates[0].until < now:
            gates.popleft()
    except IndexError:
        return
    _sleep(_NAP)
    here.even = max(here.even, now - _SHARE * _STRETCH) + _SHARE * _COUNTED
