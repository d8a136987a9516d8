"""The actors of the benchmarks: on Pykka alone, and the same as GenServers."""

from __future__ import annotations

import queue
from typing import Any

import pykka

from supervisors import GenServer

__all__ = ["Done", "Ours", "OursPlaying", "Theirs", "TheirsPlaying"]


class Done(queue.SimpleQueue[None]):
    """The last message to an actor, which puts something in to say that it is there."""


class Ours(GenServer):
    """Answers what it is asked."""

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer the request itself."""
        return request

    def handle_cast(self, message: Any) -> None:
        """Take it."""
        if message.__class__ is Done:
            message.put(None)


class Theirs(pykka.ThreadingActor):
    """Does the same on Pykka alone."""

    def on_receive(self, message: Any) -> Any:
        """Answer the message itself."""
        if message.__class__ is Done:
            message.put(None)
        return message


class OursPlaying(GenServer):
    """Sends each number on to its peer, one less, and says when it is 0."""

    peer: Any
    done: Done

    def handle_cast(self, message: Any) -> None:
        """Take the peer and the queue first, then numbers."""
        if message.__class__ is not int:
            self.peer, self.done = message
        elif message:
            self.peer.tell(message - 1)
        else:
            self.done.put(None)


class TheirsPlaying(pykka.ThreadingActor):
    """Does the same on Pykka alone."""

    peer: Any
    done: Done

    def on_receive(self, message: Any) -> None:
        """Take the peer and the queue first, then numbers."""
        if message.__class__ is not int:
            self.peer, self.done = message
        elif message:
            self.peer.tell(message - 1)
        else:
            self.done.put(None)
