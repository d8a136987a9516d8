"""`phoenix-actors push`: one push and its reply."""

from __future__ import annotations

import argparse

from phoenix_actors.cli.codes import EXIT_OK, EXIT_REFUSED
from phoenix_actors.cli.connecting import connected, join_params
from phoenix_actors.cli.output import json_text, put
from phoenix_actors.cli.values import bytes_of, json_of

__all__ = ["run"]


def run(parsed: argparse.Namespace) -> int:
    """Join, push, print the reply, and return the exit code.

    Raises:
        PhoenixError: as the client; the command line turns it into an exit code.
        ValueError: an argument is wrong.
    """
    read = bytes_of if parsed.binary else json_of
    payload = read(parsed.payload, "PAYLOAD")
    params = join_params(parsed)
    with connected(parsed, parsed.url, reconnect=False) as client:
        channel = client.join(parsed.topic, params)
        future = channel.push(parsed.event, payload)
        if parsed.no_reply:
            # The server answers a leave in its turn, so the push has arrived by then.
            channel.leave(timeout=parsed.timeout)
            return EXIT_OK
        reply = future.get()
    if parsed.json:
        put(json_text({"status": reply.status, "response": reply.response}))
    else:
        put(f"{json_text(reply.status)[1:-1]} {json_text(reply.response)}")
    return EXIT_OK if reply.status == "ok" else EXIT_REFUSED
