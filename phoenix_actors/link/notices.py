"""Runs a client's hooks one after another, on a thread that may wait.

A hook may call anything: join() in on_open, connect() in on_close. So it must run on no thread that
the client itself needs. The thread is there while there is something to run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from supervisors._locks import new_lock

__all__ = ["Notices"]


class Notices:
    """Deeds in the order of `post`, never two at a time. Safe from any thread.

    Example:
        >>> notices, seen = Notices("example"), []
        >>> notices.post(lambda: seen.append(1))
        >>> notices.post(lambda: seen.append(2))
        >>> notices.join(10.0), seen
        (True, [1, 2])
    """

    def __init__(self, name: str) -> None:
        """Start with nothing to do; `name` is that of the thread."""
        self._name = name
        self._lock = new_lock()
        self._deeds: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None
        self._running = False

    def post(self, deed: Callable[[], object]) -> None:
        """Run `deed()` behind those that wait; it must not raise."""
        with self._lock:
            self._deeds.append(deed)
            if self._running:
                return
            self._running = True
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until the thread has ended; tell whether it has.

        On the thread itself, in a hook, it returns at once.
        """
        with self._lock:
            thread = self._thread
        if thread is None:
            return True
        if thread is threading.current_thread():
            return False
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._deeds:
                    self._running = False
                    return
                deed = self._deeds.popleft()
            deed()
