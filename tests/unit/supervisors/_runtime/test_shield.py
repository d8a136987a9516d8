"""Signals are put off for the time of a step, and each is handled once, by its own handler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.shield import _state, lift_in_child, shielded
from tests.striking import handling, strike_at

# Those that this system has, and that nothing else here uses.
MORE = [
    getattr(signal, name)
    for name in ("SIGUSR1", "SIGUSR2", "SIGTERM", "SIGHUP", "SIGWINCH", "SIGURG")
    if hasattr(signal, name)
]

pytestmark = [
    pytest.mark.skipif(len(MORE) < 5, reason="this system has few signals"),
    pytest.mark.skipif(
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler,
        reason="SIGINT is ignored, or handled by who runs the tests",
    ),
]


class Struck(Exception):
    """What a handler raises."""


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert not _state.up
    assert _state.before == {}
    assert _state.missed == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_step_is_done() -> None:
    """It gets its arguments, and what it returns is returned."""
    assert shielded(lambda *given: given, 1, 2) == (1, 2)


def test_an_error_of_the_step_comes_out() -> None:
    """The handlers stand again."""
    with pytest.raises(ZeroDivisionError):
        shielded(lambda: 1 / 0)


def test_ctrl_c_comes_when_the_step_is_over() -> None:
    """It interrupts nothing, and is not lost."""
    steps: list[int] = []

    def act() -> None:
        signal.raise_signal(signal.SIGINT)
        steps.append(1)

    for count in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            shielded(act)
        assert len(steps) == count


def test_several_handlers_are_put_off() -> None:
    """Each is called for its own signal, once for each time, whatever one of them raises."""
    seen: list[int] = []

    def note(signum: int, frame: Any) -> None:
        assert frame is not None
        seen.append(signum)

    def strike(signum: int, frame: Any) -> None:
        note(signum, frame)
        raise Struck

    def act() -> None:
        for signum in (MORE[0], MORE[1], MORE[0], MORE[2]):
            signal.raise_signal(signum)
        assert seen == []

    with handling(MORE[0], strike), handling(MORE[1], note), handling(MORE[2], strike):
        with pytest.raises(Struck) as caught:
            shielded(act)
        assert seen == [MORE[0], MORE[1], MORE[0], MORE[2]]
        assert isinstance(caught.value.__context__, Struck)


def test_where_it_cannot_be() -> None:
    """Inside another step, and with too many handlers, nothing is done."""
    assert shielded(lambda: shielded(lambda: 1)) is UNDONE
    with handling(MORE[0], lambda *_: None):
        assert shielded(lambda: shielded(lambda: 1)) is UNDONE
        with (
            handling(MORE[1], lambda *_: None),
            handling(MORE[2], lambda *_: None),
            handling(MORE[3], lambda *_: None),
        ):
            assert shielded(lambda: 1) is UNDONE


def test_where_handlers_cannot_be_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """In another thread, which nobody does, `signal.signal` refuses as in a subinterpreter."""
    monkeypatch.setattr(_state, "quiet", None)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(shielded(lambda: 1)))
    thread.start()
    thread.join()
    assert found == [UNDONE]
    with pytest.raises(ValueError, match="mine"), handling(MORE[0], failing):
        strike_at(0, lambda: shielded(lambda: 1), MORE[0])


def failing(*_: object) -> None:
    """Raises what `signal.signal` raises where it is refused."""
    msg = "mine"
    raise ValueError(msg)


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    """Where SIGINT has no handler there is none to put off."""
    with handling(signal.SIGINT, signal.SIG_IGN):
        assert shielded(lambda: signal.raise_signal(signal.SIGINT)) is None


def test_a_handler_that_is_put_in_meanwhile_stays() -> None:
    """A finalizer may do that, and the step does not undo it."""

    def first(*_: object) -> None:
        """Nothing to do."""

    with handling(MORE[0], first):
        assert shielded(signal.signal, MORE[0], failing) is not UNDONE
        assert signal.signal(MORE[0], first) is failing


def test_what_a_finalizer_has_kept_stands_for_the_handler() -> None:
    """Put back when the step is over, it makes way at the first signal."""
    kept = shielded(signal.getsignal, signal.SIGINT)
    signal.signal(signal.SIGINT, kept)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def among_others(seen: list[int]) -> Callable[[int, Any], None]:
    """Returns a handler that notes and raises."""

    def strike(signum: int, _: Any) -> None:
        seen.append(signum)
        raise Struck

    return strike


@pytest.mark.parametrize("others", [0, 1, 3])
@pytest.mark.parametrize("own", [True, False], ids=["ctrl-c", "another"])
def test_wherever_it_is_struck(others: int, own: bool) -> None:
    """At each step: handled once, the step done whole or not at all, the handlers as before."""
    done: list[int] = []

    seen: list[int] = []
    signums = MORE[:others]
    signum = signal.SIGINT if own or not signums else signums[-1]
    number, more = 0, True
    strike = among_others(seen)
    before = [signal.signal(each, strike) for each in signums]
    try:
        while more:
            done.clear()
            seen.clear()
            caught: list[type] = []
            try:
                more = strike_at(number, lambda: shielded(done.append, 1), signum)
            except (Struck, KeyboardInterrupt) as error:
                caught.append(type(error))
            assert caught == ([KeyboardInterrupt if signum == signal.SIGINT else Struck] * more)
            assert seen == [signum] * (more and signum != signal.SIGINT)
            assert len(done) <= 1
            assert [signal.getsignal(each) for each in signums] == [strike] * len(signums)
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            number += 1
        assert number > 30
    finally:
        for each, handler in zip(signums, before, strict=True):
            signal.signal(each, handler)


def test_the_child_of_a_fork_makes_nothing_good_that_its_parent_has_missed() -> None:
    """Not even where the step was over at the moment of the fork, and only the calls were left."""
    _state.missed.append((signal.default_int_handler, signal.SIGINT))
    lift_in_child()
    assert shielded(lambda: 1) == 1
