"""Log lines as one listener of telemetry; the core knows no logger.

Where the application has configured structlog, lines go there, else to the standard logger
`supervisors`; which of the two is decided at the first event. An unconfigured structlog would
print to standard output, which a library must not do.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from supervisors._locks import new_lock
from supervisors.telemetry import Event, attach_many, detach

__all__ = ["install", "uninstall"]

_HANDLER_ID = "supervisors.logs"
_MINUTE = 60.0

# Event -> level. What is not listed is not logged.
_LEVELS: Mapping[Event, int] = {
    ("supervisors", "child", "started"): logging.INFO,
    ("supervisors", "child", "restarted"): logging.INFO,
    ("supervisors", "child", "terminated"): logging.WARNING,
    ("supervisors", "child", "start_failed"): logging.ERROR,
    ("supervisors", "child", "shutdown_error"): logging.ERROR,
    ("supervisors", "child", "restart_held"): logging.WARNING,
    ("supervisors", "supervisor", "gave_up"): logging.ERROR,
    ("supervisors", "actor", "crashed"): logging.ERROR,
    ("supervisors", "actor", "abandoned"): logging.ERROR,
    ("supervisors", "actor", "abandoned_returned"): logging.WARNING,
    ("supervisors", "actor", "unexpected_message"): logging.WARNING,
    ("supervisors", "dead_letter"): logging.DEBUG,
    ("supervisors", "introspect", "trace_failed"): logging.ERROR,
    # One a message, when there are too many already.
    ("supervisors", "mailbox", "dropped"): logging.DEBUG,
    ("supervisors", "circuit", "changed"): logging.WARNING,
    ("supervisors", "future", "callback_failed"): logging.ERROR,
    ("supervisors", "timer", "callback_failed"): logging.ERROR,
    ("supervisors", "pool", "thread_refused"): logging.ERROR,
    ("supervisors", "pool", "exhausted"): logging.ERROR,
    ("supervisors", "pool", "turn_failed"): logging.ERROR,
    ("supervisors", "root", "exit_deadline_passed"): logging.ERROR,
    ("supervisors", "telemetry", "handler_failed"): logging.ERROR,
}

# Progress that a caller asked for is of interest to that caller alone (S195).
_IF_REQUESTED: Mapping[Event, int] = {("supervisors", "child", "started"): logging.DEBUG}


class _Writer(msgspec.Struct, frozen=True):
    """Where the lines go, and whether those of a level would get there."""

    write: Callable[[int, str, dict[str, Any]], None]
    wants: Callable[[int], bool]


def install(
    name: str = "supervisors",
    levels: Mapping[Event, int] = _LEVELS,
    handler_id: str = _HANDLER_ID,
    limits: Mapping[Event, int] = {},
    *,
    if_requested: Mapping[Event, int] = _IF_REQUESTED,
) -> None:
    """Begin to log: one line per event of `levels`, under the logger `name`.

    An event in `if_requested` whose `requested` is true has that level instead.
    Of an event in `limits` there are so many lines a minute at most; the first one after those that
    were left out tells their number as `left_out`.

    Done for `supervisors` when it is imported, in place of what an earlier import installed; costs
    nothing until an event happens.
    """
    uninstall(handler_id)
    logging.getLogger(name).addHandler(logging.NullHandler())
    attach_many(handler_id, levels, _Log(name, levels, limits, if_requested))


class _Log:
    """The listener: writes a line for each event whose level is on."""

    def __init__(
        self,
        name: str,
        levels: Mapping[Event, int],
        limits: Mapping[Event, int],
        if_requested: Mapping[Event, int],
    ) -> None:
        self._name = name
        self._levels = levels
        self._requested_levels = {**levels, **if_requested}
        self._limits = {event: _Limit(lines) for event, lines in limits.items()}
        self._writer: _Writer | None = None

    def _otp_wants(self, event: Event, quiet: bool) -> bool:
        """Tell whether there would be a line."""
        writer = self._writer
        if writer is None:
            self._writer = writer = _writer(self._name)
        # As _level, without its call.
        return writer.wants((self._requested_levels if quiet else self._levels)[event])

    def _level(self, event: Event, requested: bool) -> int:
        return (self._requested_levels if requested else self._levels)[event]

    def __call__(
        self, event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any], _: Any
    ) -> None:
        quiet = bool(metadata.get("requested"))
        if not self._otp_wants(event, quiet):
            return
        fields = {**measurements, **{_named(key): _plain(value) for key, value in metadata.items()}}
        limit = self._limits.get(event)
        if limit is not None:
            left_out = limit.next_line(time.monotonic())
            if left_out is None:
                return
            if left_out:
                fields["left_out"] = left_out
        if self._writer is not None:
            self._writer.write(self._level(event, quiet), ".".join(event), fields)


class _Limit:
    """How many lines of one event there were in the present minute. Safe from any thread."""

    def __init__(self, lines: int) -> None:
        self._most = lines
        self._lock = new_lock()
        self._until = 0.0
        self._lines = 0
        self._left_out = 0

    def next_line(self, now: float) -> int | None:
        """Return how many were left out before this one, or None if this one is, too."""
        with self._lock:
            if now >= self._until:
                self._until, self._lines = now + _MINUTE, 0
            if self._lines >= self._most:
                self._left_out += 1
                return None
            self._lines += 1
            left_out, self._left_out = self._left_out, 0
            return left_out


def uninstall(handler_id: str = _HANDLER_ID) -> bool:
    """Stop logging; tell whether it was on.

    Example:
        >>> uninstall("never installed")
        False
    """
    return detach(handler_id)


def _named(key: str) -> str:
    """Keep out of the way of structlog's own two arguments."""
    return f"{key}_name" if key in {"event", "level"} else key


def _plain(value: Any) -> Any:
    """Make a field readable: numbers and words stay, reasons and refs are named."""
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, tuple) and value and hasattr(value[-1], "line"):
        return f"{value[-1].file}:{value[-1].line} in {value[-1].function}"
    return repr(value) if type(value).__module__.startswith("supervisors") else str(value)


def _writer(name: str) -> _Writer:
    # An application that configured it has imported it; the import alone takes 100 ms.
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        structured = structlog.get_logger(name)

        def write_structured(level: int, event: str, fields: dict[str, Any]) -> None:
            structured.log(level, event, **fields)

        return _Writer(write_structured, lambda _: True)
    plain = logging.getLogger(name)

    def write(level: int, event: str, fields: dict[str, Any]) -> None:
        text = " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
        plain.log(level, "%s %s", event, text)

    return _Writer(write, plain.isEnabledFor)
