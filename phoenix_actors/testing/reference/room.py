"""`room:*`: echoes, broadcasts, server pushes, binary frames, and every way to end."""

from __future__ import annotations

import asyncio
from typing import Any

from phoenix_actors.testing.channel import JoinRefused, Reply, ServerChannel, Stop
from phoenix_actors.testing.override import override

__all__ = ["RoomChannel"]

# Seconds that a join of room:slow takes.
SLOW_JOIN = 2.0
# After so many frames a flood waits until the client has taken them.
FLOOD_PACE = 200

DEFAULT_BINARY = bytes([0, 1, 2, 3, 0xFE, 0xFF])
FILL = b"\xab"


class RoomChannel(ServerChannel):
    """A room; `room:private`, `room:slow` and `room:crash_on_join` have special joins."""

    @override
    async def join(self, params: Any) -> Any:
        """Answers with the topic and the params."""
        match self.topic:
            case "room:private":
                raise JoinRefused({"reason": "unauthorized"})
            case "room:crash_on_join":
                raise RuntimeError("this topic crashes in its join")
            case "room:slow":
                await asyncio.sleep(SLOW_JOIN)
        return {"joined": self.topic, "params": params}

    @override
    async def handle_in(self, event: str, payload: Any) -> Reply | Stop | None:
        """Does what the event's name says."""
        match event:
            case "echo":
                return Reply.ok(payload)
            case "fail":
                return Reply.error(payload)
            case "no_reply":
                return None
            case "slow_echo":
                await asyncio.sleep(payload["ms"] / 1000)
                return Reply.ok(payload)
            case "hibernate_ping":
                return Reply.ok({"pong": True})
            case "whoami":
                return Reply.ok(self._who())
            case "flood":
                return await self._flood(payload)
            case "crash":
                raise RuntimeError("asked to crash")
            case "stop":
                return Stop()
            case "stop_reply":
                return Stop(Reply.ok(payload))
            case "disconnect_me":
                if self.socket.id is not None:
                    self.hub.disconnect(self.socket.id)
                return None
        return await self._send(event, payload)

    async def _send(self, event: str, payload: Any) -> Reply | Stop | None:
        match event:
            case "shout":
                self.broadcast("shout", payload)
            case "shout_from":
                self.broadcast_from("shout", payload)
                return Reply.ok()
            case "push_me":
                self.push("pushed", payload)
            case "binary_echo" if isinstance(payload, bytes):
                return Reply.ok(payload)
            case "binary_push":
                self.push("binary_pushed", _binary(payload))
            case "binary_broadcast":
                self.broadcast("binary_shout", _binary(payload))
            case _:
                return await super().handle_in(event, payload)
        return None

    def _who(self) -> dict[str, Any]:
        return {
            "params": self.socket.params,
            "id": self.socket.id,
            "transport": self.socket.transport,
            "topic": self.topic,
            "join_ref": self.join_ref,
            "vsn": self.socket.vsn,
        }

    async def _flood(self, payload: Any) -> Reply:
        count, data = payload["n"], "x" * payload["size"]
        for number in range(1, count + 1):
            self.push("tick", {"i": number, "data": data})
            if number % FLOOD_PACE == 0 and not payload.get("raw"):
                await self.drain()
        return Reply.ok({"sent": count})


def _binary(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, dict) and "size" in payload:
        return FILL * int(payload["size"])
    return DEFAULT_BINARY
