"""Snapshots as text."""

from __future__ import annotations

from typing import Any

from supervisors.observer import SystemSnapshot, TreeNode, render


def worker(label: str, **keys: Any) -> TreeNode:
    """A worker's node."""
    keys = {"kind": "worker", "class_name": "Cache", "state": "running", **keys}
    return TreeNode(label=label, **keys)


def sup(label: str, *children: TreeNode, **keys: Any) -> TreeNode:
    """A supervisor's node."""
    keys = {"counted": 1, "max_restarts": 3, "max_seconds": 5.0, **keys}
    return TreeNode(
        label=label,
        kind="supervisor",
        class_name="Supervisor",
        state="running",
        strategy="one_for_one",
        children=children,
        **keys,
    )


def test_tree() -> None:
    """Branches, columns, restarts and waiting messages."""
    inner = sup("inner", worker("x", restarts=2), worker("y", state="restarting", class_name=""))
    snapshot = SystemSnapshot(
        (sup("app", inner, worker("last", mailbox=7, restarts=1, last_reason="Killed")),)
    )
    assert render(snapshot).splitlines() == [
        "app       one_for_one  1 of 3 restarts in 5 s",
        "├─ inner  one_for_one  1 of 3 restarts in 5 s",
        "│  ├─ x   Cache        running                 restarted 2×",
        "│  └─ y   worker       restarting",
        "└─ last   Cache        running                 restarted 1×  last: Killed  7 waiting",
    ]


def test_several_trees_and_abandoned() -> None:
    """Each tree has its own columns; what was abandoned stands below."""
    snapshot = SystemSnapshot((worker("a"), worker("longer")), ("app/x [t] for 1.0 s at f",))
    assert render(snapshot).splitlines() == [
        "a  Cache  running",
        "longer  Cache  running",
        "abandoned: app/x [t] for 1.0 s at f",
    ]


def test_nothing() -> None:
    """No tree, no line."""
    assert render(SystemSnapshot(())) == ""


def test_control_characters() -> None:
    """Names cannot play with the terminal."""
    assert "\x1b" not in render(SystemSnapshot((worker("a\x1b[2Jb\n"),)))
