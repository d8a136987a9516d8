"""A `Probe` keeps messages, and its reference waits for the one that fits."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import Crashed, GenServer, Normal
from supervisors.testing import Asked, ManualDispatcher, Probe, ProbeRef


@pytest.fixture
def probe(turns: ManualDispatcher) -> ProbeRef:
    """A probe that is stepped in this thread, where a wait ends when nobody has anything to do."""
    ref: ProbeRef = Probe.start(dispatcher=turns)
    return ref


def test_it_takes_the_first_that_fits_and_keeps_the_others(probe: ProbeRef) -> None:
    """`expect` takes one message out; what does not fit stays, in order."""
    for message in ("a", 1, "b", 2):
        probe.tell(message)
    assert probe.expect(int) == 1
    assert probe.expect("b") == "b"
    assert probe.messages() == ["a", 2]
    assert [probe.expect(), probe.expect()] == ["a", 2]


def test_every_way_of_sending_arrives(probe: ProbeRef) -> None:
    """tell, cast and send_info arrive as they are."""
    probe.tell("told")
    probe.cast("cast")
    probe.send_info("sent")
    assert [probe.expect() for _ in range(3)] == ["told", "cast", "sent"]


def test_a_failure_says_what_came_instead(probe: ProbeRef) -> None:
    """The assertion names what was wanted, and shows at most ten of the others."""
    for number in range(12):
        probe.tell(number)
    with pytest.raises(AssertionError) as failed:
        probe.expect(str, timeout=0)
    text = str(failed.value)
    assert text.startswith("no message is a str: within 0.0 s Probe (")
    assert [line.strip() for line in text.splitlines()[1:]] == [
        *map(str, range(2, 12)),
        "and 2 before these",
    ]


def test_expect_none_leaves_what_fits(probe: ProbeRef) -> None:
    """`expect_none` fails for a message that fits, which stays in its place."""
    probe.expect_none(timeout=0)
    probe.tell("first")
    probe.tell(2)
    probe.expect_none(float, timeout=0)
    with pytest.raises(AssertionError, match="got 'first', which is a str"):
        probe.expect_none(str, timeout=0)
    assert probe.messages() == ["first", 2]


def test_an_ask_is_answered_by_the_test(probe: ProbeRef) -> None:
    """`expect_ask` finds the request by its message, and its `reply` settles the asker's future."""
    probe.tell("name?")
    future = probe.ask("name?", block=False)
    asked = probe.expect_ask("name?")
    assert not future.done()
    assert asked.reply("probe") is True
    assert future.get(timeout=0) == "probe"
    assert probe.messages() == ["name?"]
    assert asked.reply("again") is False


def test_nobody_asks(probe: ProbeRef) -> None:
    """`expect_ask` fails when only a tell has come."""
    probe.tell("name?")
    with pytest.raises(AssertionError, match="nobody asks 'name\\?'"):
        probe.expect_ask("name?", timeout=0)


def test_answer_answers_at_once(turns: ManualDispatcher) -> None:
    """With `answer`, each ask gets what the function returns, and is kept too."""
    probe = Probe.start(lambda message: message * 2, dispatcher=turns)
    assert probe.call(21) == 42
    assert isinstance(probe.expect(Asked), Asked)


class Fragile(GenServer):
    """Crashes when told to."""

    def handle_cast(self, message: Any) -> None:
        raise ValueError(message)


def test_it_tells_the_end_of_who_it_watches(probe: ProbeRef, turns: ManualDispatcher) -> None:
    """`expect_down` returns the reason; another reason than the pattern's is a failure."""
    first, second = Fragile.start(dispatcher=turns), Fragile.start(dispatcher=turns)
    probe.watch(first)
    probe.watch(second)
    with pytest.raises(AssertionError, match="has not ended"):
        probe.expect_down(first, timeout=0)
    first.tell("boom")
    second.stop()
    assert isinstance(probe.expect_down(first, Crashed), Crashed)
    with pytest.raises(AssertionError, match=r"ended with Normal\(\), which is not a Crashed"):
        probe.expect_down(second, Crashed)


def test_what_was_received_outlives_the_probe(probe: ProbeRef) -> None:
    """A probe that has ended still tells what it got."""
    probe.tell("last words")
    assert probe.expect(timeout=0) == "last words"
    probe.tell("more")
    assert probe.ask("sync", block=False)
    probe.expect_ask("sync")
    probe.stop(Normal())
    assert probe.expect("more", timeout=0) == "more"


def test_a_predicate_that_raises_is_the_tests_own_error(probe: ProbeRef) -> None:
    """The predicate runs in the test's thread: its exception reaches the test, not the probe."""
    probe.tell("x")
    with pytest.raises(ZeroDivisionError):
        probe.expect(lambda message: 1 / 0)
    assert probe.is_alive()
