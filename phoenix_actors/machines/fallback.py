"""When long poll takes the place of the WebSocket, as a pure machine.

| what is known | an attempt |
| --- | --- |
| nothing | tries the WebSocket for `limit` seconds, then long poll |
| the WebSocket opened, a ping was not answered within `limit` | tries long poll |
| the WebSocket failed and long poll opened | tries long poll |
| a ping over the WebSocket was answered | tries the WebSocket, and nothing else ever (C146) |

What is known of long poll is forgotten by connect() of a client that is disconnected, so that it
can find its way back to the WebSocket. Where both failed nothing is known: the server may be down,
and long poll that never opened is not tried first again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

__all__ = [
    "AttemptBegan",
    "AttemptFailed",
    "AttemptOpened",
    "Carrier",
    "ConnectAsked",
    "FallbackCommand",
    "FallbackEvent",
    "FallbackMachine",
    "GiveUpAttempt",
    "Probe",
    "ProbeAnswered",
    "ProbeFailed",
    "Try",
]


class Carrier(StrEnum):
    """What carries the frames."""

    PRIMARY = "primary"
    LONG_POLL = "longpoll"


class AttemptBegan(msgspec.Struct, frozen=True):
    """The client begins an attempt to connect."""


class AttemptFailed(msgspec.Struct, frozen=True):
    """This carrier did not open; `final` when another one would fare no better."""

    carrier: Carrier
    final: bool = False


class AttemptOpened(msgspec.Struct, frozen=True):
    """This carrier opened."""

    carrier: Carrier


class ProbeAnswered(msgspec.Struct, frozen=True):
    """The ping over the primary was answered in time."""


class ProbeFailed(msgspec.Struct, frozen=True):
    """The ping over the primary was not answered in time, though the connection is open."""


class ConnectAsked(msgspec.Struct, frozen=True):
    """The user called connect() while the client was disconnected."""


FallbackEvent: TypeAlias = (
    AttemptBegan | AttemptFailed | AttemptOpened | ProbeAnswered | ProbeFailed | ConnectAsked
)


class Try(msgspec.Struct, frozen=True):
    """Open this carrier, within so many seconds if there is a limit."""

    carrier: Carrier
    limit: float | None = None


class Probe(msgspec.Struct, frozen=True):
    """Once the connection is announced, ping the server and wait up to `limit` seconds."""

    limit: float


class GiveUpAttempt(msgspec.Struct, frozen=True):
    """The attempt has failed."""


FallbackCommand: TypeAlias = Try | Probe | GiveUpAttempt


class FallbackMachine:
    """The choice of one client. Not thread-safe: its shell hands in one event at a time.

    Args:
        limit: seconds that the primary has to open, and again to answer a ping.

    Example:
        >>> choice = FallbackMachine(limit=2.5)
        >>> choice.handle(AttemptBegan())
        [Try(carrier=<Carrier.PRIMARY: 'primary'>, limit=2.5)]
        >>> choice.handle(AttemptFailed(Carrier.PRIMARY))
        [Try(carrier=<Carrier.LONG_POLL: 'longpoll'>, limit=None)]
        >>> choice.handle(AttemptOpened(Carrier.LONG_POLL))
        []
        >>> choice.handle(AttemptBegan())
        [Try(carrier=<Carrier.LONG_POLL: 'longpoll'>, limit=None)]
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.healthy = False  # a ping over the primary was answered
        self.fallen_back = False  # long poll is to be tried first
        self._carried = False  # long poll has opened

    def handle(self, event: FallbackEvent) -> list[FallbackCommand]:
        """Take in one event; return what to do, in order."""
        match event:
            case AttemptBegan():
                if self.fallen_back:
                    return [Try(Carrier.LONG_POLL)]
                return [Try(Carrier.PRIMARY, None if self.healthy else self.limit)]
            case AttemptFailed(Carrier.PRIMARY, False) if not self.healthy:
                return [Try(Carrier.LONG_POLL)]
            case AttemptFailed():
                self.fallen_back = self.fallen_back and self._carried
                return [GiveUpAttempt()]
            case AttemptOpened(Carrier.PRIMARY):
                return [] if self.healthy else [Probe(self.limit)]
            case AttemptOpened():
                self.fallen_back = self._carried = True
            case ProbeAnswered():
                self.healthy, self.fallen_back = True, False
            case ProbeFailed():
                self.fallen_back = not self.healthy
            case ConnectAsked():
                self.fallen_back = False
        return []

    def __repr__(self) -> str:
        return f"<FallbackMachine healthy={self.healthy} fallen_back={self.fallen_back}>"
