"""A connection machine on the bench: a clock by hand and timers that fire in order."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from phoenix_actors.errors import ConnectError
from phoenix_actors.machines import connection_events as events
from phoenix_actors.machines.connection import ConnectionMachine
from phoenix_actors.machines.reconnect import ReconnectPolicy
from phoenix_actors.machines.timers import ArmTimer, CancelTimer, TimerFired

if TYPE_CHECKING:
    from phoenix_actors.errors import PhoenixError

__all__ = ["Bench"]

T = TypeVar("T")


class Bench:
    """Drives one `ConnectionMachine`; options that are none of its own make the policy."""

    def __init__(self, *, sample: float = 0.5, **options: Any) -> None:
        own = ("heartbeat_interval", "heartbeat_timeout", "close_timeout")
        machine = {name: options.pop(name) for name in own if name in options}
        refs = count(1)
        self.sample = sample
        self.machine = ConnectionMachine(
            ReconnectPolicy(**options),
            next_ref=lambda: str(next(refs)),
            random=lambda: self.sample,
            **machine,
        )
        self.now = 0.0
        self.timers: dict[str, tuple[float, ArmTimer]] = {}
        self.commands: list[events.ConnectionCommand] = []
        self.log: list[events.ConnectionCommand] = []

    def handle(self, event: events.ConnectionEvent) -> list[events.ConnectionCommand]:
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

    def fire(self, name: str) -> list[events.ConnectionCommand]:
        """Let an armed timer fire now."""
        _, armed = self.timers.pop(name)
        return self.handle(TimerFired(armed.timer, armed.serial))

    def advance(self, seconds: float) -> list[events.ConnectionCommand]:
        """Let time pass and timers fire; return all commands of that time."""
        end, found = self.now + seconds, []
        while due := sorted((at, name) for name, (at, _) in self.timers.items() if at <= end):
            self.now, name = due[0]
            found += self.fire(name)
        self.now = end
        self.commands = found
        return found

    def connect(self) -> list[events.ConnectionCommand]:
        """Ask for a connection."""
        return self.handle(events.ConnectRequested())

    def disconnect(self) -> list[events.ConnectionCommand]:
        """Ask for the end of it."""
        return self.handle(events.DisconnectRequested())

    def opened(self) -> list[events.ConnectionCommand]:
        """Let the attempt under way succeed."""
        return self.handle(events.TransportConnected(self.machine.generation))

    def failed(self, error: PhoenixError | None = None) -> list[events.ConnectionCommand]:
        """Let the attempt under way fail."""
        error = error or ConnectError("refused")
        return self.handle(events.ConnectFailed(self.machine.generation, error))

    def dropped(
        self, code: int = 1006, reason: str = "", *, clean: bool = False
    ) -> list[events.ConnectionCommand]:
        """Let the present connection end."""
        closed = events.TransportClosed(self.machine.generation, code, reason, clean)
        return self.handle(closed)

    def connected(self) -> Bench:
        """Connect, and be connected."""
        self.connect()
        self.opened()
        assert self.status == "connected"
        return self

    @property
    def status(self) -> str:
        """The status, as a plain word."""
        return self.machine.status.value

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
