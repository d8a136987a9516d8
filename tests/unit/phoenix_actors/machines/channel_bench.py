"""A channel machine on the bench: a clock by hand, timers that fire in order, commands by kind."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from phoenix_actors.machines import channel_events as events
from phoenix_actors.machines.channel import ChannelMachine
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired
from phoenix_actors.message import Frame, LossReason

if TYPE_CHECKING:
    from phoenix_actors.errors import PhoenixError

__all__ = ["JOINER", "LEAVER", "TOPIC", "Bench"]

T = TypeVar("T")

TOPIC = "room:lobby"
# Who waits for the join, and who for the leave.
JOINER = "joiner"
LEAVER = "leaver"


class Bench:
    """Drives one `ChannelMachine` and carries out its timers.

    `commands` are those of the last event, `log` all of them.
    """

    def __init__(self, **options: Any) -> None:
        refs = count(1)
        self.machine = ChannelMachine(TOPIC, next_ref=lambda: str(next(refs)), **options)
        self.now = 0.0
        self.generation = 0
        self.timers: dict[str, tuple[float, ArmTimer]] = {}
        self.commands: list[events.ChannelCommand] = []
        self.log: list[events.ChannelCommand] = []

    # ---- events ----

    def handle(self, event: events.ChannelEvent) -> list[events.ChannelCommand]:
        """Hand in one event, keep its timers, return its commands."""
        self.commands = self.machine.handle(event, self.now)
        self.log += self.commands
        for command in self.commands:
            match command:
                case ArmTimer(timer=timer, delay=delay):
                    self.timers[timer] = (self.now + delay, command)
                case CancelTimer(timer=timer):
                    del self.timers[timer]
        return self.commands

    def advance(self, seconds: float) -> list[events.ChannelCommand]:
        """Let time pass and timers fire; return all commands of that time."""
        end, found = self.now + seconds, []
        while due := sorted((at, name) for name, (at, _) in self.timers.items() if at <= end):
            self.now, name = due[0]
            found += self.fire(name)
        self.now = end
        self.commands = found
        return found

    def fire(self, name: str) -> list[events.ChannelCommand]:
        """Let an armed timer fire now."""
        _, armed = self.timers.pop(name)
        return self.handle(TimerFired(armed.timer, armed.serial))

    def open(self) -> list[events.ChannelCommand]:
        """Open the next connection."""
        self.generation += 1
        return self.handle(events.SocketOpened(self.generation))

    def lose(self, reason: LossReason) -> list[events.ChannelCommand]:
        """Lose the connection."""
        return self.handle(events.SocketLost(self.generation, reason))

    def join(self, caller: Any = JOINER, timeout: float | None = 10.0) -> list[Any]:
        """Ask for the topic."""
        return list(self.handle(events.JoinRequested(timeout, caller)))

    def push(self, caller: Any, event: str = "shout", timeout: float | None = 10.0) -> list[Any]:
        """Push something."""
        return list(self.handle(events.PushRequested(event, {"by": caller}, caller, timeout)))

    def leave(self, caller: Any = LEAVER, timeout: float | None = 10.0) -> list[Any]:
        """Leave the topic."""
        return list(self.handle(events.LeaveRequested(timeout, caller)))

    def give_up(self, error: PhoenixError) -> list[events.ChannelCommand]:
        """Let the socket give up."""
        return self.handle(events.ConnectionGivenUp(error))

    # ---- frames ----

    def frame(
        self, event: str, payload: Any = None, *, join_ref: str | None, ref: str | None = None
    ) -> list[events.ChannelCommand]:
        """Let a frame arrive on the present connection."""
        frame = Frame(join_ref, ref, TOPIC, event, {} if payload is None else payload)
        return self.handle(events.FrameArrived(frame, self.generation))

    def answer(self, status: str = "ok", response: Any = None) -> list[events.ChannelCommand]:
        """Let the server answer the present join."""
        ref = self.machine.join_ref
        reply = {"response": {} if response is None else response, "status": status}
        return self.frame("phx_reply", reply, join_ref=ref, ref=ref)

    def joined(self, **join: Any) -> Bench:
        """Open, join, and be joined."""
        self.open()
        self.join(**join)
        self.answer()
        assert self.state == "joined"
        return self

    # ---- looking ----

    @property
    def state(self) -> str:
        """The state of the channel, as a plain word."""
        return self.machine.state.value

    def all(self, kind: type[T]) -> list[T]:
        """Return the commands of one kind among those of the last event."""
        return [command for command in self.commands if isinstance(command, kind)]

    def has_one(self, kind: type[object]) -> bool:
        """Tell whether the last event led to one command of a kind."""
        return len(self.all(kind)) == 1

    def one(self, kind: type[T]) -> T:
        """Return the only command of one kind among those of the last event."""
        (command,) = self.all(kind)
        return command

    def logged(self, kind: type[T]) -> list[T]:
        """Return the commands of one kind since the beginning."""
        return [command for command in self.log if isinstance(command, kind)]
