"""`counter:*`: sums, and a ledger of what was received that outlives channels and sockets."""

from __future__ import annotations

from typing import Any

from phoenix_actors.testing.channel import Reply, ServerChannel, Stop
from phoenix_actors.testing.override import override

__all__ = ["CounterChannel"]


class CounterChannel(ServerChannel):
    """Events `add`, `seq`, `seq_noreply`, `dump`, `reset` and `crash`."""

    @override
    async def join(self, params: Any) -> Any:
        """Answers with the topic and the params."""
        self._sum = 0
        return {"joined": self.topic, "params": params}

    @override
    async def handle_in(self, event: str, payload: Any) -> Reply | Stop | None:
        """Counts or records."""
        ledger = self.hub.ledger
        match event:
            case "add":
                self._sum += payload["n"]
                return Reply.ok({"sum": self._sum, "total": ledger.add(self.topic, payload["n"])})
            case "seq":
                return Reply.ok({"count": ledger.record(self.topic, payload)})
            case "seq_noreply":
                ledger.record(self.topic, payload)
                return None
            case "dump":
                return Reply.ok({"items": ledger.items(self.topic)})
            case "reset":
                ledger.forget(self.topic)
                return Reply.ok()
            case "crash":
                raise RuntimeError("asked to crash")
            case _:
                return await super().handle_in(event, payload)
