"""Log lines as one listener of telemetry; the core knows no logger.

Where the application has configured structlog, lines go there, else to the standard logger
`supervisors`; which of the two is decided at the first event. An unconfigured structlog would
print to standard output, which a library must not do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from supervisors.telemetry import Event, attach_many, detach

__all__ = ["install", "uninstall"]

_HANDLER_ID = "supervisors.logs"

# Event -> level. What is not listed is not logged.
_LEVELS: Mapping[Event, int] = {
    ("supervisors", "child", "started"): logging.DEBUG,
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
    ("supervisors", "future", "callback_failed"): logging.ERROR,
    ("supervisors", "timer", "callback_failed"): logging.ERROR,
    ("supervisors", "pool", "thread_refused"): logging.ERROR,
    ("supervisors", "pool", "exhausted"): logging.ERROR,
    ("supervisors", "pool", "turn_failed"): logging.ERROR,
    ("supervisors", "root", "exit_deadline_passed"): logging.ERROR,
    ("supervisors", "telemetry", "handler_failed"): logging.ERROR,
}

_Write = Callable[[int, str, dict[str, Any]], None]


def install(
    name: str = "supervisors",
    levels: Mapping[Event, int] = _LEVELS,
    handler_id: str = _HANDLER_ID,
) -> None:
    """Begin to log: one line per event of `levels`, under the logger `name`.

    Done for `supervisors` when it is imported; costs nothing until an event happens.
    """
    logging.getLogger(name).addHandler(logging.NullHandler())
    chosen: list[_Write] = []

    def log(
        event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any], _: Any
    ) -> None:
        if not chosen:
            chosen.append(_writer(name))
        fields = {**measurements, **{_named(key): _plain(value) for key, value in metadata.items()}}
        chosen[0](levels[event], ".".join(event), fields)

    attach_many(handler_id, levels, log)


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


def _writer(name: str) -> _Write:
    import structlog

    if structlog.is_configured():
        structured = structlog.get_logger(name)

        def write(level: int, event: str, fields: dict[str, Any]) -> None:
            structured.log(level, event, **fields)

    else:
        plain = logging.getLogger(name)

        def write(level: int, event: str, fields: dict[str, Any]) -> None:
            if plain.isEnabledFor(level):
                text = " ".join(
                    f"{key}={value}" for key, value in fields.items() if value is not None
                )
                plain.log(level, "%s %s", event, text)

    return write
