"""A topic as a child of its manager: how its actor is started, with the topic itself as the id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._runtime.launching import launch_of

if TYPE_CHECKING:
    from supervisors import ChildSpec

__all__ = ["TopicChild"]


def _shared(key: str) -> Any:
    """Return the property that is the same for all topics that share a specification."""
    return property(lambda child: getattr(child.spec, key))


class TopicChild:
    """The part of a topic that a supervisor takes for the `ChildSpec` of its actor.

    A specification of its own would take 152 bytes for each topic. It has the words of one but
    `name`, which is the topic's own: an actor of a topic is registered under no other.
    """

    __slots__ = ()

    spec: ChildSpec

    start = _shared("start")
    args = _shared("args")
    kwargs = _shared("kwargs")
    restart = _shared("restart")
    shutdown = _shared("shutdown")
    type = _shared("type")
    significant = _shared("significant")
    backoff = _shared("backoff")
    on_stuck = _shared("on_stuck")

    @property
    def id(self) -> Any:
        """The topic."""
        return self

    @property
    def _launch(self) -> Any:
        """What the runtime finds out about `start`; it asks for it before it looks at a name."""
        return launch_of(self.spec)

    def with_(self, **overrides: Any) -> ChildSpec:
        """Give the specification of this topic, with some keys replaced."""
        return self.spec.with_(**{"id": self, **overrides})
