"""`phoenix-actors listen`: what a topic says, over losses of the connection."""

from __future__ import annotations

import argparse
import threading
from typing import Any

from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.cli.codes import EXIT_NO_CONNECTION, EXIT_OK
from phoenix_actors.cli.connecting import connected, join_params
from phoenix_actors.cli.output import json_text, notice, put
from phoenix_actors.message import ClientStopped, Left, ServerClosed

__all__ = ["ListenChannel", "Listening", "run"]


class Listening:
    """What the channel's actor shares with the main thread, which waits for the end."""

    def __init__(self, parsed: argparse.Namespace) -> None:
        """Begin with no message."""
        self.over = threading.Event()
        self.code = EXIT_OK
        self.error: OSError | None = None
        self._events = None if parsed.event is None else frozenset(parsed.event)
        self._left = parsed.count
        self._json = parsed.json
        self._quiet = parsed.quiet

    def told(self, text: str) -> None:
        """Say something on standard error, unless it is to be quiet."""
        if not self._quiet:
            notice(text)

    def message(self, topic: str, event: str, payload: Any) -> None:
        """Print a message; called by the channel's actor, which so keeps to the reader's pace."""
        if self.over.is_set() or not (self._events is None or event in self._events):
            return
        if self._json:
            line = json_text({"topic": topic, "event": event, "payload": payload})
        else:
            line = f"{json_text(event)[1:-1]} {json_text(payload)}"
        try:
            put(line)
        except OSError as error:
            self.error = error
            self.over.set()
            return
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.over.set()

    def ended(self, text: str) -> None:
        """There will be no more messages."""
        notice(text)
        self.code = EXIT_NO_CONNECTION
        self.over.set()


class ListenChannel(ChannelActor):
    """Hands on what its topic says, from the first message after the join."""

    def init(self, listening: Listening) -> None:
        """Hand on to `listening`."""
        self.listening = listening

    def handle_join(self, response: Any) -> None:
        """Say so: the first time with the server's response."""
        again = "again " if self.join_count > 1 else ""
        self.listening.told(f"joined {again}{self.topic}: {json_text(response)}")

    def handle_join_error(self, response: Any) -> None:
        """Say so of a rejoin, which the client tries again: the first join raises in `run`."""
        if self.join_count:
            self.listening.told(f"the server refused to join {self.topic}: {json_text(response)}")

    def handle_message(self, event: str, payload: Any) -> None:
        """Hand it on."""
        self.listening.message(self.topic, event, payload)

    def handle_close(self, reason: Any) -> None:
        """End with the server's channel; after everything else the client rejoins."""
        if isinstance(reason, ServerClosed):
            self.listening.ended(f"the server closed {self.topic}")
        elif not isinstance(reason, Left | ClientStopped):
            self.listening.told(f"{self.topic} waits to rejoin: {type(reason).__name__}")


def run(parsed: argparse.Namespace) -> int:
    """Print messages until Ctrl-C, the count, or the end of the topic; return the exit code.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the client has stopped.
        PhoenixError, OSError, ValueError: as the client, the output and the arguments.
    """
    listening = Listening(parsed)
    params = join_params(parsed)
    with connected(parsed, parsed.url) as client:
        client.join(parsed.topic, params, channel=(ListenChannel, listening))
        listening.over.wait()
    if listening.error is not None:
        raise listening.error
    return listening.code
