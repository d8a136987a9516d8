"""No loop loses the `with` or `finally` around it, wherever a signal's handler raises.

From 3.13 on CPython leaves some jumps back out of the table of what handles exceptions: those that
it makes of a condition, such as that of `while n < 10`, of an `if` that is the last statement of a
loop's body, or of one in a comprehension. It looks for signals there, and what a handler raises,
Ctrl-C for one, then leaves a lock locked. The mend is a function: the loop in it, its call inside.
"""

from __future__ import annotations

import dis
import itertools
import sys
from collections.abc import Iterator
from types import CodeType

import pytest

from tests.sources import ROOT

# In threads of their own, where no handler of a signal runs; or what is skipped is no loss.
HARMLESS = {
    "phoenix_actors/testing/connection.py Connection.run",
    "phoenix_actors/testing/listener.py Listener._serve",
    "phoenix_actors/testing/script.py Script.channel",
    "phoenix_actors/transport/long_poll.py LongPollHandle._run_polls",
    "phoenix_actors/transport/long_poll.py LongPollHandle._run_posts",
    "supervisors/_runtime/own_thread.py ThreadDispatcher._work",
    "supervisors/observer/serving.py Observer._converse",
    # The connection cannot be read any further in any case.
    "supervisors/observer/frames.py _exactly",
}

LOOPS = """
def loses(lock, rows):
    with lock:
        return [row for row in rows if row]

def keeps(lock, rows):
    with lock:
        for row in rows:
            row()
    try:
        while rows:
            rows.pop()
    except KeyError:
        pass

class Row:
    def loses_too(self, rows):
        try:
            while rows:
                rows.pop()
        finally:
            rows.clear()
"""

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="before 3.13 every jump is in the table"
)


def lost(source: str) -> list[str]:
    """Names the functions in which a jump back is outside of the `with` that its target is in."""
    return sorted({code.co_qualname for code in codes(compile(source, "x", "exec")) if loses(code)})


def codes(code: CodeType) -> Iterator[CodeType]:
    """Returns the code of a module and of everything in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def loses(code: CodeType) -> bool:
    """Tells whether one of its jumps does."""
    steps = list(dis.get_instructions(code))
    places = {step.offset: place for place, step in enumerate(steps)}
    table = dis._parse_exception_table(code)  # type: ignore[attr-defined]

    def handlers(offset: int | None) -> set[int]:
        found: set[int] = set()
        while offset is not None:
            offset = next((row.target for row in table if row.start <= offset < row.end), None)
            if offset is None or offset in found:
                break
            found.add(offset)
        return {target for target in found if takes_all(steps[places[target] :])}

    return any(
        handlers(step.argval) - handlers(step.offset)
        for step in steps
        if step.opname == "JUMP_BACKWARD"
    )


def takes_all(steps: list[dis.Instruction]) -> bool:
    """Tells whether a handler is one of `with`, `finally` or `except BaseException`."""
    if steps[0].opname != "PUSH_EXC_INFO":
        # Of a comprehension, or of a generator's StopIteration.
        return False
    for before, step in itertools.pairwise(steps):
        if step.opname == "CHECK_EXC_MATCH":
            return bool(before.argval == "BaseException")
        if step.opname in ("RERAISE", "WITH_EXCEPT_START"):
            break
    return True


def test_what_it_finds() -> None:
    """A condition in a comprehension and that of a loop, but not a loop's plain end."""
    assert {"loses", "keeps"} & set(lost(LOOPS)) == {"loses"}
    assert ("Row.loses_too" in lost(LOOPS)) == (sys.version_info < (3, 14))


def test_no_loop_loses_its_handler() -> None:
    """Of either package, but where it does no harm."""
    found = {
        f"{path.relative_to(ROOT).as_posix()} {name}"
        for package in ("phoenix_actors", "supervisors")
        for path in (ROOT / package).rglob("*.py")
        for name in lost(path.read_text(encoding="utf-8"))
    }
    assert sorted(found - HARMLESS) == []
