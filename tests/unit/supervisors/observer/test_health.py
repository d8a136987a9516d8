"""Whether a program lives and is ready, told from a snapshot."""

from __future__ import annotations

import pytest

from supervisors.observer import Health, SystemSnapshot, TreeNode
from supervisors.observer.health import health_of


def node(label: str, state: str, *children: TreeNode) -> TreeNode:
    """A node of the tree."""
    kind = "supervisor" if children else "worker"
    return TreeNode(label=label, kind=kind, class_name="X", state=state, children=children)


@pytest.mark.parametrize(
    ("child", "expected"),
    [
        ("running", Health(live=True, ready=True)),
        ("stopped", Health(live=True, ready=True)),
        ("restarting", Health(live=True, ready=False, problems=("app/inner/x is restarting",))),
        ("starting", Health(live=True, ready=False, problems=("app/inner/x is starting",))),
        ("dead", Health(live=True, ready=False, problems=("app/inner/x is dead",))),
        ("silent", Health(live=False, ready=False, problems=("app/inner/x is silent",))),
    ],
)
def test_one_child(child: str, expected: Health) -> None:
    """A child that waits to be restarted is not ready; a supervisor that is silent is not live."""
    tree = node("app", "running", node("inner", "running", node("x", child)))
    assert health_of(SystemSnapshot((tree,))) == expected


def test_what_is_not_live_comes_first() -> None:
    """A top that is dead is not live, and worse problems are told before others."""
    trees = (node("a", "running", node("x", "restarting")), node("b", "dead"))
    told = Health(live=False, ready=False, problems=("b is dead", "a/x is restarting"))
    assert health_of(SystemSnapshot(trees)) == told
