"""The end of the interpreter, in processes of their own: all terminate in order, nothing hangs."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0

PRELUDE = """
import sys, threading, time, atexit
from supervisors import *

def say(*words):
    sys.stdout.write(" ".join(words) + "\\n")
    sys.stdout.flush()

class Loud(GenServer):
    def init(self, name, stuck=False):
        self.name, self.stuck = name, stuck
    def handle_call(self, request, sender):
        return request
    def handle_cast(self, message):
        raise ValueError("boom")
    def terminate(self, reason):
        say("terminate", self.name, type(reason).__name__)
        if self.stuck:
            time.sleep(3600)
"""


def run(program: str) -> tuple[list[str], int, float]:
    """Runs a program; returns what it printed, its status and the seconds it took."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return done.stdout.splitlines(), done.returncode, time.monotonic() - started


@pytest.mark.contract("S171")
@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
def test_end_of_the_program(dispatcher: str) -> None:
    """What was started with start_link is stopped in reverse order when the program is over."""
    lines, status, _ = run(f"""
        for name in "ab":
            Loud.start_link(name, dispatcher={dispatcher!r})
        specs = [Loud.child_spec(name, id=name, dispatcher={dispatcher!r}) for name in "xy"]
        Supervisor.start_link(specs, strategy="one_for_one")
        Loud.start("nobody's", dispatcher={dispatcher!r})
    """)
    assert lines == [f"terminate {name} Shutdown" for name in "yxba"]
    assert status == 0


@pytest.mark.parametrize(
    ("ending", "status"),
    [("raise RuntimeError", 1), ("sys.exit(7)", 7), ("raise KeyboardInterrupt", 1)],
)
def test_other_endings(ending: str, status: int) -> None:
    """An exception and sys.exit stop the actors too, and keep their status."""
    lines, code, _ = run(f"""
        Loud.start_link("a")
        {ending}
    """)
    assert lines == ["terminate a Shutdown"]
    assert code in {status, -2}


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12),
    reason="Python 3.12 starts no thread at exit: two that are stuck have the pool's only two",
)
def test_actors_that_would_not_stop() -> None:
    """One deadline for all: the program ends, the others have terminated, it is reported."""
    lines, status, seconds = run("""
        from supervisors._runtime.root import root
        def report(event, measurements, metadata, config):
            say("stuck", metadata["actor"])
        telemetry.attach("report", ("supervisors", "root", "exit_deadline_passed"), report)
        Loud.start_link("first", name="first")
        Loud.start_link("second", stuck=True, name="second")
        third = Loud.start_link("third", name="third")
        entered = threading.Event()
        third.process.actor.handle_cast = lambda message: (entered.set(), time.sleep(3600))
        third.tell("sleep")
        entered.wait(10)
        root._hooked = True
        atexit.unregister(root.stop_all)
        atexit.register(root.stop_all, 2.0)
    """)
    assert lines == [
        "stuck Loud ('third')",
        "terminate second Shutdown",
        "stuck Loud ('second')",
        "terminate first Shutdown",
    ]
    assert status == 0
    assert seconds < 20


def test_crash_at_the_end() -> None:
    """A child that crashes while the program ends neither hangs it nor is lost."""
    lines, status, _ = run("""
        sup = Supervisor.start_link([Loud.child_spec("a", id="a")], strategy="one_for_one")
        sup.which_children()[0].ref.tell("crash")
    """)
    assert status == 0
    assert lines[-1].startswith("terminate a")


def test_asks_at_the_end() -> None:
    """Exit hooks of the program may still use its actors."""
    lines, status, _ = run("""
        ref = Loud.start("late")
        def hook():
            say(ref.ask("still here", timeout=5), Loud.start_link("new").ask("new", timeout=5))
        atexit.register(hook)
    """)
    assert (lines[0], status) == ("still here new", 0)


def test_nothing_is_printed() -> None:
    """A program without logging sees nothing of a crash on its standard output."""
    lines, status, _ = run("""
        ref = Loud.start("a")
        try:
            ref.call(None)
            ref.tell("crash")
            ref.monitor().wait(5)
        except ActorError:
            pass
    """)
    assert (lines, status) == (["terminate a Crashed"], 0)


@pytest.mark.contract("S88")
def test_tree_that_would_not_stop() -> None:
    """A tree keeps to the deadline of the exit: its other children and trees terminate in order."""
    lines, status, seconds = run("""
        from supervisors._runtime.root import root
        Loud.start_link("before")
        specs = [
            Loud.child_spec("a", id="a"),
            Loud.child_spec("b", True, id="b", shutdown=None),
            Loud.child_spec("c", id="c"),
        ]
        inner = Supervisor.child_spec(specs, strategy="one_for_one", id="inner")
        Supervisor.start_link([Loud.child_spec("x", id="x"), inner], strategy="one_for_one")
        def hook():
            say(*[entry.path for entry in unstopped()])
        atexit.unregister(root.stop_all)
        atexit.register(hook)
        atexit.register(root.stop_all, 3.0)
    """)
    assert lines == [
        *(f"terminate {name} Shutdown" for name in ("c", "b", "a", "x", "before")),
        "Supervisor/inner/b",
    ]
    assert status == 0
    assert seconds < 20


@pytest.mark.parametrize("daemon", [True, False])
def test_started_by_a_thread(daemon: bool) -> None:
    """Actors of a thread that is not the main one are stopped as well, in order, once."""
    lines, status, _ = run(f"""
        started = threading.Event()
        def work():
            Loud.start_link("a")
            Loud.start_link("b")
            started.set()
            if {daemon}:
                time.sleep(3600)
        threading.Thread(target=work, daemon={daemon}).start()
        started.wait(10)
    """)
    assert lines == ["terminate b Shutdown", "terminate a Shutdown"]
    assert status == 0


def test_terminate_that_asks() -> None:
    """While the program ends, terminate may use actors that were started before its own."""
    lines, status, _ = run("""
        class Saving(GenServer):
            def terminate(self, reason):
                say("saved", whereis("store").ask("state", timeout=5))
        Loud.start_link("store", name="store")
        Supervisor.start_link([Saving], strategy="one_for_one")
    """)
    assert lines == ["saved state", "terminate store Shutdown"]
    assert status == 0


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="no finalizer of a cycle is run there while a daemon thread waits",
)
def test_a_finalizer_that_starts_and_asks_when_the_interpreter_is_taken_down() -> None:
    """The threads of actors are gone by then: a wait is over at once, and no thread starts."""
    lines, status, _ = run("""
        import os

        class Waited(GenServer):
            def init(self):
                pass

        class Last:
            def __del__(self):
                for wait in (lambda: self.ref.ask("x"), Waited.start):
                    try:
                        wait()
                    except (CallTimeout, StartError) as error:
                        os.write(1, type(error).__name__.encode() + b"\\n")

        last = Last()
        last.ref = GenServer.start()
        last.itself = last
    """)
    # The second is a wait too where the pool has all its threads by then.
    assert lines in (["CallTimeout", "StartError"], ["CallTimeout", "CallTimeout"])
    assert status == 0
