"""A topic as a child of its manager: how its actor is started, with the topic itself as the id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors import ChildSpec

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic

__all__ = ["TopicChild"]


def _shared(key: str) -> Any:
    """Return the property that is the same for all topics that share a specification."""

    def write(child: TopicChild, value: Any) -> None:
        object.__setattr__(child.id.spec, key, value)

    return property(lambda child: getattr(child.id.spec, key), write)


class TopicChild:
    """What a supervisor takes for the `ChildSpec` of one topic.

    A specification of its own would take 152 bytes for each topic.
    """

    __slots__ = ("id",)

    def __init__(self, topic: Topic) -> None:
        """Stand for the specification that this topic has, maybe with others."""
        self.id = topic

    start = _shared("start")
    args = _shared("args")
    kwargs = _shared("kwargs")
    restart = _shared("restart")
    shutdown = _shared("shutdown")
    type = _shared("type")
    significant = _shared("significant")
    name = _shared("name")
    backoff = _shared("backoff")
    on_stuck = _shared("on_stuck")
    # The runtime's: what it found out about `start`.
    _launch = _shared("_launch")

    def with_(self, **overrides: Any) -> ChildSpec:
        """Give the specification of this topic, with some keys replaced."""
        return self.id.spec.with_(**{"id": self.id, **overrides})
