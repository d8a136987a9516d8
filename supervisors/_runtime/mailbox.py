"""Two lanes, closed and drained in one step, so that no message is ever lost unseen.

Control messages (stop, fatal exit signals) overtake user messages. There is no lock on the way in:
a deque's append and popleft are atomic, with the GIL and without it. That no message slips in
behind the last drain follows from their order. `put` appends and *then* looks at `closed`;
`close` sets `closed` and *then* drains. If the last popleft of the drain came before the append,
`closed` was set before that and the putter sees it and drains itself; else the drain finds it.

Laws: what is put is handled, rejected by the closer, or rejected by a putter, exactly once; after
`close` has returned and all puts have, both lanes are empty.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

__all__ = ["NOTHING", "Mailbox"]

NOTHING: Final[deque[Any]] = deque(maxlen=0)
"""What a suspended process takes its user messages from."""


class Mailbox:
    """The inbox of one process.

    `slot` is the right to run the process: whoever acquires it must have the process run. While
    it is `suspended`, user messages stay where they are; only the slot's holder changes that.
    """

    __slots__ = ("closed", "control", "reject", "slot", "suspended", "user")

    def __init__(self, reject: Callable[[Any], None]) -> None:
        """Start open, empty and with the slot free; `reject` gets what can no longer be handled."""
        self.user: deque[Any] = deque()
        self.suspended = False
        self.control: deque[Any] = deque()
        self.slot = threading.Lock()
        self.closed = False
        self.reject = reject

    def __len__(self) -> int:
        """Return the number of user messages that wait."""
        return len(self.user)

    def put(self, item: Any) -> bool:
        """Append a user message; tell whether the putter must have the process scheduled."""
        self.user.append(item)
        if self.closed:
            self.drain()
            return False
        return self.slot.acquire(False)

    def put_control(self, item: Any) -> bool:
        """Append a control message; tell whether the putter must have the process scheduled."""
        self.control.append(item)
        if self.closed:
            self.drain()
            return False
        return self.slot.acquire(False)

    def has_work(self) -> bool:
        """Tell whether anything waits that may be handled now."""
        return bool(self.control or (self.user and not self.suspended))

    def close(self) -> None:
        """Refuse what comes and reject what waits."""
        self.closed = True
        self.drain()

    def drain(self) -> None:
        """Reject everything that waits. Several threads may do this at once."""
        for lane in (self.control, self.user):
            while True:
                try:
                    item = lane.popleft()
                except IndexError:
                    break
                self.reject(item)
