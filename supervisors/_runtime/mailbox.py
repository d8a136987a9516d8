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
from typing import Any

__all__ = ["Mailbox"]


class Mailbox:
    """The inbox of one process.

    `slot` is the right to run the process: whoever acquires it must have the process run. `ready`
    is the lane to take user messages from: `user`, or an empty one while the process is suspended.
    """

    __slots__ = ("closed", "control", "ready", "reject", "slot", "user")

    def __init__(self, reject: Callable[[Any], None]) -> None:
        """Start open, empty and with the slot free; `reject` gets what can no longer be handled."""
        self.user: deque[Any] = deque()
        self.ready = self.user
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
        return self.slot.acquire(blocking=False)

    def put_control(self, item: Any) -> bool:
        """Append a control message; tell whether the putter must have the process scheduled."""
        self.control.append(item)
        if self.closed:
            self.drain()
            return False
        return self.slot.acquire(blocking=False)

    def has_work(self) -> bool:
        """Tell whether anything waits that may be handled now."""
        return bool(self.control or self.ready)

    def suspend(self) -> None:
        """Give out no user message for now. Only the slot's holder calls."""
        self.ready = deque()

    def resume(self) -> None:
        """Give out user messages again, in order. Only the slot's holder calls."""
        self.ready = self.user

    @property
    def suspended(self) -> bool:
        """Whether user messages are held back."""
        return self.ready is not self.user

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
