"""A small client of vsn 2.0.0 for tests of the server; it shares nothing with the package's."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.conformance.raw_client import DEADLINE, RawClient

if TYPE_CHECKING:
    from typing import Self

# What `ending()` returns for a stream that ended without a close frame.
FIN = "FIN"


class V2Client:
    """One connection; waits for what it asks for and keeps other messages in `events`."""

    def __init__(self, url: str, query: str = "") -> None:
        self.raw = RawClient.connected(url, f"/socket/websocket?vsn=2.0.0{query}")
        self.events: deque[list[Any]] = deque()
        self._refs = itertools.count(1)
        self._join_refs: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()

    def send(self, frame: list[Any]) -> None:
        """Sends a frame as it is."""
        self.raw.send("text", json.dumps(frame, ensure_ascii=False).encode())

    def cast(self, topic: str, event: str, payload: Any = None) -> str:
        """Pushes without waiting; returns the ref."""
        ref = str(next(self._refs))
        if event == "phx_join":
            self._join_refs[topic] = ref
        self.send(
            [self._join_refs.get(topic), ref, topic, event, {} if payload is None else payload]
        )
        return ref

    def ask(self, topic: str, event: str, payload: Any = None) -> tuple[str, Any]:
        """Pushes, waits for the reply, and returns its status and response."""
        ref = self.cast(topic, event, payload)
        return self.reply(ref)

    def reply(self, ref: str) -> tuple[str, Any]:
        """Waits for the reply to a push."""
        while True:
            frame = self.read()
            if frame[1] == ref and frame[3] == "phx_reply":
                return frame[4]["status"], frame[4]["response"]
            self.events.append(frame)

    def join(self, topic: str, params: Any = None) -> Any:
        """Joins and returns the response."""
        status, response = self.ask(topic, "phx_join", params)
        assert status == "ok", response
        return response

    def heartbeat(self) -> None:
        """Waits until a heartbeat is answered."""
        assert self.ask("phoenix", "heartbeat") == ("ok", {})

    def event(self) -> list[Any]:
        """Returns the next message that is no reply."""
        return self.events.popleft() if self.events else self.read()

    def read(self, timeout: float = DEADLINE) -> list[Any]:
        """Returns the next text message."""
        received = self.raw.receive(timeout)
        assert received is not None, "no message came"
        assert received.kind == "text", received
        frame: list[Any] = json.loads(received.data)
        return frame

    def silent(self, seconds: float) -> bool:
        """Tells whether nothing comes for so long; the connection must stay open."""
        return self.raw.receive(seconds) is None and not self.raw.ended

    def ending(self) -> int | str:
        """Reads to the end of the stream; returns the close code, or FIN without a close frame."""
        code: int | str = FIN
        while (received := self.raw.receive()) is not None:
            if received.kind == "close":
                code = int.from_bytes(received.data[:2], "big")
        assert self.raw.ended, "the stream did not end"
        return code
