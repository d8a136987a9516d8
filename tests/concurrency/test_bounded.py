"""Bounded mailboxes and stashes under many threads: nothing lost, nobody left waiting."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from supervisors import (
    CircuitBreaker,
    CircuitOpenError,
    GenServer,
    Killed,
    MailboxFullError,
    NoProcError,
    dead_letters,
)
from tests.concurrency.crew import DEADLINE, together

POLICIES = ["error", "block", "drop_oldest", "drop_newest"]
SENDERS, EACH = 4, 100


class Sink(GenServer):
    """Notes casts, answers calls."""

    def init(self) -> None:
        self.notes: list[Any] = []

    def handle_cast(self, message: Any) -> None:
        self.notes.append(message)

    def handle_call(self, request: Any, sender: Any) -> Any:
        return self.notes if request == "notes" else request


def sink(policy: str, dispatcher: str = "pool", limit: int = 3) -> Any:
    keys = {"mailbox_limit": limit, "mailbox_overflow": policy}
    cls: Any = type("Bounded", (Sink,), keys)
    return cls.start(dispatcher=dispatcher)


@pytest.mark.parametrize("dispatcher", ["pool", "thread"])
def test_block_loses_nothing(dispatcher: str) -> None:
    """Every sender's messages all arrive, in its order, and the limit is kept."""
    ref = sink("block", dispatcher)
    lane = ref.process.mailbox.user
    longest: list[int] = []

    def send(number: int) -> None:
        for count in range(EACH):
            ref.tell((number, count))
            longest.append(len(lane))

    together(*(lambda number=number: send(number) for number in range(SENDERS)))
    notes = ref.ask("notes", timeout=DEADLINE)
    for number in range(SENDERS):
        assert [count for sender, count in notes if sender == number] == list(range(EACH))
    assert max(longest) <= 3
    assert ref.stop(timeout=DEADLINE)


def test_block_in_pooled_actors() -> None:
    """Pooled senders that wait lend their threads, so the receiver comes to its turn."""

    class Sender(GenServer):
        def handle_call(self, request: Any, sender: Any) -> None:
            for count in range(EACH):
                ref.tell(count)

    ref = sink("block", limit=1)
    senders = [Sender.start() for _ in range(40)]
    for answer in [sender.ask("go", block=False) for sender in senders]:
        answer.get(timeout=DEADLINE)
    assert len(ref.ask("notes", timeout=DEADLINE)) == 40 * EACH
    for actor in (ref, *senders):
        actor.stop()


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_blocked_senders_hear_of_the_end(way: str) -> None:
    """Who waits for room when the actor ends is told so: nothing looks as if it had arrived."""
    entered, gate = threading.Event(), threading.Event()

    class Slow(Sink):
        mailbox_limit, mailbox_overflow = 1, "block"

        def handle_cast(self, message: Any) -> None:
            entered.set()
            gate.wait(DEADLINE)

    ref = Slow.start()
    ref.tell("in its handler")
    assert entered.wait(DEADLINE)
    ref.tell("queued")
    lane = ref.process.mailbox.user
    errors: list[Any] = []
    letters: list[Any] = []

    def noted(act: Any) -> None:
        try:
            errors.append(act())
        except NoProcError as error:
            errors.append(error)

    senders = [ref.tell, ref.tell, ref.cast, lambda message: ref.ask(message, timeout=DEADLINE)]

    def end() -> None:
        pause = threading.Event()
        while len(lane._waiting) < len(senders):
            pause.wait(0.001)
        if way == "kill":
            ref.exit(Killed())
        else:
            ref.stop(block=False)
        gate.set()

    acts = [lambda send=send: noted(lambda: send("blocked")) for send in senders]
    watch = ref.monitor()
    with dead_letters.subscribe(letters.append):
        together(*acts, end)
        watch.wait(DEADLINE)
    assert [type(error) for error in errors].count(NoProcError) == 3
    assert errors.count(None) == 1
    # The queued one and the cast, which never raises.
    assert len(letters) == 2


@pytest.mark.parametrize("policy", POLICIES)
def test_every_message_has_an_outcome(policy: str) -> None:
    """The actor ends amid the traffic: asks are answered, tells handled or dead letters."""
    ref = sink(policy)
    notes = ref.process.actor.notes
    letters: list[Any] = []
    outcomes: list[Any] = []
    sent: list[int] = []

    def tell() -> None:
        for count in range(EACH):
            try:
                ref.tell(count)
            except (NoProcError, MailboxFullError):
                continue
            sent.append(count)

    def ask() -> None:
        for count in range(EACH):
            try:
                outcomes.append(ref.ask(str(count), timeout=DEADLINE))
            except (NoProcError, MailboxFullError) as error:
                outcomes.append(error)

    def end() -> None:
        ref.ask("x", block=False)
        while len(sent) < EACH and len(outcomes) < EACH:
            threading.Event().wait(0.0005)
        ref.stop(timeout=DEADLINE)

    with dead_letters.subscribe(letters.append):
        together(tell, tell, ask, ask, end)
    assert len(outcomes) == 2 * EACH
    assert len(notes) + len(letters) == len(sent)


def test_stash_against_the_end() -> None:
    """Stashed calls are answered however the end meets the stashing."""

    class Gate(GenServer):
        def handle_call(self, request: Any, sender: Any) -> None:
            self.stash()

        def handle_cast(self, message: Any) -> None:
            self.unstash_all()

    for kill in (False, True):
        ref = Gate.start()
        process = ref.process
        outcomes: list[Any] = []

        def ask(ref: Any = ref, outcomes: list[Any] = outcomes) -> None:
            asks = [ref.ask(count, block=False) for count in range(EACH)]
            for _ in range(10):
                ref.cast("again")
            outcomes.extend(future.exception(DEADLINE) for future in asks)

        def end(ref: Any = ref, process: Any = process, kill: bool = kill) -> None:
            threading.Event().wait(0.002)
            if kill:
                process.kill()
            else:
                ref.stop(timeout=DEADLINE)

        together(ask, ask, end)
        assert len(outcomes) == 2 * EACH
        assert all(isinstance(outcome, NoProcError) for outcome in outcomes)


def test_one_trial_among_threads() -> None:
    """Of many threads that call a half-open circuit exactly one gets through."""
    moment = [0.0]

    class Clock:
        def now(self) -> float:
            return moment[0]

    for _ in range(20):
        breaker = CircuitBreaker(failure_threshold=1, reset_timeout=1.0, clock=Clock())
        with pytest.raises(ZeroDivisionError):
            breaker.call(divmod, 1, 0)
        moment[0] += 1.0
        gate = threading.Event()
        calls: list[int] = []
        refusals: list[int] = []

        def trial(breaker: Any = breaker, calls: Any = calls, refusals: Any = refusals) -> None:
            try:
                with breaker.guard():
                    calls.append(1)
                    gate.wait(DEADLINE)  # noqa: B023  used up within this round
            except CircuitOpenError:
                refusals.append(1)
                if len(refusals) == 3:
                    gate.set()  # noqa: B023  as above

        together(*[trial] * 4)
        assert (len(calls), len(refusals)) == (1, 3)
        assert breaker.state == "closed"
