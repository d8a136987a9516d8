"""Messages between real threads: none lost, in order, one at a time, and nobody starves."""

from __future__ import annotations

import asyncio
import sys
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from supervisors import (
    NO_REPLY,
    CallTimeout,
    GenServer,
    NoProcError,
    Reply,
    Stop,
)
from supervisors._runtime.mailbox import Mailbox
from supervisors._runtime.pool import pool
from supervisors._runtime.timers import TimerService
from tests.concurrency.crew import DEADLINE, Doer, boom, stop, together, waits

DISPATCHERS = pytest.mark.parametrize("dispatcher", ["pool", "thread"])


@pytest.mark.contract("S166")
@DISPATCHERS
def test_asks_racing_a_stop_are_answered(dispatcher: str) -> None:
    """40,000 asks to actors that are stopped meanwhile: each gets a reply or NoProcError."""
    rounds, askers, asks = (100, 4, 100) if dispatcher == "pool" else (10, 4, 50)
    outcomes: list[bool] = []

    def once() -> None:
        ref = Doer.start(dispatcher=dispatcher)
        replies: list[Reply] = []

        def ask() -> None:
            replies.extend(ref.ask(number, block=False) for number in range(asks))

        together(*[ask] * askers, lambda: ref.stop(timeout=DEADLINE))
        assert len(replies) == askers * asks
        for reply in replies:
            error = reply.exception(DEADLINE)
            assert error is None or isinstance(error, NoProcError)
            outcomes.append(error is None)

    for _ in range(rounds):
        once()
    assert len(outcomes) == rounds * askers * asks


@pytest.mark.contract("S166")
@pytest.mark.parametrize("how", ["crash", "directive", "kill"])
def test_asks_racing_another_end_are_answered(how: str) -> None:
    """However the actor ends, no asker waits for ever."""
    from supervisors import Killed

    def once() -> None:
        ref = Doer.start()
        replies: list[Reply] = []

        def ask() -> None:
            replies.extend(ref.ask(number, block=False) for number in range(50))

        def end() -> None:
            match how:
                case "crash":
                    ref.cast(boom)
                case "directive":
                    ref.cast(lambda _: Stop())
                case "kill":
                    ref.exit(Killed())

        together(ask, ask, end)
        for reply in replies:
            assert isinstance(reply.exception(DEADLINE), NoProcError | None)

    for _ in range(30):
        once()


@pytest.mark.contract("S168", "S166")
@DISPATCHERS
@pytest.mark.parametrize("way", ["ask", "tell"])
def test_crash(dispatcher: str, way: str) -> None:
    """A crash ends the actor in ask and tell alike; the asker gets the exception."""
    ref = Doer.start(dispatcher=dispatcher)
    monitor = ref.monitor()
    if way == "ask":
        with pytest.raises(ValueError, match="boom"):
            ref.ask(boom, timeout=DEADLINE)
        assert not ref.is_alive()
    else:
        ref.tell(boom)
    assert isinstance(monitor.wait(DEADLINE).reason.exception, ValueError)


@pytest.mark.contract("S163")
@DISPATCHERS
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exits_are_contained(dispatcher: str, error: type[BaseException]) -> None:
    """SystemExit and KeyboardInterrupt end that actor alone; the asker gets NoProcError."""

    def leave(_: object) -> None:
        raise error

    ref, other = Doer.start(dispatcher=dispatcher), Doer.start(dispatcher=dispatcher)
    with pytest.raises(NoProcError) as caught:
        ref.ask(leave, timeout=DEADLINE)
    assert isinstance(caught.value.reason.exception, error)
    assert not ref.is_alive()
    assert other.ask("alive", timeout=DEADLINE) == "alive"
    stop([other])


@DISPATCHERS
def test_stop_overtakes(dispatcher: str) -> None:
    """A stop comes before what was queued: asks are refused, nothing more is handled."""
    gate, entered = threading.Event(), threading.Event()
    ran: list[int] = []
    ref = Doer.start(dispatcher=dispatcher)
    ref.tell(waits(entered.set, gate))
    assert entered.wait(DEADLINE)
    asks = [ref.ask(lambda _: ran.append(1), block=False) for _ in range(10)]
    stopped = ref.stop(block=False)
    gate.set()
    assert stopped.get(timeout=DEADLINE) is True
    assert all(isinstance(ask.exception(DEADLINE), NoProcError) for ask in asks)
    assert ran == []


@pytest.mark.contract("S165")
def test_reply_from_another_thread() -> None:
    """Who keeps the sender may answer from anywhere; the asker waits until then."""
    ref = Doer.start()
    reply = ref.ask(lambda _: NO_REPLY, block=False)
    sender = ref.ask(lambda actor: actor.sender, timeout=DEADLINE)
    assert sender is not None
    held: list[Any] = []

    def hold(actor: Any) -> Any:
        held.append(actor.sender)
        return NO_REPLY

    answers = [ref.ask(hold, block=False) for _ in range(50)]
    ref.ask("through", timeout=DEADLINE)
    assert not any(answer.done() for answer in answers)
    together(
        lambda: [sender.reply("even") for sender in held[::2]],
        lambda: [sender.reply("odd") for sender in held[1::2]],
    )
    assert [answer.get(timeout=DEADLINE) for answer in answers] == ["even", "odd"] * 25
    assert not reply.done()
    stop([ref])
    assert isinstance(reply.exception(DEADLINE), NoProcError)


@pytest.mark.contract("S164")
@DISPATCHERS
def test_timeout_and_late_reply(dispatcher: str) -> None:
    """The asker gives up, the actor does not notice, and what it says later goes nowhere."""
    gate = threading.Event()
    ref = Doer.start(dispatcher=dispatcher)
    with pytest.raises(CallTimeout):
        ref.call(lambda _: gate.wait(DEADLINE), timeout=0.02)
    gate.set()
    assert ref.call("next", timeout=DEADLINE) == "next"
    stop([ref])


@DISPATCHERS
def test_one_at_a_time_and_in_order(dispatcher: str) -> None:
    """Handlers never overlap, and each sender's messages come in its order."""
    ref = Doer.start(dispatcher=dispatcher)
    inside: list[int] = []
    overlaps: list[int] = []
    seen: dict[int, list[int]] = {sender: [] for sender in range(4)}

    def note(sender: int, number: int) -> Any:
        def handle(_: object) -> None:
            inside.append(1)
            if len(inside) > 1:
                overlaps.append(1)
            seen[sender].append(number)
            inside.pop()

        return handle

    def send(sender: int) -> None:
        for number in range(500):
            ref.tell(note(sender, number))

    together(*(partial(send, sender) for sender in range(4)))
    ref.ask("done", timeout=DEADLINE)
    assert overlaps == []
    assert all(numbers == list(range(500)) for numbers in seen.values())
    stop([ref])


# ---- blocking ----------------------------------------------------------------------------------


class Link(GenServer):
    """Asks the next one of a chain."""

    def init(self, following: Any) -> None:
        self.following = following

    def handle_call(self, request: Any, sender: Any) -> Any:
        if self.following is None:
            return request
        return 1 + self.following.ask(request, timeout=30.0)


def test_chain_of_asks() -> None:
    """1,000 pooled actors that wait for one another at once still come to an end."""
    # So many threads need no help to meet one another.
    sys.setswitchinterval(0.005)
    refs: list[Any] = [None]
    for _ in range(1000):
        refs.append(Link.start(refs[-1]))
    assert refs[-1].ask(0, timeout=30.0) == 999
    stop(refs[1:])
    pause = threading.Event()
    for _ in range(1000):
        if pool.threads()[0] <= 2:
            break
        pause.wait(0.01)
    assert pool.threads() == (2, 0)


def test_blocked_handlers_starve_nobody() -> None:
    """Handlers that block where the library cannot see it do not keep others from running."""
    gate, entered = threading.Event(), threading.Semaphore(0)
    blocked = [Doer.start() for _ in range(20)]
    for ref in blocked:
        ref.tell(waits(entered.release, gate))
    for _ in blocked:
        assert entered.acquire(timeout=DEADLINE)
    other = Doer.start()
    assert other.ask("free", timeout=DEADLINE) == "free"
    gate.set()
    stop([*blocked, other])


def test_await_in_an_event_loop() -> None:
    """Many asks are awaited at once while the loop goes on."""

    async def main() -> list[Any]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        replies = [ref.ask(number, block=False) for number in range(200)]
        found = [await reply for reply in replies]
        joined = await replies[0].join(*replies[1:3]).map(sum)
        with pytest.raises(ValueError, match="boom"):
            await ref.ask(boom, block=False)
        ticking.cancel()
        assert ticks > 0
        return [*found, joined]

    ref = Doer.start()
    assert asyncio.run(main()) == [*range(200), 3]


# ---- the pieces --------------------------------------------------------------------------------


def test_mailbox_loses_nothing() -> None:
    """Putters, a runner and a closer at once: each message is handled or rejected, once."""

    def once() -> None:
        rejected: list[int] = []
        handled: list[int] = []
        box = Mailbox(SimpleNamespace(_reject=rejected.append))
        put_first = threading.Event()

        def run() -> None:
            while True:
                while box.user:
                    try:
                        handled.append(box.user.popleft())
                    except IndexError:
                        break
                if not box.give_back_slot():
                    return

        def put(start: int, first: threading.Event = put_first) -> None:
            for number in range(start, start + 100):
                if box.put(number):
                    run()
                first.set()

        def close(first: threading.Event = put_first) -> None:
            first.wait(DEADLINE)
            box.close()

        together(*(partial(put, start) for start in (0, 100, 200)), close)
        assert sorted(handled + rejected) == list(range(300))
        assert not box.has_work()

    for _ in range(60):
        once()


def test_reply_settles_once_and_calls_back_once() -> None:
    """Settlers and registrants at once: one outcome, each callback called once with it."""

    def once() -> None:
        reply = Reply()
        wins: list[bool] = []
        calls: list[int] = []

        def settle(value: int) -> None:
            wins.append(reply.settle(value))

        def register() -> None:
            for _ in range(10):
                reply.add_done_callback(lambda r: calls.append(r.get()))

        together(lambda: settle(1), lambda: settle(2), register, register)
        assert sorted(wins) == [False, True]
        assert calls == [reply.get()] * 20

    for _ in range(150):
        once()


def test_joined_reply_calls_back_once() -> None:
    """A future of several sources that are settled at the same moment calls back once."""

    def once() -> None:
        sources = [Reply() for _ in range(4)]
        joined = sources[0].join(*sources[1:])
        calls: list[Any] = []
        joined.add_done_callback(lambda r: calls.append(r.get()))
        together(*(partial(source.settle, 0) for source in sources))
        assert calls == [[0, 0, 0, 0]]

    for _ in range(300):
        once()


def test_timers_fire_or_are_cancelled() -> None:
    """Each timer does exactly one of the two, whoever is faster."""
    service = TimerService()
    fired: list[int] = []
    timers: dict[int, Any] = {}
    cancelled: list[int] = []
    over = threading.Event()

    def arm(start: int) -> None:
        for number in range(start, start + 500):
            delay = (number % 5) * 0.0005
            timers[number] = service.after(delay, partial(fired.append, number))

    def cancel() -> None:
        while not over.is_set():
            for number in range(0, 1000, 3):
                timer = timers.get(number)
                if timer is not None and timer.cancel():
                    cancelled.append(number)

    def wait() -> None:
        arm(500)
        done = threading.Event()
        service.after(0.05, done.set)
        assert done.wait(DEADLINE)
        over.set()

    together(lambda: arm(0), wait, cancel)
    last = threading.Event()
    service.after(0.01, last.set)
    assert last.wait(DEADLINE)
    assert sorted(fired + cancelled) == list(range(1000))
