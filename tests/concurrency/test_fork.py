"""os.fork: in the child every actor is dead at once, and new ones work."""

from __future__ import annotations

import os
import sys

import pytest

from supervisors import CallTimeout, GenServer, registered
from supervisors._locks import forks
from supervisors._runtime import forking as forking_
from supervisors._runtime import reply
from tests.concurrency.programs import outcome

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FORK = """
warnings.simplefilter("ignore")

def in_child(action):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException as error:
            say("child raised", type(error).__name__, error)
            os._exit(99)
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def error_of(action):
    try:
        return action()
    except Exception as error:
        return type(error).__name__
"""


def forking(text: str) -> list[str]:
    """Runs a program that forks to its good end; returns what both processes said."""
    lines, status, errors = outcome(f"{FORK}\n" + _dedented(text))
    assert (status, errors) == (0, [])
    return lines


def _dedented(text: str) -> str:
    import textwrap

    return textwrap.dedent(text)


def test_everything_is_dead() -> None:
    """Calls fail at once, names are free, open calls and monitors are settled; the parent lives."""
    lines = forking("""
        sup = Supervisor.start_link([loud("a")], strategy="one_for_one", name="app")
        registry = Registry.start_link(name="registry")
        ref = whereis("a")
        busy = Loud.start("busy", dispatcher="thread")
        entered = threading.Event()
        busy.process.actor.handle_cast = lambda message: (entered.set(), time.sleep(3600))
        busy.tell("busy")
        entered.wait(10)
        queued = busy.ask("later", block=False)
        queued.add_done_callback(lambda reply: say("called back in", os.getpid() == parent))
        watch = ref.monitor()
        parent = os.getpid()
        def child():
            say([each.is_alive() for each in (sup, ref, busy, registry)])
            say(error_of(lambda: ref.ask("x")), error_of(lambda: ref.tell("x")))
            say(error_of(lambda: ref.ask("x", block=False).get(timeout=5)))
            say(error_of(sup.which_children), error_of(lambda: queued.get(timeout=5)))
            say(watch.wait(5).reason, ref.monitor().wait(5).reason, ref.stop(), busy.exit(Killed()))
            say(registered(), whereis("a"), unstopped(), error_of(ref.proxy))
        say(in_child(child))
        say(ref.ask("parent", timeout=5), sup.count_children().active, len(registered()))
        telemetry.detach("supervisors.logs")
        busy.exit(Killed())
    """)
    assert lines == [
        "[False, False, False, False]",
        "NoProcError NoProcError",
        "NoProcError",
        "NoProcError NoProcError",
        "NoProc() NoProc() False None",
        "[] None [] NoProcError",
        "7",
        "parent 1 3",
        "called back in True",
        "terminate a Shutdown",
    ]


def test_new_actors() -> None:
    """The child starts actors on a pool and timers of its own, under names that were taken."""
    lines = forking("""
        parent = Supervisor.start_link([loud("a"), loud("b")], strategy="one_for_one")
        Loud.start("timed").process.actor.send_after(3600, "never")
        def child():
            class Timed(Loud):
                def handle_cast(self, message):
                    self.send_after(0.01, "tick")
                def handle_info(self, message):
                    say(message)
                    return Stop(Normal())
            with System([loud("a", dispatcher="thread"), loud("b")], strategy="one_for_one"):
                say(whereis("a").ask("new", timeout=5), whereis("b").ask("new", timeout=5))
                whereis("b").ask("x", timeout=5)
                timed = Timed.start("c")
                watch = timed.monitor()
                timed.tell("begin")
                watch.wait(10)
        say(in_child(child))
        say(whereis("a").ask("old", timeout=5))
    """)
    assert lines == [
        *("new new", "tick", "terminate c Normal"),
        *("terminate b Shutdown", "terminate a Shutdown"),
        *("7", "old", "terminate b Shutdown", "terminate a Shutdown"),
    ]


def test_end_of_the_child() -> None:
    """A child that ends like a program stops its own actors, not the parent's."""
    lines = forking("""
        Loud.start_link("parents")
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            Loud.start_link("childs")
            sys.exit(5)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """)
    assert lines == ["terminate childs Shutdown", "5", "terminate parents Shutdown"]


def test_fork_in_a_block() -> None:
    """A child that leaves a System's block waits for nobody; signals are as before the block."""
    lines = forking("""
        before = signal.getsignal(signal.SIGTERM)
        def child():
            say(signal.getsignal(signal.SIGTERM) is before, signal.set_wakeup_fd(-1))
            raise LookupError
        try:
            with System([loud("a")], strategy="one_for_one"):
                pid = os.fork()
                if pid == 0:
                    child()
                say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                say(whereis("a").ask("alive", timeout=5))
        except LookupError:
            say("left")
            os._exit(6)
    """)
    assert lines == ["True -1", "left", "6", "alive", "terminate a Shutdown"]


@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
def test_fork_in_a_handler(dispatcher: str) -> None:
    """A child that a handler makes ends when the handler returns; the parent's goes on."""
    lines = forking(f"""
        class Forking(GenServer):
            dispatcher = {dispatcher!r}
            def handle_call(self, request, sender):
                self.pid = os.fork()
                if self.pid == 0:
                    say(self.actor_ref.is_alive(), error_of(lambda: self.actor_ref.tell("x")))
                    say(Loud.start("new").ask("works", timeout=5))
                    return None
                return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        ref = Forking.start()
        say(ref.ask("fork", timeout=20))
        say(ref.is_alive())
    """)
    assert lines == ["False NoProcError", "works", "0", "True"]


@pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)() and sys.version_info < (3, 14),
    reason="3.13 without the GIL may leave locks of its dictionaries to threads not in the child",
)
def test_forks_under_load() -> None:
    """Locks are whole in the child however busy the parent's threads are."""
    lines = forking("""
        sys.setswitchinterval(1e-6)
        over = threading.Event()
        def churn(number):
            while not over.is_set():
                ref = Loud.start("x", name=f"churn-{number}")
                ref.send_info("x")
                ref.exit(Killed())
                ref.monitor().wait(5)
        threads = [threading.Thread(target=churn, args=(number,)) for number in range(3)]
        telemetry.detach("supervisors.logs")
        for thread in threads:
            thread.start()
        def child():
            ref = Loud.start("new", name="churn-1")
            assert ref.ask("hi", timeout=10) == "hi"
            assert registered() == ["churn-1"]
            telemetry.attach("x", ("x",), print)
        try:
            say({in_child(child) for _ in range(40)})
        finally:
            over.set()
        for thread in threads:
            thread.join()
    """)
    assert lines == ["{7}"]


def test_a_fork_between_two_steps() -> None:
    """Whatever another thread is in the middle of, the child starts and ends actors."""
    lines = forking("""
        import contextlib
        from supervisors._runtime.ties import claims
        held, over = threading.Event(), threading.Event()
        def hold():
            with contextlib.ExitStack() as stack:
                for claim in claims:
                    stack.enter_context(claim)
                held.set()
                over.wait(10)
        other = threading.Thread(target=hold)
        old = Loud.start("old")
        other.start()
        held.wait(10)
        def child():
            say(old.is_alive(), old.monitor().wait(5).reason)
            new = Loud.start("new")
            say(new.ask("x", timeout=5), new.stop(timeout=5))
        say(in_child(child))
        over.set()
        other.join()
        old.stop()
    """)
    assert lines == [
        *("False NoProc()", "terminate new Normal", "x True", "7"),
        "terminate old Normal",
    ]


def test_an_exception_at_each_step_of_a_fork() -> None:
    """A signal's handler may raise in the hooks: no lock is left held, in neither process."""
    lines = forking("""
        import signal
        from supervisors._runtime import forking, mailbox, unstopped
        from supervisors._runtime.pool import pool
        from supervisors._runtime.root import root
        from supervisors._runtime.timers import timers
        from tests.striking import strike_at

        def held():
            locks = root._lock, unstopped._lock, timers._lock, pool._lock, mailbox.making
            return bool(forking.forks) or any(lock._is_owned() for lock in locks)

        def fork():
            statuses.append(in_child(lambda: os._exit(1) if held() else None))

        # What Python tells of exceptions in the hooks.
        sys.unraisablehook = lambda _: None
        statuses, number = [], 0
        while strike_at(number, fork):
            assert not held()
            number += 1
        say(number > 100, set(statuses))
    """)
    assert lines == ["True {7}"]


def test_a_wait_in_the_hooks_of_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the thread holds locks that the answer may need, so no wait of its lasts."""

    class Looking(GenServer):
        def handle_call(self, request: object, sender: object) -> object:
            return registered()

    monkeypatch.setattr(reply, "_IN_FORK", 0.05)
    ref = Looking.start()
    forking_._before()
    try:
        for timeout, most in ((None, 0.05), (600, 0.05), (0.01, 0.01)):
            with pytest.raises(CallTimeout) as caught:
                ref.ask("names", timeout=timeout)
            assert caught.value.timeout == most
    finally:
        forking_._release()
    assert ref.ask("names", timeout=20) == []
    assert forks == []
    ref.stop()


def test_a_fork_while_another_thread_looks_at_threads() -> None:
    """The child can look at its own."""
    lines = forking("""
        import signal
        from supervisors._runtime import thread_frames

        inside, forks = threading.Event(), threading.Event()

        def look():
            with thread_frames._lock:
                inside.set()
                forks.wait(0.2)

        def look_in_child():
            signal.alarm(20)
            thread_frames.thread_frames()
            thread_frames._lock.acquire()

        threading.Thread(target=look).start()
        inside.wait(10)
        say(in_child(look_in_child))
    """)
    assert lines == ["7"]
