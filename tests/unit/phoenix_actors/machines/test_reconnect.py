"""When to connect and to join again."""

from __future__ import annotations

from typing import Any

import pytest

from phoenix_actors.errors import (
    ConnectError,
    ConnectTimeout,
    HandshakeRefused,
    InvalidOption,
)
from phoenix_actors.machines.reconnect import (
    RECONNECT_STEPS,
    ReconnectPolicy,
    RejoinPolicy,
    step,
)
from phoenix_actors.options import SocketOptions

STEPS = [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]
FAILED = ConnectError("refused")


@pytest.mark.contract("C106")
def test_steps_are_those_of_phoenix_js() -> None:
    """10, 50, 100, 150, 200, 250, 500, 1000, 2000 ms, then 5 s."""
    assert [step(RECONNECT_STEPS, attempt) for attempt in range(1, 13)] == STEPS
    policy = ReconnectPolicy()
    assert [policy.after_failure(n, FAILED, 0.5) for n in range(1, 13)] == STEPS


@pytest.mark.contract("C107")
@pytest.mark.parametrize("attempt", [1, 4, 12])
def test_a_failed_attempt_is_spread_from_half_to_one_and_a_half(attempt: int) -> None:
    """Jitter is on by default."""
    policy = ReconnectPolicy()
    usual = STEPS[attempt - 1]
    assert policy.after_failure(attempt, FAILED, 0.0) == pytest.approx(0.5 * usual)
    assert policy.after_failure(attempt, FAILED, 1.0) == pytest.approx(1.5 * usual)


@pytest.mark.contract("C107")
def test_the_first_attempt_after_a_loss_is_spread_over_a_second() -> None:
    """A thousand clients of a restarted server do not come in the same tenth of a second."""
    policy = ReconnectPolicy()
    delays = [policy.after_loss(1, sample / 1000) for sample in range(1000)]
    busiest = max(sum(at <= delay < at + 0.1 for delay in delays) for at in (0.0, 0.35, 0.9))
    assert busiest <= 101
    assert max(delays) <= 1.0


@pytest.mark.contract("C108")
def test_a_server_that_accepts_and_drops_meets_growing_steps() -> None:
    """A loss soon after a loss waits for the step at least, and is still spread."""
    policy = ReconnectPolicy()
    assert policy.after_loss(2, 0.5) == 0.5
    assert policy.after_loss(9, 0.5) == 2.0
    assert policy.after_loss(12, 0.0) == 2.5


@pytest.mark.contract("C106", "C107")
def test_a_users_backoff_is_taken_as_given() -> None:
    """A list repeats its last step, a function gets the attempt; neither is jittered."""
    for sample in (0.0, 1.0):
        listed = ReconnectPolicy(backoff=(0.5, 3.0))
        assert [listed.after_failure(n, FAILED, sample) for n in (1, 2, 3)] == [0.5, 3.0, 3.0]
        assert listed.after_loss(1, sample) == 0.5
        counted = ReconnectPolicy(backoff=lambda attempt: attempt * 2.0)
        assert counted.after_loss(3, sample) == 6.0


def test_an_object_with_delays_gets_the_sample() -> None:
    """A Backoff has its own jitter."""

    class Delays:
        def delay(self, attempt: int, sample: float) -> float:
            return attempt + sample

    assert ReconnectPolicy(backoff=Delays()).after_failure(2, FAILED, 0.25) == 2.25


@pytest.mark.parametrize("wrong", [None, -1.0, float("nan"), "1", True])
def test_a_function_that_gives_no_seconds_is_an_error(wrong: Any) -> None:
    """What a user's function returns is checked."""
    with pytest.raises(InvalidOption):
        step(lambda _: wrong, 1)


def test_no_step_is_longer_than_the_ceiling() -> None:
    """reconnect_interval bounds every step, the user's own included."""
    assert ReconnectPolicy(ceiling=0.2).after_failure(12, FAILED, 0.5) == 0.2
    assert ReconnectPolicy(ceiling=0.2).after_loss(1, 1.0) == 0.2
    assert ReconnectPolicy(ceiling=0.2, backoff=(9.0,)).after_loss(1, 1.0) == 0.2


@pytest.mark.contract("C112")
@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_a_refusal_is_tried_again_slowly(status: int) -> None:
    """Never in a tight loop: from 1 to 10 s."""
    policy = ReconnectPolicy()
    for attempt in range(1, 20):
        for sample in (0.0, 1.0):
            delay = policy.after_failure(attempt, HandshakeRefused(status), sample)
            assert 1.0 <= delay <= 10.0


@pytest.mark.contract("C113")
def test_retry_after_is_obeyed() -> None:
    """The server's wish is the least that is waited, up to a day."""
    policy = ReconnectPolicy()
    asked = HandshakeRefused(503, retry_after=120.0)
    assert policy.after_failure(1, asked, 0.5) == 120.0
    assert policy.after_failure(1, HandshakeRefused(503, retry_after=0.0), 0.5) == 1.0
    assert policy.after_failure(1, HandshakeRefused(503, retry_after=1e12), 0.5) == 86_400.0
    own = ReconnectPolicy(refusal_backoff=(2.0,))
    assert own.after_failure(1, HandshakeRefused(403), 0.5) == 2.0
    assert own.after_failure(1, asked, 0.5) == 120.0
    assert own.after_failure(1, ConnectTimeout(10.0), 0.5) == 0.01


def test_policies_are_made_from_options() -> None:
    """The words of the options reach the machine."""
    options = SocketOptions.of(
        url="ws://h/socket",
        reconnect=False,
        reconnect_interval=7,
        backoff=[1],
        refusal_backoff=[2],
        max_reconnect_attempts=3,
        reconnect_on_normal_close=False,
        rejoin_backoff=[4],
        retry_refused_rejoins=False,
    )
    assert ReconnectPolicy.of(options) == ReconnectPolicy(
        reconnect=False,
        ceiling=7.0,
        backoff=(1.0,),
        refusal_backoff=(2.0,),
        max_attempts=3,
        after_normal_close=False,
    )
    assert RejoinPolicy.of(options) == RejoinPolicy(backoff=(4.0,), retry_refused=False)
