"""The control routes of a reference server, from outside its process."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from phoenix_actors.testing.options import seconds

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["ControlClient"]


class ControlClient:
    """Calls `/control/…` of any server of the reference application, without a proxy.

    `url` is that of its HTTP side or of its WebSocket: both lead to the same routes. Methods wait
    for the answer, up to `timeout` seconds, and raise an `OSError` when there is none or when it is
    an HTTP error.

    Example:
        >>> from phoenix_actors.testing import PhoenixServer
        >>> with PhoenixServer() as server:
        ...     control = ControlClient(server.url)
        ...     control.kill_sockets(), control.stats()["channels"]
        (0, 0)
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        parts = urllib.parse.urlsplit(url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(
                "the URL must begin with http://, https://, ws:// or wss:// and a host"
            )
        self.http_url = f"{scheme}://{parts.netloc}"
        self._timeout = timeout
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def stats(self) -> dict[str, Any]:
        """Returns the counts of the server."""
        stats: dict[str, Any] = self._request("GET", "/control/stats")
        return stats

    def kill_sockets(self) -> int:
        """Ends every TCP stream without a close frame; returns how many."""
        return int(self._request("POST", "/control/kill_sockets", {})["killed"])

    def kill_channels(self, topic: str | None = None) -> int:
        """Kills the channels of a topic, or all; returns how many."""
        body = {} if topic is None else {"topic": topic}
        return int(self._request("POST", "/control/kill_channels", body)["killed"])

    def freeze(self, duration: float | timedelta) -> None:
        """Suspends every present connection for `duration` seconds."""
        self._request("POST", "/control/freeze", {"ms": seconds(duration, "duration") * 1000})

    def broadcast(self, topic: str, event: str, payload: Any) -> None:
        """Broadcasts to the clients that joined a topic."""
        self._request(
            "POST", "/control/broadcast", {"topic": topic, "event": event, "payload": payload}
        )

    def disconnect(self, user_id: str) -> None:
        """Closes every socket of a user with 1001."""
        self._request("POST", "/control/disconnect", {"user_id": user_id})

    def dump(self, topic: str) -> list[Any]:
        """Returns the payloads that `seq` recorded for a topic."""
        query = urllib.parse.urlencode({"topic": topic})
        items: list[Any] = self._request("GET", f"/control/dump?{query}")["items"]
        return items

    def reset(self) -> None:
        """Forgets what was recorded for all topics."""
        self._request("POST", "/control/reset", {})

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  the constructor checked the scheme
            self.http_url + path, data, {"content-type": "application/json"}, method=method
        )
        with self._opener.open(request, timeout=self._timeout) as answer:
            return json.load(answer)
