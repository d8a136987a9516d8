"""Functions of the user's that are called when something happens; each can be removed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phoenix_actors.errors import InvalidOption
from phoenix_actors.telemetry import HOOK_FAILED, emit
from supervisors._locks import new_lock
from supervisors.telemetry import is_interrupt

__all__ = ["HookList", "Hooks", "Subscription"]


class Subscription:
    """What `on(...)` returns: `off()` removes the function again. Safe from any thread."""

    __slots__ = ("_remove",)

    def __init__(self, remove: Callable[[], None]) -> None:
        """Made by the `on` functions."""
        self._remove = remove

    def off(self) -> None:
        """Call the function no more; a dispatch under way is not changed (C148)."""
        self._remove()


class HookList:
    """Functions that are called one after another. Safe from any thread.

    Example:
        >>> hooks, seen = HookList("example"), []
        >>> subscription = hooks.add(seen.append)
        >>> hooks.run(1)
        >>> subscription.off()
        >>> hooks.run(2)
        >>> seen
        [1]
    """

    __slots__ = ("_changed", "_lock", "_name", "functions")

    def __init__(self, name: str, changed: Callable[[], object] = bool) -> None:
        """Start empty; `name` is for reports, and `changed` is called when one comes or goes."""
        self._name = name
        self._changed = changed
        self._lock = new_lock()
        # Replaced as a whole and never changed in place, so run() needs no lock.
        self.functions: tuple[tuple[object, Callable[..., object]], ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self.functions)

    def add(self, fn: Callable[..., object]) -> Subscription:
        """Call `fn` from now on.

        Raises:
            InvalidOption: it cannot be called.
        """
        if not callable(fn):
            raise InvalidOption(self._name, f"needs a function, not a {type(fn).__name__}")
        mark = object()
        with self._lock:
            self.functions = (*self.functions, (mark, fn))
        self._changed()

        def remove() -> None:
            with self._lock:
                self.functions = tuple(entry for entry in self.functions if entry[0] is not mark)
            self._changed()

        return Subscription(remove)

    def run(self, *args: Any) -> None:
        """Call all; what one raises is reported and stops neither the others nor the caller."""
        for _, fn in self.functions:
            try:
                fn(*args)
            except BaseException as error:
                if is_interrupt(error):
                    raise
                emit(HOOK_FAILED, hook=self._name, error=type(error).__name__)


class Hooks:
    """The hooks of one client (C151)."""

    __slots__ = ("close", "error", "message", "open")

    def __init__(self, changed: Callable[[], object] = bool) -> None:
        """Start with none; `changed` is called when one that sees messages comes or goes."""
        self.open = HookList("on_open")
        self.close = HookList("on_close")
        self.error = HookList("on_error")
        self.message = HookList("on_message", changed)
