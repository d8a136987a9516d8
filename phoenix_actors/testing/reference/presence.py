"""`presence:*`: tracks who joined, as an application with Phoenix.Presence does."""

from __future__ import annotations

import time
from typing import Any

from phoenix_actors.testing.channel import Reply, ServerChannel, Stop
from phoenix_actors.testing.override import override

__all__ = ["PresenceChannel"]


class PresenceChannel(ServerChannel):
    """Tracks `params["name"]`; events `update` (to a new meta), `untrack`, `list`, `crash`."""

    @override
    async def join(self, params: Any) -> Any:
        """Answers with the name; the state and the diff follow."""
        self._name = str(params.get("name", "anon"))
        self._meta = params.get("meta") or {}
        return {"joined": self.topic, "name": self._name}

    @override
    async def after_join(self) -> None:
        """Pushes who is there already, then tracks this one."""
        self.push("presence_state", self.hub.presence.present(self.topic))
        self.track(self._name, {"online_at": int(time.time()), **self._meta})

    @override
    async def handle_in(self, event: str, payload: Any) -> Reply | Stop | None:
        """Changes or tells presences."""
        match event:
            case "update":
                self.update_presence(self._name, payload)
                return Reply.ok()
            case "untrack":
                self.untrack(self._name)
                return Reply.ok()
            case "list":
                return Reply.ok(self.hub.presence.present(self.topic))
            case "crash":
                raise RuntimeError("asked to crash")
            case _:
                return await super().handle_in(event, payload)
