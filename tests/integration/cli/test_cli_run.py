"""`phoenix-actors run`: a tree from a TOML file, and mistakes that name line and key."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phoenix_actors import cli
from phoenix_actors.cli.toml_lines import lines_of
from phoenix_actors.cli.tree_file import TreeFile, TreeFileError
from phoenix_actors.testing import PhoenixServer
from supervisors import BRUTAL_KILL
from supervisors.observer import Connection
from tests.integration.cli.terminal import DEADLINE, command, environment

MODULE = """
    import sys

    import pykka

    from phoenix_actors import ChannelActor
    from supervisors import GenServer, Stop, Normal, whereis

    class Loud(GenServer):
        def init(self, word="hi", times=1):
            print("init", word, times, flush=True)
        def terminate(self, reason):
            print("terminate", type(reason).__name__, flush=True)

    class Joiner(GenServer):
        def init(self, client, topic):
            whereis(client).join(topic, {"from": "tree"})
            print("joined", topic, flush=True)

    class Job(GenServer):
        def init(self):
            self.send_after(0, "done")
        def handle_info(self, message):
            return Stop(Normal())

    class Broken(GenServer):
        def init(self):
            raise RuntimeError("no way")

    class Plain(pykka.ThreadingActor):
        pass

    class Room(ChannelActor):
        pass
"""

Write = Callable[[str], str]
POSIX = pytest.mark.skipif(
    sys.platform == "win32",
    reason="no SIGTERM and no Unix sockets on Windows",
)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes app.toml beside a module `parts_of_tree`; returns its path."""
    (tmp_path / "parts_of_tree.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text: str) -> str:
        file = tmp_path / "app.toml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return str(file)

    yield write
    sys.modules.pop("parts_of_tree", None)


def test_everything_is_read(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rules, classes, arguments, clients, nested supervisors, variables and files."""
    monkeypatch.setenv("CHAT_TOKEN", "secret")
    (tmp_path / "key").write_text("from file\n", encoding="utf-8")
    file = TreeFile(
        write(
            """
            name = "shop"
            strategy = "rest_for_one"
            max_restarts = 7
            shutdown_timeout = "infinity"

            [[child]]
            [child.client]
            name = "chat"
            url = "ws://localhost:4000/socket"
            params = { token = { env = "CHAT_TOKEN" } }
            topic_channel_map = { "room:*" = "parts_of_tree:Room" }

            [[child]]
            class = "parts_of_tree:Loud"
            args = ["ho"]
            kwargs = { times = 2 }
            name = "loud"
            restart = "transient"
            shutdown = "brutal_kill"
            backoff = { initial = 0.5 }

            [[child]]
            id = "workers"
            supervisor = { strategy = "one_for_all" }
            [[child.child]]
            class = "parts_of_tree:Plain"
            [[child.child]]
            class = "parts_of_tree:Loud"
            args = [{ file = "key" }]
            shutdown = "infinity"
            """
        )
    )
    assert file.options == {
        "name": "shop",
        "strategy": "rest_for_one",
        "max_restarts": 7,
        "shutdown_timeout": None,
    }
    chat, loud, workers = file.children
    assert (chat.id, chat.type) == ("chat", "supervisor")
    assert chat.args[0].params == {"token": "secret"}
    assert chat.args[0].topic_channel_map["room:*"].__name__ == "Room"
    assert (loud.id, loud.name, loud.args, loud.kwargs) == ("loud", "loud", ("ho",), {"times": 2})
    assert (loud.restart, loud.shutdown, loud.backoff.initial) == ("transient", BRUTAL_KILL, 0.5)
    assert (workers.id, workers.type) == ("workers", "supervisor")
    plain, inner = workers.args[0].children
    assert (plain.id, inner.args, inner.shutdown) == ("Plain", ("from file",), None)


CHILD = 'strategy = "one_for_one"\n[[child]]\nclass = "parts_of_tree:Loud"\n'
CLIENT = 'strategy = "one_for_one"\n[[child]]\n[child.client]\nurl = "ws://x"\n'
RULES = 'strategy = "one_for_one"\n'
NESTED = f'{RULES}[[child]]\nid = "x"\n[child.supervisor]\n{RULES}'


@pytest.mark.parametrize(
    ("text", "line", "key", "problem"),
    [
        ("strategy =", None, "", "is no TOML: Invalid value (at end of document)"),
        ("a = 1\nb = = 2\n", None, "", "(at line 2, column 5)"),
        ("", None, "", "strategy is missing"),
        ('strategy = "one_for_two"', 1, "strategy", "one_for_all"),
        ('x = 1\nstrategy = "one_for_one"', 1, "x", "is unknown"),
        ('strategy = "one_for_one"\nmax_restarts = -1', 2, "max_restarts", "whole number"),
        ('strategy = "one_for_one"\nmax_seconds = 0', 2, "max_seconds", "more than 0"),
        ('strategy = "one_for_one"\nshutdown_timeout = "x"', 2, "shutdown_timeout", "seconds"),
        ('strategy = "one_for_one"\npath = "x"', 2, "path", "must be a list"),
        ('strategy = "one_for_one"\nchild = 1', 2, "child", "must be a list"),
        ('strategy = "one_for_one"\n\n[[child]]\nid = "x"', 3, "child 1", "must have one of class"),
        (CHILD + 'restart = "allways"', 4, "child 1, restart", "permanent"),
        (CHILD + 'restrat = "x"', 4, "child 1, restrat", "did you mean 'restart'?"),
        (CHILD + 'shutdown = "soon"', 4, "child 1, shutdown", "'infinity' or 'brutal_kill'"),
        (CHILD + "shutdown = -1", 4, "child 1, shutdown", ""),
        (CHILD + "args = 1", 4, "child 1, args", "must be a list, not int"),
        (CHILD + "kwargs = 1", 4, "child 1, kwargs", "must be a table, not int"),
        (CHILD + 'args = [{ env = "NO_SUCH" }]', 4, "child 1, args 1", "has no variable NO_SUCH"),
        (CHILD + 'args = [{ file = "nope" }]', 4, "child 1, args 1", "cannot read 'nope'"),
        (CHILD + "backoff = { first = 1 }", 4, "child 1, backoff", "first"),
        (CHILD + 'restart = "temporary"\nsignificant = true', 5, "child 1, significant", ""),
        (CHILD + "\n" + CHILD.partition("\n")[2], 5, "child 2, id", "Loud"),
        (CHILD.replace("Loud", "Laud"), 3, "child 1, class", "did you mean 'Loud'?"),
        (CHILD.replace(":Loud", ""), 3, "child 1, class", "must be an import path"),
        (CHILD.replace("parts_of_tree", "nowhere_x"), 3, "child 1, class", "ModuleNotFoundError"),
        (CHILD.replace("Loud", "sys"), 3, "child 1, class", "is no child"),
        (CHILD.replace("Loud", "Room"), 3, "child 1, class", "is a ChannelActor, which a client"),
        (CLIENT.replace("ws://x", "x"), 4, "child 1, client.url", "the URL"),
        (CLIENT + "hartbeat = 1", 5, "child 1, client.hartbeat", "is unknown"),
        (
            CLIENT + '[child.client.topic_channel_map]\n"room:*" = "parts_of_tree:Rom"',
            6,
            "child 1, client.topic_channel_map.room:*",
            "did you mean 'Room'?",
        ),
        (
            NESTED + '[[child.child]]\nclass = "parts_of_tree:Job"\nrestart = 1',
            8,
            "child 1, child 1, restart",
            "",
        ),
    ],
)
def test_mistakes_name_line_and_key(
    write: Write, text: str, line: int | None, key: str, problem: str
) -> None:
    """Whatever is wrong is said with the line and the key, before anything is started."""
    file = write(text)
    with pytest.raises(TreeFileError) as failed:
        TreeFile(file)
    error = failed.value
    assert (error.line, error.key) == (line, key)
    assert problem in error.problem
    assert str(error).startswith(file if line is None else f"{file}, line {line}: {key}")


def test_secrets_are_in_no_mistake(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable's value does not show in the error about its key."""
    monkeypatch.setenv("CHAT_PARAMS", "secret")
    with pytest.raises(TreeFileError) as failed:
        TreeFile(write(CLIENT + 'params = { env = "CHAT_PARAMS" }'))
    assert (failed.value.line, "secret" in failed.value.problem) == (5, False)


@pytest.mark.parametrize(
    ("value", "text", "key"),
    [
        ("hunter2", CHILD + 'restart = { env = "SECRET" }', "child 1, restart"),
        ("hunter2", CHILD + 'shutdown = { env = "SECRET" }', "child 1, shutdown"),
        ("hun'ter\n2", CHILD + 'restart = { env = "SECRET" }', "child 1, restart"),
        ("ab", CHILD + 'restart = { env = "SECRET" }', "child 1, restart"),
    ],
)
def test_what_a_variable_holds_is_in_no_mistake(
    write: Write, monkeypatch: pytest.MonkeyPatch, value: str, text: str, key: str
) -> None:
    """A value that is put where a rule is expected is named by its variable."""
    monkeypatch.setenv("SECRET", value)
    with pytest.raises(TreeFileError) as failed:
        TreeFile(write(text))
    assert failed.value.key == key
    assert "hun" not in str(failed.value)
    assert "'ab'" not in str(failed.value)
    assert "<SECRET>" in str(failed.value)


def test_lines_of_every_kind_of_key() -> None:
    """Quoted and dotted keys, tables, arrays of tables inside one another."""
    text = 'a.b = 1\n"c d" = 2\n[x]\ny = 3\n[[z]]\n[[z.z]]\nw = 4\n[[z.z]]\nw = 5\n[z.q]\nv = 6\n'
    assert lines_of(text) == {
        ("a", "b"): 1,
        ("c d",): 2,
        ("x",): 3,
        ("x", "y"): 4,
        ("z", 0): 5,
        ("z", 0, "z", 0): 6,
        ("z", 0, "z", 0, "w"): 7,
        ("z", 0, "z", 1): 8,
        ("z", 0, "z", 1, "w"): 9,
        ("z", 0, "q"): 10,
        ("z", 0, "q", "v"): 11,
    }


def test_check_prints_the_children(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """With --check nothing is started; a mistake is exit code 2 and one line."""
    file = write(
        CHILD + '[[child]]\nid = "w"\nsupervisor = { strategy = "one_for_one" }\n'
        '[[child.child]]\nclass = "parts_of_tree:Job"\nrestart = "temporary"\n'
    )
    assert cli.main(["run", file, "--check"]) == 0
    assert capsys.readouterr().out == (
        "Loud  worker  permanent\nw  supervisor  permanent\n  Job  worker  temporary\n"
    )
    assert cli.main(["run", write(CHILD + "restart = 1"), "--check"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"phoenix-actors: {file}, line 4: child 1, restart: ")
    assert captured.err.count("\n") == 1


def run(file: str, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Starts the program of a file."""
    return subprocess.Popen(
        command("run", file, "--log-level", "error", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


@POSIX
def test_a_tree_with_a_client_runs_until_it_is_stopped(write: Write, no_leaks: None) -> None:
    """Client and actors run, the manager hears of it, and SIGTERM stops them in order."""
    with (
        PhoenixServer() as server,
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(f"{folder}/notify")
        manager.settimeout(DEADLINE)
        file = write(
            """
            strategy = "rest_for_one"
            [[child]]
            client = { name = "chat", url = { env = "CHAT_URL" } }
            [[child]]
            class = "parts_of_tree:Loud"
            [[child]]
            class = "parts_of_tree:Joiner"
            args = ["chat", "room:a"]
            """
        )
        program = run(file, CHAT_URL=server.url, NOTIFY_SOCKET=f"{folder}/notify")
        try:
            assert manager.recv(100) == b"READY=1"
            assert server.assert_join("room:a").payload == {"from": "tree"}
            program.send_signal(signal.SIGTERM)
            out, err = program.communicate(timeout=DEADLINE)
        finally:
            program.kill()
            program.wait()
    assert out.splitlines() == ["init hi 1", "joined room:a", "terminate Shutdown"]
    assert program.returncode == 143
    assert err.startswith("supervisors: stopping on SIGTERM")


@pytest.mark.parametrize(
    ("name", "code"), [("Job", 0), ("Broken", 1)], ids=["ends", "does-not-start"]
)
def test_exit_codes_of_the_tree(write: Write, name: str, code: int) -> None:
    """A tree that has done its work is 0; one that does not start is 1 and a sentence."""
    text = f"""
        strategy = "one_for_one"
        auto_shutdown = "any_significant"
        [[child]]
        class = "parts_of_tree:{name}"
        restart = "transient"
        significant = true
    """
    program = run(write(text))
    _, err = program.communicate(timeout=DEADLINE)
    assert program.returncode == code, err
    place = r"^phoenix-actors: the tree did not start: \w+ did not start: \w+ in init, \S+\.py:\d+$"
    assert (re.search(place, err, re.MULTILINE) is not None) == (code == 1)
    assert "Traceback" not in err


@POSIX
def test_probes_and_the_observer(write: Write, no_leaks: None, tmp_path: Path) -> None:
    """With --health the program answers probes, with --observe it can be looked into."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = run(write(CHILD), "--health", str(port))
        _, err = program.communicate(timeout=DEADLINE)
        assert (program.returncode, f"--health 127.0.0.1:{port}: " in err) == (1, True)
    # Short: the path of a Unix socket has 100 characters at most.
    with tempfile.TemporaryDirectory() as folder:
        words = ("--health", f"127.0.0.1:{port}", "--observe", f"{folder}/o")
        program = run(write(CHILD), *words)
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "init hi 1\n"
            end = time.monotonic() + DEADLINE
            status = 0
            while status != 200 and time.monotonic() < end:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
                connection.request("GET", "/health/ready")
                status = connection.getresponse().status
                connection.close()
            assert status == 200
            with Connection(f"{folder}/o") as looking:
                [tree] = looking.look().system.trees
            assert [child.label for child in tree.children] == ["Loud"]
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=DEADLINE)
    assert program.returncode == 143


@pytest.mark.parametrize("address", ["", "x", "host:", "70000", "host:-1"])
def test_bad_addresses(write: Write, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An address for probes that is none is code 2."""
    assert cli.main(["run", write(CHILD), "--health", address]) == 2
    assert "must be PORT or HOST:PORT" in capsys.readouterr().err
