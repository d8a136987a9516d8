"""Events about what happens inside, for logs, metrics and tests.

An event is a tuple of words, such as `("supervisors", "child", "restarted")`. Handlers are
attached to exact events and run in the thread where the event happens, so they must be quick.
A handler that raises is detached and reported once as `("supervisors", "telemetry",
"handler_failed")`; the others, and the code that emitted the event, go on.

>>> seen = []
>>> def on_restart(event, measurements, metadata, config):
...     seen.append(metadata["child"])
>>> attach("example", ("supervisors", "child", "restarted"), on_restart)
>>> execute(("supervisors", "child", "restarted"), {"restarts": 1}, {"child": "cache"})
>>> seen
['cache']
>>> detach("example")
True
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from supervisors._locks import new_rlock

__all__ = [
    "Event",
    "Handler",
    "attach",
    "attach_many",
    "detach",
    "execute",
    "is_interrupt",
    "span",
    "wanted",
]

Event: TypeAlias = tuple[str, ...]
Handler: TypeAlias = Callable[[Event, Mapping[str, Any], Mapping[str, Any], Any], None]

_HANDLER_FAILED: Event = ("supervisors", "telemetry", "handler_failed")

# The handler's id, itself, its config, and what says whether it wants an event, if anything does.
_Entry: TypeAlias = tuple[str, Handler, Any, Callable[[Event, bool], bool] | None]
# Reentrant, and the table is exchanged only if it is still the one that was looked at: a signal
# handler may attach and detach too.
_lock = new_rlock()
# Replaced as a whole under the lock and never changed in place, so execute() reads it without one.
_table: dict[Event, tuple[_Entry, ...]] = {}


def attach(handler_id: str, event: Event, fn: Handler, config: Any = None) -> None:
    """Call `fn(event, measurements, metadata, config)` whenever `event` happens.

    Safe from any thread.

    Raises:
        ValueError: when `handler_id` is attached already.
        TypeError: for an event that is no tuple of words, or an `fn` that cannot be called.

    Example:
        >>> attach("noop", ("example",), lambda *_: None)
        >>> attach("noop", ("example",), lambda *_: None)
        Traceback (most recent call last):
        ValueError: telemetry handler 'noop' is attached already: detach() it first
        >>> detach("noop")
        True
    """
    attach_many(handler_id, [event], fn, config)


def attach_many(handler_id: str, events: Iterable[Event], fn: Handler, config: Any = None) -> None:
    """Attach one handler to several events under one id. Safe from any thread.

    Raises:
        ValueError: when `handler_id` is attached already.
        TypeError: for an event that is no tuple of words, or an `fn` that cannot be called.

    Example:
        >>> attach_many("two", [("a",), ("b",)], lambda *_: None)
        >>> detach("two")
        True
    """
    keys = [_checked(event) for event in events]
    if not callable(fn):
        msg = f"a telemetry handler is a function, not {fn!r}"
        raise TypeError(msg)
    wants = getattr(fn, "_otp_wants", None)

    def with_it(table: dict[Event, tuple[_Entry, ...]]) -> None:
        if any(handler_id == entry[0] for entries in table.values() for entry in entries):
            msg = f"telemetry handler {handler_id!r} is attached already: detach() it first"
            raise ValueError(msg)
        for key in keys:
            table[key] = (*table.get(key, ()), (handler_id, fn, config, wants))

    _exchange(with_it)


def _checked(event: Event) -> Event:
    key = () if isinstance(event, str) else tuple(event)
    if not key or not all(isinstance(word, str) for word in key):
        msg = f"an event is a tuple of words, as ('supervisors', 'child', 'started'), not {event!r}"
        raise TypeError(msg)
    return key


def detach(handler_id: str) -> bool:
    """Remove a handler from all its events; tell whether there was one. Safe from any thread.

    Example:
        >>> detach("never attached")
        False
    """
    found: list[bool] = []

    def without_it(table: dict[Event, tuple[_Entry, ...]]) -> None:
        found.clear()
        for event, entries in list(table.items()):
            kept = tuple(entry for entry in entries if entry[0] != handler_id)
            if len(kept) == len(entries):
                continue
            found.append(True)
            if kept:
                table[event] = kept
            else:
                del table[event]

    _exchange(without_it)
    return bool(found)


def _exchange(change: Callable[[dict[Event, tuple[_Entry, ...]]], None]) -> None:
    with _lock:
        _change(change)


def _change(change: Callable[[dict[Event, tuple[_Entry, ...]]], None]) -> None:
    """Do so again where a signal's handler has changed the table in the middle of it."""
    global _table  # noqa: PLW0603  the one table of the process
    while True:
        before = _table
        table = dict(before)
        change(table)
        if _table is before:
            _table = table
            return


def is_interrupt(error: BaseException) -> bool:
    """Tell whether an exception is the user's Ctrl-C, which must get through: in the main thread.

    Everything else that a listener or a callback raises ends with that listener: the thread that
    called it has other work to do.
    """
    in_main = threading.current_thread() is threading.main_thread()
    return isinstance(error, KeyboardInterrupt) and in_main


def wanted(event: Event, *, quiet: bool = False) -> bool:
    """Tell whether anybody would make something of `event`, before it is put together.

    The log's handler says so itself; `quiet` marks what is of little interest, such as the progress
    that a caller asked for. Every other handler is taken to want all it is attached to.

    Example:
        >>> wanted(("example",))
        False
    """
    entries = _table.get(event)
    if entries is not None:
        for _, _, _, wants in entries:
            if wants is None or wants(event, quiet):
                return True
    return False


def unheard(*events: Event) -> Callable[[], bool]:
    """Return what tells whether nobody is attached to any of these events, wanted or not.

    It costs one comparison as long as no handler comes or goes.

    Example:
        >>> quiet = unheard(("example",), ("other",))
        >>> quiet()
        True
        >>> attach("noop", ("other",), lambda *_: None)
        >>> quiet(), detach("noop"), quiet()
        (False, True, True)
    """
    # Exchanged as a whole: another thread may look meanwhile.
    known: tuple[object, bool] = (None, False)

    def quiet() -> bool:
        nonlocal known
        table, answer = known
        if table is not _table:
            table = _table
            answer = not any(event in table for event in events)
            known = (table, answer)
        return answer

    return quiet


def execute(event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Tell every handler of `event`. Costs one dictionary look-up when nobody listens.

    Example:
        >>> execute(("example",), {"count": 1}, {})
    """
    entries = _table.get(event)
    if entries is None:
        return
    for handler_id, fn, config, _ in entries:
        try:
            fn(event, measurements, metadata, config)
        except BaseException as error:
            if is_interrupt(error):
                raise
            detach(handler_id)
            if event != _HANDLER_FAILED:
                execute(
                    _HANDLER_FAILED,
                    {"count": 1},
                    {"handler_id": handler_id, "event": event, "error": type(error).__name__},
                )


@contextmanager
def span(event: Event, metadata: Mapping[str, Any]) -> Iterator[None]:
    """Emit `(*event, "start")`, then `(*event, "stop")` or `(*event, "exception")`.

    The last two measure `duration_seconds`; an exception adds `error`, its type's name, and goes
    on to the caller.

    Example:
        >>> with span(("example", "work"), {"job": 1}):
        ...     pass
    """
    started = time.monotonic()
    execute((*event, "start"), {"count": 1}, metadata)
    try:
        yield
    except BaseException as error:
        execute(
            (*event, "exception"),
            {"duration_seconds": time.monotonic() - started},
            {**metadata, "error": type(error).__name__},
        )
        raise
    execute((*event, "stop"), {"duration_seconds": time.monotonic() - started}, metadata)
