"""The Unix socket: who may look, what is answered, and what bad input does."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pykka
import pytest

from supervisors import GenServer, Supervisor, observer
from supervisors.observer import frames
from supervisors.observer.facts import (
    ActorDetail,
    ActorRequest,
    Answer,
    Deed,
    LookRequest,
    Refusal,
)
from tests import leaks
from tests.integration.observer.programs import DEADLINE, ROOT, Observed, observed, top

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(sys.platform == "win32", reason="Python has no Unix sockets on Windows"),
]


@pytest.fixture
def program(no_leaks: None, tmp_path: Path) -> Iterator[Observed]:
    """A program of its own."""
    with observed(tmp_path) as running:
        yield running


@pytest.fixture
def served(no_leaks: None, tmp_path: Path) -> Iterator[observer.Observer]:
    """This process."""
    with observer.serve(tmp_path / "here") as running:
        yield running


def raw(path: str) -> socket.socket:
    """Returns a connection that speaks for itself."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(DEADLINE)
    connection.connect(path)
    return connection


def answer_to(connection: socket.socket) -> Answer | None:
    """Returns the next answer; None when the connection is closed."""
    try:
        data = frames.receive(connection, frames.LONGEST_ANSWER, DEADLINE)
    except ConnectionResetError:
        # Closed before it had read all that was sent.
        return None
    return None if data is None else frames.decode_answer(data)


def test_another_process_is_seen(program: Observed) -> None:
    """Tree, restarts, last reasons, log, tables and busy stacks of a real process; no secret."""
    with observer.Connection(program.path, DEADLINE) as connection:
        look = connection.look()
        assert look.process.pid == program.process.pid
        [tree] = look.system.trees
        cache = tree.children[0]
        assert (tree.label, cache.label, cache.restarts) == ("shop", "Cache", 1)
        assert cache.last_reason == "Crashed(ValueError)"
        assert "supervisors.actor.crashed" in [entry.event for entry in look.log]
        assert ("users", 12) in [row for section in look.sections for row in section.rows]
        slow = next(row for row in look.actors if row.class_name == "Slow")
        detail = connection.actor(slow.urn)
        assert slow.state == "busy"
        assert any("handle_cast" in line for line in detail.stack)
        seen = msgspec.json.encode((look, detail, connection.actor(cache.urn)))
        assert b"s3cret" not in seen


def test_orders_reach_the_actor(program: Observed) -> None:
    """Where the application allows control, an actor can be stopped, and is restarted."""
    with observer.Connection(program.path, DEADLINE) as connection:
        before = connection.look().system.trees[0].children[0]
        connection.order(before.urn, Deed.STOP)
        end = time.monotonic() + DEADLINE
        while connection.look().system.trees[0].children[0].restarts < 2:
            assert time.monotonic() < end
        with pytest.raises(observer.RefusedError, match="it has ended"):
            connection.actor(before.urn)


def test_nobody_else_may_open_it(served: observer.Observer) -> None:
    """The file is a socket of mode 0600, and gone when it is closed; closing twice is as once."""
    status = os.lstat(served.path)
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    served.close()
    served.close()
    assert not Path(served.path).exists()


def test_the_file_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    """What a killed process has left is taken over; a living one's is not touched."""
    with observed(tmp_path) as program:
        with pytest.raises(FileExistsError, match="a living process serves"):
            observer.serve(program.path)
        with observer.Connection(program.path, DEADLINE) as connection:
            assert connection.look().process.pid == program.process.pid
        program.kill()
        assert Path(program.path).exists()
        with observer.serve(program.path), observer.Connection(program.path, DEADLINE) as again:
            assert again.look().process.pid == os.getpid()


def test_another_file_is_not_touched(tmp_path: Path) -> None:
    """Neither before nor after: a file that is no socket, and a socket of somebody else."""
    path = tmp_path / "precious"
    path.write_text("content")
    with pytest.raises(FileExistsError, match="no socket"):
        observer.serve(path)
    assert path.read_text() == "content"
    mine = observer.serve(tmp_path / "mine")
    Path(mine.path).unlink()
    Path(mine.path).write_text("another's")
    mine.close()
    assert Path(mine.path).read_text() == "another's"


def test_a_program_that_ends_leaves_no_file(tmp_path: Path) -> None:
    """Without a close() too."""
    code = "import sys; from supervisors import observer; observer.serve(sys.argv[1])"
    path = tmp_path / "left"
    subprocess.run([sys.executable, "-c", code, path], check=True, timeout=DEADLINE, cwd=ROOT)
    assert not path.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        (5000).to_bytes(4, "big"),
        (3).to_bytes(4, "big") + b"\xc1\xc1\xc1",
        frames.encode({"type": "nonsense"}),
        frames.encode({"type": "look", "sort": "colour"}),
        frames.encode({"type": "look", "rows": 10_000_000}),
        frames.encode({"type": "look", "unknown": 1}),
        frames.encode({"type": "order", "urn": "x", "deed": "explode"}),
        frames.encode(["look"]),
    ],
)
def test_bad_input_gets_an_error_and_nothing_else(served: observer.Observer, data: bytes) -> None:
    """It is refused, the connection closed, and the next one served."""
    with raw(served.path) as connection:
        connection.sendall(data)
        answer = answer_to(connection)
        assert isinstance(answer, Refusal)
        assert "not a request" in answer.problem
        assert answer_to(connection) is None
    with observer.Connection(served.path, DEADLINE) as connection:
        assert connection.look().process.pid == os.getpid()


def test_half_a_frame_is_not_waited_for(
    served: observer.Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that does not come is given up, however slowly its bytes drop in."""
    monkeypatch.setattr("supervisors.observer.serving._FRAME", 0.2)
    with raw(served.path) as connection:
        connection.sendall(frames.encode(LookRequest())[:-1])
        assert answer_to(connection) is None


def test_connections_are_bounded(served: observer.Observer) -> None:
    """The ninth is told so; when one has gone there is room again."""
    held = [observer.Connection(served.path, DEADLINE) for _ in range(8)]
    try:
        for connection in held:
            connection.look()
        with raw(served.path) as ninth:
            answer = answer_to(ninth)
        assert isinstance(answer, Refusal)
        assert "8 look already" in answer.problem
    finally:
        for connection in held:
            connection.close()
    end = time.monotonic() + DEADLINE
    while True:
        try:
            with observer.Connection(served.path, DEADLINE) as again:
                again.look()
            break
        except (observer.RefusedError, ConnectionError):
            assert time.monotonic() < end


def test_close_ends_open_connections_and_threads(tmp_path: Path) -> None:
    """Whoever looks is cut off, and no thread or socket is left."""
    before = leaks.resources()
    served = observer.serve(tmp_path / "socket")
    connection = observer.Connection(served.path, DEADLINE)
    connection.look()
    served.close()
    with pytest.raises(OSError, match=r"closed|reset|[Bb]roken"):
        connection.look()
    connection.close()
    assert [
        thread.name for thread in threading.enumerate() if thread.name.startswith("observer")
    ] == []
    assert leaks.leaked(before) == []


def test_stack_of_a_busy_actor_here(served: observer.Observer) -> None:
    """Where its thread is, innermost call last."""
    entered, leave = threading.Event(), threading.Event()

    class Busy(GenServer):
        def handle_cast(self, message: object) -> None:
            entered.set()
            leave.wait(DEADLINE)

    ref = Busy.start()
    ref.cast("x")
    assert entered.wait(DEADLINE)
    with observer.Connection(served.path, DEADLINE) as connection:
        busy = connection.actor(ref.actor_urn)
    leave.set()
    ref.stop()
    assert busy.row.state == "busy"
    assert any("in handle_cast: leave.wait(DEADLINE)" in line for line in busy.stack)


def test_top_prints_one_screen(program: Observed) -> None:
    """`--once` in a pipe: everything in text, no escape sequence, whatever a label holds."""
    shown = top(program.path, "--once")
    assert shown.returncode == 0, shown.stderr
    for text in (
        "shop",
        "Cache",
        "Crashed(ValueError)",
        "Caches",
        "users",
        "actor.crashed",
        "busy",
    ):
        assert text in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "\x07" not in shown.stdout
    assert "s3cret" not in shown.stdout


def test_phoenix_actors_top_is_the_same(program: Observed) -> None:
    """The other command line leads to the same screen."""
    shown = top(program.path, "--once", "--sort", "memory", module="phoenix_actors")
    assert shown.returncode == 0, shown.stderr
    assert "by memory" in shown.stdout


def test_top_says_what_is_wrong(tmp_path: Path) -> None:
    """Nobody there is 3, a wrong argument 2, and so is a pipe without --once."""
    gone = top(str(tmp_path / "nothing"), "--once")
    assert (gone.returncode, gone.stdout) == (3, "")
    assert gone.stderr.startswith("top: nothing to see at ")
    assert top("x", "--once", "--interval", "0.5").returncode == 2
    piped = top("x")
    assert (piped.returncode, "add --once" in piped.stderr) == (2, True)


def test_plain_pykka_actors_are_seen(served: observer.Observer) -> None:
    """Supervised ones with what is known of them, others by their class."""

    class Plain(pykka.ThreadingActor):
        def on_receive(self, message: object) -> object:
            return message

    shop = Supervisor.start_link([Plain], strategy="one_for_one", name="plain-shop")
    alone = Plain.start()
    try:
        with observer.Connection(served.path, DEADLINE) as connection:
            found = {row.urn: row for row in connection.look(rows=500).actors}
            [child] = shop.which_children()
            assert found[child.ref.actor_urn].path == "plain-shop/Plain"
            assert found[alone.actor_urn].state == "running"
            assert connection.actor(child.ref.actor_urn).parent == "plain-shop"
            assert connection.actor(alone.actor_urn).row.class_name == "Plain"
        # Looking attaches nothing to an actor that nobody supervises.
        assert "_handle_receive" not in vars(alone._actor_weakref())
    finally:
        alone.stop()
        shop.stop()


def test_answers_decode(served: observer.Observer) -> None:
    """A request and its answer, as another program would speak them."""
    ref = GenServer.start()
    with raw(served.path) as connection:
        frames.send(connection, LookRequest(rows=1))
        assert isinstance(answer_to(connection), observer.Look)
        frames.send(connection, ActorRequest(ref.actor_urn))
        assert isinstance(answer_to(connection), ActorDetail)
    ref.stop()
