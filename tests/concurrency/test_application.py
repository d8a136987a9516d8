"""`run` and `System` in processes of their own: signals, order, deadlines, exit codes."""

from __future__ import annotations

import signal
import time

import pytest

from supervisors import ChildSpecError, System, run
from tests.concurrency.programs import outcome, program

INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.mark.contract("S88")
@pytest.mark.parametrize(("number", "code"), [(INT, 130), (TERM, 143)])
def test_signal(number: signal.Signals, code: int) -> None:
    """A signal stops the tree in reverse order; handlers from before are back afterwards."""
    text = """
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        def wait():
            while whereis("c") is None:
                time.sleep(0.01)
            say("up")
        later(wait)
        code = run([loud(name) for name in "abc"], strategy="one_for_one")
        assert before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        assert signal.set_wakeup_fd(-1) == -1
        say("returned", code, registered(), unstopped())
        sys.exit(code)
    """
    with program(text) as running:
        running.until("up")
        running.send(number)
        lines, status, errors = running.end()
    expected = [f"terminate {name} Shutdown" for name in "cba"]
    assert lines[1:] == [*expected, f"returned {code} [] []"]
    assert status == code
    assert errors == [f"supervisors: stopping on {number.name}; a second signal abandons the rest"]


def test_second_signal() -> None:
    """A second signal ends what has not stopped; each actor that still runs is reported by path."""
    text = """
        def busy():
            while whereis("b") is None:
                time.sleep(0.01)
            whereis("b").tell("busy")
        later(busy)
        children = [loud(name, shutdown=None) for name in "abc"]
        code = run(children, strategy="one_for_one", name="app", shutdown_timeout=None)
        say("returned", code)
        sys.exit(code)
    """
    with program(text) as running:
        running.until("busy b")
        running.send(INT)
        running.until("terminate c Shutdown")
        # Another one: the same so soon after the first is taken for that.
        running.send(TERM)
        lines, status, errors = running.end()
    assert lines[-1] == "returned 3"
    assert "terminate a Shutdown" not in lines
    assert status == 3
    assert errors[1] == "supervisors: abandoned, and still running:"
    # The second signal may meet c before its terminate has returned.
    assert [path for line in errors[2:] if (path := line.split()[0]) != "app/c"] == ["app/b"]


@pytest.mark.contract("S88")
def test_deadline() -> None:
    """What does not stop is abandoned in time for the others, in nested supervisors too."""
    text = """
        def busy():
            while whereis("inner") is None:
                time.sleep(0.01)
            whereis("inner").tell("busy")
        later(busy)
        nested = Supervisor.child_spec(
            [loud("first"), loud("inner", shutdown=None)], strategy="one_for_one", id="nested"
        )
        code = run([loud("a"), nested], strategy="one_for_one", name="app", shutdown_timeout=4.0)
        say([entry.path for entry in unstopped()])
        sys.exit(code)
    """
    with program(text) as running:
        running.until("busy inner")
        started = time.monotonic()
        running.send(TERM)
        lines, status, _ = running.end()
    assert lines[1:] == [
        "terminate first Shutdown",
        "terminate a Shutdown",
        "['app/nested/inner']",
    ]
    assert status == 3
    assert time.monotonic() - started < 20


def test_supervisor_inside_user_code() -> None:
    """A supervisor that is itself stuck, in a child's __init__, holds up no end."""
    text = """
        class Slow(Loud):
            def __init__(self, *args):
                super().__init__()
                if whereis("stop") is not None:
                    say("constructing")
                    time.sleep(3600)
        def crash():
            while whereis("slow") is None:
                time.sleep(0.01)
            Loud.start("stop", name="stop")
            whereis("slow").tell("crash")
        later(crash)
        slow = Slow.child_spec("slow", id="slow", name="slow")
        code = run([loud("a"), slow], strategy="one_for_one", name="app", shutdown_timeout=0.2)
        say(code, [entry.path for entry in unstopped()])
        sys.exit(code)
    """
    with program(text) as running:
        running.until("constructing")
        running.send(TERM)
        lines, status, _ = running.end()
    assert lines[-1] == "3 ['app']"
    assert status == 3


def test_signal_during_the_start() -> None:
    """A signal while a child's init is slow ends the start within the deadline."""
    text = """
        class Slow(Loud):
            def init(self, name):
                say("init", name)
                time.sleep(3600)
        children = [loud("a"), Slow.child_spec("slow", id="slow", start_timeout=None)]
        code = run(children, strategy="one_for_one", shutdown_timeout=0.5)
        sys.exit(code)
    """
    with program(text) as running:
        running.until("init slow")
        running.send(TERM)
        lines, status, _ = running.end()
    assert lines[1:] == ["terminate a Shutdown"]
    assert status == 3


def test_end_by_itself() -> None:
    """The end of the tree ends run: 0 in order, 1 when it gave up; a start that fails raises."""
    lines, status, errors = outcome("""
        job = loud("job", restart="transient", significant=True)
        def end(message):
            while whereis("job") is None:
                time.sleep(0.01)
            whereis("job").tell(message)
        later(lambda: end("done"))
        keys = {"strategy": "one_for_one", "auto_shutdown": "any_significant"}
        say(run([loud("a"), job], **keys))
        later(lambda: end("crash"))
        say(run([loud("b"), job], max_restarts=0, **keys))
        class Failing(GenServer):
            def init(self):
                raise ValueError
        try:
            run([loud("c"), Failing], strategy="one_for_one")
        except StartError as error:
            say(error.child_id)
        say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """)
    assert lines == [
        *("terminate job Normal", "terminate a Shutdown", "0"),
        *("terminate job Crashed", "terminate b Shutdown", "1"),
        *("terminate c Shutdown", "Failing", "True"),
    ]
    assert (status, errors) == (0, [])


# ---- System ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "status"), [("pass", 0), ("raise RuntimeError", 1), ("sys.exit(7)", 7)]
)
def test_block(ending: str, status: int) -> None:
    """However the block ends, the tree is stopped in reverse order before what comes after it."""
    lines, code, _ = outcome(f"""
        try:
            with System([loud(name) for name in "ab"], strategy="one_for_one") as system:
                say(whereis("a").ask("hi"), system.supervisor.count_children().active)
                {ending}
        finally:
            say("after", system.unstopped, system)
    """)
    expected = ["hi 2", "terminate b Shutdown", "terminate a Shutdown", "after [] <System over>"]
    assert lines == expected
    assert code == status


@pytest.mark.parametrize(("number", "status"), [(INT, {-2, 130}), (TERM, {143})])
def test_block_and_signal(number: signal.Signals, status: set[int]) -> None:
    """A signal is an exception in the block, so that the tree stops in order."""
    text = """
        with System([loud("a")], strategy="one_for_one"):
            say("up")
            time.sleep(3600)
    """
    with program(text) as running:
        running.until("up")
        running.send(number)
        lines, code, _ = running.end()
    assert lines == ["up", "terminate a Shutdown"]
    assert code in status


def test_block_and_second_signal() -> None:
    """A signal while the tree stops abandons the rest, with a report."""
    text = """
        system = System([loud("a"), loud("b", stuck=True, shutdown=None)], strategy="one_for_one",
                        shutdown_timeout=None)
        with system:
            pass
        say("after", [entry.path for entry in system.unstopped])
    """
    with program(text) as running:
        running.until("terminate b Shutdown")
        running.send(INT)
        lines, status, errors = running.end()
    assert lines[-1] == "after ['Supervisor/b']"
    assert status == 0
    assert errors[1].startswith("Supervisor/b [supervisors-pool-")


def test_block_in_another_thread() -> None:
    """Outside the main thread it works without signals; run says that it does not."""
    lines, status, _ = outcome("""
        def work():
            before = signal.getsignal(signal.SIGTERM)
            with System([loud("a")], strategy="one_for_one"):
                say(signal.getsignal(signal.SIGTERM) is before)
            try:
                run([], strategy="one_for_one")
            except RuntimeError as error:
                say(error)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """)
    assert lines[:2] == ["True", "terminate a Shutdown"]
    assert "use System(...) elsewhere" in lines[2]
    assert status == 0


def test_wrong_options() -> None:
    """Children and rules are checked before anything starts; a System is for one block."""
    with pytest.raises(ChildSpecError, match="unknown option 'max_restart'"):
        System([], strategy="one_for_one", max_restart=1)
    with pytest.raises(ChildSpecError, match="strategy must be one of"):
        run([], strategy="all_for_none")
    with pytest.raises(ValueError, match="shutdown_timeout"):
        System([], strategy="one_for_one", shutdown_timeout=-1)
    system = System([], strategy="one_for_one")
    with system:
        pass
    with pytest.raises(RuntimeError, match="make a new one"), system:
        pass
