"""`serve_health()`: the health of the trees for the probes of a container platform, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec

from supervisors._locks import new_lock
from supervisors._runtime.ref import ActorRef
from supervisors.clock import as_seconds
from supervisors.observer.collect import snapshot
from supervisors.observer.encodable import encode
from supervisors.observer.health import Health, health_of
from supervisors.observer.http_port import HttpHandler, HttpPort, is_loopback

__all__ = ["HealthPort", "serve_health"]

# One look answers whoever asks for so many seconds and so many times the processor time that it
# took: whoever reaches the port can ask without end.
_FRESH: Final = 0.5
_SHARE: Final = 10
_encode = partial(encode, msgspec.json.Encoder())


def serve_health(
    port: int,
    *,
    host: str = "127.0.0.1",
    tops: Iterable[ActorRef] | None = None,
    timeout: float | timedelta | None = 1.0,
) -> HealthPort:
    """Answer probes over HTTP, until `close()` or the end of the process.

    `/health/live` is 200 as long as every supervisor answers, `/health/ready` as long as also every
    child runs; else 503. Before anything was started it is live and not ready. The body says the
    same as JSON; at a loopback address `problems` says which children, elsewhere it does not, for
    whoever reaches the port can ask. One look answers everybody for half a second and ten times the
    processor time that it took, so that however many ask, it is a tenth of one processor at most.

    Args:
        port: 0 takes a free one; see `.url`.
        host: the address to listen on; "0.0.0.0" for the probes of a container platform.
        tops: the trees to look at; by default all of the process.
        timeout: seconds for one look.

    Raises:
        OSError: the address cannot be listened on.

    Example:
        >>> import urllib.request
        >>> from supervisors import GenServer, System
        >>> with System([GenServer.child_spec()], strategy="one_for_one"):
        ...     with serve_health(0) as probes:
        ...         with urllib.request.urlopen(probes.url + "health/ready") as answer:
        ...             answer.status, answer.read()
        (200, b'{"live":true,"ready":true,"problems":[]}')
    """
    seconds = as_seconds(timeout, "timeout")
    return HealthPort(host, port, _Look(None if tops is None else list(tops), seconds).now)


class HealthPort(HttpPort):
    """The open port, made by `serve_health()`. Safe from any thread."""

    def __init__(self, host: str, port: int, look: Callable[[], Health]) -> None:
        """Listen and begin to answer."""
        super().__init__(host, port, partial(_Handler, look, host), "health-http")


class _Look:
    """Looks at the trees, once for all who ask at the same time."""

    def __init__(self, tops: list[ActorRef] | None, timeout: float | None) -> None:
        self._tops = tops
        self._timeout = timeout
        self._lock = new_lock()
        self._last: Health | None = None
        self._until = 0.0

    def now(self) -> Health:
        """Return the health, as of the last look if that is fresh."""
        with self._lock:
            if self._last is None or time.monotonic() > self._until:
                begun = time.thread_time()
                found = snapshot(self._tops, self._timeout)
                last = health_of(found)
                fresh_for = _FRESH + _SHARE * (time.thread_time() - begun)
                if not found.trees:
                    last = Health(live=True, ready=False, problems=("nothing is started",))
                self._last, self._until = last, time.monotonic() + fresh_for
            return self._last


class _Handler(HttpHandler):
    """Answers the two paths."""

    def __init__(self, look: Callable[[], Health], host: str, *args: Any) -> None:
        self._look, self._served_at = look, host
        super().__init__(*args)

    def answer(self) -> None:
        """Answer a probe."""
        path = self.where.path
        if path not in ("/health/live", "/health/ready"):
            text = _encode({"problem": "there is /health/live and /health/ready"})
            self.send(HTTPStatus.NOT_FOUND, "application/json", text)
            return
        found = self._look()
        good = found.live if path == "/health/live" else found.ready
        told = {"live": found.live, "ready": found.ready}
        if is_loopback(self._served_at) and self.asked_by_name_of(self._served_at):
            told["problems"] = found.problems  # type: ignore[assignment]
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        self.send(status, "application/json", _encode(told))
