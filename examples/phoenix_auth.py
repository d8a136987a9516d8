"""Tokens that expire: for each connection, for each join, and a refusal that brings a new one.

python examples/phoenix_auth.py
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from servers.token_server import EXPIRED, Issuer, account_channel

from phoenix_actors import Channel, ChannelActor, HandshakeRefused, JoinRejected, SocketClient
from phoenix_actors.testing import PhoenixServer

ROOM = "account:7"
PATIENCE = 10.0  # seconds that the demo waits for something


class Tokens:
    """The token: fetched anew before it expires, or when it was refused. Safe from any thread."""

    def __init__(self, fetch: Callable[[], tuple[str, float]], margin: float = 30.0) -> None:
        self._fetch, self._margin, self._lock = fetch, margin, threading.Lock()
        self._token, self._until = "", 0.0

    def get(self) -> str:
        """Return the token of the moment."""
        with self._lock:
            if time.time() > self._until - self._margin:
                self._token, self._until = self._fetch()
            return self._token

    def forget(self) -> None:
        """Fetch a new one next time: the server did not like this one."""
        with self._lock:
            self._until = 0.0


class Account(ChannelActor):
    """A topic that wants a token: one that is refused at a rejoin is replaced before the next."""

    def init(self, tokens: Tokens, tell: Callable[[str], object]) -> None:
        """Begin a life."""
        self.tokens, self.tell = tokens, tell

    def handle_join(self, response: Any) -> None:
        """Be joined, by a token that counts."""
        self.tell(f"joined as {response['user']}, time {self.join_count}")

    def handle_join_error(self, response: Any) -> None:
        """The client tries again by `rejoin_backoff`, and asks for the params anew each time."""
        self.tell(f"refused: {response['reason']}")
        if response == EXPIRED:
            self.tokens.forget()


def join(client: SocketClient, tokens: Tokens, tell: Callable[[str], object]) -> Channel:
    """Join; where the token is refused, once more with a new one."""

    def params() -> dict[str, str]:
        return {"token": tokens.get()}

    try:
        return client.join(ROOM, params, channel=(Account, tokens, tell))
    except JoinRejected as refused:
        if refused.response != EXPIRED:
            raise
        tokens.forget()
        return client.join(ROOM, params, channel=(Account, tokens, tell))


def show(heard: queue.SimpleQueue[str], last: str) -> None:
    """Print what happens until it is this."""
    line = ""
    while not line.startswith(last):
        line = heard.get(timeout=PATIENCE)
        print(line)


def main() -> None:
    """The token expires before the join, while the client is joined, and before it connects."""
    issuer, heard = Issuer(), queue.SimpleQueue[str]()
    tokens = Tokens(issuer.issue)

    def failed(error: Exception) -> None:
        if isinstance(error, HandshakeRefused) and error.status in {401, 403}:
            tokens.forget()
            heard.put(f"not let in: {error.status}")

    channels = {"account:*": account_channel(issuer)}
    # `auth_token` is asked for at each attempt to connect, as params are at each join.
    options = {"auth_token": tokens.get, "rejoin_backoff": [0.05], "refusal_backoff": [0.05]}
    with (
        PhoenixServer(auth_token=True, channels=channels) as server,
        SocketClient.start_link(url=server.url, **options) as client,
    ):
        client.on_error(failed)
        issuer.ahead += 3600
        room = join(client, tokens, heard.put)
        show(heard, "joined")
        issuer.ahead += 3600
        server.kill_sockets()
        show(heard, "joined")
        issuer.ahead += 3600
        server.refuse_connections(403)
        server.kill_sockets()
        show(heard, "not let in")
        server.accept_connections()
        show(heard, "joined")
        print(room.push("whoami").get(timeout=PATIENCE).response)


if __name__ == "__main__":
    main()
