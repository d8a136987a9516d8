"""What goes from an observed process to whoever looks at it: requests, and frozen answers.

Each is tagged, so that it tells what it is wherever it is decoded, from MessagePack on the Unix
socket and from JSON on the page.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from supervisors.observer.records import SystemSnapshot

__all__ = [
    "ActorDetail",
    "ActorRequest",
    "ActorRow",
    "Answer",
    "Column",
    "Deed",
    "Done",
    "LogEntry",
    "Look",
    "LookRequest",
    "Order",
    "ProcessFacts",
    "Refusal",
    "Request",
    "Section",
    "Sort",
]

Cell: TypeAlias = str | int | float | None
MOST_ROWS = 500


class Sort(StrEnum):
    """By what the actors are sorted, most first."""

    MAILBOX = "mailbox"
    MESSAGES = "messages"
    MEMORY = "memory"


class Deed(StrEnum):
    """What may be asked of one actor where the application has allowed control."""

    SUSPEND = "suspend"
    RESUME = "resume"
    STOP = "stop"


class LookRequest(msgspec.Struct, frozen=True, tag="look", forbid_unknown_fields=True):
    """Ask for everything: the `rows` first actors, and what was logged after entry `after`."""

    sort: Sort = Sort.MAILBOX
    rows: int = 100
    after: int = 0

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: more rows than there may be.
        """
        if not 0 <= self.rows <= MOST_ROWS:
            msg = f"rows is {self.rows}: take 0 to {MOST_ROWS}"
            raise ValueError(msg)


class ActorRequest(msgspec.Struct, frozen=True, tag="actor", forbid_unknown_fields=True):
    """Ask for all that is known of one actor."""

    urn: str


class Order(msgspec.Struct, frozen=True, tag="order", forbid_unknown_fields=True):
    """Have something done to one actor; refused unless the application allows control."""

    urn: str
    deed: Deed


Request: TypeAlias = LookRequest | ActorRequest | Order


class ProcessFacts(msgspec.Struct, frozen=True):
    """The observed process. `memory` is its resident set in bytes, None where unknown."""

    pid: int
    program: str
    python: str
    uptime: float
    threads: int
    cpu_seconds: float
    memory: int | None
    workers: int
    blocked: int
    max_workers: int


class ActorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One living actor.

    Attributes:
        urn: names it for an ActorRequest.
        path: the labels of its supervisors and its own.
        class_name: its class.
        state: "idle", "busy", "suspended" or "starting"; "running" of a plain Pykka actor that
            nobody supervises, of which no more is known.
        mailbox: user messages that wait.
        busy_for: seconds in the present handler, where messages are counted.
        messages: handled since counting began; None where nobody counts.
        memory: an estimate in bytes of its attributes, what their containers hold, and its
            mailbox; None where there was no time to estimate it.
    """

    urn: str
    path: str
    class_name: str
    state: str
    mailbox: int = 0
    busy_for: float | None = None
    messages: int | None = None
    memory: int | None = None


class Column(msgspec.Struct, frozen=True):
    """A heading, and the kind of the cells below it: see `add_section`."""

    name: str
    kind: str


class Section(msgspec.Struct, frozen=True):
    """A table that a package has added; `error` names what its function raised, if it did."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()
    error: str | None = None


class LogEntry(msgspec.Struct, frozen=True):
    """One telemetry event; `at` is in seconds since 1970, `level` a word of `logging`."""

    number: int
    at: float
    level: str
    event: str
    text: str


class Look(msgspec.Struct, frozen=True, kw_only=True, tag="look"):
    """Everything at one moment. `clock` is monotonic, for rates between two looks."""

    at: float
    clock: float
    process: ProcessFacts
    system: SystemSnapshot
    actors: tuple[ActorRow, ...]
    actors_total: int
    sections: tuple[Section, ...] = ()
    log: tuple[LogEntry, ...] = ()
    counted: bool = False
    control: bool = False


class ActorDetail(msgspec.Struct, frozen=True, kw_only=True, tag="actor"):
    """All that is known of one actor.

    Attributes:
        row: as in a look.
        restarts: starts after the first, where a supervisor knows.
        last_reason: why it ended the last time, where a supervisor knows.
        trap_exit: whether exit signals arrive as messages.
        parent: the path of its supervisor, or of who started it linked.
        links: the paths of those it is linked to.
        monitors: the paths of those it watches.
        monitored_by: the paths of those that watch it; "outside" is a thread that is no actor.
        stack: where its thread is while it is busy, innermost call last.
        state: attribute → what it is, shortened; None unless the application shows states.
        state_note: why there is no state.
        state_of: "self" where the state is attributes, "" where it is another record, such as a
            supervisor's rules.
    """

    row: ActorRow
    restarts: int = 0
    last_reason: str | None = None
    trap_exit: bool = False
    parent: str | None = None
    links: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()
    monitored_by: tuple[str, ...] = ()
    stack: tuple[str, ...] = ()
    state: dict[str, str] | None = None
    state_note: str | None = None
    state_of: str = "self"


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The order was given."""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The request was not served; the text says why."""

    problem: str


Answer: TypeAlias = Look | ActorDetail | Done | Refusal
