"""Many tasks, a bounded number at a time, and their results as they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any

from supervisors._runtime.process import Process
from supervisors._runtime.reply import Reply
from supervisors._runtime.task_actor import TaskReply, end_all

__all__ = ["Started", "stream"]

Started = tuple[Process | None, TaskReply]


class _Finished:
    """The tasks that have ended, in that order, and a bell that rings for each."""

    def __init__(self) -> None:
        self.replies: deque[TaskReply] = deque()
        self._bell = Reply()

    def watch(self, reply: TaskReply) -> None:
        """Notice when this task has ended."""

        def ended(_: object) -> None:
            self.replies.append(reply)
            self._bell.settle(None)

        reply.add_done_callback(ended)

    def wait(self) -> None:
        """Wait until there is one."""
        while not self.replies:
            bell = self._bell = Reply()
            # One that ended before the new bell was hung is seen here, later ones ring it.
            if not self.replies:
                bell.get()


def stream(
    start: Callable[[Any], Started], items: Iterable[Any], bound: int, limit: Any, *, ordered: bool
) -> Generator[Any, None, None]:
    """Yield the result of a task per item, with at most `bound` tasks not yielded yet.

    Whatever ends it (the last item, an exception here or there, a consumer that stops early), all
    tasks that are left are told to stop, and have ended when it does.
    """
    running: dict[TaskReply, Process | None] = {}
    finished = _Finished()
    source = iter(items)
    more = True

    def fill() -> None:
        # A function, or a Ctrl-C in its loop would pass the `finally` below by; from 3.14 on.
        nonlocal more
        while more and len(running) < bound:
            try:
                item = next(source)
            except StopIteration:
                more = False
                return
            process, reply = start(item)
            running[reply] = process
            if not ordered:
                finished.watch(reply)

    try:
        while True:
            fill()
            if not running:
                return
            if ordered:
                reply = next(iter(running))
            else:
                finished.wait()
                reply = finished.replies.popleft()
            # Removed only when it has ended, so that an interrupted wait leaves nothing behind.
            try:
                value = reply.get()
            finally:
                if reply.done():
                    del running[reply]
            yield value
            del value
    finally:
        end_all(((process, reply) for reply, process in running.items()), limit)
