"""The other side of supabase_realtime.py: Supabase Realtime, as far as its protocol page goes.

`realtime:*` with broadcast, presence and changes of tables; it wants a token and looks at it again
whenever the client sends another one.
"""

from __future__ import annotations

from typing import Any

from phoenix_actors.testing import JoinRefused, PhoenixServer, Reply, ServerChannel, Stop

# Tokens that count.
TOKENS: set[str] = set()


def ids(filters: list[dict[str, Any]]) -> list[int]:
    """Number the filters of a join."""
    return [10 + position for position, _ in enumerate(filters)]


class Realtime(ServerChannel):
    """One client in one topic."""

    async def join(self, params: Any) -> Any:
        """Take the configuration; answer with the number of each filter."""
        self.config = params["config"]
        self.token = params.get("access_token")
        if self.socket.params.get("apikey") != "anon key" or self.token not in TOKENS:
            raise JoinRefused({"reason": "Unauthorized"})
        filters = self.config["postgres_changes"]
        numbered = zip(ids(filters), filters, strict=True)
        return {"postgres_changes": [{"id": number, **each} for number, each in numbered]}

    async def after_join(self) -> None:
        """Tell who is there, and that the changes will come."""
        self.push("presence_state", self.hub.presence.present(self.topic))
        if self.config["postgres_changes"]:
            self.system("ok", "Subscribed to PostgreSQL", "postgres_changes")

    async def handle_in(self, event: str, payload: Any) -> Reply | Stop | None:
        """Broadcast, track, or take another token."""
        if event == "access_token":
            self.token = payload["access_token"]
        if self.token not in TOKENS:
            self.system("error", "Token has expired", "system")
            return Stop()
        if event == "broadcast":
            send = self.broadcast if self.config["broadcast"]["self"] else self.broadcast_from
            send("broadcast", payload)
            return Reply.ok() if self.config["broadcast"]["ack"] else None
        if event == "presence" and payload["event"] == "track":
            self.track(self.config["presence"]["key"], payload["payload"])
            return Reply.ok()
        return None

    def system(self, status: str, message: str, extension: str) -> None:
        """Tell the client of the server's own affairs."""
        channel = self.topic.removeprefix("realtime:")
        told = {"status": status, "message": message, "extension": extension}
        self.push("system", {**told, "channel": channel})


def insert(server: PhoenixServer, topic: str, table: str, record: dict[str, Any]) -> None:
    """Play the database: a row is new, which the first filter of the topic's clients lets pass."""
    data = {
        "schema": "public",
        "table": table,
        "type": "INSERT",
        "commit_timestamp": "2026-01-01T00:00:00Z",
        "columns": [{"name": name, "type": "text"} for name in record],
        "record": record,
        "errors": None,
    }
    server.broadcast(topic, "postgres_changes", {"ids": [10], "data": data})
