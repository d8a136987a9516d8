"""What a look at the system finds, as frozen records that turn into JSON."""

from __future__ import annotations

import msgspec

__all__ = ["SystemSnapshot", "TreeNode"]


class TreeNode(msgspec.Struct, frozen=True, kw_only=True):
    """One child of the tree, or its top.

    Attributes:
        label: its id, or its name where it has no id.
        kind: "supervisor" or "worker".
        class_name: the class of the actor, or "" while there is none.
        state: "running", "starting" (a supervisor whose children are not all up), "restarting",
            "stopped", "silent" (did not answer in time) or "dead".
        restarts: starts after the first.
        mailbox: user messages that wait.
        last_reason: why it ended, or did not start, the last time; None where neither has happened.
        strategy: of a supervisor: its strategy, or "dynamic".
        counted: of a supervisor: restarts that count at this moment; None where each child has a
            budget of its own.
        max_restarts: of a supervisor: how many it allows.
        max_seconds: of a supervisor: within how many seconds.
        children: in start order.
        urn: names the living actor; "" while there is none.
    """

    label: str
    kind: str
    class_name: str
    state: str
    restarts: int = 0
    mailbox: int = 0
    last_reason: str | None = None
    strategy: str | None = None
    counted: int | None = None
    max_restarts: int | None = None
    max_seconds: float | None = None
    children: tuple[TreeNode, ...] = ()
    urn: str = ""


class SystemSnapshot(msgspec.Struct, frozen=True):
    """All trees, and what was abandoned and still runs."""

    trees: tuple[TreeNode, ...]
    unstopped: tuple[str, ...] = ()
