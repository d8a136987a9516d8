"""The fixtures `no_leaks` and `fast_switching` do what they promise."""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests import conftest, leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = 0.05


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """An event that lets the threads of a test go at its end."""
    event = threading.Event()
    yield event
    event.set()


def start(name: str, event: threading.Event) -> threading.Thread:
    """Starts a thread that lives until the event is set."""
    thread = threading.Thread(target=event.wait, name=name)
    thread.start()
    return thread


def test_thread_is_found(released: threading.Event) -> None:
    """A thread that outlives the deadline is named."""
    before = leaks.resources()
    thread = start("left behind", released)
    assert leaks.leaked(before, SHORT) == ["thread 'left behind' is left"]
    released.set()
    thread.join()
    assert leaks.leaked(before, SHORT) == []


def test_ending_thread_is_awaited(released: threading.Event) -> None:
    """A thread that ends within the deadline is no leak."""
    before = leaks.resources()
    start("ends soon", released)
    timer = threading.Timer(SHORT, released.set)
    timer.start()
    assert leaks.leaked(before) == []


def test_threads_of_the_whole_process_stay(released: threading.Event) -> None:
    """The library's own process-wide threads are no leak."""
    before = leaks.resources()
    for name in ("supervisors-timer", "supervisors-watcher", "supervisors-pool-3"):
        start(name, released)
    assert leaks.leaked(before, 0.0) == []


def test_a_thread_of_a_like_name_is_found(released: threading.Event) -> None:
    """A program may call its threads after the library."""
    before = leaks.resources()
    start("supervisors-mine", released)
    assert leaks.leaked(before, 0.0) == ["thread 'supervisors-mine' is left"]


@pytest.mark.skipif(
    not leaks.DESCRIPTORS.is_dir(), reason="no /dev/fd: open sockets cannot be listed here"
)
def test_socket_is_found() -> None:
    """An open socket is found, a closed one is not, and one with a reused descriptor is."""
    with socket.socket() as first:
        before = leaks.resources()
        number = first.fileno()
    with socket.socket() as second:
        assert second.fileno() == number
        assert leaks.leaked(before, 0.0) == [f"socket with descriptor {number} is left open"]
    assert leaks.leaked(before, 0.0) == []


def test_no_leaks_fails_a_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that leaves a thread behind fails with the name of the thread."""
    monkeypatch.setattr(leaks, "DEADLINE", SHORT)
    pytester.makeini("[pytest]")
    pytester.makeconftest("from tests.conftest import no_leaks")
    pytester.makepyfile(
        """
        import threading
        import pytest

        GO = threading.Event()

        def test_leaves_a_thread(no_leaks):
            threading.Thread(target=GO.wait, name="forgotten").start()

        def test_cleans_up(no_leaks):
            GO.set()
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*thread 'forgotten' is left*"])


def test_fast_switching(fast_switching: None) -> None:
    """Threads take turns a thousand times more often than usual."""
    assert sys.getswitchinterval() == pytest.approx(conftest.SWITCH_INTERVAL, rel=0.1)
