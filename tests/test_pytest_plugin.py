"""The pytest plugin: what its fixtures do for a user's tests, and what it costs those without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from supervisors.testing import leaks

HEAVY = (
    "phoenix_actors",
    "supervisors",
    "pykka",
    "structlog",
    "msgspec",
    "websocket",
    "websockets",
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaks are waited for only shortly."""
    monkeypatch.setattr(leaks, "PATIENCE", 0.05)
    monkeypatch.setattr(leaks.leaked, "__defaults__", (0.05,))


def run(pytester: pytest.Pytester, source: str, **outcomes: int) -> pytest.RunResult:
    """Runs a user's test file in this process and checks the outcomes."""
    pytester.makeini("[pytest]")
    pytester.makepyfile(source)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**outcomes)
    return result


def test_start_supervised_stops_in_reverse_order(pytester: pytest.Pytester) -> None:
    """Children are started in order, restarted, and stopped in reverse at the end of the test."""
    run(
        pytester,
        """
        from supervisors import GenServer
        from supervisors.testing import Probe

        ENDED = []

        class Worker(GenServer):
            def init(self, letter):
                self.letter = letter
            def handle_cast(self, message):
                raise RuntimeError("a bug")
            def terminate(self, reason):
                ENDED.append(self.letter)

        def test_children(start_supervised):
            for letter in "abc":
                start_supervised(Worker, letter, id=letter)
            start_supervised.stop("b")
            assert ENDED == ["b"]
            assert len(start_supervised.supervisor.which_children()) == 2
            start_supervised((Worker, "d"), id="d")
            probe = start_supervised(Probe)
            crashing = start_supervised(Worker, "e", id="e")
            probe.watch(crashing)
            crashing.tell("x")
            probe.expect_down(crashing)
            ENDED.clear()

        def test_all_have_ended():
            assert ENDED == ["e", "d", "c", "a"]
        """,
        passed=2,
    )


def test_a_child_that_does_not_stop_fails_the_test(pytester: pytest.Pytester) -> None:
    """The failure names the child and where it is."""
    result = run(
        pytester,
        """
        import threading
        from supervisors import GenServer

        GO = threading.Event()

        class Stuck(GenServer):
            def handle_cast(self, message):
                message.set()
                GO.wait(30)

        def test_stuck(start_supervised):
            inside = threading.Event()
            start_supervised(Stuck, shutdown=0.05).tell(inside)
            assert inside.wait(10)

        def test_let_it_go():
            GO.set()
        """,
        passed=2,
        errors=1,
    )
    result.stdout.fnmatch_lines(
        ["*children were abandoned*", "*Supervisor/Stuck, now at*", "*GO.wait(30)*"]
    )


def test_a_plain_pykka_actor_is_a_child(pytester: pytest.Pytester) -> None:
    """Any `pykka.Actor` subclass is started and stopped, unmodified."""
    run(
        pytester,
        """
        import pykka

        class Plain(pykka.ThreadingActor):
            def on_receive(self, message):
                return message * 2

        REFS = []

        def test_plain(no_leaks, start_supervised):
            REFS.append(start_supervised(Plain))
            assert REFS[0].ask(21) == 42

        def test_stopped():
            assert not REFS[0].is_alive()
        """,
        passed=2,
    )


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("threading.Thread(target=GO.wait, name='forgotten').start()", "thread 'forgotten'*"),
        ("KEPT.append(GenServer.start(name='forgotten'))", "actor GenServer ('forgotten')*"),
        ("KEPT.append(socket.create_server(('127.0.0.1', 0)))", "socket *(127.0.0.1:*)*"),
        ("KEPT.append(timers.after(3600, print))", "1 timer left waiting, due in 3[56]??.? s"),
    ],
    ids=["thread", "actor", "socket", "timer"],
)
def test_no_leaks_names_what_is_left(pytester: pytest.Pytester, start: str, said: str) -> None:
    """A test that leaves a thread, an actor, a socket or a timer behind fails and says which."""
    result = run(
        pytester,
        f"""
        import socket, threading
        from supervisors import GenServer
        from supervisors._runtime.timers import timers

        GO, KEPT = threading.Event(), []

        def test_leaves_something(no_leaks):
            {start}

        def test_cleans_up():
            GO.set()
            for kept in KEPT:
                getattr(kept, "stop", getattr(kept, "cancel", getattr(kept, "close", None)))()

        def test_leaves_nothing(no_leaks):
            pass
        """,
        passed=3,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*the test leaves behind:*", f"*{said}*"])


@pytest.mark.usefixtures("short")
def test_no_leaks_looks_after_all_fixtures(pytester: pytest.Pytester) -> None:
    """What fixtures clean up is no leak, in whatever order they are named; the rest is one."""
    result = run(
        pytester,
        """
        import threading
        import pytest

        GO = threading.Event()

        @pytest.fixture
        def tidy():
            go = threading.Event()
            thread = threading.Thread(target=go.wait, name="tidy")
            thread.start()
            yield
            go.set()
            thread.join()

        @pytest.fixture
        def untidy():
            yield threading.Thread(target=GO.wait, name="untidy").start()

        def test_before(tidy, no_leaks): pass
        def test_after(no_leaks, tidy, phoenix_client, start_supervised): pass
        def test_ours_are_inside_it(phoenix_client, phoenix_server, no_leaks): pass
        def test_untidy(no_leaks, untidy): pass
        def test_end(): GO.set()
        """,
        passed=5,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*thread 'untidy' is left running*"])
    result.stdout.no_fnmatch_line("*'tidy'*")


@pytest.mark.usefixtures("short")
def test_no_leaks_begins_before_our_fixtures(pytester: pytest.Pytester) -> None:
    """Named after the server, it still sees a server that does not stop."""
    result = run(
        pytester,
        """
        from phoenix_actors.testing import PhoenixServer

        STOP, LEFT = PhoenixServer.stop, []

        def test_leaves_a_server(phoenix_server, no_leaks):
            PhoenixServer.stop = lambda self: LEFT.append(self)

        def test_end():
            PhoenixServer.stop = STOP
            LEFT[0].stop()
        """,
        passed=2,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*thread 'PhoenixServer-* is left running*"])


def test_options_are_fixtures(pytester: pytest.Pytester) -> None:
    """Overriding the options' fixtures gives server and client other ones."""
    run(
        pytester,
        """
        import pytest
        from phoenix_actors.testing import ServerChannel

        class Mine(ServerChannel):
            async def join(self, params):
                return {"mine": self.topic, "token": self.socket.params["token"]}

        @pytest.fixture
        def phoenix_server_options():
            return {"channels": {"mine:*": Mine}}

        @pytest.fixture
        def phoenix_client_options(phoenix_client_options):
            return {**phoenix_client_options, "params": {"token": "t"}, "auto_connect": False}

        def test_mine(phoenix_client):
            assert not phoenix_client.connected
            phoenix_client.connect()
            response = phoenix_client.join("mine:1").response
            assert response == {"mine": "mine:1", "token": "t"}
        """,
        passed=1,
    )


def test_manual_clock_comes_before_what_it_drives(pytester: pytest.Pytester) -> None:
    """Named last, the clock still moves the heartbeats of the client named first."""
    run(
        pytester,
        """
        def test_heartbeat(phoenix_client, phoenix_server, manual_clock):
            before = phoenix_client.get_state("status")
            manual_clock.advance(30)
            phoenix_server.assert_push("phoenix", "heartbeat")
            manual_clock.advance(29)
            phoenix_server.refute_push("phoenix", "heartbeat", timeout=0.05)
        """,
        passed=1,
    )


def test_a_run_without_the_fixtures_imports_nothing(tmp_path: Path) -> None:
    """The plugin is loaded by its entry point and imports no part of the library by itself."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_empty.py").write_text(
        "import sys\n\ndef test_nothing(request):\n"
        "    assert request.config.pluginmanager.hasplugin('phoenix_actors')\n"
        "    assert 'pytest_phoenix_actors' in sys.modules\n"
        f"    assert [name for name in {HEAVY} if name in sys.modules] == []\n",
        encoding="utf-8",
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_fixtures_are_listed_with_their_first_sentence(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` shows each fixture and what it is for."""
    result = pytester.runpytest_inprocess("--fixtures")
    for name in ("start_supervised", "phoenix_server", "phoenix_client", "manual_clock"):
        result.stdout.fnmatch_lines([f"{name} -- *", "    *"])
