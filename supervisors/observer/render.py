"""A snapshot as text; pure, so that documents and tests show what a user sees."""

from __future__ import annotations

from collections.abc import Iterator

from supervisors.observer.records import SystemSnapshot, TreeNode

__all__ = ["branches", "clean", "render"]

_GAP = "  "


def render(snapshot: SystemSnapshot) -> str:
    """Draw all trees of a snapshot, one line an actor, in columns.

    The columns: the tree; strategy or class; state or restart budget; restarts; the reason of the
    last end; waiting messages. The last three are left out where there are none. Control characters
    in labels are replaced.

    Example:
        >>> node = TreeNode(label="a", kind="worker", class_name="Cache", state="running")
        >>> render(SystemSnapshot((node,)))
        'a  Cache  running'
    """
    lines = []
    for tree in snapshot.trees:
        rows = [_cells(head, node) for head, node in branches(tree)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines += [_line(row, widths) for row in rows]
    lines += [f"abandoned: {clean(entry)}" for entry in snapshot.unstopped]
    return "\n".join(lines)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
    return _GAP.join([*cells, *row[3:]]).rstrip()


def branches(tree: TreeNode) -> Iterator[tuple[str, TreeNode]]:
    """Yield each node of a tree in the order of its lines, and what is drawn before its label."""
    waiting = [("", "", tree)]
    while waiting:
        head, indent, node = waiting.pop()
        yield head, node
        last = len(node.children) - 1
        for place in range(last, -1, -1):
            branch, below = ("└─ ", "   ") if place == last else ("├─ ", "│  ")
            waiting.append((indent + branch, indent + below, node.children[place]))


def _cells(head: str, node: TreeNode) -> tuple[str, ...]:
    if node.max_restarts is None:
        what, state = node.class_name or node.kind, node.state
    else:
        what = node.strategy or ""
        within = f"{node.max_seconds:g} s"
        if node.counted is None:
            state = f"{node.max_restarts} restarts in {within} each"
        else:
            state = f"{node.counted} of {node.max_restarts} restarts in {within}"
    row = [head + clean(node.label), what, state]
    if node.restarts:
        row.append(f"restarted {node.restarts}×")
    if node.last_reason is not None:
        row.append(f"last: {clean(node.last_reason)}")
    if node.mailbox:
        row.append(f"{node.mailbox} waiting")
    return tuple(row)


def clean(text: str) -> str:
    """Replace what does not print, so that it cannot steer a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
