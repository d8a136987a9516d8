"""Whether a program lives and is ready, for the probes of a container's platform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

import msgspec

from supervisors._runtime.ref import ActorRef
from supervisors.observer.collect import snapshot
from supervisors.observer.records import SystemSnapshot, TreeNode

__all__ = ["Health", "health", "health_of"]


class Health(msgspec.Struct, frozen=True):
    """How a program is.

    Attributes:
        live: every supervisor answers. When it does not, only a restart of the program helps.
        ready: it is live, and no child is dead or waits to be restarted. Not being ready is no
            reason for a restart: the tree is at work on it.
        problems: a line for each thing that is wrong, beginning with its path in the tree.
    """

    live: bool
    ready: bool
    problems: tuple[str, ...] = ()


def health(
    tops: Iterable[ActorRef] | None = None, timeout: float | timedelta | None = 1.0
) -> Health:
    """Look at the trees and tell how they are; for a liveness or readiness probe to answer with.

    Takes what `snapshot` takes. Safe from any thread; inside an actor only of trees it is not in.

    Example:
        >>> from supervisors import GenServer, System
        >>> with System([GenServer.child_spec()], strategy="one_for_one") as system:
        ...     health([system.supervisor])
        Health(live=True, ready=True, problems=())
        >>> health([system.supervisor])
        Health(live=False, ready=False, problems=('Supervisor is dead',))
    """
    return health_of(snapshot(tops, timeout))


def health_of(found: SystemSnapshot) -> Health:
    """Tell how the trees of a snapshot are."""
    silent: list[str] = []
    waiting: list[str] = []
    for top in found.trees:
        for path, node in _walk(top):
            text = f"{path} is {node.state}"
            if node.state == "silent" or (node.state == "dead" and node is top):
                silent.append(text)
            elif node.state in ("dead", "restarting", "starting"):
                waiting.append(text)
    return Health(not silent, not silent and not waiting, (*silent, *waiting))


def _walk(top: TreeNode) -> Iterator[tuple[str, TreeNode]]:
    waiting = [(top.label, top)]
    while waiting:
        path, node = waiting.pop()
        yield path, node
        waiting += [(f"{path}/{child.label}", child) for child in reversed(node.children)]
