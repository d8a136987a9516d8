"""An actor that notes what is called, for the unit tests of `GenServer`."""

from __future__ import annotations

from typing import Any

from supervisors import GenServer
from supervisors.testing import ManualDispatcher


class Probe(GenServer):
    """Notes what is called; does what the message is, if that is a function of the actor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.notes: list[Any] = []

    def init(self, result: Any = None) -> Any:
        self.notes.append("init")
        return result() if callable(result) else result

    def handle_call(self, request: Any, sender: Any) -> Any:
        self.notes.append("call")
        self.sender = sender
        return request(self) if callable(request) else request

    def handle_cast(self, message: Any) -> Any:
        self.notes.append("cast")
        return message(self) if callable(message) else message

    def handle_info(self, message: Any) -> Any:
        self.notes.append(message)
        return message(self) if callable(message) else None

    def handle_continue(self, continuation: Any) -> Any:
        self.notes.append("continue")
        return continuation(self) if callable(continuation) else continuation

    def terminate(self, reason: Any) -> None:
        self.notes.append(reason)

    def on_hibernate(self) -> None:
        self.notes.append("hibernate")

    def on_wake(self) -> None:
        self.notes.append("wake")


def probe(turns: ManualDispatcher, result: Any = None, **options: Any) -> tuple[Any, list[Any]]:
    """Starts a probe and returns its reference and its notes."""
    ref = Probe.start(result, dispatcher=turns, **options)
    return ref, ref.process.actor.notes


def boom(_: object = None) -> None:
    """Raises."""
    raise ValueError("boom")
