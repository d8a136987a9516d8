"""Who asked may keep the future for long; it does not keep what was asked."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from supervisors import NO_REPLY, Continue, GenServer, Stop
from supervisors._runtime.current import current
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.stepped import Seen


class Request:
    """What is asked, and what the handler does with it."""

    def __init__(self, act: Callable[[Any], Any]) -> None:
        """Keeps it."""
        self.act = act


class Server(GenServer):
    """Does what it is asked."""

    reply_exceptions: ClassVar[tuple[type[Exception], ...]] = (KeyError,)

    def handle_call(self, request: Request, sender: Any) -> Any:
        """Does it."""
        return request.act(sender)

    def handle_continue(self, continuation: Any) -> None:
        """Has nothing left to do."""


def _answer_later(sender: Any) -> Any:
    sender.reply(1)
    return NO_REPLY


def _crash(_: Any) -> Any:
    raise ValueError


@pytest.mark.parametrize(
    "act",
    [
        lambda _: 1,
        lambda _: NO_REPLY,
        _answer_later,
        lambda _: Stop(reply=1),
        lambda _: Stop(),
        lambda _: Continue(1, reply=1),
        lambda _: Continue(1),
        _crash,
    ],
    ids=["reply", "no reply", "later", "stop", "stop unanswered", "continue", "open", "crash"],
)
def test_future_lets_the_request_go(turns: ManualDispatcher, act: Callable[[Any], Any]) -> None:
    """Whatever the handler makes of it, the request is free when the turn is over."""
    current.host = turns
    ref = Server.start(dispatcher=turns)
    request = Request(act)
    gone = weakref.ref(request)
    future = ref.ask(request, block=False)
    del request
    turns.run_until_idle()
    gc.collect()
    assert gone() is None
    del future


def test_crash_still_tells_its_message(turns: ManualDispatcher) -> None:
    """Reports name the type of what was being handled."""
    current.host = turns
    ref = Server.start(dispatcher=turns)
    seen = Seen().of(("supervisors", "actor", "crashed"))
    future = ref.ask(Request(_crash), block=False)
    turns.run_until_idle()
    seen.close()
    assert [metadata["message_type"] for _, _, metadata in seen.events] == ["Request"]
    assert isinstance(future.exception(timeout=0), ValueError)
