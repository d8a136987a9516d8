"""Trees of 3,000 levels: what looks at them goes level by level, and never into itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from supervisors import ChildInfo, Supervisor, SupervisorInfo, SupervisorRef
from supervisors._runtime.inlet import Inlet
from supervisors.child_spec import ChildType
from supervisors.observer import SystemSnapshot, TreeNode, render, snapshot
from supervisors.observer.actors import _node
from supervisors.observer.health import health_of
from supervisors.observer.render import branches
from supervisors.observer.service import _trimmed

LEVELS = 3000


class Above(SupervisorRef):
    """Answers for a supervisor that has one child."""

    process = None
    name = None
    actor_urn = "urn:above"

    def __init__(self, level: int, below: Any) -> None:
        self.actor_class = Supervisor
        self.__dict__["actor_urn"] = f"urn:{level}"
        self.below = below

    def describe(self, timeout: Any = None) -> SupervisorInfo:
        kind = ChildType.SUPERVISOR if isinstance(self.below, Above) else ChildType.WORKER
        child = ChildInfo("child", self.below, kind)
        return SupervisorInfo("one_for_one", 3, 5.0, 0, dynamic=False, children=(("child", child),))


@pytest.fixture(scope="module")
def deep() -> SystemSnapshot:
    """What a walk through such a tree finds."""
    ref: Any = None
    for level in range(LEVELS, 0, -1):
        ref = Above(level, ref)
    return snapshot([ref], timeout=None)


def test_snapshot_and_render(deep: SystemSnapshot) -> None:
    """Each level is a node below the one before, and a line."""
    node, depth = deep.trees[0], 1
    while node.children:
        [node] = node.children
        depth += 1
    assert (depth, node.state, node.urn) == (LEVELS + 1, "stopped", "")
    lines = render(deep).splitlines()
    assert len(lines) == LEVELS + 1
    assert lines[2].startswith("   └─ child")
    assert len(list(branches(deep.trees[0]))) == LEVELS + 1


def test_health_and_one_actor(deep: SystemSnapshot) -> None:
    """The lowest is looked at, too, and found."""
    assert health_of(deep).ready
    node = _node(deep.trees, f"urn:{LEVELS}")
    assert node is not None
    assert node.urn == f"urn:{LEVELS}"


def test_what_is_sent_has_a_depth_that_can_be_encoded(deep: SystemSnapshot) -> None:
    """Of the levels below the hundredth there is a line that says so."""
    sent = _trimmed(deep)
    assert msgspec.json.decode(msgspec.json.encode(sent), type=SystemSnapshot) == sent
    *_, (_, last) = branches(sent.trees[0])
    assert last.label == "… and more levels below"
    assert len(list(branches(sent.trees[0]))) == 102


def test_the_order_of_lines() -> None:
    """Children stand below their parent, in their order, before its next sibling."""

    def node(label: str, *children: TreeNode) -> TreeNode:
        return TreeNode(
            label=label, kind="worker", class_name="W", state="running", children=children
        )

    tree = node("top", node("a", node("a1"), node("a2", node("a21"))), node("b"))
    assert [head + one.label for head, one in branches(tree)] == [
        "top",
        "├─ a",
        "│  ├─ a1",
        "│  └─ a2",
        "│     └─ a21",
        "└─ b",
    ]


def test_paths() -> None:
    """The path of the lowest process has the label of each one above it."""
    process: Any = None
    for level in range(LEVELS):
        above, process = process, SimpleNamespace(parent=process, label=level)
        process._own_label = lambda process=process: str(process.label)
        assert process.parent is above
    assert Inlet.path(process) == "/".join(map(str, range(LEVELS)))
