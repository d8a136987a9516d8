"""A program with a client ends, and forks, whatever the client is doing."""

from __future__ import annotations

import os

import pytest

from phoenix_actors.testing import PhoenixServer
from tests.concurrency.programs import outcome
from tests.e2e.rig import eventually

pytestmark = pytest.mark.usefixtures("no_leaks")

PROGRAM = """
from phoenix_actors import SocketClient
import logging
logging.disable()
warnings.simplefilter("ignore")
url = {url!r}
"""


def run(text: str, url: str) -> list[str]:
    """Runs a program to its good end; returns what it said."""
    import textwrap

    lines, status, errors = outcome(PROGRAM.format(url=url) + textwrap.dedent(text))
    assert (status, errors) == (0, [])
    return lines


@pytest.mark.contract("C159")
@pytest.mark.parametrize(
    "doing",
    [
        "pass",
        'client.join("room:a").on("pushed", print)',
        "client.on_close(lambda *_: time.sleep(0.1)); client.ping()",
        'client.join("room:a").push("slow_echo", {"ms": 3600000})',
        "server_gone = SocketClient.start_link(url='ws://127.0.0.1:1/socket', backoff=[0.01])",
    ],
)
def test_a_program_that_stops_nothing_ends(doing: str) -> None:
    """Connected, reading, with a push under way or reconnecting: exit waits for none of it."""
    with PhoenixServer() as server:
        said = run(
            f"""
            client = SocketClient.start_link(url=url)
            client.wait_connected(10)
            {doing}
            say("end")
            """,
            server.url,
        )
        assert said == ["end"]
        eventually(lambda: server.stats()["transports"], lambda count: count == 0)


@pytest.mark.contract("C159")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_leaves_the_parents_connection_alone() -> None:
    """The child's copy of the client is dead, a new one works; the parent goes on with its own."""
    with PhoenixServer() as server:
        said = run(
            """
            from phoenix_actors import ChannelClosed
            client = SocketClient.start_link(url=url)
            channel = client.join("counter:a")
            channel.push("add", {"n": 1}).get(timeout=10)
            pid = os.fork()
            if pid == 0:
                try:
                    say("child", client.is_alive(), client.connected)
                    try:
                        channel.push("add", {"n": 1000})
                    except ChannelClosed:
                        say("child", channel.state)
                    channel.leave()
                    with SocketClient.start_link(url=url) as mine:
                        reply = mine.join("counter:a").push("add", {"n": 10}).get(timeout=10)
                        say("child", reply.response["sum"], reply.response["total"])
                finally:
                    sys.stdout.flush()
                    os._exit(0)
            say("parent", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            reply = channel.push("add", {"n": 100}).get(timeout=10)
            say("parent", reply.response["sum"], reply.response["total"], client.connected)
            client.stop()
            """,
            server.url,
        )
        assert said == [
            "child False False",
            "child closed",
            "child 10 11",
            "parent 0",
            "parent 101 111 True",
        ]
        assert server.connections_total == 2


@pytest.mark.contract("C159")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_amid_pushes_leaves_no_lock_held() -> None:
    """Whatever another thread did when it came, the child's push is refused at once."""
    with PhoenixServer() as server:
        said = run(
            """
            import faulthandler, threading
            from phoenix_actors import ChannelClosed
            client = SocketClient.start_link(url=url)
            channel = client.join("room:a")
            over = threading.Event()

            def push():
                while not over.is_set():
                    channel.push("echo", {}).get(timeout=10)

            thread = threading.Thread(target=push)
            thread.start()
            ended = []
            for _ in range(10):
                pid = os.fork()
                if pid == 0:
                    faulthandler.dump_traceback_later(10, exit=True)
                    try:
                        channel.push("echo", {})
                    except ChannelClosed:
                        os._exit(0)
                    finally:
                        os._exit(2)
                ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            over.set()
            thread.join()
            say(*ended, channel.push("echo", {}).get(timeout=10).status)
            client.stop()
            """,
            server.url,
        )
        assert said == ["0 0 0 0 0 0 0 0 0 0 ok"]
