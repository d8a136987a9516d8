"""Facts of single actors, read from outside without asking them."""

from __future__ import annotations

import reprlib
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from supervisors._machines.vocabulary import SupervisorInfo
from supervisors._runtime.actor_list import living
from supervisors._runtime.doing import BOOTING, IDLE
from supervisors._runtime.foreign_process import attached_process
from supervisors._runtime.inquiry import inquire
from supervisors._runtime.items import Urge
from supervisors._runtime.observed import measure
from supervisors._runtime.process import Process
from supervisors._runtime.ref import ActorRef
from supervisors._runtime.status import StatusParts, format_parts
from supervisors._runtime.thread_frames import thread_frames
from supervisors.errors import CallTimeout, NoProcError
from supervisors.observer.facts import ActorDetail, ActorRow, Sort
from supervisors.observer.records import SystemSnapshot, TreeNode
from supervisors.supervisor import SupervisorRef

__all__ = ["detail", "find", "rows", "size_of", "state_of"]

# Of a container, how many items are measured; the others are taken to be like them.
_SAMPLE: Final = 50
# Seconds for the memory of all actors in one look.
_MEASURING: Final = 0.2
_MOST_ATTRIBUTES: Final = 100
_MOST_TIES: Final = 100
_DEEPEST_STACK: Final = 30


def rows(sort: Sort, limit: int) -> tuple[tuple[ActorRow, ...], int]:
    """Return the first `limit` living actors by this order, and how many live. From any thread."""
    found = []
    give_up = time.monotonic() + _MEASURING
    refs = living()
    for ref in refs:
        process = _process_of(ref)
        memory = None
        if sort is Sort.MEMORY and time.monotonic() < give_up:
            memory = memory_of(ref, process)
        found.append((_rank(sort, process, memory), ref, process, memory))
    found.sort(key=lambda entry: -entry[0])
    give_up = time.monotonic() + _MEASURING
    chosen = []
    for _, ref, process, memory in found[:limit]:
        if memory is None and time.monotonic() < give_up:
            memory = memory_of(ref, process)  # noqa: PLW2901
        chosen.append(row_of(ref, process, memory))
    return tuple(chosen), len(refs)


def _rank(sort: Sort, process: Process | None, memory: int | None) -> int:
    if sort is Sort.MEMORY:
        return memory or 0
    if process is None:
        return 0
    if sort is Sort.MESSAGES:
        return measure(process).messages_handled or 0
    return len(process.mailbox.user)


def _process_of(ref: Any) -> Process | None:
    """Return what is known of an actor; a plain Pykka actor is not touched to know more."""
    return ref.process if isinstance(ref, ActorRef) else attached_process(ref)


def find(urn: str) -> Any:
    """Return the reference of the living actor with this URN, or None."""
    return next((ref for ref in living() if ref.actor_urn == urn), None)


def row_of(ref: Any, process: Process | None, memory: int | None) -> ActorRow:
    """Return the facts of one actor at this moment."""
    name = ref.actor_class.__name__
    if process is None:
        return ActorRow(
            urn=ref.actor_urn, path=name, class_name=name, state="running", memory=memory
        )
    statistics = measure(process)
    return ActorRow(
        urn=ref.actor_urn,
        path=process.path(),
        class_name=name,
        state=_state_word(process, statistics.busy),
        mailbox=statistics.mailbox,
        busy_for=statistics.busy_for,
        messages=statistics.messages_handled,
        memory=memory,
    )


def _state_word(process: Process, busy: bool) -> str:
    if process.handling is BOOTING:
        return "starting"
    if process.mailbox.suspended:
        return "suspended"
    return "busy" if busy else "idle"


def memory_of(ref: Any, process: Process | None) -> int | None:
    """Estimate the bytes of an actor's attributes and mailbox; the actor is not asked."""
    actor = process.actor if isinstance(ref, ActorRef) and process is not None else None
    if actor is None:
        return None
    # A copy in one step, with the GIL and without it: the actor goes on changing its attributes.
    attributes = vars(actor).copy()
    waiting = 0 if process is None else size_of(process.mailbox.user)
    return object.__sizeof__(actor) + waiting + size_of(attributes)


def size_of(value: Any, depth: int = 3) -> int:
    """Return the bytes of a value and of what built-in containers in it hold, `depth` levels down.

    Of a long container 50 items are measured, and the others taken to be like these.

    Example:
        >>> size_of([b"x" * 1000] * 100) > 100_000
        True
    """
    try:
        own = sys.getsizeof(value)
        if depth and isinstance(value, dict | list | tuple | set | frozenset | deque):
            sample = list(islice(_parts(value), _SAMPLE))
            if sample:
                parts = len(value) * (2 if isinstance(value, dict) else 1)
                own += sum(size_of(part, depth - 1) for part in sample) * parts // len(sample)
    except Exception:  # noqa: BLE001  the actor changed it meanwhile, or its class has a bug
        return 0
    return own


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.items():
            yield from item
    else:
        yield from value


# ---- one of them -------------------------------------------------------------------------------


def detail(ref: Any, found: SystemSnapshot, *, show_state: bool) -> ActorDetail:
    """Return all that is known of one actor; of its state only where that is allowed."""
    process = _process_of(ref)
    row = row_of(ref, process, memory_of(ref, process))
    node = _node(found.trees, row.urn)
    known: dict[str, Any] = {}
    if node is not None:
        known = {"restarts": node.restarts, "last_reason": node.last_reason}
    if process is not None:
        known |= _ties(process)
        known["stack"] = stack_of(process)
    if show_state and isinstance(ref, ActorRef):
        known["state"], known["state_note"] = state_of(ref)
        known["state_of"] = "" if isinstance(ref, SupervisorRef) else "self"
    elif show_state:
        known["state_note"] = "a plain Pykka actor shows no state"
    else:
        known["state_note"] = "the application does not show states: serve(..., show_state=True)"
    return ActorDetail(row=row, **known)


def _node(nodes: tuple[TreeNode, ...], urn: str) -> TreeNode | None:
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node.urn == urn:
            return node
        waiting.extend(node.children)
    return None


def _ties(process: Process) -> dict[str, Any]:
    with process.claim:
        links = list(islice(process._links or (), _MOST_TIES))
        watches = list(islice(process._watches or (), _MOST_TIES))
        monitors = list(islice(process._monitors or (), _MOST_TIES))
    watchers = [monitor._watcher for monitor in monitors]
    return {
        "trap_exit": process.trap_exit,
        "parent": None if process.parent is None else process.parent.path(),
        "links": tuple(other.path() for other in links),
        "monitors": tuple(_path(monitor.ref) for monitor in watches),
        "monitored_by": tuple("outside" if one is None else one.path() for one in watchers),
    }


def _path(ref: Any) -> str:
    process = _process_of(ref)
    return str(ref) if process is None else process.path()


def stack_of(process: Process) -> tuple[str, ...]:
    """Return where the thread of a busy actor is, innermost call last; nothing of an idle one."""
    doing = process.handling
    if doing is IDLE or isinstance(doing, Urge):
        return ()
    frame = thread_frames().get(process._thread_id)
    if frame is None:
        return ()
    entries = traceback.extract_stack(frame, limit=None)[-_DEEPEST_STACK:]
    # The thread may have gone on to another message, or to another actor.
    if process.handling is not doing:
        return ()
    return tuple(
        f"{entry.filename}:{entry.lineno} in {entry.name}: {entry.line or ''}".rstrip(": ")
        for entry in entries
    )


def state_of(ref: ActorRef, timeout: float = 0.5) -> tuple[dict[str, str] | None, str | None]:
    """Return the actor's state in short, as it is between two messages, or why there is none."""
    try:
        return inquire(ref, ref.process, _shown_state, timeout), None
    except CallTimeout:
        return None, f"busy: it did not answer within {timeout:g} s"
    except NoProcError:
        return None, "it has ended"
    except Exception as error:  # noqa: BLE001  raised by a class of the application
        return None, f"it cannot be shown: {type(error).__name__}"


def _shown_state(process: Process) -> dict[str, str]:
    """Shorten the state in the actor's own turn, where nobody changes it."""
    actor = process.actor
    state = actor._otp_state()
    shown, error = format_parts(actor, StatusParts(state))
    if error is not None:
        return {"format_status": f"raised {error}"}
    if shown is not None:
        state = shown
    if isinstance(state, SupervisorInfo):
        # The children stand in the tree.
        rules = {name: getattr(state, name) for name in state.__struct_fields__}
        state = {**rules, "children": len(state.children)}
    short = reprlib.Repr()
    short.maxstring = short.maxother = 120
    if not isinstance(state, dict):
        return {type(state).__name__: short.repr(state)}
    return {str(name): short.repr(value) for name, value in islice(state.items(), _MOST_ATTRIBUTES)}
