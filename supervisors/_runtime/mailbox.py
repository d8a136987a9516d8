"""Two lanes, closed and drained in one step, so that no message is ever lost unseen.

Control messages (stop, fatal exit signals) overtake user messages. There is no lock on the way in:
a deque's append, extend by a list and popleft, and a list's append and pop, are atomic, with the
GIL and without it.
That no message slips in behind the last drain follows from their order. `put` appends and *then*
looks at `closed`; `close` sets `closed` and *then* drains. If the last popleft of the drain came
before the append, `closed` was set before that and the putter sees it and drains itself; else the
drain finds it.

Laws: what is put is handled, rejected by the closer, or rejected by a putter, exactly once; after
`close` has returned and all puts have, both lanes are empty.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any, Final

from supervisors._locks import new_rlock

__all__ = ["NOTHING", "NO_CONTROL", "Mailbox", "NoLaneError", "making"]


class NoLaneError(Exception):
    """A message was put where there is no lane yet: make one, and put it there."""


class _NoLane(deque[Any]):
    """An empty lane that takes nothing, so that who puts something in need not look first."""

    def append(self, item: Any) -> None:
        """Refuse it.

        Raises:
            NoLaneError: always.
        """
        raise NoLaneError


NOTHING: Final[deque[Any]] = _NoLane()
"""What a suspended process takes its user messages from, and one that has not had any yet."""

# Held for the making of a lane, or of a reply's callbacks, only, and for giving a lane back. A
# signal handler that interrupts its holder may send too, so it is reentrant, and what is made is
# made before the look whether it is needed: no handler runs between that look and the assignment.
making = new_rlock()


def _unshared() -> int:
    """Return what getrefcount() says of what only a variable of the caller's holds."""
    lane: deque[Any] = deque()
    return sys.getrefcount(lane)


_UNSHARED: Final = _unshared()
# Without the GIL a count of references may be old when it is read: there lanes are kept.
_GIL: Final = getattr(sys, "_is_gil_enabled", lambda: True)()


class ControlLane(list[Any]):
    """A lane for few items: an empty list takes a tenth of the memory of an empty deque.

    Each of its steps is one of a list's own, and as atomic, with the GIL and without it.
    """

    __slots__ = ()

    def popleft(self) -> Any:
        """Take the first item out; an IndexError when there is none."""
        return self.pop(0)

    def appendleft(self, item: Any) -> None:
        """Put an item before all others."""
        self.insert(0, item)


NO_CONTROL: Final = ControlLane()
"""The control lane of a process that has given its own back; nothing is ever put there."""


class Mailbox:
    """The inbox of one process, which is one itself: an object of its own takes 80 bytes more.

    `slot` is the right to run the process: the owner lies in it while nobody has that right, and
    whoever takes it out must have it run, and put back. To take out, to put back and to look are
    one step of a list's each, and cost a third of a lock's. While the owner is `suspended`, user
    messages stay where they are; only the slot's holder changes that.
    """

    __slots__ = ("closed", "control", "owner", "slot", "suspended", "user")

    def __init__(self, owner: Any) -> None:
        """Start open, empty and with the slot free.

        Args:
            owner: whose `_reject(item)` gets what can no longer be handled.
        """
        self.user: deque[Any] = NOTHING
        self.suspended = False
        self.control = ControlLane()
        # Written so, the list has room for one and keeps it: no memory is asked for again.
        self.slot: list[Any] = [owner]
        self.closed = False
        self.owner = owner

    def add(self, item: Any) -> None:
        """Append a user message, without a look at the slot."""
        try:
            self.user.append(item)
        except NoLaneError:
            self.lane().append(item)
        if self.closed:
            self.drain()

    def add_all(self, items: list[Any]) -> None:
        """Append several user messages in one step; otherwise as `add`."""
        user = self.user
        if user is NOTHING:
            user = self.lane()
        user.extend(items)
        if self.closed:
            self.drain()

    def add_control(self, item: Any) -> None:
        """Append a control message, without a look at the slot."""
        control = self.control
        if control is NO_CONTROL:
            control = self.control_lane()
        control.append(item)
        if self.closed:
            self.drain()

    def put(self, item: Any) -> bool:
        """Append a user message; tell whether the putter must have the process scheduled."""
        self.add(item)
        return self._take()

    def put_control(self, item: Any) -> bool:
        """Append a control message; tell whether the putter must have the process scheduled."""
        self.add_control(item)
        return self._take()

    def _take(self) -> bool:
        return not self.closed and self.take_slot()

    def take_slot(self) -> bool:
        """Take the slot; False when somebody has it."""
        try:
            self.slot.pop()
        except IndexError:
            return False
        return True

    def give_back_slot(self) -> bool:
        """Give the slot back; True when it was taken again for what had come meanwhile."""
        self.slot.append(self.owner)
        return self.retake_slot()

    def retake_slot(self) -> bool:
        """Take the slot that was just given back, if anything waits that may be handled now."""
        return self.has_work() and self.take_slot()

    def lane(self) -> deque[Any]:
        """Return the lane of user messages; it is made with the first of them."""
        lane: deque[Any] = deque()
        with making:
            if self.user is NOTHING:
                self.user = lane
            return self.user

    def control_lane(self) -> ControlLane:
        """Return the control lane; it is made anew where it was given back."""
        control = ControlLane()
        with making:
            if self.control is NO_CONTROL:
                self.control = control
            return self.control

    def give_back_lane(self) -> int:
        """Drop the lane of user messages, if it is empty, and return its bytes; else 0.

        With it goes the control lane. Only for the slot's holder, while no turn runs. The next
        message makes the lane anew.
        """
        with making:
            lane = self.user
            if type(lane) is not deque or lane or lane is NOTHING or not _GIL:
                return 0
            self.user = NOTHING
            # Who has read the lane, to put a message into it, holds it. From here on nobody can
            # read it any more; so if nobody holds it and it is empty, nobody ever puts into it.
            if sys.getrefcount(lane) > _UNSHARED or lane:
                self.user = lane
                return 0
            control = self.control
            if not control:
                self.control = NO_CONTROL
                # As above.
                if sys.getrefcount(control) > _UNSHARED or control:
                    self.control = control
            return sys.getsizeof(lane)

    def has_work(self) -> bool:
        """Tell whether anything waits that may be handled now."""
        return bool(self.control or (self.user and not self.suspended))

    def close(self) -> None:
        """Refuse what comes and reject what waits."""
        self.closed = True
        if self.control or self.user:
            self.drain()

    def drain(self) -> None:
        """Reject everything that waits. Several threads may do this at once."""
        self.take_back(NOTHING)

    def take_back(self, own: Any) -> bool:
        """Reject as `drain` does, except one message; False where another thread rejected that."""
        found = False
        lanes: tuple[ControlLane | deque[Any], ...] = (self.control, self.user)
        for lane in lanes:
            while True:
                try:
                    item = lane.popleft()
                except IndexError:
                    break
                if item is own and not found:
                    found = True
                else:
                    self.owner._reject(item)
        return found
