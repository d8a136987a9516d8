"""What clients really sent, kept for tests to ask: handshakes and inbound frames."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from phoenix_actors.testing.override import override
from supervisors._locks import new_lock
from supervisors.testing.probe import Received

if TYPE_CHECKING:
    from phoenix_actors.testing.wire import WireFrame

__all__ = ["Handshake", "RecordedFrame", "Recorder"]

# How many of the newest are kept.
MAX_FRAMES = 10_000
MAX_HANDSHAKES = 10_000


class RecordedFrame(NamedTuple):
    """A frame from a client and the number of the connection that it came on."""

    connection: int
    frame: WireFrame


class Handshake(msgspec.Struct, frozen=True):
    """One WebSocket upgrade, or session of long poll, that a client asked for.

    `connection` is the number of the connection (1 is the first one ever accepted), or None when
    it was refused; `params` are the decoded query, `headers` pairs with lower case names, `status`
    the HTTP status of the answer (101 for an upgrade, 200 for a session), or the 403 within the
    answer to a poll. Its text form leaves params and headers out.
    """

    connection: int | None
    status: int
    params: dict[str, Any]
    headers: list[tuple[str, str]]

    @override
    def __repr__(self) -> str:
        return f"<Handshake connection={self.connection} status={self.status}>"


class Recorder:
    """Keeps the newest handshakes and frames. Every method is safe from any thread."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._accepted = 0
        self._handshakes: deque[Handshake] = deque(maxlen=MAX_HANDSHAKES)
        self._frames: deque[RecordedFrame] = deque(maxlen=MAX_FRAMES)
        self.unclaimed = Received(MAX_FRAMES)
        """The newest frames that no assertion has taken yet."""

    @property
    def accepted(self) -> int:
        """How many upgrades and sessions were ever accepted."""
        with self._lock:
            return self._accepted

    def accept(
        self, params: dict[str, Any], headers: list[tuple[str, str]], status: int = 101
    ) -> int:
        """Notes an accepted upgrade or session and returns the number of its connection."""
        with self._lock:
            self._accepted += 1
            self._handshakes.append(Handshake(self._accepted, status, params, headers))
            return self._accepted

    def refuse(self, status: int, params: dict[str, Any], headers: list[tuple[str, str]]) -> None:
        """Notes a refusal."""
        with self._lock:
            self._handshakes.append(Handshake(None, status, params, headers))

    def frame(self, connection: int, frame: WireFrame) -> RecordedFrame:
        """Notes an inbound frame."""
        recorded = RecordedFrame(connection, frame)
        with self._lock:
            self._frames.append(recorded)
        return recorded

    def handled(self, recorded: RecordedFrame) -> None:
        """Lets assertions find a frame: the server has joined the topic, or handed the push on."""
        self.unclaimed.put(recorded)

    def handshakes(self) -> list[Handshake]:
        """Returns the newest handshakes, oldest first."""
        with self._lock:
            return list(self._handshakes)

    def frames(self) -> list[RecordedFrame]:
        """Returns the newest frames, oldest first."""
        with self._lock:
            return list(self._frames)

    def clear(self) -> None:
        """Forgets handshakes and frames; the count of accepted upgrades goes on."""
        with self._lock:
            self._handshakes.clear()
            self._frames.clear()
        self.unclaimed.clear()
