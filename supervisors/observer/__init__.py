"""Look at a running system: `snapshot()` gives facts, `render()` makes them a text tree.

>>> from supervisors import GenServer, Supervisor
>>> spec = GenServer.child_spec(id="cache")
>>> with Supervisor.start_link([spec], strategy="one_for_one", name="doc-app") as app:
...     print(render(snapshot([app])))
doc-app   one_for_one  0 of 3 restarts in 5 s
└─ cache  GenServer    running

From outside: `serve(path)` opens a Unix socket for `python -m supervisors top PATH`,
`serve_http(port)` a page for a browser, `serve_health(port)` two addresses for the probes of a
container platform. Other packages add their tables by `add_section`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from supervisors._runtime.plugged import add_section, remove_section
from supervisors._runtime.ref import ActorRef
from supervisors.observer.collect import snapshot
from supervisors.observer.facts import ActorDetail, ActorRow, LogEntry, Look, Section, Sort
from supervisors.observer.health import Health, health
from supervisors.observer.looking import Connection, RefusedError
from supervisors.observer.records import SystemSnapshot, TreeNode
from supervisors.observer.render import render
from supervisors.observer.serving import Observer, serve

if TYPE_CHECKING:
    from supervisors.observer.probes import HealthPort
    from supervisors.observer.web import WebObserver

__all__ = [
    "ActorDetail",
    "ActorRow",
    "Connection",
    "Health",
    "LogEntry",
    "Look",
    "Observer",
    "RefusedError",
    "Section",
    "Sort",
    "SystemSnapshot",
    "TreeNode",
    "add_section",
    "health",
    "remove_section",
    "render",
    "serve",
    "serve_health",
    "serve_http",
    "snapshot",
]


def serve_http(
    port: int,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    show_state: bool = False,
    count_messages: bool = False,
) -> WebObserver:
    """See `supervisors.observer.web.serve_http`."""
    # Not before: http.server takes its time to import.
    from supervisors.observer import web

    return web.serve_http(
        port, host=host, token=token, show_state=show_state, count_messages=count_messages
    )


def serve_health(
    port: int,
    *,
    host: str = "127.0.0.1",
    tops: Iterable[ActorRef] | None = None,
    timeout: float | timedelta | None = 1.0,
) -> HealthPort:
    """See `supervisors.observer.probes.serve_health`."""
    from supervisors.observer import probes

    return probes.serve_health(port, host=host, tops=tops, timeout=timeout)
