"""Supabase Realtime: changes of tables, broadcast and presence on the topics `realtime:…`.

    python examples/supabase_realtime.py

It starts a server on loopback that plays Supabase's part. With a project of yours the URL is
`wss://PROJECT.supabase.co/realtime/v1`.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from servers.supabase_server import TOKENS, Realtime, insert

from phoenix_actors import Channel, ChannelActor, SocketClient
from phoenix_actors.testing import PhoenixServer

TOPIC = "realtime:orders"
PATIENCE = 10.0  # seconds that the demo waits for something


def connect(url: str, api_key: str) -> SocketClient:
    """Connect as Supabase wants it: vsn 1.0.0, the key as a param, heartbeats below 30 s."""
    return SocketClient.start_link(
        url=url, params={"apikey": api_key}, vsn="1.0.0", heartbeat_interval=25.0
    )


class Subscription(ChannelActor):
    """One topic: tells of rows, broadcasts and the server's own messages; renews its token.

    Args:
        token: returns the access token of the moment.
        tell: gets a line for whatever happens.
        refresh: seconds between two looks at the token; below its lifetime.
    """

    def init(self, token: Callable[[], str], tell: Callable[[str], object], refresh: float) -> None:
        """Begin to look at the token."""
        self.token, self.tell, self.refresh = token, tell, refresh
        self.sent = ""
        self.filters: dict[int, dict[str, Any]] = {}
        self.send_after(refresh, "refresh")

    def handle_join(self, response: Any) -> None:
        """Note the number that the server gave to each filter; the join had a token."""
        self.filters = {each["id"]: each for each in response.get("postgres_changes", [])}
        self.sent = self.token()

    def handle_info(self, message: Any) -> None:
        """Give the server a new token before the old one expires; there is no reply to that."""
        if message == "refresh":
            fresh = self.token()
            if self.sent and fresh != self.sent:
                self.sent = fresh
                self.push("access_token", {"access_token": fresh})
                self.tell("another token is sent")
            self.send_after(self.refresh, "refresh")

    def handle_message(self, event: str, payload: Any) -> None:
        """Sort what comes; presence is kept by the client itself."""
        match event:
            case "postgres_changes":
                for number in payload["ids"]:
                    table, data = self.filters[number]["table"], payload["data"]
                    self.tell(f"{data['type']} in {table}: {data.get('record')}")
            case "broadcast":
                self.tell(f"{payload['event']}: {payload['payload']}")
            case "system":
                self.tell(f"{payload['status']}: {payload['message']}")


def subscribe(
    client: SocketClient, token: Callable[[], str], tell: Callable[[str], object], key: str
) -> Channel:
    """Join with all that the topic is for; the params are made anew for each rejoin."""
    changes = [{"event": "*", "schema": "public", "table": "orders"}]
    broadcast, presence = {"self": True, "ack": True}, {"key": key}
    config = {"broadcast": broadcast, "presence": presence, "postgres_changes": changes}

    def params() -> dict[str, Any]:
        return {"config": config, "access_token": token()}

    return client.join(TOPIC, params, channel=(Subscription, token, tell, 0.05))


def main() -> None:
    """Hear of a row, broadcast, be present, get another token, and lose the connection."""
    heard, tokens = queue.SimpleQueue[str](), ["token 1"]
    TOKENS.update(("token 1", "token 2"))
    with PhoenixServer(channels={"realtime:*": Realtime}) as server:
        with connect(server.url, "anon key") as client:
            orders = subscribe(client, lambda: tokens[-1], heard.put, "till 3")
            print(heard.get(timeout=PATIENCE))
            insert(server, TOPIC, "orders", {"id": 1, "item": "tea"})
            print(heard.get(timeout=PATIENCE))
            orders.push("presence", {"type": "presence", "event": "track", "payload": {}}).get()
            shout = {"type": "broadcast", "event": "cursor", "payload": {"x": 1}}
            print(orders.push("broadcast", shout).get().status, heard.get(timeout=PATIENCE))
            print("present:", client.presence(TOPIC).list(lambda key, _: key))
            tokens.append("token 2")
            print(heard.get(timeout=PATIENCE))
            TOKENS.discard("token 1")
            print(orders.push("broadcast", shout).get().status, heard.get(timeout=PATIENCE))
            server.kill_sockets()
            print("after the loss,", heard.get(timeout=PATIENCE))
            client.ping(PATIENCE)
        topics = {frame.topic for _, frame in server.frames()}
        print("topics:", sorted(map(str, topics)))


if __name__ == "__main__":
    main()
